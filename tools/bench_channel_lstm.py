"""The channel-wise LSTM as one recurrence against the loop over channels: training trials a second, measured in turn.

    python tools/bench_channel_lstm.py [--channels 32 128] [--rounds 5]

A round is one training step (forward, backward, Adam) of each on 32 trials of 200 samples; medians over the rounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import rtbci.models
from rtbci.models.lstm import LSTMStack, lstm_layer

BATCH, STEPS, CLASSES = 32, 200, 6


class Loop(nn.Module):
    """The same network with one nn.LSTM a channel, one after the other."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.channels = nn.ModuleList(lstm_layer(1, 1) for _ in range(n_channels))
        self.lstm = LSTMStack(n_channels, (128, 64))
        self.dense = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        z = torch.cat([lstm(x[..., i : i + 1])[0] for i, lstm in enumerate(self.channels)], -1)
        return self.dense(self.lstm(z)[0][:, -1]), None


def training_step(network: nn.Module, x: Tensor, labels: Tensor) -> Callable[[], None]:
    """One step of Adam on one batch, again and again."""
    optimiser = torch.optim.Adam(network.parameters())

    def step() -> None:
        optimiser.zero_grad()
        cross_entropy(network(x)[0], labels).backward()
        optimiser.step()

    return step


def seconds(step: Callable[[], None]) -> float:
    """Of one call."""
    start = perf_counter()
    step()
    return perf_counter() - start


def compare(n_channels: int, n_rounds: int) -> tuple[float, float]:
    """Trials a second: (one recurrence, loop)."""
    torch.manual_seed(0)
    x, labels = torch.randn(BATCH, STEPS, n_channels), torch.randint(CLASSES, (BATCH,))
    networks = rtbci.models.build("channel_lstm", n_channels=n_channels), Loop(n_channels)
    steps = [training_step(network.train(), x, labels) for network in networks]
    rounds = [[seconds(step) for step in steps] for _ in range(n_rounds + 1)][1:]  # the first warms up
    one, loop = (BATCH / median(times) for times in zip(*rounds, strict=True))
    return one, loop


def main() -> None:
    """Print a line for each number of channels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{BATCH} trials of {STEPS} samples, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for n_channels in arguments.channels:
        one, loop = compare(n_channels, arguments.rounds)
        print(f"{n_channels:4} channels: {one:6.0f} trials/s, loop {loop:6.1f} trials/s, ratio {one / loop:.1f}")


if __name__ == "__main__":
    main()
