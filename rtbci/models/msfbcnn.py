"""MSFBCNN: parallel temporal filters, one spatial filter, log band power; for motor imagery epochs."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from rtbci.models.network import Network, State

POWER_FLOOR = 1e-12  # keeps the logarithm finite for an electrode without signal


class MSFBCNN(Network):
    """Multiscale filter bank CNN, with the weights' names of Strypsteen and Bertrand (2021): conv1a, conv1b, …

    Parameters
    ----------
    n_channels, n_classes
        Inputs and logits.
    window
        Samples of an epoch.
    filters
        Of each temporal kernel, and spatial.
    kernels
        Samples of each temporal kernel, odd.
    pool, pool_hop
        Samples over which power is averaged, and between two averages.
    dropout
        Before the linear layer, in training.

    References
    ----------
    H. Wu et al., Front. Neurosci. 13, 2019; T. Strypsteen, A. Bertrand, 2021 (see gumbel_selector.py).
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        window: int,
        filters: int,
        kernels: Sequence[int],
        pool: int,
        pool_hop: int,
        dropout: float,
    ) -> None:
        super().__init__(n_channels, n_classes)
        self.window = window
        self.pool, self.pool_hop = pool, pool_hop
        self.bands = [f"conv1{letter}" for letter in ascii_lowercase[: len(kernels)]]
        for name, kernel in zip(self.bands, kernels, strict=True):
            self.add_module(name, nn.Conv2d(1, filters, (1, kernel), padding=(0, kernel // 2), bias=False))
        self.batchnorm1 = nn.BatchNorm2d(len(kernels) * filters)
        self.conv2 = nn.Conv2d(len(kernels) * filters, filters, (n_channels, 1), bias=False)
        self.batchnorm2 = nn.BatchNorm2d(filters)
        self.drop = nn.Dropout(dropout)
        self.fc1 = nn.Linear(filters * ((window - pool) // pool_hop + 1), n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        x = x.transpose(1, 2)[:, None]  # (batch, 1, channels, time)
        z = torch.cat([self.get_submodule(name)(x) for name in self.bands], 1)
        z = self.batchnorm2(self.conv2(self.batchnorm1(z)))  # (batch, filters, 1, time)
        power = avg_pool2d(z.square(), (1, self.pool), (1, self.pool_hop))
        z = self.drop(power.clamp_min(POWER_FLOOR).log())
        return self.fc1(z.flatten(1)), ()  # (batch, n_classes)
