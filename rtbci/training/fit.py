"""The training loop: segments in, weights out; state carried along each row, early stopping on held-out recordings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rtbci.evaluation.probabilities import mean_auroc
from rtbci.models.network import Network, State
from rtbci.training import distributed
from rtbci.training.batches import Batch, without_idle
from rtbci.training.config import TrainingConfig
from rtbci.training.learning_curve import EpochFigures
from rtbci.training.losses import Loss
from rtbci.training.threads import divisible, in_parts

OPTIMIZERS = {"adam": torch.optim.Adam, "nadam": torch.optim.NAdam, "radam": torch.optim.RAdam}

Weights = dict[str, Tensor]


@dataclass
class Progress:
    """The state of a fit: with the optimizer's state, enough to continue."""

    rows: list[EpochFigures] = field(default_factory=list)
    best: Weights = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf


class Fit:
    """The fit of a network: call `run_epoch` until `done`.

    Parameters
    ----------
    network
        Its weights are changed.
    loss
        See losses.py.
    config
        Optimizer, schedule and early stopping.
    device
        "cpu" or "cuda".
    classes
        Names, for the figures of an epoch.

    Attributes
    ----------
    progress
        Figures of each epoch and the best weights.
    average
        Running average of the weights; None without one.
    """

    def __init__(
        self, network: Network, loss: Loss, config: TrainingConfig, device: str, classes: Sequence[str] = ()
    ) -> None:
        self.network = network.to(device)
        self.loss = loss
        self.config = config
        self.device = device
        self.classes = tuple(classes)
        self.learner = distributed.parallel(self.network)
        alone = distributed.n_processes() == 1
        self.n_parts = config.threads if alone and device == "cpu" and divisible(network) else 1
        trainable = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = OPTIMIZERS[config.optimizer](trainable, lr=config.lr, weight_decay=config.weight_decay)
        self.average = (
            AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(config.average))  # type: ignore[no-untyped-call]
            if config.average
            else None
        )
        # PyTorch runs an LSTM in float16 whatever type autocast is asked for, and float16 loses small gradients.
        self.scaler = torch.amp.GradScaler("cuda", enabled=self._mixed)
        self.progress = Progress()

    @property
    def epoch(self) -> int:
        """Completed epochs."""
        return len(self.progress.rows)

    @property
    def done(self) -> bool:
        return self.epoch >= self.config.epochs or self.epoch - self.progress.best_epoch >= self.config.patience

    @property
    def candidate(self) -> Network:
        """The network that is validated and kept: the running average where there is one."""
        return self.network if self.average is None else cast(Network, self.average.module)

    def run_epoch(
        self, training: Iterable[Batch], held_out: Iterable[Batch], on_batch: Callable[[int], None] = lambda _: None
    ) -> EpochFigures:
        """One pass over the training batches, and one over the held-out ones.

        Parameters
        ----------
        training, held_out
            Batches; without held-out ones the last epoch is the best.
        on_batch
            Called after each training batch with their number so far.

        Returns
        -------
        EpochFigures
            Learning rate, losses, AUROC, and how much was shown of each class.
        """
        lr = learning_rate(self.config, self.epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        # A seed for each epoch, so that a resumed run has the same result.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed * 100_003 + self.epoch + 1_000_003 * distributed.rank())
            train_loss, shown = self._learn(training, on_batch)
        # One process validates, so that all stop at the same epoch.
        validated = self.validate(self.candidate, held_out) if distributed.leads() else (None, None)
        held_loss, auroc = distributed.of_lead(validated)
        row = EpochFigures(self.epoch + 1, lr, train_loss, held_loss, auroc, shown)
        if held_loss is None or held_loss < self.progress.best_loss:
            self.progress.best = {k: v.detach().cpu().clone() for k, v in self.candidate.state_dict().items()}
            self.progress.best_epoch = row.epoch
            self.progress.best_loss = math.inf if held_loss is None else held_loss
        # Last, so that a completed epoch has its best weights, whenever Ctrl-C comes.
        self.progress.rows.append(row)
        return row

    def _learn(self, batches: Iterable[Batch], on_batch: Callable[[int], None]) -> tuple[float, dict[str, float]]:
        """The mean loss, and of each class the share of the steps with a known label at which it holds."""
        # Below the last layer everything is as live: no dropout, and no statistics that would still be learned.
        self.learner.train(self.config.layers == "all")
        total, weight = 0.0, 0.0
        n_known, n_holding = 0, torch.zeros(len(self.classes), dtype=torch.int64)
        state: State | None = None
        for number, (batch, carried) in enumerate(without_idle(map(distributed.own_rows, batches)), 1):
            if self.classes:
                known = batch.known > 0
                n_known += int(known.sum())
                n_holding += (batch.y[known] > 0.5).sum(0)
            batch = batch.to(self.device)
            with self._precision():
                logits, state = step(self.learner, batch, rows_of(state, carried), self.n_parts)
            on_batch(number)
            loss, n = self.loss(logits.float(), batch.y, batch.known)
            state = tuple(s.detach() for s in state)
            loss_of_all, n_of_all = distributed.summed(loss, n).tolist()
            if n_of_all == 0:
                continue  # no known label in this segment; only its state matters
            self.optimizer.zero_grad(set_to_none=True)
            # Gradients are averaged over processes, which differ in the number of known steps.
            self.scaler.scale(loss / (n_of_all / distributed.n_processes())).backward()
            if self.config.clip_norm is not None:
                self.scaler.unscale_(self.optimizer)
                nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.average is not None:
                self.average.update_parameters(self.network)
            total, weight = total + loss_of_all, weight + n_of_all
        shown = {name: int(n) / max(n_known, 1) for name, n in zip(self.classes, n_holding, strict=True)}
        return total / max(weight, 1e-12), shown

    @torch.no_grad()
    def validate(self, network: Network, batches: Iterable[Batch]) -> tuple[float | None, float | None]:
        """(loss, AUROC) of a network on batches; None where no label is known, or only one kind."""
        network = network.to(self.device).eval()
        total, weight = 0.0, 0.0
        scores, truth = [], []
        for batch, logits in answers(network, (batch.to(self.device) for batch in batches)):
            loss, n = self.loss(logits, batch.y, batch.known)
            total, weight = total + float(loss), weight + float(n)
            scores.append(logits[batch.known].cpu().numpy())
            truth.append(batch.y[batch.known].cpu().numpy() > 0.5)
        if not weight:
            return None, None
        return total / weight, mean_auroc(np.concatenate(scores), np.concatenate(truth))

    @property
    def _mixed(self) -> bool:
        return self.config.mixed_precision and self.device.startswith("cuda")

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=self._mixed)


def answers(network: nn.Module, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Tensor]]:
    """Each batch with the logits of a network, whose state goes on from batch to batch."""
    state: State | None = None
    for batch, carried in without_idle(batches):
        logits, state = step(network, batch, rows_of(state, carried))
        yield batch, logits


def rows_of(state: State | None, rows: Tensor | None) -> State | None:
    """The state of some rows; of all where `rows` is None."""
    return state if state is None or rows is None else tuple(s[rows.to(s.device)] for s in state)


def step(network: nn.Module, batch: Batch, state: State | None, n_parts: int = 1) -> tuple[Tensor, State]:
    """Run the network on one segment.

    Parameters
    ----------
    network
        A tagger or an epoch network.
    batch
        With `fresh` rows, whose state begins at zero.
    state
        After the previous segment.
    n_parts
        Threads that share the rows, for training on a CPU.

    Returns
    -------
    logits, state
        (rows, steps, n_classes), and the state after the segment.
    """
    if state and len(state[0]) == len(batch.fresh):
        # Not a product with zero, which would turn an infinite state into NaN.
        state = tuple(torch.where(_rows(batch.fresh, s), torch.zeros_like(s), s) for s in state)
    else:
        state = None
    n_parts = min(n_parts, len(batch.x))
    logits, state = (
        in_parts(cast(Network, network), batch.x, state, n_parts) if n_parts > 1 else network(batch.x, state)
    )
    if logits.ndim == 2:  # of an epoch network, which carries no state
        return logits[:, :, None] if batch.y.shape[1] > 1 else logits[:, None], ()
    return logits, state


def _rows(fresh: Tensor, like: Tensor) -> Tensor:
    return fresh.reshape(-1, *[1] * (like.ndim - 1))


def learning_rate(config: TrainingConfig, epoch: int) -> float:
    """Learning rate of an epoch, counted from 0: linear warm-up, then constant or cosine decay to a hundredth."""
    if epoch < config.warmup_epochs:
        return config.lr * (epoch + 1) / (config.warmup_epochs + 1)
    if config.schedule == "constant":
        return config.lr
    done = (epoch - config.warmup_epochs) / max(1, config.epochs - config.warmup_epochs)
    return config.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
