"""What a learned selection has to beat: mutual information, backward elimination and chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import digamma

from rtbci.training.electrode_selection.segments import Ints

Features = npt.NDArray[np.float64]

NEIGHBOURS = 3
RIDGE = 1.0  # times the number of pieces, on standardised features


def by_mutual_information(features: Features, labels: Ints, k: int) -> tuple[int, ...]:
    """The k electrodes, best first, whose feature alone says most of the label. features: (n, n_channels)."""
    information = [mutual_information(column, labels) for column in features.T]
    return tuple(np.argsort(information, kind="stable")[::-1][:k].tolist())


def mutual_information(values: Features, labels: Ints, neighbours: int = NEIGHBOURS) -> float:
    """Nats between a continuous value and a label, both (n,), by nearest neighbours (B. Ross, PLoS ONE 9(2), 2014)."""
    kept = np.isin(labels, [c for c in np.unique(labels) if np.sum(labels == c) > 1])
    values, labels = values[kept], labels[kept]
    n = len(values)
    if n == 0:
        return 0.0
    terms = []
    for label in np.unique(labels):
        own = values[labels == label]
        k = min(neighbours, len(own) - 1)
        # The first of the sorted distances is a value's own, zero.
        reach = np.sort(np.abs(own[:, None] - own), axis=1)[:, k]
        within = (np.abs(own[:, None] - values) <= reach[:, None]).sum(1) - 1
        terms.append(digamma(k) - digamma(len(own)) - digamma(np.maximum(within, 1)))
    shares = np.concatenate(terms) if terms else np.zeros(1)
    return max(0.0, float(digamma(n) + shares.mean()))


def by_backward_elimination(features: Features, labels: Ints, k: int) -> tuple[int, ...]:
    """From all electrodes, the least missed is left out until k are left; the order is that of the montage.

    What is missed is judged by a stand-in for the network: a ridge regression of the labels on the features, by its
    leave-one-out error.
    """
    x = (features - features.mean(0)) / np.maximum(features.std(0), 1e-9)
    y = (labels[:, None] == np.unique(labels)).astype(np.float64)
    y -= y.mean(0)
    left = list(range(x.shape[1]))
    while len(left) > k:
        errors = [left_out_error(x[:, [e for e in left if e != out]], y) for out in left]
        left.pop(int(np.argmin(errors)))
    return tuple(left)


def left_out_error(x: Features, y: Features) -> float:
    """Mean squared leave-one-out error of a ridge regression, in closed form; x (n, p) and y (n, q) are centred."""
    n = len(x)
    # The mean is fitted too: hence 1 / n.
    hat = x @ np.linalg.solve(x.T @ x + RIDGE * n * np.eye(x.shape[1]), x.T) + 1 / n
    return float(np.mean(((y - hat @ y) / (1 - np.diag(hat))[:, None]) ** 2))


def at_random(n_channels: int, k: int, seed: int) -> tuple[int, ...]:
    """k of the electrodes by a seed."""
    return tuple(sorted(np.random.default_rng([seed, k]).permutation(n_channels)[:k].tolist()))
