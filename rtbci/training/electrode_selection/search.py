"""Electrode selection: a Gumbel-softmax search, then the network fine-tuned on the chosen electrodes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rtbci.models.gumbel_selector import ElectrodeSelector, Resolution, SelectionNet, tau_at, temperature_at
from rtbci.models.network import Network
from rtbci.training.batches import Batch
from rtbci.training.config import SearchConfig
from rtbci.training.electrode_selection.segments import Segments
from rtbci.training.fit import step
from rtbci.training.losses import Loss

STALL = 1e-3  # smallest decrease of the validation loss that counts
OnEpoch = Callable[[int, int], None]  # epochs done, of how many at most


@dataclass(frozen=True)
class SearchEpoch:
    """One epoch of a search. entropy: mean over selectors, from 1 (undecided) to 0 (decided)."""

    temperature: float
    tau: float
    train_loss: float
    held_out_loss: float
    entropy: float


@dataclass(frozen=True)
class Selected:
    """Result of a search.

    Attributes
    ----------
    resolution
        The electrodes, one for each selector, and which selectors were reassigned.
    probabilities
        (n_select, n_channels), of each selector.
    ranking
        Every electrode, the chosen ones first, then by the sum of the selectors' probabilities.
    epochs
        Of the search.
    converged
        Whether the selectors decided before the last epoch.
    network
        Fine-tuned, for the chosen electrodes in the order of the selectors.
    """

    resolution: Resolution
    probabilities: tuple[tuple[float, ...], ...]
    ranking: tuple[int, ...]
    epochs: tuple[SearchEpoch, ...]
    converged: bool
    network: Network

    @property
    def electrodes(self) -> tuple[int, ...]:
        return self.resolution.electrodes


def select(
    network: SelectionNet,
    training: Segments,
    held_out: Segments,
    loss: Loss,
    config: SearchConfig,
    seed: int,
    on_epoch: OnEpoch,
) -> Selected:
    """Search, freeze and fine-tune. With one seed, the same result on the same CPU.

    Unlike in the paper, no electrode is chosen twice.

    Parameters
    ----------
    network
        A selector in front of a network; it is changed.
    training, held_out
        Segments to fit to, and for early stopping.
    loss
        See losses.py.
    config
        Of the search.
    seed
        For order and Gumbel noise.
    on_epoch
        Called with the epochs done and the most there can be.

    Returns
    -------
    Selected
        Electrodes and network.

    References ---------- T. Strypsteen, A. Bertrand, End-to-end learnable EEG channel selection for deep neural
    networks with Gumbel-softmax, 2021.
    """
    epochs, converged = search(network, training, held_out, loss, config, seed, on_epoch)
    selector = network.selection_layer
    probabilities = selector.probabilities().detach().T.tolist()
    resolution = selector.freeze()
    inner = fit(
        network.network,
        training.with_channels(resolution.electrodes),
        held_out.with_channels(resolution.electrodes),
        loss, config, seed, on_epoch,
    )  # fmt: skip
    rows = tuple(tuple(row) for row in probabilities)
    return Selected(resolution, rows, ranking(selector, resolution), epochs, converged, inner)


def search(
    network: SelectionNet,
    training: Segments,
    held_out: Segments,
    loss: Loss,
    config: SearchConfig,
    seed: int,
    on_epoch: OnEpoch,
) -> tuple[tuple[SearchEpoch, ...], bool]:
    """Train until the selectors have decided and the validation loss stalls; keep the weights from before that."""
    selector = network.selection_layer
    optimizer = torch.optim.Adam(
        [
            {"params": network.network.parameters(), "lr": config.lr},
            {"params": selector.parameters(), "lr": config.selector_lr or config.lr},
        ]
    )
    epochs: list[SearchEpoch] = []
    before, stalled, kept = math.inf, 0, network.state_dict()
    with torch.random.fork_rng(devices=[]):
        for number in range(config.epochs):
            torch.manual_seed(seed * 100_003 + number)
            selector.temperature = temperature_at(number, config.epochs, *config.temperature)
            tau = tau_at(number, config.epochs, *config.tau)
            train_loss = _learn(network, training, loss, optimizer, config, [seed, number], selector, tau)
            held_loss = evaluate(network, held_out, loss).loss
            entropy = float(selector.entropy().mean().detach())
            epochs.append(SearchEpoch(selector.temperature, tau, train_loss, held_loss, entropy))
            on_epoch(number + 1, config.epochs)
            decided = entropy <= config.converged_entropy
            if decided and held_loss > before - STALL:
                stalled += 1
                if stalled == config.patience:
                    break
            else:
                before, stalled, kept = held_loss, 0, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return tuple(epochs), stalled == config.patience


def fit(
    network: Network,
    training: Segments,
    held_out: Segments,
    loss: Loss,
    config: SearchConfig,
    seed: int,
    on_epoch: OnEpoch,
) -> Network:
    """Fit a network to segments until the validation loss stalls; returns it with its best weights."""
    optimizer = torch.optim.Adam(network.parameters(), config.lr)
    before, stalled, kept = math.inf, 0, network.state_dict()
    with torch.random.fork_rng(devices=[]):
        for number in range(config.fit_epochs):
            torch.manual_seed(seed * 100_003 + number)
            _learn(network, training, loss, optimizer, config, [seed, number])
            held_loss = evaluate(network, held_out, loss).loss
            on_epoch(number + 1, config.fit_epochs)
            if held_loss > before - STALL:
                stalled += 1
                if stalled == config.fit_patience:
                    break
            else:
                before, stalled, kept = held_loss, 0, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return network.eval()


def _learn(
    network: Network,
    segments: Segments,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    config: SearchConfig,
    seed: list[int],
    selector: ElectrodeSelector | None = None,
    tau: float = 0.0,
) -> float:
    """One epoch; returns the mean loss over known steps, without penalties."""
    network.train()
    total, weight = 0.0, 0.0
    for batch in segments.batches(config.rows, np.random.default_rng(seed)):
        summed, n = loss(step(network, batch, None)[0], batch.y, batch.known)
        if float(n) == 0:
            continue
        objective = summed / n + config.weight_decay * sum_of_squares(network)
        if selector is not None:
            objective = objective + selector.duplicate_penalty(tau)
        optimizer.zero_grad(set_to_none=True)
        objective.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total, weight = total + float(summed.detach()), weight + float(n)
    return total / max(weight, 1e-12)


def sum_of_squares(network: nn.Module) -> Tensor:
    """Sum of squared weights of convolutions, LSTM and dense layers; without biases, batch norm and selector logits."""
    free = {id(p) for m in network.modules() if isinstance(m, ElectrodeSelector) for p in m.parameters()}
    weights = [p for p in network.parameters() if p.ndim > 1 and id(p) not in free]
    return torch.stack([w.square().sum() for w in weights]).sum()


@dataclass(frozen=True)
class Evaluation:
    """loss: mean over known steps. correct: (n,), fraction of each segment's known steps classified correctly."""

    loss: float
    correct: np.ndarray


@torch.no_grad()
def evaluate(network: Network, segments: Segments, loss: Loss, rows: int = 256) -> Evaluation:
    """Evaluate a network on segments, as live: each selector uses its first choice."""
    network.eval()
    total, weight = 0.0, 0.0
    correct = []
    for batch in segments.batches(rows):
        logits, _ = step(network, batch, None)
        summed, n = loss(logits, batch.y, batch.known)
        total, weight = total + float(summed), weight + float(n)
        correct.append(_correct(logits, batch))
    return Evaluation(total / max(weight, 1e-12), torch.cat(correct).cpu().numpy())


def _correct(logits: Tensor, batch: Batch) -> Tensor:
    if logits.shape[-1] == 1:
        right = ((logits > 0) == (batch.y > 0.5))[..., 0]  # (rows, steps)
    else:
        right = logits.argmax(-1) == batch.y.argmax(-1)
    return (right & batch.known).sum(1) / batch.known.sum(1).clamp_min(1)


def ranking(selector: ElectrodeSelector, resolution: Resolution) -> tuple[int, ...]:
    """The chosen electrodes by their selector's probability, then the others by the sum over all selectors."""
    p = selector.probabilities().detach()
    sureness = {e: float(p[e, m]) for m, e in enumerate(resolution.electrodes)}
    chosen = sorted(sureness, key=lambda e: -sureness[e])
    rest = [e for e in p.sum(1).argsort(descending=True).tolist() if e not in sureness]
    return (*chosen, *rest)
