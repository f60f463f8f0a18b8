"""What is trained on and what is held out: complete recordings, with what belongs together on one side."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rtbci.errors import ConfigError
from rtbci.training.data_config import DataConfig, ValidationConfig
from rtbci.training.duplicates import copies_of, copy_line, joined
from rtbci.training.subjects import on_both_sides, require_whole_subjects, subjects_line

if TYPE_CHECKING:
    from rtbci.training.source import Source


def split(sources: list[Source], data: DataConfig, seed: int, on_warning: Callable[[str], None]) -> list[Source]:
    """Hold out by pattern, and a fraction of the rest by the seed.

    Parameters
    ----------
    sources
        All recordings but the synthetic ones.
    data
        The config.
    seed
        For the drawing.
    on_warning
        Called with what a person should know of the split, a line each.

    Raises
    ------
    ConfigError
        If a pattern matches nothing, or separates what must not be split.
    """
    if data.validation.by == "subject" and sources:
        on_warning(subjects_line(sources))
    copies = copies_of(sources)
    sources = _hold_out(joined(sources, copies), data, seed)
    by_name = {source.name: source for source in sources}
    for first, copy in copies:
        on_warning(copy_line(by_name[first.name], by_name[copy.name]))
    if both := on_both_sides([(source.subject, source.held_out) for source in sources]):
        on_warning(f"held-out recordings are of subjects that are trained on, too: {both}")
    if both := on_both_sides(_in_folds(sources, data.validation)):
        on_warning(f"cross-validation tests on recordings of subjects that are trained on, too: {both}")
    return sources


def _in_folds(sources: Sequence[Source], validation: ValidationConfig) -> list[tuple[str, object]]:
    """(subject, fold) of each recording; a drawn fold is any group of its own. Raises ConfigError where folds overlap."""
    if validation.k_fold:
        return [(source.subject, source.group) for source in sources]
    folds = [matching(patterns, [s.name for s in sources], "data.validation.folds") for patterns in validation.folds]
    number: dict[str, int] = {}
    for n, name in ((n, name) for n, names in enumerate(folds) for name in sorted(names)):
        if (other := number.setdefault(name, n)) != n:
            raise ConfigError(
                f"data.validation.folds: {name} is in folds {other + 1} and {n + 1}; a recording is tested once, so name it "
                "in one of them"
            )
    return [(source.subject, number.get(source.name, -1)) for source in sources] if folds else []


def _hold_out(sources: list[Source], data: DataConfig, seed: int) -> list[Source]:
    """Hold out by pattern, and a fraction of the rest by the seed: always complete recordings."""
    patterns, fraction = data.validation.files, data.validation.fraction
    held = matching(patterns, [source.name for source in sources], "data.validation.files")
    groups = list(dict.fromkeys(source.group for source in sources if source.name not in held))
    drawn = np.random.default_rng([seed, 7]).permutation(len(groups))[: round(fraction * len(groups))]
    out = {groups[i] for i in drawn}
    sources = [replace(source, held_out=source.name in held or source.group in out) for source in sources]
    require_whole_subjects(
        [s for s in sources if s.name in held], [s for s in sources if s.name not in held], "data.validation.files"
    )
    return sources


def matching(patterns: tuple[str, ...], names: list[str], where: str) -> set[str]:
    """The names that match any pattern. Raises ConfigError for a pattern without a match."""
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ConfigError(f"{where}: no recording matches {pattern!r}")
    return {name for pattern in patterns for name in fnmatch.filter(names, pattern)}


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name matches any of some patterns; upper and lower case differ."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def require_groups(sources: Sequence[Source], patterns: Iterable[str], where: str) -> None:
    """Raise ConfigError for a pattern that matches no recording's group."""
    groups = sorted({source.category for source in sources})
    for pattern in patterns:
        if not any(matches(group, (pattern,)) for group in groups):
            raise ConfigError(f"{where}: no group of recordings matches {pattern!r}; there are {', '.join(groups)}")
