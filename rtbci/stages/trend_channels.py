"""Which channels of a stream the trends are computed from: those of each hemisphere, and a pair of derivations for the aEEG."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import EARS, Derivation, derivation
from rtbci.recordings.units import microvolts
from rtbci.stages.wiring import ZERO, match
from rtbci.types import LEFT_OUT, StreamInfo

# C3-P3 and C4-P4, then what lies nearest to them; electrodes alone are against the stream's reference.
AEEG_PAIRS = (
    ("C3-P3", "C4-P4"), ("C3-O1", "C4-O2"), ("F3-C3", "F4-C4"), ("F3-P3", "F4-P4"), ("C3-T7", "C4-T8"),
    ("P3-O1", "P4-O2"), ("T7-P7", "T8-P8"), ("P7-O1", "P8-O2"), ("F7-T7", "F8-T8"), ("Fp1-F3", "Fp2-F4"),
    ("Fp1-F7", "Fp2-F8"), ("C3", "C4"), ("P3", "P4"), ("F3", "F4"), ("T7", "T8"), ("O1", "O2"), ("Fp1", "Fp2"),
)  # fmt: skip
LEAST_IN_AVERAGE = 4  # channels


@dataclass(frozen=True, slots=True)
class AeegSide:
    """One side's derivation: sign · stream[plus] - stream[minus], both in µV; ZERO for the reference that is no channel."""

    name: str
    plus: int
    minus: int
    sign: float


@dataclass(frozen=True, slots=True)
class TrendChannels:
    """Indices of a stream's channels.

    Attributes
    ----------
    left, right
        Of each hemisphere.
    average
        The channels whose mean is the reference of `left` and `right`; empty where these are bipolar, or fewer than four.
    aeeg
        The derivations of the left and the right aEEG; empty where there is no pair.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    average: tuple[int, ...]
    aeeg: tuple[AeegSide, ...]

    @classmethod
    def of(cls, info: StreamInfo) -> TrendChannels:
        """Electrodes against one common reference, or bipolar channels where only they have two sides.

        An electrode's side is that of its number (odd: left); a bipolar channel's is that of both its electrodes. Ears and
        mastoids are no part of it: a channel against one counts by its electrode. Channels whose unit is no voltage are
        left out.
        """
        usable = _usable(info)
        alone = {k: meant for k, meant in usable.items() if not meant.reference}
        common = Counter(meant.common for meant in alone.values()).most_common(1)
        alone = {k: meant for k, meant in alone.items() if meant.common == common[0][0]}
        pairs = {k: meant for k, meant in usable.items() if meant.reference}
        chosen = max((alone, pairs), key=_worth)
        left, right = (_of_side(chosen, side) for side in ("left", "right"))
        average = tuple(chosen) if chosen is alone and len(alone) >= LEAST_IN_AVERAGE else ()
        return cls(left, right, average, _aeeg(info))


def _usable(info: StreamInfo) -> dict[int, Derivation]:
    columns = enumerate(zip(info.channels, info.channel_types, info.units, strict=True))
    meant = {k: derivation(label) for k, (label, kind, unit) in columns if kind != LEFT_OUT and microvolts(unit)}
    return {k: one for k, one in meant.items() if one.is_electrode and one.electrode not in EARS}


def _side(meant: Derivation) -> str:
    """ "left", "right", "midline", or "both" for a channel across it."""
    ends = [meant.electrode, *([meant.reference] if meant.reference not in ("", *EARS) else [])]
    sides = {"left" if int(number) % 2 else "right" for end in ends for number in re.findall(r"\d+", end)}
    return "both" if len(sides) > 1 else next(iter(sides), "midline")


def _of_side(channels: dict[int, Derivation], side: str) -> tuple[int, ...]:
    return tuple(k for k, meant in channels.items() if _side(meant) == side)


def _worth(channels: dict[int, Derivation]) -> tuple[bool, int]:
    """Two sides first, then many channels."""
    counts = [len(_of_side(channels, side)) for side in ("left", "right")]
    return min(counts) > 0, sum(counts)


def _aeeg(info: StreamInfo) -> tuple[AeegSide, ...]:
    there = {end for label in info.channels for end in (derivation(label).electrode, derivation(label).reference)}
    for pair in AEEG_PAIRS:
        if not there.issuperset(end for name in pair for end in name.split("-")) and not info.reference:
            continue
        try:
            wiring = match(pair, info)
        except StreamMismatch:
            continue
        return tuple(
            AeegSide(name, plus, minus, -1.0 if gain < 0 else 1.0)
            for name, plus, minus, gain in zip(pair, wiring.plus, wiring.minus, wiring.gain_plus, strict=True)
            if plus != ZERO or minus != ZERO
        )
    return ()
