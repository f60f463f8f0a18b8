"""The network's step on one stream, behind one small interface; each back end takes any piece of whole hops."""

from __future__ import annotations

import copy
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch

from rtbci.models.network import Network
from rtbci.models.numpy_step import F32, NumpyStep, has_numpy_step, in_pieces

StepState: TypeAlias = tuple[Any, ...]
"""The network's state in the back end's own arrays: to be handed back to the same back end, and not written to."""


class Step(Protocol):
    """x float32 (time, channels), state -> logits float32 (time // hop, n_classes), state."""

    def initial_state(self) -> StepState: ...

    def __call__(self, x: F32, state: StepState) -> tuple[F32, StepState]: ...


class TorchStep:
    """Any tagger on any device, in a copy of its own: a pipeline's network is shared and stays where it is."""

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
    """A step that is given one hop at a time, so that the cut cannot change a bit of the answer: see numpy_step."""

    def __init__(self, step: Step, hop: int) -> None:
        self.step, self.hop = step, hop

    def initial_state(self) -> StepState:
        return self.step.initial_state()

    def __call__(self, x: F32, state: StepState) -> tuple[F32, StepState]:
        return in_pieces(self.step, x, state, self.hop)


def make_step(network: Network, device: torch.device | str = "cpu") -> Step:
    """The step for this tagger on this device, with its weights as they are now.

    On a CPU no cut of the samples changes a bit of the answer; on a GPU it may change the last ones.
    """
    if torch.device(device).type == "cpu" and network.causal:
        return NumpyStep(network) if has_numpy_step(network) else HopByHop(TorchStep(network), network.hop)
    return TorchStep(network, device)
