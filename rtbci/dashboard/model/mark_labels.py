"""Which marks have their text on a page, where and how wide, so that none lies over another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.time_marks import TimeMark
from rtbci.dashboard.model.timeline import PixelSegment, Timeline

# Lines of text from the top.
ROWS = {
    kinds.RECORDED: 0,
    kinds.EVENT: 1,
    kinds.DECISION: 1,
    kinds.REJECTED: 1,
    kinds.ANNOTATION: 2,
}


class MarkLabel(NamedTuple):
    """A mark's text from pixel `left` on, in a row, with this much room."""

    mark: TimeMark
    row: int
    left: int
    room: int


def mark_labels(timeline: Timeline, marks: Iterable[TimeMark], segment: PixelSegment) -> list[MarkLabel]:
    """Of the marks that touch a stretch of the page; one that began before it stands at its left end."""
    placed: dict[int, list[tuple[int, TimeMark]]] = {}
    for mark in marks:
        if mark.text and mark.kind in ROWS:
            left = max(segment.left, segment.left + timeline.column(mark.start) - segment.column)
            if left < segment.right:
                placed.setdefault(ROWS[mark.kind], []).append((left, mark))
    labels = []
    for row, found in placed.items():
        found.sort(key=lambda one: (one[0], one[1].start))
        stops = [left for left, _ in found[1:]] + [segment.right]
        labels += [MarkLabel(mark, row, left, stop - left) for (left, mark), stop in zip(found, stops, strict=True)]
    return labels
