"""Where a recording that MNE reads was paused: which of MNE's samples were recorded, when, and the annotations on that clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from rtbci.recordings.stamps import Segments, gap_words
from rtbci.types import Event, Samples

Read = Callable[[int, int], Samples]

_SKIP = "BAD_ACQ_SKIP"  # MNE's annotation of what was not recorded, which it reads as zeros
_DAY_S = 86400.0
_NEW_SEGMENT = re.compile(rb"^\s*Mk\d+\s*=\s*New Segment\s*,[^,]*,\s*(\d+)\s*,[^,]*,[^,]*,\s*(\d{14,20})\s*$", re.M)
_MARKER_FILE = re.compile(rb"^\s*MarkerFile\s*=\s*(.+?)\s*$", re.M)


@dataclass(frozen=True)
class Paused:
    """A recording on its own clock. stamps: None where it was never paused."""

    n_samples: int
    read: Read
    annotations: tuple[Event, ...]
    stamps: Segments | None = None
    warnings: tuple[str, ...] = ()


def on_its_clock(path: Path, kind: str, n_samples: int, sfreq: float, read: Read, events: tuple[Event, ...]) -> Paused:
    """What MNE reads, without what was never recorded, on the clock of the file.

    Parameters
    ----------
    path, kind
        The file, and the name of its format.
    n_samples, sfreq, read, events
        As MNE reads it; its events count samples.
    """
    plain = Paused(n_samples, read, events)
    if any(event.label == _SKIP for event in events):
        return _without_skips(plain, sfreq)
    if kind == "Persyst":
        return _persyst(path, plain, sfreq)
    if kind == "BrainVision":
        return _brainvision(path, plain, sfreq)
    return plain


def _without_skips(plain: Paused, sfreq: float) -> Paused:
    recorded = np.ones(plain.n_samples, np.bool_)
    for event in plain.annotations:
        if event.label == _SKIP:
            first = max(round(event.onset * sfreq), 0)
            recorded[first : max(round((event.onset + event.duration) * sfreq), first)] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[False], recorded, [False]]).astype(np.int8)))
    spans = edges.reshape(-1, 2)  # first and stop of each part that was recorded
    if not len(spans):
        return replace(plain, n_samples=0)
    zero_s = float(spans[0, 0] / sfreq)
    lengths = spans[:, 1] - spans[:, 0]
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    stamps = Segments(
        tuple(map(int, firsts)),
        tuple(float(first / sfreq) - zero_s for first in spans[:, 0]),
        int(lengths.sum()),
        sfreq,
    )

    def read(start: int, stop: int) -> Samples:
        parts = [
            plain.read(int(span[0] + max(start - first, 0)), int(span[0] + min(stop - first, n)))
            for span, first, n in zip(spans, firsts, lengths, strict=True)
            if first < stop and start < first + n
        ]
        return np.concatenate(parts) if parts else plain.read(0, 0)

    kept = tuple(replace(e, onset=e.onset - zero_s) for e in plain.annotations if e.label != _SKIP)
    return Paused(len(stamps), read, kept, stamps, tuple(gap_words(stamps.gaps())))


def _persyst(path: Path, plain: Paused, sfreq: float) -> Paused:
    """MNE ignores when the samples were recorded, and leaves out comments that it then takes for later than the end."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in path.read_text("utf-8", "replace").splitlines():
        if line.strip().startswith("[") and line.strip().endswith("]"):
            lines = sections.setdefault(line.strip()[1:-1].lower(), [])
        elif line.strip():
            lines.append(line.strip())
    try:
        at = [
            (int(sample), float(when)) for sample, when in (line.split("=") for line in sections.get("sampletimes", []))
        ]
    except ValueError:
        return replace(plain, warnings=("its SampleTimes cannot be read; its times are counted without gaps",))
    paused = _of_starts(plain, sfreq, at, "SampleTimes", _DAY_S)
    if paused.stamps is None:
        return paused
    comments = [line.split(",", 4) for line in sections.get("comments", [])]
    try:
        events = [Event(float(c[0]), float(c[1]), c[4]) for c in comments if len(c) == 5]
    except ValueError:
        return replace(paused, warnings=(*paused.warnings, "its comments have times that cannot be read"))
    return replace(paused, annotations=tuple(sorted(events, key=lambda e: e.onset)))


def _brainvision(path: Path, plain: Paused, sfreq: float) -> Paused:
    """Its markers count samples; each new segment has its date."""
    named = _MARKER_FILE.search(path.read_bytes())
    if named is None:
        return plain
    marker_file = path.parent / named[1].decode("utf-8", "replace").replace("$b", path.stem)
    if not marker_file.is_file():
        return plain
    at: list[tuple[int, float]] = []
    for position, date in _NEW_SEGMENT.findall(marker_file.read_bytes()):
        try:
            whole = datetime.strptime(date[:14].decode(), "%Y%m%d%H%M%S")
        except ValueError:
            return plain
        fraction = float(b"0." + date[14:]) if date[14:] else 0.0
        at.append((int(position) - 1, (whole - datetime(1970, 1, 1)).total_seconds() + fraction))
    paused = _of_starts(plain, sfreq, at, "new segments", None)
    stamps = paused.stamps
    if stamps is None:
        return paused
    moved = []
    for event in plain.annotations:
        onset = _at(stamps, event.onset * sfreq)
        moved.append(replace(event, onset=onset, duration=_at(stamps, (event.onset + event.duration) * sfreq) - onset))
    return replace(paused, annotations=tuple(moved))


def _of_starts(plain: Paused, sfreq: float, at: list[tuple[int, float]], what: str, wraps_s: float | None) -> Paused:
    """With stamps by the (sample, second) at which each part begins; seconds may start anew after `wraps_s`."""
    at = [(sample, when) for sample, when in at if 0 <= sample < plain.n_samples]
    if len(at) < 2 or at[0][0] != 0:
        return plain
    firsts, onsets = [0], [0.0]
    for (_, before), (sample, when) in pairwise(at):
        due = onsets[-1] + (sample - firsts[-1]) / sfreq
        step = when - before
        if wraps_s is not None and step < 0:
            step %= wraps_s
        onset = onsets[-1] + step
        if sample <= firsts[-1] or onset < due - 1 / sfreq:
            warned = f"its {what} are not in order of time at sample {sample}; its times are counted without gaps"
            return replace(plain, warnings=(warned,))
        firsts.append(sample)
        onsets.append(onset)
    stamps = Segments(tuple(firsts), tuple(onsets), plain.n_samples, sfreq)
    if not stamps.gaps():
        return plain
    return replace(plain, stamps=stamps, warnings=tuple(gap_words(stamps.gaps())))


def _at(stamps: Segments, sample: float) -> float:
    """The time of a place between samples, as far into the segment as it is."""
    whole = min(max(int(sample + 1e-6), 0), len(stamps) - 1)
    return stamps[whole] + (sample - whole) / stamps.sfreq
