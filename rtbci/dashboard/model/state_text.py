"""The engine's state in words: what to say, and whether it is wrong."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from rtbci.engine.staleness import STALE_S

Json = dict[str, Any]
RATE_TOLERANCE = 0.05
RING_S = 2.0  # a shorter silence calls nobody


class Fact(NamedTuple):
    """One line of the state panel."""

    text: str
    wrong: bool = False


def tip(text: str) -> str:
    """A tool tip that says just that: Qt takes for HTML what looks like it, and a stream may bear any name."""
    return f"<qt>{escape(text)}</qt>" if "<" in text else text


def sentence(state: Json, dead_s: float = 0.0) -> Fact:
    """How the engine is, in one sentence. dead_s: how long it has said nothing, if longer than it may."""
    word = str(state.get("state", ""))
    if dead_s:
        return Fact(f"The engine has not answered for {dead_s:.0f} s. It has ended or hangs.", True)
    if not word:
        return Fact("The engine is starting")
    query = ", ".join(f"{key} {value}" for key, value in state.get("query", {}).items()) or "a stream"
    if word == "waiting":
        waited, limit = state.get("waiting_s", 0.0), state.get("wait_s")
        left = f", gives up in {max(0.0, limit - waited):.0f} s" if limit is not None else ""
        return Fact(f"Waiting for {query} ({waited:.0f} s{left})")
    age_s, silent_s = state.get("staleness_s", 0.0), state.get("silent_s", 0.0)
    if word == "stale" and silent_s < age_s / 2:
        return Fact(f"Behind by {age_s:.1f} s, catching up", True)
    if word in ("lost", "stale"):
        host = (state.get("stream") or {}).get("hostname", "")
        where = f" from host {host}" if host else ""
        return Fact(f"No data for {silent_s:.1f} s, waiting for {query}{where}", True)
    if word == "paused":
        return Fact("Paused: the replay stands still")
    if word == "stopped":
        return Fact("The engine has stopped", True)
    if (trust := state.get("trust") or {}).get("level") in ("none", "untested"):
        return Fact(f"Live, but {trust['words']}", True)
    return Fact("Live")


def is_old(state: Json) -> bool:
    """A stream in real time, and what is shown of it is history: someone has to look."""
    real_time = (state.get("stream") or {}).get("speed") == 1
    return real_time and state.get("state") in ("lost", "stale") and state.get("staleness_s", 0.0) > RING_S


def facts(state: Json) -> dict[str, Fact]:
    """The lines of the state panel, in order."""
    stream = state.get("stream")
    if not stream:
        return {"Pipeline": Fact(str(state.get("pipeline", "–")))}
    return {
        "Stream": Fact(_stream(stream)),
        "Pipeline": Fact(str(state.get("pipeline", "–"))),
        "Rate": _rate(state, stream),
        "Newest": _staleness(state),
        "Latency": _latency(state.get("latency_ms", {})),
        "Samples": Fact(f"{state['samples']['received']:,} received"),
        "Missing": _missing(state["samples"]),
        "Device": Fact(f"{state.get('device', '–')} · filters {1e3 * state.get('filter_delay_s', 0.0):.0f} ms"),
        "Clock": _clock(state),
        "Recording": _recording(state.get("recording")),
        "Channels": _quality(state.get("quality", {}), stream),
        "Trust": _trust(state.get("trust") or {}),
    }


def _stream(stream: Json) -> str:
    speed = stream.get("speed", 1)
    pace = "" if speed == 1 else f" × {speed:g}" if speed else " unpaced"
    return f"{stream['name']} · {stream['channels']} ch{pace}"


def _rate(state: Json, stream: Json) -> Fact:
    nominal, measured = stream["sfreq"] * (stream.get("speed") or 0), state.get("rate_hz")
    if measured is None:
        return Fact(f"– of {stream['sfreq']:g} Hz")
    wrong = bool(nominal) and abs(measured - nominal) > RATE_TOLERANCE * nominal
    return Fact(f"{measured:.1f} of {nominal or stream['sfreq']:g} Hz", wrong)


def _staleness(state: Json) -> Fact:
    if state.get("state") == "paused":
        return Fact("paused")
    age = state.get("staleness_s", 0.0)
    return Fact(f"{age * 1e3:.0f} ms old" if age < 1 else f"{age:.1f} s old", age > STALE_S)


def _latency(latency: Json) -> Fact:
    if latency.get("p50") is None:
        return Fact("–")
    return Fact(f"{latency['p50']:.2f} / {latency['p99']:.2f} ms")


def _missing(samples: Json) -> Fact:
    if not (samples["lost"] or samples["filled"] or samples["reconnects"]):
        return Fact("none")
    parts = [f"{samples[key]:,} {key}" for key in ("lost", "filled") if samples[key]]
    if samples["reconnects"]:
        parts.append(f"{samples['reconnects']} × back")
    return Fact(", ".join(parts), bool(samples["lost"]))


def _clock(state: Json) -> Fact:
    jitter = f"jitter {state.get('jitter_ms', 0.0):.1f} ms"
    offset, age_s = state.get("clock_offset_s"), state.get("clock_age_s", 0.0)
    if offset is None:
        return Fact(jitter)
    if age_s is None:
        return Fact(f"does not answer · {jitter}", True)
    away = f"{1e3 * offset:+.1f} ms" if abs(offset) < 1 else f"{offset:+.3f} s"
    return Fact(f"offset {away} · {jitter}")


def _recording(recording: Json | None) -> Fact:
    if not recording:
        return Fact("off")
    if recording.get("alarm"):  # the header has the words
        return Fact("in trouble" if recording.get("on") else "not recording", True)
    free = recording.get("free_bytes", 0)
    return Fact(
        f"{_size(recording.get('size_bytes', 0))} · {_size(free)} free", free < 2**30 or not recording.get("on")
    )


def _quality(quality: dict[str, str], stream: Json) -> Fact:
    if not quality:
        return Fact("all well")
    named = ", ".join(f"{name} {word}" for name, word in list(quality.items())[:2])
    more = f" +{len(quality) - 2}" if len(quality) > 2 else ""
    return Fact(named + more, True)


def _trust(trust: Json) -> Fact:
    """How far the answer can be trusted with the electrodes as they are."""
    masked = trust.get("masked", [])
    if not masked and trust.get("level", "full") == "full":
        return Fact("full")
    cost = f" · AUROC {trust['auroc']:.2f}" if "auroc" in trust else ""
    return Fact(f"{len(masked)} of {trust.get('inputs', 0)} masked{cost}", True)


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
