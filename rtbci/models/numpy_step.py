"""A network's step in numpy, for a CPU: the overhead of a torch call exceeds the cost of eight samples.

However the samples are cut, each answer results from the same operations on arrays of the same shape, to the last bit:
a product or a convolution of many rows at once is summed in another order than that of one row, by BLAS as by torch,
and then a probability at its threshold could fall on either side, depending on the chunks.

For one stream; the buffers belong to the object, so each thread needs its own. All exact reformulations of an LSTM
step: sigmoid(x) = (tanh(x / 2) + 1) / 2 lets one tanh serve all four gates, with the factors folded into the weights;
the loop carries 2h, which saves the last halving of each gate, with that factor folded in as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar, get_args

import numpy as np
from torch import nn

from rtbci.models.arrays import F32, array
from rtbci.models.conv_lstm import ConvLSTM, SpatialConvLSTM
from rtbci.models.lstm import LSTMTagger
from rtbci.models.network import Network
from rtbci.models.numpy_shared_conv import SharedConv
from rtbci.models.shared_conv_lstm import SharedConvLSTM
from rtbci.models.threads import OneThread

Recurrent: TypeAlias = LSTMTagger | ConvLSTM | SpatialConvLSTM | SharedConvLSTM
S = TypeVar("S")  # a network's state

MAX_STEPS = 64  # of the LSTM: length of the buffers; longer input is split
MAX_HOP_VALUES = 100_000


def has_numpy_step(network: Network) -> bool:
    """Whether `NumpyStep` can run it, in buffers of reasonable size: it is no faster on a wide or long hop."""
    # Exactly these classes: a subclass, as a plug-in may be, has its own forward.
    if type(network) not in get_args(Recurrent) or not network.causal:
        return False
    assert isinstance(network, Recurrent)
    seen = max(network.hop, 0 if isinstance(network, LSTMTagger) else network.kernel)
    return seen * network.n_channels <= MAX_HOP_VALUES


def in_chunks(step: Callable[[F32, S], tuple[F32, S]], x: F32, state: S, n_samples: int) -> tuple[F32, S]:
    """Run a step on chunks of n_samples, and on the remainder, in order."""
    if len(x) <= n_samples:
        return step(x, state)
    parts = []
    for start in range(0, len(x), n_samples):
        logits, state = step(x[start : start + n_samples], state)
        parts.append(logits)
    return np.concatenate(parts), state


class NumpyStep:
    """x (time, channels) -> logits (time // hop, n_classes); the state is the network's, as arrays."""

    def __init__(self, network: Network) -> None:
        assert isinstance(network, Recurrent)
        assert network.causal
        self.shapes = network.state_shapes()
        self.front = _front(network)
        self.stride = network.hop if isinstance(network, LSTMTagger) else 1  # LSTM steps per logit
        max_steps = max(MAX_STEPS // self.stride, 1) * self.stride
        self.max_samples = max_steps // self.stride * network.hop
        self.layers = [_Layer(layer, max_steps, doubled=i > 0) for i, layer in enumerate(_lstms(network))]
        self.dense = array(network.dense.weight.T) * np.float32(0.5)  # of 2h
        self.bias = array(network.dense.bias)

    def initial_state(self) -> tuple[F32, ...]:
        return tuple(np.zeros((1, *shape), np.float32) for shape in self.shapes)

    def __call__(self, x: F32, state: tuple[F32, ...]) -> tuple[F32, tuple[F32, ...]]:
        with OneThread():  # BLAS splits a wide product, and sums it in another order
            return in_chunks(self._run, x, state, self.max_samples)

    def _run(self, x: F32, state: tuple[F32, ...]) -> tuple[F32, tuple[F32, ...]]:
        if not len(x):
            return np.empty((0, len(self.bias)), np.float32), state
        new: list[F32] = []
        if self.front is not None:
            x, kept = self.front(x, state[: self.front.n_state])  # (steps, what the first LSTM layer takes)
            new += kept
        for layer in self.layers:
            at = len(new)
            x, h, c = layer(x, state[at], state[at + 1])  # (steps, units), twice the hidden state
            new += (h, c)
        logits = _by_row(x[self.stride - 1 :: self.stride], self.dense)
        logits += self.bias
        return logits, tuple(new)


class _Layer:
    """One LSTM layer: (steps, in) -> (steps, units), twice the hidden state."""

    def __init__(self, layer: nn.LSTM, max_steps: int, doubled: bool) -> None:
        n = layer.hidden_size
        order = np.r_[0 : 2 * n, 3 * n : 4 * n, 2 * n : 3 * n]  # i, f, g, o -> i, f, o, g
        half = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), n)
        input_scale = np.float32(0.5 if doubled else 1.0)
        kernel, recurrent, *biases = (array(weight)[order] for weight in layer.all_weights[0])
        self.kernel = np.ascontiguousarray(kernel.T * half * input_scale)  # (in, 4 units)
        self.recurrent = np.ascontiguousarray(recurrent.T * half * np.float32(0.5))
        self.bias = sum(biases) * half

        self.projected = np.empty((max_steps, 4 * n), np.float32)
        self.hidden = np.empty((max_steps, n), np.float32)  # 2h
        self.rows = list(zip(self.projected, self.hidden, strict=True))
        self.start = np.empty(n, np.float32)
        self.gates = np.empty((5, n), np.float32)  # i, f, o, g and, beside g, the cell
        self.sums = np.empty(4 * n, np.float32)
        self.products = np.empty((2, n), np.float32)
        self.squashed = np.empty(n, np.float32)
        self.ones = np.ones(3 * n, np.float32)
        self.halves = np.full(2, 0.5, np.float32)

    def __call__(self, x: F32, h: F32, c: F32) -> tuple[F32, F32, F32]:
        n_steps = len(x)
        projected = self.projected[:n_steps]
        _by_row(x, self.kernel, projected)
        np.add(projected, self.bias, projected)
        cell = self.gates[4]
        cell[:] = c[0]
        last = np.add(h[0], h[0], self.start)
        self._recur(n_steps, last, cell)
        hidden = self.hidden[:n_steps]
        return hidden, hidden[-1:] * self.halves[0], cell[None].copy()

    def _recur(self, n_steps: int, last: F32, cell: F32) -> None:
        # Eight calls a step at about 0.3 µs each: everything else is outside of the loop.
        dot, add, multiply, tanh = np.dot, np.add, np.multiply, np.tanh
        recurrent, sums, products, squashed = self.recurrent, self.sums, self.products, self.squashed
        ones, halves = self.ones, self.halves
        four = self.gates[:4].reshape(-1)
        sigmoids = self.gates[:3].reshape(-1)
        input_forget, new_cell, output = self.gates[:2], self.gates[3:], self.gates[2]
        for projected, hidden in self.rows[:n_steps]:
            dot(last, recurrent, sums)
            add(sums, projected, sums)
            tanh(sums, four)
            add(sigmoids, ones, sigmoids)  # twice the sigmoids
            multiply(input_forget, new_cell, products)
            dot(halves, products, cell)  # i * g + f * c
            tanh(cell, squashed)
            last = multiply(output, squashed, hidden)


class _Front(Protocol):
    """What stands before the LSTM: x (time, channels) and the first `n_state` arrays of the state, and likewise back."""

    n_state: int

    def __call__(self, x: F32, state: tuple[F32, ...]) -> tuple[F32, tuple[F32, ...]]: ...


def _front(network: Recurrent) -> _Front | None:
    if isinstance(network, ConvLSTM):
        return _Conv(network)
    if isinstance(network, SpatialConvLSTM):
        return _Neighbours(network)
    return SharedConv(network) if isinstance(network, SharedConvLSTM) else None


class _Conv:
    """Conv1D (relu) as one matrix product: the samples of a window are contiguous in the buffer."""

    n_state = 1

    def __init__(self, network: ConvLSTM) -> None:
        self.n_context, self.hop = network.kernel - network.hop, network.hop
        n_channels = network.n_channels
        self.kernel = array(network.conv.weight.permute(2, 1, 0)).reshape(network.kernel * n_channels, -1)
        assert network.conv.bias is not None
        self.bias = array(network.conv.bias)
        self.buffer = np.empty((self.n_context + MAX_STEPS * self.hop, n_channels), np.float32)
        sliding = np.lib.stride_tricks.sliding_window_view(self.buffer.reshape(-1), network.kernel * n_channels)
        self.windows = sliding[:: self.hop * n_channels]  # (MAX_STEPS, kernel * channels)

    def __call__(self, x: F32, state: tuple[F32, ...]) -> tuple[F32, tuple[F32, ...]]:
        end = self.n_context + len(x)
        self.buffer[: self.n_context] = state[0][0]
        self.buffer[self.n_context : end] = x
        z = _by_row(self.windows[: len(x) // self.hop], self.kernel)
        z += self.bias
        np.maximum(z, 0, out=z)  # (time // hop, filters)
        return z, (self.buffer[None, end - self.n_context : end].copy(),)


class _Neighbours:
    """A convolution (relu) over neighbouring channels, at each step: (steps, channels) -> (steps, width)."""

    n_state = 0

    def __init__(self, network: SpatialConvLSTM) -> None:
        self.n_seen = network.kernel
        self.kernel = array(network.conv.weight.T)
        self.bias = array(network.conv.bias)

    def __call__(self, x: F32, state: tuple[F32, ...]) -> tuple[F32, tuple[F32, ...]]:
        seen = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(x, self.n_seen, axis=1))
        z: F32 = np.matmul(seen, self.kernel)  # (steps, channels - kernel + 1, filters), one product a step
        z += self.bias
        np.maximum(z, 0, out=z)
        return z.reshape(len(x), -1), ()


def _by_row(x: F32, kernel: F32, out: F32 | None = None) -> F32:
    """x @ kernel, one product for each row."""
    product: F32 = np.matmul(x[:, None], kernel, out=None if out is None else out[:, None])
    return product[:, 0]


def _lstms(network: Recurrent) -> list[nn.LSTM]:
    return [layer for layer in network.lstm.layers if isinstance(layer, nn.LSTM)]
