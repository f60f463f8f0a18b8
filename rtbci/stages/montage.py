"""Channel names, units and the montage: channels of any amplifier in, the pipeline's channels in µV out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from rtbci.config import Names, Strict, nearest
from rtbci.errors import StreamMismatch
from rtbci.types import Chunk, Flags, StreamInfo

DOUBLE_BANANA = (
    *("Fp1-F7", "F7-T7", "T7-P7", "P7-O1", "Fp1-F3", "F3-C3", "C3-P3", "P3-O1"),
    *("Fp2-F4", "F4-C4", "C4-P4", "P4-O2", "Fp2-F8", "F8-T8", "T8-P8", "P8-O2"),
    *("Fz-Cz", "Cz-Pz"),
)

# From the older names of the 10-20 system to those of the 10-10 system (ACNS guideline 2, 2016).
_ALIASES = {"t3": "T7", "t4": "T8", "t5": "P7", "t6": "P8", "m1": "A1", "m2": "A2", "tp9": "TP9", "tp10": "TP10"}
_ZONES = ["Fp", "AF", "FT", "FC", "TP", "CP", "PO", "F", "T", "C", "P", "O", "I", "N", "A", "M"]
_ELECTRODE = re.compile(rf"({'|'.join(_ZONES)})(z|[0-9]{{1,2}})h?", re.IGNORECASE)
_REFERENCES = {"ref", "le", "avg", "av", "ar", "car", "linked", "reference", "org", "cz-ref", "g2", "common"}
_MICROVOLTS = {
    **dict.fromkeys(("uv", "µv", "μv", "microvolt", "microvolts", "uvolt", "uvolts", "micro-volts", "microv"), 1.0),
    **dict.fromkeys(("mv", "millivolt", "millivolts"), 1e3),
    **dict.fromkeys(("v", "volt", "volts"), 1e6),
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), 1e-3),
}
_FROM_TEXT = {"": 1.0, **_MICROVOLTS}


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a channel measures: an electrode against a reference ("" for the common reference of the stream)."""

    electrode: str
    reference: str = ""

    def __str__(self) -> str:
        return f"{self.electrode}-{self.reference}" if self.reference else self.electrode


def derivation(label: str) -> Derivation:
    """Parse a channel label in any common spelling.

    Parameters
    ----------
    label
        `EEG Fp1-Ref`, `FP1`, `Fc5.` and `T3` are electrodes against the common reference (Fp1, Fp1, FC5, T7);
        `T8-P8-0` and `EEG F7-T3` are bipolar (T8-P8, F7-T7).

    Returns
    -------
    Derivation
        In canonical spelling; a name that is not an electrode's is kept.

    References
    ----------
    ACNS guideline 2, 2016 (10-10 names).
    """
    text = label[:200].strip().strip(".").strip()
    text = re.sub(r"^(eeg|seeg|ecog)[\s:_-]+", "", text, flags=re.IGNORECASE)
    parts = [part.strip(" .") for part in re.split(r"\s*[-–_/:]\s*", text) if part.strip(" .")]
    if len(parts) > 1 and parts[-1].isdigit() and electrode(parts[0]):
        parts = parts[:-1]  # a number that a reader appends to duplicate names
    if len(parts) == 2 and (first := electrode(parts[0])):
        if parts[1].lower() in _REFERENCES:
            return Derivation(first)
        if second := electrode(parts[1]):
            return Derivation(first, second)
    if len(parts) == 1 and (only := electrode(parts[0])):
        return Derivation(only)
    return Derivation(text)


def electrode(name: str) -> str:
    """The 10-10 spelling of an electrode's name ("FP1" -> "Fp1", "t3" -> "T7"), or "" where it is not one."""
    name = name.strip()
    if not (match := _ELECTRODE.fullmatch(name)):
        return ""
    if alias := _ALIASES.get(name.lower()):
        return alias
    zone = next(z for z in _ZONES if z.lower() == match[1].lower())
    return zone + match[2].lower() + name[match.end(2) :].lower()


def canonical(label: str) -> str:
    """The canonical name of a channel label: "EEG FP1-F7" -> "Fp1-F7"."""
    return str(derivation(label))


def microvolts(unit: str) -> float | None:
    """How many µV one `unit` is; None for a unit that is not a voltage. No unit at all ("") is taken as µV."""
    return _FROM_TEXT.get(unit.strip().lower())


@dataclass(frozen=True, slots=True)
class Wiring:
    """Linear derivation of each wanted channel: gain · stream[plus], minus gain · stream[minus] where minus >= 0."""

    plus: tuple[int, ...]
    minus: tuple[int, ...]
    gain_plus: tuple[float, ...]
    gain_minus: tuple[float, ...]


def match(wanted: tuple[str, ...], info: StreamInfo) -> Wiring:
    """Find each wanted channel in a stream: as it is, reversed, or derived from two electrodes with a common reference.

    Parameters
    ----------
    wanted
        Canonical names.
    info
        The stream.

    Returns
    -------
    Wiring
        One entry for each wanted channel.

    Raises
    ------
    StreamMismatch
        If a channel is missing or its unit is unknown; the message names what is missing, what is there, and the
        nearest names.
    """
    have: dict[Derivation, int] = {}
    for index, label in enumerate(info.channels):
        have.setdefault(derivation(label), index)
    of: dict[str, list[Derivation]] = {}
    for one in have:
        of.setdefault(one.electrode, []).append(one)
    rows = [_find(derivation(name), have, of) for name in wanted]
    if missing := [name for name, row in zip(wanted, rows, strict=True) if row is None]:
        raise StreamMismatch(_missing(missing, wanted, info))
    found = [row for row in rows if row is not None]
    gains = _gains(info, {i for plus, minus, _ in found for i in (plus, minus) if i >= 0})
    return Wiring(
        plus=tuple(plus for plus, _, _ in found),
        minus=tuple(minus for _, minus, _ in found),
        gain_plus=tuple(sign * gains[plus] for plus, _, sign in found),
        gain_minus=tuple(gains.get(minus, 0.0) for _, minus, _ in found),
    )


def _find(
    want: Derivation, have: dict[Derivation, int], of: dict[str, list[Derivation]]
) -> tuple[int, int, float] | None:
    """(plus, minus, sign); minus is -1 where one channel suffices. of: all derivations of an electrode."""
    if want in have:
        return have[want], -1, 1.0
    if not want.reference:
        ears = (Derivation(want.electrode, ear) for ear in ("A1", "A2"))
        return next(((have[ear], -1, 1.0) for ear in ears if ear in have), None)
    if (turned := Derivation(want.reference, want.electrode)) in have:
        return have[turned], -1, -1.0
    for first in of.get(want.electrode, ()):
        # A bipolar derivation needs two electrodes with the same reference.
        if (second := Derivation(want.reference, first.reference)) in have:
            return have[first], have[second], 1.0
    return None


def _gains(info: StreamInfo, used: set[int]) -> dict[int, float]:
    gains = {}
    for index in used:
        factor = microvolts(info.units[index])
        if factor is None:
            raise StreamMismatch(
                f"stream {info.name!r}: channel {info.channels[index][:60]!r} has unknown unit "
                f"{info.units[index][:40]!r}; wanted V, mV, µV or nV"
            )
        gains[index] = factor
    return gains


def _missing(missing: list[str], wanted: tuple[str, ...], info: StreamInfo) -> str:
    known = [canonical(label)[:60] for label in info.channels[:512]]
    hints = "".join(f"; {name}{nearest(name, known).removeprefix(';')}" for name in missing[:3] if nearest(name, known))
    came = ", ".join(label[:40] for label in info.channels[:40]) + (" …" if len(info.channels) > 40 else "")
    lack = ", ".join(missing[:20]) + (" …" if len(missing) > 20 else "")
    return (
        f"stream {info.name!r} lacks {len(missing)} of the {len(wanted)} channels that this pipeline needs: "
        f"{lack} (it has {len(info.channels)}: {came}){hints}"
    )


class Montage:
    """Stage: the wanted channels of a stream in µV, in order.

    Where a sample is not finite or beyond ±10 V, the channel's last good value is held, and the sample is invalid.

    Parameters
    ----------
    config
        Channels, and whether they are re-referenced to their common average.
    info
        The stream.
    channels
        Part of the montage that suffices; ignored with a common average, which needs all.

    Attributes
    ----------
    channels
        Names of the outputs.
    uses
        bool (n_outputs, n_stream): the stream's channels that each output is derived from, apart from the average.

    Raises
    ------
    StreamMismatch
        If the stream lacks a channel, or a chunk has another number of channels.
    """

    ABSURD_UV = 1e7  # 10 V: not from an electrode, and a filter would ring for minutes

    def __init__(self, config: MontageConfig, info: StreamInfo, channels: tuple[str, ...] | None = None) -> None:
        wanted = config.channels if channels is None or config.reference == "average" else channels
        wiring = match(wanted, info)
        self.channels = wanted
        self._n_stream = len(info.channels)
        self._name = info.name
        self._average = config.reference == "average"
        self._plus = np.array(wiring.plus)
        self._pairs = np.flatnonzero(np.array(wiring.minus) >= 0)
        self.uses = np.zeros(
            (len(wanted), self._n_stream), np.bool_
        )  # (n_outputs, n_stream); an average counts for none
        self.uses[np.arange(len(wanted)), self._plus] = True
        self.uses[self._pairs, np.array(wiring.minus)[self._pairs]] = True
        self._minus = np.array(wiring.minus)[self._pairs]
        self._gain_plus = np.array(wiring.gain_plus, np.float32)
        self._gain_minus = np.array(wiring.gain_minus, np.float32)[self._pairs]
        self._as_it_is = len(wanted) == self._n_stream and bool(np.array_equal(self._plus, np.arange(len(wanted))))
        self._scaled = bool(np.any(self._gain_plus != 1))
        self.reset()

    @property
    def used(self) -> Flags:
        """Which of the stream's channels any output is derived from: (n_stream,)."""
        used: Flags = np.logical_or.reduce(self.uses, axis=0)
        return used

    def reset(self) -> None:
        self._held: np.ndarray | None = None

    def process(self, chunk: Chunk) -> Chunk:
        data = chunk.data
        if data.shape[1] != self._n_stream:
            raise StreamMismatch(f"{self._name!r}: a chunk has {data.shape[1]} channels, not {self._n_stream}")
        if not len(chunk):
            return Chunk.empty(len(self.channels))
        data, valid = self._mend(self._derive(data), chunk.valid)
        if self._average:
            data = data - data.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        return Chunk(data, chunk.times, valid)

    def _derive(self, data: np.ndarray) -> np.ndarray:
        derived = data if self._as_it_is else data[:, self._plus]
        if self._scaled:
            derived = derived * self._gain_plus
        if len(self._pairs):
            derived = derived.copy() if derived is data else derived
            with np.errstate(invalid="ignore", over="ignore"):
                derived[:, self._pairs] -= data[:, self._minus] * self._gain_minus
        return derived

    def _mend(self, data: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hold a channel's last good value over samples that are not finite or out of range."""
        # NaN compares false, so one comparison catches NaN, infinity and values out of range.
        bounded = np.abs(data) < self.ABSURD_UV
        if self._held is None:
            self._held = np.zeros(data.shape[1], np.float32)
        if not bounded.all():
            rows = np.where(bounded, np.arange(1, len(data) + 1)[:, None], 0)
            np.maximum.accumulate(rows, axis=0, out=rows)
            data = np.take_along_axis(np.vstack([self._held, data]), rows, axis=0)
            valid = valid & bounded.all(axis=1)
        self._held = data[-1].copy()
        return data, valid


class ChannelPicker:
    """Stage: selects channels by index, in that order.

    Parameters
    ----------
    indices
        Of the input channels.
    """

    def __init__(self, indices: tuple[int, ...]) -> None:
        self._indices = np.array(indices, int)

    def reset(self) -> None:
        """Stateless."""

    def process(self, chunk: Chunk) -> Chunk:
        return Chunk(chunk.data[:, self._indices], chunk.times, chunk.valid)


class MontageConfig(Strict):
    """Channels by canonical name, an electrode ("Fz") or a bipolar pair ("Fp1-F7"), and their reference."""

    channels: Annotated[Names, Field(min_length=1)]
    reference: Literal["as_recorded", "average"] = "as_recorded"
