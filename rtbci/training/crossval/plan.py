"""Who is tested by which fold: whole units, which are subjects, recordings or parts of them, dealt by the seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from rtbci.datasets.subjects import same_person
from rtbci.errors import ConfigError
from rtbci.text import listing
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.config import CrossvalConfig
from rtbci.training.crossval.dealing import dealt, dealt_by_kind, fold_names
from rtbci.training.crossval.parts import parts_of, published_as, window_of, with_trials
from rtbci.training.data_config import BACKGROUND, UNKNOWN
from rtbci.training.duplicates import copies_of
from rtbci.training.source import Source
from rtbci.training.splits import matches

Names = frozenset[str]  # of units

UNITS = {"subject": "subjects", "recording": "recordings", "trial": "parts"}
REMEDIES = {
    "subject": "lower crossval.inner, or test fewer subjects at once",
    "recording": "lower crossval.inner, or test fewer recordings at once",
    "trial": "cut fewer parts (crossval.folds), or deal the trials with crossval.shuffle = true",
}


@dataclass(frozen=True)
class Fold:
    """One fold: its fit never sees the subjects that it leaves out.

    Attributes
    ----------
    name
        The unit that is tested, where it is one alone; else a number. Part of file names.
    tested, others
        Units that are left out: those that match `crossval.test`, and those that do not.
    inner
        Units that each inner fold leaves out as well; together, all that the fold trains on.
    """

    name: str
    tested: tuple[str, ...]
    others: tuple[str, ...]
    inner: tuple[Names, ...]

    @property
    def left_out(self) -> Names:
        return frozenset((*self.tested, *self.others))

    def sides(self, sources: Sequence[Source]) -> tuple[list[Source], list[Source]]:
        """What it trains on, and what it leaves out; other problems have a part in neither."""
        trained = frozenset(name for part in self.inner for name in part)
        training = [source for source in sources if source.subject in trained or not source.subject]
        return training, [source for source in sources if source.subject in self.left_out]


def units_of(
    sources: Sequence[Source], config: TrainConfig, on_warning: Callable[[str], None] = lambda _: None
) -> list[Source]:
    """The sources with the unit that is never split as their subject, and who was recorded as their person.

    With `by = "recording"`, each is a unit of its own; with `by = "trial"`, each is cut into parts, which are the units.

    Parameters
    ----------
    sources
        All recordings; synthetic ones stay as they are.
    config
        The training run.
    on_warning
        Told of recordings and trials that are left out.

    Raises
    ------
    ConfigError
        If a recording has fewer trials than it is to have parts.
    """
    settings, of_trials = config.crossval, window_of(config) is not None
    real = [source for source in sources if source.recording.format != "synthetic"]
    made_up = [source for source in sources if source.recording.format == "synthetic"]
    if of_trials:
        real = with_trials(real, config, on_warning)
    if settings.within == "subject" and (unknown := [source.name for source in real if not source.subject]):
        raise ConfigError(
            f'{unknown[0]}: its name does not tell whose recording it is, and crossval.within is "subject"; set '
            "data.recordings.subject, or subject_pattern"
        )
    real = [replace(source, person=source.subject or published_as(source)) for source in real]
    if settings.by == "recording":
        real = [replace(s, subject=published_as(s) if of_trials else s.name) for s in real]
    elif settings.by == "trial":
        real = parts_of(real, partial(problem_of, settings=settings), config, on_warning)
    return [*real, *made_up]


def problem_of(source: Source, settings: CrossvalConfig) -> str:
    """What is cross-validated by itself: the subject, or the recording, by name; "" where all is one problem."""
    if settings.problem == "subject":
        return source.person
    return published_as(source.part_of or source) if settings.problem == "recording" else ""


def plan(
    sources: Sequence[Source], config: TrainConfig, on_warning: Callable[[str], None] = lambda _: None
) -> list[Fold]:
    """Deal the units, and check that every fit can be fitted and every choice be made.

    Parameters
    ----------
    sources
        All recordings, as `units_of` gives them; synthetic ones have no subject, and are in every fit and in no test.
    config
        The training run.
    on_warning
        Told of subjects, or recordings, that are left out where each is a problem of its own, and why.

    Returns
    -------
    list of Fold
        Every unit is left out by exactly one of them.

    Raises
    ------
    ConfigError
        If there are too few units, one patient is there under two names, or a fit would lack a class.
    """
    settings = config.crossval
    real, made_up = [s for s in sources if s.subject], [s for s in sources if not s.subject]
    _require_one_name_each(real, settings.by)
    _require_matches(sorted({s.subject for s in real}), settings)
    problems: dict[str, list[Source]] = defaultdict(list)
    for source in real:
        problems[problem_of(source, settings)].append(source)
    folds: list[Fold] = []
    refused: list[ConfigError] = []
    for name, own in problems.items():
        if len(problems) > 1 and not any(matches(source.subject, settings.test) for source in own):
            continue
        try:
            folds += _folds([*own, *made_up], config)
        except ConfigError as error:
            if len(problems) > 1:
                on_warning(f"left out: {name}, a problem of its own: {error}")
            refused.append(error)
    if not folds:
        raise refused[0]
    names = fold_names([fold.tested for fold in folds])
    return [replace(fold, name=name) for fold, name in zip(folds, names, strict=True)]


def _folds(sources: Sequence[Source], config: TrainConfig) -> list[Fold]:
    """The folds of a problem."""
    settings = config.crossval
    by_unit: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        if source.subject:
            by_unit[source.subject].append(source)
    # A recording without an event tells nothing that its group does not tell, and need not be a fold of its own.
    can_be_tested = [
        unit
        for unit, own in by_unit.items()
        if settings.by != "recording" or any(s.label not in (BACKGROUND, UNKNOWN) for one in own for s in one.stretches)
    ]
    of_trials = window_of(config) is not None
    n_inner = settings.inner if chooses(config) else 1  # part: all that is trained on
    tested = _tested(settings, can_be_tested, of_trials=of_trials)
    category = {unit: own[0].category for unit, own in by_unit.items()}
    others = {unit: kind for unit, kind in category.items() if unit not in tested}
    parts = _outer(settings, tested)
    shares = dealt_by_kind(others, len(parts), np.random.default_rng([settings.seed, 17]))
    folds = []
    units = UNITS[settings.by]
    for number, (name, part, share) in enumerate(zip(fold_names(parts), parts, shares, strict=True)):
        rest = [unit for unit in tested if unit not in part]
        rest_of_others = {unit: kind for unit, kind in others.items() if unit not in share}
        if len(rest) < n_inner:
            raise ConfigError(
                f"crossval.inner is {settings.inner}, but fold {name} trains on {len(rest)} of the {units} that are tested; "
                + ("lower crossval.inner" if len(rest) > 1 else f"nested folds want three tested {units} or more")
            )
        rng = np.random.default_rng([settings.seed, 19, number])
        inner = zip(dealt(rest, n_inner, rng), dealt_by_kind(rest_of_others, n_inner, rng), strict=True)
        folds.append(Fold(name, tuple(part), tuple(share), tuple(frozenset((*a, *b)) for a, b in inner)))
    if not of_trials:
        _require_a_choice(folds, sources, settings)
    _require_classes(folds, sources, config)
    return folds


def chooses(config: TrainConfig) -> bool:
    """Whether inner folds are fitted: of trials, the last epoch leaves nothing to choose on them."""
    return window_of(config) is None or config.crossval.epoch != "last"


def _require_matches(units: Sequence[str], settings: CrossvalConfig) -> None:
    if not units:
        raise ConfigError("crossval tests recordings of subjects, and the config has synthetic ones alone")
    for pattern in settings.test:
        if not any(matches(unit, [pattern]) for unit in units):
            one = UNITS[settings.by].removesuffix("s")
            raise ConfigError(f"crossval.test: no {one} matches {pattern!r}; there are {listing(units)}")


def _tested(settings: CrossvalConfig, units: Sequence[str], *, of_trials: bool) -> list[str]:
    tested = sorted(unit for unit in units if matches(unit, settings.test))
    if len(tested) < 2:
        cut = '; crossval.by = "trial" leaves out parts of each recording' if of_trials else ""
        raise ConfigError(
            f"crossval.test: {len(tested)} {UNITS[settings.by]} ({listing(tested) or 'none'}); leaving one out wants at least "
            f"two{cut}"
        )
    if settings.folds > len(tested) and settings.by != "trial":
        raise ConfigError(f"crossval.folds is {settings.folds}, but only {len(tested)} {UNITS[settings.by]} are tested")
    return tested


def _outer(settings: CrossvalConfig, tested: list[str]) -> list[list[str]]:
    if not settings.folds or settings.by == "trial":
        return [[unit] for unit in tested]
    return [sorted(p) for p in dealt(tested, settings.folds, np.random.default_rng([settings.seed, 13]))]


def _require_one_name_each(sources: Sequence[Source], by: str) -> None:
    known: dict[str, str] = {}
    for subject in dict.fromkeys(source.subject for source in sources) if by == "subject" else ():
        other = known.setdefault(same_person(subject).casefold(), subject)
        if other != subject:
            raise ConfigError(
                f"{other} and {subject} are one patient, whom the config has under two names; give their recordings one "
                "with data.recordings.subject, or leave subject_pattern out where the names of the files tell"
            )
    for first, copy in copies_of(sources):
        if by != "subject":
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


def _require_classes(folds: Sequence[Fold], sources: Sequence[Source], config: TrainConfig) -> None:
    classes = config.pipeline.classes
    # Trials of background are the other side of a single class; a tagger has it between its events.
    both = len(classes) == 1 and window_of(config) is not None and not config.data.without_background
    for label in (*(name for name in classes if name != BACKGROUND), *([BACKGROUND] if both else [])):
        having = {source.subject for source in sources if any(s.label == label for s in source.stretches)}
        if not having:
            labels = sorted({s.label for source in sources for s in source.stretches} - {UNKNOWN, BACKGROUND})
            raise ConfigError(
                f"no recording has a label of {label!r}, so that no fold can be trained; check data.recordings.labels"
                + (f" (there are {listing(labels)})" if labels else "")
            )
        for fold in folds:
            for number, part in enumerate(fold.inner if chooses(config) else (frozenset[str](),), 1):
                if not having - fold.left_out - part:
                    where = f"{fold.name}, inner fold {number}," if part else fold.name
                    raise ConfigError(
                        f"fold {where} would train on no recording of {label!r}: only {listing(sorted(having))} have it; "
                        f"{REMEDIES[config.crossval.by]}"
                    )
