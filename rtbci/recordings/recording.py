"""A recording on disk as a source: µV in pieces, with channel names, annotations and what was wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from rtbci.types import Chunk, Event, Samples, StreamInfo, Times

_BLOCK_S = 10.0  # read from disk at once, however small the chunks that are asked for

FORMATS = {
    ".edf": "EDF",
    ".bdf": "BDF",
    ".xdf": "XDF",
    ".xdfz": "XDF",
    ".gdf": "GDF",
    ".vhdr": "BrainVision",
    ".ahdr": "BrainVision",
    ".set": "EEGLAB",
    ".fif": "FIF",
    ".eeg": "Nihon Kohden",
    ".lay": "Persyst",
    ".cnt": "ANT or Neuroscan",
}


@dataclass(frozen=True)
class Recording:
    """A recording, of which nothing but the header need be in memory.

    `read(a, b)` gives samples a to b, float32 (b - a, n_channels), in the units of `info`: µV for every voltage.
    `stamps` are the real times of an irregular recording (seconds from its first sample); None: index / sfreq.
    `warnings` are what a reader found odd but could work with, each one a line.
    """

    path: Path
    format: str
    info: StreamInfo
    n_samples: int
    read: Callable[[int, int], Samples]
    annotations: tuple[Event, ...] = ()
    start: datetime | None = None
    warnings: tuple[str, ...] = ()
    stamps: Times | None = None

    @property
    def duration_s(self) -> float:
        """From the first sample to one sample period after the last."""
        if self.stamps is not None and len(self.stamps):
            return float(self.stamps[-1] - self.stamps[0]) + 1 / self.info.sfreq
        return self.n_samples / self.info.sfreq

    def times(self, start: int = 0, stop: int | None = None) -> Times:
        """Seconds from the start of the recording, of samples start to stop; the same however it is cut."""
        stop = self.n_samples if stop is None else min(stop, self.n_samples)
        if self.stamps is not None:
            return self.stamps[start:stop]
        return np.arange(start, stop) / self.info.sfreq

    def chunks(self, n_samples: int, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        """Samples start to stop (all of them by default) in chunks of n_samples; the last may be shorter."""
        if n_samples < 1 or start < 0:
            raise ValueError(f"chunks of at least 1 sample from sample 0 on, not {n_samples} from {start}")
        stop = self.n_samples if stop is None else min(stop, self.n_samples)
        block = n_samples * max(1, round(_BLOCK_S * self.info.sfreq / n_samples))
        for first in range(start, stop, block):
            last = min(first + block, stop)
            data, times = self.read(first, last), self.times(first, last)
            for i in range(0, last - first, n_samples):
                yield Chunk(data[i : i + n_samples], times[i : i + n_samples])
