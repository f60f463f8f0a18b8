"""A line of an engine's log, in words."""

from __future__ import annotations

from typing import Any


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:d}:{minutes:02d}:{rest:04.1f}"


def describe(line: dict[str, Any]) -> str:
    """One line of the engine's log in words; "" for what nobody needs to read."""
    kind = line["kind"]
    if kind == "error":
        return ""  # the command itself ends with it
    if kind in ("onset", "event"):
        times = f"{_clock(line['onset'])} for {line['duration']:.1f} s"
        so_far = " so far" if kind == "onset" else ""
        return f"{line['label']} at {times}{so_far}, confidence {line['confidence']:.2f}"
    if kind == "gap":
        if line.get("n_extra"):
            return f"{line['n_extra']} samples left out: {line['cause']}"
        if not line["n_missing"]:
            return f"no sample missing: {line['cause']}"
        what = "filled in" if line["filled"] else "every stage starts afresh"
        return f"gap: {line['n_missing']} samples missing ({line['cause']}), {what}"
    if kind == "connected":
        return f"connected to {line['stream']} on {line['host']}: {line['channels']} channels, {line['sfreq']:g} Hz"
    if kind == "reconnected":
        return f"{line['stream']} is back, from {line['host']}"
    if kind in ("lost", "refused"):
        return f"stream {kind}: {line['reason']}"
    if kind == "stale":
        return f"stale: the newest sample is {line['age_s']:.1f} s old"
    if kind == "caught_up":
        return f"caught up after {line['seconds']:.1f} s; samples were up to {line['age_s']:.1f} s old"
    if kind == "stalled":
        return f"the engine stood still for {line['seconds']:.1f} s"
    if kind == "clock":
        return f"the clock of the stream's host jumped by {line['by_s']:+.3f} s; stamps are put right"
    if kind == "seek":
        return f"the replay went from {_clock(line['from'])} to {_clock(line['to'])}; every stage starts afresh"
    if kind == "pause":
        return f"the replay is paused at {_clock(line['recorded_s'])}"
    if kind == "move":
        pace = f"× {line['speed']:g}" if line["speed"] else "as fast as it is taken"
        return f"the replay goes on from {_clock(line['recorded_s'])}, {pace}"
    if kind == "cue":
        said = ", ".join(f"{name} {value:.2f}" for name, value in line.get("probabilities", {}).items())
        return f"cue {line['cue']}: {said or 'missed, its window is cut by a gap'}"
    if kind == "annotation":
        return f"note at {_clock(line['onset'])}: {line['label']}"
    if kind == "review":
        return f"{line['label']} at {_clock(line['onset'])}: {line['verdict'] or 'open again'} {line['note']}".rstrip()
    if kind == "threshold":
        return f"threshold set to {line['value']:.2f}"
    return str(line.get("text", ""))
