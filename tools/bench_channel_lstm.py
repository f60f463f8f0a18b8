"""The channel-wise LSTM as one recurrence against the loop over channels: training trials a second, measured in turn.

    python tools/bench_channel_lstm.py [--channels 32 128] [--rounds 5] [--threads 1]

A round is one training step (forward, backward, Adam) of each on 32 trials of 200 samples; medians over the rounds.
"the layer" is one LSTM a channel alone; "the network" has the common layers and the classes behind it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

import rtbci.models
from rtbci.models.channel_lstm import ChannelLayer
from rtbci.models.lstm import lstm_layer
from rtbci.models.network import State

BATCH, STEPS = 32, 200


class Loop(nn.Module):
    """The layer with one nn.LSTM a channel, one after the other."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.lstms = nn.ModuleList(lstm_layer(1, 1) for _ in range(n_channels))

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return torch.cat([lstm(x[..., i : i + 1])[0] for i, lstm in enumerate(self.lstms)], -1), ()


def network(n_channels: int, layer: nn.Module) -> nn.Module:
    """The original network with this layer in front."""
    whole = rtbci.models.build("channel_lstm", n_channels=n_channels)
    whole.channels = layer
    return whole


def training_step(module: nn.Module, x: Tensor) -> Callable[[], None]:
    """One step of Adam on one batch, again and again."""
    optimiser = torch.optim.Adam(module.parameters())

    def step() -> None:
        optimiser.zero_grad()
        module(x)[0].square().mean().backward()
        optimiser.step()

    return step


def seconds(step: Callable[[], None]) -> float:
    """Of one call."""
    start = perf_counter()
    step()
    return perf_counter() - start


def in_turn(steps: list[Callable[[], None]], n_rounds: int) -> list[float]:
    """Trials a second of each."""
    rounds = [[seconds(step) for step in steps] for _ in range(n_rounds + 1)][1:]  # the first warms up
    return [BATCH / median(times) for times in zip(*rounds, strict=True)]


def main() -> None:
    """Print two lines for each number of channels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(f"{BATCH} trials of {STEPS} samples, torch {torch.__version__}, {arguments.threads} threads")
    for n in arguments.channels:
        x = torch.randn(BATCH, STEPS, n)
        subjects = {
            "the layer": (ChannelLayer(n, 1), Loop(n)),
            "the network": (network(n, ChannelLayer(n, 1)), network(n, Loop(n))),
        }
        for name, pair in subjects.items():
            one, loop = in_turn([training_step(module, x) for module in pair], arguments.rounds)
            rates = f"one recurrence {one:6.0f} trials/s, loop {loop:6.0f} trials/s"
            print(f"{n:4} channels, {name + ':':12} {rates}, ratio {one / loop:.1f}")


if __name__ == "__main__":
    main()
