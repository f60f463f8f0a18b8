"""Events and annotations for the table and time marks for the plots, from the lines of the engine's log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.changes import Changes
from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.time_marks import TimeMark, TimeMarks
from rtbci.monitor.alerts import RunningEvent
from rtbci.monitor.message import Verdict
from rtbci.monitor.messages import AnnotationLine, DetectionLine, GapLine, LogLine, OnsetLine, ReviewLine
from rtbci.recordings.event_table import write_events
from rtbci.types import Event


@dataclass(slots=True)
class EventEntry:
    """One row of the table. onset: seconds of the recording. row: of its class; alarms: whether that rings an alarm."""

    onset: float
    duration: float
    label: str
    peak: float
    channels: tuple[str, ...] = ()
    open: bool = False
    row: int = 0
    alarms: bool = True
    annotation: bool = False
    verdict: Verdict = ""
    note: str = ""
    mark: TimeMark = field(default_factory=lambda: TimeMark(0, 0, kinds.EVENT))

    @property
    def kind(self) -> str:
        """Of its mark."""
        return kinds.REJECTED if self.verdict == "rejected" else kinds.EVENT if self.alarms else kinds.DECISION

    @property
    def key(self) -> tuple[str, float]:
        return self.label, round(self.onset, 6)


class DisplayEventLog:
    """Entries in the order they began.

    `added` and `changed` carry a row, `began` the entry of an event that has just begun.
    """

    def __init__(self, marks: TimeMarks) -> None:
        self.cleared: Changes[[]] = Changes()
        self.added: Changes[[int]] = Changes()
        self.changed: Changes[[int]] = Changes()
        self.began: Changes[[EventEntry]] = Changes()
        self.entries: list[EventEntry] = []
        self._marks = marks
        self._rows: dict[str, int] = {}  # of the classes
        self._alarms: tuple[str, ...] = ()

    def name_classes(self, classes: Sequence[str], alarms: Sequence[str]) -> None:
        """Of the stream from now on. alarms: those that ring an alarm."""
        self._rows = {label: row for row, label in enumerate(classes)}
        self._alarms = tuple(alarms)

    def follow(self, running: Sequence[RunningEvent]) -> None:
        """Duration and peak of the events that are on, as the engine has them now."""
        for event in running:
            key = event.label, round(event.onset, 6)
            entry = next((one for one in self.open if one.key == key), None)
            if entry is not None and (entry.duration, entry.peak) != (event.duration, event.confidence):
                entry.duration, entry.peak = event.duration, event.confidence
                self.changed.notify(self.entries.index(entry))

    def take(self, line: LogLine, clock: DisplayClock | None) -> None:
        """One line of the engine's log. clock: of the stream as it is now; marks need one."""
        match line:
            case DetectionLine():
                self._event(line, clock, still_on=isinstance(line, OnsetLine))
            case AnnotationLine():
                self._annotation(line, clock)
            case ReviewLine():
                self._review(line)
            case GapLine() if clock is not None:
                what = kinds.FILLED if line.filled else kinds.LOST
                self._marks.add(TimeMark(clock.x(line.start), clock.x(line.end), what))

    def clear(self) -> None:
        self.entries.clear()
        self.cleared.notify()

    @property
    def open(self) -> list[EventEntry]:
        return [entry for entry in self.entries[-64:] if entry.open]

    def export(self, path: Path, duration_s: float) -> None:
        """Write the SzCORE table of all entries but those that a person rejected. duration_s: of the recording."""
        kept = sorted((e for e in self.entries if e.verdict != "rejected"), key=lambda e: e.onset)
        events = [Event(e.onset, e.duration, e.label, 1.0 if math.isnan(e.peak) else e.peak, e.channels) for e in kept]
        write_events(path, events, duration_s=duration_s)

    def _event(self, line: DetectionLine, clock: DisplayClock | None, *, still_on: bool) -> None:
        entry = next((e for e in reversed(self.entries) if e.open and e.label == line.label), None)
        known = entry is not None
        if entry is None:
            entry = EventEntry(line.onset, 0.0, line.label, 0.0, line.channels)
            entry.row, entry.alarms = self._rows.get(line.label, 0), line.label in self._alarms
            entry.mark.kind, entry.mark.row = entry.kind, entry.row
            if clock is not None:
                entry.mark.start = clock.x(line.stamp) - (line.time - line.onset)
        entry.duration, entry.peak, entry.open = line.duration, line.confidence, still_on
        entry.mark.stop = math.inf if still_on else entry.mark.start + entry.duration
        entry.mark.text = entry.label
        if not known and clock is not None:
            self._marks.add(entry.mark)
        else:
            self._marks.touch()
        self._put(entry, known)
        if still_on and not known:
            self.began.notify(entry)

    def _annotation(self, line: AnnotationLine, clock: DisplayClock | None) -> None:
        entry = EventEntry(line.onset, line.duration, line.label, math.nan, annotation=True)
        if clock is not None:
            start = clock.x(line.stamp)
            entry.mark = self._marks.add(TimeMark(start, start + line.duration, kinds.ANNOTATION, line.label))
        self._put(entry, known=False)

    def _review(self, line: ReviewLine) -> None:
        key = line.label, round(line.onset, 6)
        for row, entry in enumerate(self.entries):
            if entry.key == key:
                entry.verdict, entry.note = line.verdict, line.note
                if not entry.annotation:
                    entry.mark.kind = entry.kind
                    self._marks.touch()
                self.changed.notify(row)

    def _put(self, entry: EventEntry, known: bool) -> None:
        if known:
            self.changed.notify(self.entries.index(entry))
        else:
            self.entries.append(entry)
            self.added.notify(len(self.entries) - 1)
