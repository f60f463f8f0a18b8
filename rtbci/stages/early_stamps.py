"""The first stamps of a stream, kept until it is known whether its device made them; for the floor of the stamps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtbci.stages.stamp_runs import EXACT_S
from rtbci.types import Times

_OFF = 2e-4  # s/s; a device's clock is off by less


class EarlyLoss(NamedTuple):
    """Samples lost, at one step or more; samples since the first step; the true period, s; the newest stamp."""

    n_missing: int
    n_since: int
    period: float
    newest: float


class EarlyStamps:
    """Stamps on one grid, with steps of whole periods between them that nobody could judge when they came.

    Parameters
    ----------
    period
        Nominal, in seconds of the stamps' clock.
    n_regular, n_device
        Samples on the grid after the last step, or in all, by which its steps are known to be losses.
    """

    def __init__(self, period: float, n_regular: int, n_device: int) -> None:
        self.period, self._n_regular, self._n_device = period, n_regular, n_device
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._stamps: Times = np.empty(0)
        self._newest = -np.inf
        self.has_steps = False  # something may have been lost

    def add(self, stamps: Times) -> None:
        """Keep those since stamps left their grid, or since one that came out of order."""
        stamps = np.concatenate([self._stamps, stamps])
        steps = np.diff(stamps)
        whole = np.rint(steps / self.period)
        newest = np.maximum.accumulate(np.concatenate([[self._newest], stamps]))
        behind = np.flatnonzero(stamps[len(self._stamps) :] < newest[len(self._stamps) : -1] + self.period / 2)
        off = np.flatnonzero((whole < 1) | (np.abs(steps - whole * self.period) > EXACT_S + _OFF * np.abs(steps)))
        first = int(off[-1]) + 1 if len(off) else 0
        if len(behind):
            first = max(first, len(self._stamps) + int(behind[-1]) + 1)
        self._newest = float(newest[-1])
        self._stamps, self.has_steps = stamps[first:], bool((whole[first:] > 1).any())

    def loss(self) -> EarlyLoss | None:
        """What was lost, once that is certain."""
        if not self.has_steps:
            return None
        steps = np.diff(self._stamps)
        wide = np.flatnonzero(steps > 1.5 * self.period)
        if len(steps) - int(wide[-1]) <= self._n_regular and len(steps) < self._n_device:
            return None
        period = float(np.delete(steps, wide).mean())
        whole = np.rint(steps[wide] / period)
        if (np.abs(steps[wide] - whole * period) > EXACT_S + 2e-5 * steps[wide]).any():
            self.clear()
            return None
        return EarlyLoss(int((whole - 1).sum()), len(steps) - int(wide[0]), period, float(self._stamps[-1]))
