"""What a replay plays on one stream: consecutive recordings, or a stream of an XDF file, on the replay's time axis."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.lsl.replay_key import replay_key
from rtbci.recordings.recording import Recording
from rtbci.recordings.xdf_streams import XdfStream
from rtbci.replay.faults import Packet, Values
from rtbci.types import StreamInfo, Times

_READ_S = 10.0  # of one read from disk
_READ_N = 4096  # samples of one read of an irregular stream


@dataclass(frozen=True)
class RecordedSpan:
    """Samples `first` to `stop` of a recording. at_s: second of the replay at which the first is due."""

    recording: Recording
    first: int
    stop: int
    at_s: float
    n_before: int = 0  # samples of the track before them

    def __len__(self) -> int:
        return self.stop - self.first

    def times(self, start: int, stop: int) -> Times:
        """Seconds of the replay, of samples start to stop of the recording."""
        recording = self.recording
        if recording.stamps is None:
            # One division, so that the times of consecutive files are as exact as those of one file.
            times: Times = (self.n_before + np.arange(start - self.first, stop - self.first)) / recording.info.sfreq
        else:
            times = self.at_s + recording.stamps[start:stop] - recording.stamps[self.first]
        return times

    def after(self, moment_s: float) -> RecordedSpan:
        """The part that is due at a second of the replay, or later."""
        if moment_s <= self.at_s:
            return self
        if self.recording.stamps is None:
            first = self.first + int(np.ceil(moment_s * self.recording.info.sfreq - 1e-6)) - self.n_before
        else:
            wanted_s = moment_s - self.at_s + self.recording.stamps[self.first]
            first = int(self.recording.stamps.searchsorted(wanted_s))
        first = min(max(first, self.first), self.stop)
        at_s = float(self.times(first, first + 1)[0]) if first < self.stop else moment_s
        return replace(self, first=first, at_s=at_s, n_before=self.n_before + first - self.first)


@dataclass(frozen=True)
class ReplayTrack:
    """One stream of a replay: its description, and what is played on it. Times are seconds of the replay.

    info: sfreq 0 for an irregular stream. format: LSL's name of the sample format. described: a description to copy, as
    pyxdf returns it. annotated: the recordings' annotations are sent on a marker stream beside it.
    """

    info: StreamInfo
    spans: tuple[RecordedSpan, ...]
    length_s: float
    format: str = "float32"
    described: Mapping[str, Any] = field(default_factory=dict)
    annotated: bool = False

    def __str__(self) -> str:
        rate = f"{self.info.sfreq:g} Hz" if self.info.sfreq else "irregular"
        return f"{self.info.name}: {len(self.info.channels)} channels, {rate}, {self.length_s:.0f} s"

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """The recordings that are played, in order."""
        return tuple(span.recording for span in self.spans)

    @property
    def n_samples(self) -> int:
        """Samples of one pass."""
        return sum(map(len, self.spans))

    @property
    def rate(self) -> float:
        """Samples per second; of an irregular stream, the mean."""
        return self.info.sfreq or self.n_samples / max(self.length_s, 1.0)

    def spans_from(self, from_s: float, every_s: float | None) -> Iterator[tuple[RecordedSpan, float]]:
        """(span, seconds to add) in order from a second of the replay on; repeated every `every_s`, if given."""
        if not self.n_samples:
            return
        for turn in itertools.count(int(from_s // every_s)) if every_s else (0,):
            base = turn * every_s if every_s else 0.0
            for span in self.spans:
                if len(rest := span.after(from_s - base)):
                    yield rest, base

    def blocks(self, from_s: float = 0.0, every_s: float | None = None) -> Iterator[tuple[Values, Times]]:
        """(values, times) as they are read from disk."""
        size = round(_READ_S * self.info.sfreq) or _READ_N
        for span, base in self.spans_from(from_s, every_s):
            for start in range(span.first, span.stop, size):
                stop = min(start + size, span.stop)
                yield span.recording.read(start, stop), base + span.times(start, stop)

    def labels(self, from_s: float = 0.0, every_s: float | None = None) -> Iterator[tuple[int, str | None]]:
        """(sample, counted from the first of `blocks`, label) in order; label None at the end of each span."""
        n_before = 0
        for span, _ in self.spans_from(from_s, every_s):
            for event in sorted(span.recording.annotations, key=lambda e: e.onset):
                sample = span.recording.index_at(event.onset)
                if span.first <= sample < span.stop:
                    yield n_before + sample - span.first, event.label
            n_before += len(span)
            yield n_before, None


def in_a_row(
    recordings: Sequence[Recording], name: str | None, start_s: float, duration_s: float | None
) -> ReplayTrack:
    """Recordings of one montage and rate, one after another; start_s and duration_s bound each of them."""
    spans: list[RecordedSpan] = []
    n_done, at_s = 0, 0.0
    for recording in recordings:
        info, end = recording.info, recording.duration_s if duration_s is None else start_s + duration_s
        span = RecordedSpan(
            recording, recording.index_at(start_s), min(recording.index_at(end), recording.n_samples), at_s, n_done
        )
        spans.append(span)
        n_done += len(span)
        if recording.stamps is None:
            at_s = n_done / info.sfreq
        elif len(span):
            at_s = float(span.times(span.stop - 1, span.stop)[0]) + 1 / info.sfreq
    own = recordings[0].info
    info = replace(own, name=name or own.name, source_id=source_id(recordings[0].path, name or own.name))
    return ReplayTrack(info, tuple(spans), at_s, annotated=True)


def as_recorded(stream: XdfStream, name: str | None, start_s: float, duration_s: float | None) -> ReplayTrack:
    """A stream of an XDF file with its own stamps; start_s and duration_s bound it on the file's clock."""
    recording, own = stream.recording, stream.recording.info
    stamps = recording.stamps
    assert isinstance(stamps, np.ndarray)
    end = np.inf if duration_s is None else start_s + duration_s
    first, stop = (int(i) for i in np.searchsorted(stamps, [start_s, end]))
    span = RecordedSpan(recording, first, stop, float(stamps[first]) - start_s if first < stop else 0.0)
    length_s = float(stamps[first:stop].max()) - start_s + (1 / own.sfreq if own.sfreq else 0.0) if len(span) else 0.0
    info = replace(
        own,
        name=f"{name}-{own.name}" if name else own.name,
        source_id=source_id(recording.path, f"{name or ''}\n{own.name}\n{stream.id}"),
    )
    return ReplayTrack(info, (span,), length_s, stream.format, stream.described)


def source_id(path: Path, name: str) -> str:
    """The same for the same file and name, so that a consumer finds the stream again after an interruption."""
    text = f"{path.resolve()}\n{name}"
    # With the key, so that nobody finds out a file's name by trying names.
    return f"rtbci-replay-{hmac.new(replay_key()[0], os.fsencode(text), hashlib.sha256).hexdigest()[:16]}"


def cut(blocks: Iterator[tuple[Values, Times]], sizes: Iterator[int]) -> Iterator[Packet]:
    """Cut blocks to packets of the given sizes; only the last one may be shorter."""
    values: Values | None = None
    times, size = np.empty(0), next(sizes)
    for block, block_times in blocks:
        values = block if values is None or not len(values) else np.concatenate([values, block])
        times = np.concatenate([times, block_times])
        at = 0
        while len(values) - at >= size:
            part = times[at : at + size]
            yield Packet(values[at : at + size], part, part, 0.0)
            at, size = at + size, next(sizes)
        values, times = values[at:], times[at:]
    if values is not None and len(values):
        yield Packet(values, times, times, 0.0)
