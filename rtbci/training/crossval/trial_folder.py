"""The folder of a cross-validation of trials: its tables and totals, and two of them compared trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rtbci.errors import ConfigError
from rtbci.evaluation.cue_answers import PairedTrials, Trial, TrialRow, TrialScores, paired, scores_of_trials
from rtbci.evaluation.intervals import interval
from rtbci.evaluation.tables import cells, columns_of, table
from rtbci.evaluation.trial_scores import least_above_chance
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.answered_trials import AnsweredTrial, trials_of
from rtbci.training.crossval.claimed import read_json
from rtbci.training.crossval.folder import (
    RESULTS,
    SUBJECTS,
    SUMMARY,
    FoldsFolder,
    finished_folds,
    read_manifest,
    seeds_of,
)
from rtbci.training.crossval.parts import window_of
from rtbci.training.crossval.results import ChosenEpoch
from rtbci.training.crossval.trial_results import (
    TrialChance,
    TrialCrossvalReport,
    TrialFoldResult,
    TrialFoldRow,
    WorstAccuracy,
)


class TrialFolder(FoldsFolder[TrialFoldResult, TrialCrossvalReport]):
    """Where the cross-validation of a network of trials writes."""

    RESULT = TrialFoldResult

    def report(self, folds: Sequence[TrialFoldResult], config: TrainConfig, planned: int) -> TrialCrossvalReport:
        """The totals of finished folds, of so many."""
        # Of a dataset of single trials, a row is of the published recording and not of each trial.
        tested = [replace(one.trial, recording=one.published) for one in self.trials(folds) if one.tested]
        unanswered = sum(fold.unanswered for fold in folds)
        scores = scores_of_trials(tested, config.pipeline.classes, unanswered) if tested else None
        subjects = subject_rows(scores)
        seed = config.crossval.seed
        return TrialCrossvalReport(
            pipeline=config.pipeline.name,
            folder=str(self.path),
            complete=len(folds) == planned,
            folds_finished=len(folds),
            folds_planned=planned,
            subjects=len(subjects),
            chosen_on={
                fold.fold: tuple(sorted(name for part in fold.inner for name in part)) if fold.curve else ()
                for fold in folds
            },
            seeds=seeds_of(config),
            digest=self.digest,
            files=self.written(folds),
            by=config.crossval.by,
            within=config.crossval.problem,
            trials=scores,
            accuracy=interval([row.accuracy for row in subjects], seed),
            kappa=interval([row.kappa for row in subjects if row.kappa is not None], seed),
            worst=_worst(subjects),
            chance=None if scores is None else _chance(scores),
            folds=tuple(
                ChosenEpoch(fold=fold.fold, subjects=(*fold.tested, *fold.others), epoch=fold.epoch) for fold in folds
            ),
            rows=tuple(row for fold in folds for row in fold.recordings),
            against=None,
        )

    def trials(self, folds: Sequence[TrialFoldResult]) -> list[AnsweredTrial]:
        """The answers to all that some folds left out."""
        answered: list[AnsweredTrial] = []
        for fold in folds:
            with np.load(self.scores_file(fold.fold)) as kept:
                answered += trials_of(dict(kept))
        return answered

    def tables(self, folds: Sequence[TrialFoldResult], report: TrialCrossvalReport) -> dict[str, str]:
        """A row a fold and recording, and a row a tested subject."""
        first = ("fold", "subject", "tested", "recording", "trials", "correct")
        return {
            RESULTS: table(columns_of(TrialFoldRow, first), [cells(row) for row in report.rows]),
            SUBJECTS: table(
                columns_of(TrialRow, ("subject",), ("recording",)),
                [cells(row) for row in subject_rows(report.trials)],
            ),
        }


def subject_rows(scores: TrialScores | None) -> list[TrialRow]:
    """The rows of subjects alone."""
    return [] if scores is None else [row for row in scores.rows if row.recording is None]


def _worst(subjects: Sequence[TrialRow]) -> WorstAccuracy | None:
    rows = [WorstAccuracy(subject=row.subject, accuracy=row.accuracy, trials=row.trials) for row in subjects]
    return min(rows, key=lambda one: (one.accuracy, one.subject), default=None)


def _chance(scores: TrialScores) -> TrialChance:
    commonest = max(sum(row) for row in scores.confusion) / scores.trials
    above = least_above_chance(commonest, scores.trials) / scores.trials
    return TrialChance(accuracy=scores.commonest, above_from=round(above, 4))


@dataclass(frozen=True)
class KeptTrials:
    """The answers of a complete cross-validation to what it tested, and the classes that they tell apart."""

    path: Path
    classes: tuple[str, ...]
    trials: tuple[Trial, ...]

    @classmethod
    def read(cls, path: Path) -> KeptTrials:
        """Raises ConfigError where it is none of trials, or folds are missing."""
        manifest = read_manifest(path)
        config = manifest.train_config(str(path))
        if window_of(config) is None:
            raise ConfigError(f"{path}: is of a tagger; wanted a cross-validation of a network of trials")
        folder = TrialFolder(path, manifest.digest)
        folds = finished_folds(folder)
        if not read_json(path / SUMMARY).get("complete"):
            raise ConfigError(f"{path}: folds are missing; the same `rtbci crossval` goes on from there")
        return cls(path, config.pipeline.classes, tuple(one.trial for one in folder.trials(folds) if one.tested))

    def paired_with(self, other: KeptTrials) -> PairedTrials:
        """On the trials that both have answered. Raises ConfigError where there are none, or the classes differ."""
        if self.classes != other.classes:
            raise ConfigError(
                f"{other.path} tells {', '.join(other.classes)} apart, and {self.path} {', '.join(self.classes)}"
            )
        both = paired(self.trials, other.trials)
        if both is None:
            raise ConfigError(
                f"{other.path} and {self.path} have no trial in common, by the name of its recording and its onset"
            )
        return both
