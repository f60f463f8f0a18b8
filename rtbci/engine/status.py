"""The state of a live engine: samples, latency, staleness, trust; what viewers show and `--json` prints."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Protocol

from pylsl import local_clock

from rtbci.engine.alerts.watch import AlertWatch
from rtbci.engine.session import Connection, EngineSpec, Latency
from rtbci.engine.sinks import Sinks
from rtbci.engine.staleness import Staleness
from rtbci.engine.start_gate import StartGate
from rtbci.engine.trust import trust_of
from rtbci.lsl.outlets import Outlets
from rtbci.lsl.source import LslSource
from rtbci.monitor.alerts import RunningEvent
from rtbci.monitor.messages import ArmingState, EngineState, RecordingState, ReplayState, SampleCounts, StreamState
from rtbci.monitor.sink import MonitorSink
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import Tally
from rtbci.recordings.event_sink import EventTableSink
from rtbci.types import Event


class EngineView(Protocol):
    """What the state of an engine is made from."""

    pipeline: Pipeline
    spec: EngineSpec
    source: LslSource
    outlets: Outlets
    monitor: MonitorSink | None
    table: EventTableSink | None
    sinks: Sinks
    connection: Connection | None
    gate: StartGate
    staleness: Staleness
    latency: Latency
    tally: Tally
    trained_threshold: float
    probability: tuple[float, ...]
    n_events: int
    alerts: AlertWatch
    recording: RecordingState | None
    reported_alarm: str
    began: float
    stopping: bool


def state_of(engine: EngineView) -> EngineState:
    """The state that viewers show and `--json` prints; the keys from `stream` on only once a stream was found."""
    connection = engine.connection
    running = connection.stream.live.decision.running if connection is not None else []
    state = EngineState(
        state=_state_word(engine),
        pipeline=engine.pipeline.name,
        classes=engine.pipeline.classes,
        query=engine.spec.query,
        generation=engine.monitor.generation if engine.monitor is not None else 0,
        waiting_s=round(time.monotonic() - engine.began, 1) if connection is None else 0.0,
        wait_s=engine.spec.wait_s,
        silent_s=round(engine.source.silent_s, 2),
        probability=dict(zip(engine.pipeline.classes, engine.probability, strict=False)),
        latency_ms=engine.latency.summary(),
        samples=SampleCounts(**asdict(engine.tally)),
        events=engine.n_events,
        running=tuple(_running(event, engine.alerts) for event in running),
        alerts=engine.alerts.states(running),
        sound_paused_s=engine.alerts.sound_paused_s,
        burden=engine.alerts.burdens(),
        alarm="; ".join(filter(None, (engine.sinks.trouble, engine.alerts.trouble, engine.reported_alarm))),
        events_file=str(engine.table.path) if engine.table is not None else "",
    )
    if engine.gate.waiting is not None:
        found = engine.gate.waiting
        arming = ArmingState(name=found.name, source_id=found.source_id, type=found.type)
        state |= EngineState(arming=arming, outlets=tuple(engine.outlets.source_ids))
    return state if connection is None else state | _with_stream(engine, connection)


def _running(event: Event, alerts: AlertWatch) -> RunningEvent:
    confidence, is_rejected = round(event.confidence, 6), alerts.is_rejected(event)
    return RunningEvent(
        label=event.label, onset=event.onset, duration=event.duration, confidence=confidence, is_rejected=is_rejected
    )


def _with_stream(engine: EngineView, connection: Connection) -> EngineState:
    """The part of the state that needs a stream."""
    now = local_clock()
    stream, clock = connection.stream, connection.clock
    info, decision, clock_age_s = stream.info, stream.live.decision, connection.clock.age_s
    quality = stream.quality.bad()
    return EngineState(
        stream=StreamState(
            name=info.name,
            source_id=info.source_id,
            hostname=connection.hostname,
            channels=len(info.channels),
            sfreq=info.sfreq,
            speed=stream.speed,
        ),
        rate_hz=connection.rate_hz(now),
        rate_by_stamps_hz=connection.rate.by_stamps_hz,
        recording_s=round(stream.recording_s, 3),
        staleness_s=round(engine.staleness.age_s(now), 4),
        jitter_ms=round(stream.jitter_s * 1e3, 3),
        device=stream.live.device,
        stage_us={name: round(us, 1) for name, us in stream.live.stage_us.items()},
        threshold=decision.threshold,
        release=round(decision.release, 6),
        trained_threshold=engine.trained_threshold,
        smoothed=dict(zip(decision.labels, decision.smoothed.tolist(), strict=True)),
        filter_delay_s=connection.filter_delay_s,
        recording=engine.recording,
        clock_offset_s=round(clock.offset_s, 6),
        clock_age_s=round(clock_age_s, 1) if clock_age_s is not None else None,
        quality=quality,
        trust=trust_of(stream.live, quality, info.channels, engine.pipeline.notes, connection.rate.verdict),
        newest_stamp=stream.newest_stamp,
        replay=_replay(engine, connection, now),
    )


def _state_word(engine: EngineView) -> str:
    if engine.stopping:
        return "stopped"
    if engine.gate.waiting is not None:
        return "arming"
    if not engine.source.connected:
        return "lost" if engine.source.connected_once else "waiting"
    if engine.source.is_paused:
        return "paused"
    return "stale" if engine.staleness.is_stale(local_clock()) else "running"


def _replay(engine: EngineView, connection: Connection, now: float) -> ReplayState | None:
    """Position of a replay that can be controlled; None for all other streams."""
    link = engine.source.replay
    position = link.position if link is not None and link.is_trusted else None
    if position is None or not engine.source.connected:
        return None
    return ReplayState(
        recorded_s=round(position.at(now - connection.clock.offset_s), 2),
        start_s=position.start_s,
        end_s=position.end_s,
        speed=position.speed,
        paused=position.paused,
        loop=position.loop,
        move=position.id,
        offset_s=connection.replay.seconds,
    )
