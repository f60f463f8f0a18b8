"""Traces from channels: what is displayed; the engine's own montage is untouched. montages.py makes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rtbci.recordings.channel_names import Derivation, derivation, electrode
from rtbci.types import Samples

REGIONS = ("frontal", "central", "temporal", "parietal", "occipital", "left", "right", "midline", "other")
_ZONES = {
    **dict.fromkeys(("Fp", "AF", "F", "N"), "frontal"),
    **dict.fromkeys(("FC", "C", "CP"), "central"),
    **dict.fromkeys(("FT", "T", "TP", "A"), "temporal"),
    **dict.fromkeys(("P", "PO"), "parietal"),
    **dict.fromkeys(("O", "I"), "occipital"),
}
_BLOCK_ROWS = 65_536  # samples derived at a time


@dataclass(frozen=True)
class DisplayMontage:
    """Traces from channels: channel `plus`, less weighted other channels, less the mean of `common`.

    Attributes
    ----------
    names
        Of the rows, each once.
    regions, kinds
        Of each row: its colour, and its sensitivity.
    plus
        (n_rows,) indices of channels.
    less, weights
        (n_rows, k): channels to take away, and how much of each; a weight of 0 takes nothing.
    signs
        (n_rows,): -1 where a pair is recorded the other way round.
    common
        Channels whose mean is taken away from every row that `averaged` names.
    averaged
        bool (n_rows,).
    missing
        Rows of the montage that the channels do not let be derived.
    """

    names: tuple[str, ...]
    regions: tuple[str, ...]
    kinds: tuple[str, ...]
    plus: npt.NDArray[np.intp]
    less: npt.NDArray[np.intp]
    weights: npt.NDArray[np.float32]
    signs: npt.NDArray[np.float32]
    common: npt.NDArray[np.intp]
    averaged: npt.NDArray[np.bool_]
    missing: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def derive(self, data: Samples) -> Samples:
        """(n_samples, n_channels) -> (n_samples, n_rows)."""
        out = data[:, self.plus]
        for k in range(self.less.shape[1]):
            rows = np.flatnonzero(self.weights[:, k])
            if len(rows):
                out[:, rows] -= data[:, self.less[rows, k]] * self.weights[rows, k]
        if len(self.common) and self.averaged.any():
            out[:, self.averaged] -= data[:, self.common].mean(axis=1, keepdims=True)
        if (self.signs != 1).any():
            out *= self.signs
        return out

    def only(self, rows: list[int]) -> DisplayMontage:
        return replace(
            self,
            names=tuple(self.names[k] for k in rows),
            regions=tuple(self.regions[k] for k in rows),
            kinds=tuple(self.kinds[k] for k in rows),
            plus=self.plus[rows],
            less=self.less[rows],
            weights=self.weights[rows],
            signs=self.signs[rows],
            averaged=self.averaged[rows],
        )

    def made_of(self, channels: set[int]) -> list[int]:
        """The rows that any of these channels is a source of."""
        wanted = list(channels)
        less = np.isin(self.less, wanted) & (self.weights != 0)
        found: list[int] = np.flatnonzero(np.isin(self.plus, wanted) | less.any(axis=1)).tolist()
        return found

    def sources(self, row: int) -> set[int]:
        """The channels that a row is made of, apart from an average."""
        return {int(self.plus[row]), *self.less[row][self.weights[row] != 0].tolist()}


def region(meant: Derivation) -> str:
    """An electrode's lobe; for a bipolar pair the side of its chain."""
    if not electrode(meant.electrode):
        return "other"
    if meant.reference:
        return _side(meant.electrode, meant.reference)
    zone = re.match(r"[A-Za-z]+?(?=z|\d)", meant.electrode)
    return _ZONES.get(zone[0] if zone else "", "other")


def region_of(label: str) -> str:
    """`region` of a label."""
    return region(derivation(label))


def _side(first: str, second: str) -> str:
    digits = [int(d) for d in re.findall(r"\d+", first + second)]
    if not digits:
        return "midline"
    return "left" if digits[0] % 2 else "right"


def derive_in_blocks(data: Samples, made: DisplayMontage) -> Samples:
    """`made.derive(data)`, a block at a time, so that a long page needs little memory beside its result."""
    if len(data) <= _BLOCK_ROWS:
        return made.derive(data)
    return np.concatenate([made.derive(data[k : k + _BLOCK_ROWS]) for k in range(0, len(data), _BLOCK_ROWS)])
