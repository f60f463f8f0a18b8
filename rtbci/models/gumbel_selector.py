"""Learns which few electrodes are sufficient: a Gumbel-softmax selector in front of any network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtbci.models.network import Network, State

PENALTY_WEIGHT = 0.1
TINY = 1e-10
EDGE = 1e-6  # keeps the uniform draws off 0 and 1


@dataclass(frozen=True)
class Reassignment:
    """A selector whose first choice was taken, and the electrode it got instead. Electrodes are 0-based."""

    selector: int
    wanted: int
    got: int


@dataclass(frozen=True)
class Resolution:
    """The chosen electrodes, one for each selector, none twice; and which selectors were reassigned."""

    electrodes: tuple[int, ...]
    reassignments: tuple[Reassignment, ...]


class ElectrodeSelector(nn.Module):
    """Selects electrodes: (batch, time, n_channels) -> (batch, time, n_select).

    In training each example draws its own soft mixture of channels; in evaluation, or once frozen, each selector is
    one electrode.

    Parameters
    ----------
    n_channels, n_select
        Electrodes to choose from, and selectors.
    temperature
        Of the softmax; lowered during the search (`temperature_at`).

    References ---------- T. Strypsteen, A. Bertrand, End-to-end learnable EEG channel selection for deep neural
    networks with Gumbel-softmax, 2021.
    """

    def __init__(self, n_channels: int, n_select: int, temperature: float = 10.0) -> None:
        super().__init__()
        self.qz_loga = nn.Parameter(torch.randn(n_channels, n_select) / 100)
        self.temperature = temperature
        self.frozen: tuple[int, ...] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.frozen is None:
            uniform = torch.rand(len(x), *self.qz_loga.shape, device=x.device).clamp(EDGE, 1 - EDGE)
            return x @ self.relaxed(uniform)
        return x[..., list(self.frozen or self.selected())]

    def relaxed(self, uniform: Tensor) -> Tensor:
        """Concrete weights for uniform draws (batch, n_channels, n_select); each column sums to one."""
        gumbel = -(-uniform.log()).log()
        return ((self.qz_loga + gumbel) / self.temperature).softmax(1)

    def probabilities(self) -> Tensor:
        """(n_channels, n_select): softmax of the logits, without noise."""
        return self.qz_loga.softmax(0)

    def entropy(self) -> Tensor:
        """Normalised entropy of each selector (n_select,): 1 undecided, 0 decided."""
        p = self.probabilities().clamp_min(TINY)
        return -(p * p.log()).sum(0) / math.log(max(2, len(p)))

    def excess(self, tau: float) -> Tensor:
        """By how much the summed probability of an electrode exceeds tau, summed over electrodes."""
        return (self.probabilities().clamp_min(TINY).sum(1) - tau).relu().sum()

    def duplicate_penalty(self, tau: float) -> Tensor:
        """Term of the loss against choosing an electrode twice."""
        return PENALTY_WEIGHT * self.excess(tau)

    def selected(self) -> tuple[int, ...]:
        """The first choice of each selector, 0-based; two may want the same."""
        return tuple(self.qz_loga.argmax(0).tolist())

    def resolved(self) -> Resolution:
        """Resolve duplicates: the surest selector keeps an electrode, the others take their best that is free."""
        wanted = self.selected()
        sureness = self.probabilities().amax(0).tolist()
        order = sorted(range(len(wanted)), key=lambda m: -sureness[m])
        got: dict[int, int] = {}
        for m in order:
            if wanted[m] not in got.values():
                got[m] = wanted[m]
        for m in (m for m in order if m not in got):
            ranking = self.qz_loga[:, m].argsort(descending=True).tolist()
            got[m] = next(e for e in ranking if e not in got.values())
        reassignments = tuple(Reassignment(m, wanted[m], got[m]) for m in sorted(got) if got[m] != wanted[m])
        return Resolution(tuple(got[m] for m in sorted(got)), reassignments)

    def freeze(self) -> Resolution:
        """Fix the resolved electrodes from now on, in training too."""
        resolution = self.resolved()
        self.frozen = resolution.electrodes
        self.qz_loga.requires_grad_(False)
        return resolution


class SelectionNet(Network):
    """An electrode selector in front of a network, whose properties it takes over.

    Parameters
    ----------
    n_channels, n_select
        Electrodes to choose from, and to choose.
    network
        On `n_select` channels.
    """

    def __init__(self, n_channels: int, n_select: int, network: Network) -> None:
        super().__init__(n_channels, network.n_classes)
        self.hop, self.causal, self.lookahead = network.hop, network.causal, network.lookahead
        self.window, self.per_sample = network.window, network.per_sample
        self.selection_layer = ElectrodeSelector(n_channels, n_select)
        self.network = network

    def state_shapes(self) -> list[tuple[int, ...]]:
        return self.network.state_shapes()

    def forward(self, x: Tensor, state: State | None = None, **options: Tensor | None) -> tuple[Tensor, State]:
        logits, state = self.network(self.selection_layer(x), state, **options)
        return logits, state or ()


def temperature_at(epoch: float, n_epochs: int, start: float = 10.0, end: float = 0.1) -> float:
    """Exponential schedule of the temperature, constant in the last quarter of the epochs."""
    return float(start * (end / start) ** min(1.0, epoch / (0.75 * n_epochs)))


def tau_at(epoch: float, n_epochs: int, start: float = 3.0, end: float = 1.1) -> float:
    """Threshold of the duplicate penalty, on the same schedule."""
    return temperature_at(epoch, n_epochs, start, end)
