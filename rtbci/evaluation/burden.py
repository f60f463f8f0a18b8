"""Seizure burden: how much of each five minutes is seizure, for the expert and for the pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from rtbci.evaluation.responses import Scored, united
from rtbci.results import Result

WINDOW_S = 300.0
LEAST_S = 60.0  # of the last window of a recording
BURDENS = (0.1, 0.5, 0.9)


class BurdenRow(Result):
    """Agreement on whether the burden of a window reaches a share; windows with unknown time are left out."""

    at_least: float
    """Share of a window that is seizure."""
    windows_at_least: int
    """Windows in which the expert's burden is that, or more."""
    positive_agreement: float | None
    """Share of these in which the pipeline's is, too; null where there are none."""
    positive_agreement_low: float | None
    """Lower end of its exact 95 % interval (C. Clopper and E. Pearson, Biometrika 26, 1934), as if windows were independent."""
    windows_below: int
    """Windows in which the expert's burden is less."""
    negative_agreement: float | None
    """Share of these in which the pipeline's is, too."""
    negative_agreement_low: float | None
    """Lower end of its exact 95 % interval, likewise."""


def burden_rows(recordings: Iterable[Scored]) -> tuple[BurdenRow, ...]:
    """A row for each burden of `BURDENS`; windows of five minutes, the last of a recording at least one minute long."""
    windows = [pair for one in recordings for pair in _windows(one)]
    rows = []
    for share in BURDENS:
        above = [found >= share for truth, found in windows if truth >= share]
        below = [found < share for truth, found in windows if truth < share]
        (positive, positive_low), (negative, negative_low) = _agreement(above), _agreement(below)
        rows.append(
            BurdenRow(
                at_least=share,
                windows_at_least=len(above),
                positive_agreement=positive,
                positive_agreement_low=positive_low,
                windows_below=len(below),
                negative_agreement=negative,
                negative_agreement_low=negative_low,
            )
        )
    return tuple(rows)


def _windows(one: Scored) -> list[tuple[float, float]]:
    """(expert's, pipeline's) burden of each window."""
    truth, found, unknown = (united(events, one.duration_s) for events in (one.truth, one.found, one.unknown))
    pairs, start = [], 0.0
    while one.duration_s - start >= LEAST_S:
        stop = min(start + WINDOW_S, one.duration_s)
        if not _covered(unknown, start, stop):
            pairs.append(tuple(_covered(spans, start, stop) / (stop - start) for spans in (truth, found)))
        start = stop
    return [(a, b) for a, b in pairs]


def _covered(spans: Iterable[tuple[float, float]], start: float, stop: float) -> float:
    return sum(max(0.0, min(b, stop) - max(a, start)) for a, b in spans)


def _agreement(agrees: list[bool]) -> tuple[float | None, float | None]:
    from scipy import stats

    if not agrees:
        return None, None
    interval = stats.binomtest(sum(agrees), len(agrees)).proportion_ci(method="exact")
    return sum(agrees) / len(agrees), float(interval.low)
