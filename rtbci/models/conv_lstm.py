"""A convolution in front of LSTM layers: in time, before a pool, or over neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool1d, pad

from rtbci.models.lstm import LSTMStack
from rtbci.models.network import Network, State


class ConvLSTM(Network):
    """Conv1D (relu), LSTM, logits at every hop; the convolution's stride is the hop.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits.
    filters, kernel
        Of the convolution; kernel in samples.
    units
        Outputs of each LSTM layer.
    padding
        "causal": the last kernel - hop samples are part of the state, so that the answer does not depend on the
        chunks. "same": centred as in Keras; complete sequences only.
    hop
        Samples between two answers.
    dropout
        After each LSTM layer, in training.
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        filters: int,
        kernel: int,
        units: Sequence[int],
        padding: Literal["causal", "same"] = "causal",
        hop: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.hop = hop
        self.kernel = kernel
        self.causal = padding == "causal"
        self.lookahead = 0 if self.causal else max(0, kernel // 2 - hop + 1)
        self.conv = nn.Conv1d(n_channels, filters, kernel, stride=hop)
        self.lstm = LSTMStack(filters, units, dropout)
        self.dense = nn.Linear(units[-1], n_classes)

    def state_shapes(self) -> list[tuple[int, ...]]:
        if not self.causal:
            return []
        return [(self.kernel - self.hop, self.n_channels), *self.lstm.state_shapes()]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if not self.causal:
            x = pad(x, (0, 0, (self.kernel - 1) // 2, self.kernel // 2))
            return self.tag(x, None)[0], ()
        context, *lstm_state = state or self.initial_state(len(x), x.device)
        x = torch.cat([context, x], 1)  # (batch, kernel - hop + time, channels)
        logits, new = self.tag(x, tuple(lstm_state))
        return logits, (x[:, x.shape[1] - context.shape[1] :], *new)

    def tag(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """From the padded input to logits (batch, time // hop, n_classes)."""
        z = self.conv(x.transpose(1, 2)).relu().transpose(1, 2)  # (batch, time // hop, filters)
        z, state = self.lstm(z, state)
        return self.dense(z), state  # (batch, time // hop, n_classes)


class ConvPoolLSTM(Network):
    """Conv1D (relu), max-pooling, LSTM; the last step gives all outputs of an epoch at once.

    With as many outputs as samples, each is the one class at its sample.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and outputs.
    filters, kernel, pool
        Of the convolution and the pooling; kernel and pool in samples.
    units
        Outputs of each LSTM layer.
    window
        Samples of an epoch.
    dropout
        After each LSTM layer, in training.
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        filters: int,
        kernel: int,
        pool: int,
        units: Sequence[int],
        window: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.window = window
        self.per_sample = n_classes == window
        self.pool = pool
        self.conv = nn.Conv1d(n_channels, filters, kernel)
        self.lstm = LSTMStack(filters, units, dropout)
        self.dense = nn.Linear(units[-1], n_classes)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        z = self.conv(x.transpose(1, 2)).relu()  # (batch, filters, time - kernel + 1)
        z = max_pool1d(z, self.pool).transpose(1, 2)  # (batch, time // pool, filters)
        z, _ = self.lstm(z)
        return self.dense(z[:, -1]), ()  # (batch, n_classes)


class SpatialConvLSTM(Network):
    """A convolution (relu) over neighbouring channels within each sample, then LSTM; logits at every sample.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits.
    filters, kernel
        Of the convolution; kernel in channels.
    units
        Outputs of each LSTM layer.
    dropout
        After each LSTM layer, in training.
    """

    def __init__(
        self, n_channels: int, n_classes: int, filters: int, kernel: int, units: Sequence[int], dropout: float = 0.0
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.kernel = kernel
        self.conv = nn.Linear(kernel, filters)
        self.lstm = LSTMStack((n_channels - kernel + 1) * filters, units, dropout)
        self.dense = nn.Linear(units[-1], n_classes)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return self.lstm.state_shapes()

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        z = self.conv(x.unfold(2, self.kernel, 1)).relu()  # (batch, time, channels - kernel + 1, filters)
        z, state = self.lstm(z.flatten(2), state)
        return self.dense(z), state  # (batch, time, n_classes)
