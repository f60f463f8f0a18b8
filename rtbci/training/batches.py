"""Batches: stateful ones of continuous recordings for taggers, batches of single trials for epoch networks."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtbci.training.augment import Augment, Augmentation
from rtbci.training.data_config import BACKGROUND
from rtbci.training.examples import Example
from rtbci.types import Samples, Times


@dataclass(frozen=True)
class Batch:
    """x (rows, time, n_channels), y (rows, steps, n_classes), known (rows, steps), fresh (rows,): where the state is zeroed.

    `known` is bool, or float32: how much each step counts in the loss. `idle` (rows,): lanes to which no recording comes any
    more; None where there is none.
    """

    x: Tensor
    y: Tensor
    known: Tensor
    fresh: Tensor
    idle: Tensor | None = None

    def to(self, device: str) -> Batch:
        x, y, known, fresh = (t.to(device) for t in (self.x, self.y, self.known, self.fresh))
        return Batch(x, y, known, fresh, self.idle)


class Batches(Protocol):
    """Those of an epoch, and how many they are."""

    @property
    def n_batches(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


def without_idle(batches: Iterable[Batch]) -> Iterator[tuple[Batch, Tensor | None]]:
    """Each batch without its idle lanes, and which rows of the batch before go on, where not all do."""
    before: Tensor | None = None
    for batch in batches:
        if batch.idle is None or not bool(batch.idle.any()):
            yield batch, None
            continue
        rows = torch.nonzero(~batch.idle).flatten()
        before = torch.arange(len(batch.idle)) if before is None else before
        carried = torch.nonzero(~batch.idle[before]).flatten()
        kept = (t[rows.to(t.device)] for t in (batch.x, batch.y, batch.known, batch.fresh))
        yield Batch(*kept), carried
        before = rows


@dataclass
class _Visit:
    """Part of an example, augmented in one way: steps `at` to `stop` are still to come."""

    example: Example
    at: int
    stop: int
    augmentation: Augmentation | None


class StatefulBatches:
    """One epoch over continuous recordings, for truncated back-propagation through time.

    Each lane (row) follows one recording from segment to segment, so that state carries on; where it ends, the rest of
    the segment is unknown, and the next segment begins another recording, `fresh`. Where none is left, the lane is idle.
    With `visit_steps` each recording is seen in part; a class that would not be seen in the epoch replaces one of these parts.
    """

    def __init__(
        self,
        examples: list[Example],
        rows: int,
        steps: int,
        rng: np.random.Generator | None = None,
        augment: Augment | None = None,
        visit_steps: int | None = None,
    ) -> None:
        self._visits = _plan(examples, rng, augment, visit_steps)
        self._rows, self._steps = rows, steps
        ends = [0] * rows  # of the lanes, in segments
        for visit in self._visits:
            heapq.heapreplace(ends, ends[0] + -(-(visit.stop - visit.at) // steps))
        self.n_batches = max(ends)

    def __iter__(self) -> Iterator[Batch]:
        waiting = iter(self._visits)
        visits: list[_Visit | None] = [None] * self._rows
        while True:
            fresh = [visit is None or visit.at >= visit.stop for visit in visits]
            visits = [next(waiting, None) if new else visit for new, visit in zip(fresh, visits, strict=True)]
            if not any(visits):
                return
            yield self._segment(visits, fresh)

    def _segment(self, visits: Sequence[_Visit | None], fresh: list[bool]) -> Batch:
        example = next(visit for visit in visits if visit).example
        rows, steps, hop = self._rows, self._steps, example.hop
        x = np.zeros((rows, steps * hop, example.x.shape[1]), np.float32)
        y = np.zeros((rows, steps, example.labels.of_run.shape[1]), np.float32)
        known = np.zeros((rows, steps), np.bool_)
        for row, visit in enumerate(visits):
            if visit is not None:
                first, last = visit.at, min(visit.at + steps, visit.stop)
                part = visit.example.x[first * hop : last * hop]
                x[row, : len(part)] = part if visit.augmentation is None else visit.augmentation(part)
                y[row, : last - first], known[row, : last - first] = visit.example.labels.part(first, last)
                visit.at = last
        idle = torch.tensor([visit is None for visit in visits])
        return Batch(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(known), torch.tensor(fresh), idle)


def _plan(
    examples: list[Example], rng: np.random.Generator | None, augment: Augment | None, visit_steps: int | None
) -> list[_Visit]:
    if rng is None:
        return [_Visit(e, 0, e.n_steps, None) for e in examples if e.n_steps]
    repeated = [e for e in examples for _ in range(e.source.repeats) if e.n_steps]
    visits = []
    for i in rng.permutation(len(repeated)):
        example = repeated[i]
        length = min(example.n_steps, visit_steps or example.n_steps)
        start = int(rng.integers(example.n_steps - length + 1))
        visits.append(_Visit(example, start, start + length, augment.draw(rng) if augment else None))
    if visit_steps is not None:
        _show_every_class(visits, rng)
    return visits


def _show_every_class(visits: list[_Visit], rng: np.random.Generator) -> None:
    """Move visits, so that no class that any of their recordings has is left out of the epoch."""
    shown = [visit.example.labels.classes_in(visit.at, visit.stop) for visit in visits]
    having = [visit.example.labels.classes_in(0, visit.example.n_steps) for visit in visits]
    for k in sorted(set().union(*having) - set().union(*shown)):
        there = [i for i, classes in enumerate(having) if k in classes]
        visit = visits[there[rng.integers(len(there))]]
        length = visit.stop - visit.at
        onsets = visit.example.labels.onsets(1, k)
        first = int(onsets[rng.integers(len(onsets))]) - int(rng.integers(length))
        visit.at = min(max(0, first), visit.example.n_steps - length)
        visit.stop = visit.at + length


class TrialBatches:
    """One epoch over trials: windows that begin at `start_s` from the onset of each labelled stretch.

    A window that does not lie wholly inside its recording, or in which samples are missing, is left out. With a single
    class, background stretches are the negative trials.

    Parameters
    ----------
    examples
        The recordings to take trials from.
    classes
        Labels of the pipeline, in the order of the network's outputs.
    window
        Samples of a trial.
    rows
        Trials of a batch; the last batch may have fewer.
    start_s
        From the onset of a stretch to the first sample of its trial, in seconds.
    rng
        Shuffles and augments; None: in order and as they are.
    augment
        What is varied at each trial.
    """

    def __init__(
        self,
        examples: list[Example],
        classes: tuple[str, ...],
        window: int,
        rows: int,
        start_s: float = 0.0,
        rng: np.random.Generator | None = None,
        augment: Augment | None = None,
    ) -> None:
        self._window, self._rows = window, rows
        self._rng, self._augment = rng, augment
        self._classes = classes
        self._trials = [
            (example, at, stretch.start, classes.index(stretch.label) if stretch.label in classes else -1)
            for example in examples
            for times in [example.times[:]]
            for stretch in example.source.stretches
            if is_trial(stretch.label, classes)
            if (at := _sample(times, stretch.start + start_s)) >= 0 and at + window <= len(times)
            if example.source.recording.stamps is None or _is_whole(times[at : at + window], stretch.start + start_s)
        ]

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def n_batches(self) -> int:
        return -(-len(self) // self._rows)

    @property
    def groups(self) -> tuple[str, ...]:
        """Of each trial in order: what it may not be split from."""
        return tuple(example.source.group or example.source.name for example, *_ in self._trials)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Of each trial in order: the index of its class; -1 for background."""
        return np.array([label for *_, label in self._trials], np.int64)

    @property
    def onsets(self) -> tuple[float, ...]:
        """Of each trial in order: the onset of its stretch, in seconds of the recording."""
        return tuple(onset for *_, onset, _ in self._trials)

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(len(self)) if self._rng is None else self._rng.permutation(len(self))
        for first in range(0, len(order), self._rows):
            yield self._batch([self._trials[i] for i in order[first : first + self._rows]])

    def _batch(self, trials: list[tuple[Example, int, float, int]]) -> Batch:
        x: list[Samples] = [example.x[at : at + self._window] for example, at, *_ in trials]
        if self._augment is not None and self._rng is not None:
            x = [self._augment.draw(self._rng)(part) for part in x]
        y = np.zeros((len(trials), 1, len(self._classes)), np.float32)
        for row, (*_, label) in enumerate(trials):
            if label >= 0:
                y[row, 0, label] = 1
        valid = np.ones((len(trials), 1), np.bool_)
        return Batch(*map(torch.from_numpy, (np.stack(x), y, valid, np.ones(len(trials), np.bool_))))


def is_trial(label: str, classes: Sequence[str]) -> bool:
    """Whether a stretch of this label is a trial: of a class, or of background where there is a single class."""
    return label in classes or (label == BACKGROUND and len(classes) == 1)


def _sample(times: Times, time: float) -> int:
    """The first sample at a time or after it; -1 where the recording began later, or has none."""
    return int(np.searchsorted(times, time - 1e-9)) if len(times) and time >= times[0] - 1e-9 else -1


def _is_whole(times: Times, time: float) -> bool:
    """Whether no sample is missing in a window from `time` on."""
    steps = np.diff(times, prepend=time)
    return len(times) < 2 or bool(steps.max() < 2.5 * np.median(steps[1:]))
