"""Batches: recordings side by side in lanes for taggers, single trials for networks of one answer an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtbci.training.augment import Augment, Change
from rtbci.training.config import BACKGROUND
from rtbci.training.examples import Example


@dataclass(frozen=True)
class Batch:
    """x (rows, time, n_channels), y (rows, steps, n_classes), known (rows, steps), fresh (rows,): begins anew here."""

    x: Tensor
    y: Tensor
    known: Tensor
    fresh: Tensor

    def to(self, device: str) -> Batch:
        return Batch(*(t.to(device) for t in (self.x, self.y, self.known, self.fresh)))


@dataclass
class _Visit:
    """A stretch of an example, seen in one way: steps `at` to `stop` are still to come."""

    example: Example
    at: int
    stop: int
    change: Change | None


class Lanes:
    """One epoch over continuous recordings, for truncated back-propagation through time.

    Each lane (row) follows one recording from segment to segment, so that state carries on; where it ends, the rest of
    the segment is unknown, and the next segment begins another recording, `fresh`. Lanes without one are unknown.
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
        """steps: of a segment. With `rng`: shuffled, repeated and augmented; else each once, as it is."""
        self._visits = _plan(examples, rng, augment, visit_steps)
        self._rows, self._steps = rows, steps

    def __iter__(self) -> Iterator[Batch]:
        waiting = iter(self._visits)
        lanes: list[_Visit | None] = [None] * self._rows
        while True:
            fresh = [lane is None or lane.at >= lane.stop for lane in lanes]
            lanes = [next(waiting, None) if new else lane for new, lane in zip(fresh, lanes, strict=True)]
            if not any(lanes):
                return
            yield self._segment(lanes, fresh)

    def _segment(self, lanes: list[_Visit | None], fresh: list[bool]) -> Batch:
        example = next(lane for lane in lanes if lane).example
        rows, steps, hop = self._rows, self._steps, example.hop
        x = np.zeros((rows, steps * hop, example.x.shape[1]), np.float32)
        y = np.zeros((rows, steps, example.y.shape[1]), np.float32)
        known = np.zeros((rows, steps), np.bool_)
        for row, lane in enumerate(lanes):
            if lane is not None:
                first, last = lane.at, min(lane.at + steps, lane.stop)
                part = lane.example.x[first * hop : last * hop]
                x[row, : len(part)] = part if lane.change is None else lane.change(part)
                y[row, : last - first] = lane.example.y[first:last]
                known[row, : last - first] = lane.example.known[first:last]
                lane.at = last
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


class Trials:
    """One epoch over trials: windows that begin at `start_s` from the onset of each labelled stretch.

    A window that reaches out of its recording is left out. Of a single class, background is the other kind of trial.
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
            (example, at, classes.index(stretch.label) if stretch.label in classes else -1)
            for example in examples
            for stretch in example.source.stretches
            if stretch.label in classes or (stretch.label == BACKGROUND and len(classes) == 1)
            if (at := _sample(example, stretch.start + start_s)) >= 0 and at + window <= len(example.x)
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

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(len(self)) if self._rng is None else self._rng.permutation(len(self))
        for first in range(0, len(order), self._rows):
            yield self._batch([self._trials[i] for i in order[first : first + self._rows]])

    def _batch(self, trials: list[tuple[Example, int, int]]) -> Batch:
        x = [example.x[at : at + self._window] for example, at, _ in trials]
        if self._augment is not None and self._rng is not None:
            x = [self._augment.draw(self._rng)(part) for part in x]
        y = np.zeros((len(trials), 1, len(self._classes)), np.float32)
        for row, (*_, label) in enumerate(trials):
            if label >= 0:
                y[row, 0, label] = 1
        valid = np.ones((len(trials), 1), np.bool_)
        return Batch(*map(torch.from_numpy, (np.stack(x), y, valid, np.ones(len(trials), np.bool_))))


def _sample(example: Example, time: float) -> int:
    """The first sample at a time or after it; -1 where the recording began later."""
    return int(np.searchsorted(example.times, time - 1e-9)) if time >= example.times[0] - 1e-9 else -1
