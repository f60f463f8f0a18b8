"""Batches: stateful ones of continuous recordings for taggers, batches of single trials for epoch networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtbci.training.augment import Augment, Augmentation
from rtbci.training.data_config import BACKGROUND
from rtbci.training.examples import Example


@dataclass(frozen=True)
class Batch:
    """x (rows, time, n_channels), y (rows, steps, n_classes), known (rows, steps), fresh (rows,): where the state is zeroed.

    `known` is bool, or float32: how much each step counts in the loss.
    """

    x: Tensor
    y: Tensor
    known: Tensor
    fresh: Tensor

    def to(self, device: str) -> Batch:
        return Batch(*(t.to(device) for t in (self.x, self.y, self.known, self.fresh)))


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
    the segment is unknown, and the next segment begins another recording, `fresh`. StatefulBatches without one are unknown.
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

    def __iter__(self) -> Iterator[Batch]:
        waiting = iter(self._visits)
        visits: list[_Visit | None] = [None] * self._rows
        while True:
            fresh = [visit is None or visit.at >= visit.stop for visit in visits]
            visits = [next(waiting, None) if new else visit for new, visit in zip(fresh, visits, strict=True)]
            if not any(visits):
                return
            yield self._segment(visits, fresh)

    def _segment(self, visits: list[_Visit | None], fresh: list[bool]) -> Batch:
        example = next(visit for visit in visits if visit).example
        rows, steps, hop = self._rows, self._steps, example.hop
        x = np.zeros((rows, steps * hop, example.x.shape[1]), np.float32)
        y = np.zeros((rows, steps, example.y.shape[1]), np.float32)
        known = np.zeros((rows, steps), np.bool_)
        for row, visit in enumerate(visits):
            if visit is not None:
                first, last = visit.at, min(visit.at + steps, visit.stop)
                part = visit.example.x[first * hop : last * hop]
                x[row, : len(part)] = part if visit.augmentation is None else visit.augmentation(part)
                y[row, : last - first] = visit.example.y[first:last]
                known[row, : last - first] = visit.example.known[first:last]
                visit.at = last
        return Batch(*map(torch.from_numpy, (x, y, known, np.array(fresh))))


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
    return visits


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
            for stretch in example.source.stretches
            if is_trial(stretch.label, classes)
            if (at := _sample(example, stretch.start + start_s)) >= 0 and at + window <= len(example.x)
            if _is_whole(example, at, window, stretch.start + start_s)
        ]

    def __len__(self) -> int:
        return len(self._trials)

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
        x = [example.x[at : at + self._window] for example, at, *_ in trials]
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


def _sample(example: Example, time: float) -> int:
    """The first sample at a time or after it; -1 where the recording began later."""
    return int(np.searchsorted(example.times, time - 1e-9)) if time >= example.times[0] - 1e-9 else -1


def _is_whole(example: Example, at: int, window: int, time: float) -> bool:
    """Whether no sample is missing in a window from `time` on."""
    if example.source.recording.stamps is None or window < 2:
        return True
    steps = np.diff(example.times[at : at + window], prepend=time)
    return bool(steps.max() < 2.5 * np.median(steps[1:]))
