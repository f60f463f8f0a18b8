"""Stretches and points of time that every plot shows alike: events, annotations, markers, gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtbci.dashboard.model.changes import Changes

EVENT = "event"  # of a class that rings an alarm
DECISION = "decision"  # of another
REJECTED = "rejected"  # of either, which a person rejected
ANNOTATION = "annotation"  # of an operator
RECORDED = "recorded"  # of the file, or a marker of the stream
LOST, FILLED = "lost", "filled"  # samples
UNSEEN = "unseen"  # no mark: where a replay was never shown
MOST = 20_000  # marks; beyond, the oldest gap goes, else the oldest


@dataclass(slots=True)
class TimeMark:
    """From start to stop on the session's clock (s); an event that is still on has stop = inf. row: of its class."""

    start: float
    stop: float
    kind: str
    text: str = ""
    row: int = 0

    @property
    def is_gap(self) -> bool:
        return self.kind in (LOST, FILLED)


class TimeMarks:
    """All marks, in the order they came."""

    def __init__(self) -> None:
        self.changed: Changes[[]] = Changes()
        self._marks: list[TimeMark] = []
        self._spans: np.ndarray | None = None  # (n_marks, 2), made when it is needed

    def __len__(self) -> int:
        return len(self._marks)

    def add(self, mark: TimeMark) -> TimeMark:
        if len(self._marks) >= MOST:
            del self._marks[next((k for k, old in enumerate(self._marks) if old.is_gap), 0)]
        self._marks.append(mark)
        self.touch()
        return mark

    def clear(self) -> None:
        self._marks.clear()
        self.touch()

    def touch(self) -> None:
        """A mark was changed."""
        self._spans = None
        self.changed.notify()

    def spans(self, kind: str) -> np.ndarray:
        """(n, 2): from where to where, of the marks of a kind."""
        return np.array([(m.start, m.stop) for m in self._marks if m.kind == kind]).reshape(-1, 2)

    def between(self, start: float, stop: float) -> Iterator[TimeMark]:
        """Those that touch start to stop."""
        if self._spans is None:
            self._spans = np.array([(m.start, m.stop) for m in self._marks]).reshape(-1, 2)
        touching = (self._spans[:, 0] <= stop) & (self._spans[:, 1] >= start)
        return (self._marks[k] for k in np.flatnonzero(touching))
