"""XDF, read by pyxdf: loaded completely, stamps synchronised but not dejittered, so that losses stay visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from rtbci.errors import RecordingError, StreamMismatch
from rtbci.recordings.description import DescribedChannel, Description, subtracted
from rtbci.recordings.engine_marks import (
    LiveSpan,
    arrivals_of,
    continued_file,
    is_ours,
    is_read_as_cues,
    kernels_live,
    live_span,
    notes,
    replay_clock_of,
    session_marks,
    told_live,
)
from rtbci.recordings.live_run import Arrivals, LivePart, LiveRun, SessionBegan, steady_stamps
from rtbci.recordings.markers import MAX_FIELDS, MAX_RATE, TYPES, MarkerReader
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.rates import fit_rate
from rtbci.recordings.recording import Recording
from rtbci.recordings.replay_clock import ReplayClock
from rtbci.recordings.stamps import rate_refusal, respaced, stamp_words
from rtbci.recordings.stream_reader import StreamReader, believed
from rtbci.recordings.xdf_chunks import Stream, load_streams
from rtbci.types import Event, Flags, Samples, StreamInfo, Times

MarkersRead: TypeAlias = tuple[tuple[float, str], ...]

APART_S = 3600.0  # no stream of a session begins an hour after all the others have ended


def open_xdf(path: Path, wanted: str | int | None = None, told: StreamOverrides | None = None) -> Recording:
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
    told
        What a person says of it; what was said of it when an engine ran on it holds where this says nothing.

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
    own = arrivals_of(streams) if wanted is None else []
    chosen = own[0][0] if own else _choose(path, streams, wanted)
    shown = [s for s in streams if not is_ours(s) and not _has_markers(s) and all(s is not signal for signal, _ in own)]
    others = [f"other stream, not read: {_summary(s)}" for s in shown if s is not chosen]
    if own:
        recording = _as_read(path, streams, own, started, told or StreamOverrides())
        return replace(recording, warnings=(*odd, *recording.warnings, *others))
    told = (told or StreamOverrides()).over(told_live(streams, chosen))
    signal = _Signal.of(path, chosen, told)
    replay_clock = replay_clock_of(streams, chosen)
    sfreq, warned = _rate(path, chosen, replay_clock.seconds(signal.stamps, float(signal.stamps[0])), told.sfreq)
    if nominal := _nominal(chosen):
        signal = replace(signal, stamps=respaced(signal.stamps, nominal, sfreq))
    live = live_span(streams, chosen) if wanted is None else LiveSpan()
    if wanted is None:
        signal = signal.kept(live.keep(signal.stamps, 1 / (sfreq * replay_clock.fastest)))
    zero = float(signal.stamps[0]) if len(signal.stamps) else 0.0
    seconds = replay_clock.seconds(signal.stamps, zero)
    recording = signal.recording(path, sfreq, seconds, [*warned, *odd, *_footer_words(chosen)])
    return replace(
        recording,
        annotations=_markers(streams, chosen, zero, replay_clock),
        start=started,
        kernels=kernels_live(streams, chosen),
        warnings=(*recording.warnings, *others),
        is_live=bool(np.isfinite(live.begin)),
        refused="" if told.sfreq else rate_refusal(seconds, sfreq),
    )


def _as_read(
    path: Path,
    streams: Sequence[Stream],
    own: Sequence[tuple[Stream, Stream]],
    started: datetime | None,
    told: StreamOverrides,
) -> Recording:
    """What our own recorder wrote: all samples, in the chunks in which they were read, of one stream after another."""
    replay_clock, told = replay_clock_of(streams, own[0][0]), told.over(told_live(streams, own[0][0]))
    parts: list[LivePart] = []
    odd: list[str] = []
    zero = float(np.asarray(own[0][0]["time_stamps"])[0]) if len(own[0][0]["time_stamps"]) else 0.0
    for stream, rows in own:
        signal = _Signal.of(path, stream, told)
        arrivals = Arrivals.of(np.asarray(rows["time_series"]), len(signal.stamps))
        if arrivals is None:
            odd.append(f"the arrivals of stream {_field(stream, 'stream_id')} do not count its samples; it is not read")
            continue
        signal = signal.kept(np.arange(len(signal.stamps)) < arrivals.n_recorded)
        steady = steady_stamps(signal.stamps, arrivals)
        seconds = replay_clock.seconds(steady, zero)
        sfreq, warned = _rate(path, stream, seconds, told.sfreq)
        parts.append(
            LivePart(signal.recording(path, sfreq, seconds, [*warned, *_footer_words(stream)]), signal.stamps, arrivals)
        )
    if not parts:
        raise RecordingError(f"{path}: {'; '.join(odd)}; read it with --stream NUMBER")
    marks, (cues, others) = session_marks(streams), _markers_read(streams, own[0][0])
    first = parts[0].recording
    for part in parts[1:]:
        about, at_s = part.recording.info, float(part.recording.times(0, 1)[0])
        odd.append(f"from {at_s:.1f} s on the stream describes itself in another way ({len(about.channels)} channels, "
                    f"{about.sfreq:g} Hz); `tag` reads it too, everything else only what is before")  # fmt: skip
    is_live = any(isinstance(mark, SessionBegan) for _, mark in marks)
    run = LiveRun(tuple(parts), tuple(marks), cues, others, continued_file(streams)) if is_live else None
    return replace(
        first,
        annotations=_markers(streams, own[0][0], zero, replay_clock),
        start=started,
        kernels=kernels_live(streams, own[0][0]),
        warnings=(*(text for part in parts for text in part.recording.warnings), *odd),
        is_live=is_live,
        live=run,
        # What an engine answered is answered again, with its alarm of the rate or without.
        refused="" if is_live or told.sfreq else rate_refusal(first.times(), first.info.sfreq),
    )


@dataclass(frozen=True)
class _Signal:
    """The samples of a stream in µV, and their stamps as they are in the file."""

    reader: StreamReader
    data: Samples
    stamps: Times

    @classmethod
    def of(cls, path: Path, stream: Stream, told: StreamOverrides) -> _Signal:
        """What is believed of a stream. Raises RecordingError."""
        try:
            reader = believed(_description(stream), told)
        except StreamMismatch as error:
            raise RecordingError(f"{path}: {error}") from error
        stamps = np.asarray(stream["time_stamps"], np.float64)
        return cls(reader, reader.microvolts(np.asarray(stream["time_series"]).reshape(len(stamps), -1)), stamps)

    def kept(self, which: Flags) -> _Signal:
        return self if which.all() else replace(self, data=self.data[which], stamps=self.stamps[which])

    def recording(self, path: Path, sfreq: float, seconds: Times, warned: Sequence[str]) -> Recording:
        said = self.reader.info
        info = replace(said, name=path.stem, sfreq=sfreq, type=said.type or "EEG")
        warnings = (*warned, *stamp_words(seconds, sfreq), *self.reader.warnings)
        data = self.data
        return Recording(
            path, "XDF", info, len(seconds), lambda start, stop: data[start:stop], stamps=seconds, warnings=warnings
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
    described = _description(stream)
    stamps = np.asarray(stream["time_stamps"], np.float64)
    zero = max((z for z in zeros if len(stamps) and z <= stamps.min()), default=zeros[0])
    stamps = stamps - zero
    apart = f"its clock was never compared with the others', {zero - zeros[0]:.0f} s away; it begins with them"
    warned = (*odd, f"{_summary(stream)}: {apart}") if zero != zeros[0] else tuple(odd)
    kind, n_channels = described.format, described.n_channels
    if kind == "string":
        values: Any = np.empty((len(stamps), n_channels), object)
        if len(stamps):
            values[:] = [[str(v) for v in sample] for sample in stream["time_series"]]
    else:
        values = np.asarray(stream["time_series"]).reshape(len(stamps), n_channels)
    info = StreamInfo(
        described.name or path.stem, described.sfreq, described.labels, (), described.type, described.source_id
    )
    recording = Recording(
        path, "XDF", info, len(stamps), lambda start, stop: values[start:stop], (), started, warned, stamps
    )
    desc = next(iter(_parts(stream["info"].get("desc"))), {})
    return XdfStream(recording, kind or "float32", _field(stream, "stream_id"), desc)


def _choose(path: Path, streams: Sequence[Stream], wanted: str | int | None) -> Stream:
    signals = [s for s in streams if _field(s, "channel_format") != "string" and len(s["time_stamps"])]
    if wanted is not None:
        keys = ("name", "source_id", "stream_id")
        matching = [s for s in signals if str(wanted) in [_field(s, key) for key in keys]]
    else:
        signals = [s for s in signals if not is_ours(s)]
        regular = [s for s in signals if _nominal(s) > 0]
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


def _rate(path: Path, stream: Stream, stamps: Times, told: float | None) -> tuple[float, list[str]]:
    nominal = told or _nominal(stream)
    span = float(stamps[-1] - stamps[0])
    effective = (len(stamps) - 1) / span if span > 0 else 0.0
    if nominal <= 0 and effective <= 0:
        raise RecordingError(
            f"{path}: stream {_summary(stream)} has no sampling rate; pick a regular one with --stream, or say the rate "
            "with --sfreq"
        )
    if nominal <= 0:
        fit = fit_rate(np.arange(len(stamps)), stamps)
        measured = fit.plausible_hz if fit is not None and fit.is_regular else effective
        return measured, [f"the stream declares no rate; its stamps give {measured:g} Hz"]
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


def _description(stream: Stream) -> Description:
    """What a stream says of itself, from its header."""
    desc = _parts(stream["info"].get("desc"))
    blocks = [block for part in desc for block in _elements(part, "channels")]
    described = [channel for block in blocks[:1] for channel in _elements(block, "channel")]
    channels = tuple(DescribedChannel.of((key, _first(one, key)) for key in one) for one in described)
    references = [one for part in desc for one in _elements(part, "reference")]
    reference = ""
    for one in references[:1]:
        labels = [text for key in one if key.lower() in ("label", "name") for text in _texts(one[key])]
        reference = subtracted(labels, _first(one, "subtracted"), _first(one, "common_average"))
    return Description(
        _field(stream, "name"), _nominal(stream), int(_field(stream, "channel_count")), channels, _field(stream, "type"),
        _field(stream, "source_id"), _field(stream, "channel_format"), reference,
    )  # fmt: skip


def _nominal(stream: Stream) -> float:
    """The declared rate; 0 where there is none."""
    try:
        rate = float(_field(stream, "nominal_srate") or 0)
    except ValueError:
        return 0.0
    return rate if 0 < rate < np.inf else 0.0


def _elements(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The elements of a name, in any case, that are below another one."""
    found = [one for key, value in parent.items() if key.lower() == name for one in _values(value)]
    return [one if isinstance(one, Mapping) else {"label": [one]} for one in found]


def _parts(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in _values(value) if isinstance(one, Mapping)]


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> list[str]:
    return [one for one in _values(value) if isinstance(one, str)]


def _has_markers(stream: Stream) -> bool:
    """Whether its samples are texts, or numbers that its type calls markers."""
    if _field(stream, "channel_format") == "string":
        return True
    is_small = int(_field(stream, "channel_count")) <= MAX_FIELDS and _nominal(stream) <= MAX_RATE
    return is_small and _field(stream, "type").casefold() in TYPES


def _markers(streams: Sequence[Stream], chosen: Stream, zero: float, replay_clock: ReplayClock) -> tuple[Event, ...]:
    """Each marker as an event without duration, and a person's annotations; seconds from the first sample."""

    def seconds(stamp: float) -> float:
        return float(replay_clock.seconds(np.array([stamp], np.float64), zero)[0])

    events = [
        Event(seconds(stamp), 0.0, text)
        for s in streams
        if s is not chosen and _has_markers(s) and not is_ours(s)
        for stamp, text in MarkerReader(_nominal(s)).read(s["time_series"], s["time_stamps"])
    ]
    return tuple(sorted([*events, *notes(streams, seconds)], key=lambda e: e.onset))


def _markers_read(streams: Sequence[Stream], chosen: Stream) -> tuple[MarkersRead | None, MarkersRead]:
    """The markers that an engine was told as cues (None: it read no marker stream), and all others, by their stamps."""
    marked = [s for s in streams if s is not chosen and _has_markers(s) and not is_ours(s)]
    cues = [s for s in marked if is_read_as_cues(s)]

    def of(some: Sequence[Stream]) -> MarkersRead:
        return tuple(
            marker for s in some for marker in MarkerReader(_nominal(s)).read(s["time_series"], s["time_stamps"])
        )

    return of(cues) if cues else None, of([s for s in marked if not is_read_as_cues(s)])


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
    return next(iter(_texts(channel.get(key))), "")
