"""Whose recording each is, and that nobody is on both sides of a split where the config asks for that."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rtbci.datasets.dataset import Dataset, Group, Member
from rtbci.datasets.subjects import SAME_PERSON, named_subjects, same_person
from rtbci.errors import ConfigError
from rtbci.training.data_config import RecordingsConfig

if TYPE_CHECKING:
    from rtbci.training.source import Source

_SUBJECT = "subject "  # begins the group of a recording where the subject is the unit


def subject_of(name: str) -> str:
    """The subject in a recording's path, where it is named as in BIDS or a known dataset; empty where it is not.

    Raises
    ------
    ConfigError
        If the path names two subjects.
    """
    found = named_subjects(name)
    if len(found) > 1:
        raise ConfigError(f"{name}: its path names {' and '.join(sorted(found))}; set `subject` for it")
    return found.pop() if found else ""


def with_subjects(sources: Iterable[Source], group: RecordingsConfig, by: str, where: str) -> list[Source]:
    """Sources of `[[data.recordings]]` with subject and group.

    Parameters
    ----------
    sources
        Named by their paths.
    group
        Their config.
    by
        The unit that is never split.
    where
        Of the config, for messages.

    Raises
    ------
    ConfigError
        If the unit is the subject and one cannot be told, or the trial, which recordings do not have.
    """
    if by == "trial":
        raise ConfigError(
            'data.validation.by = "trial" is for datasets of independent trials; for [[data.recordings]] use "recording" '
            'or "subject"'
        )
    return [_with_subject(source, group, by, where) for source in sources]


def _with_subject(source: Source, group: RecordingsConfig, by: str, where: str) -> Source:
    subject = group.subject
    if group.subject_pattern:
        found = re.search(group.subject_pattern, source.name)
        subject = found[1] if found is not None and found[1] else ""
        if not subject:
            raise ConfigError(f"{where}.subject_pattern: {group.subject_pattern!r} finds no subject in {source.name}")
    subject = subject or subject_of(source.name)
    if by != "subject":
        return replace(source, subject=subject)
    if not subject:
        raise ConfigError(
            f'{source.name}: its name does not tell whose recording it is, and data.validation.by is "subject"; set '
            f"{where}.subject, or {where}.subject_pattern = '(P\\d+)_' which finds it in the name"
        )
    return replace(source, subject=subject, group=f"{_SUBJECT}{subject}")


def subject_of_member(dataset: Dataset, member: Member) -> str:
    """Who was recorded, by the dataset; in a folder of any layout by the path alone, and empty where that does not tell."""
    return subject_of(member.name) if dataset.name == "szcore" else same_person(member.subject)


def group_of_member(dataset: Dataset, member: Member, by: Group) -> str:
    """The unit that is never split.

    Raises
    ------
    ConfigError
        If it is the subject, and that is not known.
    DatasetError
        If it is the trial, and trials are not independent.
    """
    if by != "subject":
        return dataset.group(member, by)
    if subject := subject_of_member(dataset, member):
        return f"{_SUBJECT}{subject}"
    raise ConfigError(
        f'{member.name}: its path does not tell whose recording it is, and data.validation.by is "subject"; name folders '
        "sub-01, … as in BIDS, or use [[data.recordings]] with subject_pattern"
    )


def left_out_lines(whole: Dataset, used: Dataset) -> list[str]:
    """What of a dataset is not used though the config does not leave it out by name: a line each, with the reason."""
    lines = [f"left out: {line}" for line in used.missing[len(whole.missing) :]]
    if whole.missing:
        lines.insert(0, f"{whole.name}: not in its folder: {', '.join(whole.missing)}")
    return lines


def subjects_line(sources: Sequence[Source]) -> str:
    """How many recordings of whom there are, in one line."""
    counts = Counter(source.subject for source in sources)
    same = {name: other for other, name in SAME_PERSON.items()}
    shown = [f"{name} × {n}" + (f" ({same[name]} is the same person)" if name in same else "")
             for name, n in list(counts.items())[:24]]  # fmt: skip
    more = f" and {len(counts) - 24} more" if len(counts) > 24 else ""
    return f"recordings of {len(counts)} subjects, never split: {', '.join(shown)}{more}"


def require_whole_subjects(test: Iterable[Source], rest: Iterable[Source], where: str) -> None:
    """Raise ConfigError where the subject is the unit, and a split by patterns separates recordings of one.

    Parameters
    ----------
    test, rest
        Both sides of the split.
    where
        What names them in the config.
    """
    others = {source.group: source for source in rest if source.group.startswith(_SUBJECT)}
    for source in test:
        other = others.get(source.group)
        if other is not None:
            raise ConfigError(
                f"{where} separates {source.name} from {other.name}, which are of one subject, {source.subject}; put both "
                'on one side, or say data.validation.by = "recording"'
            )


def on_both_sides(placed: Iterable[tuple[str, object]]) -> str:
    """The subjects that are on more than one side of a split, and what keeps them together; empty where none is.

    placed: the subject of each recording, empty where it is not known, and the side that it is on.
    """
    sides: dict[str, set[object]] = defaultdict(set)
    for subject, side in placed:
        if subject:
            sides[subject].add(side)
    both = [subject for subject, found in sides.items() if len(found) > 1]
    if not both:
        return ""
    shown = ", ".join(both[:12]) + (f" and {len(both) - 12} more" if len(both) > 12 else "")
    return f'{shown}; data.validation.by = "subject" keeps them apart'
