"""The newest sample of each chunk: its number, its stamp and its arrival; what rates and clocks are measured from."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from rtbci.types import Times

SLOT_S = 0.02  # a chunk can be read in parts; of those that come so close, the last is kept


class Arrivals:
    """Chunks as they came, of the last `keep_s`; those before the first are not counted, but those after it are.

    Only newest samples count: the others of their chunk came later than they were taken.
    """

    def __init__(self, keep_s: float = math.inf) -> None:
        self._keep_s = keep_s
        self.restart()

    def restart(self) -> None:
        """What came so far says nothing of what comes now."""
        self._n = 0
        self._points: deque[tuple[float, float, float]] = deque()  # (sample, stamp, arrival)
        self._slot_since = -math.inf

    def add(self, n: int, stamp: float, at: float) -> None:
        """n samples came, the newest of them with this stamp."""
        self._n += n
        if not math.isfinite(stamp):
            return
        point = (float(self._n), stamp, at)
        if at - self._slot_since < SLOT_S and self._points:
            self._points[-1] = point
        else:
            self._slot_since = at
            self._points.append(point)
        while at - self._points[0][2] > self._keep_s:
            self._points.popleft()

    def points(self) -> tuple[Times, Times, Times]:
        """Numbers, stamps and arrivals, each (n_points,); without the first chunk, which may have waited for a reader."""
        found = np.array(list(self._points)[1:], np.float64).reshape(-1, 3)
        return found[:, 0], found[:, 1], found[:, 2]

    def least_lag_s(self, scale: float = 1.0) -> float:
        """Of the stamps behind the arrivals, s; scale: units of the stamps in a second. 0 where there are none."""
        return min((at - stamp / scale for _, stamp, at in self._points), default=0.0)
