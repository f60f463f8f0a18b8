"""Means over subjects with their spread: each subject counts once, and the intervals are of other subjects like these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtbci.results import Result

DRAWS = 10_000  # of the bootstrap


class Interval(Result):
    """A mean over subjects, with the 95 % interval of a bootstrap over subjects; null where there are none."""

    mean: float | None
    """Each subject counts once."""
    low: float | None
    """2.5th percentile."""
    high: float | None
    """97.5th percentile; with few subjects the interval is too narrow."""
    subjects: int
    """That have the figure."""


class Spread(Interval):
    """The same with the standard deviation, as SzCORE's own evaluator reports a figure over subjects."""

    std: float | None
    """Over subjects, of all of them (not of a sample)."""


def interval(values: Sequence[float], seed: int) -> Interval:
    """Mean of values, one a subject, and the 95 % percentile interval of a bootstrap over subjects."""
    if not values:
        return Interval(mean=None, low=None, high=None, subjects=0)
    mean, low, high = (round(value, 4) for value in (float(np.mean(values)), *_edges(values, seed)))
    return Interval(mean=mean, low=low, high=high, subjects=len(values))


def spread(values: Sequence[float], seed: int) -> Spread:
    """The same with the standard deviation; mean and deviation to the last digit."""
    if not values:
        return Spread(mean=None, low=None, high=None, subjects=0, std=None)
    low, high = (round(value, 4) for value in _edges(values, seed))
    return Spread(mean=float(np.mean(values)), low=low, high=high, subjects=len(values), std=float(np.std(values)))


def _edges(values: Sequence[float], seed: int) -> tuple[float, float]:
    array = np.asarray(values)
    drawn = np.random.default_rng([seed, 23]).integers(len(array), size=(DRAWS, len(array)))
    low, high = np.percentile(array[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
