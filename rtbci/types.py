"""The words that every stage speaks: StreamInfo, Chunk, Gap, Event, Stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]
Times: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source says of itself. `units` has one entry a channel, "" where the source is silent."""

    name: str
    sfreq: float
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    type: str = "EEG"
    source_id: str = ""

    def __post_init__(self) -> None:
        if not self.units:
            object.__setattr__(self, "units", ("",) * len(self.channels))
        if len(self.units) != len(self.channels):
            raise ValueError(f"{len(self.units)} units for {len(self.channels)} channels")


@dataclass(slots=True)
class Chunk:
    """A stretch of samples, of any length, zero included.

    data: float32 (n_samples, n_channels), C-contiguous, µV (or probabilities: (n_hops, n_classes)).
    times: float64 (n_samples,), seconds; a score's time is that of the last sample it has seen.
    valid: bool (n_samples,), False where samples were filled in or cannot be trusted.
    """

    data: Samples
    times: Times
    valid: Flags = field(default=None)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        self.data = np.ascontiguousarray(self.data, np.float32)
        self.times = np.asarray(self.times, np.float64)
        if self.valid is None:
            self.valid = np.ones(len(self.times), np.bool_)
        if self.data.ndim != 2 or not len(self.data) == len(self.times) == len(self.valid):
            raise ValueError(
                f"a chunk needs data (n_samples, n_channels) with a time and a flag for each sample; "
                f"got data {self.data.shape}, times {self.times.shape}, valid {np.shape(self.valid)}"
            )

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def empty(cls, n_channels: int) -> Chunk:
        return cls(np.empty((0, n_channels), np.float32), np.empty(0), np.empty(0, np.bool_))

    @classmethod
    def join(cls, chunks: list[Chunk]) -> Chunk:
        """One chunk out of at least one."""
        if len(chunks) == 1:
            return chunks[0]
        return cls(
            np.concatenate([c.data for c in chunks]),
            np.concatenate([c.times for c in chunks]),
            np.concatenate([c.valid for c in chunks]),
        )

    def __getitem__(self, part: slice) -> Chunk:
        return Chunk(self.data[part], self.times[part], self.valid[part])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that lasted: onset and duration in seconds, on the clock of the samples it was found in."""

    onset: float
    duration: float
    label: str
    confidence: float = 1.0
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without samples: from the last sample before it to the first one after it.

    `filled`: its samples were interpolated and marked invalid; otherwise every stage starts afresh behind it.
    `n_extra`: samples that came twice, or too late for their place, and were left out.
    """

    start: float
    end: float
    n_missing: int
    cause: str
    filled: bool = False
    n_extra: int = 0


@runtime_checkable
class Stage(Protocol):
    """One step of the path. Causal; its state is born in `reset`; a chunk may have any length."""

    def process(self, chunk: Chunk) -> Chunk: ...

    def reset(self) -> None: ...
