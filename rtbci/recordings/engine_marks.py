"""Marks of an engine in an XDF recording of its stream: the samples it received, and a person's annotations.

What our own recorder wrote has a stream of arrivals, and its samples are those that the engine read (arrivals_of,
session_marks). In a recording of LabRecorder they are found by the stamps and counts of the marks (live_span).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from rtbci.config import Number, parse
from rtbci.errors import ConfigError
from rtbci.recordings.live_run import ARRIVALS_TYPE, Reconnected, Resumed, SessionBegan, mark_of
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.replay_clock import ReplayClock
from rtbci.types import Event, Flags, Times

Stream = Mapping[str, Any]
_NUMBERS = ("stamp", "start", "end", "duration_s", "until")
_LONGEST_NAME = 255  # bytes, of a file
_SPEEDS = Number(1e-3, 1e4)


@dataclass(frozen=True)
class LiveSpan:
    """Limits as stamps of the recording. Samples outside begin..end, or inside a gap, never reached the engine."""

    begin: float = -np.inf
    end: float = np.inf
    gaps: tuple[tuple[float, float], ...] = ()
    n_received: int | None = None  # from the first to the last, where the engine counted them

    def keep(self, stamps: Times, period: float) -> Flags:
        """Which samples the engine received; half a period covers the difference between two estimates of a clock.

        Where the recording has as many samples from the first to the last as the engine counted, it received these: so
        stamps that jump, or jitter by more than half a period, mislead nobody.
        """
        half = period / 2
        if self.n_received is not None and 0 < self.n_received <= len(stamps):
            first = int(np.argmin(np.abs(stamps - self.begin)))
            stop = first + self.n_received
            if stop <= len(stamps) and abs(stamps[first] - self.begin) < half > abs(stamps[stop - 1] - self.end):
                counted: Flags = np.zeros(len(stamps), np.bool_)
                counted[first:stop] = True
                return counted
        seen: Flags = (stamps > self.begin - half) & (stamps < self.end + half)
        for start, end in self.gaps:
            seen &= (stamps < start + half) | (stamps > end - half)
        return seen


def is_ours(stream: Stream) -> bool:
    """Whether it is an outlet of an engine, not a signal."""
    return _described(stream, "manufacturer") == "rtbci"


def live_span(streams: Sequence[Stream], signal: Stream) -> LiveSpan:
    """The span of the one engine that ran on `signal`; the whole recording where there was none, or more than one."""
    marks = [mark for s in streams if _is_about(s, signal) for mark in _marks(s)]
    stamped = [m for m in marks if "stamp" in m]
    stamps = {state: [m["stamp"] for m in stamped if m.get("state") == state] for state in ("begin", "end")}
    if len(stamps["begin"]) > 1:
        return LiveSpan()
    counts = {m["state"]: m["received"] for m in stamped if isinstance(m.get("received"), int) and "state" in m}
    n_received = counts["end"] - counts["begin"] if {"begin", "end"} <= counts.keys() else None
    gaps = [(m["start"], m["end"]) for m in marks if m.get("state") == "gap" and {"start", "end"} <= m.keys()]
    return LiveSpan(min(stamps["begin"], default=-np.inf), max(stamps["end"], default=np.inf), tuple(gaps), n_received)


def arrivals_of(streams: Sequence[Stream]) -> list[tuple[Stream, Stream]]:
    """Each signal of a file of our own recorder and the stream of its arrivals, in the order in which they were read."""
    by_id = {_first(s["info"].get("stream_id")): s for s in streams}
    ours = [s for s in streams if is_ours(s) and _first(s["info"].get("type")) == ARRIVALS_TYPE]
    pairs = [(by_id.get(_described(s, "input_stream")), s) for s in ours]
    found = [(signal, s) for signal, s in pairs if signal is not None and len(s["time_stamps"])]
    return sorted(found, key=lambda pair: float(pair[1]["time_series"][0][0]))


def session_marks(streams: Sequence[Stream]) -> list[tuple[int, SessionBegan | Reconnected | Resumed]]:
    """What the engine's session was told, and after how many samples; of a file of our own recorder."""
    told = (mark_of(mark) for s in filter(is_ours, streams) for mark in _marks(s))
    return sorted((mark for mark in told if mark is not None), key=lambda mark: mark[0])


def continued_file(streams: Sequence[Stream]) -> str:
    """Name of the file that a file of our own recorder continues without a sample lost; "" where it continues none."""
    names = [mark.get("continues") for s in filter(is_ours, streams) for mark in _marks(s)]
    name = next((name for name in names if isinstance(name, str)), "")
    is_name = name == PurePath(name).name and name.isprintable() and len(name.encode()) <= _LONGEST_NAME
    return name if is_name else ""


def is_read_as_cues(stream: Stream) -> bool:
    """Whether a stream of markers is what an engine read as cues."""
    try:
        return bool(_first(stream["info"]["desc"][0]["rtbci"][0]["cues"]) == "true")
    except (KeyError, IndexError, TypeError):
        return False


def replay_clock_of(streams: Sequence[Stream], signal: Stream) -> ReplayClock:
    """The replay clock as the engine on `signal` reported it, or as the stream declares it."""
    marks = _marks_about(streams, signal)
    begun = [m["speed"] for m in marks if m.get("state") in ("begin", "continued") and m.get("speed") in _SPEEDS]
    moves = [
        (float(m["until"]), float(m["stamp"]), float(m["speed"]))
        for m in marks
        if m.get("state") == "move" and {"until", "stamp"} <= m.keys() and m.get("speed") in _SPEEDS
    ]
    return ReplayClock(float(begun[0]) if begun else speed_of(signal), tuple(sorted(moves, key=lambda move: move[1])))


def told_live(streams: Sequence[Stream], signal: Stream) -> StreamOverrides:
    """What a person said of `signal` when an engine began to read it; of several engines, where they were told the same."""
    marks = _marks_about(streams, signal)
    told = [m["told"] for m in marks if m.get("state") in ("begin", "continued") and isinstance(m.get("told"), dict)]
    if not told or any(one != told[0] for one in told):
        return StreamOverrides()
    try:
        return parse(StreamOverrides, told[0], "the marks of the recording")
    except ConfigError:
        return StreamOverrides()  # of another version


def kernels_live(streams: Sequence[Stream], signal: Stream) -> tuple[str, ...]:
    """What computed the answers of the engines that ran on `signal` (rtbci/provenance.py), each once."""
    marks = _marks_about(streams, signal)
    named = [
        m["kernels"] for m in marks if m.get("state") in ("begin", "continued") and isinstance(m.get("kernels"), str)
    ]
    return tuple(dict.fromkeys(named))


def thresholds_live(streams: Sequence[Stream], signal: Stream) -> tuple[float, ...]:
    """The thresholds that the engines on `signal` decided with, one after another."""
    marks = _marks_about(streams, signal)
    values = [m.get("threshold") for m in marks if m.get("state") in ("begin", "continued", "threshold")]
    return tuple(dict.fromkeys(v for v in values if isinstance(v, float) and 0 <= v <= 1))


def notes(streams: Sequence[Stream], seconds: Callable[[float], float]) -> Iterator[Event]:
    """A person's annotations; the engine's own detections are not ground truth and are left out.

    seconds: of the recording, at a stamp.
    """
    for stream in filter(is_ours, streams):
        for mark in _marks(stream):
            if mark.get("state") == "annotation":
                yield Event(seconds(mark["at"]), float(mark.get("duration_s", 0.0)), str(mark.get("label", "note")))


def speed_of(stream: Stream) -> float:
    """Recorded seconds per second of the stamps' clock, as a replay declares it; else 1."""
    try:
        speed = float(stream["info"]["desc"][0]["replay"][0]["speed"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        return 1.0
    return speed if speed in _SPEEDS else 1.0


def _marks(stream: Stream) -> Iterator[dict[str, Any]]:
    """JSON lines, each with its stamp `at`; other strings are skipped."""
    if _first(stream["info"].get("channel_format")) != "string":
        return
    for stamp, sample in zip(stream["time_stamps"], stream["time_series"], strict=True):
        try:
            mark = json.loads(sample[0])
        except (ValueError, TypeError, IndexError, RecursionError):
            continue
        if isinstance(mark, dict) and all(mark[key] in Number() for key in _NUMBERS if key in mark):
            yield mark | {"at": float(stamp)}


def _marks_about(streams: Sequence[Stream], signal: Stream) -> list[dict[str, Any]]:
    """The marks of an engine that read a signal; a file of our own recorder has those of one engine only."""
    is_own = bool(arrivals_of(streams))
    return [mark for s in streams if (is_ours(s) if is_own else _is_about(s, signal)) for mark in _marks(s)]


def _is_about(stream: Stream, signal: Stream) -> bool:
    names = ("input_source_id", "source_id"), ("input", "name")
    return is_ours(stream) and all(_described(stream, ours) == _first(signal["info"].get(its)) for ours, its in names)


def _described(stream: Stream, key: str) -> str:
    try:
        return _first(stream["info"]["desc"][0][key])
    except (KeyError, IndexError, TypeError):
        return ""


def _first(value: Any) -> str:
    found = value[0] if isinstance(value, list) and value else value
    return "" if found is None or isinstance(found, list) else str(found)
