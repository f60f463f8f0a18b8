"""The one time axis that signals, probability and axis share: which pixel column shows which moment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from rtbci.dashboard.model.changes import Changes

PAGES_S = (5.0, 10.0, 20.0, 30.0, 60.0)
MM_PER_S = (15.0, 30.0, 60.0)
SHORTEST_S, LONGEST_S = 1.0, 3600.0


class PixelSegment(NamedTuple):
    """Pixels left to right show the columns from `column` on."""

    left: int
    right: int
    column: int


class Timeline:
    """Seconds on the display (x) to pixel columns. Column c is where c = floor(x · columns_per_s), for all time.

    sweep: the newest column overwrites the oldest at a place that moves; otherwise, and whenever frozen, the newest
    is at the right. `head`: where the stream is now; `latest`: the latest x that was shown, which is later after a replay
    was sought back; `start`: where the session begins; `end`: where the frozen page ends, None while live. `mm_per_s`: a
    time base that is held whatever the width, None where the page's seconds are.
    `changed`: the whole page has to be drawn again.
    """

    def __init__(self) -> None:
        self.changed: Changes[[]] = Changes()
        self.page_s = 10.0
        self.width = 1000  # device pixels
        self.pixels_per_mm = 96 / 25.4
        self.mm_per_s: float | None = None
        self.sweep = True
        self.head = 0.0
        self.start = 0.0
        self._latest = 0.0  # before the last seek
        self.end: float | None = None

    # -- what is shown ----------------------------------------------------------------------------------------

    @property
    def columns_per_s(self) -> float:
        return self.width / self.page_s

    @property
    def frozen(self) -> bool:
        return self.end is not None

    @property
    def sweeping(self) -> bool:
        return self.sweep and not self.frozen

    @property
    def blank(self) -> int:
        """Columns that a sweep keeps empty ahead of the newest."""
        return max(4, self.width // 60)

    @property
    def latest(self) -> float:
        return max(self._latest, self.head)

    @property
    def page(self) -> tuple[float, float]:
        """The moments between which the page lies."""
        end = self.head if self.end is None else self.end
        return end - self.page_s, end

    @property
    def last(self) -> int:
        """The newest column on the page."""
        return self.column(self.page[1])

    def column(self, x: float) -> int:
        return math.floor(x * self.columns_per_s)

    def segments(self, left: int = 0, right: int | None = None) -> Iterator[PixelSegment]:
        """How the pixels from left to right map to columns; a sweep's blank is left out."""
        right = self.width if right is None else min(right, self.width)
        left, last = max(0, left), self.last
        if not self.sweeping:
            if left < right:
                yield PixelSegment(left, right, last - self.width + 1 + left)
            return
        turn = last % self.width
        if left <= turn:
            yield PixelSegment(left, min(right, turn + 1), last - turn + left)
        left = max(left, turn + 1 + self.blank)
        if left < right:
            yield PixelSegment(left, right, last - turn - self.width + left)

    def x_at(self, pixel: int) -> float | None:
        """The moment in the middle of a pixel column; None in a sweep's blank."""
        for left, right, column in self.segments():
            if left <= pixel < right:
                return (column + pixel - left + 0.5) / self.columns_per_s
        return None

    def pixel(self, x: float) -> int | None:
        """Where a moment is shown, if it is."""
        column = self.column(x)
        for left, right, first in self.segments():
            if first <= column < first + right - left:
                return left + column - first
        return None

    def pixel_ranges(
        self, start: float, stop: float, left: int = 0, right: int | None = None
    ) -> Iterator[tuple[int, int]]:
        """The pixel stretches (left, right) that show start to stop, between two pixels."""
        a, b = self.column(start), self.column(stop)
        for seg_left, seg_right, first in self.segments(left, right):
            from_, to = max(seg_left, seg_left + a - first), min(seg_right, seg_left + b - first + 1)
            if from_ < to:
                yield from_, to

    # -- what the user does -------------------------------------------------------------------------------------

    def set_width(self, width: int) -> None:
        if width > 0 and width != self.width:
            self.width = width
            if self.mm_per_s is not None:
                self.page_s = self._page_at(self.mm_per_s)
            self.changed.notify()

    def set_page(self, page_s: float) -> None:
        self.mm_per_s = None
        if page_s != self.page_s:
            self.page_s = page_s
            self.changed.notify()

    def set_speed(self, mm_per_s: float) -> None:
        """So many millimetres of the screen a second, also where the window's width changes."""
        self.mm_per_s = mm_per_s
        self.page_s = self._page_at(mm_per_s)
        self.changed.notify()

    def _page_at(self, mm_per_s: float) -> float:
        return min(max(self.width / self.pixels_per_mm / mm_per_s, SHORTEST_S), LONGEST_S)

    def step_page(self, by: int) -> None:
        """The next shorter or longer page."""
        nearest = min(range(len(PAGES_S)), key=lambda k: abs(PAGES_S[k] - self.page_s))
        self.set_page(PAGES_S[min(max(nearest + by, 0), len(PAGES_S) - 1)])

    def set_sweep(self, sweep: bool) -> None:
        if sweep != self.sweep:
            self.sweep = sweep
            self.changed.notify()

    def freeze(self, end: float | None = None) -> None:
        """Hold the page that ends at `end` (now by default)."""
        self.end = self.head if end is None else end
        self.changed.notify()

    def go_live(self) -> None:
        if self.end is not None:
            self.end = None
            self.changed.notify()

    def begin_at(self, x: float) -> None:
        """The stream goes on at x, where a replay was sought to; live, whatever was frozen."""
        self._latest, self.head, self.end = self.latest, x, None
        self.changed.notify()

    def clear(self) -> None:
        """Another session."""
        self._latest, self.start, self.head, self.end = 0.0, 0.0, 0.0, None
        self.changed.notify()

    def scroll(self, by_s: float, oldest: float) -> None:
        """Move the frozen page; from the live one back freezes, forward over the place of the stream goes live."""
        if self.end is None and by_s >= 0:
            return
        before = self.head if self.end is None else self.end
        end = before + by_s
        if before <= self.head <= end:
            self.go_live()
        else:
            self.freeze(min(max(end, min(oldest + self.page_s, self.latest)), self.latest))

    def jump(self, x: float) -> None:
        """Freeze with x a quarter into the page, or as near to it as the newest data let."""
        self.freeze(min(x + 0.75 * self.page_s, max(self.latest, x)))

    def centre(self, x: float) -> None:
        """Freeze with x in the middle of the page; live where that is where the stream is."""
        end = x + 0.5 * self.page_s
        if x <= self.head <= end:
            self.go_live()
        else:
            self.freeze(end)
