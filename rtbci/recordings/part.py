"""A part of a recording as a recording of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rtbci.recordings.recording import Recording


def part_of(recording: Recording, first: int, stop: int) -> Recording:
    """Samples `first` to `stop`, at least one; times and annotations count from the first of them.

    What an engine wrote beside the samples is not part of it, nor are annotations that begin elsewhere.
    """
    times = recording.times(first, stop)
    shift = float(times[0])
    inside = (event for event in recording.annotations if shift <= event.onset <= times[-1])
    return replace(
        recording,
        n_samples=len(times),
        read=lambda start, end: recording.read(first + start, first + end),
        annotations=tuple(replace(event, onset=event.onset - shift) for event in inside),
        start=None if recording.start is None else recording.start + timedelta(seconds=shift),
        stamps=None if recording.stamps is None else times - shift,
        background=(),
        live=None,
    )
