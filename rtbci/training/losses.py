"""Losses over steps with a known label: binary, focal, or cross-entropy; weighted against class imbalance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, softplus

from rtbci.training.config import TrainingConfig

# (logits (rows, steps, n_classes), y likewise, known (rows, steps)) -> the sum over known steps, and their weight
Loss = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def make_loss(config: TrainingConfig, class_weights: Tensor) -> Loss:
    """The loss that a config asks for.

    Parameters
    ----------
    config
        Kind, gamma and label smoothing.
    class_weights
        (n_classes,), of the positive steps of each class; of the class itself for cross-entropy.

    Returns
    -------
    Loss
        (logits, y, known) -> (sum over known steps, their weight).
    """
    if config.loss == "cross_entropy":
        return partial(masked_cross_entropy, weights=class_weights, smoothing=config.label_smoothing)
    gamma = config.focal_gamma if config.loss == "focal" else 0.0
    return partial(masked_binary, weights=class_weights, gamma=gamma, smoothing=config.label_smoothing)


def masked_binary(
    logits: Tensor, y: Tensor, known: Tensor, *, weights: Tensor, gamma: float = 0.0, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Binary cross-entropy of each class independently; focal with gamma.

    Parameters
    ----------
    logits, y
        (rows, steps, n_classes).
    known
        (rows, steps).
    weights
        (n_classes,), of positive steps.
    gamma
        Focusing parameter of the focal loss; 0: plain cross-entropy.
    smoothing
        Label smoothing.

    Returns
    -------
    loss, weight
        Sums over known steps.

    References
    ----------
    T.-Y. Lin et al., ICCV 2017 (focal loss).
    """
    weight = torch.where(y > 0.5, weights, 1.0) * known[..., None]  # (rows, steps, n_classes)
    target = y * (1 - 2 * smoothing) + smoothing
    each = binary_cross_entropy_with_logits(logits, target, reduction="none")
    if gamma:
        # (1 - p of the truth) ** gamma, from the logit itself, so that it never overflows.
        each = each * torch.exp(-gamma * softplus(torch.where(y > 0.5, logits, -logits)))
    return (each * weight).sum(), weight.sum()


def masked_cross_entropy(
    logits: Tensor, y: Tensor, known: Tensor, *, weights: Tensor, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of one class of all, with one-hot y; arguments and results as for `masked_binary`."""
    classes = y.argmax(-1)  # (rows, steps)
    each = cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none", label_smoothing=smoothing)
    weight = weights[classes].flatten() * known.flatten()
    return (each * weight).sum(), weight.sum()


def balance(counts: Tensor, n_known: int, *, one_of_all: bool) -> Tensor:
    """Class weights that give positives and negatives equal influence.

    Parameters
    ----------
    counts
        (n_classes,): at how many steps each holds.
    n_known
        Steps whose label is known.
    one_of_all
        Whether exactly one class holds at a step.

    Returns
    -------
    Tensor
        (n_classes,), bounded to 1/20 … 20, so that one short event does not dominate.
    """
    counts = counts.float()
    weights = n_known / (len(counts) * counts.clamp(min=1)) if one_of_all else (n_known - counts) / counts.clamp(min=1)
    return weights.clamp(1 / 20, 20).float()
