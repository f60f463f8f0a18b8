"""Sink: the event table of a live session, and a person's verdicts beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rtbci.recordings.event_rows import start_cell
from rtbci.recordings.event_table import EventLog
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
        self._lost_verdict = self._notice = ""

    @property
    def path(self) -> Path:
        return self._log.path if self._log is not None else self._asked

    @property
    def trouble(self) -> str:
        """What could not be written, and why; empty where all is well."""
        return (self._log.trouble if self._log is not None else "") or self._lost_verdict

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
                self._add(Event(onset, duration, label))
            case OperatorVerdict(onset=onset) if self._log is not None:
                self._review(replace(message, onset=self._clock.at(onset)), self._log)
            case SpanEnded(recording_s=recording_s):
                self._duration_s = max(self._duration_s, self._clock.at(recording_s))

    def tend(self) -> None:
        """Write what a full disk did not take, once there is space."""
        if self._log is not None:
            self._log.tend()

    def close(self) -> None:
        if self._log is not None:
            self._log.close(self._duration_s)

    def _add(self, event: Event) -> None:
        if self._log is None:
            return
        onset, end = self._clock.at(event.onset), self._clock.at(event.onset + event.duration)
        kept = event.duration if onset == event.onset else end - onset
        self._log.add(replace(event, onset=onset, duration=kept))

    def _review(self, verdict: OperatorVerdict, log: EventLog) -> None:
        path = review_path(log.path)
        row = repr(verdict.onset), verdict.label, verdict.verdict or "n/a", verdict.note or "n/a", start_cell(log.start)
        try:
            with closing(TableFile(path, REVIEW_COLUMNS)) as table:
                table.append(("\t".join(row) + "\n").encode())
        except OSError as error:
            about = f"the verdict on {verdict.label} at {verdict.onset:.1f} s"
            self._lost_verdict = f"{path}: {about} is not written: {error.strerror}"
            return
        self._lost_verdict = ""
        if table.why_not:
            self._notice = f"{path} {table.why_not}; the verdict is in {table.path}"


def review_path(events: Path) -> Path:
    """Where verdicts on an event table are kept: `night_events.tsv` -> `night_events_review.tsv`."""
    return events.with_name(f"{events.stem}_review.tsv")
