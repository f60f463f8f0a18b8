"""Two pipelines on the same recordings: the difference of each figure, subject by subject."""

from __future__ import annotations

from collections.abc import Callable

from rtbci.evaluation.cue_answers import PairedTrials, paired
from rtbci.evaluation.evaluate import Evaluated
from rtbci.evaluation.intervals import Interval, interval
from rtbci.evaluation.rows import SubjectRow
from rtbci.results import Result

Figure = Callable[[SubjectRow], float | None]
FIGURES: dict[str, Figure] = {
    "sensitivity": lambda row: row.event.sensitivity,
    "precision": lambda row: row.event.precision,
    "f1": lambda row: row.event.f1,
    "false_alarms_per_24h": lambda row: row.event.false_alarms_per_24h,
    "sample_f1": lambda row: row.sample.f1,
    "auroc": lambda row: row.auroc,
    "median_delay_s": lambda row: row.median_delay_s,
    "time_in_warning": lambda row: row.share_above,
}


class Comparison(Result):
    """The first pipeline minus the other one: an interval without 0 says that they differ on subjects like these.

    Subjects that have the figure with both pipelines take part, each once, so that what is hard for both cancels out. Of
    eight intervals, one may leave out 0 by chance.
    """

    sensitivity: Interval
    """By event."""
    precision: Interval
    """By event."""
    f1: Interval
    """By event."""
    false_alarms_per_24h: Interval
    """By event."""
    sample_f1: Interval
    """By sample."""
    auroc: Interval
    """Of a subject's samples."""
    median_delay_s: Interval
    """Of a subject's detected events."""
    time_in_warning: Interval
    """Share of a subject's time."""
    trials: PairedTrials | None
    """Of answers at cues; null where the two have none in common."""


def compare(first: Evaluated, other: Evaluated, seed: int = 0) -> Comparison:
    """Of two evaluations of the same recordings."""
    others = {row.subject: row for row in other.figures.subject_rows}
    pairs = [(row, others[row.subject]) for row in first.figures.subject_rows if row.subject in others]

    def difference(figure: Figure) -> Interval:
        values = [(figure(row), figure(against)) for row, against in pairs]
        return interval([a - b for a, b in values if a is not None and b is not None], seed)

    differences = {name: difference(figure) for name, figure in FIGURES.items()}
    return Comparison(**differences, trials=paired(first.trials, other.trials))
