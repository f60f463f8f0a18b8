"""Electrode selection: a Gumbel-softmax search, then the chosen electrodes fixed and the network fine-tuned on them.

Strypsteen and Bertrand (2021), End-to-end learnable EEG channel selection for deep neural networks with Gumbel-softmax.
Beyond the paper, no electrode is chosen twice at the end.
"""

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

STALL = 1e-3  # a validation loss that falls by less does not fall
OnEpoch = Callable[[int, int], None]  # epochs done, of how many at most


@dataclass(frozen=True)
class SearchEpoch:
    """One epoch of a search. The entropy is the mean over selectors: 1 undecided, 0 decided."""

    temperature: float
    tau: float
    train_loss: float
    held_out_loss: float
    entropy: float


@dataclass(frozen=True)
class Selected:
    """What a search came to.

    resolution: the electrodes, one a selector, and which selectors had to give way. probabilities: (n_select,
    n_channels), of each selector. ranking: every electrode, the chosen ones first, then by how much the selectors
    together want it. network: fine-tuned, fed with the chosen electrodes in the order of the selectors.
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
    """Search, freeze, fine-tune. `network` is changed; seeded: the same again on the same CPU."""
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
    """Until the selectors have decided and the validation loss stalls; the last weights before the stall are kept."""
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
    """Fit any network on segments until the validation loss stalls; it comes back with its best weights."""
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
    """One pass; the mean loss over known steps, without the penalties."""
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
    """Of the weights of convolutions, LSTM and dense layers; biases, batch-norm and the selector's logits are free."""
    free = {id(p) for m in network.modules() if isinstance(m, ElectrodeSelector) for p in m.parameters()}
    weights = [p for p in network.parameters() if p.ndim > 1 and id(p) not in free]
    return torch.stack([w.square().sum() for w in weights]).sum()


@dataclass(frozen=True)
class Evaluation:
    """loss: the mean over known steps. correct: (n,) which part of each piece's known steps is answered right."""

    loss: float
    correct: np.ndarray


@torch.no_grad()
def evaluate(network: Network, segments: Segments, loss: Loss, rows: int = 256) -> Evaluation:
    """Each electrode as it would be live: the first choice of each selector."""
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
    """The chosen by their selector's sureness, then the others by the sum of all selectors' probabilities."""
    p = selector.probabilities().detach()
    sureness = {e: float(p[e, m]) for m, e in enumerate(resolution.electrodes)}
    chosen = sorted(sureness, key=lambda e: -sureness[e])
    rest = [e for e in p.sum(1).argsort(descending=True).tolist() if e not in sureness]
    return (*chosen, *rest)
