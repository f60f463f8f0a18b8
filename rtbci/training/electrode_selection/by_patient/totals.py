"""From the sets of all folds to the table: a row a method and a number of derivations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from rtbci.evaluation.intervals import Interval, interval
from rtbci.evaluation.rows import median_delay
from rtbci.training.crossval.results import SubjectRow, WorstSubject
from rtbci.training.crossval.totals import groups_of, totals_of
from rtbci.training.electrode_selection.by_patient.config import ALL
from rtbci.training.electrode_selection.by_patient.results import Choice, MethodRow, SetResult


def method_rows(sets: Sequence[SetResult], seed: int) -> tuple[MethodRow, ...]:
    """A row for each method and number of derivations, in the order of the sets. seed: of the bootstrap."""
    keys = dict.fromkeys(one.key for one in sets)
    of_all = _aurocs([one for one in sets if one.method == ALL])
    return tuple(_row([one for one in sets if one.key == key], of_all, seed) for key in keys)


def _row(sets: Sequence[SetResult], of_all: dict[str, float], seed: int) -> MethodRow:
    tested = _tested(sets)
    rows = [row for one in sets for row in one.recordings]
    own = [row for row in rows if row.tested]
    aurocs = _aurocs(sets)
    dropped = [lost for one in sets for row in one.subjects if row.tested and (lost := one.dropped_of(row.subject))]

    def over_subjects(values: Sequence[float]) -> Interval:
        return interval(values, seed)

    return MethodRow(
        method=sets[0].method,
        k=sets[0].k,
        folds=len(sets),
        auroc=over_subjects(list(aurocs.values())),
        auroc_above_all=over_subjects([value - of_all[name] for name, value in aurocs.items() if name in of_all]),
        worst=WorstSubject.of(tested),
        seizures=sum(row.seizures for row in own),
        found=sum(row.found for row in own),
        sensitivity=over_subjects([row.found / row.seizures for row in tested if row.seizures]),
        median_delay_s=median_delay(own),
        alarms=sum(row.alarms for row in own),
        groups={group: totals_of([row for row in rows if row.group == group]) for group in groups_of(rows)},
        one_dropped=over_subjects([float(np.mean(lost)) for lost in dropped]),
        one_dropped_worst=over_subjects([min(lost) for lost in dropped]),
        chosen=dict(Counter(name for one in sets for name in one.derivations).most_common()),
        overlap=overlap([one.derivations for one in sets]),
    )


def choices(sets: Sequence[SetResult]) -> tuple[Choice, ...]:
    """What each fold chose."""
    return tuple(
        Choice(
            fold=one.fold,
            method=one.method,
            k=one.k,
            derivations=one.derivations,
            entropy=round(one.search[-1].entropy, 4) if one.search else None,
            threshold=one.threshold,
            min_duration_s=one.min_duration_s,
        )
        for one in sets
    )


def overlap(sets: Sequence[Sequence[str]]) -> float | None:
    """Mean of the Jaccard index over all pairs; None where there is no pair."""
    shares = [len({*a} & {*b}) / len({*a} | {*b}) for a, b in combinations(sets, 2)]
    return round(float(np.mean(shares)), 4) if shares else None


def _tested(sets: Sequence[SetResult]) -> list[SubjectRow]:
    return [row for one in sets for row in one.subjects if row.tested]


def _aurocs(sets: Sequence[SetResult]) -> dict[str, float]:
    return {row.subject: row.auroc for row in _tested(sets) if row.auroc is not None}
