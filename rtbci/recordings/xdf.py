"""XDF, read by pyxdf: loaded completely, stamps synchronised but not dejittered, so that losses stay visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.errors import RecordingError
from rtbci.recordings.engine_marks import LiveSpan, is_ours, live_span, notes, replay_clock_of
from rtbci.recordings.recording import Recording
from rtbci.recordings.replay_clock import ReplayClock
from rtbci.recordings.stamps import stamp_words
from rtbci.recordings.units import to_microvolts, unit_text, without_unit
from rtbci.recordings.xdf_chunks import Stream, load_streams
from rtbci.text import field_text
from rtbci.types import Event, Samples, StreamInfo, Times

APART_S = 3600.0  # no stream of a session begins an hour after all the others have ended


def open_xdf(path: Path, wanted: str | int | None = None) -> Recording:
    """Open the EEG stream of an XDF file.

    Where an engine ran on the stream while it was recorded, the recording holds what the engine received, from its
    first sample to its last; a stream that is `wanted` is read completely. Where that stream was a replay that was
    paused or changed its speed, times are seconds of the replayed recording; a replay that was sent elsewhere (seek)
    is not reassembled.

    Parameters
    ----------
    path
        The file.
    wanted
        Name, source id or number of a stream; None: the only EEG stream.

    Returns
    -------
    Recording
        Its markers are annotations without duration; `stamps` are set.

    Raises
    ------
    RecordingError
        If the file cannot be read, or no stream or more than one fits.
    """
    streams, started, odd = load_streams(path)
    chosen = _choose(path, streams, wanted)
    stamps = np.asarray(chosen["time_stamps"], np.float64)
    replay_clock = replay_clock_of(streams, chosen)
    labels, units = _channels(chosen)
    scale, units = to_microvolts(units)
    data: Samples = (np.asarray(chosen["time_series"], np.float64) * scale).astype(np.float32)
    sfreq, warned = _rate(path, chosen, replay_clock.seconds(stamps, float(stamps[0])))
    live = live_span(streams, chosen) if wanted is None else LiveSpan()
    if wanted is None:
        seen = live.keep(stamps, 1 / (sfreq * replay_clock.fastest))
        data, stamps = data[seen], stamps[seen]
    zero = float(stamps[0]) if len(stamps) else 0.0
    seconds = replay_clock.seconds(stamps, zero)
    warned += [*odd, *_footer_words(chosen), *stamp_words(seconds, sfreq)]
    others = [_summary(s) for s in streams if s is not chosen and not is_ours(s)]
    info = StreamInfo(
        name=path.stem,
        sfreq=sfreq,
        channels=labels,
        units=units,
        type=_field(chosen, "type") or "EEG",
        source_id=_field(chosen, "source_id"),
    )
    return Recording(
        path,
        "XDF",
        info,
        len(stamps),
        lambda start, stop: data[start:stop],
        _markers(streams, zero, replay_clock),
        started,
        (*warned, *without_unit(labels, units), *(f"other stream, not read: {other}" for other in others)),
        seconds,
        is_live=np.isfinite(live.begin),
    )


@dataclass(frozen=True)
class XdfStream:
    """One stream of a file as it was recorded: values in its own format and unit, stamps not dejittered.

    Attributes
    ----------
    recording
        Samples; its `stamps` are seconds from the file's first sample of any stream, on the common clock, and its
        `info.sfreq` is 0 where the stream declares no rate.
    format
        Channel format, as in LSL.
    id
        Number of the stream in the file.
    described
        The stream's description, as pyxdf returns it.
    """

    recording: Recording
    format: str
    id: str
    described: Mapping[str, Any]


def open_every_stream(path: Path) -> tuple[XdfStream, ...]:
    """Signal and marker streams, by their number. Raises RecordingError."""
    streams, started, odd = load_streams(path)
    spans = [(float(np.min(t)), float(np.max(t))) for s in streams if len(t := s["time_stamps"])]
    if not spans:
        raise RecordingError(f"{path}: holds no samples; record it again or remove it")
    zeros = _zeros(sorted(spans))
    made = (_as_recorded(path, s, zeros, started, odd) for s in streams)
    return tuple(sorted(made, key=lambda s: int(s.id) if s.id.isdecimal() else 0))


def _zeros(spans: list[tuple[float, float]]) -> list[float]:
    """Time zero of the file; one more for each group of streams on an unrelated clock."""
    zeros, end = [spans[0][0]], spans[0][1]
    for first, last in spans:
        if first > end + APART_S:
            zeros.append(first)
        end = max(end, last)
    return zeros


def _as_recorded(path: Path, stream: Stream, zeros: list[float], started: datetime | None, odd: list[str]) -> XdfStream:
    labels, units = _channels(stream)
    stamps = np.asarray(stream["time_stamps"], np.float64)
    zero = max((z for z in zeros if len(stamps) and z <= stamps.min()), default=zeros[0])
    stamps = stamps - zero
    apart = f"its clock was never compared with the others', {zero - zeros[0]:.0f} s away; it begins with them"
    warned = (*odd, f"{_summary(stream)}: {apart}") if zero != zeros[0] else tuple(odd)
    kind, n_channels = _field(stream, "channel_format"), len(labels)
    if kind == "string":
        values: Any = np.empty((len(stamps), n_channels), object)
        if len(stamps):
            values[:] = [[str(v) for v in sample] for sample in stream["time_series"]]
    else:
        values = np.asarray(stream["time_series"]).reshape(len(stamps), n_channels)
    sfreq = float(_field(stream, "nominal_srate") or 0)
    info = StreamInfo(
        _field(stream, "name") or path.stem, sfreq if 0 < sfreq < np.inf else 0.0, labels, units,
        _field(stream, "type"), _field(stream, "source_id"),
    )  # fmt: skip
    recording = Recording(
        path, "XDF", info, len(stamps), lambda start, stop: values[start:stop], (), started, warned, stamps
    )
    described = stream["info"].get("desc")
    description = described[0] if isinstance(described, list) and described else None
    return XdfStream(
        recording,
        kind or "float32",
        _field(stream, "stream_id"),
        description if isinstance(description, Mapping) else {},
    )


def _choose(path: Path, streams: Sequence[Stream], wanted: str | int | None) -> Stream:
    signals = [s for s in streams if _field(s, "channel_format") != "string" and len(s["time_stamps"])]
    if wanted is not None:
        keys = ("name", "source_id", "stream_id")
        matching = [s for s in signals if str(wanted) in [_field(s, key) for key in keys]]
    else:
        signals = [s for s in signals if not is_ours(s)]
        regular = [s for s in signals if float(_field(s, "nominal_srate") or 0) > 0]
        matching = [s for s in signals if _field(s, "type").upper() == "EEG"]
        if not matching and len(regular) == 1:
            matching = regular
    if len(matching) == 1:
        return matching[0]
    there = "; ".join(map(_summary, matching or streams)) or "no streams at all"
    what = "EEG stream with samples" if wanted is None else f"signal stream {str(wanted)!r}"
    option = "--stream NAME or NUMBER (in Python stream=, in a configuration data.recordings.stream)"
    if matching:
        raise RecordingError(f"{path}: more than one stream fits; pick one with {option}: {there}")
    advice = f"pick one with {option}" if streams else "record it again"
    raise RecordingError(f"{path}: has no {what}; it has {there}; {advice}")


def _rate(path: Path, stream: Stream, stamps: Times) -> tuple[float, list[str]]:
    nominal = float(_field(stream, "nominal_srate") or 0)
    span = float(stamps[-1] - stamps[0])
    effective = (len(stamps) - 1) / span if span > 0 else 0.0
    if nominal <= 0 and effective <= 0:
        raise RecordingError(
            f"{path}: stream {_summary(stream)} has no sampling rate; pick a regular one with --stream"
        )
    if nominal <= 0:
        return effective, [f"the stream declares no rate; its stamps give {effective:g} Hz"]
    return nominal, []


def _footer_words(stream: Stream) -> list[str]:
    """A warning where the recorder counted other samples than are there, or did not come to count them."""
    n_read = len(stream["time_stamps"])
    try:
        footer = stream["footer"]["info"]
    except (KeyError, TypeError):
        return [f"stream {_field(stream, 'stream_id')} was not closed by its recorder; its end may be missing"]
    try:
        counted = float(footer["sample_count"][0])
    except (KeyError, IndexError, TypeError):
        return []
    except ValueError:
        return [f"its footer counts {footer['sample_count'][0]!r:.40} samples, which is no number; {n_read} are read"]
    if counted == n_read:
        return []
    return [f"its footer counts {counted:.0f} samples, {n_read} are in the file: {counted - n_read:.0f} are missing"]


def _channels(stream: Stream) -> tuple[tuple[str, ...], tuple[str, ...]]:
    n_channels = int(_field(stream, "channel_count"))
    try:
        described = [dict(c) for c in stream["info"]["desc"][0]["channels"][0]["channel"]]
    except (KeyError, IndexError, TypeError, ValueError):
        described = []
    if len(described) != n_channels:
        return tuple(f"Ch{i + 1}" for i in range(n_channels)), ("",) * n_channels
    labels = tuple(field_text(_first(c, "label")) or f"Ch{i + 1}" for i, c in enumerate(described))
    return labels, tuple(unit_text(_first(c, "unit")) for c in described)


def _markers(streams: Sequence[Stream], zero: float, replay_clock: ReplayClock) -> tuple[Event, ...]:
    """Each string sample as an event without duration, and a person's annotations; seconds from the first sample."""

    def seconds(stamp: float) -> float:
        return float(replay_clock.seconds(np.array([stamp], np.float64), zero)[0])

    events = [
        Event(seconds(float(stamp)), 0.0, "/".join(str(value) for value in sample if value))
        for s in streams
        if _field(s, "channel_format") == "string" and not is_ours(s)
        for stamp, sample in zip(s["time_stamps"], s["time_series"], strict=True)
    ]
    return tuple(sorted([*events, *notes(streams, seconds)], key=lambda e: e.onset))


def _summary(stream: Stream) -> str:
    return (
        f"{_field(stream, 'stream_id')} {_field(stream, 'name')!r} (type {_field(stream, 'type')!r}, "
        f"{_field(stream, 'channel_count')} channels, {len(stream['time_stamps'])} samples)"
    )


def _field(stream: Stream, key: str) -> str:
    value = stream["info"].get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else str(value)


def _first(channel: Mapping[str, Any], key: str) -> str:
    value = channel.get(key)
    return str(value[0]) if isinstance(value, list) and value and value[0] is not None else ""
