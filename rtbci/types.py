"""What stages and sessions exchange: StreamInfo, Chunk, Stage, and the messages of a session."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]
Times: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

LEFT_OUT = "left out"  # type of a channel that no electrode is read from: a person gave its name to another channel


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a stream declares about itself.

    Parameters
    ----------
    name
        Name of the stream.
    sfreq
        Nominal sampling rate in Hz; 0 where it is irregular.
    channels
        One label for each channel.
    units
        One unit for each channel, "" where the source names none; empty: no unit is known.
    type
        Content type, as in LSL.
    source_id
        Identifier of the device, "" where it has none.
    channel_types
        One content type for each channel, as in LSL ("EEG", "AUX" …), "" where the source names none; empty: none is known.
    reference
        The electrode that the others are recorded against, and that is no channel: zero everywhere. "" where not known.

    Raises
    ------
    ValueError
        If there are not as many units, or types, as channels.
    """

    name: str
    sfreq: float
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    type: str = "EEG"
    source_id: str = ""
    channel_types: tuple[str, ...] = ()
    reference: str = ""

    def __post_init__(self) -> None:
        n = len(self.channels)
        if not self.units:
            object.__setattr__(self, "units", ("",) * n)
        if not any(self.channel_types):
            object.__setattr__(self, "channel_types", ("",) * n)
        for name in ("units", "channel_types"):
            if len(getattr(self, name)) != n:
                what = name.replace("_", " ")
                raise ValueError(f"{len(getattr(self, name))} {what} for {n} channels")


@dataclass(slots=True)
class Chunk:
    """Consecutive samples, any number of them, zero included.

    Parameters
    ----------
    data
        float32 (n_samples, n_channels), C-contiguous, µV (or probabilities: (n_hops, n_classes)).
    times
        float64 (n_samples,), seconds; the time of a score is that of the last sample that it depends on.
    valid
        bool (n_samples,), False where samples were interpolated or cannot be trusted; all True by default.

    Raises
    ------
    ValueError
        If the shapes do not agree.
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
        """One chunk from one or more, in order."""
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
    """A labelled interval, as an annotation or a detection.

    Parameters
    ----------
    onset, duration
        Seconds, on the clock of the samples it was found in.
    label
        What happened: a class of the pipeline, or the text of an annotation.
    confidence
        Highest smoothed probability of a detection; 1 for an annotation.
    channels
        Channels it concerns; empty: all.
    """

    onset: float
    duration: float
    label: str
    confidence: float = 1.0
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in the stream where samples are missing, from the last sample before it to the first one after it.

    Parameters
    ----------
    start, end
        Stamps of these two samples, in seconds.
    n_missing
        Samples that were lost.
    cause
        Why, in words.
    filled
        Whether the lost samples were interpolated and marked invalid; otherwise every stage is reset behind the gap.
    n_extra
        Samples left out because they were duplicates or came too late.
    """

    start: float
    end: float
    n_missing: int
    cause: str
    filled: bool = False
    n_extra: int = 0


@dataclass(frozen=True, slots=True)
class Detection:
    """A decision on an event: confirmed (`closed` False, its duration so far), or over (`closed` True).

    time: of the decision, in seconds of the recording; stamp: the same moment on the clock of the stream.
    """

    time: float
    event: Event
    closed: bool
    stamp: float = math.nan


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities: `chunk` (n_hops, n_classes) with the stream's stamps; at_s: seconds of the recording."""

    chunk: Chunk
    at_s: Times


@dataclass(frozen=True, slots=True)
class Signals:
    """Samples as the stream delivered them: its channels, its units, its stamps."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Seen:
    """The input of the network: filtered and scaled, at the pipeline's rate (n_samples, n_inputs)."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class TrendRows:
    """Rows of the trends: `chunk` (n_rows, n_columns), stamped with the last sample of each; at_s: seconds of the recording.

    Columns: rtbci/stages/trends.py and rtbci/pipeline/trends.py; NaN where a value is not known.
    """

    chunk: Chunk
    at_s: Times

    @classmethod
    def join(cls, parts: Sequence[TrendRows]) -> TrendRows:
        """One message from one or more, in order."""
        return cls(Chunk.join([part.chunk for part in parts]), np.concatenate([part.at_s for part in parts]))


@dataclass(frozen=True, slots=True)
class SpanBegan:
    """First sample of an uninterrupted part of a stream. speed: recorded seconds per second."""

    stamp: float
    speed: float


@dataclass(frozen=True, slots=True)
class SpanEnded:
    """Last sample of an uninterrupted part of a stream. recording_s: length of the recording so far."""

    stamp: float
    recording_s: float


@dataclass(frozen=True, slots=True)
class ClockMoved:
    """A pause or change of speed, without loss: what was due at `until` comes at `stamp`, the rest at `speed`.

    resumed: a replay did it, and not the stream's clock that was set.
    """

    stamp: float
    until: float
    speed: float
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class StalenessChanged:
    """The answers became outdated ("stale"), or current again ("caught_up", after `seconds`).

    age_s: age of the newest sample; once caught up, the largest it was. stamp: on the local clock.
    """

    kind: str
    age_s: float
    seconds: float = 0.0
    stamp: float = math.nan


@dataclass(frozen=True, slots=True)
class TrustChanged:
    """How far the answers can be trusted now: "full", "reduced", "none" or "untested"; and the masked channels."""

    level: str
    masked: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class OperatorAnnotation:
    """A person's annotation: onset in seconds of the recording, `stamp` the same moment on the local clock."""

    label: str
    onset: float
    duration: float
    stamp: float


@dataclass(frozen=True, slots=True)
class ThresholdChanged:
    """A person changed the threshold of the decision, at `stamp` on the local clock."""

    threshold: float
    stamp: float


@dataclass(frozen=True, slots=True)
class OperatorVerdict:
    """A person's verdict on an event, identified by label and onset: "confirmed", "rejected", or "" to withdraw it."""

    label: str
    onset: float
    verdict: str
    note: str


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """An alarm has changed; the words are those of AlertLine (rtbci/monitor/alerts.py).

    by: who did it, "" for nobody. time: seconds of the recording; stamp: on the local clock; wall: seconds since 1970.
    """

    change: str
    condition: str
    label: str
    presence: str
    priority: str
    level: str
    by: str
    time: float
    stamp: float
    wall: float


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a sink is given before the messages of a stream.

    Attributes
    ----------
    stream
        Name, rate, channels and units of the stream.
    pipeline
        Name of the pipeline.
    classes
        Columns of Scores.
    labels
        Classes that become events.
    inputs, sfreq
        Channels and rate (Hz) of the network's input.
    hop_s
        Seconds from one answer to the next.
    speed
        Recorded seconds per second.
    begins_s
        Second of the recording of the next sample; None where it is known only from that sample's stamp.
    told
        What a person said of the stream (StreamOverrides.told).
    threshold
        Of the decision, as it begins.
    alarms
        Those of `labels` that ring an alarm.
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
    told: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    alarms: tuple[str, ...] = ()


@runtime_checkable
class Stage(Protocol):
    """One step of the processing path.

    Causal. `reset` creates its state; `process` takes a chunk of any length, and its output does not depend on how the
    samples are cut into chunks.
    """

    def process(self, chunk: Chunk) -> Chunk: ...

    def reset(self) -> None: ...
