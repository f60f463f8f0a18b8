"""How sure a share is: Wilson's interval for independent trials, the bootstrap over whole groups for others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm


def wilson(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval of a share of n independent trials (E. Wilson, JASA 22, 1927)."""
    z = float(norm.ppf(0.5 + level / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(
    values: npt.NDArray[np.float64], groups: npt.NDArray[np.generic], level: float = 0.95, n_draws: int = 2000
) -> tuple[float, float] | None:
    """The percentile interval of the mean of values (n,), drawing whole groups (n,); None with a single group."""
    _, index = np.unique(groups, return_inverse=True)
    if index.max() == 0:
        return None
    totals, counts = np.bincount(index, values), np.bincount(index)
    drawn = np.random.default_rng(0).integers(len(counts), size=(n_draws, len(counts)))
    means = totals[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
