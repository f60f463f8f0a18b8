"""The last layer of a network alone: its calibration, and its weights, fitted to few labelled answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from rtbci.errors import ConfigError
from rtbci.models.network import Network

STEPS = 200  # of L-BFGS, at most


@dataclass(frozen=True)
class Answers:
    """What a network answers where the label is known, in the order of time.

    Attributes
    ----------
    features
        float64 (n, n_features): what the last layer sees.
    logits, y
        float64 (n, n_classes): what it makes of them, and what holds.
    one_of_all
        Whether exactly one class holds at each.
    """

    features: Tensor
    logits: Tensor
    y: Tensor
    one_of_all: bool

    def part(self, of: Tensor) -> Answers:
        return Answers(self.features[of], self.logits[of], self.y[of], self.one_of_all)

    def loss(self, logits: Tensor) -> Tensor:
        """Mean cross-entropy in nats, in which either side of a class weighs the same, however rare it is."""
        if self.one_of_all:
            classes = self.y.argmax(1)
            counts = self.y.sum(0)
            weights = torch.where(counts > 0, 1 / counts.clamp(min=1), 0.0)
            return cross_entropy(logits, classes, weight=weights)
        n_true = self.y.sum(0)
        n_false = len(self.y) - n_true
        counted = (n_true > 0) & (n_false > 0)
        weights = torch.where(self.y > 0.5, 0.5 / n_true.clamp(min=1), 0.5 / n_false.clamp(min=1)) * counted
        each = binary_cross_entropy_with_logits(logits, self.y, reduction="none")
        return (each * weights).sum() / counted.sum().clamp(min=1)


def linear_output(network: Network) -> nn.Linear | None:
    """The linear layer that gives the logits; None where none does."""
    linear = [m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == network.n_classes]
    return linear[-1] if linear else None


def output_layer(network: Network) -> nn.Linear:
    """The same. Raises ConfigError where there is none."""
    last = linear_output(network)
    if last is None:
        raise ConfigError(
            f"the last layer of a {type(network).__name__} is not linear, so that it cannot be adapted alone; "
            "--level all-layers adapts the whole network"
        )
    return last


class Seen:
    """Context that keeps what the last layer is given, answer by answer."""

    def __init__(self, layer: nn.Linear) -> None:
        self._layer = layer
        self.features: list[Tensor] = []

    def __enter__(self) -> Seen:
        self._hook = self._layer.register_forward_hook(self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _keep(self, _: nn.Module, given: tuple[Tensor, ...], __: Tensor) -> None:
        self.features.append(given[0].detach().flatten(0, -2).double())


def calibrate(layer: nn.Linear, answers: Answers, n_independent: float) -> None:
    """Scale and shift the logits, in place: J. Platt's calibration, with a prior that holds where there is little evidence.

    Parameters
    ----------
    layer
        The last one.
    answers
        To fit to.
    n_independent
        How many of them are worth as much as independent ones: the prior, under which the logarithm of the scale and each
        shift have a standard deviation of 1, weighs like one of these.

    References
    ----------
    J. Platt, Probabilistic outputs for support vector machines, 1999. For several classes of which one holds: one scale and
    a shift for each (C. Guo et al., ICML 2017).
    """
    n_classes = answers.logits.shape[1]
    scale = torch.zeros(1 if answers.one_of_all else n_classes, dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)

    def cost() -> Tensor:
        prior = (scale.square().sum() + shift.square().sum()) / (2 * n_independent)
        return answers.loss(answers.logits * scale.exp() + shift) + prior

    _minimise([scale, shift], cost)
    with torch.no_grad():
        layer.weight.mul_(scale.exp()[:, None])
        layer.bias.copy_(layer.bias * scale.exp() + shift)


def refit(layer: nn.Linear, answers: Answers, n_independent: float) -> None:
    """Fit the layer's weights, in place, from where they are; arguments as for `calibrate`.

    Under the prior, the logits change with a standard deviation of 1 over the answers, to which each feature contributes the
    same; and the shift has one of 1.
    """
    z = answers.features - answers.features.mean(0)
    spread = z.std(0, correction=0).clamp(min=1e-6)
    change = torch.zeros(answers.logits.shape[1], z.shape[1], dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(answers.logits.shape[1], dtype=torch.float64, requires_grad=True)

    def cost() -> Tensor:
        prior = (z.shape[1] * change.square().sum() + shift.square().sum()) / (2 * n_independent)
        return answers.loss(answers.logits + (z / spread) @ change.T + shift) + prior

    _minimise([change, shift], cost)
    with torch.no_grad():
        per_feature = change / spread
        layer.weight.add_(per_feature)
        layer.bias.add_(shift - per_feature @ answers.features.mean(0))


def _minimise(parameters: Iterable[Tensor], cost: Callable[[], Tensor]) -> None:
    optimizer = torch.optim.LBFGS(list(parameters), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = cost()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
