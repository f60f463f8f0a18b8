"""The last minutes of a session in the dashboard's own memory, so that scrolling back needs no engine.

Rows come in runs: within one, the session's clock goes on; a replay that is sought begins another. Where two runs have the
same moment, the newer one is shown.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rtbci.types import Flags, Samples, Times

KEEP_S = 600.0  # at least
KEEP_AT_MOST_S = 4 * 3600.0
GAP_S = 0.02  # two samples further apart than this, and than three periods, have a gap between them
BUDGET = 256 * 2**20  # bytes; beyond ten minutes only what fits in here is kept


KEPT_PIECES = 500


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows start to stop of one run, from x to x."""

    start: int
    stop: int
    from_x: float
    to_x: float


class History:
    """Rows with their place on the session's clock (s); a ring of fixed size, rows counted from the first ever."""

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
        self._run = 0  # first row of the present run
        self._pieces: list[_Piece] = []  # of the runs before it; no two have a moment in common

    @property
    def first(self) -> int:
        """The oldest row that is still here."""
        return max(0, self.n - self.capacity)

    @property
    def oldest_x(self) -> float:
        """The earliest moment of all runs."""
        starts = [piece.from_x for piece in self._kept_pieces()]
        if self.n > self._run:
            starts.append(self.run_x)
        return min(starts, default=0.0)

    @property
    def newest_x(self) -> float:
        """The moment of the row that came last."""
        return self._x_of(self.n - 1) if self.n else 0.0

    @property
    def latest_x(self) -> float:
        """The latest moment of all runs."""
        return max([self.newest_x, *(piece.to_x for piece in self._kept_pieces())])

    @property
    def run_x(self) -> float:
        """The earliest moment of the present run that is still here."""
        return self._x_of(max(self._run, self.first))

    def _x_of(self, row: int) -> float:
        return float(self._x[row % self.capacity])

    def begin_run(self) -> None:
        """The rows that follow are of another place on the clock."""
        if self.n > self._run:
            now = _Piece(max(self._run, self.first), self.n, self.run_x, self.newest_x)
            others = [part for piece in self._kept_pieces() for part in self._outside(piece, now.from_x, now.to_x)]
            self._pieces = sorted([*others, now], key=lambda piece: piece.from_x)[-KEPT_PIECES:]
        self._run = self.n

    def append(self, x: Times, data: Samples, valid: Flags) -> None:
        """A place that lies before its elder's is put beside it: stamps may jitter, the trace does not turn back."""
        if not len(x):
            return
        dropped = max(0, len(x) - self.capacity)
        is_first = self.n == self._run
        self.n += dropped
        x, data, valid = x[dropped:], data[dropped:], valid[dropped:]
        x = np.maximum.accumulate(x if is_first else np.maximum(x, self.newest_x))
        at = self.n % self.capacity
        head = min(len(x), self.capacity - at)
        for ring, values in ((self._x, x), (self._data, data), (self._valid, valid)):
            ring[at : at + head] = values[:head]
            if head < len(x):
                ring[: len(x) - head] = values[head:]
        self.n += len(x)

    def find(self, x: float) -> int:
        """The first row of the present run at or after x."""
        return self._find(x, max(self._run, self.first), self.n)

    def between(self, start_x: float, stop_x: float) -> tuple[Times, Samples, Flags]:
        """(x, data, valid) of the rows from start_x to stop_x in the order of x, and of one more on each side in their run."""
        parts = self.parts(start_x, stop_x)
        if len(parts) == 1:
            return self.rows(*parts[0])
        found = [self.rows(*part) for part in parts]
        if not found:
            return self.rows(0, 0)
        x, data, valid = zip(*found, strict=True)
        return np.concatenate(x), np.concatenate(data), np.concatenate(valid)

    def row_at(self, x: float, tolerance_s: float) -> tuple[Times, Samples, Flags]:
        """The row at or just before x; none where it is older than tolerance_s."""
        times, data, valid = self.between(x - tolerance_s, x)
        last = int(np.searchsorted(times, x, "right"))
        if last and x - times[last - 1] > tolerance_s:
            last = 0
        keep = slice(max(0, last - 1), last)
        return times[keep], data[keep], valid[keep]

    def unseen(self, start_x: float, stop_x: float) -> list[tuple[float, float]]:
        """The parts of start_x to stop_x that no run was at."""
        seen = [(piece.from_x, piece.to_x) for piece in self._kept_pieces()]
        if self.n > self._run:
            seen.append((self.run_x, self.newest_x))
        parts, at = [], start_x
        for from_x, to_x in sorted(seen):
            if to_x <= at:
                continue
            if from_x >= stop_x:
                break
            if from_x > at:
                parts.append((at, from_x))
            at = to_x
        if at < stop_x:
            parts.append((at, stop_x))
        return parts

    def parts(self, start_x: float, stop_x: float) -> list[tuple[int, int]]:
        """The rows from start_x to stop_x as (first, stop), in the order of x."""
        parts: list[tuple[float, int, int]] = []
        if self.n > self._run:
            from_x, to_x = self.run_x, self.newest_x
            if from_x <= stop_x and to_x >= start_x:
                parts.append((from_x, self.find(start_x) - 1, self.find(stop_x) + 1))
                low = max(self._run, self.first)
                parts = [(x, max(a, low), b) for x, a, b in parts]
                if start_x >= from_x and stop_x <= to_x:
                    return [part[1:] for part in parts]
        else:
            from_x = to_x = np.inf
        for piece in self._kept_pieces():
            if piece.from_x <= stop_x and piece.to_x >= start_x:
                for part in self._outside(piece, from_x, to_x):
                    a = max(self._find(start_x, part.start, part.stop) - 1, part.start)
                    b = min(self._find(stop_x, part.start, part.stop) + 1, part.stop)
                    parts.append((part.from_x, a, b))
        return [part[1:] for part in sorted(parts) if part[2] > part[1]]

    def _kept_pieces(self) -> list[_Piece]:
        """Those whose rows are not all overwritten, without the rows that are."""
        first = self.first
        if self._pieces and min(piece.start for piece in self._pieces) < first:
            kept = [piece for piece in self._pieces if piece.stop > first]
            self._pieces = [p if p.start >= first else replace(p, start=first, from_x=self._x_of(first)) for p in kept]
        return self._pieces

    def _outside(self, piece: _Piece, from_x: float, to_x: float) -> list[_Piece]:
        """What is left of a piece before from_x and after to_x."""
        if piece.to_x < from_x or piece.from_x > to_x:
            return [piece]
        parts = []
        stop, start = self._find(from_x, piece.start, piece.stop), self._find_after(to_x, piece.start, piece.stop)
        if stop > piece.start:
            parts.append(_Piece(piece.start, stop, piece.from_x, self._x_of(stop - 1)))
        if start < piece.stop:
            parts.append(_Piece(start, piece.stop, self._x_of(start), piece.to_x))
        return parts

    def _find(self, x: float, low: int, high: int) -> int:
        """The first of the rows low to high at or after x."""
        ring, size = self._x, self.capacity
        return bisect_left(range(high), x, lo=low, key=lambda row: ring[row % size])

    def _find_after(self, x: float, low: int, high: int) -> int:
        """The first of the rows low to high after x."""
        ring, size = self._x, self.capacity
        return bisect_right(range(high), x, lo=low, key=lambda row: ring[row % size])

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
