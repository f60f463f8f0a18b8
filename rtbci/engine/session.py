"""What an engine keeps of its stream: every sample accounted for, latencies, and one life of the stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from rtbci.lsl.clock import Clock
from rtbci.pipeline.pipeline import LivePipeline
from rtbci.stages.channel_quality import Quality
from rtbci.stages.gap_guard import GapGuard
from rtbci.types import StreamInfo


@dataclass(slots=True)
class Tally:
    """Every sample accounted for: the recording = received - extra + filled + lost."""

    received: int = 0
    extra: int = 0  # came twice or too late, and were left out
    filled: int = 0
    lost: int = 0
    gaps: int = 0
    reconnects: int = 0
    invalid_hops: int = 0


class Latency:
    """The last few thousand latencies, and the largest of all."""

    def __init__(self, keep: int = 4096) -> None:
        self._ms = np.zeros(keep)
        self._n = 0
        self.max = 0.0

    def add(self, ms: float) -> None:
        self._ms[self._n % len(self._ms)] = ms
        self._n += 1
        self.max = max(self.max, ms)

    def summary(self) -> dict[str, float | None]:
        """Milliseconds at the median, the 99th percentile and the most; None before the first answer."""
        if not self._n:
            return {"p50": None, "p99": None, "max": None}
        p50, p99 = np.percentile(self._ms[: min(self._n, len(self._ms))], [50, 99])
        return {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "max": round(self.max, 3)}


@dataclass(slots=True)
class Session:
    """One life of the stream: what began when it was found."""

    info: StreamInfo
    speed: float
    guard: GapGuard
    live: LivePipeline
    hostname: str
    filter_delay_s: float
    clock: Clock
    quality: Quality
    away_since: float | None = None  # the last stamp of the stream's other life, which this one follows
    begun: bool = False  # its first sample was here
    next_index: int = 0  # samples of the recording's grid so far: received, filled and lost
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=4096))


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine is to do; it crosses into the engine's process. wait_s: how long the first stream may take."""

    pipeline: str
    query: dict[str, str]
    monitor: str = ""
    events: str = ""
    device: str = "cpu"
    wait_s: float | None = None
    unit: str = ""
    cues: dict[str, str] = field(default_factory=dict)  # the marker stream whose cues are answered
    hold: bool = False  # name the stream and wait for {"do": "go"}, so that a recorder starts before the first sample
