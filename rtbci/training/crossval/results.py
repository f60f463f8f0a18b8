"""What comes of a cross-validation, as it is written: a row a recording, a row a subject, the folds, and the totals."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rtbci.evaluation import rows
from rtbci.evaluation.curve import CurvePoint, curve_point
from rtbci.evaluation.intervals import Interval
from rtbci.evaluation.scoring import Counts, SzcoreScores
from rtbci.results import Result, Text, Texts
from rtbci.stages.decision import DecisionConfig
from rtbci.training.crossval.config import OperatingPointConfig


class OperatingPoint(Result):
    """A threshold and a minimum duration, and what they come to on what the inner folds leave out; those of a final fit, on
    what the folds leave out."""

    threshold: float
    """Probability at which an event begins."""
    release: float | None
    """Probability at which it ends; null: the threshold."""
    min_duration_s: float
    """Shortest event."""
    seizures: int
    """Annotated events in these recordings."""
    found: int
    """Of these."""
    median_delay_s: float | None
    """From the annotated onset to the decision; null where none was found in time."""
    alarms_where_none_is_wanted: int
    """In recordings of the groups of `crossval.operating_point.no_alarm_in`."""
    alarms_elsewhere: int
    """In the others."""
    known_s: float = 0.0
    """Seconds of these recordings in which it is known what holds."""
    keeps_bound: bool | None = None
    """Whether it keeps the bound of `crossval.operating_point.at`; null without one."""

    def curve_point(self) -> CurvePoint:
        """What it comes to, alarms of all groups together, as `rtbci evaluate` has it of a threshold."""
        alarms = self.alarms_where_none_is_wanted + self.alarms_elsewhere
        counts = Counts(true=self.seizures, hit=self.found, false=alarms, seconds=self.known_s)
        return curve_point(self.threshold, counts, self.median_delay_s)

    def decision(self, base: DecisionConfig) -> DecisionConfig:
        """A pipeline's decision with this point."""
        update = {"threshold": self.threshold, "release": self.release, "min_duration_s": self.min_duration_s}
        return base.model_copy(update=update)

    def rank(self, wanted: OperatingPointConfig) -> tuple[float, ...]:
        """The rule of `OperatingPointConfig`: the lowest is chosen."""
        if (rule := wanted.rule()) is not None:
            return (*rule.order(self.curve_point()), -self.min_duration_s)
        delay = math.inf if self.median_delay_s is None else self.median_delay_s
        strictest = (-self.threshold, -self.min_duration_s)
        if wanted.miss_weighs is not None:
            grave = self.seizures - self.found + self.alarms_where_none_is_wanted
            return (wanted.miss_weighs * grave + self.alarms_elsewhere, delay, *strictest)
        if wanted.enough is None:
            return (self.alarms_where_none_is_wanted, -self.found, delay, self.alarms_elsewhere, *strictest)
        short = max(0, math.ceil(wanted.enough * self.seizures - 1e-9) - self.found)
        return (short, self.alarms_where_none_is_wanted, self.alarms_elsewhere, delay, *strictest)


class RecordingRow(rows.RecordingRow):
    """A recording that a fold left out, answered by the fold's pipeline, and scored as by `rtbci evaluate`."""

    fold: Text
    """Name of the fold."""
    tested: bool
    """Whether the subject matches `crossval.test`."""
    group: Text
    """`group` in the config."""


class SubjectRow(rows.SubjectFigures):
    """A subject, answered by the pipeline of the fold that left it out."""

    fold: Text
    """Name of the fold."""
    tested: bool
    """Whether it matches `crossval.test`."""
    alarms: dict[Text, int]
    """In its own recordings, by group."""


class EpochRow(Result):
    """An epoch of the inner fits."""

    epoch: int
    """Its number, from 1."""
    train_loss: float
    """Mean over the inner folds."""
    held_out_loss: float
    """Mean over the inner folds; the epoch with the lowest is chosen."""
    held_out_losses: tuple[float | None, ...]
    """Of each inner fold; null where it leaves out nothing with a known label."""


class FoldChoice(Result):
    """A fold: what it left out, and what it chose on inner folds."""

    fold: Text
    """Its name."""
    tested: Texts
    """Subjects that match `crossval.test`; recordings, or parts of them, where these are the unit."""
    others: Texts
    """The others that it left out."""
    inner: tuple[Texts, ...]
    """What each inner fold left out as well."""
    epoch: int
    """Chosen; of the baseline, the number of its trees."""
    curve: tuple[EpochRow, ...]
    made_by: dict[str, Text]
    """Version of the program, and what computed."""


class FoldResult(FoldChoice):
    """A fold of a tagger, and how its pipeline did."""

    operating_point: OperatingPoint
    operating_points: tuple[OperatingPoint, ...]
    """All that it was chosen from, best first."""
    recordings: tuple[RecordingRow, ...]
    subjects: tuple[SubjectRow, ...]


class WorstSubject(Result):
    """The subject with the lowest AUROC."""

    subject: Text
    """Name."""
    auroc: float
    """Its AUROC."""
    seizures: int
    """Annotated events."""
    found: int
    """Of these."""

    @classmethod
    def of(cls, rows: Iterable[SubjectRow]) -> WorstSubject | None:
        """None where no subject has an AUROC."""
        having = [
            cls(subject=row.subject, auroc=row.auroc, seizures=row.seizures, found=row.found)
            for row in rows
            if row.auroc is not None
        ]
        return min(having, key=lambda one: (one.auroc, one.subject), default=None)


class GroupTotals(Result):
    """A group of recordings, of all subjects."""

    recordings: int
    """Number of them."""
    seizures: int
    """Annotated events."""
    found: int
    """Of these."""
    alarms: int
    """Events that are none of the annotated ones."""
    recordings_with_alarms: int
    """Number of them."""
    seconds: float
    """With a valid score."""
    seconds_above: float
    """Of these, with the smoothed probability at the threshold or above."""


class ChosenEpoch(Result):
    """What a fold chose."""

    fold: Text
    """Its name."""
    subjects: Texts
    """Whom it left out; recordings, or parts of them, where these are the unit."""
    epoch: int
    """Chosen on the inner folds; of the baseline, the number of its trees."""


class ChosenFold(ChosenEpoch):
    """What a fold of a tagger chose."""

    operating_point: OperatingPoint


class FoldsReport(Result):
    """What every cross-validation says of itself."""

    pipeline: Text
    """Name of the pipeline's config."""
    folder: Text
    """Where everything was written."""
    complete: bool
    """Whether all folds are finished."""
    folds_finished: int
    """Number of them."""
    folds_planned: int
    """Number of them."""
    subjects: int
    """Tested, in finished folds."""
    chosen_on: dict[Text, Texts]
    """By fold: the subjects (or recordings, or parts of them) on whose inner folds all was chosen that the fold chose."""
    seeds: dict[str, int]
    """`crossval` deals the subjects and draws the bootstrap, `training` is that of each fit."""
    digest: str
    """Of the config and of the recordings with their labels."""
    files: Texts
    """Written, below the folder."""


class CrossvalReport(FoldsReport, SzcoreScores):
    """Nested cross-validation: every figure is of recordings of subjects that took part in no fit and in no choice.

    `event` to `scorer` are those of `rtbci evaluate`, pooled over the recordings of tested subjects.
    """

    seizures: int
    """Annotated events of tested subjects."""
    found: int
    """Of these."""
    sensitivity: Interval
    """Share of a subject's seizures that was found."""
    auroc: Interval
    """Of a subject's samples."""
    worst: WorstSubject | None
    """null where no subject has an AUROC."""
    alarms: int
    """In recordings of tested subjects."""
    groups: dict[Text, GroupTotals]
    """Of tested and other subjects."""
    folds: tuple[ChosenFold, ...]
    rows: tuple[RecordingRow, ...]
