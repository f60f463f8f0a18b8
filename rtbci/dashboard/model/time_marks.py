"""Stretches of time that every plot shades alike: events, annotations, gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtbci.dashboard.model.changes import Changes

EVENT, DECISION, REJECTED, ANNOTATION, LOST, FILLED = (
    "event", "decision", "rejected", "annotation", "lost", "filled",
)  # fmt: skip


@dataclass(slots=True)
class TimeMark:
    """From start to stop on the display's axis (s); an event that is still on has stop = inf.

    EVENT: of a class that rings an alarm; DECISION: of another; REJECTED: by a person. row: of its class.
    """

    start: float
    stop: float
    kind: str
    text: str = ""
    row: int = 0


class TimeMarks:
    """All marks, in the order they came."""

    def __init__(self) -> None:
        self.changed: Changes[[]] = Changes()
        self._marks: list[TimeMark] = []
        self._spans = np.empty((0, 2))

    def __len__(self) -> int:
        return len(self._marks)

    def add(self, mark: TimeMark) -> TimeMark:
        self._marks.append(mark)
        self.touch()
        return mark

    def remove(self, mark: TimeMark) -> None:
        self._marks.remove(mark)
        self.touch()

    def clear(self) -> None:
        self._marks.clear()
        self.touch()

    def touch(self) -> None:
        """A mark was changed."""
        self._spans = np.array([(m.start, m.stop) for m in self._marks]).reshape(-1, 2)
        self.changed.notify()

    def between(self, start: float, stop: float) -> Iterator[TimeMark]:
        """Those that touch start to stop."""
        touching = (self._spans[:, 0] <= stop) & (self._spans[:, 1] >= start)
        return (self._marks[k] for k in np.flatnonzero(touching))
