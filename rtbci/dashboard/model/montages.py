"""The montages that can be displayed: from the channels as recorded, with the reason where one cannot be derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtbci.dashboard.model.channel_kinds import EEG
from rtbci.dashboard.model.display_montage import REGIONS, DisplayMontage, region, region_of
from rtbci.dashboard.model.stream_channels import Channels
from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import AVERAGE as AVERAGE_REFERENCE
from rtbci.recordings.channel_names import LINKED_EARS, Derivation, derivation, unique_names
from rtbci.recordings.electrode_positions import POSITIONS
from rtbci.stages.montage import DOUBLE_BANANA
from rtbci.stages.wiring import match
from rtbci.types import StreamInfo

AS_RECORDED, BY_REGION, BANANA, TRANSVERSE = "As recorded", "By region", "Double banana", "Transverse"
LAPLACIAN, AVERAGE, EARS, LINKED, CZ = "Laplacian", "Common average", "Ears (A1, A2)", "Linked ears", "Reference Cz"
MONTAGES = (BY_REGION, AS_RECORDED, BANANA, TRANSVERSE, LAPLACIAN, AVERAGE, EARS, LINKED, CZ)
REFERENCE = "Reference "  # and a channel's name: that channel is taken away from all others
# The chains of ACNS guideline 3 (2016), TB-18.1 with the ears, and the colour of each.
TRANSVERSE_CHAINS = (
    ("other", ("F7-Fp1", "Fp1-Fp2", "Fp2-F8")),
    ("frontal", ("F7-F3", "F3-Fz", "Fz-F4", "F4-F8")),
    ("central", ("A1-T7", "T7-C3", "C3-Cz", "Cz-C4", "C4-T8", "T8-A2")),
    ("parietal", ("P7-P3", "P3-Pz", "Pz-P4", "P4-P8")),
    ("occipital", ("P7-O1", "O1-O2", "O2-P8")),
)
N_NEIGHBOURS, NEAR = 4, 0.75  # of a Laplacian: how many at most, and how far they may lie (head radii)
_Less = dict[int, float]  # channel to take away -> how much of it


@dataclass(frozen=True, slots=True)
class MontageChoice:
    """A montage by name; reason: why these channels do not let it be derived, "" where they do."""

    name: str
    reason: str = ""


def display_montage(name: str, channels: Channels, own: Mapping[str, Sequence[str]] | None = None) -> DisplayMontage:
    """Make a montage.

    Parameters
    ----------
    name
        One of MONTAGES, `REFERENCE` and a channel's name, or a name in `own`.
    channels
        Of the stream.
    own
        The user's montages: rows such as "F3-C3", "Cz-avg", "C3-LE", "ECG".

    Raises
    ------
    StreamMismatch
        Where these channels do not let it be derived; the message is the reason.
    """
    if own and name in own:
        return _own(own[name], channels)
    if name == BY_REGION:
        return _by_region(channels)
    if name == BANANA:
        made = _bipolar(DOUBLE_BANANA, channels)
        chain = {"left": 0, "midline": 1, "right": 2}
        return made.only(sorted(range(len(made)), key=lambda k: chain.get(made.regions[k], 3)))
    if name == TRANSVERSE:
        colours = {pair: colour for colour, pairs in TRANSVERSE_CHAINS for pair in pairs}
        made = _bipolar(tuple(colours), channels)
        return replace(made, regions=tuple(colours[pair] for pair in made.names))
    if name == LAPLACIAN:
        return _laplacian(channels)
    if name == AVERAGE:
        return _average(channels)
    if name == EARS:
        return _ears(channels)
    if name == LINKED:
        return _referred(channels, _ear_weights(channels), "LE")
    if name.startswith(REFERENCE):
        wanted = name.removeprefix(REFERENCE)
        if (at := channels.find(wanted)) is None:
            raise StreamMismatch(f"needs {wanted}, which is not in the stream")
        return _referred(channels, {at: 1.0}, wanted)
    if name != AS_RECORDED:
        raise StreamMismatch(f"there is no montage {name!r}")
    return _recorded(channels)


def montage_choices(channels: Channels, own: Mapping[str, Sequence[str]] | None = None) -> list[MontageChoice]:
    """All that there are, those that cannot be derived with their reason."""
    choices = []
    for name in (*MONTAGES, *(own or ())):
        try:
            display_montage(name, channels, own)
            choices.append(MontageChoice(name))
        except StreamMismatch as error:
            choices.append(MontageChoice(name, str(error)))
    return choices


# -- how each is made ----------------------------------------------------------------------------------------------


def _made(
    channels: Channels, names: Sequence[str], plus: Sequence[int], less: Sequence[_Less], regions: Sequence[str]
) -> DisplayMontage:
    """Rows of one channel each, less others."""
    n, width = len(plus), max((len(one) for one in less), default=0)
    index, weights = np.zeros((n, width), np.intp), np.zeros((n, width), np.float32)
    for row, one in enumerate(less):
        index[row, : len(one)] = list(one)
        weights[row, : len(one)] = list(one.values())
    return DisplayMontage(
        tuple(unique_names(names)), tuple(regions), tuple(channels.kinds[k] for k in plus), np.array(plus, np.intp),
        index, weights, np.ones(n, np.float32), np.empty(0, np.intp), np.zeros(n, np.bool_),
    )  # fmt: skip


def _recorded(channels: Channels) -> DisplayMontage:
    n = len(channels.labels)
    regions = [region(one) for one in channels.meant]
    return _made(channels, channels.labels, range(n), [{}] * n, regions)


def _by_region(channels: Channels) -> DisplayMontage:
    made = _recorded(channels)
    named = replace(made, names=tuple(unique_names([str(one) for one in channels.meant])))
    return named.only(sorted(range(len(named)), key=lambda k: REGIONS.index(named.regions[k])))


def _bipolar(pairs: Sequence[str], channels: Channels) -> DisplayMontage:
    # In µV already, whatever the stream's unit was.
    info = StreamInfo("", 1.0, channels.labels)
    there = set(channels.meant)
    found = []
    for pair in pairs:
        meant = derivation(pair)
        ends = meant.electrode, meant.reference
        recorded = meant in there or Derivation(*reversed(ends)) in there
        if not recorded and not all(end in channels.electrodes for end in ends):
            continue
        try:
            wiring = match((pair,), info)
        except StreamMismatch:
            continue
        found.append((pair, wiring.plus[0], wiring.minus[0], wiring.gain_plus[0]))
    missing = tuple(pair for pair in pairs if pair not in {one[0] for one in found})
    if not found:
        away = sorted({end for pair in pairs for end in pair.split("-")} - set(channels.electrodes))
        raise StreamMismatch(f"needs electrodes that are not there: {_some(away)}")
    names, plus, minus, signs = zip(*found, strict=True)
    less: list[_Less] = [{k: 1.0} if k >= 0 else {} for k in minus]
    made = _made(channels, names, plus, less, [region_of(name) for name in names])
    return replace(made, signs=np.array(signs, np.float32), missing=missing)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "")


def _electrode_rows(channels: Channels, needed: int, why: str) -> list[int]:
    """All channels that are electrodes against one common reference."""
    channels.one_reference()
    rows = [k for k, one in enumerate(channels.meant) if one.is_electrode and not one.reference]
    if len(rows) < needed:
        raise StreamMismatch(f"{why} needs {needed} electrodes against one reference, the stream has {len(rows)}")
    return rows


def _others(channels: Channels, rows: Sequence[int]) -> list[int]:
    """Channels that stay as they are beside electrodes that are derived anew: ECG, EMG …"""
    taken = set(rows)
    return [k for k in range(len(channels.labels)) if k not in taken and channels.kinds[k] != EEG]


def _average(channels: Channels) -> DisplayMontage:
    rows = _electrode_rows(channels, 4, "an average")
    head = [k for k in rows if not _is_ear(channels.meant[k].electrode)]
    made = _by_region(channels)
    averaged = np.isin(made.plus, rows)
    return replace(made, common=np.array(head, np.intp), averaged=averaged)


def _is_ear(name: str) -> bool:
    return name in ("A1", "A2")


def _ear_weights(channels: Channels) -> _Less:
    missing = [ear for ear in ("A1", "A2") if ear not in channels.electrodes]
    if missing:
        raise StreamMismatch(f"needs {' and '.join(missing)}, not in the stream")
    return {channels.electrodes[ear]: 0.5 for ear in ("A1", "A2")}


def _ears(channels: Channels) -> DisplayMontage:
    """Each electrode against the ear of its own side, those of the midline against both."""
    both = _ear_weights(channels)
    left, right = channels.electrodes["A1"], channels.electrodes["A2"]
    by_side: dict[str, tuple[_Less, str]] = {"left": ({left: 1.0}, "A1"), "right": ({right: 1.0}, "A2")}
    rows = [k for k in _electrode_rows(channels, 3, "the ears") if k not in both]
    beside = _others(channels, [*rows, left, right])
    sides = [by_side.get(_side_of(channels.meant[k].electrode), (both, "LE")) for k in rows]
    names = [f"{channels.meant[k].electrode}-{ear}" for k, (_, ear) in zip(rows, sides, strict=True)]
    return _sorted(channels, rows, names, [less for less, _ in sides], beside)


def _side_of(name: str) -> str:
    digits = "".join(c for c in name if c.isdigit())
    return "" if not digits else "left" if int(digits) % 2 else "right"


def _referred(channels: Channels, less: _Less, reference: str) -> DisplayMontage:
    """All electrodes against others of them."""
    electrodes = _electrode_rows(channels, 2, f"the reference {reference}")
    if not set(less) <= set(electrodes):
        raise StreamMismatch(f"{reference} is no electrode against the common reference")
    rows = [k for k in electrodes if k not in less]
    names = [f"{channels.meant[k].electrode}-{reference}" for k in rows]
    return _sorted(channels, rows, names, [less] * len(rows), _others(channels, [*rows, *less]))


def _sorted(
    channels: Channels, rows: Sequence[int], names: Sequence[str], less: Sequence[_Less], beside: Sequence[int]
) -> DisplayMontage:
    """By region, then what is no electrode."""
    regions = [region(channels.meant[k]) for k in rows]
    order = sorted(range(len(rows)), key=lambda k: REGIONS.index(regions[k]))
    return _made(
        channels,
        [*(names[k] for k in order), *(str(channels.meant[k]) for k in beside)],
        [*(rows[k] for k in order), *beside],
        [*(less[k] for k in order), *({} for _ in beside)],
        [*(regions[k] for k in order), *("other" for _ in beside)],
    )


def _laplacian(channels: Channels) -> DisplayMontage:
    """Source derivation after Hjorth (1980): an electrode less the mean of its neighbours, weighted by 1 / distance."""
    rows = _electrode_rows(channels, 5, "a Laplacian")
    placed = [k for k in rows if channels.meant[k].electrode in POSITIONS]
    at = np.array([POSITIONS[channels.meant[k].electrode] for k in placed]).reshape(-1, 2)
    names, plus, less = [], [], []
    for row, k in enumerate(placed):
        distances = np.hypot(*(at - at[row]).T)
        near = [j for j in np.argsort(distances)[:32].tolist() if 0 < distances[j] <= NEAR][:N_NEIGHBOURS]
        if len(near) < 3:
            continue
        inverse = 1 / distances[near]
        names.append(f"{channels.meant[k].electrode} Lap")
        plus.append(k)
        less.append({placed[j]: float(w) for j, w in zip(near, inverse / inverse.sum(), strict=True)})
    if not plus:
        raise StreamMismatch("no electrode has three neighbours near enough")
    left_out = tuple(channels.meant[k].electrode for k in rows if k not in plus)
    return replace(_sorted(channels, plus, names, less, _others(channels, rows)), missing=left_out)


def _own(rows: Sequence[str], channels: Channels) -> DisplayMontage:
    """Rows that the user wrote."""
    names, plus, less, regions, missing = [], [], [], [], []
    for text in rows:
        try:
            at, away = _own_row(text, channels)
        except StreamMismatch:
            missing.append(text)
            continue
        names.append(text)
        plus.append(at)
        less.append(away)
        regions.append(region_of(text))
    if not plus:
        raise StreamMismatch(f"none of its rows can be derived: {_some(missing)}")
    return replace(_made(channels, names, plus, less, regions), missing=tuple(missing))


def _own_row(text: str, channels: Channels) -> tuple[int, _Less]:
    """A channel, and what is taken away from it: "F3-C3", "C3-avg", "C3-LE", "ECG1-ECG2", "Cz"."""
    if text in channels.labels:
        return channels.labels.index(text), {}
    meant = derivation(text)
    if meant.common == LINKED_EARS:
        return _there(meant.electrode, channels), _ear_weights(channels)
    if meant.common == AVERAGE_REFERENCE:
        head = _electrode_rows(channels, 4, "an average")
        return _there(meant.electrode, channels), {k: 1 / len(head) for k in head}
    if meant in channels.meant:
        return channels.meant.index(meant), {}
    first, _, second = text.partition("-")
    if not second:
        return _there(text, channels), {}
    channels.one_reference()
    return _there(first.strip(), channels), {_there(second.strip(), channels): 1.0}


def _there(name: str, channels: Channels) -> int:
    at = channels.find(name)
    if at is None:
        raise StreamMismatch(f"{name} is not in the stream")
    return at
