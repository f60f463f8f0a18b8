"""Sink: the event table of a live session, and a person's verdicts beside it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rtbci.recordings.event_table import EventLog
from rtbci.types import Detection, Event, OperatorAnnotation, OperatorVerdict, SessionInfo, SpanEnded

REVIEW_COLUMNS = ("onset", "eventType", "verdict", "note")


class EventTable:
    """Each event that is over is on disk when `on` returns; `close` makes it a finished table."""

    recovered = "the event table is written again, and whole"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log: EventLog | None = None
        self._duration_s = 0.0
        self._lost_verdict = ""

    @property
    def trouble(self) -> str:
        """What is not written, and why."""
        written = self._log.trouble if self._log is not None else ""
        return written or self._lost_verdict

    def begin(self, session: SessionInfo) -> None:
        if self._log is None:
            self._log = EventLog(self.path, datetime.now().replace(microsecond=0))

    def on(self, message: object) -> None:
        match message:
            case Detection(closed=True, event=event):
                self._add(event)
            case OperatorAnnotation(label=label, onset=onset, duration=duration):
                self._add(Event(onset, duration, label))
            case OperatorVerdict():
                self._judge(message)
            case SpanEnded(recording_s=recording_s):
                self._duration_s = max(self._duration_s, recording_s)

    def tend(self) -> None:
        """Write what a full disk did not take, once it does."""
        if self._log is not None:
            self._log.tend()

    def close(self) -> None:
        if self._log is not None:
            self._log.close(self._duration_s)

    def _add(self, event: Event) -> None:
        if self._log is not None:
            self._log.add(event)

    def _judge(self, verdict: OperatorVerdict) -> None:
        path = review_path(self._log.path if self._log is not None else self.path)
        try:
            new = not path.exists()
            with path.open("a", encoding="utf-8", newline="") as file:
                if new:
                    file.write("\t".join(REVIEW_COLUMNS) + "\n")
                file.write(f"{verdict.onset!r}\t{verdict.label}\t{verdict.verdict or 'n/a'}\t{verdict.note or 'n/a'}\n")
            self._lost_verdict = ""
        except OSError as error:
            self._lost_verdict = (
                f"{path}: the verdict on {verdict.label} at {verdict.onset:.1f} s is not written: {error.strerror}"
            )


def review_path(events: Path) -> Path:
    """Where the verdicts on an event table are kept: `night_events.tsv` -> `night_events_review.tsv`."""
    return events.with_name(f"{events.stem}_review.tsv")
