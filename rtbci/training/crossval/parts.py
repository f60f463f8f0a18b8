"""Recordings cut into parts with trials in them, so that a fit reads no sample of a part that it does not train on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from rtbci.errors import ConfigError
from rtbci.recordings.part import part_of
from rtbci.text import listing
from rtbci.training.batches import is_trial
from rtbci.training.config import TrainConfig
from rtbci.training.cross_validation import deal
from rtbci.training.data import with_sizes
from rtbci.training.source import Source, Stretch


@dataclass(frozen=True)
class Window:
    """A trial: its stretch, and from when to when samples are read for it, in seconds of the recording."""

    stretch: Stretch
    start: float
    stop: float


def window_of(config: TrainConfig) -> int | None:
    """Samples of a trial; None where the network is a tagger."""
    window: int | None = getattr(with_sizes(config.pipeline).model, "window", None)
    return window


def published_as(source: Source) -> str:
    """The recording that a source is of: itself, or the published one of a dataset of independent trials."""
    return source.category if source.group == source.category else source.name


def windows_of(source: Source, config: TrainConfig) -> list[Window]:
    """The trials that lie inside the recording, by their onset."""
    start_s, sfreq = config.trials.start_s, config.pipeline.sfreq
    # One period more than the window: after a change of rate its first sample may be that much later.
    length_s = ((window_of(config) or 0) + 1) / sfreq
    stretches = sorted(
        (s for s in source.stretches if is_trial(s.label, config.pipeline.classes)), key=lambda s: s.start
    )
    found = [Window(s, s.start + start_s, s.start + start_s + length_s) for s in stretches]
    return [one for one in found if one.start >= 0 and one.stop <= source.recording.duration_s + 1.5 / sfreq]


def with_trials(sources: Sequence[Source], config: TrainConfig, on_warning: Callable[[str], None]) -> list[Source]:
    """Sources that have a trial; the others are told. Raises ConfigError where none has."""
    bare = [source.name for source in sources if not windows_of(source, config)]
    if sources and len(bare) == len(sources):
        raise ConfigError(
            f"no trial of {listing(config.pipeline.classes)} lies inside a recording; check the labels of the data, "
            "trials.start_s and the network's window"
        )
    if bare:
        on_warning(f"left out, for no trial of the classes lies inside them: {listing(bare)}")
    return [source for source in sources if source.name not in bare]


def parts_of(
    sources: Sequence[Source],
    problem: Callable[[Source], str],
    config: TrainConfig,
    on_warning: Callable[[str], None],
) -> list[Source]:
    """Every recording in `crossval.folds` parts; what a part is called is its subject.

    Parameters
    ----------
    sources
        Recordings with trials.
    problem
        What of them is cross-validated together, by its name.
    config
        The training run.
    on_warning
        Told of trials that are left out.

    Returns
    -------
    list of Source
        Parts, each as a recording of its own; independent trials as they are.

    Raises
    ------
    ConfigError
        If a recording has fewer trials than parts.
    """
    by_recording: dict[str, list[Source]] = {}
    for source in sources:
        by_recording.setdefault(published_as(source), []).append(source)
    made: list[Source] = []
    n_reaching, digits = 0, len(str(config.crossval.folds))
    for number, (name, own) in enumerate(by_recording.items()):
        is_single = own[0].name != name
        windows = [windows_of(source, config)[0] for source in own] if is_single else windows_of(own[0], config)
        if len(windows) < config.crossval.folds:
            raise ConfigError(
                f"{name} has {len(windows)} trials, fewer than the {config.crossval.folds} parts of crossval.folds; lower it, "
                "or leave the recording out"
            )
        pieces = own if is_single else _cut(own[0], windows, config)
        dealt = _dealt(windows, is_single or config.crossval.shuffle, config, number)
        for piece, part in zip(pieces, dealt, strict=True):
            if piece.stretches:
                made.append(replace(piece, subject=f"{problem(piece)}, part {part + 1:0{digits}d}"))
        n_reaching += 0 if is_single else len(windows) - sum(len(piece.stretches) for piece in pieces)
    if n_reaching:
        on_warning(f"{n_reaching} trials are left out, for their windows reach into the next part")
    return made


def _dealt(windows: Sequence[Window], is_dealt: bool, config: TrainConfig, number: int) -> list[int]:
    """The part of each piece: a piece a trial where they are dealt, else a piece a block."""
    n_parts, classes = config.crossval.folds, config.pipeline.classes
    if not is_dealt:
        return list(range(n_parts))
    labels = [classes.index(w.stretch.label) if w.stretch.label in classes else -1 for w in windows]
    parts = deal(list(map(str, range(len(windows)))), labels, n_parts, [config.crossval.seed, 31, number])
    return [next(i for i, part in enumerate(parts) if str(n) in part) for n in range(len(windows))]


def _cut(source: Source, windows: Sequence[Window], config: TrainConfig) -> list[Source]:
    """A piece for each block of its trials, or for each trial where these are dealt.

    A piece ends with the last window of its trials, and the next one begins there; what lies between two windows so comes
    before the later one, for the filters to settle. Windows that reach into the next piece are not kept.
    """
    n, word = (len(windows), "trial") if config.crossval.shuffle else (config.crossval.folds, "part")
    blocks = [[windows[i] for i in indices] for indices in np.array_split(np.arange(len(windows)), n)]
    edges = [0.0]
    for before, after in pairwise(blocks):
        edges.append(min(max(edges[-1], *(w.stop for w in before)), after[0].start))
    edges.append(max(source.recording.duration_s, blocks[-1][-1].stop) + 1.0)
    return [
        _piece(source, block, span, f"{source.name}, {word} {number}")
        for number, (block, span) in enumerate(zip(blocks, pairwise(edges), strict=True), 1)
    ]


def _piece(source: Source, block: Iterable[Window], span: tuple[float, float], name: str) -> Source:
    """Samples of a span, with the trials that lie inside it."""
    recording = source.recording
    first = min(recording.index_at(span[0]), recording.n_samples - 1)
    stop = max(first + 1, min(recording.index_at(span[1]), recording.n_samples))
    shift = float(recording.times(first, first + 1)[0])
    kept = tuple(w.stretch for w in block if span[0] <= w.start and w.stop <= span[1])
    moved = tuple(Stretch(s.start - shift, s.stop - shift, s.label) for s in kept)
    return replace(
        source,
        name=name,
        recording=part_of(recording, first, stop),
        stretches=moved,
        labels=None,
        warnings=(),
        part_of=replace(source, stretches=kept),
    )
