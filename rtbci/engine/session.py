"""What an engine is started with, and what it keeps of the stream that it reads."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from rtbci.engine.alerts.config import AlarmConfig
from rtbci.engine.replay_offset import ReplayOffset
from rtbci.files import atomic_write
from rtbci.lsl.clock import HostClock
from rtbci.lsl.rate_check import RateCheck
from rtbci.lsl.replay_protocol import ReplayPosition
from rtbci.monitor.messages import LatencyMs
from rtbci.pipeline.stream import StreamSession
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.stream_reader import StreamReader


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine is to do; it is pickled into the engine's process.

    Parameters
    ----------
    pipeline
        Path of the pipeline file.
    query
        LSL properties of the stream, as `parse_query` returns them.
    monitor
        Folder of the shared memory; "" for none.
    events
        Path of the event table; "" for none.
    device
        "cpu", "cuda", or "auto" (the faster of both, measured).
    wait_s
        How long to wait for the first stream, s; None: without limit.
    overrides
        What a person says of the stream.
    cues
        LSL properties of the marker stream whose cues are answered; {} for none.
    start_gate
        Report the stream and wait for the command `go`, so that a recorder starts before the first sample.
    sinks
        A user's own sinks, as `--sink` takes them.
    plugins
        A user's own networks and dataset readers, as `--plugin` takes them.
    patient
        Before the first stream, wait through streams that do not fit and through several that match, each reported once;
        otherwise they end the engine.
    share_annotations
        Publish the texts of operator annotations on the network.
    record
        Folder to which the engine's own samples are recorded; "" for none.
    threshold
        Of the decision; None: the pipeline's.
    alarms
        Rules of the alarms.
    """

    pipeline: str
    query: dict[str, str]
    monitor: str = ""
    events: str = ""
    device: str = "cpu"
    wait_s: float | None = None
    overrides: StreamOverrides = field(default_factory=StreamOverrides)
    cues: dict[str, str] = field(default_factory=dict)
    start_gate: bool = False
    sinks: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    patient: bool = False
    share_annotations: bool = False
    record: str = ""
    threshold: float | None = None
    alarms: AlarmConfig = field(default_factory=AlarmConfig)


_SPEC: TypeAdapter[EngineSpec] = TypeAdapter(EngineSpec)
_SPEC_FILE = "spec.json"


def write_spec(spec: EngineSpec) -> None:
    """Keep it in the monitor's folder, so that another command of this user can start the same. Raises OSError."""
    atomic_write(Path(spec.monitor) / _SPEC_FILE, _SPEC.dump_json(spec))


def read_spec(monitor: Path) -> EngineSpec | None:
    """What the engine of a monitor's folder was started with; None where that is not there, or not valid."""
    try:
        return _SPEC.validate_json((monitor / _SPEC_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


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
        """Median, 99th percentile and maximum, ms; None before the first answer."""
        if not self._n:
            return LatencyMs(p50=None, p99=None, max=None)
        p50, p99 = np.percentile(self._ms[: min(self._n, len(self._ms))], [50, 99])
        return LatencyMs(p50=round(float(p50), 3), p99=round(float(p99), 3), max=round(self.max, 3))


@dataclass(slots=True)
class Connection:
    """The stream that is read: its session, its host's clock, what reads its samples, its rate, the arrivals of its chunks
    (local clock, samples), and where a replay was when it was joined."""

    stream: StreamSession
    hostname: str
    clock: HostClock
    filter_delay_s: float
    reader: StreamReader
    rate: RateCheck
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=4096))
    replay: ReplayOffset = field(default_factory=ReplayOffset)

    def place_replay(self, position: ReplayPosition | None) -> None:
        """A replay may have reported where it is."""
        newest_s = self.stream.received_s - 1 / self.stream.info.sfreq
        self.replay.report(position, self.stream.newest_stamp - self.clock.offset_s, newest_s)

    def rate_hz(self, now: float) -> float | None:
        """Samples a second over the last 5 s of arrivals; None with fewer than two."""
        recent = [(at, n) for at, n in self.arrivals if now - at < 5]
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return None
        # The first chunk only marks the start of the interval; its samples were taken before it.
        return round(sum(n for _, n in recent[1:]) / (recent[-1][0] - recent[0][0]), 2)
