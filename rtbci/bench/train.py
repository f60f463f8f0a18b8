"""`rtbci bench train`: trials a second in our loop, against the same networks in Keras where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch

from rtbci.models import build
from rtbci.models.network import Network, count_parameters
from rtbci.results import Result, print_json
from rtbci.training.batches import Batch
from rtbci.training.config import TrainingConfig
from rtbci.training.fit import Fit
from rtbci.training.losses import make_loss

ROWS = 32


@dataclass(frozen=True)
class NetworkCase:
    """A network and its trials: x (rows, n_samples, n_channels), y (rows, steps, n_classes)."""

    kind: str
    n_samples: int
    n_channels: int
    loss: str
    keras_loss: str

    def network(self) -> Network:
        torch.manual_seed(0)
        return build(self.kind, n_channels=self.n_channels)

    def batch(self, n_classes: int, seed: int) -> Batch:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(ROWS, self.n_samples, self.n_channels)).astype(np.float32)
        if n_classes > 1:
            y = np.eye(n_classes, dtype=np.float32)[rng.integers(n_classes, size=ROWS)][:, None]
        else:
            y = rng.integers(2, size=(ROWS, self.n_samples, 1)).astype(np.float32)
        known, fresh = np.ones(y.shape[:2], np.bool_), np.ones(ROWS, np.bool_)
        return Batch(*map(torch.from_numpy, (x, y, known, fresh)))


CASES = (
    NetworkCase("conv_lstm", 400, 16, "bce", "binary_crossentropy"),
    NetworkCase("channel_lstm", 200, 32, "cross_entropy", "categorical_crossentropy"),
)


@dataclass(frozen=True)
class TrainingSetup:
    """A function that trains, and how many threads torch uses for it."""

    name: str
    threads: int
    run: Callable[[], object]


class TrainSpeedRow(Result):
    """A network; Keras' keys are there where Keras is installed."""

    network: str
    """Its kind."""
    samples: int
    """In a trial."""
    channels: int
    """How many."""
    rtbci_trials_per_s: float
    """Ours."""
    keras_trials_per_s: float | None = None
    """Of the same network in Keras."""
    ratio: float | None = None
    """Ours to Keras'."""


class TrainSpeed(Result):
    """Trials a second in training, in turn."""

    rows: tuple[TrainSpeedRow, ...]
    batch: int
    """Trials a batch."""
    threads: int
    """Of torch."""


def bench_train(rounds: int = 3, n_batches: int = 4, threads: int = 2) -> TrainSpeed:
    """Rows of medians over rounds; a round trains each on n_batches of 32 trials with Adam, one after the other.

    Keras runs on one thread and on `threads`, and the faster counts.
    """
    rows = []
    for case in CASES:
        fit = _fit(case, threads)
        batches = [case.batch(fit.network.n_classes, seed) for seed in range(n_batches)]
        setups = [TrainingSetup("rtbci", threads, lambda fit=fit, batches=batches: fit.run_epoch(batches, []))]  # type: ignore[misc]
        keras = _keras(case, batches, count_parameters(fit.network))
        if keras is not None:
            setups += [TrainingSetup("keras", n, keras) for n in sorted({1, threads})]
        rates = _rates(setups, rounds, n_batches * ROWS)
        rows.append(TrainSpeedRow(network=case.kind, samples=case.n_samples, channels=case.n_channels, **rates))
    return TrainSpeed(rows=tuple(rows), batch=ROWS, threads=threads)


def _fit(case: NetworkCase, threads: int) -> Fit:
    network = case.network()
    config = TrainingConfig(threads=threads, epochs=1_000_000, clip_norm=None, schedule="constant")
    loss = make_loss(config.model_copy(update={"loss": case.loss}), torch.ones(network.n_classes))
    return Fit(network, loss, config, "cpu")


def _keras(case: NetworkCase, batches: list[Batch], n_parameters: int) -> Callable[[], object] | None:
    from rtbci.bench import keras_models

    keras = keras_models.keras_or_none()
    if keras is None:
        return None
    model = getattr(keras_models, case.kind)(case.n_samples, case.n_channels)
    assert model.count_params() == n_parameters, (model.count_params(), n_parameters)
    model.compile(optimizer="adam", loss=case.keras_loss)
    pairs = [(b.x.numpy(), (b.y[:, 0] if b.y.shape[1] == 1 else b.y).numpy()) for b in batches]
    return lambda: [model.train_on_batch(x, y) for x, y in pairs]


def _rates(setups: list[TrainingSetup], rounds: int, n_trials: int) -> dict[str, float]:
    """Trials a second by name, and the ratio; the first round warms up."""
    before = torch.get_num_threads()
    took: list[list[float]] = [[] for _ in setups]
    try:
        for _ in range(1 + rounds):
            for setup, times in zip(setups, took, strict=True):
                torch.set_num_threads(setup.threads)
                began = perf_counter()
                setup.run()
                times.append(perf_counter() - began)
    finally:
        torch.set_num_threads(before)
    rates: dict[str, float] = {}
    for setup, times in zip(setups, took, strict=True):
        key = f"{setup.name}_trials_per_s"
        rates[key] = max(rates.get(key, 0.0), n_trials / float(np.median(times[1:])))
    if "keras_trials_per_s" in rates:
        rates["ratio"] = rates["rtbci_trials_per_s"] / rates["keras_trials_per_s"]
    return {name: round(rate, 1) for name, rate in rates.items()}


def train_report(*, json: bool, **sizes: Any) -> None:
    """Measure and print."""
    from rich.console import Console

    result = bench_train(**sizes)
    if json:
        return print_json(result)
    console = Console(highlight=False)
    for row in result.rows:
        line = f"{row.network} ({row.samples} × {row.channels}): {row.rtbci_trials_per_s:,.0f} trials/s"
        if row.ratio is not None:
            line += f", Keras {row.keras_trials_per_s:,.0f}, ratio {row.ratio:.1f}"
        console.print(line)
    if result.rows[0].ratio is None:
        console.print("Keras is not installed: pip install 'rtbci[bench]' to compare")
