"""The engine's state as text for the header and the state panel, and whether something is wrong."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from rtbci.engine.staleness import STALE_S
from rtbci.monitor.messages import EngineState, LatencyMs, RecordingState, SampleCounts, StreamState, TrustState
from rtbci.recordings.rates import NORMAL
from rtbci.text import one_line

RATE_TOLERANCE = 0.05
RING_S = 2.0  # a shorter silence rings no alarm


class Fact(NamedTuple):
    """One line of the state panel."""

    text: str
    wrong: bool = False


def tool_tip(text: str) -> str:
    """A tool tip that says just that: Qt takes for HTML what looks like it, and a stream may have any name."""
    return f"<qt>{escape(text)}</qt>" if "<" in text else text


def state_sentence(state: EngineState, dead_s: float = 0.0) -> Fact:
    """The state in one sentence. dead_s: how long the engine has been silent, if longer than it may be."""
    return _plain(_sentence(state, dead_s))


def _plain(fact: Fact) -> Fact:
    """Names of streams are foreign text, and a line is to stay one."""
    return Fact(one_line(fact.text), fact.wrong)


def _sentence(state: EngineState, dead_s: float) -> Fact:
    if dead_s:
        return Fact(f"The engine has not answered for {dead_s:.0f} s. It has ended or hangs.", True)
    query = ", ".join(f"{key} {value}" for key, value in state.query.items()) or "a stream"
    behind = state.state == "stale" and state.silent_s < state.staleness_s / 2
    match state.state:
        case "" | "starting":
            return Fact("The engine is starting")
        case "waiting":
            left = f", gives up in {max(0.0, state.wait_s - state.waiting_s):.0f} s" if state.wait_s is not None else ""
            return Fact(f"Waiting for {query} ({state.waiting_s:.0f} s{left})")
        case "stale" if behind:
            return Fact(f"Behind by {state.staleness_s:.1f} s, catching up", True)
        case "lost" | "stale":
            where = f" from host {state.stream.hostname}" if state.stream and state.stream.hostname else ""
            return Fact(f"No data for {state.silent_s:.1f} s, waiting for {query}{where}", True)
        case "paused":
            return Fact("Paused: the replay stands still")
        case "stopped":
            return Fact("The engine has stopped", True)
    if state.trust is not None and state.trust.level in ("none", "untested"):
        return Fact(f"Live, but {state.trust.words}", True)
    return Fact("Live")


def is_old(state: EngineState) -> bool:
    """A stream in real time, and what is shown of it is out of date: someone has to look."""
    real_time = state.stream is not None and state.stream.speed == 1
    return real_time and state.state in ("lost", "stale") and state.staleness_s > RING_S


def state_facts(state: EngineState) -> dict[str, Fact]:
    """The lines of the state panel, in order."""
    return {name: _plain(fact) for name, fact in _facts(state).items()}


def _facts(state: EngineState) -> dict[str, Fact]:
    pipeline = Fact(state.pipeline or "–")
    if state.stream is None:
        return {"Pipeline": pipeline}
    return {
        "Stream": Fact(_stream(state.stream)),
        "Pipeline": pipeline,
        "Rate": _rate(state, state.stream),
        "Newest": _staleness(state),
        "Latency": _latency(state.latency_ms),
        "Samples": Fact(f"{state.samples.received:,} received"),
        "Missing": _missing(state.samples),
        "Device": Fact(f"{state.device or '–'} · filters {1e3 * state.filter_delay_s:.0f} ms"),
        "Clock": _clock(state),
        "Recording": _recording(state.recording),
        "Channels": _quality(state.quality),
        "Trust": _trust(state.trust),
    }


def _stream(stream: StreamState) -> str:
    pace = "" if stream.speed == 1 else f" × {stream.speed:g}" if stream.speed else " unpaced"
    return f"{stream.name} · {stream.channels} ch{pace}"


def _rate(state: EngineState, stream: StreamState) -> Fact:
    """The rate that is measured against the one that is believed: by the stamps where these disagree with it."""
    nominal = stream.sfreq * stream.speed
    measured, by_stamps = state.rate_hz, state.rate_by_stamps_hz
    if by_stamps is not None and nominal and abs(by_stamps - nominal) > NORMAL * nominal:
        return Fact(f"{by_stamps:.1f} of {nominal:g} Hz by its stamps", True)
    if measured is None:
        return Fact(f"– of {stream.sfreq:g} Hz")
    wrong = bool(nominal) and abs(measured - nominal) > RATE_TOLERANCE * nominal
    return Fact(f"{measured:.1f} of {nominal or stream.sfreq:g} Hz", wrong)


def _staleness(state: EngineState) -> Fact:
    if state.state == "paused":
        return Fact("paused")
    age_s = state.staleness_s
    return Fact(f"{age_s * 1e3:.0f} ms old" if age_s < 1 else f"{age_s:.1f} s old", age_s > STALE_S)


def _latency(latency: LatencyMs) -> Fact:
    return Fact("–" if latency.p50 is None else f"{latency.p50:.2f} / {latency.p99:.2f} ms")


def _missing(samples: SampleCounts) -> Fact:
    parts = [f"{n:,} {what}" for n, what in ((samples.lost, "lost"), (samples.filled, "filled")) if n]
    if samples.reconnects:
        parts.append(f"{samples.reconnects} × back")
    return Fact(", ".join(parts) or "none", bool(samples.lost))


def _clock(state: EngineState) -> Fact:
    jitter, offset_s = f"jitter {state.jitter_ms:.1f} ms", state.clock_offset_s
    if "clock_offset_s" not in state.model_fields_set:
        return Fact(jitter)
    if "clock_age_s" in state.model_fields_set and state.clock_age_s is None:
        return Fact(f"does not answer · {jitter}", True)
    offset = f"{1e3 * offset_s:+.1f} ms" if abs(offset_s) < 1 else f"{offset_s:+.3f} s"
    return Fact(f"offset {offset} · {jitter}")


def _recording(recording: RecordingState | None) -> Fact:
    if recording is None:
        return Fact("off")
    if recording.alarm:  # the header has the text
        return Fact("in trouble" if recording.on else "not recording", True)
    scarce = recording.free_bytes < 2**30 or not recording.on
    return Fact(f"{_size(recording.size_bytes)} · {_size(recording.free_bytes)} free", scarce)


def _quality(quality: dict[str, str]) -> Fact:
    if not quality:
        return Fact("all well")
    named = ", ".join(f"{name} {fault}" for name, fault in list(quality.items())[:2])
    more = f" +{len(quality) - 2}" if len(quality) > 2 else ""
    return Fact(named + more, True)


def _trust(trust: TrustState | None) -> Fact:
    """How far the answer can be trusted with the electrodes and the rate as they are."""
    if trust is None or (not trust.masked and trust.level == "full"):
        return Fact("full")
    if not trust.masked:
        return Fact(f"{trust.level}: {trust.words}" if trust.words else trust.level, True)
    cost = f" · AUROC {trust.auroc:.2f}" if trust.auroc is not None else ""
    return Fact(f"{len(trust.masked)} of {trust.inputs} masked{cost}", True)


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
