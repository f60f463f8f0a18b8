"""From the answers of a fold to rows, and from the rows of all folds to totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from rtbci.evaluation import rows
from rtbci.evaluation.intervals import interval
from rtbci.evaluation.probabilities import mean_auroc
from rtbci.evaluation.responses import percentiles
from rtbci.evaluation.scoring import pooled, scorer
from rtbci.evaluation.tagging import Tagged
from rtbci.pipeline.config import PipelineConfig
from rtbci.training.crossval.config import CrossvalConfig, OperatingPointConfig
from rtbci.training.crossval.notes import (
    MOST_GROUPS,
    MOST_NAMES,
    MOST_PATIENTS,
    CrossvalNotes,
    PatientRow,
    PatientTotal,
    Rule,
    short,
)
from rtbci.training.crossval.operating_point import OperatingPoint
from rtbci.training.crossval.plan import Fold
from rtbci.training.crossval.results import (
    ChosenFold,
    CrossvalReport,
    FoldResult,
    GroupTotals,
    RecordingRow,
    SubjectRow,
    WorstSubject,
)
from rtbci.training.held_out import RecordingScores
from rtbci.training.source import Source


def recording_row(
    fold: Fold, config: PipelineConfig, hop_s: float, source: Source, result: Tagged, scored: RecordingScores
) -> RecordingRow:
    """The row of a recording that was left out."""
    row = rows.recording_row(
        source.subject, source.name, scored.by_class, scored.background, result.scores, config, hop_s
    )
    return RecordingRow(
        **{key: getattr(row, key) for key in rows.RecordingRow.model_fields},
        fold=fold.name,
        tested=source.subject in fold.tested,
        group=source.category,
    )


def subject_row(
    subject: str,
    fold: Fold,
    answers: Sequence[tuple[Source, Tagged, RecordingScores]],
    recordings: Sequence[RecordingRow],
) -> SubjectRow:
    """The row of a subject, from the answers to its recordings and their rows."""
    own = [row for row in recordings if row.subject == subject]
    auroc = mean_auroc(
        np.concatenate([one.scores for *_, one in answers]), np.concatenate([one.truth for *_, one in answers])
    )
    alarms: dict[str, int] = {}
    for row in own:
        alarms[row.group] = alarms.get(row.group, 0) + row.alarms
    figures = rows.subject_figures(subject, own, auroc)
    return SubjectRow(
        **{key: getattr(figures, key) for key in rows.SubjectFigures.model_fields},
        fold=fold.name,
        tested=subject in fold.tested,
        alarms=alarms,
    )


def summarise(
    folds: Sequence[FoldResult],
    *,
    pipeline: str,
    folder: str,
    planned: int,
    seeds: dict[str, int],
    digest: str,
    files: Sequence[str],
) -> CrossvalReport:
    """The totals of finished folds.

    Parameters
    ----------
    folds
        In order.
    pipeline, folder
        Names.
    planned
        Number of all folds.
    seeds
        Of the config; "crossval" draws the bootstrap.
    digest
        Of config and data.
    files
        That were written.
    """
    recordings = [row for fold in folds for row in fold.recordings]
    subjects = [row for fold in folds for row in fold.subjects if row.tested]
    tested = [row for row in recordings if row.tested]
    return CrossvalReport(
        pipeline=pipeline,
        folder=folder,
        complete=len(folds) == planned,
        folds_finished=len(folds),
        folds_planned=planned,
        subjects=len(subjects),
        seizures=sum(row.seizures for row in tested),
        found=sum(row.found for row in tested),
        sensitivity=interval([row.found / row.seizures for row in subjects if row.seizures], seeds["crossval"]),
        auroc=interval([row.auroc for row in subjects if row.auroc is not None], seeds["crossval"]),
        worst=WorstSubject.of(subjects),
        alarms=sum(row.alarms for row in tested),
        groups={group: totals_of([row for row in recordings if row.group == group]) for group in groups_of(recordings)},
        folds=tuple(
            ChosenFold(
                fold=fold.fold,
                subjects=(*fold.tested, *fold.others),
                epoch=fold.epoch,
                operating_point=fold.operating_point,
            )
            for fold in folds
        ),
        chosen_on={fold.fold: tuple(sorted(name for part in fold.inner for name in part)) for fold in folds},
        rows=tuple(recordings),
        seeds=seeds,
        digest=digest,
        files=tuple(files),
        event=pooled(row.event for row in tested),
        sample=pooled(row.sample for row in tested),
        detection_delay_s=percentiles(delay for row in tested for delay in row.delays_s if delay is not None),
        already_alarmed=sum(row.already_alarmed for row in tested),
        scorer=scorer(),
    )


def notes_of_folds(
    folds: Sequence[FoldResult],
    settings: CrossvalConfig,
    *,
    seeds: dict[str, int],
    digest: str,
    epoch: int,
    point: OperatingPoint,
    not_in_final_fit: Iterable[str],
    not_in_folds: Iterable[str],
) -> CrossvalNotes:
    """What a pipeline file keeps of a complete cross-validation.

    Parameters
    ----------
    folds
        All, in order.
    settings
        Its section `[crossval]`.
    seeds, digest
        Of the cross-validation.
    epoch, point
        Of the final fit.
    not_in_final_fit, not_in_folds
        Subjects.
    """
    report = summarise(folds, pipeline="", folder="", planned=len(folds), seeds=seeds, digest=digest, files=())
    tested = [row for fold in folds for row in fold.subjects if row.tested]
    own = [row for row in report.rows if row.tested]
    kept = list(report.groups)[:MOST_GROUPS]
    patients = [
        PatientRow(
            subject=short(row.subject),
            seizures=row.seizures,
            found=row.found,
            median_delay_s=row.median_delay_s,
            auroc=row.auroc,
            share_above=row.share_above,
            alarms={short(group): row.alarms[group] for group in kept if group in row.alarms},
        )
        for row in tested[:MOST_PATIENTS]
    ]
    total = PatientTotal(
        patients=report.subjects,
        seizures=report.seizures,
        found=report.found,
        median_delay_s=None if report.detection_delay_s.p50 is None else round(report.detection_delay_s.p50, 3),
        sensitivity=report.sensitivity,
        auroc=report.auroc,
        share_above=_share(sum(row.seconds_above for row in own), sum(row.seconds for row in own)),
        alarms={
            short(group): sum(row.alarms for row in own if row.group == group)
            for group in kept
            if any(row.group == group for row in own)
        },
    )
    return CrossvalNotes(
        rows=tuple(patients),
        rows_left_out=len(tested) - len(patients),
        total=total,
        groups={short(group): report.groups[group] for group in kept},
        epoch=epoch,
        epochs_of_folds=tuple(fold.epoch for fold in folds[:MOST_NAMES]),
        operating_point=point,
        rule=_rule(settings.operating_point),
        not_in_final_fit=_names(not_in_final_fit),
        not_in_folds=_names(not_in_folds),
        seeds=seeds,
        digest=digest,
        by="subject" if settings.by == "subject" else "recording",
        made_by=_names({fold.made_by.get("version", "unknown") for fold in folds}),
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(short, sorted(names)[:MOST_NAMES]))


def _rule(wanted: OperatingPointConfig) -> Rule:
    return Rule(
        thresholds=wanted.thresholds,
        min_duration_s=wanted.min_duration_s,
        no_alarm_in=_names(wanted.no_alarm_in),
        enough=wanted.enough,
        miss_weighs=wanted.miss_weighs,
        at=wanted.at,
    )


def groups_of(rows: Iterable[RecordingRow]) -> list[str]:
    """Their groups, in order of their names."""
    return sorted({row.group for row in rows})


def totals_of(rows: Sequence[RecordingRow]) -> GroupTotals:
    """Of a group of recordings."""

    def total(of: Callable[[RecordingRow], float]) -> float:
        return round(sum(map(of, rows)), 3)

    return GroupTotals(
        recordings=len(rows),
        seizures=sum(row.seizures for row in rows),
        found=sum(row.found for row in rows),
        alarms=sum(row.alarms for row in rows),
        recordings_with_alarms=sum(row.alarms > 0 for row in rows),
        seconds=total(lambda row: row.seconds),
        seconds_above=total(lambda row: row.seconds_above),
    )


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
