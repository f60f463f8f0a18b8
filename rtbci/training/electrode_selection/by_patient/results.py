"""What comes of a selection by patient, as it is written: a set in a fold, and the table over all folds."""

from __future__ import annotations

from rtbci.evaluation.intervals import Interval
from rtbci.results import Result, Text, Texts
from rtbci.training.crossval.results import GroupTotals, RecordingRow, SubjectRow, WorstSubject


class SearchEpoch(Result):
    """An epoch of a search."""

    temperature: float
    """Of the Gumbel softmax, at its end."""
    train_loss: float
    """Without penalties."""
    entropy: float
    """Mean over selectors: 1 undecided, 0 decided."""


class Dropped(Result):
    """A tested subject's AUROC with one derivation of the set at zero, as where a bad channel is masked."""

    subject: Text
    """Name."""
    derivation: Text
    """That is zero."""
    auroc: float | None
    """Of the subject's samples; null where only one kind is there."""


class SetResult(Result):
    """A set of derivations in a fold: how it was chosen, and how a fit to it did on those that the fold leaves out."""

    fold: Text
    """Name of the fold."""
    method: Text
    """How the derivations were chosen."""
    k: int
    """How many."""
    derivations: Texts
    """In the order of the montage."""
    probabilities: tuple[tuple[float, ...], ...]
    """Of each selector, over all derivations of the montage; empty where there was no search."""
    search: tuple[SearchEpoch, ...]
    """Epochs; empty where there was no search."""
    threshold: float
    """Probability at which an event begins."""
    release: float | None
    """Probability at which it ends; null: the threshold."""
    min_duration_s: float
    """Shortest event."""
    recordings: tuple[RecordingRow, ...]
    subjects: tuple[SubjectRow, ...]
    dropped: tuple[Dropped, ...]
    made_by: dict[str, Text]
    """Version of the program, and what computed."""

    @property
    def key(self) -> tuple[str, int]:
        return self.method, self.k

    def dropped_of(self, subject: str) -> list[float]:
        """AUROC of a subject, of each derivation that is dropped."""
        return [one.auroc for one in self.dropped if one.subject == subject and one.auroc is not None]


class MethodRow(Result):
    """A method with K derivations, over the folds that are finished."""

    method: Text
    """How the derivations were chosen."""
    k: int
    """How many."""
    folds: int
    """Finished."""
    auroc: Interval
    """Of a tested subject's samples."""
    auroc_above_all: Interval
    """The same minus that of all derivations, subject by subject."""
    worst: WorstSubject | None
    """null where no subject has an AUROC."""
    seizures: int
    """Annotated events of tested subjects."""
    found: int
    """Of these."""
    sensitivity: Interval
    """Share of a subject's seizures that was found."""
    median_delay_s: float | None
    """From the annotated onset to the decision, of all that were found in time."""
    alarms: int
    """In recordings of tested subjects."""
    groups: dict[Text, GroupTotals]
    """Of recordings, of tested and other subjects."""
    one_dropped: Interval
    """AUROC of a subject with one derivation at zero, as the mean over the derivations."""
    one_dropped_worst: Interval
    """The same with the derivation whose loss costs the subject most."""
    chosen: dict[Text, int]
    """By derivation, in how many folds it was chosen."""
    overlap: float | None
    """Share of derivations that two folds have in common, of those that either has: mean over all pairs of folds."""


class Choice(Result):
    """What a fold chose."""

    fold: Text
    """Its name."""
    method: Text
    """How the derivations were chosen."""
    k: int
    """How many."""
    derivations: Texts
    """In the order of the montage."""
    entropy: float | None
    """At the end of the search, mean over selectors: 1 undecided, 0 decided; null where there was no search."""
    threshold: float
    """Probability at which an event begins."""
    min_duration_s: float
    """Shortest event."""


class ElectrodesReport(Result):
    """A tagger on few derivations: every figure is of subjects that took part in no fit, no search and no choice."""

    pipeline: Text
    """Name of the pipeline's config."""
    folder: Text
    """Where everything was written."""
    complete: bool
    """Whether every set of every fold is finished."""
    folds_finished: int
    """Folds whose sets are all finished."""
    folds_planned: int
    """Number of them."""
    operating_point: Text
    """`electrodes.operating_point`: where threshold and minimum duration come from."""
    rows: tuple[MethodRow, ...]
    choices: tuple[Choice, ...]
    seeds: dict[str, int]
    """`crossval` deals the subjects and draws the bootstrap, `training` is that of each search and fit."""
    digest: str
    """Of the config and of the recordings with their labels; sets and K apart."""
    files: Texts
    """Written, below the folder."""
