"""Events and annotations for the table and time marks for the plots, from the lines of the engine's log.

An entry is known to the engine by its own seconds (`onset`); the table, the plots and the export have it on the session's clock
(`mark`), wherever a replay was sought to before or since.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.changes import Changes
from rtbci.dashboard.model.display_clock import SessionClocks
from rtbci.dashboard.model.time_marks import TimeMark, TimeMarks
from rtbci.monitor.alerts import RunningEvent
from rtbci.monitor.message import Verdict
from rtbci.monitor.messages import (
    AnnotationLine,
    ConnectedLine,
    CueLine,
    DetectionLine,
    GapLine,
    LogLine,
    OnsetLine,
    ReviewLine,
    SeekLine,
)
from rtbci.recordings.event_rows import note_type
from rtbci.recordings.event_table import write_events
from rtbci.text import tenths_text
from rtbci.types import Event

SAME_S = 1.0  # two detections of one event, before and after a seek, begin within


@dataclass(slots=True)
class EventEntry:
    """One row of the table. onset: the engine's second, by which it knows the event; mark: on the session's clock.

    row: of its class; alarms: whether that rings an alarm.
    """

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
    part: int = 0  # of the session, between two seeks

    @property
    def kind(self) -> str:
        """Of its mark."""
        return kinds.REJECTED if self.verdict == "rejected" else kinds.EVENT if self.alarms else kinds.DECISION

    @property
    def key(self) -> tuple[str, float]:
        return self.label, round(self.onset, 6)

    @property
    def start(self) -> float:
        """On the session's clock."""
        return self.mark.start

    @property
    def start_text(self) -> str:
        return tenths_text(self.start)

    @property
    def length_text(self) -> str:
        """Of what is over: from the start to the end as each reads in tenths of a second; of a point in time, nothing."""
        if not self.duration:
            return ""
        return f"{round(self.start + self.duration, 1) - round(self.start, 1):.1f} s"

    def place(self, start: float) -> None:
        self.mark.start = start
        self.mark.stop = math.inf if self.open else start + self.duration


class DisplayEventLog:
    """Entries in the order they began.

    `added` and `changed` carry a row, `began` the entry of an event that has just begun, `lost` from where to where samples are
    missing.
    """

    def __init__(self, marks: TimeMarks) -> None:
        self.cleared: Changes[[]] = Changes()
        self.added: Changes[[int]] = Changes()
        self.changed: Changes[[int]] = Changes()
        self.began: Changes[[EventEntry]] = Changes()
        self.lost: Changes[[float, float]] = Changes()
        self.entries: list[EventEntry] = []
        self._marks = marks
        self._rows: dict[str, int] = {}  # of the classes
        self._alarms: tuple[str, ...] = ()
        self._part = 0

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

    def take(self, line: LogLine, clocks: SessionClocks, offset_s: float = 0.0) -> None:
        """One line of the engine's log. offset_s: from its seconds to the session's (LineClock)."""
        match line:
            case DetectionLine():
                self._event(line, line.onset + offset_s, still_on=isinstance(line, OnsetLine))
            case AnnotationLine():
                at = clocks.x(line.stamp)
                self._annotation(line, line.onset + offset_s if at is None else at)
            case ReviewLine():
                self._review(line)
            case SeekLine() | ConnectedLine():
                self._part += 1
            case CueLine() if (at := clocks.x(line.cue_stamp)) is not None:
                self._marks.add(TimeMark(at, at, kinds.RECORDED, line.cue))
            case GapLine() if (end := clocks.x(line.end)) is not None:
                self._gap(line, clocks.x(line.start), end)

    def clear(self) -> None:
        self.entries.clear()
        self.cleared.notify()

    @property
    def open(self) -> list[EventEntry]:
        return [entry for entry in self.entries if entry.open]

    def export(self, path: Path, duration_s: float) -> int:
        """Write the SzCORE table of all entries but those that a person rejected, on the session's clock.

        A note is no seizure there, whatever it speaks of (rtbci.recordings.event_rows.note_type).

        Parameters
        ----------
        path
            The table.
        duration_s
            Of the recording.

        Returns
        -------
        int
            How many were written.

        Raises
        ------
        OSError
            If it cannot be written; the file is as it was.
        """
        kept = sorted((e for e in self.entries if e.verdict != "rejected"), key=lambda e: e.start)
        write_events(path, [_event_of(entry) for entry in kept], duration_s=duration_s)
        return len(kept)

    def _event(self, line: DetectionLine, start: float, *, still_on: bool) -> None:
        entry = next((e for e in reversed(self.entries) if e.open and e.label == line.label), None)
        is_new = entry is None
        entry = entry or self._found_before(line.label, start)
        known = entry is not None
        if entry is None:
            entry = EventEntry(line.onset, 0.0, line.label, 0.0)
            entry.row, entry.alarms = self._rows.get(line.label, 0), line.label in self._alarms
            entry.mark.kind, entry.mark.row = entry.kind, entry.row
            self._marks.add(entry.mark)
        if is_new:
            entry.onset, entry.channels, entry.part = line.onset, line.channels, self._part
        entry.duration, entry.peak, entry.open = line.duration, line.confidence, still_on
        entry.mark.text = entry.label
        entry.place(start)
        self._marks.touch()
        self._put(entry, known)
        if still_on and is_new:
            self.began.notify(entry)

    def _found_before(self, label: str, start: float) -> EventEntry | None:
        """The same event, found when the replay was at this place before: it is one row, with what was said of it."""
        return next(
            (
                e
                for e in reversed(self.entries)
                if e.label == label and e.part < self._part and not e.annotation and abs(e.start - start) < SAME_S
            ),
            None,
        )

    def _gap(self, line: GapLine, start: float | None, end: float) -> None:
        start = end - (line.end - line.start) if start is None else start
        self._marks.add(TimeMark(start, end, kinds.FILLED if line.filled else kinds.LOST))
        if not line.filled:
            self.lost.notify(start, end)

    def _annotation(self, line: AnnotationLine, start: float) -> None:
        mark = TimeMark(start, start + line.duration, kinds.ANNOTATION, line.label)
        entry = EventEntry(line.onset, line.duration, line.label, math.nan, annotation=True, mark=self._marks.add(mark))
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


def _event_of(entry: EventEntry) -> Event:
    if entry.annotation:
        return Event(entry.start, entry.duration, note_type(entry.label))
    return Event(entry.start, entry.duration, entry.label, entry.peak, entry.channels)
