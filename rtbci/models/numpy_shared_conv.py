"""The part of a SharedConvLSTM before its LSTM, in numpy: one hop at a time, each of the same products (see numpy_step)."""

from __future__ import annotations

import numpy as np
from torch import nn

from rtbci.models.arrays import F32, array
from rtbci.models.shared_conv_lstm import FLOOR, SharedConvLSTM


class SharedConv:
    """x (time, channels), state -> pooled features (time // hop, 3 features), state; the first four tensors of the state."""

    n_state = 4

    def __init__(self, network: SharedConvLSTM) -> None:
        n_channels, n_features = network.n_channels, network.n_features
        self.hop, self.per_knee = network.hop, np.float32(1 / network.knee)
        self.longest = np.float32(network.baseline_hops)
        self.bank, self.bank_bias = _product(network.bank)
        self.waves, self.waves_bias = _product(network.waves)
        over_hops, self.features_bias = _product(network.over_hops)
        self.over_hops = np.concatenate([over_hops, array(network.against_own.weight.T)])
        self.against_montage = array(network.against_montage.weight.T)

        n_filters, frames = self.bank.shape[1], network.hop // network.stride
        n_context = network.kernel - network.stride
        self.signal = np.empty((n_channels, n_context + network.hop), np.float32)
        sliding = np.lib.stride_tricks.sliding_window_view(self.signal, network.kernel, axis=1)
        self.windows = sliding[:, :: network.stride]  # (channels, frames, kernel)
        self.gathered = np.empty((n_channels, frames, network.kernel), np.float32)
        self.rows = self.gathered.reshape(-1, network.kernel)
        self.filtered = np.empty((n_channels * frames, n_filters), np.float32)
        self.squares = np.empty((n_channels, frames, n_filters), np.float32)
        self.seen = np.empty((n_channels, network.span + 1, n_features), np.float32)  # the hops, and the running mean
        self.share = np.full(n_channels, 1 / n_channels, np.float32)
        self.per_frame = np.full(frames, 1 / frames, np.float32)
        self.n_filters, self.n_context = n_filters, n_context

    def __call__(self, x: F32, state: tuple[F32, ...]) -> tuple[F32, tuple[F32, ...]]:
        context, before, mean, n_hops = (array[0] for array in state)
        self.signal[:, : self.n_context] = context.T
        self.seen[:, :-2] = before.transpose(0, 2, 1)
        self.seen[:, -1] = mean
        pooled = np.empty((len(x) // self.hop, 3 * len(self.features_bias)), np.float32)
        for row, start in zip(pooled, range(0, len(x), self.hop), strict=True):
            n_hops = self._hop(x[start : start + self.hop], n_hops, row)
        kept = (self.signal[:, : self.n_context].T, self.seen[:, :-2].transpose(0, 2, 1), self.seen[:, -1], n_hops)
        return pooled, tuple(np.array(array, np.float32)[None] for array in kept)

    def _hop(self, x: F32, n_hops: F32, out: F32) -> F32:
        """One hop: into `signal` and `seen`, which are moved on by it; the hops of the running mean are returned."""
        compressed = np.arcsinh(x * self.per_knee)
        self.signal[:, self.n_context :] = compressed.T
        np.copyto(self.gathered, self.windows)
        z = np.dot(self.rows, self.bank, out=self.filtered)
        z += self.bank_bias
        newest, mean = self.seen[:, -2], self.seen[:, -1]
        np.square(z.reshape(self.squares.shape), out=self.squares)
        power = np.matmul(self.per_frame, self.squares)  # (channels, filters)
        power += np.float32(FLOOR)
        np.multiply(np.log(power, out=power), np.float32(0.5), out=newest[:, : self.n_filters])
        np.maximum(z, 0, out=z)
        waves = np.dot(z.reshape(len(newest), -1), self.waves)
        waves += self.waves_bias
        np.maximum(waves, 0, out=newest[:, self.n_filters :])

        n_hops = n_hops + np.float32(1)
        mean += (newest - mean) / np.minimum(n_hops, self.longest)
        features = np.dot(self.seen.reshape(len(newest), -1), self.over_hops)
        features += np.dot(np.dot(self.share, mean), self.against_montage) + self.features_bias
        np.maximum(features, 0, out=features)
        _pool(features, self.share, out)
        self.signal[:, : self.n_context] = self.signal[:, self.hop :].copy()
        self.seen[:, :-2] = self.seen[:, 1:-1].copy()
        return n_hops


def _pool(features: F32, share: F32, out: F32) -> None:
    """Mean, maximum and standard deviation over channels, side by side."""
    n = features.shape[1]
    mean = np.dot(share, features, out=out[:n])
    np.maximum.reduce(features, axis=0, out=out[n : 2 * n])
    features -= mean
    spread = np.dot(share, np.square(features, out=features))
    np.sqrt(spread + np.float32(FLOOR), out=out[2 * n :])


def _product(conv: nn.Conv1d) -> tuple[F32, F32]:
    """A convolution's weights as a matrix for windows (samples, channels) in one row, and its bias."""
    assert conv.bias is not None
    weight = array(conv.weight.permute(2, 1, 0))  # (kernel, in, out)
    return weight.reshape(-1, weight.shape[2]), array(conv.bias)
