"""Which answers adapt and which are kept back to check: by kind, the earlier ones and the later ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtbci.errors import ConfigError
from rtbci.text import listing
from rtbci.training.data_config import BACKGROUND
from rtbci.types import Flags


class Share(NamedTuple):
    """How much of a kind adapts, and how much checks: seconds, or trials."""

    adapts: float
    checks: float


def kinds_of(y: npt.NDArray[np.float32], classes: tuple[str, ...]) -> list[str]:
    """What holds at each answer, in words: y (n, n_classes)."""
    names = np.array([*classes, BACKGROUND], dtype=object)
    return [" and ".join(names[:-1][row > 0.5]) or BACKGROUND for row in y]


def kept_back(kinds: list[str], share: float) -> Flags:
    """Of each kind the last `share` of the answers, in the order of time; (n,)."""
    flags = np.zeros(len(kinds), np.bool_)
    each = np.array(kinds, dtype=object)
    for kind in dict.fromkeys(kinds):
        places = np.flatnonzero(each == kind)
        flags[places[len(places) - round(share * len(places)) :]] = True
    return flags


def shares(kinds: list[str], kept: Flags, size: float) -> dict[str, Share]:
    """How much of each kind there is; `size`: seconds of an answer, or 1 for trials."""
    each = np.array(kinds, dtype=object)
    return {
        kind: Share(
            *(round(float(np.count_nonzero((each == kind) & (kept == side))) * size, 3) for side in (False, True))
        )
        for kind in dict.fromkeys(kinds)
    }


def require_enough(found: dict[str, Share], least: float, unit: str) -> None:
    """Raise ConfigError unless there are two kinds, each with so much on either side."""
    enough = [kind for kind, (adapts, checks) in found.items() if min(adapts, checks) >= least]
    if len(enough) < 2:
        said = [f"{adapts:g} + {checks:g} {unit} of {kind}" for kind, (adapts, checks) in found.items()]
        raise ConfigError(
            f"too little to adapt to and to check on: wanted {least:g} {unit} or more of two kinds on either side, and "
            f"there are {listing(said) or 'no labels at all'}"
        )
