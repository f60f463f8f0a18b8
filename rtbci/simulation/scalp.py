"""Positions of the 10-20 electrodes, and the field of a source on the scalp; for the synthetic EEG."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Inclination from Cz and azimuth from the right ear, in degrees, of the usual spherical head model.
_SPHERICAL = {
    **{"Fp1": (-92, -72), "Fp2": (92, 72), "F7": (-92, -36), "F3": (-60, -51), "Fz": (46, 90), "F4": (60, 51)},
    **{"F8": (92, 36), "T7": (-92, 0), "C3": (-46, 0), "Cz": (0, 0), "C4": (46, 0), "T8": (92, 0), "P7": (-92, 36)},
    **{"P3": (-60, 51), "Pz": (46, -90), "P4": (60, -51), "P8": (92, -36), "O1": (-92, 72), "O2": (92, -72)},
}
ELECTRODES = tuple(_SPHERICAL)


def _positions() -> Array:
    inclination, azimuth = np.deg2rad(np.array(list(_SPHERICAL.values()), np.float64)).T
    radius = np.sin(inclination)
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), np.cos(inclination)], axis=1)


POSITIONS = _positions()  # (19, 3): right, front, up; the head's radius is 1


def at(*names: str) -> Array:
    """The centre of some electrodes on the sphere: (3,)."""
    middle = POSITIONS[[ELECTRODES.index(name) for name in names]].mean(axis=0)
    return np.asarray(middle / np.linalg.norm(middle))


def somewhere(rng: np.random.Generator) -> Array:
    """A random place near an electrode: (3,)."""
    place = POSITIONS[rng.integers(len(POSITIONS))] + rng.normal(0, 0.15, 3)
    return np.asarray(place / np.linalg.norm(place))


def distance(place: Array) -> Array:
    """From each electrode to a place: (19,)."""
    return np.asarray(np.linalg.norm(POSITIONS - place, axis=1))


def field(place: Array, width: float, slant: Array | None = None) -> Array:
    """Potential of a source of 1 µV at each electrode: (19,).

    width: the distance at which it has fallen to 0.6. slant (3,): tangential part of the dipole, which reverses the
    sign of the field across the source.
    """
    away = POSITIONS - place
    gain = np.exp(-0.5 * (np.linalg.norm(away, axis=1) / width) ** 2)
    if slant is not None:
        gain = gain * (1 + away @ slant / width)
    return np.asarray(gain)
