"""What an engine, or `rtbci record`, wrote beside the samples it read: in which chunks, and what its session was told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rtbci.types import Times

if TYPE_CHECKING:
    from rtbci.recordings.recording import Recording

ARRIVALS_TYPE = "rtbci-arrivals"
# Of one row for each chunk that was read: samples so far (all streams, this chunk's too), samples of the chunk, local
# clock when the newest came (NaN: a replay that is not paced), markers that were read since the chunk before.
ARRIVAL_CHANNELS = (("received", "samples"), ("samples", "samples"), ("arrived", "s"), ("cues", "markers"))
CLOCK_SET_S = 1.0
TOGETHER_S = 30.0  # of chunks that are given to a session at once


@dataclass(frozen=True, slots=True)
class SessionBegan:
    """A session began, or continued elsewhere. begins_s: second of the recording, None: the gap before it says."""

    speed: float
    begins_s: float | None


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The same stream came over a new connection."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A replay went on: what was due at the stamp `until` came at `stamp`, the rest at `speed`."""

    stamp: float
    until: float
    speed: float


@dataclass(frozen=True, slots=True)
class ChunksRead:
    """Consecutive chunks from a sample of a part on; where each ends, counted from there; when each came; markers before."""

    part: int
    first: int
    stops: npt.NDArray[np.int64]
    arrived: Times
    cues: tuple[tuple[float, str], ...]


Step: TypeAlias = SessionBegan | Reconnected | Resumed | ChunksRead


@dataclass(frozen=True)
class Arrivals:
    """The rows of an arrivals stream: (n_chunks,) each.

    received: samples before each chunk; n_samples: of it.
    """

    received: npt.NDArray[np.int64]
    n_samples: npt.NDArray[np.int64]
    arrived: Times
    n_cues: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: npt.NDArray[Any], n_recorded: int) -> Arrivals | None:
        """From the rows in the file; those whose samples are in it. None where they do not agree with these.

        The end of a file that was cut off may hold the samples of a chunk and not its row, or the row only.
        """
        rows = np.asarray(rows, np.float64).reshape(len(rows), len(ARRIVAL_CHANNELS))
        counts = rows[:, (0, 1, 3)]
        if not len(rows) or not np.isfinite(counts).all() or (counts < 0).any() or (counts > 2**52).any():
            return None
        after, n_samples, n_cues = counts.astype(np.int64).T
        before = after - n_samples
        if (before[1:] != after[:-1]).any():
            return None
        is_there = np.cumsum(n_samples) <= n_recorded
        kept = cls(before[is_there], n_samples[is_there], rows[is_there, 2], n_cues[is_there])
        return kept if len(kept.received) else None

    @property
    def n_recorded(self) -> int:
        """Samples of all chunks."""
        return int(self.n_samples.sum())


@dataclass(frozen=True)
class LivePart:
    """A stream under one description. stamps: of its samples, on the local clock, as they were used."""

    recording: Recording
    stamps: Times
    arrivals: Arrivals


@dataclass(frozen=True)
class LiveRun:
    """What a session was given, so that it can be given again.

    Attributes
    ----------
    parts
        The streams that were read one after the other; the first is that of the recording.
    marks
        What the session was told, by the samples that had been received before.
    cues
        Stamp and text of each marker that was read, in this order; None where the engine read none: then those of
        `others` are told at the beginning.
    others
        Stamp and text of all other markers of the file.
    continues
        Name of the file before, where this one was begun in the middle of a session and no sample between them is lost.
    """

    parts: tuple[LivePart, ...]
    marks: tuple[tuple[int, SessionBegan | Reconnected | Resumed], ...]
    cues: tuple[tuple[float, str], ...] | None
    others: tuple[tuple[float, str], ...]
    continues: str = ""

    @property
    def first_received(self) -> int:
        """Samples that the session had received before."""
        return int(self.parts[0].arrivals.received[0])

    @property
    def n_received(self) -> int:
        """Samples that the session had received at the end."""
        arrivals = self.parts[-1].arrivals
        return int(arrivals.received[-1] + arrivals.n_samples[-1])

    @property
    def n_samples(self) -> int:
        """Of all parts."""
        return sum(part.arrivals.n_recorded for part in self.parts)

    def steps(self, until: float = math.inf) -> Iterator[Step]:
        """What a session was given, in order; it begins with SessionBegan. until: of the samples that it had received."""
        marks, cues = list(self.marks), list(self.cues or ())
        for number, part in enumerate(self.parts):
            arrivals = part.arrivals
            ends = np.cumsum(arrivals.n_samples)
            most = max(1, round(TOGETHER_S * part.recording.info.sfreq))
            told_at = [received for received, _ in marks]
            for start, stop in _runs(arrivals, ends, most, told_at if until == math.inf else [*told_at, int(until)]):
                if arrivals.received[start] >= until:
                    return
                while marks and marks[0][0] <= arrivals.received[start]:
                    yield marks.pop(0)[1]
                told = cues[: arrivals.n_cues[start]]
                del cues[: len(told)]
                first = int(ends[start] - arrivals.n_samples[start])
                yield ChunksRead(number, first, ends[start:stop] - first, arrivals.arrived[start:stop], tuple(told))


def _runs(
    arrivals: Arrivals, ends: npt.NDArray[np.int64], most: int, marked: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Numbers of chunks from..to that can be given at once: up to the next mark or marker, and not too many samples."""
    told = np.concatenate([np.flatnonzero(arrivals.n_cues), np.searchsorted(arrivals.received, marked)])
    for start, stop in pairwise(sorted({0, len(ends), *told.astype(int).tolist()})):
        while start < stop:
            done = ends[start] - arrivals.n_samples[start]
            upto = max(start + 1, int(np.searchsorted(ends, done + most, "right")))
            yield start, min(upto, stop)
            start = upto


def steady_stamps(stamps: Times, arrivals: Arrivals) -> Times:
    """Stamps (n_samples,) without the steps of a clock that was set.

    Where stamps jump by more than CLOCK_SET_S and the samples came as before, the clock was set, and says nothing of
    where in the recording they are. Where they came later too, samples are missing.
    """
    if len(stamps) < 2 or not np.isfinite(arrivals.arrived).all():
        return stamps
    steps = np.diff(stamps)
    jumps = steps - np.median(steps)
    chunk_of = np.repeat(np.arange(len(arrivals.n_samples)), arrivals.n_samples)
    ends = np.cumsum(arrivals.n_samples)
    steady = stamps.copy()
    for before in np.flatnonzero(np.abs(jumps) > CLOCK_SET_S):
        jump_s, last, now = float(jumps[before]), int(chunk_of[before]), int(chunk_of[before + 1])
        if last == now:
            last = max(last - 1, 0)
        waited_s = float(arrivals.arrived[now] - arrivals.arrived[last])
        stamped_s = float(stamps[ends[now] - 1] - stamps[ends[last] - 1])
        if abs(stamped_s - waited_s) > CLOCK_SET_S and abs(stamped_s - jump_s - waited_s) < abs(jump_s) / 2:
            steady[before + 1 :] -= jump_s
    return steady


def mark_of(mark: Mapping[str, Any]) -> tuple[int, SessionBegan | Reconnected | Resumed] | None:
    """A mark of the engine as what its session was told, and after how many samples; None for any other mark."""
    received, speed = mark.get("received", 0), mark.get("speed", 1.0)
    if not isinstance(received, int) or received < 0:
        return None
    match mark.get("state"):
        case "begin" if "received" in mark:
            begins_s = mark.get("begins_s")
            return received, SessionBegan(float(speed), None if begins_s is None else float(begins_s))
        case "continued":
            return 0, SessionBegan(float(speed), 0.0)
        case "reconnected":
            return received, Reconnected()
        case "move" if mark.get("resumed") is True and {"stamp", "until"} <= mark.keys():
            return received, Resumed(float(mark["stamp"]), float(mark["until"]), float(speed))
    return None
