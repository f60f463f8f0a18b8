"""The live loop: one thread from the inlet to the outlets, and the state that tells how it fares."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pylsl import local_clock

from rtbci.decisions import Detection
from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.pipeline import LivePipeline, Pipeline, check_rate
from rtbci.sinks.events import EventLog
from rtbci.sinks.monitor import MonitorWriter
from rtbci.sinks.outlets import Outlets
from rtbci.sources.lsl import Connected, Lost, LslSource, Refused, predicate
from rtbci.timing import GapGuard
from rtbci.types import Chunk, Event, Gap, StreamInfo

STATUS_EVERY_S = 0.1
STALE_S = 1.0  # older than this the newest answer is old news, and the state says so


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


@dataclass(slots=True)
class Tally:
    """Every sample accounted for: sent = received + filled + lost."""

    received: int = 0
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
class _Session:
    """One life of the stream: what began when it was found."""

    info: StreamInfo
    speed: float
    guard: GapGuard
    live: LivePipeline
    hostname: str
    filter_delay_s: float
    next_index: int = 0  # samples of the recording's grid so far: received, filled and lost
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=4096))


class Engine:
    """Reads one LSL stream, answers through a pipeline, and never stops for a stream that is away."""

    def __init__(self, pipeline: Pipeline, spec: EngineSpec, on_scores: Callable[[Chunk], None] | None = None) -> None:
        """on_scores: called with every answer (its times are the stream's stamps), after it was published."""
        self.pipeline = pipeline
        self.spec = spec
        self.source = LslSource(spec.query, self._accept)
        self.monitor = MonitorWriter(Path(spec.monitor)) if spec.monitor else None
        self.tally = Tally()
        self.latency = Latency()
        self.detections: list[Detection] = []
        self.stopping = False
        self._on_scores = on_scores
        self._event_log: EventLog | None = None
        self._outlets: Outlets | None = None
        self._session: _Session | None = None
        self._life = 0
        self._began = time.monotonic()
        self._status_due = 0.0
        self._newest_stamp = 0.0
        self._newest_arrival = 0.0
        self._probability: list[float] = []
        self._warm_up()

    # -- life ---------------------------------------------------------------------------------------------

    def run(self, poll: Callable[[], None] | None = None) -> None:
        """Until `stop`. poll: called about ten times a second. Raises StreamNotFound, StreamMismatch at the start only."""
        try:
            while not self.stopping:
                for item in self.source.read(0.02):
                    self._handle(item)
                now = time.monotonic()
                if now >= self._status_due:
                    self._status_due = now + STATUS_EVERY_S
                    if poll:
                        poll()
                    self._give_up_waiting(now)
                    self._publish_status()
        finally:
            self.close()

    def stop(self) -> None:
        self.stopping = True

    def close(self) -> None:
        """Decide what is open, finish the event table, release the stream. May be called twice."""
        if self._session is not None:
            for piece in self._session.guard.flush():
                self._piece(piece)
            self._decided(self._session.live.decision.flush(), local_clock())
        if self._event_log is not None:
            duration = self._session.next_index / self._session.info.sfreq if self._session else 0.0
            self._event_log.close(duration)
            self._event_log = None
        self.source.close()
        self._publish_status()
        if self.monitor is not None:
            self.monitor.close()
            self.monitor = None

    def command(self, what: dict[str, Any]) -> None:
        """One command of a front end: {"do": "stop"} or {"do": "threshold", "value": 0.7}."""
        if what.get("do") == "stop":
            self.stop()
        elif what.get("do") == "threshold" and self._session is not None:
            self._session.live.decision.set_threshold(float(what["value"]))
            self._log("threshold", value=float(what["value"]))

    def _accept(self, info: StreamInfo) -> None:
        """Raises StreamMismatch for a stream that this pipeline cannot take."""
        check_rate(self.pipeline.config, self._with_unit(info))
        self.pipeline.preprocessor(self._with_unit(info))

    def _with_unit(self, info: StreamInfo) -> StreamInfo:
        units = tuple(unit or self.spec.unit for unit in info.units)
        return StreamInfo(info.name, info.sfreq, info.channels, units, info.type, info.source_id)

    def _warm_up(self) -> None:
        """Run once on noise, so that the first real sample does not pay for first calls."""
        config = self.pipeline.config
        info = StreamInfo("warm-up", config.sfreq, self.pipeline.channels, ("uV",) * len(self.pipeline.channels))
        live = self.pipeline.start(info, self.spec.device)
        noise = np.random.default_rng(0).normal(0, 20, (max(self.pipeline.hop, 8), len(info.channels)))
        for k in range(40):
            times = (np.arange(len(noise)) + k * len(noise)) / config.sfreq
            live.decide(live.process(Chunk(noise.astype(np.float32), times)))

    def _give_up_waiting(self, now: float) -> None:
        waited = now - self._began
        if not self.source.connected_once and self.spec.wait_s is not None and waited > self.spec.wait_s:
            raise StreamNotFound(
                f"no stream with {predicate(self.spec.query)} within {self.spec.wait_s:g} s; "
                "`rtbci streams` lists what is on the network"
            )

    # -- what the source brings ---------------------------------------------------------------------------

    def _handle(self, item: Chunk | Connected | Lost | Refused) -> None:
        if isinstance(item, Chunk):
            self._samples(item)
        elif isinstance(item, Connected):
            self._connected(item)
        elif isinstance(item, Lost):
            self._log("lost", reason=item.reason)
        else:
            if self._session is None:
                raise StreamMismatch(item.reason)
            self._log("refused", reason=item.reason)

    def _connected(self, found: Connected) -> None:
        info = self._with_unit(found.info)
        again = self._session is not None
        if again:
            self.tally.reconnects += 1
        old = self._session
        if old is not None and (old.info, old.speed) == (info, found.speed):
            self._log("reconnected", stream=info.name, host=found.hostname)
            return
        config = self.pipeline.config
        live = self.pipeline.start(info, self.spec.device)
        if old is not None:
            self._decided(old.live.decision.flush(), local_clock())
        guard = GapGuard(config.gaps, info.sfreq * (found.speed or 1))
        delay_s = self.pipeline.filter_delay_s(info.sfreq)["total"]
        self._session = _Session(info, found.speed, guard, live, found.hostname, round(delay_s, 4))
        if old is not None:
            self._session.next_index = round(old.next_index * info.sfreq / old.info.sfreq)
        if self.monitor is not None:
            self._life = self.monitor.open_rings(
                info.sfreq, len(info.channels), config.sfreq, self.pipeline.n_inputs,
                self.pipeline.hop_s, len(self.pipeline.classes),
            )  # fmt: skip
        if self._outlets is None:
            self._outlets = Outlets(info, self.pipeline.name, self.pipeline.classes, 1 / self.pipeline.hop_s)
        if self.spec.events and self._event_log is None:
            self._event_log = EventLog(self.spec.events, datetime.now().replace(microsecond=0))
        silent = [c for c, unit in zip(found.info.channels, found.info.units, strict=True) if not unit]
        if silent and not self.spec.unit:
            self._log("warning", text=f"{len(silent)} channels name no unit; taken as microvolts")
        self._log("connected", stream=info.name, host=found.hostname, sfreq=info.sfreq, channels=len(info.channels))

    def _samples(self, chunk: Chunk) -> None:
        assert self._session is not None
        self.tally.received += len(chunk)
        self._session.arrivals.append((self.source.pulled_at, len(chunk)))
        self._newest_stamp, self._newest_arrival = float(chunk.times[-1]), self.source.pulled_at
        for piece in self._session.guard.process(chunk):
            self._piece(piece)
        if self.monitor is not None and self.monitor.rings is not None:
            self.monitor.rings.signals.append(chunk)

    def _piece(self, piece: Chunk | Gap) -> None:
        assert self._session is not None
        if isinstance(piece, Chunk):
            self._answer(piece)
            return
        self._log("gap", **asdict(piece))
        self.tally.gaps += 1
        if piece.filled:
            self.tally.filled += piece.n_missing
            return
        self.tally.lost += piece.n_missing
        self._session.next_index += piece.n_missing
        self._decided(self._session.live.decision.flush(), piece.start)
        self._session.live.reset()

    def _answer(self, chunk: Chunk) -> None:
        """Samples on the grid to a published answer; all else comes after."""
        session = self._session
        assert session is not None and self._outlets is not None
        scores = session.live.process(chunk)
        if len(scores):
            self._outlets.scores(scores)
            since = float(scores.times[-1]) if session.speed else self.source.pulled_at
            self.latency.add((local_clock() - since) * 1e3)
            self._decide(scores, chunk)
        session.next_index += len(chunk)
        if self.monitor is not None and self.monitor.rings is not None:
            self.monitor.rings.model.append(session.live.seen)
            self.monitor.rings.scores.append(scores)
        if self._on_scores is not None and len(scores):
            self._on_scores(scores)

    def _decide(self, scores: Chunk, chunk: Chunk) -> None:
        """Decide in seconds of the recording, so that the events are those of the file to the bit."""
        session = self._session
        assert session is not None
        index = session.next_index + np.searchsorted(chunk.times, scores.times)
        found = session.live.decide(Chunk(scores.data, index / session.info.sfreq, scores.valid))
        self._probability = scores.data[-1].tolist()
        self.tally.invalid_hops += int(len(scores) - np.count_nonzero(scores.valid))
        if found:
            self._decided(found, float(scores.times[-1]))

    def _decided(self, found: list[Detection], stamp: float) -> None:
        for detection in found:
            self.detections.append(detection)
            if self._outlets is not None:
                self._outlets.detection(detection, stamp)
            if detection.closed and self._event_log is not None:
                self._event_log.add(detection.event)
            kind = "event" if detection.closed else "onset"
            self._log(kind, time=detection.time, stamp=stamp, **_plain(detection.event))

    # -- what the others see --------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The state, in plain JSON: what a front end shows and `--json` prints."""
        now = local_clock()
        session = self._session
        state: dict[str, Any] = {
            "state": self._word(),
            "pipeline": self.pipeline.name,
            "classes": list(self.pipeline.classes),
            "query": self.spec.query,
            "life": self._life,
            "waiting_s": round(time.monotonic() - self._began, 1) if session is None else 0.0,
            "wait_s": self.spec.wait_s,
            "silent_s": round(self.source.silent_s, 2),
            "probability": dict(zip(self.pipeline.classes, self._probability, strict=False)),
            "latency_ms": self.latency.summary(),
            "samples": asdict(self.tally),
            "events": sum(d.closed for d in self.detections),
        }
        if session is None:
            return state
        paced = bool(session.speed)
        return state | {
            "stream": {
                "name": session.info.name,
                "source_id": session.info.source_id,
                "hostname": session.hostname,
                "channels": len(session.info.channels),
                "sfreq": session.info.sfreq,
                "speed": session.speed,
            },
            "rate_hz": self._rate(session, now),
            "recording_s": round(session.next_index / session.info.sfreq, 3),
            "staleness_s": round(max(0.0, now - (self._newest_stamp if paced else self._newest_arrival)), 4),
            "jitter_ms": round(session.guard.jitter_s * 1e3, 3),
            "device": session.live.device,
            "stage_us": {name: round(us, 1) for name, us in session.live.stage_us.items()},
            "threshold": session.live.decision.threshold,
            "smoothed": dict(zip(session.live.decision.labels, session.live.decision.smoothed.tolist(), strict=True)),
            "filter_delay_s": session.filter_delay_s,
        }

    def _word(self) -> str:
        if self.stopping:
            return "stopped"
        if not self.source.connected:
            return "lost" if self.source.connected_once else "waiting"
        return "stale" if self.source.silent_s > STALE_S else "running"

    @staticmethod
    def _rate(session: _Session, now: float) -> float | None:
        """Samples a second over the last 5 s of arrivals."""
        recent = [(at, n) for at, n in session.arrivals if now - at < 5]
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return None
        # The first chunk opens the stretch; what it brought was sampled before.
        return round(sum(n for _, n in recent[1:]) / (recent[-1][0] - recent[0][0]), 2)

    def _publish_status(self) -> None:
        if self.monitor is not None:
            self.monitor.status(self.state())

    def _log(self, kind: str, **what: Any) -> None:
        if self.monitor is not None:
            self.monitor.log(kind, **what)


def _plain(event: Event) -> dict[str, Any]:
    return {
        "onset": event.onset,
        "duration": event.duration,
        "label": event.label,
        "confidence": round(event.confidence, 6),
        "channels": list(event.channels),
    }
