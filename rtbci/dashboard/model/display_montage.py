"""The montage that is displayed: as recorded, double banana or common average; the engine's own is untouched."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import Derivation, derivation, electrode
from rtbci.stages.montage import DOUBLE_BANANA
from rtbci.stages.wiring import match
from rtbci.types import Samples, StreamInfo

AS_RECORDED, BANANA, AVERAGE = "As recorded", "Double banana", "Common average"
MONTAGES = (AS_RECORDED, BANANA, AVERAGE)
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
    """Traces from channels: channel `plus`, less channel `minus` where that is >= 0, less the mean of `common`."""

    names: tuple[str, ...]
    regions: tuple[str, ...]
    plus: npt.NDArray[np.intp]
    minus: npt.NDArray[np.intp]
    signs: npt.NDArray[np.float32]
    common: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.names)

    def derive(self, data: Samples) -> Samples:
        """(n_samples, n_channels) -> (n_samples, n_rows)."""
        out = data[:, self.plus]
        pairs = np.flatnonzero(self.minus >= 0)
        if len(pairs):
            out[:, pairs] -= data[:, self.minus[pairs]]
        if len(self.common):
            out -= data[:, self.common].mean(axis=1, keepdims=True)
        if (self.signs != 1).any():
            out *= self.signs
        return out

    def only(self, rows: list[int]) -> DisplayMontage:
        return replace(
            self,
            names=tuple(self.names[k] for k in rows),
            regions=tuple(self.regions[k] for k in rows),
            plus=self.plus[rows],
            minus=self.minus[rows],
            signs=self.signs[rows],
        )


def display_montage(name: str, channels: tuple[str, ...]) -> DisplayMontage | None:
    """None where these channels do not let it be derived."""
    if name == BANANA:
        return _banana(channels)
    common = np.array([k for k, c in enumerate(channels) if _is_electrode(c)], np.intp)
    if name == AVERAGE and len(common) < 4:
        return None
    return _recorded(channels, common if name == AVERAGE else common[:0])


def _recorded(channels: tuple[str, ...], common: npt.NDArray[np.intp]) -> DisplayMontage:
    meant = [derivation(c) for c in channels]
    regions = [region(d) for d in meant]
    order = sorted(range(len(channels)), key=lambda k: REGIONS.index(regions[k]))
    n = len(channels)
    return DisplayMontage(
        tuple(str(d) for d in meant), tuple(regions), np.arange(n), np.full(n, -1), np.ones(n, np.float32), common
    ).only(order)


def _banana(channels: tuple[str, ...]) -> DisplayMontage | None:
    # In µV already, whatever the stream's unit was.
    info = StreamInfo("", 1.0, channels)
    found = []
    for pair in DOUBLE_BANANA:
        try:
            wiring = match((pair,), info)
        except StreamMismatch:
            continue
        found.append((pair, wiring.plus[0], wiring.minus[0], wiring.gain_plus[0]))
    if not found:
        return None
    names, plus, minus, signs = zip(*found, strict=True)
    regions = [region(derivation(name)) for name in names]
    made = DisplayMontage(
        names, tuple(regions), np.array(plus), np.array(minus), np.array(signs, np.float32), np.empty(0, np.intp)
    )
    chain = {"left": 0, "midline": 1, "right": 2}
    return made.only(sorted(range(len(names)), key=lambda k: chain.get(regions[k], 3)))


def _is_electrode(channel: str) -> bool:
    meant = derivation(channel)
    return not meant.reference and bool(electrode(meant.electrode)) and not meant.electrode.startswith("A1A2")


def region(meant: Derivation) -> str:
    """An electrode's lobe; for a bipolar pair the side of its chain."""
    if not electrode(meant.electrode):
        return "other"
    if meant.reference:
        return _side(meant.electrode, meant.reference)
    zone = re.match(r"[A-Za-z]+?(?=z|\d)", meant.electrode)
    return _ZONES.get(zone[0] if zone else "", "other")


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
