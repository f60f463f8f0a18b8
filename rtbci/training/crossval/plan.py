"""Who is tested by which fold: whole subjects, dealt by the seed, and those of the inner folds likewise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtbci.datasets.subjects import same_person
from rtbci.errors import ConfigError
from rtbci.text import file_name, listing
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.config import CrossvalConfig
from rtbci.training.data_config import BACKGROUND, UNKNOWN
from rtbci.training.duplicates import copies_of
from rtbci.training.source import Source
from rtbci.training.splits import matches

Names = frozenset[str]  # of subjects


@dataclass(frozen=True)
class Fold:
    """One fold: its fit never sees the subjects that it leaves out.

    Attributes
    ----------
    name
        The subject that is tested, where it is one alone; else a number. Part of file names.
    tested, others
        Subjects that are left out: those that match `crossval.test`, and those that do not.
    inner
        Subjects that each inner fold leaves out as well; together, all training subjects.
    """

    name: str
    tested: tuple[str, ...]
    others: tuple[str, ...]
    inner: tuple[Names, ...]

    @property
    def left_out(self) -> Names:
        return frozenset((*self.tested, *self.others))


def units_of(sources: Sequence[Source], settings: CrossvalConfig) -> list[Source]:
    """The sources with the unit that is never split as their subject: with `by = "recording"`, each is one of its own."""
    if settings.by == "subject":
        return list(sources)
    return [
        source if source.recording.format == "synthetic" else replace(source, subject=source.name) for source in sources
    ]


def plan(sources: Sequence[Source], config: TrainConfig) -> list[Fold]:
    """Deal the subjects, and check that every fit can be fitted and every choice be made.

    Parameters
    ----------
    sources
        All recordings; synthetic ones have no subject, and are in every fit and in no test.
    config
        The training run.

    Returns
    -------
    list of Fold
        Every subject is left out by exactly one of them.

    Raises
    ------
    ConfigError
        If there are too few subjects, one patient is there under two names, or a fit would lack a class.
    """
    settings = config.crossval
    by_subject: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        if source.subject:
            by_subject[source.subject].append(source)
    _require_one_name_each(sources, list(by_subject), settings.by)
    # A recording without an event tells nothing that its group does not tell, and need not be a fold of its own.
    can_be_tested = [
        subject
        for subject, own in by_subject.items()
        if settings.by == "subject" or any(s.label not in (BACKGROUND, UNKNOWN) for one in own for s in one.stretches)
    ]
    tested = _tested(settings, can_be_tested)
    category = {subject: own[0].category for subject, own in by_subject.items()}
    others = {subject: kind for subject, kind in category.items() if subject not in tested}
    parts = _outer(settings, tested)
    shares = _dealt_by_kind(others, len(parts), np.random.default_rng([settings.seed, 17]))
    folds = []
    for number, (name, part, share) in enumerate(zip(_names(parts), parts, shares, strict=True)):
        rest = [subject for subject in tested if subject not in part]
        rest_of_others = {subject: kind for subject, kind in others.items() if subject not in share}
        if len(rest) < settings.inner:
            raise ConfigError(
                f"crossval.inner is {settings.inner}, but fold {name} trains on {len(rest)} of the subjects that are tested; "
                + ("lower crossval.inner" if len(rest) > 1 else "nested folds want three tested subjects or more")
            )
        rng = np.random.default_rng([settings.seed, 19, number])
        inner = zip(_dealt(rest, settings.inner, rng), _dealt_by_kind(rest_of_others, settings.inner, rng), strict=True)
        folds.append(Fold(name, tuple(part), tuple(share), tuple(frozenset((*a, *b)) for a, b in inner)))
    _require_a_choice(folds, sources, settings)
    _require_classes(folds, sources, config.pipeline.classes)
    return folds


def _tested(settings: CrossvalConfig, subjects: Sequence[str]) -> list[str]:
    if not subjects:
        raise ConfigError("crossval tests recordings of subjects, and the config has synthetic ones alone")
    for pattern in settings.test:
        if not any(matches(subject, [pattern]) for subject in subjects):
            raise ConfigError(f"crossval.test: no subject matches {pattern!r}; there are {listing(sorted(subjects))}")
    tested = sorted(subject for subject in subjects if matches(subject, settings.test))
    if len(tested) < 2:
        raise ConfigError(
            f"crossval.test: {len(tested)} subjects ({listing(tested) or 'none'}); leaving one out wants at least two"
        )
    if settings.folds > len(tested):
        raise ConfigError(f"crossval.folds is {settings.folds}, but only {len(tested)} subjects are tested")
    return tested


def _outer(settings: CrossvalConfig, tested: list[str]) -> list[list[str]]:
    if not settings.folds:
        return [[subject] for subject in tested]
    return [sorted(p) for p in _dealt(tested, settings.folds, np.random.default_rng([settings.seed, 13]))]


def _names(parts: Sequence[Sequence[str]]) -> list[str]:
    """A name for each fold that differs from the others' as a file name, too."""
    names: list[str] = []
    for number, part in enumerate(parts, 1):
        name = file_name(part[0], "subject") if len(part) == 1 else f"{number:02d}"
        taken = {other.casefold() for other in names}
        names.append(name if name.casefold() not in taken else f"{name}-{number}")
    return names


def _dealt(subjects: Sequence[str], n: int, rng: np.random.Generator) -> list[list[str]]:
    order = [subjects[i] for i in rng.permutation(len(subjects))]
    return [order[first::n] for first in range(n)]


def _dealt_by_kind(kinds: Mapping[str, str], n: int, rng: np.random.Generator) -> list[list[str]]:
    """Subjects dealt in turn, those of one group of recordings after another, so that each part has its share of each."""
    order: list[str] = []
    for kind in sorted(set(kinds.values())):
        own = sorted(subject for subject, of in kinds.items() if of == kind)
        order += [own[i] for i in rng.permutation(len(own))]
    return [sorted(order[first::n]) for first in range(n)]


def _require_one_name_each(sources: Sequence[Source], subjects: Sequence[str], by: str) -> None:
    known: dict[str, str] = {}
    for subject in subjects if by == "subject" else ():
        other = known.setdefault(same_person(subject).casefold(), subject)
        if other != subject:
            raise ConfigError(
                f"{other} and {subject} are one patient, whom the config has under two names; give their recordings one "
                "with data.recordings.subject, or leave subject_pattern out where the names of the files tell"
            )
    for first, copy in copies_of([source for source in sources if source.subject]):
        if first.subject != copy.subject and by == "recording":
            raise ConfigError(
                f"{copy.name} has the samples of {first.name}: one recording under two names; leave one out"
            )
        if first.subject != copy.subject:
            raise ConfigError(
                f"{copy.name} has the samples of {first.name}, but is of subject {copy.subject} and not {first.subject}: one "
                "patient under two names; leave a copy out, or give both one data.recordings.subject"
            )


def _require_a_choice(folds: Sequence[Fold], sources: Sequence[Source], settings: CrossvalConfig) -> None:
    """The groups in which no alarm is wanted are there, and each fold trains on recordings of them."""
    real = [source for source in sources if source.subject]
    categories = sorted({source.category for source in real})
    patterns = settings.operating_point.no_alarm_in
    where = "crossval.operating_point.no_alarm_in"
    for pattern in patterns:
        if not any(matches(category, [pattern]) for category in categories):
            raise ConfigError(f"{where}: no group matches {pattern!r}; there are {listing(categories)}")
    wanted = {source.subject for source in real if matches(source.category, patterns)}
    for fold in folds:
        if not wanted - fold.left_out:
            raise ConfigError(
                f"{where}: all recordings of these groups are of subjects that fold {fold.name} leaves out "
                f"({listing(sorted(wanted))}), so that its threshold cannot be chosen without them; name another group beside"
            )


def _require_classes(folds: Sequence[Fold], sources: Sequence[Source], classes: Sequence[str]) -> None:
    for label in classes:
        if label == BACKGROUND:
            continue
        having = {source.subject for source in sources if any(s.label == label for s in source.stretches)}
        if not having:
            labels = sorted({s.label for source in sources for s in source.stretches} - {UNKNOWN, BACKGROUND})
            raise ConfigError(
                f"no recording has a label of {label!r}, so that no fold can be trained; check data.recordings.labels"
                + (f" (there are {listing(labels)})" if labels else "")
            )
        for fold in folds:
            for number, part in enumerate(fold.inner, 1):
                if not having - fold.left_out - part:
                    raise ConfigError(
                        f"fold {fold.name}, inner fold {number}, would train on no recording of {label!r}: only "
                        f"{listing(sorted(having))} have it; lower crossval.inner, or test fewer subjects at once"
                    )
