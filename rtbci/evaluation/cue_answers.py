"""Answers at cues against what the cues meant: accuracy, kappa and confusion, by subject and recording, and a paired test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.evaluation.trial_scores import Answers, kappa, mcnemar_p, report
from rtbci.recordings.labelling import BACKGROUND
from rtbci.results import Result, Text, Texts
from rtbci.stages.cues import CueAnswer
from rtbci.stages.decision import QUIET_LABELS
from rtbci.types import Samples


@dataclass(frozen=True)
class Trial:
    """An answered cue: where it was, what it meant (index of the class, -1 for background), and the probabilities."""

    subject: str
    recording: str
    time: float
    truth: int
    probabilities: tuple[float, ...]


class TrialFigures(Result):
    """Of answered cues whose meaning is known."""

    trials: int
    """Number of them."""
    accuracy: float
    """Share of them whose most probable class is the right one."""
    accuracy_low: float
    """Lower end of Wilson's 95 % interval, for independent trials."""
    accuracy_high: float
    """Its upper end."""
    balanced_accuracy: float
    """Mean over classes of the share of their trials that was answered rightly."""
    kappa: float | None
    """Cohen's kappa; null where there is one class only."""
    commonest: float
    """Share of the commonest class: what always saying it would reach."""
    confusion: tuple[tuple[int, ...], ...]
    """Trials, by true class (rows) and answered class (columns)."""


class TrialRow(TrialFigures):
    """The same of a subject, or of one of its recordings."""

    subject: Text
    """Who was recorded."""
    recording: Text | None
    """The recording; null: all of the subject's."""


class TrialScores(TrialFigures):
    """Answers at cues, of a pipeline that has cues."""

    classes: Texts
    """Of rows and columns."""
    unanswered: int
    """Cues without an answer: samples of their windows are missing."""
    unknown: int
    """Cues whose text names no class."""
    rows: tuple[TrialRow, ...]
    """A row a subject, then a row a recording."""


class PairedTrials(Result):
    """McNemar's exact test of two pipelines on the same cues (Q. McNemar, Psychometrika 12, 1947)."""

    only_first: int
    """Trials that only the first answered rightly."""
    only_other: int
    """Trials that only the other answered rightly."""
    p: float
    """Two-sided; for independent trials."""


class TrialSum:
    """Takes the answers to recordings, one after another.

    Parameters
    ----------
    classes
        Of the pipeline.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._quiet = next((i for i, name in enumerate(classes) if name.lower() in QUIET_LABELS), -1)
        self.trials: list[Trial] = []
        self._unanswered = self._unknown = 0

    def add(self, subject: str, recording: str, answers: Sequence[CueAnswer], meanings: Mapping[str, str]) -> None:
        """Add the answers to a recording; meanings: class, or background, by the text of an annotation."""
        for answer in answers:
            meaning = meanings.get(answer.cue.text, answer.cue.text)
            if meaning not in self._classes and meaning != BACKGROUND:
                self._unknown += 1
            elif not answer.probabilities:
                self._unanswered += 1
            else:
                truth = self._classes.index(meaning) if meaning in self._classes else self._quiet
                self.trials.append(Trial(subject, recording, answer.cue.time, truth, answer.probabilities))

    def scores(self) -> TrialScores | None:
        """Of what was added; None without an answer whose meaning is known."""
        return scores_of_trials(self.trials, self._classes, self._unanswered, self._unknown) if self.trials else None


def scores_of_trials(
    trials: Sequence[Trial], classes: tuple[str, ...], unanswered: int, unknown: int = 0
) -> TrialScores:
    """Of all trials together, of each subject and of each recording; there is at least one trial."""
    groups: dict[tuple[str, str | None], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.subject, None].append(trial)
    for trial in trials:
        groups[trial.subject, trial.recording].append(trial)
    return TrialScores(
        **dict(figures_of(trials, classes)),
        classes=classes if len(classes) > 1 else (BACKGROUND, *classes),
        unanswered=unanswered,
        unknown=unknown,
        rows=tuple(
            TrialRow(**dict(figures_of(own, classes)), subject=subject, recording=recording)
            for (subject, recording), own in groups.items()
        ),
    )


def paired(first: Sequence[Trial], other: Sequence[Trial]) -> PairedTrials | None:
    """Of the cues that both have answered; None where there are none."""
    others = {(trial.recording, trial.time): _right(trial) for trial in other}
    pairs = [(_right(trial), others[key]) for trial in first if (key := (trial.recording, trial.time)) in others]
    if not pairs:
        return None
    only_first, only_other = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    return PairedTrials(only_first=only_first, only_other=only_other, p=mcnemar_p(only_first, only_other))


def _right(trial: Trial) -> bool:
    return bool(answers_of([trial]).predicted[0] == trial.truth)


def answers_of(trials: Sequence[Trial]) -> Answers:
    """The same without whose and when, grouped by recording."""
    probabilities: Samples = np.array([trial.probabilities for trial in trials], np.float32)
    return Answers(
        probabilities, np.array([trial.truth for trial in trials], np.int64), tuple(t.recording for t in trials)
    )


def figures_of(trials: Sequence[Trial], classes: tuple[str, ...]) -> TrialFigures:
    """Of answered trials of a pipeline with these classes."""
    answers = answers_of(trials)
    found = report(answers, classes)
    low, high = found["accuracy_wilson_95"]
    kinds = np.unique(answers.truth, return_counts=True)[1]
    agreement = kappa(answers.truth, answers.predicted)
    return TrialFigures(
        trials=len(trials),
        accuracy=found["accuracy"],
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=found["balanced_accuracy"],
        kappa=None if agreement is None else round(agreement, 4),
        commonest=round(float(kinds.max() / len(trials)), 4),
        confusion=tuple(tuple(row) for row in found["confusion"]),
    )
