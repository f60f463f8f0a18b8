"""What comes of a cross-validation of trials, as it is written: a row a recording and fold, and the totals."""

from __future__ import annotations

from typing import Literal

from rtbci.evaluation.cue_answers import PairedTrials, TrialFigures, TrialScores
from rtbci.evaluation.intervals import Interval
from rtbci.results import Result, Text
from rtbci.training.crossval.results import ChosenEpoch, FoldChoice, FoldsReport


class TrialFoldRow(TrialFigures):
    """The trials of a recording that a fold left out, answered by the fold's pipeline."""

    fold: Text
    """Name of the fold."""
    subject: Text
    """Who was recorded; the recording, where that is not known."""
    recording: Text
    """Its path; of a dataset of independent trials its name."""
    tested: bool
    """Whether what was left out of it matches `crossval.test`."""
    correct: int
    """Trials that were answered rightly."""


class TrialFoldResult(FoldChoice):
    """A fold of a network of trials, and how its pipeline did; without a curve where `crossval.epoch` is "last"."""

    recordings: tuple[TrialFoldRow, ...]
    unanswered: int
    """Labelled trials that it left out and did not answer: samples of their windows are missing."""


class TrialChance(Result):
    """What guessing reaches: always saying the class that is commonest among the tested trials."""

    accuracy: float
    """Share of that class."""
    above_from: float
    """Accuracy from which on that is refused at p < 0.05, one-sided, for independent trials (E. Combrisson, K. Jerbi, 2015);
    above 1: by no accuracy."""


class WorstAccuracy(Result):
    """The subject with the lowest accuracy."""

    subject: Text
    """Name."""
    accuracy: float
    """Its accuracy."""
    trials: int
    """Number of its trials."""


class TrialCrossvalReport(FoldsReport):
    """Nested cross-validation of a network of trials: no trial took part in the fit, or in the choice of the epoch, that its
    answer comes from."""

    by: Literal["subject", "recording", "trial"]
    """The unit that no fold split."""
    within: Literal["subject", "recording"] | None
    """What was cross-validated by itself; null: all together."""
    trials: TrialScores | None
    """Of all tested trials, each answered by the fold that left it out; null where no fold is finished."""
    accuracy: Interval
    """Of a subject's trials."""
    kappa: Interval
    """Of a subject's trials."""
    worst: WorstAccuracy | None
    """null where no fold is finished."""
    chance: TrialChance | None
    """null where no fold is finished."""
    folds: tuple[ChosenEpoch, ...]
    rows: tuple[TrialFoldRow, ...]
    against: PairedTrials | None
    """With `--against`: this cross-validation first, the other one second, on the trials that both have; else null."""
