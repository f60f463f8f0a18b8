"""XDF, read by pyxdf: loaded completely, stamps synchronised but not dejittered, so that losses stay visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np

from rtbci.errors import RecordingError, StreamMismatch
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
    thresholds_live,
    told_live,
)
from rtbci.recordings.live_run import Arrivals, LivePart, LiveRun, SessionBegan, steady_stamps
from rtbci.recordings.markers import MarkerReader
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.rates import fit_rate
from rtbci.recordings.recording import Recording
from rtbci.recordings.replay_clock import ReplayClock
from rtbci.recordings.stamps import rate_refusal, respaced, stamp_words
from rtbci.recordings.stream_reader import StreamReader, believed
from rtbci.recordings.xdf_chunks import Stream, load_streams
from rtbci.recordings.xdf_headers import description, field_of, footer_words, has_markers, nominal_rate, summary
from rtbci.types import Event, Flags, Samples, Times

MarkersRead: TypeAlias = tuple[tuple[float, str], ...]


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
    shown = [s for s in streams if not is_ours(s) and not has_markers(s) and all(s is not signal for signal, _ in own)]
    others = [f"other stream, not read: {summary(s)}" for s in shown if s is not chosen]
    if own:
        recording = _as_read(path, streams, own, started, told or StreamOverrides())
        return replace(recording, warnings=(*odd, *recording.warnings, *others))
    told = (told or StreamOverrides()).over(told_live(streams, chosen))
    signal = _Signal.of(path, chosen, told)
    replay_clock = replay_clock_of(streams, chosen)
    sfreq, warned = _rate(path, chosen, replay_clock.seconds(signal.stamps, float(signal.stamps[0])), told.sfreq)
    if nominal := nominal_rate(chosen):
        signal = replace(signal, stamps=respaced(signal.stamps, nominal, sfreq))
    live = live_span(streams, chosen) if wanted is None else LiveSpan()
    if wanted is None:
        signal = signal.kept(live.keep(signal.stamps, 1 / (sfreq * replay_clock.fastest)))
    zero = float(signal.stamps[0]) if len(signal.stamps) else 0.0
    seconds = replay_clock.seconds(signal.stamps, zero)
    recording = signal.recording(path, sfreq, seconds, [*warned, *odd, *footer_words(chosen)])
    return replace(
        recording,
        annotations=_markers(streams, chosen, zero, replay_clock),
        start=started,
        kernels=kernels_live(streams, chosen),
        thresholds=thresholds_live(streams, chosen),
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
            odd.append(
                f"the arrivals of stream {field_of(stream, 'stream_id')} do not count its samples; it is not read"
            )
            continue
        signal = signal.kept(np.arange(len(signal.stamps)) < arrivals.n_recorded)
        steady = steady_stamps(signal.stamps, arrivals)
        seconds = replay_clock.seconds(steady, zero)
        sfreq, warned = _rate(path, stream, seconds, told.sfreq)
        parts.append(
            LivePart(signal.recording(path, sfreq, seconds, [*warned, *footer_words(stream)]), signal.stamps, arrivals)
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
        thresholds=thresholds_live(streams, own[0][0]),
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
            reader = believed(description(stream), told)
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


def _choose(path: Path, streams: Sequence[Stream], wanted: str | int | None) -> Stream:
    signals = [s for s in streams if field_of(s, "channel_format") != "string" and len(s["time_stamps"])]
    if wanted is not None:
        keys = ("name", "source_id", "stream_id")
        matching = [s for s in signals if str(wanted) in [field_of(s, key) for key in keys]]
    else:
        signals = [s for s in signals if not is_ours(s)]
        regular = [s for s in signals if nominal_rate(s) > 0]
        matching = [s for s in signals if field_of(s, "type").upper() == "EEG"]
        if not matching and len(regular) == 1:
            matching = regular
    if len(matching) == 1:
        return matching[0]
    there = "; ".join(map(summary, matching or streams)) or "no streams at all"
    what = "EEG stream with samples" if wanted is None else f"signal stream {str(wanted)!r}"
    option = "--stream NAME or NUMBER (in Python stream=, in a configuration data.recordings.stream)"
    if matching:
        raise RecordingError(f"{path}: more than one stream fits; pick one with {option}: {there}")
    advice = f"pick one with {option}" if streams else "record it again"
    raise RecordingError(f"{path}: has no {what}; it has {there}; {advice}")


def _rate(path: Path, stream: Stream, stamps: Times, told: float | None) -> tuple[float, list[str]]:
    nominal = told or nominal_rate(stream)
    span = float(stamps[-1] - stamps[0])
    effective = (len(stamps) - 1) / span if span > 0 else 0.0
    if nominal <= 0 and effective <= 0:
        raise RecordingError(
            f"{path}: stream {summary(stream)} has no sampling rate; pick a regular one with --stream, or say the rate "
            "with --sfreq"
        )
    if nominal <= 0:
        fit = fit_rate(np.arange(len(stamps)), stamps)
        measured = fit.plausible_hz if fit is not None and fit.is_regular else effective
        return measured, [f"the stream declares no rate; its stamps give {measured:g} Hz"]
    return nominal, []


def _markers(streams: Sequence[Stream], chosen: Stream, zero: float, replay_clock: ReplayClock) -> tuple[Event, ...]:
    """Each marker as an event without duration, and a person's annotations; seconds from the first sample."""

    def seconds(stamp: float) -> float:
        return float(replay_clock.seconds(np.array([stamp], np.float64), zero)[0])

    events = [
        Event(seconds(stamp), 0.0, text)
        for s in streams
        if s is not chosen and has_markers(s) and not is_ours(s)
        for stamp, text in MarkerReader(nominal_rate(s)).read(s["time_series"], s["time_stamps"])
    ]
    return tuple(sorted([*events, *notes(streams, seconds)], key=lambda e: e.onset))


def _markers_read(streams: Sequence[Stream], chosen: Stream) -> tuple[MarkersRead | None, MarkersRead]:
    """The markers that an engine was told as cues (None: it read no marker stream), and all others, by their stamps."""
    marked = [s for s in streams if s is not chosen and has_markers(s) and not is_ours(s)]
    cues = [s for s in marked if is_read_as_cues(s)]

    def of(some: Sequence[Stream]) -> MarkersRead:
        return tuple(
            marker for s in some for marker in MarkerReader(nominal_rate(s)).read(s["time_series"], s["time_stamps"])
        )

    return of(cues) if cues else None, of([s for s in marked if not is_read_as_cues(s)])
