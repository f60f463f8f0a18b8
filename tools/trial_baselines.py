"""The two usual classifiers of motor imagery: CSP with LDA, and the tangent space with logistic regression.

Both are fitted to trials (n, time, n_channels) that are in the pass band, with labels (n,). Nothing is searched for: four
CSP filters as in MNE's example of motor imagery, shrinkage by the formulas of Ledoit and Wolf and of OAS, C = 1.
"""

from __future__ import annotations

from collections.abc import Callable

import mne
import numpy as np
import numpy.typing as npt
from mne.decoding import CSP
from scipy.linalg import eigvalsh
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.covariance import oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

Floats = npt.NDArray[np.float64]

N_FILTERS = 4


def csp_lda(n_channels: int) -> Pipeline:
    """Log power behind common spatial patterns, and LDA with shrinkage.

    References
    ----------
    B. Blankertz et al., IEEE Signal Processing Magazine 25(1), 2008. O. Ledoit, M. Wolf, J. Multivariate Analysis 88, 2004.
    """
    csp = QuietCSP(n_components=min(N_FILTERS, n_channels))
    return make_pipeline(
        FunctionTransformer(channels_first), csp, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    )


def tangent_space_regression() -> Pipeline:
    """Covariances in the tangent space of their Riemannian mean, and logistic regression.

    References
    ----------
    A. Barachant et al., IEEE TBME 59(4), 2012. Y. Chen et al., IEEE Trans. Signal Processing 58(10), 2010 (OAS).
    """
    return make_pipeline(FunctionTransformer(covariances), TangentSpace(), LogisticRegression(max_iter=1000))


class QuietCSP(CSP):  # type: ignore[misc]
    """MNE's, which else tells at each fit how it found the rank."""

    def fit(self, x: Floats, y: npt.NDArray[np.int64]) -> QuietCSP:
        with mne.use_log_level("error"):
            super().fit(x, y)
        return self


class TangentSpace(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Covariances (n, c, c) to vectors (n, c (c + 1) / 2): logarithms at the mean of the covariances that were fitted."""

    def fit(self, x: Floats, y: object = None) -> TangentSpace:
        self.mean_ = riemannian_mean(x)
        return self

    def transform(self, x: Floats) -> Floats:
        at_mean = of_eigenvalues(inverse_root, self.mean_)
        logarithms = of_eigenvalues(np.log, at_mean @ x @ at_mean)
        rows, columns = np.triu_indices(x.shape[-1])
        # An entry off the diagonal stands for two, so that lengths are kept.
        return logarithms[:, rows, columns] * np.where(rows == columns, 1, np.sqrt(2))


def channels_first(x: npt.NDArray[np.float32]) -> Floats:
    """(n, time, n_channels) to (n, n_channels, time), as MNE wants them."""
    return x.transpose(0, 2, 1).astype(np.float64)


def covariances(x: npt.NDArray[np.float32]) -> Floats:
    """(n, time, n_channels) to (n, n_channels, n_channels), shrunk by OAS."""
    return np.stack([oas(trial)[0] for trial in x.astype(np.float64)])


def riemannian_mean(matrices: Floats, tolerance: float = 1e-10, most: int = 200) -> Floats:
    """The matrix with the least sum of squared Riemannian distances to positive definite matrices (n, c, c).

    The mean of the logarithms at an estimate is the step to the next one. Raises ValueError where it does not end.

    References
    ----------
    M. Moakher, SIAM J. Matrix Analysis 26(3), 2005; algorithm 1 of A. Barachant et al., IEEE TBME 59(4), 2012.
    """
    mean = matrices.mean(0)
    for _ in range(most):
        root, inverse = of_eigenvalues(np.sqrt, mean), of_eigenvalues(inverse_root, mean)
        step = of_eigenvalues(np.log, inverse @ matrices @ inverse).mean(0)
        mean = root @ of_eigenvalues(np.exp, step) @ root
        mean = (mean + mean.T) / 2
        if np.linalg.norm(step) < tolerance * np.sqrt(len(mean)):
            return mean
    raise ValueError(f"no Riemannian mean after {most} steps: the last one was {np.linalg.norm(step):.1e} long")


def distance(a: Floats, b: Floats) -> float:
    """Riemannian distance of positive definite matrices (c, c): the length of the logarithms of their joint eigenvalues.

    References
    ----------
    W. Förstner, B. Moonen, A metric for covariance matrices, 1999.
    """
    return float(np.linalg.norm(np.log(eigvalsh(a, b))))


def inverse_root(values: Floats) -> Floats:
    """1 / √x."""
    return 1 / np.sqrt(values)


def of_eigenvalues(function: Callable[[Floats], Floats], matrices: Floats) -> Floats:
    """A function of symmetric matrices (…, c, c) by their eigenvalues."""
    values, vectors = np.linalg.eigh((matrices + matrices.swapaxes(-1, -2)) / 2)
    return (vectors * function(values)[..., None, :]) @ vectors.swapaxes(-1, -2)
