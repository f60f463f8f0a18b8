"""Wiring: from which channels of a stream each wanted channel is derived; a pair comes from one reference."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rtbci.config import nearest
from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import Derivation, canonical, derivation, electrode, is_eeg_type
from rtbci.recordings.label_sets import OtherScheme, heads, other_scheme
from rtbci.recordings.units import microvolts
from rtbci.types import LEFT_OUT, StreamInfo

_EARS = ("A1", "A2")  # an electrode against one ear stands for an electrode against the common reference
ZERO = -1  # index of the reference that is no channel


@dataclass(frozen=True, slots=True)
class Wiring:
    """Linear derivation of each wanted channel: gain · stream[plus], minus gain · stream[minus] where minus >= 0.

    Attributes
    ----------
    plus, minus
        Indices of channels of the stream; ZERO for its reference, which is no channel.
    gain_plus, gain_minus
        Into µV; negative where a pair is recorded the other way round.
    references
        Of wanted channels that are no pairs: by channel, what it is recorded against; "" where the stream does not say.
    choices
        What was chosen where the stream allows more than one derivation, one line each.
    """

    plus: tuple[int, ...]
    minus: tuple[int, ...]
    gain_plus: tuple[float, ...]
    gain_minus: tuple[float, ...]
    references: dict[str, str]
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to derive a channel. shared: the reference of its electrodes; None where the pair itself is recorded."""

    plus: int
    minus: int = ZERO
    sign: float = 1.0
    shared: str | None = None


def match(wanted: tuple[str, ...], info: StreamInfo) -> Wiring:
    """Find each wanted channel in a stream: as it is, reversed, or derived from two electrodes with one reference.

    Where electrodes are there against several references, the one that serves the most of the wanted channels is
    used; of equal ones, the first in the stream.

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
    there = _Channels(info, wanted)
    ways = {name: list(there.ways(derivation(name))) for name in wanted}
    if missing := [name for name in wanted if not ways[name]]:
        raise StreamMismatch(_missing(missing, wanted, info, there))
    serves = Counter(shared for name in wanted for shared in {way.shared for way in ways[name]})
    order = sorted(serves, key=lambda shared: (shared is not None, -serves[shared], there.rank(shared)))
    chosen = {name: min(ways[name], key=lambda way: order.index(way.shared)) for name in wanted}
    rows = [chosen[name] for name in wanted]
    gains = _gains(info, {i for way in rows for i in (way.plus, way.minus) if i != ZERO})
    references = {n: w.shared for n, w in chosen.items() if w.shared is not None and not derivation(n).reference}
    return Wiring(
        plus=tuple(way.plus for way in rows),
        minus=tuple(way.minus for way in rows),
        gain_plus=tuple(way.sign * gains.get(way.plus, 0.0) for way in rows),
        gain_minus=tuple(gains.get(way.minus, 0.0) for way in rows),
        references=references,
        choices=(
            *there.choices,
            *_of_references(ways, chosen),
            *there.duplicates(rows),
            *_mixed(references),
            *there.implied(chosen),
            *there.other_types(rows),
        ),
    )


class _Channels:
    """The channels of a stream by what they measure: for each electrode, indices by its reference, the best first."""

    def __init__(self, info: StreamInfo, wanted: tuple[str, ...]) -> None:
        self._info = info
        self.choices: list[str] = []
        self.scheme = _scheme(info, wanted)
        self._of: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._first: dict[str, int] = {}
        for index, label in self._labels(wanted).items():
            if self.scheme is not None and label in self.scheme.positions:
                continue
            meant = derivation(label)
            reference = meant.reference or meant.common
            self._of[meant.electrode][reference].append(index)
            self._first.setdefault(reference, index)
        for by_reference_ in self._of.values():
            for indices in by_reference_.values():
                indices.sort(key=self._doubt)
        self._imply(info.reference)

    def _labels(self, wanted: tuple[str, ...]) -> dict[int, str]:
        """By index, the labels from which electrodes are read: those of one head. Raises StreamMismatch."""
        labels = {i: label for i, label in enumerate(self._info.channels) if self._info.channel_types[i] != LEFT_OUT}
        groups = {
            tag: {[*labels][i]: name for i, name in group.items()}
            for tag, group in heads(tuple(labels.values())).items()
        }
        if not groups:
            return labels
        needed = {part for name in wanted if name for part in (derivation(name).electrode, derivation(name).reference)}
        names = {
            tag: {part for name in group.values() for part in (derivation(name).electrode, derivation(name).reference)}
            for tag, group in groups.items()
        }
        serving = [tag for tag in groups if needed <= names[tag] | {self._info.reference, ""}]
        listed = ", ".join(f"{tag} ({len(group)})" for tag, group in [*groups.items()][:8])
        pattern = next((tag for tag in groups if tag != "*"), "*")
        if len(serving) != 1:
            raise StreamMismatch(
                f"stream {self._info.name!r}: its labels name the same electrodes in several groups, as those of several "
                f"heads: {listed}; say which one is meant, as --channels '{pattern}=*'"
            )
        self.choices.append(f"its labels name several groups of electrodes, as of several heads: {listed}; "
                            f"{serving[0]} is used, which alone has all that is needed (--channels says another)")  # fmt: skip
        others = {i for tag, group in groups.items() if tag != serving[0] for i in group}
        return {i: groups[serving[0]].get(i, label) for i, label in labels.items() if i not in others}

    def _doubt(self, index: int) -> tuple[bool, bool]:
        """Of channels of one name, that of type EEG comes first, then one whose unit is a voltage."""
        return is_eeg_type(self._info.channel_types[index]) is False, microvolts(self._info.units[index]) is None

    def _imply(self, name: str) -> None:
        """The reference that is no channel is an electrode like those that are recorded against it: zero."""
        self._implied = canonical(name) if name and canonical(name) not in self._of else ""
        if self._implied:
            for reference in ("", "REF", "common"):
                if reference in self._first or not reference:
                    self._of[self._implied][reference].append(ZERO)

    def implied(self, chosen: dict[str, _Way]) -> Iterator[str]:
        """A line where channels are derived from the reference that is no channel."""
        of = [name for name in chosen if self._implied in (derivation(name).electrode, derivation(name).reference)]
        if self._implied and (of := [n for n in of if ZERO in (chosen[n].plus, chosen[n].minus)]):
            yield f"{self._implied} is what the stream is recorded against, so it is taken as zero: {_listed(of)}"

    def references(self, name: str) -> list[str]:
        """What an electrode is recorded against, common references first."""
        return sorted(self._of.get(name, ()), key=self.rank)

    def rank(self, reference: str | None) -> tuple[bool, int]:
        """Common references before electrodes, then as in the stream."""
        return bool(electrode(reference or "")), self._first.get(reference or "", -1)

    def ways(self, want: Derivation) -> Iterator[_Way]:
        """Each way to derive a channel; where the stream has a channel twice, from the first."""
        plus = self._of.get(want.electrode, {})
        if not want.reference:
            wanted = {want.common, ""} if want.common else None
            for shared in self.references(want.electrode):
                if shared in wanted if wanted else not electrode(shared) or shared in _EARS:
                    yield _Way(plus[shared][0], shared=shared)
            return
        minus = self._of.get(want.reference, {})
        if want.reference in plus:
            yield _Way(plus[want.reference][0])
        if want.electrode in minus:
            yield _Way(minus[want.electrode][0], sign=-1.0)
        for shared in self.references(want.electrode):
            if shared in minus:
                yield _Way(plus[shared][0], minus[shared][0], shared=shared)

    def duplicates(self, rows: Sequence[_Way]) -> Iterator[str]:
        """A line for each channel in use that the stream has more than once."""
        used = {i for way in rows for i in (way.plus, way.minus)} - {ZERO}
        for name, by_reference in self._of.items():
            for reference, indices in by_reference.items():
                if len(indices) > 1 and indices[0] in used:
                    labels = ", ".join(self._info.channels[i][:40] for i in indices[:4])
                    what = f"{name}-{reference}" if reference else name
                    yield f"{what} is there {len(indices)} times ({labels}); {self._why(indices)}"

    def other_types(self, rows: Sequence[_Way]) -> Iterator[str]:
        """A line where channels are used that are no EEG by their type."""
        used = sorted({i for way in rows for i in (way.plus, way.minus)} - {ZERO})
        kinds = self._info.channel_types
        if odd := [f"{self._info.channels[i][:40]} ({kinds[i][:40]})" for i in used if is_eeg_type(kinds[i]) is False]:
            yield f"channels are used by their names that are no EEG by their type: {_listed(odd)}"

    def _why(self, indices: list[int]) -> str:
        """Which of the channels of one name is used."""
        if self._doubt(indices[0]) == self._doubt(indices[1]):
            return "the first is used; --channels says another"
        kind = self._info.channel_types[indices[0]]
        return f"the one of type {kind} is used" if kind else "the one in volts is used"


def _of_references(ways: dict[str, list[_Way]], chosen: dict[str, _Way]) -> Iterator[str]:
    """A line for each choice among references, with the channels that it was made for."""
    made: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for name, found in ways.items():
        options = tuple(dict.fromkeys(_words(way.shared) for way in found if way.shared is not None))
        shared = chosen[name].shared
        if len(options) > 1 and shared is not None:
            made[options, _words(shared)].append(name)
    for (options, used), names in made.items():
        yield f"{_listed(names)}: recorded against {' and '.join(options)}; {used} is used"


def _mixed(references: dict[str, str]) -> Iterator[str]:
    if len(set(references.values())) > 1:
        yield f"channels are recorded against different references: {by_reference(references)}"


def by_reference(references: dict[str, str]) -> str:
    """Channels by what they are recorded against: "REF (Fp1, F7), average (F3)"."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, reference in references.items():
        groups[_words(reference)].append(name)
    return ", ".join(f"{reference} ({_listed(names)})" for reference, names in groups.items())


def _words(reference: str) -> str:
    return reference or "a reference without a name"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _gains(info: StreamInfo, used: set[int]) -> dict[int, float]:
    gains = {}
    for index in used:
        factor = microvolts(info.units[index])
        if factor is None:
            raise StreamMismatch(
                f"stream {info.name!r}: channel {info.channels[index][:60]!r} has unknown unit "
                f"{info.units[index][:40]!r}; wanted V, mV, µV or nV: say it with --unit, or how many µV a value is with "
                "--gain"
            )
        gains[index] = factor
    return gains


def _missing(missing: list[str], wanted: tuple[str, ...], info: StreamInfo, there: _Channels) -> str:
    # A name that was understood is another electrode: it is no misspelling of the missing one.
    misspelt = [name[:60] for name in map(canonical, info.channels[:512]) if not electrode(name.split("-")[0])]
    hints = [(name, hint) for name in missing[:3] if (hint := _reason(name, there) or nearest(name, misspelt))]
    came = ", ".join(label[:40] for label in info.channels[:40]) + (" …" if len(info.channels) > 40 else "")
    lack = ", ".join(missing[:20]) + (" …" if len(missing) > 20 else "")
    told = "".join(f"; {name}{hint.removeprefix(';')}" for name, hint in hints)
    return (
        f"stream {info.name!r} lacks {len(missing)} of the {len(wanted)} channels that this pipeline needs: "
        f"{lack} (it has {len(info.channels)}: {came}){told}; {_way_on(missing, info, there)}"
    )


def _way_on(missing: list[str], info: StreamInfo, there: _Channels) -> str:
    """Which option helps."""
    if info.channels == tuple(f"ch{i + 1}" for i in range(len(info.channels))):
        return "its description names no channels: name them in their order with --channels"
    if there.scheme is not None:
        return (
            f"its labels are {there.scheme.name}, not of the 10-20 system: --channels MAP, a file with a line "
            "A1=Fp1 for each, says which is which"
        )
    ends = [part for name in missing for part in str(name).split("-")]
    lone = {part for part in ends if electrode(part) and not there.references(part)}
    if len(lone) == 1:
        return f"if {lone.pop()} is what it is recorded against, --reference says so; --channels renames channels"
    return "--channels renames channels"


def _scheme(info: StreamInfo, wanted: tuple[str, ...]) -> OtherScheme | None:
    """The scheme of a stream's labels, where it is another than 10-20 and than that of the wanted channels."""
    scheme = other_scheme(
        tuple(c for c, kind in zip(info.channels, info.channel_types, strict=True) if kind != LEFT_OUT)
    )
    return None if scheme is None or other_scheme(wanted) is not None else scheme


def _reason(name: str, there: _Channels) -> str:
    """Why a channel cannot be derived although its electrodes are there; "" where they are not."""
    want = derivation(name)
    first, second = there.references(want.electrode), there.references(want.reference)
    if want.reference and first and second:
        against = " and ".join(map(_words, first)), " and ".join(map(_words, second))
        return (
            f" cannot be derived: {want.electrode} is recorded against {against[0]}, {want.reference} against "
            f"{against[1]}, and a pair needs one reference; export both against the same one"
        )
    if first and not want.reference:
        return f" is recorded against {' and '.join(map(_words, first))}, not against {want.common or 'a common reference'}"
    return ""
