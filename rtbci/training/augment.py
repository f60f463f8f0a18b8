"""Augmentation at each visit to a recording: gains, missing channels, left and right, sign."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.errors import ConfigError
from rtbci.training.config import AugmentConfig
from rtbci.types import Samples


@dataclass(frozen=True)
class Augmentation:
    """x (n, n_channels) becomes x[:, order] * gain."""

    order: npt.NDArray[np.intp]  # (n_channels,)
    gain: Samples  # (n_channels,)

    def __call__(self, x: Samples) -> Samples:
        return x[:, self.order] * self.gain


class Augment:
    """Draws an Augmentation for each visit.

    Parameters
    ----------
    config
        What is varied, and how much.
    channels
        Names of the network's inputs.

    Raises
    ------
    ConfigError
        If channels are to be mirrored and one has no counterpart on the other side.
    """

    def __init__(self, config: AugmentConfig, channels: tuple[str, ...]) -> None:
        self._config = config
        self._n = len(channels)
        self._mirrored = mirrored(channels) if config.mirror else None

    def draw(self, rng: np.random.Generator) -> Augmentation:
        config, n = self._config, self._n
        gain = np.exp(rng.normal(0, 1) * config.gain_sd + rng.normal(0, 1, n) * config.channel_gain_sd)
        gain *= rng.random(n) >= config.channel_dropout
        order = np.arange(n)
        if self._mirrored is not None and rng.random() < 0.5:
            order = self._mirrored
        if config.invert and rng.random() < 0.5:
            gain = -gain
        return Augmentation(order, gain.astype(np.float32))


def mirrored(channels: tuple[str, ...]) -> npt.NDArray[np.intp]:
    """Index of each channel's counterpart ("F7-T7" and "F8-T8"); of the midline, itself. Raises ConfigError."""
    others = [re.sub(r"\d+", _other_side, channel) for channel in channels]
    for channel, other in zip(channels, others, strict=True):
        if other not in channels:
            raise ConfigError(f"augment.mirror: the montage has {channel} but not {other}; add it, or do not mirror")
    return np.array([channels.index(other) for other in others])


def _other_side(number: re.Match[str]) -> str:
    n = int(number[0])
    return str(n + 1 if n % 2 else n - 1)
