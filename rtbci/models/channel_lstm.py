"""One small LSTM for each channel, all of them in one recurrence, before common LSTM layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rtbci.models.lstm import LSTMStack
from rtbci.models.network import Network, State


class ChannelLayer(nn.Module):
    """One LSTM for each channel, side by side: (batch, time, channels) -> (batch, time, channels * units).

    The small matrices are the diagonal blocks of two large ones, which one fused LSTM runs; only the small ones are
    trained. Gates are ordered i, f, g, o.

    Parameters
    ----------
    n_channels, units
        Channels, and outputs for each.
    """

    def __init__(self, n_channels: int, units: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(n_channels, 4, units))
        self.recurrent = nn.Parameter(torch.empty(n_channels, 4, units, units))
        self.bias = nn.Parameter(torch.zeros(n_channels, 4, units))
        self.n_channels, self.units = n_channels, units
        self.width = n_channels * units
        self.reset_parameters()

    def reset_parameters(self) -> None:
        limit = (6 / (1 + 4 * self.units)) ** 0.5  # glorot of a (1, 4 * units) kernel
        nn.init.uniform_(self.kernel, -limit, limit)
        for recurrent in self.recurrent.detach():
            nn.init.orthogonal_(recurrent.view(4 * self.units, self.units))
        nn.init.zeros_(self.bias)
        nn.init.ones_(self.bias.detach()[:, 1])

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.width,), (self.width,)]

    def blocks(self) -> list[Tensor]:
        """Weights of the equivalent wide LSTM, in the order and layout of nn.LSTM."""
        n = self.n_channels
        one = torch.eye(n, device=self.kernel.device)
        kernel = self.kernel.transpose(0, 1)[..., None] * one[:, None]  # (4, channels, units, channels)
        recurrent = self.recurrent.transpose(0, 1)[:, :, :, None] * one[:, None, :, None]
        bias = self.bias.transpose(0, 1).reshape(-1)  # (4 * width,)
        return [kernel.reshape(-1, n), recurrent.reshape(-1, self.width), bias, torch.zeros_like(bias)]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        h, c = state or (x.new_zeros(len(x), self.width),) * 2
        z, h, c = torch.lstm(x, (h[None], c[None]), self.blocks(), True, 1, 0.0, self.training, False, True)
        return z, (h[0], c[0])


class ChannelLSTM(Network):
    """One LSTM for each channel, concatenated, then common LSTM layers; the last step gives the answer.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits.
    channel_units
        Outputs of each channel's LSTM.
    units
        Outputs of each common layer.
    window
        Samples of an epoch.
    dropout
        After each common layer, in training.
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        channel_units: int,
        units: Sequence[int],
        window: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.window = window
        self.channels = ChannelLayer(n_channels, channel_units)
        self.lstm = LSTMStack(self.channels.width, units, dropout)
        self.dense = nn.Linear(units[-1], n_classes)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return self.channels.state_shapes() + self.lstm.state_shapes()

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        z, channels = self.channels(x, state[:2] if state else None)
        z, common = self.lstm(z, state[2:] if state else None)
        return self.dense(z[:, -1]), (*channels, *common)  # (batch, n_classes)
