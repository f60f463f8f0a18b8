"""A network's step on one stream, behind one small interface; each back end takes any number of whole hops."""

from __future__ import annotations

import copy
from time import perf_counter
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch

from rtbci.errors import ConfigError
from rtbci.models.arrays import F32
from rtbci.models.network import Network
from rtbci.models.numpy_step import NumpyStep, has_numpy_step, in_chunks
from rtbci.models.threads import OneThread

StepState: TypeAlias = tuple[Any, ...]
"""The network's state in the back end's own arrays: to be handed back to the same back end, and not written to."""


class Step(Protocol):
    """x float32 (time, channels), state -> logits float32 (time // hop, n_classes), state."""

    def initial_state(self) -> StepState: ...

    def __call__(self, x: F32, state: StepState) -> tuple[F32, StepState]: ...


class TorchStep:
    """Any tagger on any device, on a copy of it: a pipeline's network is shared and stays where it is."""

    def __init__(self, network: Network, device: torch.device | str = "cpu") -> None:
        self.network = copy.deepcopy(network).to(device).eval()
        self.device = torch.device(device)

    def initial_state(self) -> StepState:
        return self.network.initial_state(1, self.device)

    @torch.inference_mode()
    def __call__(self, x: F32, state: StepState) -> tuple[F32, StepState]:
        if not len(x):
            return np.empty((0, self.network.n_classes), np.float32), state
        logits, state = self.network(torch.tensor(x, device=self.device)[None], state)
        return logits[0].float().cpu().numpy(), state


class HopByHop:
    """Runs a step one hop at a time, so that the answer does not depend on the chunks to the bit: see numpy_step.

    And on one thread: nor does it depend on how many threads the process has.
    """

    def __init__(self, step: Step, hop: int) -> None:
        self.step, self.hop = step, hop

    def initial_state(self) -> StepState:
        return self.step.initial_state()

    def __call__(self, x: F32, state: StepState) -> tuple[F32, StepState]:
        with OneThread():
            return in_chunks(self.step, x, state, self.hop)


def make_step(network: Network, device: torch.device | str = "cpu") -> Step:
    """The step of a tagger on a device, with its weights as they are now.

    On a CPU the answer depends neither on how the samples are cut nor on the number of threads, to the bit; on a GPU its
    last bits may.

    Parameters
    ----------
    network
        A tagger.
    device
        "cpu", "cuda", ….

    Returns
    -------
    Step
        In numpy where that is possible, else in torch.
    """
    if torch.device(device).type == "cpu" and network.causal:
        return NumpyStep(network) if has_numpy_step(network) else HopByHop(TorchStep(network), network.hop)
    return TorchStep(network, device)


def resolve_device(network: Network, device: str) -> str:
    """ "auto": the faster of CPU and GPU; others unchanged. Raises ConfigError for one that is not available."""
    if device == "auto":
        return min(_available(), key=lambda name: step_us(network, name))
    check_device(device)
    return device


def check_device(device: str) -> None:
    """Raise ConfigError for a device that is unknown or that this machine lacks."""
    kind, _, number = device.partition(":")
    if device == "auto":
        return
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdecimal()):
        raise ConfigError(f"device {device!r} is not known; wanted auto, cpu or cuda")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda was asked for, but this machine has no usable CUDA GPU; use cpu or auto")
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {device} was asked for, but this machine has {torch.cuda.device_count()}, from cuda:0 on"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device mps was asked for, but this machine has none; use cpu or auto")


def _available() -> list[str]:
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def step_us(network: Network, device: str, n_hops: int = 1, repeats: int = 30) -> float:
    """Median duration of `n_hops` hops of one stream, in microseconds."""
    placed = copy.deepcopy(network)
    noise = np.random.default_rng(0).normal(size=(n_hops * network.hop, network.n_channels)).astype(np.float32)
    if network.window is not None:
        epoch = torch.zeros(1, network.window, network.n_channels, device=device)
        return _median_us(lambda: placed.to(device)(epoch)[0].cpu(), repeats)
    step = make_step(placed, device)
    state = step.initial_state()
    return _median_us(lambda: step(noise, state), repeats)


def _median_us(call: object, repeats: int) -> float:
    assert callable(call)
    took = []
    with torch.inference_mode():
        for _ in range(repeats + 5):
            before = perf_counter()
            call()
            took.append(perf_counter() - before)
    return float(np.median(took[5:]) * 1e6)
