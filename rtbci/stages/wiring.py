"""Wiring: from which channels of a stream each wanted channel is derived; a pair comes from one reference."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rtbci.config import nearest
from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import Derivation, canonical, derivation, electrode
from rtbci.recordings.units import microvolts
from rtbci.types import StreamInfo

_EARS = ("A1", "A2")  # an electrode against one ear stands for an electrode against the common reference


@dataclass(frozen=True, slots=True)
class Wiring:
    """Linear derivation of each wanted channel: gain · stream[plus], minus gain · stream[minus] where minus >= 0.

    Attributes
    ----------
    plus, minus
        Indices of channels of the stream.
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
    minus: int = -1
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
    there = _Channels(info)
    ways = {name: list(there.ways(derivation(name))) for name in wanted}
    if missing := [name for name in wanted if not ways[name]]:
        raise StreamMismatch(_missing(missing, wanted, info, there))
    serves = Counter(shared for name in wanted for shared in {way.shared for way in ways[name]})
    order = sorted(serves, key=lambda shared: (shared is not None, -serves[shared], there.rank(shared)))
    chosen = {name: min(ways[name], key=lambda way: order.index(way.shared)) for name in wanted}
    rows = [chosen[name] for name in wanted]
    gains = _gains(info, {i for way in rows for i in (way.plus, way.minus) if i >= 0})
    references = {n: w.shared for n, w in chosen.items() if w.minus < 0 and w.shared is not None}
    return Wiring(
        plus=tuple(way.plus for way in rows),
        minus=tuple(way.minus for way in rows),
        gain_plus=tuple(way.sign * gains[way.plus] for way in rows),
        gain_minus=tuple(gains.get(way.minus, 0.0) for way in rows),
        references=references,
        choices=(*_of_references(ways, chosen), *there.duplicates(rows), *_mixed(references)),
    )


class _Channels:
    """The channels of a stream by what they measure: for each electrode, indices by its reference."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self._of: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._first: dict[str, int] = {}
        for index, label in enumerate(info.channels):
            meant = derivation(label)
            reference = meant.reference or meant.common
            self._of[meant.electrode][reference].append(index)
            self._first.setdefault(reference, index)

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
        used = {i for way in rows for i in (way.plus, way.minus)}
        for name, by_reference in self._of.items():
            for reference, indices in by_reference.items():
                if len(indices) > 1 and indices[0] in used:
                    labels = ", ".join(self._info.channels[i][:40] for i in indices[:4])
                    what = f"{name}-{reference}" if reference else name
                    yield f"{what} is there {len(indices)} times ({labels}); the first is used"


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
                f"{info.units[index][:40]!r}; wanted V, mV, µV or nV"
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
        f"{lack} (it has {len(info.channels)}: {came}){told}"
    )


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
