"""Which device answers a live chunk faster: measured, not guessed."""

from __future__ import annotations

import copy
from time import perf_counter

import numpy as np
import torch

from rtbci.errors import ConfigError
from rtbci.models.network import Network
from rtbci.models.step import make_step


def resolve_device(network: Network, device: str) -> str:
    """ "cpu", "cuda", "cuda:1" as they are; "auto" is the faster of CPU and GPU. Raises ConfigError for one not there."""
    if device == "auto":
        return min(_available(), key=lambda name: step_us(network, name))
    kind = device.split(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"device {device!r} is not known; wanted auto, cpu or cuda")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda was asked for, but this machine has no usable CUDA GPU; use cpu or auto")
    return device


def _available() -> list[str]:
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def step_us(network: Network, device: str, n_hops: int = 1, repeats: int = 30) -> float:
    """Median microseconds for `n_hops` hops of one stream."""
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
