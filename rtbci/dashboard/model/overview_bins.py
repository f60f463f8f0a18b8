"""The overview's numbers: the largest probability of each class, what was seen and what was lost, in a fixed number of bins.

Bins are as short as the session lets them be: they double as it grows, so that a day costs what a minute does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from rtbci.dashboard.model.history import History
from rtbci.types import Flags, Samples, Times

N_BINS = 4096
SHORTEST_S = 0.25  # a bin
LONGEST_S = 366 * 86_400.0  # a session; what lies beyond is no time of it


class OverviewBins:
    """Bins over the session's clock; of two runs at one place the newer counts.

    Attributes
    ----------
    top
        float32 (N_BINS, n_classes): NaN where there was no answer.
    seen, lost
        bool (N_BINS,): samples came; samples are missing.
    """

    def __init__(self, n_classes: int, start_x: float = 0.0, length_s: float = 0.0) -> None:
        """start_x, length_s: of the session, as far as it is known."""
        self.start_x = start_x
        doublings = max(0, math.ceil(math.log2(max(length_s, 1.0) / (N_BINS * SHORTEST_S))))
        self.bin_s = math.ldexp(SHORTEST_S, doublings)
        self.top = np.full((N_BINS, n_classes), np.nan, np.float32)
        self.seen = np.zeros(N_BINS, np.bool_)
        self.lost = np.zeros(N_BINS, np.bool_)
        self._run = np.zeros(N_BINS, np.int32)
        self._now = 0
        self._at = -1  # the last bin of the present run that was seen
        self._changed = math.inf, -math.inf  # since `take_changed`

    @property
    def stop_x(self) -> float:
        return self.start_x + N_BINS * self.bin_s

    def take_changed(self) -> tuple[float, float]:
        """From where to where anything changed since the last call; the first is later where nothing did."""
        changed, self._changed = self._changed, (math.inf, -math.inf)
        return changed

    def begin_run(self) -> None:
        """What comes is of another place on the clock."""
        self._now += 1
        self._at = -1

    def see(self, from_x: float, to_x: float) -> None:
        """Samples came from from_x to to_x."""
        if not self._make_room(from_x, to_x):
            return
        first = self._bin(from_x) if self._at < 0 else max(self._at, self._bin(from_x))
        last = self._bin(to_x)
        self._claim(first, last)
        self.seen[first : last + 1] = True
        self._at = last

    def add(self, x: Times, data: Samples, valid: Flags) -> None:
        """Answers (n, n_classes) at x, which were seen; those that are not valid are none."""
        valid = valid & (np.abs(x) < LONGEST_S)
        if valid.any():
            at = ((x[valid] - self.start_x) // self.bin_s).astype(np.intp)
            inside = (at >= 0) & (at < N_BINS)
            at, data = at[inside], data[valid][inside]
            self._note_changed(float(x[0]), float(x[-1]))
            fresh = np.isnan(self.top[at])
            self.top[at] = np.where(fresh, data, self.top[at])
            np.maximum.at(self.top, at, data)

    def lose(self, from_x: float, to_x: float) -> None:
        """Samples are missing between."""
        if to_x > from_x and self._make_room(from_x, to_x):
            first, last = self._bin(from_x), self._bin(to_x)
            self._claim(first, last)
            self.lost[first : last + 1] = True

    def between(self, start_x: float, stop_x: float) -> slice:
        """The bins that touch start_x to stop_x."""
        first = max(0, math.floor((start_x - self.start_x) / self.bin_s))
        return slice(first, max(first, min(N_BINS, math.ceil((stop_x - self.start_x) / self.bin_s))))

    def xs(self, bins: slice) -> Times:
        """The middles of bins."""
        middles: Times = self.start_x + (np.arange(bins.start, bins.stop) + 0.5) * self.bin_s
        return middles

    def _claim(self, first: int, last: int) -> None:
        """These bins are of the present run: what an older one left there goes."""
        self._note_changed(self.start_x + first * self.bin_s, self.start_x + (last + 1) * self.bin_s)
        old = first + np.flatnonzero(self._run[first : last + 1] != self._now)
        self.top[old], self.seen[old], self.lost[old], self._run[old] = np.nan, False, False, self._now

    def _note_changed(self, from_x: float, to_x: float) -> None:
        self._changed = min(self._changed[0], from_x), max(self._changed[1], to_x)

    def _bin(self, x: float) -> int:
        return min(max(int((x - self.start_x) // self.bin_s), 0), N_BINS - 1)

    def _make_room(self, from_x: float, to_x: float) -> bool:
        """Double the bins until both are inside, to the right or to the left; False for what is no time of a session."""
        if not (-LONGEST_S < from_x <= to_x < LONGEST_S):
            return False
        while to_x >= self.stop_x or from_x < self.start_x:
            to_left = from_x < self.start_x
            if to_left:
                self.start_x -= N_BINS * self.bin_s
            half = slice(N_BINS // 2, N_BINS) if to_left else slice(0, N_BINS // 2)
            self.top = _halved(self.top, half, np.fmax, np.nan)
            self.seen = _halved(self.seen, half, np.logical_or, False)
            self.lost = _halved(self.lost, half, np.logical_or, False)
            self._run = _halved(self._run, half, np.maximum, 0)
            self.bin_s *= 2
            if self._at >= 0:
                self._at = self._at // 2 + half.start
        return True


def _halved(bins: npt.NDArray[Any], half: slice, merge: np.ufunc, otherwise: float) -> npt.NDArray[Any]:
    """Each two bins as one, in one half; nothing in the other."""
    out = np.full_like(bins, otherwise)
    out[half] = merge(bins[::2], bins[1::2])
    return out


class OverviewFeed:
    """Follows the histories of a session into bins, a few times a second."""

    def __init__(self) -> None:
        self.bins: OverviewBins | None = None
        self._scores: History | None = None
        self._row = 0
        self._seen_x: float | None = None

    def clear(self) -> None:
        """Another session."""
        self.bins = self._scores = None

    def begin_run(self, scores: History, start_x: float, length_s: float) -> None:
        """Rows that follow are of another place, or of another stream. start_x, length_s: of a new session."""
        if self.bins is not None and self.bins.top.shape[1] != scores.n_channels:
            self.bins = None
        if self.bins is None:
            self.bins = OverviewBins(scores.n_channels, start_x, length_s)
        if scores is not self._scores:
            self._scores, self._row = scores, 0
        self.bins.begin_run()
        self._seen_x = None

    def advance(self, signals: History) -> bool:
        """Take what came; whether anything did."""
        bins, scores = self.bins, self._scores
        if bins is None or scores is None or not signals.n:
            return False
        from_x, to_x = signals.run_x if self._seen_x is None else self._seen_x, signals.newest_x
        grew = to_x > from_x or scores.n > self._row
        if to_x > from_x:
            bins.see(from_x, to_x)
            self._seen_x = to_x
        x, data, valid = scores.rows(self._row, scores.n)
        self._row = scores.n
        bins.add(x, data, valid)
        return grew
