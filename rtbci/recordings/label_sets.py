"""What the labels of a stream tell only together: that they are not of the 10-20 system, or name several heads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rtbci.recordings.channel_names import EARS, canonical, derivation, electrode, is_reference
from rtbci.text import field_text

MOST = 512  # labels that are looked at: beyond, they cannot be listed either
# Numbers of the 10-10 system, where a letter is both one of its zones and a bank or a shaft of other systems.
_NUMBERS = {
    **{letter: range(1, 11) for letter in "FPT"}, "C": range(1, 7), "O": (1, 2, 9, 10),
    **dict.fromkeys("AMNI", (1, 2)),
}  # fmt: skip
_BANKS = "ABDGH"  # of letters, besides those zones
_LETTERED = re.compile(r"([A-Z])'?[\s_-]?0*([1-9][0-9]{0,2})", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:ch|chan|channel|eeg|electrode|no\.?)?[\s_.:#-]*0*([1-9][0-9]{0,3})", re.IGNORECASE)
_LONE_BANK = 8  # A1 to A8: two of them are ears
_TAG = r"[A-Za-z]{0,12}[\s_-]?[0-9]{0,3}"
_BEHIND = re.compile(rf"(.+?)(?:[\s_.:/#-]+|(?=[(\[]))[(\[]?({_TAG})[)\]]?")
_BEFORE = re.compile(rf"[(\[]?({_TAG})[)\]]?[\s_.:/#-]+(.+)")


@dataclass(frozen=True, slots=True)
class OtherScheme:
    """Labels that are not of the 10-20 system. name: in words. positions: the labels that it holds for."""

    name: str
    positions: frozenset[str]


@lru_cache(64)
def other_scheme(labels: tuple[str, ...]) -> OtherScheme | None:
    """The scheme of a set of labels, where it is another than 10-20.

    `A1` and `A2` are ears among `Fp1`, `F3` and `Cz`, and places on a BioSemi cap among `A3` to `A32`; `C3` is between
    `F3` and `P3`, or the third of 32 places, or the third contact of a depth electrode C.
    """
    labels = labels[:MOST]
    banks: dict[str, set[int]] = defaultdict(set)
    found = {label: match for label in labels if (match := _LETTERED.fullmatch(_bare(label)))}
    for match in found.values():
        banks[match[1].upper()].add(int(match[2]))
    foreign = sum(n not in _NUMBERS.get(letter, ()) for letter in (*_NUMBERS, *_BANKS) for n in banks.get(letter, ()))
    certain = sum(label not in found and derivation(label).is_electrode for label in labels)
    if (foreign >= 3 and foreign > certain) or _run(banks["A"]) >= _LONE_BANK:
        kind = "BioSemi's A1 … D32" if _run(banks["A"]) > 2 or banks["B"] else "depth electrodes"
        return OtherScheme(kind, frozenset(found))
    if len(banks["E"]) >= _LONE_BANK:
        return OtherScheme("EGI's E1 … E256", frozenset(label for label, m in found.items() if m[1].upper() == "E"))
    numbered = frozenset(label for label in labels if _NUMBERED.fullmatch(field_text(label)))
    if len(numbered) >= 2 and len(numbered) > certain:
        return OtherScheme("plain numbers", numbered)
    return None


@lru_cache(64)
def heads(labels: tuple[str, ...]) -> Mapping[str, Mapping[int, str]]:
    """Electrodes by head, where labels name those of several: `C3_1` and `C3_2`, `P1_C3`, `S2-C3`, `B:C3`.

    Returns
    -------
    dict
        By what stands before or behind the names, as "*_1": the electrode's part of each label, by its index. Empty where
        there is one head, or where a name or two are merely there twice.
    """
    found = [_groups(labels[:MOST], split) for split in (_split_behind, _split_before)]
    return max(found, key=lambda groups: sum(map(len, groups.values())) - len(groups.get("*", ())))


def _groups(labels: Sequence[str], split: Callable[[str], tuple[str, str]]) -> dict[str, dict[int, str]]:
    """The groups of one way to split labels, without those that have no electrode in common with another."""
    groups: dict[str, dict[int, str]] = defaultdict(dict)
    for index, label in enumerate(labels):
        tag, name = split(_bare(label))
        if derivation(name).is_electrode:
            groups[tag][index] = name
    names = {tag: {canonical(name) for name in group.values()} for tag, group in groups.items() if len(group) > 1}
    alike = [tag for tag in names if any(_are_alike(names[tag], names[other]) for other in names if other != tag)]
    return {tag: groups[tag] for tag in alike}


def _are_alike(one: set[str], other: set[str]) -> bool:
    """Whether two groups have electrodes in common: at least two, and half of the smaller group."""
    return len(one & other) >= max(2, min(len(one), len(other)) / 2)


def _split_behind(label: str) -> tuple[str, str]:
    """("*_1", "C3") of "C3_1"; ("*", label) where nothing is behind."""
    match = _BEHIND.fullmatch(label)
    if match and match[2] and _is_tag(match[2]) and derivation(match[1]).is_electrode:
        return "*" + label[len(match[1]) :], match[1]
    return "*", label


def _split_before(label: str) -> tuple[str, str]:
    """("P1_*", "C3") of "P1_C3"; ("*", label) where nothing is before."""
    match = _BEFORE.fullmatch(label)
    if match and match[1] and _is_tag(match[1]) and derivation(match[2]).is_electrode:
        return label[: len(label) - len(match[2])] + "*", match[2]
    return "*", label


def _is_tag(text: str) -> bool:
    """Whether it may tell heads apart: no electrode and no reference; but P1 and P2 stand for persons, too."""
    return bool(re.fullmatch(r"[Pp][1-9]", text)) or not (
        electrode(text) or text.upper() in EARS or is_reference(text) or text.lower() in ("z", "h")
    )


def _bare(label: str) -> str:
    return re.sub(r"^(eeg|seeg|ecog)[\s:_-]+", "", field_text(label[:200]), flags=re.IGNORECASE)


def _run(numbers: set[int]) -> int:
    """The last of 1, 2, 3 … without a gap."""
    n = 0
    while n + 1 in numbers:
        n += 1
    return n
