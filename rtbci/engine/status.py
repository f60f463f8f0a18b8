"""How a live engine fares: samples accounted for, latency, staleness; the state that front ends show."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from pylsl import local_clock

from rtbci.engine.session import Session
from rtbci.engine.trust import trust_of
from rtbci.monitor.messages import ArmingState, EngineState, LatencyMs, ReplayState, SampleCounts, StreamState

if TYPE_CHECKING:
    from rtbci.engine.engine import Engine


def state_of(engine: Engine) -> EngineState:
    """What a front end shows and `--json` prints."""
    session = engine.session
    state = EngineState(
        state=_word(engine),
        pipeline=engine.pipeline.name,
        classes=engine.pipeline.classes,
        query=engine.spec.query,
        life=engine.publisher.life,
        waiting_s=round(time.monotonic() - engine.began, 1) if session is None else 0.0,
        wait_s=engine.spec.wait_s,
        silent_s=round(engine.source.silent_s, 2),
        probability=dict(zip(engine.pipeline.classes, engine.probability, strict=False)),
        latency_ms=LatencyMs(**engine.latency.summary()),
        samples=SampleCounts(**asdict(engine.tally)),
        events=engine.publisher.n_events,
        alarm=engine.publisher.alarm,
    )
    if engine.hold.waiting is not None and engine.publisher.outlets is not None:
        arming = ArmingState(name=engine.hold.waiting.name, source_id=engine.hold.waiting.source_id)
        state |= EngineState(arming=arming, outlets=tuple(engine.publisher.outlets.source_ids))
    return state if session is None else state | _with_stream(engine, session)


def _with_stream(engine: Engine, session: Session) -> EngineState:
    """What there is to say once a stream was found."""
    now = local_clock()
    clock_age_s = session.clock.age_s
    quality = session.quality.bad()
    return EngineState(
        stream=StreamState(
            name=session.info.name,
            source_id=session.info.source_id,
            hostname=session.hostname,
            channels=len(session.info.channels),
            sfreq=session.info.sfreq,
            speed=session.speed,
        ),
        rate_hz=_rate(session, now),
        recording_s=round(session.next_index / session.info.sfreq, 3),
        staleness_s=round(engine.staleness.age_s(now), 4),
        jitter_ms=round(session.guard.jitter_s * 1e3, 3),
        device=session.live.device,
        stage_us={name: round(us, 1) for name, us in session.live.stage_us.items()},
        threshold=session.live.decision.threshold,
        smoothed=dict(zip(session.live.decision.labels, session.live.decision.smoothed.tolist(), strict=True)),
        filter_delay_s=session.filter_delay_s,
        recording=engine.recording,
        clock_offset_s=round(session.clock.offset_s, 6),
        clock_age_s=round(clock_age_s, 1) if clock_age_s is not None else None,
        quality=quality,
        trust=trust_of(session.live, quality, session.info.channels, engine.pipeline.notes),
        newest_stamp=engine.newest_stamp,
        replay=_replay(engine, session, now),
    )


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


def _replay(engine: Engine, session: Session, now: float) -> ReplayState | None:
    """Where a replay that can be moved is, in seconds of its recording; None for all other streams."""
    place = engine.source.replay.place if engine.source.replay is not None else None
    if place is None or not engine.source.connected:
        return None
    return ReplayState(
        recorded_s=round(place.at(now - session.clock.offset_s), 2),
        start_s=place.start_s,
        end_s=place.end_s,
        speed=place.speed,
        paused=place.paused,
        loop=place.loop,
        move=place.id,
    )


def _rate(session: Session, now: float) -> float | None:
    """Samples a second over the last 5 s of arrivals."""
    recent = [(at, n) for at, n in session.arrivals if now - at < 5]
    if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
        return None
    # The first chunk opens the stretch; what it brought was sampled before.
    return round(sum(n for _, n in recent[1:]) / (recent[-1][0] - recent[0][0]), 2)
