"""LSTM networks: stacks that answer at the last step, and taggers that answer at every one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from rtbci.models.network import WHOLE_SEQUENCE, Network, State


def lstm_layer(n_in: int, units: int) -> nn.LSTM:
    """One layer with one trainable bias a gate, begun as Keras does: glorot, orthogonal, forget gates open."""
    layer = nn.LSTM(n_in, units, batch_first=True)
    kernel, recurrent, bias, second_bias = layer.all_weights[0]
    nn.init.xavier_uniform_(kernel)
    nn.init.orthogonal_(recurrent)
    nn.init.zeros_(bias)
    nn.init.ones_(bias.detach()[units : 2 * units])
    nn.init.zeros_(second_bias).requires_grad_(False)
    return layer


class LSTMStack(nn.Module):
    """Layers of any width in series. The state is (h, c) of the first layer, of the second, …, each (batch, units)."""

    def __init__(self, n_in: int, units: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.units = tuple(units)
        self.layers = nn.ModuleList(lstm_layer(i, o) for i, o in pairwise((n_in, *units)))
        self.dropout = nn.Dropout(dropout)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(units,) for units in self.units for _ in range(2)]  # h and c

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        new: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            hc = (state[2 * i][None], state[2 * i + 1][None]) if state else None
            x, (h, c) = layer(x, hc)
            x = self.dropout(x)  # (batch, time, units)
            new += [h[0], c[0]]
        return x, tuple(new)


class BiLSTM(nn.Module):
    """Forward and backward in time, side by side; backward begins at each sequence's own end."""

    def __init__(self, n_in: int, units: int) -> None:
        super().__init__()
        self.forward_lstm = lstm_layer(n_in, units)
        self.backward_lstm = lstm_layer(n_in, units)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        ahead, _ = self.forward_lstm(x)
        back, _ = self.backward_lstm(reverse(x, lengths))
        return torch.cat([ahead, reverse(back, lengths)], -1)  # (batch, time, 2 * units)


def reverse(x: Tensor, lengths: Tensor) -> Tensor:
    """Turn the first `lengths` steps of each sequence around and leave the padding where it is."""
    steps = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)  # (batch, time)
    turned = lengths[:, None] - 1 - steps
    return x.gather(1, torch.where(turned < 0, steps, turned)[..., None].expand_as(x))


class StackedLSTM(Network):
    """LSTM layers over an epoch; the last step decides. Its state may be carried, sample by sample."""

    def __init__(
        self, n_channels: int, n_classes: int, units: Sequence[int], window: int, dropout: float = 0.0
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.window = window
        self.lstm = LSTMStack(n_channels, units, dropout)
        self.dense = nn.Linear(units[-1], n_classes)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return self.lstm.state_shapes()

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        z, state = self.lstm(x, state)
        return self.dense(z[:, -1]), state  # (batch, n_classes)


class LSTMTagger(Network):
    """LSTM layers with logits at the end of every hop."""

    def __init__(
        self, n_channels: int, n_classes: int, units: Sequence[int], hop: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.hop = hop
        self.lstm = LSTMStack(n_channels, units, dropout)
        self.dense = nn.Linear(units[-1], n_classes)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return self.lstm.state_shapes()

    def forward(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Causal, so padding after `lengths` (batch,) changes nothing before it; there the logits mean nothing."""
        z, state = self.lstm(x, state)
        return self.dense(z[:, self.hop - 1 :: self.hop]), state  # (batch, time // hop, n_classes)


class BiLSTMTagger(Network):
    """The same in both directions: whole sequences only, offline only."""

    causal = False
    lookahead = WHOLE_SEQUENCE

    def __init__(
        self, n_channels: int, n_classes: int, units: Sequence[int], hop: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.hop = hop
        widths = [n_channels, *(2 * n for n in units)]
        self.layers = nn.ModuleList(BiLSTM(i, o) for i, o in zip(widths, units, strict=False))
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(widths[-1], n_classes)

    def forward(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """lengths (batch,): the true length of each sequence, in samples; all of them where None."""
        if lengths is None:
            lengths = torch.full((len(x),), x.shape[1])
        for layer in self.layers:
            x = self.dropout(layer(x, lengths.to(x.device)))
        return self.dense(x[:, self.hop - 1 :: self.hop]), ()  # (batch, time // hop, n_classes)


def lstm_tagger(
    n_channels: int, n_classes: int, units: Sequence[int], hop: int, bidirectional: bool, dropout: float
) -> Network:
    """In one direction or in both."""
    tagger = BiLSTMTagger if bidirectional else LSTMTagger
    return tagger(n_channels, n_classes, units, hop, dropout)
