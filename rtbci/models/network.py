"""The contract of every network: forward(x, state) -> (logits, state), and how much of the signal it uses."""

from __future__ import annotations

import sys
from typing import TypeAlias

import torch
from torch import Tensor, nn

State: TypeAlias = tuple[Tensor, ...]

WHOLE_SEQUENCE = sys.maxsize
"""The lookahead of a network that waits for the end of the recording."""


class Network(nn.Module):
    """Base class: ``forward(x, state=None) -> (logits, state)``; x is (batch, time, channels).

    A tagger answers at every hop: logits (batch, time // hop, n_classes), time a multiple of hop. An epoch network
    answers once: logits (batch, n_classes) for an epoch of `window` samples; where it is `per_sample`, (batch,
    window), of one class at each sample. The state is a flat tuple of tensors with the batch on axis 0. Zeros mean the
    same as None; () where there is none.

    Parameters
    ----------
    n_channels
        Channels of x.
    n_classes
        Logits of one answer.

    Attributes
    ----------
    hop
        Samples between two answers of a tagger.
    causal
        Whether no answer depends on later samples.
    lookahead
        Samples after the newest of its hop that an answer depends on.
    window
        Samples of an epoch; None for a tagger.
    per_sample
        Whether the outputs of an epoch network are the epoch's samples, all of one class.
    """

    hop: int = 1  # samples per output step
    causal: bool = True
    lookahead: int = 0  # samples after the newest of its hop that an output depends on
    window: int | None = None  # samples of an epoch; None: a tagger
    per_sample: bool = False  # an epoch network whose outputs are the epoch's samples, all of one class

    def __init__(self, n_channels: int, n_classes: int) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.n_classes = n_classes

    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each tensor of the state, without the batch."""
        return []

    def initial_state(self, batch: int = 1, device: torch.device | str | None = None) -> State:
        return tuple(torch.zeros(batch, *shape, device=device) for shape in self.state_shapes())


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
