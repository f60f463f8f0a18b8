"""Splitting a batch over threads: on a CPU faster than many threads on each small matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from rtbci.models.covariance import Whitening
from rtbci.models.gumbel_selector import ElectrodeSelector
from rtbci.models.network import Network, State


def divisible(network: nn.Module) -> bool:
    """Whether rows are independent and nothing is random: no batch normalisation, whitening, dropout or selector.

    False for a plug-in network, for which that is not known.
    """
    if not type(network).__module__.startswith("rtbci."):
        return False
    mixing = nn.BatchNorm1d | nn.BatchNorm2d | Whitening | ElectrodeSelector
    return not any(
        isinstance(module, mixing) or (isinstance(module, nn.Dropout) and module.p > 0) for module in network.modules()
    )


def in_parts(network: Network, x: Tensor, state: State | None, n_parts: int) -> tuple[Tensor, State]:
    """network(x, state) for training on a CPU, on n_parts threads; only the parameters get gradients.

    The parts' gradients are summed in order, so that the same seed gives the same weights.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    logits, *new = _InParts.apply(network, x, state or (), n_parts, *parameters)  # type: ignore[no-untyped-call]
    return logits, tuple(new)


class _InParts(torch.autograd.Function):
    """Builds one graph for each part in the forward pass, and differentiates each on a thread of its own."""

    @staticmethod
    def forward(ctx: Any, network: Network, x: Tensor, state: State, n_parts: int, *parameters: Tensor) -> Any:
        def run(part: Sequence[Tensor]) -> tuple[Tensor, State]:
            with torch.enable_grad():
                logits, new = network(part[0], tuple(part[1:]) or None)
            return logits, new

        parts = zip(*(tensor.detach().tensor_split(n_parts) for tensor in (x, *state)), strict=True)
        results = list(_threads(n_parts).map(run, parts))
        ctx.logits, ctx.parameters = [logits for logits, _ in results], parameters
        outputs = [torch.cat(rows).detach() for rows in zip(*((logits, *new) for logits, new in results), strict=True)]
        ctx.mark_non_differentiable(*outputs[1:])
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *wanted: Tensor) -> Any:
        def differentiate(logits: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
            grads: tuple[Tensor, ...] = torch.autograd.grad(logits, ctx.parameters, grad, materialize_grads=True)
            return grads

        n_parts = len(ctx.logits)
        grads = _threads(n_parts).map(differentiate, ctx.logits, wanted[0].tensor_split(n_parts))
        return None, None, None, None, *(torch.stack(each).sum(0) for each in zip(*grads, strict=True))


@cache
def _threads(n_parts: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_parts, "part", torch.set_num_threads, (1,))
