"""How far the electrodes of derivations lie from each other, along the scalp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rtbci.errors import ConfigError
from rtbci.recordings.channel_names import derivation
from rtbci.recordings.electrode_positions import POSITIONS

HEAD_CM = 56.5 / (2 * np.pi)  # radius of a head of that circumference

Distances = npt.NDArray[np.float64]


def distances(derivations: Sequence[str]) -> Distances:
    """The largest distance between any two electrodes of each pair of derivations.

    Parameters
    ----------
    derivations
        "T7-P7", or an electrode alone.

    Returns
    -------
    numpy.ndarray
        (n, n), centimetres along the scalp; on the diagonal a derivation's own length.

    Raises
    ------
    ConfigError
        If no position is known of an electrode.
    """
    places = [_places(name) for name in derivations]
    far = np.empty((len(places), len(places)))
    for i, one in enumerate(places):
        for j, other in enumerate(places):
            both = np.concatenate([one, other])
            far[i, j] = HEAD_CM * np.arccos(np.clip(both @ both.T, -1, 1)).max()
    return far


def _places(name: str) -> Distances:
    """On the unit sphere: (n_electrodes, 3)."""
    meant = derivation(name)
    electrodes = [one for one in (meant.electrode, meant.reference) if one]
    if not all(one in POSITIONS for one in electrodes):
        raise ConfigError(
            f"electrodes.within_cm: where {name!r} lies is not known; it wants electrodes of the 10-10 system"
        )
    flat = np.array([POSITIONS[one] for one in electrodes])
    away = np.linalg.norm(flat, axis=1)  # the angle from Cz, in right angles
    angle = away * np.pi / 2
    across = flat * (np.sin(angle) / np.maximum(away, 1e-9))[:, None]
    places: Distances = np.column_stack([across, np.cos(angle)])
    return places


def best_close_set(weights: Distances, close: npt.NDArray[np.bool_], k: int) -> tuple[int, ...] | None:
    """Of the sets of k in which all are close to each other, the one with the largest sum of weights.

    Parameters
    ----------
    weights
        (n,), none below 0.
    close
        (n, n), with the diagonal.
    k
        Size of the set.

    Returns
    -------
    tuple of int or None
        In order of the indices; None where there is no such set.
    """
    order = [int(i) for i in np.argsort(-weights, kind="stable") if close[i, i]]
    best: tuple[int, ...] | None = None
    most = -1.0

    def extend(chosen: tuple[int, ...], total: float, left: list[int]) -> None:
        nonlocal best, most
        if len(chosen) == k:
            if total > most:
                best, most = chosen, total
            return
        for at, one in enumerate(left):
            bound = total + float(weights[left[at : at + k - len(chosen)]].sum())
            if len(left) - at < k - len(chosen) or bound <= most:
                return
            extend(
                (*chosen, one), total + float(weights[one]), [other for other in left[at + 1 :] if close[one, other]]
            )

    extend((), 0.0, order)
    return None if best is None else tuple(sorted(best))
