"""`rtbci bench step`: an answer to a few new samples, by each back end; and carried state against the whole window again."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch

from rtbci.models import build
from rtbci.models.network import Network
from rtbci.models.numpy_step import NumpyStep
from rtbci.models.step import Step, TorchStep
from rtbci.results import Result, print_json

Call = Callable[[], object]

TAGGERS: dict[str, dict[str, Any]] = {
    "lstm_tagger 2x64": {"kind": "lstm_tagger", "n_channels": 32, "units": (64, 64)},
    "conv_lstm": {"kind": "conv_lstm", "n_channels": 16},
}
SAMPLES = (1, 8, 64)
OF_A_HOP: dict[str, dict[str, Any]] = {"shared_conv_lstm": {"kind": "shared_conv_lstm", "n_channels": 18}}
STACK = (256, 128, 64)


class StepRow(Result):
    """A network on a back end."""

    network: str
    """In words."""
    backend: str
    """`numpy`, `torch-cpu`, `cuda` or `keras`."""
    samples: int
    """New samples in a call."""
    us_p50: float
    """Median of a call."""


class StepReport(Result):
    """An answer to a few new samples, by each back end, in turn; and the whole window again."""

    rows: tuple[StepRow, ...]
    window_s: float
    """Of the network that answers a window."""
    sfreq: float
    """Rate of the signal."""
    threads: int
    """Of torch."""


def bench_step(window_s: float = 96.0, sfreq: float = 128.0, n_calls: int = 200, n_windows: int = 3) -> StepReport:
    """Rows of medians, on one CPU thread; the back ends are called in turn."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows: list[StepRow] = []
        for name, sizes in TAGGERS.items():
            steps = backends(build(**sizes))
            for samples in SAMPLES:
                calls = {backend: _answer(step, samples, sizes["n_channels"]) for backend, step in steps.items()}
                rows += _rows(name, samples, medians_us(calls, n_calls))
        for name, sizes in OF_A_HOP.items():
            network = build(**sizes)
            calls = {back: _answer(step, network.hop, network.n_channels) for back, step in backends(network).items()}
            rows += _rows(name, network.hop, medians_us(calls, n_calls))
        n_samples = round(window_s * sfreq)
        rows += _stacked(n_samples, n_calls, n_windows)
    finally:
        torch.set_num_threads(before)
    return StepReport(rows=tuple(rows), window_s=window_s, sfreq=sfreq, threads=1)


def backends(network: Network) -> dict[str, Step]:
    """Those that this machine has."""
    steps: dict[str, Step] = {"numpy": NumpyStep(network), "torch-cpu": TorchStep(network)}
    if torch.cuda.is_available():
        steps["cuda"] = TorchStep(network, "cuda")
    return steps


def _stacked(n_samples: int, n_calls: int, n_windows: int) -> list[StepRow]:
    """stacked_lstm (32 channels, 6 classes): 8 new samples on carried state, and its whole window again for them."""
    window = build("stacked_lstm", n_channels=32, units=STACK, window=n_samples)
    tagger = build("lstm_tagger", n_channels=32, n_classes=window.n_classes, units=STACK)
    tagger.load_state_dict(window.state_dict())  # the same weights: one answers once, the other at each sample
    carried = {backend: _answer(step, 8, 32) for backend, step in backends(tagger).items()}
    rows = _rows("stacked_lstm, carried state", 8, medians_us(carried, n_calls))
    x = _noise(n_samples, 32)
    again: dict[str, Call] = {"torch-cpu": _whole(TorchStep(window), x)}
    if torch.cuda.is_available():
        again["cuda"] = _whole(TorchStep(window, "cuda"), x)
    if (keras := _in_keras(n_samples, x)) is not None:
        again["keras"] = keras
    return rows + _rows("stacked_lstm, whole window again", n_samples, medians_us(again, n_windows, n_warm=1))


def _answer(step: Step, samples: int, n_channels: int) -> Call:
    x, state = _noise(samples, n_channels), step.initial_state()

    def call() -> None:
        nonlocal state
        _, state = step(x, state)

    return call


def _whole(step: Step, x: np.ndarray) -> Call:
    state = step.initial_state()
    return lambda: step(x, state)


def _in_keras(n_samples: int, x: np.ndarray) -> Call | None:
    from rtbci.bench.keras_models import keras_or_none, stacked_lstm

    if keras_or_none() is None:
        return None
    model = stacked_lstm(n_samples, 32, STACK, 6)
    return lambda: model.predict_on_batch(x[None])


def _noise(samples: int, n_channels: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(samples, n_channels)).astype(np.float32)


def medians_us(calls: dict[str, Call], n_calls: int, n_warm: int = 20) -> dict[str, float]:
    """Median microseconds of each, called in turn."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(n_warm + n_calls):
        for name, call in calls.items():
            began = perf_counter()
            call()
            took[name].append(perf_counter() - began)
    return {name: 1e6 * float(np.median(times[n_warm:])) for name, times in took.items()}


def _rows(network: str, samples: int, medians: dict[str, float]) -> list[StepRow]:
    return [
        StepRow(network=network, backend=backend, samples=samples, us_p50=round(us, 1))
        for backend, us in medians.items()
    ]


def step_report(*, json: bool, **sizes: Any) -> None:
    """Measure and print."""
    from rich.console import Console
    from rich.table import Table

    result = bench_step(**sizes)
    if json:
        return print_json(result)
    table = Table("network", "back end", "samples", "µs, median")
    for row in result.rows:
        table.add_row(row.network, row.backend, str(row.samples), f"{row.us_p50:,.1f}")
    Console(highlight=False).print(table)
