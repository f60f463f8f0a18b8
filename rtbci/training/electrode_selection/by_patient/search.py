"""The Gumbel search in front of a tagger, on sequences that are drawn from the training patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from rtbci.errors import ConfigError
from rtbci.models.gumbel_selector import ElectrodeSelector, SelectionNet, tau_at, temperature_at
from rtbci.training.data import Data, OnProgress
from rtbci.training.electrode_selection.by_patient.derivations import OnDerivations
from rtbci.training.electrode_selection.by_patient.distance import Distances, best_close_set
from rtbci.training.electrode_selection.by_patient.results import SearchEpoch
from rtbci.training.electrode_selection.search import sum_of_squares
from rtbci.training.fit import Fit, step


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    derivations
        Indices, in the order of the montage.
    probabilities
        (n_select, n_channels), of each selector.
    epochs
        Its course.
    """

    derivations: tuple[int, ...]
    probabilities: tuple[tuple[float, ...], ...]
    epochs: tuple[SearchEpoch, ...]


def search(data: Data, k: int, on_progress: OnProgress, excess: Distances | None = None) -> Found:
    """Search k derivations for a fixed number of epochs; with one seed, the same result on the same CPU.

    Temperature and tau fall from batch to batch, as there are few epochs.

    Parameters
    ----------
    data
        Of the training patients, with all derivations.
    k
        Number of derivations.
    on_progress
        Called after each epoch.
    excess
        (n, n), by how much the electrodes of two derivations lie too far apart, as a share of the distance that is allowed:
        its mean over the selectors is added to the loss, and no two that exceed it are chosen. None: wherever they lie.

    Raises
    ------
    ConfigError
        If the loss is no longer finite.

    References
    ----------
    T. Strypsteen, A. Bertrand, End-to-end learnable EEG channel selection for deep neural networks with Gumbel-softmax,
    2021.
    """
    config, seed = data.config.selection, data.config.training.seed
    fit = OnDerivations(data, range(k)).new_fit()  # its network takes any k of them
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SelectionNet(len(data.pipeline_config.montage.channels), k, fit.network).to(fit.device)
    selector = network.selection_layer
    groups = [
        {"params": network.network.parameters(), "lr": config.lr},
        {"params": selector.parameters(), "lr": config.selector_lr or config.lr},
    ]
    optimizer = torch.optim.Adam(groups)
    apart = None if excess is None else torch.from_numpy(excess).float().to(fit.device)
    epochs: list[SearchEpoch] = []
    with torch.random.fork_rng(devices=[]):
        for number in range(config.epochs):
            torch.manual_seed(seed * 100_003 + number)
            loss = _learn(network, data, fit, optimizer, number, apart)
            if not math.isfinite(loss):
                raise ConfigError(f"the loss of the search is not finite after epoch {number + 1}; lower selection.lr")
            entropy = float(selector.entropy().mean().detach())
            epochs.append(SearchEpoch(temperature=selector.temperature, train_loss=loss, entropy=entropy))
            on_progress(f"search, K = {k}", number + 1, config.epochs, None)
    probabilities = selector.probabilities().detach().cpu()
    return Found(_chosen(selector, excess), tuple(map(tuple, probabilities.T.tolist())), tuple(epochs))


def _learn(
    network: SelectionNet,
    data: Data,
    fit: Fit,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    apart: torch.Tensor | None,
) -> float:
    """One epoch; returns the mean loss over known steps, without penalties."""
    config, training, sampling = data.config.selection, data.config.training, data.config.sampling
    assert sampling is not None, "checked before"
    selector, n_batches = network.selection_layer, -(-sampling.sequences // training.rows)
    network.train()
    total, weight = 0.0, 0.0
    for number, batch in enumerate(data.training_batches(epoch)):
        at = epoch + number / n_batches
        selector.temperature = temperature_at(at, config.epochs, *config.temperature)
        batch = batch.to(fit.device)
        summed, n = fit.loss(step(network, batch, None)[0], batch.y, batch.known)
        if float(n) == 0:
            continue
        objective = summed / n + config.weight_decay * sum_of_squares(network.network)
        objective = objective + selector.duplicate_penalty(tau_at(at, config.epochs, *config.tau))
        if apart is not None:
            p = selector.probabilities()
            objective = objective + (p.T @ apart @ p).mean()
        optimizer.zero_grad(set_to_none=True)
        objective.backward()  # type: ignore[no-untyped-call]
        if training.clip_norm is not None:
            nn.utils.clip_grad_norm_(network.network.parameters(), training.clip_norm)
        optimizer.step()
        total, weight = total + float(summed.detach()), weight + float(n)
    return total / max(weight, 1e-12)


def _chosen(selector: ElectrodeSelector, excess: Distances | None) -> tuple[int, ...]:
    if excess is None:
        return tuple(sorted(selector.resolved().electrodes))
    wanted = selector.probabilities().detach().cpu().double().sum(1).numpy()
    found = best_close_set(wanted, excess <= 0, selector.qz_loga.shape[1])
    assert found is not None, "that there is such a set was checked before"
    return found
