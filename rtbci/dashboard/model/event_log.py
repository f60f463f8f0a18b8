"""What happened, as the engine's log tells it: events and annotations for the table, stretches for the plots."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.clock import Clock
from rtbci.dashboard.model.time_marks import Mark, Marks


@dataclass(slots=True)
class Entry:
    """One row of the table. onset: seconds of the recording; verdict: "", "confirmed" or "rejected"."""

    onset: float
    duration: float
    label: str
    peak: float
    channels: tuple[str, ...] = ()
    open: bool = False
    annotation: bool = False
    verdict: str = ""
    note: str = ""
    mark: Mark = field(default_factory=lambda: Mark(0, 0, kinds.EVENT))

    @property
    def key(self) -> tuple[str, float]:
        return self.label, round(self.onset, 6)


class Book(QObject):
    """Entries in the order they began."""

    cleared = pyqtSignal()
    added = pyqtSignal(int)  # row
    changed = pyqtSignal(int)
    alarmed = pyqtSignal(object)  # an event began

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self._marks = marks

    def take(self, line: dict[str, Any], clock: Clock | None) -> None:
        """One line of the engine's log. clock: of the stream's present life; marks need one."""
        kind = line["kind"]
        if kind == "onset":
            self._event(line, clock, still_on=True)
        elif kind == "event":
            self._event(line, clock, still_on=False)
        elif kind == "annotation":
            self._annotation(line, clock)
        elif kind == "review":
            self._review(line)
        elif kind == "gap" and clock is not None:
            what = kinds.FILLED if line["filled"] else kinds.LOST
            self._marks.add(Mark(clock.x(line["start"]), clock.x(line["end"]), what))

    def clear(self) -> None:
        self.entries.clear()
        self.cleared.emit()

    @property
    def open(self) -> list[Entry]:
        return [entry for entry in self.entries[-64:] if entry.open]

    def _event(self, line: dict[str, Any], clock: Clock | None, *, still_on: bool) -> None:
        entry = next((e for e in reversed(self.entries) if e.open and e.label == line["label"]), None)
        known = entry is not None
        if entry is None:
            entry = Entry(line["onset"], 0.0, line["label"], 0.0, tuple(line["channels"]))
            if clock is not None:
                entry.mark.start = clock.x(line["stamp"]) - (line["time"] - line["onset"])
        entry.duration, entry.peak, entry.open = line["duration"], line["confidence"], still_on
        entry.mark.stop = math.inf if still_on else entry.mark.start + entry.duration
        entry.mark.text = entry.label
        if not known and clock is not None:
            self._marks.add(entry.mark)
        else:
            self._marks.touch()
        self._put(entry, known)
        if still_on and not known:
            self.alarmed.emit(entry)

    def _annotation(self, line: dict[str, Any], clock: Clock | None) -> None:
        entry = Entry(line["onset"], line["duration"], line["label"], math.nan, annotation=True)
        if clock is not None:
            start = clock.x(line["stamp"])
            entry.mark = self._marks.add(Mark(start, start + line["duration"], kinds.ANNOTATION, line["label"]))
        self._put(entry, known=False)

    def _review(self, line: dict[str, Any]) -> None:
        key = line["label"], round(line["onset"], 6)
        for row, entry in enumerate(self.entries):
            if entry.key == key:
                entry.verdict, entry.note = line["verdict"], line["note"]
                self.changed.emit(row)

    def _put(self, entry: Entry, known: bool) -> None:
        if known:
            self.changed.emit(self.entries.index(entry))
        else:
            self.entries.append(entry)
            self.added.emit(len(self.entries) - 1)
