"""What is reported of each recording, each subject and each annotated event: the same of `evaluate` and of a cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.evaluation.decisions import above_threshold
from rtbci.evaluation.probabilities import mean_auroc
from rtbci.evaluation.responses import Scored, detection_responses, percentiles
from rtbci.evaluation.scoring import EventScores, Figures, judged, pooled, score, seen
from rtbci.pipeline.config import PipelineConfig
from rtbci.results import Result, Text
from rtbci.types import Chunk, Flags


class RecordingRow(EventScores):
    """A recording: SzCORE's figures of every class that becomes an event, and what they are made of."""

    subject: Text
    """Who was recorded."""
    recording: Text
    """Its path."""
    seizures: int
    """Annotated events, of every class that becomes an event, as SzCORE counts them."""
    found: int
    """Of these."""
    delays_s: tuple[float | None, ...]
    """From each annotated onset to the decision; null: none in time."""
    alarms: int
    """Events that are none of the annotated ones."""
    seconds: float
    """With a valid score."""
    seconds_above: float
    """Of these, with the smoothed probability at the threshold or above."""
    background_s: float
    """Of the seconds, known to be background."""
    background_s_above: float
    """Of these, at the threshold or above."""


class SubjectFigures(Result):
    """A subject, over all of its recordings."""

    subject: Text
    """Name."""
    recordings: int
    """Number of its recordings."""
    seizures: int
    """Annotated events."""
    found: int
    """Of these."""
    median_delay_s: float | None
    """From the annotated onset to the decision, of those found in time."""
    auroc: float | None
    """Of its samples: hops with a valid score and a known label; null where only one kind is there."""
    share_above: float | None
    """Share of the valid time with the smoothed probability at the threshold or above: the time in warning."""
    background_share_above: float | None
    """The same, of what is known to be background."""


class SubjectRow(SubjectFigures):
    """A subject, with SzCORE's figures over its recordings."""

    hours: float
    """With a valid score."""
    alarms: int
    """Events that are none of the annotated ones."""
    event: Figures
    """By event."""
    sample: Figures
    """By sample."""


class SeizureRow(Result):
    """An annotated event; those that overlap are one."""

    subject: Text
    """Who was recorded."""
    recording: Text
    """Its path."""
    label: Text
    """The class that it counts as."""
    onset_s: float
    """Annotated onset, in seconds of the recording."""
    duration_s: float
    """Annotated length."""
    found: bool
    """Whether a detected event overlaps it, from 30 s before it until 60 s after it: SzCORE's tolerance."""
    delay_s: float | None
    """From the onset to the decision; null: none in time."""
    already_alarmed: bool
    """Whether an alarm was on that had been decided more than 30 s before."""


@dataclass(frozen=True)
class Row:
    """A recording's figures, and its scores with what is true of each: (n, n_classes) where that is known."""

    figures: RecordingRow
    scores: np.ndarray
    truth: np.ndarray


def recording_row(
    subject: str,
    recording: str,
    by_class: dict[str, Scored],
    background: Flags,
    scores: Chunk,
    config: PipelineConfig,
    hop_s: float,
) -> RecordingRow:
    """The row of a recording.

    Parameters
    ----------
    subject, recording
        Names.
    by_class
        What is scored of each class.
    background
        Which scores are known to be of background (n_hops,).
    scores
        Probabilities (n_hops, n_classes).
    config
        Of the pipeline.
    hop_s
        Seconds from one score to the next.
    """
    above = above_threshold(scores, config, hop_s, by_class)
    quiet = background & scores.valid
    figures = score(by_class.values(), max(1, len(by_class)))
    counts = figures.event.counts
    delays = [response.delay_s for one in by_class.values() for response in detection_responses(one)]
    seconds = [round(float(np.count_nonzero(here)) * hop_s, 3) for here in (scores.valid, above, quiet, quiet & above)]
    return RecordingRow(
        subject=subject,
        recording=recording,
        seizures=counts.true,
        found=counts.hit,
        delays_s=tuple(None if delay is None else round(delay, 3) for delay in delays),
        alarms=counts.false,
        seconds=seconds[0],
        seconds_above=seconds[1],
        background_s=seconds[2],
        background_s_above=seconds[3],
        event=figures.event,
        sample=figures.sample,
        detection_delay_s=figures.detection_delay_s,
        already_alarmed=figures.already_alarmed,
    )


def subject_figures(subject: str, rows: Sequence[RecordingRow], auroc: float | None) -> SubjectFigures:
    """The figures of a subject, from those of its recordings."""
    return SubjectFigures(
        subject=subject,
        recordings=len(rows),
        seizures=sum(row.seizures for row in rows),
        found=sum(row.found for row in rows),
        median_delay_s=median_delay(rows),
        auroc=None if auroc is None else round(auroc, 4),
        share_above=_share(sum(row.seconds_above for row in rows), sum(row.seconds for row in rows)),
        background_share_above=_share(
            sum(row.background_s_above for row in rows), sum(row.background_s for row in rows)
        ),
    )


def subject_row(rows: Sequence[Row]) -> SubjectRow:
    """The row of a subject, from its recordings."""
    own = [row.figures for row in rows]
    auroc = mean_auroc(np.concatenate([row.scores for row in rows]), np.concatenate([row.truth for row in rows]))
    figures = subject_figures(own[0].subject, own, auroc)
    return SubjectRow(
        **{key: getattr(figures, key) for key in SubjectFigures.model_fields},
        hours=sum(row.seconds for row in own) / 3600,
        alarms=sum(row.alarms for row in own),
        event=pooled(row.event for row in own),
        sample=pooled(row.sample for row in own),
    )


def seizure_rows(subject: str, recording: str, by_class: dict[str, Scored]) -> list[SeizureRow]:
    """A row for each annotated event of a recording, by class and onset."""
    rows = []
    for label, one in by_class.items():
        alarms = judged(one)
        for response in detection_responses(one):
            rows.append(
                SeizureRow(
                    subject=subject,
                    recording=recording,
                    label=label,
                    onset_s=round(response.onset, 3),
                    duration_s=round(response.stop - response.onset, 3),
                    found=seen(response.onset, response.stop, alarms),
                    delay_s=None if response.delay_s is None else round(response.delay_s, 3),
                    already_alarmed=response.already_alarmed,
                )
            )
    return rows


def median_delay(rows: Iterable[RecordingRow]) -> float | None:
    """Of all events that were found in time; None where none was."""
    found = percentiles(delay for row in rows for delay in row.delays_s if delay is not None).p50
    return None if found is None else round(found, 3)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
