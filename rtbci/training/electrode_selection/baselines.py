"""Baselines for a learned selection: mutual information, backward elimination and random sets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtbci.training.electrode_selection.segments import Ints

Features = npt.NDArray[np.float64]

RIDGE = 1.0  # times the number of segments, on standardised features


def by_mutual_information(features: Features, labels: Ints, k: int) -> tuple[int, ...]:
    """The k electrodes with the highest mutual information between feature and label, estimated by nearest neighbours.

    Parameters
    ----------
    features
        (n, n_channels)
    labels
        (n,)
    k
        Number of electrodes.

    Returns
    -------
    tuple of int
        The best first.

    References
    ----------
    B. Ross, PLoS ONE 9(2), 2014.
    """
    from sklearn.feature_selection import mutual_info_classif

    repeated = len(set(labels.tolist())) < len(labels)  # labels that all occur once carry no information
    information = mutual_info_classif(features, labels, random_state=0) if repeated else np.zeros(features.shape[1])
    return tuple(np.argsort(information, kind="stable")[::-1][:k].tolist())


def by_backward_elimination(features: Features, labels: Ints, k: int) -> tuple[int, ...]:
    """Remove the least important electrode until k are left.

    Importance is measured on a substitute for the network: the leave-one-out error of a ridge classifier.

    Parameters
    ----------
    features
        (n, n_channels)
    labels
        (n,)
    k
        Number of electrodes.

    Returns
    -------
    tuple of int
        In the order of the montage.
    """
    from sklearn.preprocessing import scale

    x = scale(features)
    left = list(range(x.shape[1]))
    while len(left) > k:
        errors = [left_out_error(x[:, [e for e in left if e != out]], labels) for out in left]
        left.pop(int(np.argmin(errors)))
    return tuple(left)


def left_out_error(x: Features, labels: Ints) -> float:
    """Mean squared leave-one-out error of a ridge regression of the classes, each as -1 or 1; x (n, p), labels (n,)."""
    from sklearn.linear_model import RidgeClassifierCV

    return -float(RidgeClassifierCV(alphas=[RIDGE * len(x)]).fit(x, labels).best_score_)


def at_random(n_channels: int, k: int, seed: int) -> tuple[int, ...]:
    """k of the electrodes, drawn by a seed."""
    return tuple(sorted(np.random.default_rng([seed, k]).permutation(n_channels)[:k].tolist()))
