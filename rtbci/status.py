"""How a live engine fares: samples accounted for, latency, staleness; the state that front ends show."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pylsl import local_clock

from rtbci.lsl.clock import Clock
from rtbci.pipeline.pipeline import LivePipeline
from rtbci.stages.channel_quality import Quality
from rtbci.stages.gap_guard import GapGuard
from rtbci.trust import trust_of
from rtbci.types import StreamInfo

if TYPE_CHECKING:
    from rtbci.engine import Engine


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


def state_of(engine: Engine) -> dict[str, Any]:
    """The state, in plain JSON: what a front end shows and `--json` prints."""
    now = local_clock()
    session = engine.session
    state: dict[str, Any] = {
        "state": _word(engine),
        "pipeline": engine.pipeline.name,
        "classes": list(engine.pipeline.classes),
        "query": engine.spec.query,
        "life": engine.publisher.life,
        "waiting_s": round(time.monotonic() - engine.began, 1) if session is None else 0.0,
        "wait_s": engine.spec.wait_s,
        "silent_s": round(engine.source.silent_s, 2),
        "probability": dict(zip(engine.pipeline.classes, engine.probability, strict=False)),
        "latency_ms": engine.latency.summary(),
        "samples": asdict(engine.tally),
        "events": engine.publisher.n_events,
        "alarm": engine.publisher.alarm,
    }
    if engine.hold.waiting is not None and engine.publisher.outlets is not None:
        state["arming"] = {"name": engine.hold.waiting.name, "source_id": engine.hold.waiting.source_id}
        state["outlets"] = engine.publisher.outlets.source_ids
    if session is None:
        return state
    clock_age_s = session.clock.age_s
    return state | {
        "stream": {
            "name": session.info.name,
            "source_id": session.info.source_id,
            "hostname": session.hostname,
            "channels": len(session.info.channels),
            "sfreq": session.info.sfreq,
            "speed": session.speed,
        },
        "rate_hz": _rate(session, now),
        "recording_s": round(session.next_index / session.info.sfreq, 3),
        "staleness_s": round(engine.staleness.age_s(now), 4),
        "jitter_ms": round(session.guard.jitter_s * 1e3, 3),
        "device": session.live.device,
        "stage_us": {name: round(us, 1) for name, us in session.live.stage_us.items()},
        "threshold": session.live.decision.threshold,
        "smoothed": dict(zip(session.live.decision.labels, session.live.decision.smoothed.tolist(), strict=True)),
        "filter_delay_s": session.filter_delay_s,
        "recording": engine.recording,
        "clock_offset_s": round(session.clock.offset_s, 6),
        "clock_age_s": round(clock_age_s, 1) if clock_age_s is not None else None,
        "quality": (quality := session.quality.bad()),
        "trust": trust_of(session.live, quality, session.info.channels, engine.pipeline.notes),
        "newest_stamp": engine.newest_stamp,
        "replay": _replay(engine, session, now),
    }


def _word(engine: Engine) -> str:
    if engine.stopping:
        return "stopped"
    if engine.hold.waiting is not None:
        return "arming"
    if not engine.source.connected:
        return "lost" if engine.source.connected_once else "waiting"
    if engine.source.replay is not None and engine.source.replay.is_paused:
        return "paused"
    return "stale" if engine.staleness.is_stale(local_clock()) else "running"


def _replay(engine: Engine, session: Session, now: float) -> dict[str, Any] | None:
    """Where a replay that can be moved is, in seconds of its recording; None for all other streams."""
    place = engine.source.replay.place if engine.source.replay is not None else None
    if place is None or not engine.source.connected:
        return None
    return {
        "recorded_s": round(place.at(now - session.clock.offset_s), 2),
        "start_s": place.start_s,
        "end_s": place.end_s,
        "speed": place.speed,
        "paused": place.paused,
        "loop": place.loop,
        "move": place.id,
    }


def _rate(session: Session, now: float) -> float | None:
    """Samples a second over the last 5 s of arrivals."""
    recent = [(at, n) for at, n in session.arrivals if now - at < 5]
    if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
        return None
    # The first chunk opens the stretch; what it brought was sampled before.
    return round(sum(n for _, n in recent[1:]) / (recent[-1][0] - recent[0][0]), 2)
