"""The last minutes of a stream in the dashboard's own memory, so that scrolling back needs no engine."""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from rtbci.types import Flags, Samples, Times

KEEP_S = 600.0  # at least
KEEP_AT_MOST_S = 4 * 3600.0
GAP_S = 0.02  # two samples further apart than this, and than three periods, have a gap between them
BUDGET = 256 * 2**20  # bytes; beyond ten minutes only what fits in here is kept


class History:
    """Rows with their place on the display's axis (s); a ring of fixed size, rows counted from the first ever."""

    def __init__(self, n_channels: int, sfreq: float, keep_s: float | None = None) -> None:
        if keep_s is None:
            keep_s = min(KEEP_AT_MOST_S, max(KEEP_S, BUDGET / (4 * n_channels * sfreq)))
        self.n_channels = n_channels
        self.sfreq = sfreq
        self.capacity = max(64, int(keep_s * sfreq) + 1)
        self._x = np.zeros(self.capacity)
        self._data = _storage(self.capacity, n_channels)
        self._valid = np.ones(self.capacity, np.bool_)
        self.n = 0  # rows ever appended

    @property
    def first(self) -> int:
        """The oldest row that is still here."""
        return max(0, self.n - self.capacity)

    @property
    def oldest_x(self) -> float:
        return float(self._x[self.first % self.capacity]) if self.n else 0.0

    @property
    def newest_x(self) -> float:
        return float(self._x[(self.n - 1) % self.capacity]) if self.n else 0.0

    def append(self, x: Times, data: Samples, valid: Flags) -> None:
        """A place that lies before its elder's is put beside it: stamps may jitter, the trace does not turn back."""
        if not len(x):
            return
        dropped = max(0, len(x) - self.capacity)
        self.n += dropped
        x, data, valid = x[dropped:], data[dropped:], valid[dropped:]
        x = np.maximum.accumulate(np.maximum(x, self.newest_x)) if self.n else np.maximum.accumulate(x)
        at = self.n % self.capacity
        head = min(len(x), self.capacity - at)
        for ring, values in ((self._x, x), (self._data, data), (self._valid, valid)):
            ring[at : at + head] = values[:head]
            if head < len(x):
                ring[: len(x) - head] = values[head:]
        self.n += len(x)

    def find(self, x: float) -> int:
        """The first row at or after x."""
        ring, size = self._x, self.capacity
        return bisect_left(range(self.n), x, lo=self.first, key=lambda row: ring[row % size])

    def rows(self, start: int, stop: int) -> tuple[Times, Samples, Flags]:
        """(x, data, valid) of rows start to stop; views where they lie in one piece."""
        start, stop = max(start, self.first), min(stop, self.n)
        if stop <= start:
            return self._x[:0], self._data[:0], self._valid[:0]
        a, b = start % self.capacity, (stop - 1) % self.capacity + 1
        if a < b:
            return self._x[a:b], self._data[a:b], self._valid[a:b]
        join = np.concatenate
        return (
            join([self._x[a:], self._x[:b]]),
            join([self._data[a:], self._data[:b]]),
            join([self._valid[a:], self._valid[:b]]),
        )


def _storage(n_rows: int, n_channels: int) -> npt.NDArray[np.float32]:
    """Memory for what is small; a file without a name, its room taken beforehand, for what is large."""
    size = 4 * n_rows * n_channels
    if size <= BUDGET + 2**20 or not hasattr(os, "posix_fallocate"):
        return np.zeros((n_rows, n_channels), np.float32)
    with tempfile.TemporaryFile(prefix="rtbci-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError:  # a full disk: then in memory
            return np.zeros((n_rows, n_channels), np.float32)
        return np.memmap(file, np.float32, "r+", shape=(n_rows, n_channels)).view(np.ndarray)
