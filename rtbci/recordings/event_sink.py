"""Sink: the event table of a live session, and a person's verdicts beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rtbci.recordings.event_rows import note_type, start_cell
from rtbci.recordings.event_table import RETRY_S, EventLog
from rtbci.recordings.spreadsheet import text_cell
from rtbci.recordings.stream_clock import StreamClock
from rtbci.recordings.table_file import TableFile
from rtbci.types import Detection, Event, OperatorAnnotation, OperatorVerdict, SessionInfo, SpanEnded

REVIEW_COLUMNS = ("onset", "eventType", "verdict", "note", "dateTime")  # the last is the start of the event's run


class EventTableSink:
    """Sink that keeps the event table of a live session: each finished event is on disk when `on` returns.

    Its times are seconds of the stream's stamps (StreamClock), so that an hour in it is an hour whatever the rate is.

    Parameters
    ----------
    path
        The requested file; the attribute `path` is the one that is written (see EventLog).
    now
        Clock for the start of the session.
    """

    recovered = "the event table is written again, and whole"

    def __init__(self, path: Path, now: Callable[[], datetime] = datetime.now) -> None:
        self._asked, self._now = path, now
        self._log: EventLog | None = None
        self._clock = StreamClock()
        self._duration_s = 0.0
        self._notice = ""
        self._unwritten: list[OperatorVerdict] = []  # verdicts, by what happened to the disk
        self._why = ""  # they are not written
        self._retry_at = 0.0

    @property
    def path(self) -> Path:
        return self._log.path if self._log is not None else self._asked

    @property
    def trouble(self) -> str:
        """What could not be written, and why; empty where all is well."""
        lost = f"{self._why}; {len(self._unwritten)} verdicts are not in it yet" if self._unwritten else ""
        return (self._log.trouble if self._log is not None else "") or lost

    def take_notice(self) -> str:
        """Why another file is written than the requested one, once; then an empty string."""
        notice, self._notice = self._notice, ""
        return notice or (self._log.take_notice() if self._log is not None else "")

    def begin(self, session: SessionInfo) -> None:
        self._clock.begin(session)
        if self._log is None:
            self._log = EventLog(self._asked, self._now().replace(microsecond=0))

    def on(self, message: object) -> None:
        self._clock.on(message)
        match message:
            case Detection(closed=True, event=event):
                self._add(event)
            case OperatorAnnotation(label=label, onset=onset, duration=duration):
                self._add(Event(onset, duration, note_type(label)))
            case OperatorVerdict(onset=onset) if self._log is not None:
                self._unwritten.append(replace(message, onset=self._clock.at(onset)))
                self._review(self._log)
            case SpanEnded(recording_s=recording_s):
                self._duration_s = max(self._duration_s, self._clock.at(recording_s))

    def tend(self) -> None:
        """Write what a full disk or a folder that was away did not take, once that is possible."""
        if self._log is not None:
            self._log.tend()
            if self._unwritten and time.monotonic() >= self._retry_at:
                self._review(self._log)

    def close(self) -> None:
        if self._log is not None:
            self._log.close(self._duration_s)
            self._review(self._log)

    def _add(self, event: Event) -> None:
        if self._log is None:
            return
        onset, end = self._clock.at(event.onset), self._clock.at(event.onset + event.duration)
        kept = event.duration if onset == event.onset else end - onset
        self._log.add(replace(event, onset=onset, duration=kept))

    def _review(self, log: EventLog) -> None:
        """Write the verdicts that are not written yet."""
        if not self._unwritten:
            return
        path = review_path(log.path)
        rows = "".join(_review_row(verdict, log.start) for verdict in self._unwritten)
        try:
            with closing(TableFile(path, REVIEW_COLUMNS)) as table:
                table.append(rows.encode())
        except OSError as error:
            self._why, self._retry_at = f"{path} is not written: {error.strerror}", time.monotonic() + RETRY_S
            return
        self._unwritten.clear()
        if table.why_not:
            self._notice = f"{path} {table.why_not}; the verdict is in {table.path}"


def _review_row(verdict: OperatorVerdict, start: datetime | None) -> str:
    label, note = text_cell(verdict.label), text_cell(verdict.note or "n/a")
    return "\t".join((repr(verdict.onset), label, verdict.verdict or "n/a", note, start_cell(start))) + "\n"


def review_path(events: Path) -> Path:
    """Where verdicts on an event table are kept: `night_events.tsv` -> `night_events_review.tsv`."""
    return events.with_name(f"{events.stem}_review.tsv")
