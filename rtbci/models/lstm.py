"""LSTM networks: stacks that answer at the last step, and taggers that answer at every hop."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from rtbci.models.network import WHOLE_SEQUENCE, Network, State


def lstm_layer(n_in: int, units: int) -> nn.LSTM:
    """One LSTM layer with one trainable bias for each gate, initialised as in Keras.

    Parameters
    ----------
    n_in, units
        Inputs and outputs.

    Returns
    -------
    torch.nn.LSTM
        Input kernel Glorot uniform, recurrent kernel orthogonal, biases zero, that of the forget gate one.

    References
    ----------
    X. Glorot, Y. Bengio, AISTATS 2010; A. M. Saxe et al., ICLR 2014; R. Jozefowicz et al., ICML 2015.
    """
    layer = nn.LSTM(n_in, units, batch_first=True)
    kernel, recurrent, bias, second_bias = layer.all_weights[0]
    nn.init.xavier_uniform_(kernel)
    nn.init.orthogonal_(recurrent)
    nn.init.zeros_(bias)
    nn.init.ones_(bias.detach()[units : 2 * units])
    nn.init.zeros_(second_bias).requires_grad_(False)
    return layer


class LSTMStack(nn.Module):
    """LSTM layers of any width in series: (batch, time, n_in) -> (batch, time, units[-1]).

    The state is (h, c) of the first layer, of the second, …, each (batch, units).

    Parameters
    ----------
    n_in
        Inputs.
    units
        Outputs of each layer.
    dropout
        After each layer, in training.
    """

    def __init__(self, n_in: int, units: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.units = tuple(units)
        self.layers = nn.ModuleList(lstm_layer(i, o) for i, o in pairwise((n_in, *units)))
        self.dropout = nn.Dropout(dropout)

    def state_shapes(self) -> list[tuple[int, ...]]:
        shapes: list[tuple[int, ...]] = []
        for units in self.units:
            shapes += [(units,), (units,)]  # h and c
        return shapes

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        new: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            hc = (state[2 * i][None], state[2 * i + 1][None]) if state else None
            x, (h, c) = layer(x, hc)
            x = self.dropout(x)  # (batch, time, units)
            new += [h[0], c[0]]
        return x, tuple(new)


class BiLSTM(nn.Module):
    """An LSTM in both directions: (batch, time, n_in) -> (batch, time, 2 * units).

    The backward direction begins at each sequence's own end.

    References
    ----------
    A. Graves, J. Schmidhuber, Neural Networks 18, 2005.
    """

    def __init__(self, n_in: int, units: int) -> None:
        super().__init__()
        self.forward_lstm = lstm_layer(n_in, units)
        self.backward_lstm = lstm_layer(n_in, units)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        ahead, _ = self.forward_lstm(x)
        back, _ = self.backward_lstm(reverse(x, lengths))
        return torch.cat([ahead, reverse(back, lengths)], -1)  # (batch, time, 2 * units)


def reverse(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the first `lengths` steps of each sequence and leave the padding where it is."""
    steps = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)  # (batch, time)
    turned = lengths[:, None] - 1 - steps
    return x.gather(1, torch.where(turned < 0, steps, turned)[..., None].expand_as(x))


class StackedLSTM(Network):
    """LSTM layers over an epoch; the last step gives the answer. Its state may be carried, sample by sample.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits.
    units
        Outputs of each layer.
    window
        Samples of an epoch.
    dropout
        After each layer, in training.
    """

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
    """LSTM layers with logits at the end of every hop; causal.

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits.
    units
        Outputs of each layer.
    hop
        Samples between two answers.
    dropout
        After each layer, in training.
    """

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
        """Causal: padding after `lengths` (batch,) changes nothing before it; logits in the padding are undefined."""
        z, state = self.lstm(x, state)
        return self.dense(z[:, self.hop - 1 :: self.hop]), state  # (batch, time // hop, n_classes)


class BiLSTMTagger(Network):
    """The same in both directions: complete sequences only, offline only.

    Parameters
    ----------
    n_channels, n_classes, units, hop, dropout
        As for LSTMTagger; `units` of one direction.
    """

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
        """lengths (batch,): true length of each sequence in samples; None: all samples."""
        if lengths is None:
            lengths = torch.full((len(x),), x.shape[1])
        for layer in self.layers:
            x = self.dropout(layer(x, lengths.to(x.device)))
        return self.dense(x[:, self.hop - 1 :: self.hop]), ()  # (batch, time // hop, n_classes)


def lstm_tagger(
    n_channels: int, n_classes: int, units: Sequence[int], hop: int, bidirectional: bool, dropout: float
) -> Network:
    """LSTMTagger or BiLSTMTagger."""
    tagger = BiLSTMTagger if bidirectional else LSTMTagger
    return tagger(n_channels, n_classes, units, hop, dropout)
