"""What a front end takes from an engine's shared memory: values of the shape that the engine writes, whoever wrote them."""

from __future__ import annotations

from typing import Any, TypeGuard

from rtbci.config import Number, fits

NUMBER, RATE, PACE = Number(), Number(1e-3, 1e6), Number(0.0, 1e6)
TEXTS = [str]

# A type, a Number, [each], {key: of it, "key?": of it, if it is there}, {str: of any key}, or a tuple of what it may be.
_EVENT = {
    "time": NUMBER, "stamp": NUMBER, "onset": NUMBER, "duration": NUMBER, "label": str, "confidence": NUMBER,
    "channels": TEXTS,
}  # fmt: skip
LINES: dict[str, dict[str, Any]] = {
    "onset": _EVENT,
    "event": _EVENT,
    "gap": {"start": NUMBER, "end": NUMBER, "n_missing": NUMBER, "cause": str, "filled": bool},
    "connected": {"stream": str, "host": str, "channels": NUMBER, "sfreq": NUMBER},
    "reconnected": {"stream": str, "host": str},
    "lost": {"reason": str},
    "refused": {"reason": str},
    "clock": {"by_s": NUMBER, "offset_s": NUMBER},
    "cue": {"cue": str, "valid": bool, "probabilities?": {str: NUMBER}},
    "annotation": {"label": str, "onset": NUMBER, "duration": NUMBER, "stamp": NUMBER},
    "review": {"label": str, "onset": NUMBER, "verdict": str, "note": str},
    "threshold": {"value": NUMBER},
    "seek": {"from": NUMBER, "to": NUMBER},
    "move": {"until": NUMBER, "since": NUMBER, "speed": PACE, "recorded_s": NUMBER},
    "pause": {"recorded_s": NUMBER},
    "stale": {"age_s": NUMBER, "seconds": NUMBER},
    "caught_up": {"age_s": NUMBER, "seconds": NUMBER},
    "stalled": {"seconds": NUMBER},
    "alarm": {"text": str},
    "error": {"text": str},
}
_NONE = type(None)
_SAMPLES = {key: Number(0) for key in ("received", "filled", "lost", "gaps", "reconnects")}
_PERCENTILES = tuple(
    dict.fromkeys(("p50", "p99", "max"), shape) for shape in (NUMBER, _NONE)
)  # before any answer, none
_STREAM = {"name": str, "hostname": str, "channels": Number(0), "sfreq": RATE, "speed": PACE}
_WITH_STREAM: dict[str, Any] = {
    "stream": _STREAM, "latency_ms": _PERCENTILES, "samples": _SAMPLES, "rate_hz": (NUMBER, _NONE), "recording_s": NUMBER,
    "staleness_s": NUMBER, "filter_delay_s": NUMBER, "device": str, "threshold": NUMBER, "smoothed": {str: Number(0, 1)},
}  # fmt: skip
_SPAN = Number(-1e8, 1e8)  # tenths of these seconds are the steps of a slider
_REPLAY = {
    "recorded_s": _SPAN, "start_s": _SPAN, "end_s": _SPAN, "speed": PACE, "paused": bool, "loop": bool, "move": NUMBER,
}  # fmt: skip
_TRUST = {"level": str, "words": str, "masked": TEXTS, "inputs": Number(0), "auroc?": Number(0, 1)}
_RECORDING = {"on?": bool, "alarm?": str, "size_bytes?": NUMBER, "free_bytes?": NUMBER}
STATE: dict[str, Any] = {
    **_WITH_STREAM, "state": str, "pipeline": str, "classes": TEXTS, "query": {str: str}, "life": Number(0),
    "waiting_s": NUMBER, "wait_s": (NUMBER, _NONE), "silent_s": NUMBER, "probability": {str: Number(0, 1)}, "jitter_ms": NUMBER,
    "clock_offset_s": NUMBER, "quality": {str: str}, "newest_stamp": NUMBER,
    "alarm": str, "recording": (_RECORDING, _NONE), "trust": _TRUST,
    "replay": (_REPLAY, _NONE),
}  # fmt: skip
LAYOUT: dict[str, Any] = {
    "channels": TEXTS, "units": TEXTS, "sfreq": RATE, "inputs": TEXTS, "model_sfreq": RATE, "montage": TEXTS,
    "classes": TEXTS, "labels": TEXTS, "hop_s": Number(1e-6, 1e6), "speed": PACE, "scaled": bool, "weights": [NUMBER],
    "begins_s": (NUMBER, _NONE),
}  # fmt: skip


def is_line(value: object) -> TypeGuard[dict[str, Any]]:
    """Of the log: a kind, a time of the wall clock, and what the kind needs."""
    if not fits(value, {"kind": str, "wall": Number(0, 1e11)}):
        return False
    assert isinstance(value, dict)
    return fits(value, LINES.get(value["kind"], {}))


def state_in(value: object) -> dict[str, Any]:
    """What of a state has its shape; a stream only with all that is told of one."""
    if not isinstance(value, dict):
        return {}
    state = {key: one for key, one in value.items() if key not in STATE or fits(one, STATE[key])}
    if not all(key in state for key in _WITH_STREAM):
        state.pop("stream", None)
    return state
