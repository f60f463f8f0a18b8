"""Areas under the curve of event sensitivity over false alarms an hour: one number for all thresholds.

References
----------
K. Kontras et al., NeuroAtlas, NeurIPS 2026 (arXiv:2605.14698), appendix C.1, equations 1 and 2; the grid, the branch and the
division by the width that is reached are those of its code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

GRID = np.geomspace(0.01, 100.0, 80)  # false alarms an hour
FROM_FA_PER_H, TO_FA_PER_H = 0.1, 100.0  # of the area on a logarithmic axis
LOW_FA_PER_H = 1.0  # of the other: what a monitor that is listened to can afford

Points = Sequence[tuple[float, float]]


def descending(points: Points) -> Points:
    """The points from the threshold with the most false alarms on: below it, alarms grow together, and one that never ends
    would find every event with no false alarm at all.

    Parameters
    ----------
    points
        (false alarms an hour, sensitivity) of each threshold, from the lowest on.
    """
    rates = [rate for rate, _ in points]
    return points[rates.index(max(rates)) :] if rates else points


def log_area(points: Points) -> tuple[float, tuple[float, float]] | None:
    """Mean event sensitivity over the logarithm of the false alarms an hour, between 0.1 and 100 as far as the curve reaches.

    Parameters
    ----------
    points
        As for `descending`.

    Returns
    -------
    area, (from, to), or None
        With the rates that are reached; None where there are fewer than two points of the grid among them.
    """
    best: dict[float, float] = {}
    for rate, sensitivity in descending(points):
        best[rate] = max(sensitivity, best.get(rate, 0.0))
    rates = sorted(best)
    if not rates:
        return None
    low, high = max(FROM_FA_PER_H, rates[0]), min(TO_FA_PER_H, rates[-1])
    grid = GRID[(low <= GRID) & (high >= GRID)]
    if len(grid) < 2:
        return None
    found = np.interp(grid, rates, [best[rate] for rate in rates])
    x = np.log10(grid)
    area = np.sum((found[1:] + found[:-1]) / 2 * np.diff(x)) / (x[-1] - x[0])
    return float(area), (float(grid[0]), float(grid[-1]))


def low_area(points: Points) -> float | None:
    """Mean, over the rates from 0 to 1 false alarm an hour, of the best sensitivity that a threshold has within each.

    Steps, and no lines between: between two thresholds lies nothing that a pipeline could do. None without a point.
    """
    reached = sorted(descending(points))
    if not reached:
        return None
    area, at, best = 0.0, 0.0, 0.0
    for rate, sensitivity in reached:
        if rate >= LOW_FA_PER_H:
            break
        area += best * (rate - at)
        at, best = rate, max(best, sensitivity)
    return (area + best * (LOW_FA_PER_H - at)) / LOW_FA_PER_H
