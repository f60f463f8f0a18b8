"""What an engine is asked to do, and what it keeps of the stream that it reads."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from rtbci.lsl.clock import HostClock
from rtbci.monitor.messages import LatencyMs
from rtbci.pipeline.stream import StreamSession


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine is to do; it crosses into the engine's process.

    wait_s: how long the first stream may take. cues: the marker stream whose cues are answered. hold: name the stream and
    wait for the command `go`, so that a recorder starts before the first sample. sinks: a user's own, as `--sink`
    takes them. plugins: code that the user has named, as `rtbci.plugin` takes it.
    """

    pipeline: str
    query: dict[str, str]
    monitor: str = ""
    events: str = ""
    device: str = "cpu"
    wait_s: float | None = None
    unit: str = ""
    cues: dict[str, str] = field(default_factory=dict)
    start_gate: bool = False
    sinks: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


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

    def summary(self) -> LatencyMs:
        """Milliseconds at the median, the 99th percentile and the most; None before the first answer."""
        if not self._n:
            return LatencyMs(p50=None, p99=None, max=None)
        p50, p99 = np.percentile(self._ms[: min(self._n, len(self._ms))], [50, 99])
        return LatencyMs(p50=round(float(p50), 3), p99=round(float(p99), 3), max=round(self.max, 3))


@dataclass(slots=True)
class Connection:
    """The stream that is read: its session, its sender's clock, and when its chunks came (local clock, samples)."""

    stream: StreamSession
    hostname: str
    clock: HostClock
    filter_delay_s: float
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=4096))

    def rate_hz(self, now: float) -> float | None:
        """Samples a second over the last 5 s of arrivals; None while too few came."""
        recent = [(at, n) for at, n in self.arrivals if now - at < 5]
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return None
        # The first chunk opens the stretch; what it brought was sampled before.
        return round(sum(n for _, n in recent[1:]) / (recent[-1][0] - recent[0][0]), 2)
