"""Answers of several methods to the same trials: each with its interval, kappa and chance, two of them by McNemar's test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from rtbci.evaluation.trial_scores import kappa as kappa
from rtbci.evaluation.trial_scores import least_above_chance as least_above_chance
from rtbci.evaluation.trial_scores import mcnemar_p

LEVEL = 0.05

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Paired:
    """McNemar's exact test: trials that only one of two methods answered rightly, and the two-sided p of that.

    References ---------- Q. McNemar, Psychometrika 12, 1947; exact by the binomial distribution.
    """

    only_first: int
    only_second: int

    @classmethod
    def of(cls, first: Flags, second: Flags) -> Paired:
        return cls(int((first & ~second).sum()), int((second & ~first).sum()))

    @property
    def p(self) -> float:
        return mcnemar_p(self.only_first, self.only_second)


def interval(right: Flags) -> tuple[float, float]:
    """95 % interval of the share of True by Clopper and Pearson (Biometrika 26, 1934), for independent trials."""
    edges = binomtest(int(right.sum()), len(right)).proportion_ci(1 - LEVEL, "exact")
    return float(edges.low), float(edges.high)
