"""Augmentation at each visit to a recording: gains, spectrum, missing channels, left and right, sign."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.errors import ConfigError
from rtbci.training.config import AugmentConfig
from rtbci.types import Samples

N_OCTAVES = 7


@dataclass(frozen=True)
class Augmentation:
    """x (n, n_channels) becomes x[:, order] * gain, and its spectrum is multiplied by `octaves`, where there are any."""

    order: npt.NDArray[np.intp]  # (n_channels,)
    gain: Samples  # (n_channels,)
    octaves: npt.NDArray[np.float64] | None = (
        None  # logarithm of the gain at the Nyquist frequency, its half, its quarter, …
    )

    def __call__(self, x: Samples) -> Samples:
        varied = x[:, self.order] * self.gain
        return varied if self.octaves is None else equalised(varied, self.octaves)


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
        octaves = rng.normal(0, config.spectrum_sd, N_OCTAVES) if config.spectrum_sd else None
        return Augmentation(order, gain.astype(np.float32), octaves)


def equalised(x: Samples, octaves: npt.NDArray[np.float64]) -> Samples:
    """Multiply the spectrum by a gain that is interpolated between octaves, and keep the phases.

    Parameters
    ----------
    x
        (n, n_channels), taken as periodic.
    octaves
        Logarithm of the gain at the Nyquist frequency, at its half, its quarter, …; below the last it is the last.

    Returns
    -------
    numpy.ndarray
        float32 (n, n_channels).
    """
    octave = -np.log2(np.maximum(2 * np.fft.rfftfreq(len(x)), 2.0 ** -len(octaves)))  # below the Nyquist frequency
    gain = np.exp(np.interp(octave, np.arange(len(octaves)), octaves))
    return np.fft.irfft(np.fft.rfft(x, axis=0) * gain[:, None], len(x), axis=0).astype(np.float32)


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
