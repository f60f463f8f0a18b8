"""The same convolutions on every channel, pooled over the montage, then LSTM: a seizure counts in whichever channels it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from rtbci.models.lstm import LSTMStack
from rtbci.models.network import Network, State

FLOOR = 1e-3  # added to a power before its logarithm
BAND = (1.5 / 128, 28 / 128)  # cycles per sample of the lowest and the highest filter at the start of a training
FEATURE_DROPOUT = 0.3  # share of `dropout` for the features of a channel


class SharedConvLSTM(Network):
    """Features of each channel by one set of weights, their mean, maximum and spread over the channels, LSTM, logits.

    Each channel is compressed, asinh(x / knee), and filtered by a learned bank. From the bank come the log power of each
    filter over the hop, and `waves` convolutions of its rectified output. A convolution over the last `span` hops, against
    the running mean of these features in the same channel and in the montage, gives what is pooled.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits. No weight depends on n_channels.
    filters, kernel, stride
        Of the bank: number, samples, samples.
    waves
        Convolutions of the bank's output over one hop.
    features
        Of a channel, pooled over all.
    span
        Hops that a feature sees.
    units
        Outputs of each LSTM layer.
    hop
        Samples between two answers; a multiple of stride.
    knee
        Amplitude from which on the input is compressed.
    baseline_hops
        Time constant of the running mean; before so many hops it is the mean of all.
    dropout
        Before and after each LSTM layer, in training; a part of it on the features.

    References
    ----------
    R. T. Schirrmeister et al., Human Brain Mapping 38, 2017 (log power of learned filters); M. Zaheer et al., Deep Sets,
    NeurIPS 2017 (pooling over a set).
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        filters: int,
        kernel: int,
        stride: int,
        waves: int,
        features: int,
        span: int,
        units: Sequence[int],
        hop: int,
        knee: float,
        baseline_hops: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.hop, self.kernel, self.stride, self.span = hop, kernel, stride, span
        self.knee, self.baseline_hops, self.dropout = knee, baseline_hops, dropout
        self.n_features = filters + waves
        frames = hop // stride
        self.bank = nn.Conv1d(1, filters, kernel, stride=stride)
        self.waves = nn.Conv1d(filters, waves, frames, stride=frames)
        self.over_hops = nn.Conv1d(self.n_features, features, span)
        self.against_own = nn.Linear(self.n_features, features, bias=False)
        self.against_montage = nn.Linear(self.n_features, features, bias=False)
        self.lstm = LSTMStack(3 * features, units, dropout)
        self.dense = nn.Linear(units[-1], n_classes)
        with torch.no_grad():
            self.bank.weight.copy_(torch.from_numpy(gabor_bank(filters, kernel))[:, None])
            assert self.bank.bias is not None
            self.bank.bias.zero_()

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [
            (self.kernel - self.stride, self.n_channels),
            (self.n_channels, self.n_features, self.span - 1),
            (self.n_channels, self.n_features),
            (1,),  # hops of the running mean
            *self.lstm.state_shapes(),
        ]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        context, before, mean, n_hops, *lstm = state or self.initial_state(len(x), x.device)
        compressed = torch.cat([context, torch.asinh(x / self.knee)], 1)
        features = self._features(compressed)  # (batch, channels, n_features, hops)
        running, mean, n_hops = self._running_mean(features, mean, n_hops)
        seen = torch.cat([before, features], 3)
        pooled = self._pooled(seen, running)  # (batch, hops, 3 features)
        z, new = self.lstm(dropout(pooled, self.dropout, self.training), tuple(lstm) or None)
        kept = (compressed[:, compressed.shape[1] - context.shape[1] :], seen[..., seen.shape[3] - before.shape[3] :])
        return self.dense(z), (*kept, mean, n_hops, *new)  # (batch, time // hop, n_classes)

    def _features(self, compressed: Tensor) -> Tensor:
        """(batch, context + time, channels) -> (batch, channels, n_features, hops)."""
        n, n_channels = len(compressed), compressed.shape[2]
        z = self.bank(compressed.transpose(1, 2).reshape(n * n_channels, 1, -1))  # (…, filters, time // stride)
        power = z.square().reshape(*z.shape[:2], -1, self.hop // self.stride).mean(3)  # (…, filters, hops)
        both = torch.cat([0.5 * torch.log(power + FLOOR), self.waves(z.relu()).relu()], 1)
        both = dropout(both, FEATURE_DROPOUT * self.dropout, self.training)
        return both.reshape(n, n_channels, self.n_features, -1)

    def _running_mean(self, features: Tensor, mean: Tensor, n_hops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each channel, up to each hop: (batch, hops, channels, n_features), and its state."""
        means = []
        for now in features.unbind(3):
            n_hops = n_hops + 1
            mean = mean + (now - mean) / n_hops.clamp(max=self.baseline_hops)[..., None]
            means.append(mean)
        return torch.stack(means, 1) if means else mean[:, None][:, :0], mean, n_hops

    def _pooled(self, seen: Tensor, running: Tensor) -> Tensor:
        """Mean, maximum and standard deviation over the channels: (batch, hops, 3 features)."""
        z = self.over_hops(seen.flatten(0, 1))  # (batch · channels, features, hops)
        z = z.reshape(*seen.shape[:2], *z.shape[1:]).permute(0, 3, 1, 2)  # (batch, hops, channels, features)
        z = (z + self.against_own(running) + self.against_montage(running.mean(2, keepdim=True))).relu()
        spread = (z.var(2, unbiased=False) + FLOOR).sqrt()
        return torch.cat([z.mean(2), z.amax(2), spread], 2)


def gabor_bank(n: int, kernel: int) -> npt.NDArray[np.float32]:
    """Pairs of cosine and sine under a Hann window, of norm 1, their frequencies spaced evenly in their logarithm.

    Parameters
    ----------
    n
        Filters.
    kernel
        Samples of each.

    Returns
    -------
    numpy.ndarray
        float32 (n, kernel).
    """
    times = np.arange(kernel) - (kernel - 1) / 2
    cycles = 2 * np.pi * np.geomspace(*BAND, -(-n // 2))[:, None] * times
    waves = np.stack([np.cos(cycles), np.sin(cycles)], 1).reshape(-1, kernel)[:n] * np.hanning(kernel + 2)[1:-1]
    normed: npt.NDArray[np.float64] = waves / np.linalg.norm(waves, axis=1, keepdims=True)
    return normed.astype(np.float32)
