"""Slow potentials and the covariance of the fast part of an epoch, whitened; one linear readout. For few trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.signal import firwin, get_window
from torch import Tensor, nn
from torch.nn.functional import conv1d, dropout

from rtbci.models.network import Network, State

FLOOR = 1e-2  # of the mean variance, added before whitening


class Whitening(nn.Module):
    """Whitens (…, n) -> (…, n) by the covariance over training trials, from `learn` rather than by gradient."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("covariance", torch.eye(n))
        self.register_buffer("matrix", torch.eye(n))
        self.register_buffer("n_seen", torch.zeros((), dtype=torch.int64))
        self.covariance: Tensor
        self.matrix: Tensor
        self.n_seen: Tensor

    @torch.no_grad()
    def learn(self, covariances: Tensor) -> None:
        """Update the mean covariance over all trials so far with covariances (trials, n, n)."""
        self.n_seen += len(covariances)
        self.covariance += (covariances.mean(0) - self.covariance) * (len(covariances) / self.n_seen)
        variances, directions = torch.linalg.eigh(self.covariance.double())
        scale = (variances.clamp_min(0) + FLOOR * variances.mean().clamp_min(1e-12)).rsqrt()
        self.matrix.copy_((directions * scale) @ directions.T)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix


class CovarianceNet(Network):
    """Means over parts of the epoch, if any, and the log-covariance of the faster part, both whitened; one linear layer.

    The covariance is mapped by its matrix logarithm at the mean of training, to the tangent space. Whitening by
    running averages is decorrelated batch normalisation.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits.
    window
        Samples of an epoch.
    means
        Samples of each part, in order; the last one ends with the epoch. Empty: the covariance alone, where the
        filters before the network leave no slow potentials.
    band
        Edges of the pass band of the fast part, cycles per sample.
    taps
        Of the band-pass filter; 1: no filter, for an input that is in the band already.
    shrinkage
        Of a covariance towards a multiple of the identity.
    standardise
        Whether each feature is divided by its standard deviation. In the tangent space lengths have a meaning, and
        logistic regression there (Barachant) does without.
    dropout
        Before the linear layer, in training.

    References ---------- A. Barachant et al., IEEE TBME 59(4), 2012 (tangent space); L. Huang et al., CVPR 2018
    (decorrelated batch normalisation).
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        window: int,
        means: Sequence[int],
        band: tuple[float, float],
        taps: int,
        shrinkage: float = 0.05,
        standardise: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.window = window
        self.means = tuple(means)
        self.shrinkage, self.dropout = shrinkage, dropout
        self.register_buffer("fir", torch.tensor(band_pass(taps, band), dtype=torch.float32)[None, None])
        self.fir: Tensor
        self.slow_whitening, self.fast_whitening = Whitening(n_channels), Whitening(n_channels)
        kinds = [n for n in (len(self.means) * n_channels, n_channels * (n_channels + 1) // 2) if n]
        n_features = sum(kinds)
        self.norm = nn.BatchNorm1d(n_features, affine=False, momentum=None) if standardise else nn.Identity()
        # All kinds of features have equal weight, whatever their number.
        shares = torch.cat([torch.full((n,), (n_features / len(kinds) / n) ** 0.5) for n in kinds])
        self.register_buffer("shares", shares)
        self.shares: Tensor
        self.dense = nn.Linear(n_features, n_classes)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        parts = [self.slow(x), self.fast(x)] if self.means else [self.fast(x)]
        z = self.shares * self.norm(torch.cat(parts, 1))  # (batch, features)
        return self.dense(dropout(z, self.dropout, self.training)), ()  # (batch, n_classes)

    def slow(self, x: Tensor) -> Tensor:
        """Means over the parts, whitened: (batch, parts * channels)."""
        stretches = torch.split(x[:, -sum(self.means) :], list(self.means), 1)
        z = torch.stack([stretch.mean(1) for stretch in stretches], 1)  # (batch, stretches, channels)
        if self.training:
            self.slow_whitening.learn(z.transpose(1, 2) @ z / z.shape[1])
        whitened: Tensor = self.slow_whitening(z)
        return whitened.flatten(1)

    def fast(self, x: Tensor) -> Tensor:
        """The upper triangle of the log-covariance: (batch, channels * (channels + 1) / 2)."""
        n = self.n_channels
        z = conv1d(x.transpose(1, 2).reshape(-1, 1, x.shape[1]), self.fir)  # (batch * channels, 1, time - taps + 1)
        z = z.reshape(len(x), n, -1).double()
        covariance = z @ z.transpose(1, 2) / z.shape[2]
        power = covariance.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
        covariance = covariance + self.shrinkage * power[:, None, None] * torch.eye(n, device=x.device)
        if self.training:
            self.fast_whitening.learn(covariance.detach())
        whitener = self.fast_whitening.matrix.double()
        logarithm = log_matrix(whitener @ covariance @ whitener)
        weights = torch.full((n, n), 2.0**0.5, device=x.device).fill_diagonal_(
            1
        )  # an entry off the diagonal stands for two
        return (logarithm * weights)[:, *torch.triu_indices(n, n, device=x.device)].float()


def band_pass(taps: int, band: tuple[float, float]) -> npt.NDArray[np.float64]:
    """A windowed band-pass FIR (cycles per sample), corrected to block a constant exactly, which few taps would not.

    A single tap passes all.
    """
    if taps == 1:
        return np.ones(1)
    fir = firwin(taps, [2 * edge for edge in band], pass_zero=False)
    window = get_window("hamming", taps, fftbins=False)
    mended: npt.NDArray[np.float64] = fir - window * fir.sum() / window.sum()
    return mended


def log_matrix(matrices: Tensor) -> Tensor:
    """Logarithm of symmetric positive definite matrices (…, n, n)."""
    values, vectors = torch.linalg.eigh(matrices)
    logarithm: Tensor = (vectors * values.clamp_min(1e-9).log()[..., None, :]) @ vectors.mT
    return logarithm
