"""From samples to pixel columns: the extent of each trace in each column, exactly that of the line through its samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class ColumnExtents(NamedTuple):
    """columns (k,) ascending; low and high (k, n_rows), in the unit of the data."""

    columns: npt.NDArray[np.intp]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]


def column_extents(
    x: npt.NDArray[np.float64], data: npt.NDArray[np.float32], first: int, stop: int, gap: float
) -> ColumnExtents:
    """Columns `first` to `stop` that the line touches.

    x: (n,) non-decreasing, in columns; the line is broken where two samples are more than `gap` columns apart.
    """
    if not len(x) or stop <= first:
        none = np.empty((0, data.shape[1]), np.float32)
        return ColumnExtents(np.empty(0, np.intp), none, none)
    edges, rows, values = _at_edges(x, data, np.arange(first, stop + 1), gap)
    column = np.insert(np.floor(x).astype(np.intp), rows, edges)
    points = np.insert(data, rows, values, axis=0)
    starts = np.flatnonzero(np.diff(column, prepend=column[0] - 1))
    found = column[starts]
    low = np.minimum.reduceat(points, starts, axis=0)
    high = np.maximum.reduceat(points, starts, axis=0)
    # A column ends where the next begins.
    left = np.searchsorted(found, edges - 1)
    here = (left < len(found)) & (found[np.minimum(left, len(found) - 1)] == edges - 1)
    left, values = left[here], values[here]
    low[left] = np.minimum(low[left], values)
    high[left] = np.maximum(high[left], values)
    wanted = slice(*np.searchsorted(found, [first, stop]))
    return ColumnExtents(found[wanted], low[wanted], high[wanted])


def _at_edges(
    x: npt.NDArray[np.float64], data: npt.NDArray[np.float32], edges: npt.NDArray[np.intp], gap: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """(edges between two samples, the row of the later one, the line's value there)."""
    after = np.searchsorted(x, edges)
    between = (after > 0) & (after < len(x))
    edges, after = edges[between], after[between]
    step = x[after] - x[after - 1]
    whole = step <= gap
    edges, after, step = edges[whole], after[whole], step[whole]
    weight = ((edges - x[after - 1]) / step).astype(np.float32)[:, None]
    before = data[after - 1]
    return edges, after, before + weight * (data[after] - before)
