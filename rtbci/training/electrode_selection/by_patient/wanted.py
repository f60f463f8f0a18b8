"""Which sets each fold fits: a method and a number of derivations each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.errors import ConfigError
from rtbci.text import file_name, listing
from rtbci.training.config import TrainConfig
from rtbci.training.electrode_selection import baselines
from rtbci.training.electrode_selection.by_patient.config import ALL, GUMBEL, INFORMATION, RANDOM, WITHIN
from rtbci.training.electrode_selection.by_patient.distance import Distances, best_close_set, distances


@dataclass(frozen=True)
class Wanted:
    """A set that each fold fits.

    Attributes
    ----------
    method
        How it is chosen.
    k
        How many derivations.
    fixed
        Their indices, where they are known beforehand.
    """

    method: str
    k: int
    fixed: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        return self.method, self.k

    @property
    def file_name(self) -> str:
        return f"{file_name(self.method, 'set')}_k{self.k}"


def wanted_sets(config: TrainConfig, ks: Sequence[int]) -> tuple[list[Wanted], list[str]]:
    """All sets of each fold, and a line for each that the config names and that takes no part.

    Raises ConfigError where the numbers are none, or where an electrode lies is not known.
    """
    channels, electrodes = config.pipeline.montage.channels, config.electrodes
    for k in ks:
        if not 1 <= k < len(channels):
            raise ConfigError(f"--k {k}: the montage has {len(channels)} channels; wanted 1 to {len(channels) - 1}")
    if not ks or len(set(ks)) < len(ks):
        raise ConfigError(f"--k wants numbers, each once; got {', '.join(map(str, ks)) or 'none'}")
    excess = excess_of(config)
    sets, told = [Wanted(ALL, len(channels), tuple(range(len(channels))))], list[str]()
    for k in ks:
        sets.append(Wanted(GUMBEL, k))
        if excess is not None and best_close_set(np.ones(len(channels)), excess <= 0, k) is not None:
            sets.append(Wanted(WITHIN, k))
        elif excess is not None:
            told.append(
                f"electrodes.within_cm: no {k} derivations lie within {electrodes.within_cm:g} cm; left out at K = {k}"
            )
        for one in electrodes.sets:
            if len(one.derivations) == k:
                sets.append(Wanted(one.name, k, tuple(sorted(channels.index(name) for name in one.derivations))))
        sets.append(Wanted(INFORMATION, k))
        for number in range(config.selection.random_sets):
            drawn = baselines.at_random(len(channels), k, number)
            sets.append(Wanted(f"{RANDOM} {number + 1}", k, drawn))
    if idle := [
        f"{one.name} (K = {len(one.derivations)})" for one in electrodes.sets if len(one.derivations) not in ks
    ]:
        told.append(f"electrodes.sets: not among --k, and left out: {listing(idle)}")
    return sets, told


def excess_of(config: TrainConfig) -> Distances | None:
    """(n, n), by how much two derivations lie too far apart, as a share of `within_cm`; None without it."""
    within_cm = config.electrodes.within_cm
    if within_cm is None:
        return None
    return np.maximum(distances(config.pipeline.montage.channels) / within_cm - 1, 0)
