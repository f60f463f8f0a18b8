"""All figures of a pipeline on annotated recordings: pooled, by subject with intervals, by recording and by event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.evaluation.annotations import Annotations
from rtbci.evaluation.burden import BurdenRow, burden_rows
from rtbci.evaluation.chance import Chance, chance
from rtbci.evaluation.cue_answers import TrialScores, TrialSum
from rtbci.evaluation.curve import Curve, CurveSum
from rtbci.evaluation.intervals import Interval, Spread, interval, spread
from rtbci.evaluation.label_map import LabelMap
from rtbci.evaluation.lengths import LengthRow, length_rows
from rtbci.evaluation.probabilities import Calibration, calibration
from rtbci.evaluation.responses import Scored
from rtbci.evaluation.rows import RecordingRow, Row, SeizureRow, SubjectRow, recording_row, seizure_rows, subject_row
from rtbci.evaluation.scoring import EventScores, Figures, SzcoreScores, score
from rtbci.evaluation.tagging import Tagged
from rtbci.evaluation.truth import hop_truth, scored_by_class
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.labelling import Labelled
from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import is_seizure
from rtbci.results import Result, Text

ALL = "all classes"
RATIOS = ("sensitivity", "precision", "f1", "false_alarms_per_24h")


class ClassScores(EventScores):
    """Of one class."""

    label: Text
    """The class."""
    annotations: dict[Text, int]
    """How many annotations it was scored against, by their text."""


class LeftOut(Result):
    """A recording that was not scored."""

    recording: Text
    """Its path."""
    reason: Text
    """Why."""


class SubjectMeans(Result):
    """SzCORE's figures over subjects, as its own evaluator has them: each subject counts once, one without the figure not."""

    sensitivity: Spread
    """Hits to marked."""
    precision: Spread
    """Hits to detected."""
    f1: Spread
    """Harmonic mean of both."""
    false_alarms_per_24h: Spread
    """Detected, and not marked."""


class BySubject(Result):
    """Means over subjects."""

    event: SubjectMeans
    """By event."""
    sample: SubjectMeans
    """By sample."""
    auroc: Interval
    """Of a subject's samples."""
    median_delay_s: Interval
    """Of a subject's detected events."""
    time_in_warning: Interval
    """Share of a subject's valid time with the smoothed probability at the threshold or above."""


class Evaluation(SzcoreScores):
    """Scores of a pipeline on annotated recordings: those of its seizure class, or of all classes where none is.

    Curve, calibration, chance, burden and lengths are of the same class or classes.
    """

    label: Text
    """Class of the figures above; of several, or of `all classes`, counts are pooled, and rates are per class."""
    classes: tuple[ClassScores, ...]
    """Of every class that becomes events and is annotated."""
    annotations: Annotations
    recordings: int
    """Number of recordings that were scored."""
    hours: float
    """Total length of these recordings."""
    subjects: int
    """Number of subjects that they are of."""
    by_subject: BySubject
    curve: Curve
    calibration: Calibration
    chance: Chance
    burden: tuple[BurdenRow, ...]
    by_length: tuple[LengthRow, ...]
    """Sensitivity by length of the annotated event."""
    trials: TrialScores | None
    """Answers at cues; null for a pipeline without cues, or where no cue names a class."""
    threshold: float
    """Of the pipeline's decision."""
    rows: tuple[RecordingRow, ...]
    """A row a recording."""
    subject_rows: tuple[SubjectRow, ...]
    """A row a subject."""
    seizure_rows: tuple[SeizureRow, ...]
    """A row an annotated event."""
    left_out: tuple[LeftOut, ...]
    """Recordings that were not scored."""
    failed: tuple[LeftOut, ...]
    """Recordings that could not be read or tagged."""
    pipeline: Text
    """Its name."""


@dataclass(frozen=True)
class _Kept:
    """What is kept of a recording once its scores are gone."""

    row: Row
    by_class: dict[str, Scored]
    annotations: dict[str, dict[str, int]]
    labels: Labelled
    duration_s: float


class EvaluationSum:
    """Takes answers to recordings one after another, and sums them up; of the scores only what is known is kept.

    Parameters
    ----------
    pipeline
        Whose answers they are.
    label_map
        What annotations mean.
    """

    def __init__(self, pipeline: Pipeline, label_map: LabelMap) -> None:
        self._pipeline, self._map = pipeline, label_map
        self._kept: list[_Kept] = []
        seizure = [label for label in label_map.classes if is_seizure(label)]
        self._main = tuple(seizure or label_map.classes)
        self.at_cues = TrialSum(pipeline.classes)
        self._curve = CurveSum(pipeline.config, pipeline.hop_s, self._main)

    @property
    def label(self) -> str:
        """The class of the main figures."""
        return ALL if len(self._main) == len(self._map.classes) > 1 else ", ".join(self._main)

    def add(self, recording: Recording, subject: str, labels: Labelled, result: Tagged) -> dict[str, Scored]:
        """Add a recording. Returns what was scored of the main class or classes."""
        by_class = scored_by_class(labels, result, self._map.classes, recording.duration_s)
        main = {label: by_class[label] for label in self._main}
        hops = hop_truth(result.scores.times, main)
        figures = recording_row(
            subject,
            str(recording.path),
            main,
            hops.background,
            result.scores,
            self._pipeline.config,
            self._pipeline.hop_s,
        )
        here = hops.known & result.scores.valid & np.isfinite(result.scores.data).all(axis=1)
        columns = [result.classes.index(label) for label in self._main]
        row = Row(figures, result.scores.data[here][:, columns], hops.truth[here])
        self._curve.add(result.scores, main, figures.event.counts.seconds)
        self.at_cues.add(subject, str(recording.path), result.answers, self._map.meanings)
        annotations = {label: self._map.counts(recording.annotations, label) for label in self._map.classes}
        self._kept.append(_Kept(row, by_class, annotations, labels, recording.duration_s))
        return main

    def evaluation(self, left_out: Sequence[LeftOut], failed: Sequence[LeftOut], seed: int = 0) -> Evaluation:
        """All figures of what was added.

        Parameters
        ----------
        left_out, failed
            Recordings that were not.
        seed
            Of the intervals and of chance.
        """
        main = [(one.row.figures.subject, one.by_class[label]) for one in self._kept for label in self._main]
        whole = score([scored for _, scored in main], n_classes=len(self._main))
        rows = [one.row for one in self._kept]
        subjects = _by_subject(rows)
        seizures = [
            row
            for one in self._kept
            for row in seizure_rows(
                one.row.figures.subject,
                one.row.figures.recording,
                {label: one.by_class[label] for label in self._main},
            )
        ]
        return Evaluation(
            **{key: getattr(whole, key) for key in SzcoreScores.model_fields},
            label=self.label,
            classes=tuple(self._of_class(label, whole) for label in self._map.classes),
            annotations=Annotations.of(one.labels for one in self._kept),
            recordings=len(rows),
            hours=sum(one.duration_s for one in self._kept) / 3600,
            subjects=len(subjects),
            by_subject=_means(subjects, seed),
            curve=self._curve.curve(),
            calibration=calibration(
                np.concatenate([row.scores for row in rows]), np.concatenate([row.truth for row in rows])
            ),
            chance=chance(main, seed),
            burden=burden_rows(scored for _, scored in main),
            by_length=length_rows((row.duration_s, row.found) for row in seizures),
            trials=self.at_cues.scores(),
            threshold=self._pipeline.config.decision.threshold,
            rows=tuple(row.figures for row in rows),
            subject_rows=tuple(subjects),
            seizure_rows=tuple(seizures),
            left_out=tuple(left_out),
            failed=tuple(failed),
            pipeline=self._pipeline.name,
        )

    def _of_class(self, label: str, whole: SzcoreScores) -> ClassScores:
        scores = whole if label == self.label else score([one.by_class[label] for one in self._kept])
        counts: dict[str, int] = defaultdict(int)
        for one in self._kept:
            for text, n in one.annotations[label].items():
                counts[text] += n
        figures = {key: getattr(scores, key) for key in EventScores.model_fields}
        return ClassScores(**figures, label=label, annotations=dict(counts))


def _by_subject(rows: Sequence[Row]) -> list[SubjectRow]:
    by_subject: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_subject[row.figures.subject].append(row)
    return [subject_row(own) for own in by_subject.values()]


def _means(subjects: Sequence[SubjectRow], seed: int) -> BySubject:
    def over(values: Iterable[float | None]) -> Interval:
        return interval([value for value in values if value is not None], seed)

    return BySubject(
        event=_spreads([row.event for row in subjects], seed),
        sample=_spreads([row.sample for row in subjects], seed),
        auroc=over(row.auroc for row in subjects),
        median_delay_s=over(row.median_delay_s for row in subjects),
        time_in_warning=over(row.share_above for row in subjects),
    )


def _spreads(figures: Sequence[Figures], seed: int) -> SubjectMeans:
    def over(key: str) -> Spread:
        return spread([value for one in figures if (value := getattr(one, key)) is not None], seed)

    return SubjectMeans(**{key: over(key) for key in RATIOS})
