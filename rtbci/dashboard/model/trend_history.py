"""The trends of the last day, as the engine's rows come: in bins of ten seconds, and in coarser ones for long stretches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.monitor.shared_memory import SharedRing
from rtbci.monitor.trend_ring import KEPT_S, ROW_S, open_trend_ring
from rtbci.pipeline.trends import N_COLUMNS, PROBABILITY
from rtbci.stages.trends import N_BINS
from rtbci.types import Samples, Times

SPANS_H = (0.25, 1.0, 4.0, 12.0, 24.0)
LEAST_DB, MOST_DB = -10.0, 30.0  # of the spectra's colours; 0 dB is 1 µV²/Hz
_GROUPS = {0.25: 1, 1.0: 1, 4.0: 1, 12.0: 3, 24.0: 6}  # bins to a column of a span
_N = round(KEPT_S / ROW_S)
_FARTHEST_S = 1e9

Shades = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TrendView:
    """A stretch of the trends: column k is from start + k · step on.

    values: (n_columns, N_COLUMNS), NaN where nothing is known. shades: (n_columns, 2 N_BINS), the spectra of left and right from
    1 (LEAST_DB and less) to 255 (MOST_DB and more); 0 where nothing is known.
    """

    start: float
    step: float
    values: Samples
    shades: Shades

    @property
    def edges(self) -> Times:
        """Where the columns begin, and the last one ends."""
        return np.asarray(self.start + self.step * np.arange(len(self.values) + 1), np.float64)

    @property
    def middles(self) -> Times:
        """Of the columns."""
        return self.edges[:-1] + 0.5 * self.step


class TrendHistory:
    """Reads the engine's ring. `n_read`: rows so far, which tells whether a view is out of date; `oldest_s`, `newest_s`: the
    stretch that rows were seen of. All times are seconds of the engine's recording.

    A row behind which another came for the same time, as after a seek of a replay, is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ring: SharedRing | None = None
        self.n_read = 0
        self.oldest_s, self.newest_s = math.inf, -math.inf
        self._levels = {group: _Level(group) for group in sorted(set(_GROUPS.values()))}

    def read(self, row_s: float = ROW_S) -> None:
        """Take the rows that are new. row_s: seconds of a row."""
        self._ring = self._ring or open_trend_ring(self._folder)
        if self._ring is None or self._ring.n_written == self.n_read:
            return
        rows, self.n_read, _ = self._ring.since(self.n_read)
        self.add(rows.times, rows.data, row_s)

    def add(self, ends: Times, data: Samples, row_s: float = ROW_S) -> None:
        """ends: where each row ends."""
        sane = np.abs(ends) < _FARTHEST_S
        ends, data = ends[sane], data[sane]
        if not len(ends):
            return
        begins = ends - row_s
        self.oldest_s = min(self.oldest_s, float(begins.min()))
        self.newest_s = max(self.newest_s, float(ends.max()))
        # All bins that a row covers, so that rows a little longer than a bin leave none out.
        first, stop = _nearest_edge(begins), _nearest_edge(ends)
        counts = np.minimum(np.maximum(stop - first, 0), _N)
        places = np.repeat(np.arange(len(ends)), counts)
        bins = first[places] + np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        base = self._levels[1]
        base.put(bins, data[places])
        for group, level in self._levels.items():
            if group > 1:
                level.gather(base, bins)

    def view(self, hours: float) -> TrendView:
        """The span that ends with the last row; from the oldest on where that is less; empty before the first."""
        level = self._levels[_GROUPS[hours]]
        step = ROW_S * level.group
        n = round(hours * 3600 / step)
        known = (self.oldest_s, self.newest_s) if self.oldest_s < self.newest_s else (0.0, 0.0)
        oldest, newest = _nearest_edge(np.array(known)).tolist()
        first = max(-(-newest // level.group) - n, oldest // level.group)
        values, shades = level.at(np.arange(first, first + n))
        return TrendView(first * step, step, values, shades)


class _Level:
    """Bins of `group` rows, the last day of them; a bin knows its number, so that an older one is not taken for it."""

    def __init__(self, group: int) -> None:
        self.group = group
        n = _N // group + 1
        self._number = np.full(n, np.iinfo(np.int64).min)
        self._values = np.full((n, N_COLUMNS), np.nan, np.float32)
        self._shades = np.zeros((n, 2 * N_BINS), np.uint8)

    def put(self, bins: npt.NDArray[np.int64], values: Samples) -> None:
        place = bins % len(self._number)
        self._number[place] = bins
        self._values[place] = values
        self._shades[place] = _shades(values[:, : 2 * N_BINS])

    def at(self, bins: npt.NDArray[np.int64]) -> tuple[Samples, Shades]:
        place = bins % len(self._number)
        values, shades = self._values[place], self._shades[place]
        unknown = self._number[place] != bins
        values[unknown], shades[unknown] = np.nan, 0
        return values, shades

    def gather(self, base: _Level, bins: npt.NDArray[np.int64]) -> None:
        """Take up changed bins of the finest level: the mean of those that are known, of probabilities the highest."""
        mine = np.unique(bins // self.group)[-len(self._number) :]
        members, _ = base.at((mine[:, None] * self.group + np.arange(self.group)).ravel())
        members = members.reshape(len(mine), self.group, -1)
        known = np.isfinite(members)
        total = np.where(known, members, 0).sum(axis=1)
        n = known.sum(axis=1)
        with np.errstate(invalid="ignore"):
            mean = np.where(n > 0, total / n, np.nan).astype(np.float32)
        mean[:, PROBABILITY] = np.fmax.reduce(members[:, :, PROBABILITY], axis=1)
        self.put(mine, mean)


def _nearest_edge(seconds: Times) -> npt.NDArray[np.int64]:
    """The bin whose beginning is the nearest."""
    return np.floor(seconds / ROW_S + 0.5).astype(np.int64)


def _shades(power: Samples) -> Shades:
    """µV²/Hz as steps of a colour scale, 1 to 255; 0 where it is not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (10 * np.log10(power) - LEAST_DB) / (MOST_DB - LEAST_DB)
    shades: Shades = np.where(np.isnan(share), 0, 1 + 254 * np.clip(np.nan_to_num(share), 0, 1)).astype(np.uint8)
    return shades


def semilog(microvolts: Samples) -> Samples:
    """The axis of the aEEG: linear from 0 to 10 µV, then logarithmic to 100 µV; 0, 1 and 2."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Samples = np.where(microvolts <= 10, microvolts / 10, 1 + np.log10(microvolts / 10)).astype(np.float32)
    return found
