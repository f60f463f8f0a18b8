"""The border: what a stream says and what a person says of it become a StreamInfo, and its samples µV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import canonical, may_be_eeg
from rtbci.recordings.description import DescribedChannel, Description
from rtbci.recordings.label_sets import other_scheme
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.units import exact_microvolts, number, power_of_ten_volts
from rtbci.types import LEFT_OUT, Chunk, Samples, StreamInfo, Times

INTEGERS = ("int8", "int16", "int32", "int64")
_PLAIN_UNITS = [Fraction(1000) ** power for power in (2, 1, 0, -1, -2)]  # µV of V, mV, µV, nV and pV


@dataclass(frozen=True, eq=False)
class StreamReader:
    """Reads the samples of one stream: the same for a live stream and for its recording.

    Attributes
    ----------
    description
        What the stream says.
    info
        What is believed; "uV" is the unit of every voltage.
    factors
        float64 (n_channels,): into `info.units`.
    warnings
        What was assumed, one line each.
    """

    description: Description
    info: StreamInfo
    factors: npt.NDArray[np.float64]
    warnings: tuple[str, ...] = ()
    _as_it_is: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_as_it_is", bool(np.all(self.factors == 1)))

    def microvolts(self, rows: npt.NDArray[Any]) -> Samples:
        """Samples in the stream's own format, (n_samples, n_channels), as float32 in `info.units`: rounded once."""
        if self._as_it_is and rows.dtype == np.float32:
            return rows
        with np.errstate(over="ignore", invalid="ignore"):  # the montage holds what is no voltage
            values: Samples = (rows.astype(np.float64) * self.factors).astype(np.float32)
        return values

    def chunk(self, rows: npt.NDArray[Any], stamps: Times) -> Chunk:
        """The same with their stamps, in seconds; no copy is made of float32 in µV."""
        return Chunk(self.microvolts(rows), stamps)

    def reads_like(self, other: StreamReader) -> bool:
        """Whether both streams are described alike, whatever their names: one header fits both."""
        mine, theirs = self.description, other.description
        return (mine.channels, mine.format, mine.n_channels, mine.sfreq, mine.reference) == (
            theirs.channels, theirs.format, theirs.n_channels, theirs.sfreq, theirs.reference,
        )  # fmt: skip


def believed(described: Description, told: StreamOverrides | None = None) -> StreamReader:
    """What to believe of a stream.

    Parameters
    ----------
    described
        What it says.
    told
        What a person says, who is right.

    Returns
    -------
    StreamReader
        Its `info.units` are "uV" for voltages, "" where none is told (then µV are assumed), and others as they are.

    Raises
    ------
    StreamMismatch
        If the description names more or fewer channels than a sample has, or does not agree with what is told.
    """
    told = told or StreamOverrides()
    labels, types, warnings = _names(described, told)
    channels = _described_channels(described, labels)
    is_eeg = [may_be_eeg(label, kind) for label, kind in zip(labels, types, strict=True)]
    plain = StreamOverrides()
    scales = [
        _scale(channel, told if eeg else plain, described.format) for channel, eeg in zip(channels, is_eeg, strict=True)
    ]
    units = tuple(unit for _, unit in scales)
    eeg_channels = [(labels[i], channels[i], units[i]) for i in np.flatnonzero(is_eeg)]
    warnings += _assumed(described, eeg_channels) + _read_as(eeg_channels, told)
    info = StreamInfo(
        described.name, told.sfreq or described.sfreq, labels, units, described.type, described.source_id, types,
        _reference(described, told, labels),
    )  # fmt: skip
    return StreamReader(described, info, np.array([factor for factor, _ in scales], np.float64), tuple(warnings))


def _names(described: Description, told: StreamOverrides) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """Label and type of each channel, and warnings."""
    n, n_described = described.n_channels, len(described.channels)
    came = described.labels
    if told.channels:
        if len(told.channels) != n:
            raise StreamMismatch(
                f"stream {described.name!r}: --channels names {len(told.channels)} channels, a sample has {n} values; "
                f"the description names {_described(described)}"
            )
        names = tuple(name or f"ch{i + 1}" for i, name in enumerate(told.channels))
        return names, tuple(channel.type for channel in _described_channels(described, names)), []
    if n_described not in (0, n):
        raise StreamMismatch(
            f"stream {described.name!r}: its description names {_described(described)}, but a sample has {n} values, so "
            f"which is which is not known; give the {n} names in their order with --channels"
        )
    types = tuple(channel.type for channel in described.channels) or ("",) * n
    return _renamed(described, came, types, told.renamed) if told.renamed else (came, types, [])


def _described(described: Description) -> str:
    labels = [channel.label[:40] or "?" for channel in described.channels]
    number = "1 channel" if len(labels) == 1 else f"{len(labels)} channels"
    return f"{number} ({_listed(labels, 24)})" if labels else "no channels"


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(name[:40] for name in names[:most]) + more


def _renamed(
    described: Description, came: tuple[str, ...], types: tuple[str, ...], renamed: dict[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """Names by a map. A name that was given to a channel is taken from all others that have it."""
    names, unused, given = list(came), [], set[int]()
    places: dict[str, list[int]] = {}
    for i, label in enumerate(came):
        for text in dict.fromkeys((label, label.lower())):
            places.setdefault(text, []).append(i)
    for label, name in renamed.items():
        indices = places.get(label) or places.get(label.lower())
        meant = [(i, name) for i in indices] if indices else _meant(label, name, came)
        for index, wanted in meant:
            names[index] = wanted
            given.add(index)
        if not meant:
            unused.append(label)
    if not given:
        raise StreamMismatch(
            f"stream {described.name!r}: has none of the channels that --channels renames ({_listed(unused)}); it has "
            f"{len(came)}: {_listed(came, 24)}"
        )
    scheme = other_scheme(came)
    taken = {canonical(names[index]) for index in given}
    types = tuple(
        LEFT_OUT if i not in given and (canonical(label) in taken or (scheme and label in scheme.positions)) else kind
        for i, (label, kind) in enumerate(zip(came, types, strict=True))
    )
    return tuple(names), types, [f"--channels renames what is not there: {_listed(unused)}"] if unused else []


def _meant(label: str, name: str, came: tuple[str, ...]) -> list[tuple[int, str]]:
    """Index and new name of each channel that a line of a map means by a pattern, or by its number from 1."""
    if label.count("*") == 1:
        head, _, tail = label.partition("*")
        parts = [
            (i, there[len(head) : len(there) - len(tail)])
            for i, there in enumerate(came)
            if there.startswith(head) and there.endswith(tail) and len(there) > len(head) + len(tail)
        ]
        return [(i, name.replace("*", part)) for i, part in parts]
    if label.isascii() and label.isdecimal() and 0 < int(label[:6]) <= len(came):
        return [(int(label[:6]) - 1, name)]
    return []


def _described_channels(described: Description, names: Sequence[str]) -> list[DescribedChannel]:
    """What is described of each channel: in their order, or of the same name where counts differ."""
    if len(described.channels) == described.n_channels:
        return list(described.channels)
    by_name = {canonical(channel.label): channel for channel in reversed(described.channels)}
    return [by_name.get(canonical(name), DescribedChannel()) for name in names]


def _scale(channel: DescribedChannel, told: StreamOverrides, form: str) -> tuple[float, str]:
    """Factor into µV and the unit then; a unit that is no voltage, or a factor that is unclear, is kept with its values."""
    declared = told.unit or channel.unit
    exact = exact_microvolts(declared)
    if exact is None and not told.unit:
        exact = power_of_ten_volts(declared)
    if told.gain is not None:
        return float(Fraction(repr(told.gain)) * (exact or 1)), "uV"
    name, text = channel.factor
    factor = number(text) if name else Fraction(1)
    if name and (exact is None or factor is None or (factor != 1 and exact not in _PLAIN_UNITS)):
        return 1.0, f"{declared or 'uV'} ({name} {text})"
    if exact is None or factor is None:
        return 1.0, declared
    if not told.unit and not name and form in INTEGERS and number(channel.unclear[1]) not in (None, 1):
        return 1.0, f"{declared or 'uV'} ({channel.unclear[0]} {channel.unclear[1]})"
    return float(exact * factor), "uV" if declared or factor != 1 else ""


def _assumed(described: Description, channels: Iterable[tuple[str, DescribedChannel, str]]) -> list[str]:
    """A warning where EEG channels name no unit."""
    silent = [label for label, _, unit in channels if not unit]
    if not silent:
        return []
    counts = ""
    if described.format in INTEGERS:
        counts = f", but {described.format} values look like counts (--gain says how many µV one is)"
    return [
        f"{len(silent)} of {described.n_channels} channels name no unit; microvolts are assumed{counts}: {_listed(silent)}"
    ]


def _read_as(channels: Iterable[tuple[str, DescribedChannel, str]], told: StreamOverrides) -> list[str]:
    """Warnings where a unit is read as MNE-LSL writes it, and where a factor of the description is applied."""
    by_words: dict[str, list[str]] = {}
    for label, channel, unit in channels:
        if unit != "uV" or told.gain is not None:
            continue
        name, text = (part[:40] for part in channel.factor)
        if name and number(text) != 1:
            words = f"values are multiplied by their {name}, {text} (--gain 1 where they are in their unit already)"
            by_words.setdefault(words, []).append(label)
        if not told.unit and power_of_ten_volts(channel.unit) is not None:
            words = f"unit {channel.unit!r} is taken as 10^{channel.unit} V, as MNE-LSL writes it (--unit says another)"
            by_words.setdefault(words, []).append(label)
    return [f"{words}: {_listed(labels, 4)}" for words, labels in [*by_words.items()][:8]]


def _reference(described: Description, told: StreamOverrides, labels: tuple[str, ...]) -> str:
    there = {canonical(label) for label in labels}
    if told.reference:
        if canonical(told.reference) in there:
            raise StreamMismatch(
                f"stream {described.name!r}: --reference {told.reference} is one of its channels; leave the option out"
            )
        return canonical(told.reference)
    return "" if described.reference in there else described.reference
