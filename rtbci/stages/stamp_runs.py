"""How the stamps of samples follow each other: pushed together, each on its own, or on the grid of a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.types import Times

EXACT_S = 2e-6  # stamps that are this near to a grid are on it
TOGETHER = 0.25  # periods; samples whose stamps are closer came together


@dataclass(slots=True)
class Counts:
    """Samples that begin a run; that leave the grid of those before; that bear no time of their own."""

    runs: int = 0
    odd: int = 0
    shared: int = 0


class StampRuns:
    """Sorts samples by the step from the stamp before.

    A run shares one delay, as a pushed chunk does: its stamps are a period apart, or as far as those before, or equal.
    Stamps leave the grid by a step that is no whole number of periods, or none. What is a nominal period behind its elder,
    as liblsl counts the stamps of a chunk, or has the same stamp, bears no time of its own.

    Parameters
    ----------
    period
        Nominal, in seconds of the stamps' clock.
    """

    def __init__(self, period: float) -> None:
        self.set_period(period)
        self.reset()

    def set_period(self, period: float) -> None:
        """Continue with another period."""
        self._period = period
        self._exact = EXACT_S + 1e-4 * period

    def reset(self) -> None:
        self.last = self.last_step = 0.0
        self.regular = 0  # samples since stamps left their grid

    def begin(self, stamp: float) -> None:
        """The first stamp."""
        self.last, self.last_step = stamp - self._period, self._period

    def take(self, stamps: list[float], period: float, counts: Counts) -> None:
        """Take the next few samples, and count them; period: the true one."""
        last, before, regular, nominal, exact = self.last, self.last_step, self.regular, self._period, self._exact
        for stamp in stamps:
            step = stamp - last
            last = stamp
            regular += 1
            if -exact < step - nominal < exact:
                counts.shared += 1
            elif abs(step) < TOGETHER * nominal:
                counts.shared += 1
                counts.odd += 1
                regular = 0
            elif not -exact < step - before < exact:
                counts.runs += 1
                whole = round(step / period)
                if whole < 1 or abs(step - whole * period) > exact + 2e-5 * abs(step):
                    counts.odd += 1
                    regular = 0
            before = step
        self.last, self.last_step, self.regular = last, before, regular

    def take_all(self, stamps: Times, odd: npt.NDArray[np.bool_] | None) -> None:
        """Take many that were sorted."""
        if len(stamps):
            self.last_step = float(stamps[-1] - (stamps[-2] if len(stamps) > 1 else self.last))
            self.last = float(stamps[-1])
            at = np.flatnonzero(odd) if odd is not None else np.empty(0, np.intp)
            self.regular = len(stamps) - 1 - int(at[-1]) if len(at) else self.regular + len(stamps)

    def sort(self, stamps: Times, period: float) -> npt.NDArray[np.bool_] | None:
        """(3, n_samples): whether each begins a run, leaves the grid, bears no time of its own; None: all are regular."""
        steps: Times = np.empty(len(stamps) + 1)
        steps[0] = self.last_step
        steps[1] = stamps[0] - self.last
        np.subtract(stamps[1:], stamps[:-1], out=steps[2:])
        now = steps[1:]
        nominal = np.abs(now - self._period) < self._exact
        if nominal.all():
            return None
        together = (np.abs(now) < TOGETHER * self._period) & ~nominal
        runs = ~(nominal | together) & (np.abs(now - steps[:-1]) >= self._exact)
        whole = np.rint(now / period)
        off = (whole < 1) | (np.abs(now - whole * period) > self._exact + 2e-5 * np.abs(now))
        return np.array([runs, (runs & off) | together, nominal | together])
