"""When samples came, against their stamps: tells the gap guard of a clock that went forward."""

from __future__ import annotations

import math
from collections import deque


class Arrivals:
    """The least delay from a stamp to its arrival, before and after any sample of the last half minute.

    A sample that came sooner after its stamp than any before it cannot have: its clock went forward.

    Parameters
    ----------
    n_each
        Samples that are remembered together.
    """

    MARGIN_S = 0.05
    MAX_DRIFT = 5e-3  # s/s; the least delay may grow by it, or that of weeks ago would hide every clock reset

    def __init__(self, n_each: int) -> None:
        self._n_each = n_each
        self.reset()

    def reset(self) -> None:
        self._least = math.inf  # s; of those that are no longer remembered
        self._arrived = math.nan
        self._late: deque[tuple[int, float]] = deque()  # (samples on the grid by then, least delay)

    def add(self, n: int, arrived: float, stamp: float) -> None:
        """A chunk came: samples on the grid with it, when, and the stamp of its newest sample."""
        if arrived > self._arrived:
            self._least += self.MAX_DRIFT * (arrived - self._arrived)
        self._arrived = arrived
        delay = arrived - stamp
        if len(self._late) > 1 and n - self._late[-2][0] <= self._n_each:
            delay = min(delay, self._late.pop()[1])
        self._late.append((n, delay))
        if len(self._late) > 300:
            self._least = min(self._least, self._late.popleft()[1])

    def is_ahead(self, late_s: float, since: int) -> bool:
        """Whether samples that are late by `late_s` from sample `since` on came too soon for that."""
        before = min((delay for n, delay in self._late if n <= since), default=math.inf)
        after = min((delay for n, delay in self._late if n > since), default=math.inf)
        before = min(before, self._least)
        return math.isfinite(before) and before - after > max(self.MARGIN_S, late_s / 2)
