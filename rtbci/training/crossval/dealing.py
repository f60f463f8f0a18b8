"""Units dealt into parts by the seed, and names for the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rtbci.text import file_name


def fold_names(parts: Sequence[Sequence[str]]) -> list[str]:
    """A name for each fold that differs from the others' as a file name, too."""
    names: list[str] = []
    for number, part in enumerate(parts, 1):
        name = file_name(part[0], "subject") if len(part) == 1 else f"{number:02d}"
        taken = {other.casefold() for other in names}
        names.append(name if name.casefold() not in taken else f"{name}-{number}")
    return names


def dealt(subjects: Sequence[str], n: int, rng: np.random.Generator) -> list[list[str]]:
    """Subjects, or other units, in n parts of nearly the same size."""
    order = [subjects[i] for i in rng.permutation(len(subjects))]
    return [order[first::n] for first in range(n)]


def dealt_by_kind(kinds: Mapping[str, str], n: int, rng: np.random.Generator) -> list[list[str]]:
    """Subjects dealt in turn, those of one group of recordings after another, so that each part has its share of each."""
    order: list[str] = []
    for kind in sorted(set(kinds.values())):
        own = sorted(subject for subject, of in kinds.items() if of == kind)
        order += [own[i] for i in rng.permutation(len(own))]
    return [sorted(order[first::n]) for first in range(n)]
