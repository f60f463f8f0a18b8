"""The long trend's numbers: each class's largest probability in each bin of the last day."""

from __future__ import annotations

import numpy as np

BIN_S = 5.0
KEEP_S = 24 * 3600.0


class TrendBins:
    """The largest value of each class in each stretch of BIN_S, for a day."""

    def __init__(self, n_classes: int, first_x: float) -> None:
        self._n = int(KEEP_S / BIN_S)
        self._top = np.full((self._n, n_classes), np.nan, np.float32)
        self._origin = first_x
        self._first = self._last = 0

    def add(self, x: np.ndarray, data: np.ndarray) -> None:
        at = np.maximum(((x - self._origin) // BIN_S).astype(np.intp), self._first)
        for k in range(int(self._last) + 1, int(at[-1]) + 1):
            self._top[k % self._n] = np.nan
        self._last = max(self._last, int(at[-1]))
        self._first = max(self._first, self._last - self._n + 1)
        place = at % self._n
        fresh = np.isnan(self._top[place])
        self._top[place] = np.where(fresh, data, self._top[place])
        np.maximum.at(self._top, place, data)

    def curves(self) -> tuple[np.ndarray, np.ndarray]:
        """(x of each bin's middle, values (n_bins, n_classes)), oldest first."""
        k = np.arange(self._first, self._last + 1)
        return self._origin + (k + 0.5) * BIN_S, self._top[k % self._n]
