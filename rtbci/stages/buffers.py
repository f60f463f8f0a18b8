"""Buffers: Ring, whose last n rows are one contiguous view; Framer, which passes on whole hops."""

from __future__ import annotations

import numpy as np

from rtbci.types import Chunk, Samples


class Ring:
    """Ring buffer of rows, stored twice in succession, so that the last n rows are one contiguous view.

    Parameters
    ----------
    capacity
        Rows that are kept.
    n_channels
        Values of a row.
    """

    def __init__(self, capacity: int, n_channels: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring needs a capacity of at least 1, got {capacity}")
        self.capacity = capacity
        self._rows = np.zeros((2 * capacity, n_channels), np.float32)
        self.reset()

    def reset(self) -> None:
        self.n_written = 0
        self._rows[:] = 0

    def __len__(self) -> int:
        return min(self.n_written, self.capacity)

    def append(self, rows: Samples) -> None:
        """Append rows (n, n_channels); of more than `capacity` rows only the last are kept."""
        n = len(rows)
        kept = rows[-self.capacity :]
        at = (self.n_written + n - len(kept)) % self.capacity
        head = min(len(kept), self.capacity - at)
        for start in (at, at + self.capacity):
            self._rows[start : start + head] = kept[:head]
        tail = len(kept) - head
        for start in (0, self.capacity):
            self._rows[start : start + tail] = kept[head:]
        self.n_written += n

    def last(self, n: int) -> Samples:
        """A view of the last n rows (n, n_channels), oldest first; it is overwritten by later appends."""
        if not 0 <= n <= len(self):
            raise ValueError(f"the ring holds {len(self)} rows, not {n}")
        end = self.n_written % self.capacity + self.capacity
        return self._rows[end - n : end]


class Framer:
    """Stage: passes on whole hops only, and keeps the remainder for the next chunk.

    Parameters
    ----------
    hop
        Samples.
    n_channels
        Channels of the chunks.
    """

    def __init__(self, hop: int, n_channels: int) -> None:
        self._hop = hop
        self._n_channels = n_channels
        self.reset()

    def reset(self) -> None:
        self._rest: Chunk | None = None

    def process(self, chunk: Chunk) -> Chunk:
        if self._hop == 1:
            return chunk
        if self._rest is not None and len(self._rest):
            chunk = Chunk.join([self._rest, chunk])
        whole = len(chunk) - len(chunk) % self._hop
        # A copy, since a source may reuse its buffer.
        rest = chunk[whole:]
        self._rest = Chunk(rest.data.copy(), rest.times.copy(), rest.valid.copy())
        return chunk[:whole]
