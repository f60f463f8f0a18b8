"""A recording on disk as a source: µV, read in parts, with channel names, annotations and readers' warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from rtbci.errors import RecordingError
from rtbci.recordings.live_run import LiveRun
from rtbci.recordings.stamps import Segments
from rtbci.types import Chunk, Event, Samples, StreamInfo, Times

_BLOCK_S = 10.0  # read from disk at once, however small the requested chunks

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
    """A recording of which only the header needs to be in memory.

    Parameters
    ----------
    path
        The file.
    format
        Name of its format.
    info
        Channels, units and rate.
    n_samples
        Length in samples.
    read
        ``read(start, stop)`` returns float32 (stop - start, n_channels) in the units of `info`: µV for every voltage.
    annotations
        Events of the file and of the event table beside it, by onset.
    start
        Date and time of the first sample, where known.
    warnings
        What the reader found unusual but could work with, one line each.
    stamps
        Times of the samples as the file has them (n_samples,), seconds from its first sample, on the clock of the
        annotations: where it has gaps, or its rate is not quite the nominal one. None: index / sfreq.
    is_live
        Whether an engine ran on it while it was recorded, and `read` gives what that received.
    table
        The event table beside it, where one was read; it may hold no event, which is not the same as no table.
    background
        From when to when that table says, in a row of its own, that there is no event.
    n_omitted
        Annotations of the file that its reader left out, because they lie outside the recording.
    kernels
        Of the engines that ran on it while it was recorded (rtbci/provenance.py).
    thresholds
        That these decided with, one after another.
    live
        What an engine wrote beside the samples, so that its session can be repeated; it may go on in further parts,
        with other channels or rates, which `read` does not give.
    refused
        Why its samples must be neither classified nor learned from: their rate is certainly not that of `info`. "" where
        nothing is known to be wrong.
    """

    path: Path
    format: str
    info: StreamInfo
    n_samples: int
    read: Callable[[int, int], Samples]
    annotations: tuple[Event, ...] = ()
    start: datetime | None = None
    warnings: tuple[str, ...] = ()
    stamps: Times | Segments | None = None
    is_live: bool = False
    table: Path | None = None
    background: tuple[tuple[float, float], ...] = ()
    n_omitted: int = 0
    kernels: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    live: LiveRun | None = None
    refused: str = ""

    def require_fit(self) -> None:
        """Raises RecordingError if it is refused."""
        if self.refused:
            raise RecordingError(f"{self.path}: {self.refused}")

    @cached_property
    def content(self) -> str:
        """Digest of its samples, whatever its file is called; the whole recording is read. Raises RecordingError."""
        from rtbci.recordings.content import content_digest

        return content_digest(self)

    def note_content(self, digest: str) -> None:
        """Its `content`, where somebody has read it whole anyhow."""
        self.__dict__["content"] = digest

    @property
    def is_annotated(self) -> bool:
        """Whether somebody looked at it: it has an annotation, or an event table, or is said to be background."""
        return bool(self.annotations) or self.table is not None or self.n_omitted > 0 or bool(self.background)

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to one sampling period after the last."""
        if self.live is not None and len(self.live.parts) > 1:
            last = self.live.parts[-1].recording
            return float(last.times()[-1] - self.times(0, 1)[0]) + 1 / last.info.sfreq
        if self.stamps is not None and len(self.stamps):
            return float(self.stamps[-1] - self.stamps[0]) + 1 / self.info.sfreq
        return self.n_samples / self.info.sfreq

    def times(self, start: int = 0, stop: int | None = None) -> Times:
        """Times of samples `start` to `stop`; they do not depend on how the recording is cut.

        Returns
        -------
        ndarray
            float64 (stop - start,), seconds from the start of the recording.
        """
        stop = self.n_samples if stop is None else min(stop, self.n_samples)
        if self.stamps is not None:
            return self.stamps[start:stop]
        return np.arange(start, stop) / self.info.sfreq

    def index_at(self, time_s: float) -> int:
        """The sample nearest to a time in seconds from the start of the recording; n_samples at its end."""
        if self.stamps is None:
            return round(time_s * self.info.sfreq)
        after = int(self.stamps.searchsorted(time_s))
        if after == 0 or after == len(self.stamps):
            return after
        return after - int(time_s - self.stamps[after - 1] < self.stamps[after] - time_s)

    def chunks(self, n_samples: int, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        """Iterate over samples `start` to `stop`.

        Parameters
        ----------
        n_samples
            Length of a chunk; the last may be shorter.
        start, stop
            Indices of samples; by default the whole recording.

        Yields
        ------
        Chunk
            Consecutive samples.

        Raises
        ------
        ValueError
            If `n_samples` is below 1 or `start` below 0.
        RecordingError
            Where the file cannot be read.
        """
        if n_samples < 1 or start < 0:
            raise ValueError(f"chunks of at least 1 sample from sample 0 on, not {n_samples} from {start}")
        stop = self.n_samples if stop is None else min(stop, self.n_samples)
        block = n_samples * max(1, round(_BLOCK_S * self.info.sfreq / n_samples))
        for first in range(start, stop, block):
            last = min(first + block, stop)
            data, times = self.read(first, last), self.times(first, last)
            for i in range(0, last - first, n_samples):
                yield Chunk(data[i : i + n_samples], times[i : i + n_samples])
