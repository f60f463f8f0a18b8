"""The words that every stage and every session speak: StreamInfo, Chunk, Stage, and the messages of a session."""

from __future__ import annotations

import math
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


@dataclass(frozen=True, slots=True)
class Detection:
    """A decision: the event is confirmed (`closed` False, its duration so far), or over (`closed` True).

    time: of the decision, in seconds of the recording; stamp: the same moment on the clock of the stream.
    """

    time: float
    event: Event
    closed: bool
    stamp: float = math.nan


@dataclass(frozen=True, slots=True)
class Scores:
    """An answer of the network: `chunk` (n_hops, n_classes), stamped by the stream; at_s: in seconds of the recording."""

    chunk: Chunk
    at_s: Times


@dataclass(frozen=True, slots=True)
class Signals:
    """Samples as the stream brought them: its channels, its units, its stamps."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network saw: filtered and scaled, at the pipeline's rate (n_samples, n_inputs)."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class SpanBegan:
    """The first sample of a stretch that is seen without another stream between. speed: recorded seconds a second."""

    stamp: float
    speed: float


@dataclass(frozen=True, slots=True)
class SpanEnded:
    """The last sample of a stretch; the stream's recording is so long by now."""

    stamp: float
    recording_s: float


@dataclass(frozen=True, slots=True)
class ClockMoved:
    """No sample is missing: what was due at `until` comes at `stamp`, and all else after it, at another speed perhaps."""

    stamp: float
    until: float
    speed: float


@dataclass(frozen=True, slots=True)
class StalenessChanged:
    """The answers became old ("stale"), or new again ("caught_up", after `seconds`).

    age_s: of the newest sample; the oldest that it was, once caught up. stamp: on the local clock.
    """

    kind: str
    age_s: float
    seconds: float = 0.0
    stamp: float = math.nan


@dataclass(frozen=True, slots=True)
class TrustChanged:
    """How far the answers can be trusted now: "full", "reduced", "none" or "untested"; which channels are masked."""

    level: str
    masked: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class OperatorAnnotation:
    """What a person noted: onset in seconds of the recording, `stamp` the same moment on the local clock."""

    label: str
    onset: float
    duration: float
    stamp: float


@dataclass(frozen=True, slots=True)
class OperatorVerdict:
    """A person's verdict on an event, by its label and onset: "confirmed", "rejected", or "" to take it back."""

    label: str
    onset: float
    verdict: str
    note: str


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a sink is told before a stream's messages.

    stream: its name, rate, channels and units. pipeline: its name. classes: the columns of Scores; labels: those that
    become events. inputs, sfreq: of what the network sees. hop_s: from one answer to the next. speed: recorded seconds a
    second. begins_s: second of the recording of the next sample; None where only its stamp will tell.
    """

    stream: StreamInfo
    pipeline: str
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    inputs: tuple[str, ...]
    sfreq: float
    hop_s: float
    speed: float = 1.0
    begins_s: float | None = None


@runtime_checkable
class Stage(Protocol):
    """One step of the path. Causal; its state is born in `reset`; a chunk may have any length."""

    def process(self, chunk: Chunk) -> Chunk: ...

    def reset(self) -> None: ...
