"""Labels of a recording's steps, as runs of equal ones: a night takes no more memory than its events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rtbci.training.data_config import BACKGROUND, UNKNOWN
from rtbci.training.source import Source
from rtbci.types import Flags, Samples

Steps = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StepLabels:
    """Which classes hold at each step, and whether that is known.

    Attributes
    ----------
    starts
        First step of each run, (n_runs,).
    n_steps
        Of all runs.
    of_run
        (n_runs, n_classes), 0 or 1.
    known_of_run
        (n_runs,), whether the label is known and the samples are valid.
    """

    starts: Steps
    n_steps: int
    of_run: Samples
    known_of_run: Flags

    @classmethod
    def of(cls, y: Samples, known: Flags) -> StepLabels:
        """From a label (n_steps, n_classes), and whether it is known (n_steps,), at each step."""
        changes = (y[1:] != y[:-1]).any(axis=1) | (known[1:] != known[:-1])
        starts = np.concatenate([np.zeros(min(1, len(known)), np.int64), np.flatnonzero(changes) + 1])
        return cls(starts, len(known), y[starts], known[starts])

    def part(self, start: int, stop: int) -> tuple[Samples, Flags]:
        """(n, n_classes) and (n,) of steps `start` to `stop`."""
        runs = np.searchsorted(self.starts, np.arange(start, min(stop, self.n_steps)), side="right") - 1
        return self.of_run[runs], self.known_of_run[runs]

    def classes_in(self, start: int, stop: int) -> set[int]:
        """The classes that are known to hold somewhere from step `start` to `stop`."""
        here = self.known_of_run & (self.starts < stop) & (self.starts + self.lengths > start)
        return set(np.flatnonzero((self.of_run[here] > 0.5).any(axis=0)).tolist())

    def holds(self, k: int) -> set[bool]:
        """Whether class k is known to hold at some step, and not to hold at some step."""
        return {bool(value > 0.5) for value in self.of_run[self.known_of_run, k]}

    @cached_property
    def lengths(self) -> Steps:
        """Steps of each run."""
        return np.diff(self.starts, append=self.n_steps)

    @property
    def is_known(self) -> bool:
        """Whether the label of any step is."""
        return bool(self.known_of_run.any())

    @property
    def known_span(self) -> tuple[int, int]:
        """From the first step whose label is known to behind the last."""
        runs = np.flatnonzero(self.known_of_run)
        return int(self.starts[runs[0]]), int(self.starts[runs[-1]] + self.lengths[runs[-1]])

    @cached_property
    def n_holding(self) -> Steps:
        """(n_classes,) steps at which each class is known to hold."""
        counts: Steps = (self.of_run[self.known_of_run] > 0.5).T.astype(np.int64) @ self.lengths[self.known_of_run]
        return counts

    @cached_property
    def n_known(self) -> int:
        """Steps whose label is known."""
        return int(self.lengths[self.known_of_run].sum())

    def onsets(self, apart: int, k: int | None = None) -> Steps:
        """Steps at which a class (k; None: any) begins to hold, more than `apart` steps after one last held."""
        held = self.of_run.any(axis=1) if k is None else self.of_run[:, k] > 0.5
        runs = np.flatnonzero(self.known_of_run & held)
        last = self.starts[runs] + self.lengths[runs] - 1
        before = np.concatenate([[-apart - 2], last[:-1]])[: len(runs)]
        found: Steps = self.starts[runs][self.starts[runs] - before > apart]
        return found


def label_steps(times: npt.NDArray[np.float64], source: Source, classes: tuple[str, ...]) -> tuple[Samples, Flags]:
    """Label each step by the time of its newest sample.

    Where stretches overlap, "unknown" has priority, then classes; two classes may hold at once.

    Parameters
    ----------
    times
        (n_steps,), seconds.
    source
        The recording's labels.
    classes
        Of the pipeline.

    Returns
    -------
    y, known
        (n_steps, n_classes) of 0 and 1; bool (n_steps,).
    """
    y = np.zeros((len(times), len(classes)), np.float32)
    rest = np.array([name == BACKGROUND for name in classes], np.float32)
    y[:] = rest
    known = np.full(len(times), source.elsewhere != UNKNOWN)
    rank = {BACKGROUND: 0, UNKNOWN: 2}
    for stretch in sorted(source.stretches, key=lambda s: rank.get(s.label, 1)):
        here = (times >= stretch.start) & (times < stretch.stop)
        known[here] = stretch.label != UNKNOWN
        if stretch.label in classes and stretch.label != BACKGROUND:
            y[here] = np.maximum(y[here] - rest, 0)
            y[here, classes.index(stretch.label)] = 1
    return y, known
