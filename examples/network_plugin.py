"""A network of one's own: a strided convolution and a GRU, with an answer at every hop."""

from __future__ import annotations

from torch import Tensor, nn

from rtbci.models.network import Network, State


class ConvGRU(Network):
    """(batch, time, n_channels) -> (batch, time // hop, n_classes); the GRU's hidden vector is the state."""

    def __init__(self, n_channels: int, n_classes: int, filters: int = 16, units: int = 24, hop: int = 8) -> None:
        super().__init__(n_channels, n_classes)
        self.hop = hop
        self.units = units
        self.conv = nn.Conv1d(n_channels, filters, kernel_size=hop, stride=hop)
        self.gru = nn.GRU(filters, units, batch_first=True)
        self.dense = nn.Linear(units, n_classes)

    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.units,)]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        z = self.conv(x.transpose(1, 2)).relu().transpose(1, 2)  # (batch, time // hop, filters)
        z, h = self.gru(z, state[0][None] if state else None)  # (batch, time // hop, units)
        return self.dense(z), (h[0],)
