"""How good the probabilities themselves are: told apart, and calibrated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtbci.results import Result

N_BINS = 10


class ReliabilityBin(Result):
    """Scores whose probability lies in an interval."""

    low: float
    """From this probability on."""
    high: float
    """Below this one; 1 lies in the last bin."""
    hops: int
    """Number of scores."""
    mean_probability: float | None
    """Of these; null where there are none."""
    observed: float | None
    """Share of these during which the class held."""


class Calibration(Result):
    """Whether a probability means what it says: of hops with a valid score and a known label, before smoothing."""

    hops: int
    """Number of scores."""
    prevalence: float | None
    """Share of them during which a class held."""
    brier: float | None
    """Mean squared difference of probability and truth (G. Brier, Monthly Weather Review 78, 1950)."""
    calibration_error: float | None
    """Mean distance of probability and observed share over the bins, weighted by their hops."""
    auroc: float | None
    """Area under the ROC curve of all hops together."""
    average_precision: float | None
    """Area under the precision-recall curve of all hops together."""
    bins: tuple[ReliabilityBin, ...]
    """Reliability: of ten equal intervals of the probability."""


def mean_auroc(scores: np.ndarray, truth: np.ndarray) -> float | None:
    """Area under the ROC curve, averaged over the classes that have positive and negative steps.

    Parameters
    ----------
    scores, truth
        (n_steps, n_classes)

    Returns
    -------
    float or None
        None where no class has both, or a score is not finite.
    """
    from sklearn.metrics import roc_auc_score

    if not np.isfinite(scores).all():
        return None
    areas = [roc_auc_score(t, s) for s, t in zip(scores.T, truth.T, strict=True) if t.any() and not t.all()]
    return float(np.mean(areas)) if areas else None


def calibration(scores: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_]) -> Calibration:
    """Of one class, or of the largest probability of several against whether one of them holds.

    Parameters
    ----------
    scores, truth
        (n_hops, n_classes), finite.
    """
    from sklearn.metrics import average_precision_score

    p = scores.max(axis=1).astype(np.float64) if scores.size else np.empty(0)
    y = np.asarray(truth.any(axis=1))
    bins = [_bin(p, y, low / N_BINS, (low + 1) / N_BINS) for low in range(N_BINS)]
    filled = [(one.hops, one.mean_probability, one.observed) for one in bins]
    error = sum(n * abs(mean - share) for n, mean, share in filled if mean is not None and share is not None)
    return Calibration(
        hops=len(p),
        prevalence=float(y.mean()) if len(p) else None,
        brier=float(np.mean((p - y) ** 2)) if len(p) else None,
        calibration_error=error / len(p) if len(p) else None,
        auroc=mean_auroc(p[:, None], y[:, None]),
        average_precision=float(average_precision_score(y, p)) if y.any() else None,
        bins=tuple(bins),
    )


def _bin(p: npt.NDArray[np.float64], y: npt.NDArray[np.bool_], low: float, high: float) -> ReliabilityBin:
    here = (p >= low) & ((p < high) | (high >= 1))
    n = int(np.count_nonzero(here))
    return ReliabilityBin(
        low=low,
        high=high,
        hops=n,
        mean_probability=float(p[here].mean()) if n else None,
        observed=float(y[here].mean()) if n else None,
    )
