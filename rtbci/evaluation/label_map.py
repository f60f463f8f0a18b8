"""Which annotations are scored against which class of a pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rtbci.config import nearest
from rtbci.errors import ConfigError
from rtbci.recordings.vocabulary import is_background, is_seizure, meaning_of
from rtbci.stages.decision import QUIET_LABELS
from rtbci.types import Event

BACKGROUND, UNKNOWN = "background", "unknown"


@dataclass(frozen=True)
class LabelMap:
    """What the annotations of some recordings mean for a pipeline.

    Attributes
    ----------
    classes
        Classes to score, in the order of the pipeline.
    meanings
        By the text of an annotation: a class, "background", "unknown"; the other annotations mean nothing.
    unscored
        Classes that become events and are annotated nowhere.
    warnings
        Choices that were made for the user, one line each.
    """

    classes: tuple[str, ...]
    meanings: Mapping[str, str]
    unscored: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, watched: tuple[str, ...], labels: Iterable[str], options: Sequence[str] = ()) -> LabelMap:
        """The meaning of each label.

        `options` come first. An annotation with the name of a class means that class. One that names a seizure means the
        class that does so too; where several do, which one is unknown. A pipeline with one class of events, of another
        name, that is annotated nowhere, is scored against the seizures.

        Parameters
        ----------
        watched
            Classes that become events.
        labels
            Of all annotations.
        options
            ``ANNOTATION`` or ``ANNOTATION=CLASS``; a class that is named has no other annotations.

        Raises
        ------
        ConfigError
            If an option names an annotation or a class that is not there.
        """
        present = list(dict.fromkeys(labels))
        named = _named(options, watched, present)
        seizures = [name for name in watched if is_seizure(name)]
        told: list[str] = []
        free = [name for name in watched if name not in named.values()]
        if not seizures and len(watched) == 1 and free and not any(_same(watched[0], text) for text in present):
            seizures = [watched[0]]
            if any(is_seizure(text) for text in present):
                told.append(
                    f"the only class of events, {watched[0]!r}, is scored against the annotated seizures; "
                    f"--label ANNOTATION names other annotations"
                )
        meanings = {}
        for text in present:
            meaning = named.get(text) or _meaning(text, free, seizures)
            if meaning is not None:
                meanings[text] = meaning
        used = set(meanings.values())
        scored = tuple(name for name in watched if name in used or name in seizures)
        return cls(scored, meanings, tuple(name for name in watched if name not in scored), tuple(told))

    def counts(self, annotations: Iterable[Event], name: str) -> dict[str, int]:
        """How many annotations of a class there are, by their text."""
        return dict(Counter(e.label for e in annotations if self.meanings.get(e.label) == name))

    def ignored(self, annotations: Iterable[Event]) -> dict[str, int]:
        """How many annotations mean nothing, by their text."""
        return dict(Counter(e.label for e in annotations if e.label not in self.meanings))


def _named(options: Sequence[str], watched: tuple[str, ...], present: list[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for option in options:
        text, name = _split(option, watched, present)
        covered = _covered(text, present)
        if not covered:
            shown = ", ".join(repr(one[:40]) for one in sorted(present)[:12]) or "none"
            raise ConfigError(
                f"--label {option}: no annotation reads {text!r}{nearest(text, present)}; those there are: {shown}"
            )
        named |= dict.fromkeys(covered, name)
    return named


def _covered(text: str, present: list[str]) -> list[str]:
    """The annotations that a text means: that text, else the same in other letters, else those below it."""
    if text in present:
        return [text]
    alike = [one for one in present if _same(one, text)]
    return alike or [one for one in present if meaning_of(one, {text: text})]


def _split(option: str, watched: tuple[str, ...], present: list[str]) -> tuple[str, str]:
    """Annotation and class; an annotation may hold an equals sign itself."""
    known = (*watched, BACKGROUND, UNKNOWN)
    text, equals, name = option.rpartition("=")
    if equals and option not in present:
        if name not in known:
            raise ConfigError(
                f"--label {option}: {name!r} is no class of events of this pipeline{nearest(name, known)}; wanted "
                f"ANNOTATION=CLASS with one of {', '.join(known)}"
            )
        return text, name
    own = [name for name in watched if _same(name, option)]
    if own or len(watched) == 1:
        return option, (own or watched)[0]
    raise ConfigError(
        f"--label {option}: this pipeline has the classes {', '.join(watched)}; say which one with --label {option}=CLASS"
    )


def _meaning(text: str, classes: Sequence[str], seizures: Sequence[str]) -> str | None:
    if own := meaning_of(text, {name: name for name in classes}):
        return own
    if is_seizure(text):
        if len(seizures) > 1:
            return UNKNOWN
        return seizures[0] if seizures and seizures[0] in classes else None
    return BACKGROUND if text.strip().lower() in QUIET_LABELS or is_background(text) else None


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
