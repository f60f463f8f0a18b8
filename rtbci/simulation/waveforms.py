"""Waveforms of a synthetic EEG; each is a function of time alone, so any part of it can be computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from rtbci.simulation.scalp import ELECTRODES, Array

_TAU = 2 * np.pi
_N = len(ELECTRODES)


class Wave(Protocol):
    """A waveform between `start` and `stop`, in seconds of the recording."""

    @property
    def start(self) -> float: ...

    @property
    def stop(self) -> float: ...

    def at(self, t: Array) -> Array:
        """µV at each time and electrode: t (n,) -> (n, 19)."""
        ...


@dataclass(frozen=True)
class Rhythm:
    """A rhythmic discharge that may evolve in frequency, amplitude and spread over the scalp.

    arrival, lag (19,): seconds until it reaches an electrode, and phase lag at an electrode. sharpness: from a
    sinusoid (0) to spike and wave (1). wobble (k, 3): depth (rad), rate (Hz) and phase of slow modulations of its
    phase.
    """

    start: float
    duration: float
    hz: tuple[float, float]
    uv: tuple[float, float]
    gain: Array
    arrival: Array = field(default_factory=lambda: np.zeros(_N))
    lag: Array = field(default_factory=lambda: np.zeros(_N))
    sharpness: float = 0.0
    harmonics: float = 0.0
    wobble: Array = field(default_factory=lambda: np.zeros((0, 3)))
    rise_s: float = 2.0
    fall_s: float = 1.5

    @property
    def stop(self) -> float:
        return self.start + self.duration

    def at(self, t: Array) -> Array:
        u = (t[:, None] - self.start) - self.lag  # (n, 19)
        (hz0, hz1), (uv0, uv1) = self.hz, self.uv
        phase = _TAU * (hz0 * u + (hz1 - hz0) * u**2 / (2 * self.duration))
        for depth, rate, offset in self.wobble:
            phase += depth * np.sin(_TAU * rate * u + offset)
        grown = np.clip(u / self.duration, 0, 1)
        envelope = uv0 + (uv1 - uv0) * np.sin(0.5 * np.pi * grown)
        envelope *= np.clip((u - self.arrival) / self.rise_s, 0, 1) * np.clip((self.duration - u) / self.fall_s, 0, 1)
        return np.asarray(envelope * self.gain * self._shape(phase))

    def _shape(self, phase: Array) -> Array:
        wave = np.sin(phase)
        if self.harmonics:
            wave = wave + self.harmonics * (0.5 * np.sin(2 * phase + 0.6) + 0.25 * np.sin(3 * phase + 1.2))
        if self.sharpness:
            spike = np.exp(18 * (np.cos(phase) - 1))
            slow = np.exp(1.2 * (np.cos(phase - 2.6) - 1)) - 0.45
            wave = (1 - self.sharpness) * wave + self.sharpness * (1.2 * spike - 1.5 * slow)
        return np.asarray(wave)


@dataclass(frozen=True)
class Sharp:
    """One sharp complex: a spike of `width_s`, followed by a slow wave of opposite sign."""

    time: float
    uv: float
    width_s: float
    gain: Array
    after: float = 0.6
    lag: Array = field(default_factory=lambda: np.zeros(_N))

    @property
    def start(self) -> float:
        return self.time - 4 * self.width_s - float(self.lag.min())

    @property
    def stop(self) -> float:
        return self.time + 14 * self.width_s + float(self.lag.max())

    def at(self, t: Array) -> Array:
        v = (t[:, None] - self.time - self.lag) / self.width_s  # (n, 19)
        shape = np.exp(-0.5 * v**2) - 0.35 * np.exp(-0.5 * ((v + 1.8) / 1.1) ** 2)
        return np.asarray(self.uv * self.gain * (shape - self.after * np.exp(-0.5 * ((v - 5.0) / 2.6) ** 2)))


@dataclass(frozen=True)
class Bump:
    """A slow deflection: a blink, an eye movement, a K-complex, a moved cable. Rises faster than it falls."""

    time: float
    uv: float
    width_s: float
    gain: Array

    @property
    def start(self) -> float:
        return self.time - 4 * self.width_s

    @property
    def stop(self) -> float:
        return self.time + 8 * self.width_s

    def at(self, t: Array) -> Array:
        v = (t - self.time) / self.width_s
        shape = np.exp(-0.5 * np.where(v < 0, v, v / 1.6) ** 2)
        return np.asarray(self.uv * shape[:, None] * self.gain)


@dataclass(frozen=True)
class Pop:
    """An electrode that loses contact for a moment: a step and its decay."""

    start: float
    uv: float
    decay_s: float
    gain: Array

    @property
    def stop(self) -> float:
        return self.start + 8 * self.decay_s

    def at(self, t: Array) -> Array:
        since = t - self.start
        shape = np.where(since >= 0, np.exp(-np.maximum(since, 0) / self.decay_s), 0.0)
        return np.asarray(self.uv * shape[:, None] * self.gain)


@dataclass(frozen=True)
class Tension:
    """Muscle activity at the muscles of `gain` (n_muscles,). With `chew_hz`, rhythmic as in chewing."""

    start: float
    duration: float
    uv: float
    gain: Array
    chew_hz: float = 0.0

    @property
    def stop(self) -> float:
        return self.start + self.duration

    def at(self, t: Array) -> Array:
        since = t - self.start
        shape = np.clip(np.minimum(since, self.duration - since) / 0.15, 0, 1)
        if self.chew_hz:
            shape = shape * np.clip(np.sin(_TAU * self.chew_hz * since), 0, 1)
        return np.asarray(self.uv * shape[:, None] * self.gain)
