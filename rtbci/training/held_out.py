"""Accuracy of a fitted pipeline on held-out recordings, one by one, and on held-out trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rtbci.evaluation.probabilities import mean_auroc
from rtbci.evaluation.responses import Scored, detection_responses, united
from rtbci.evaluation.scoring import score
from rtbci.evaluation.tagging import Tagged, tag
from rtbci.evaluation.trial_scores import Answers, report
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.decision import watched_labels
from rtbci.stages.network import probabilities
from rtbci.training.batches import Batch
from rtbci.training.config import TrainingConfig
from rtbci.training.data import Data
from rtbci.training.data_config import BACKGROUND, UNKNOWN
from rtbci.training.examples import Example, Stretch
from rtbci.training.fit import Fit
from rtbci.training.source import Source
from rtbci.training.step_labels import label_steps
from rtbci.types import Event, Flags


def held_out_scores(pipeline: Pipeline, data: Data) -> dict[str, Any]:
    """Scores of held-out recordings or trials, which were used for early stopping: cross-validation is unbiased."""
    if data.window is None:
        return scores_of([score_recording(pipeline, example.source) for example in data.held_out])
    if not len(data.trials(data.held_out)):
        return {}
    return {"trials": report(answer_trials(pipeline, data, data.held_out), pipeline.classes)}


@torch.inference_mode()
def answer_trials(pipeline: Pipeline, data: Data, examples: list[Example]) -> Answers:
    """A pipeline's answers to every trial of some examples."""
    trials = data.trials(examples)
    logits = [pipeline.network(batch.x)[0].numpy() for batch in trials]
    scores = probabilities(np.concatenate(logits), pipeline.config.activation)
    return Answers(scores, trials.labels, trials.groups)


@dataclass(frozen=True)
class RecordingScores:
    """Result for one recording: its row, probabilities and truth (n, n_classes) where the label is known, what was scored
    of each class, and which of all hops are known to be background."""

    row: dict[str, Any]
    scores: np.ndarray
    truth: np.ndarray
    synthetic: bool
    by_class: dict[str, Scored]
    background: Flags


def scores_of(scored: Sequence[RecordingScores]) -> dict[str, Any]:
    """Summaries of real and of synthetic recordings, and the row of each real one; plain JSON."""
    scores: dict[str, Any] = {}
    for kind in ("real", "synthetic"):
        part = [one for one in scored if one.synthetic == (kind == "synthetic")]
        if part:
            scores[kind] = _summary(part)
    scores["recordings"] = [one.row for one in scored if not one.synthetic]
    return scores


def score_recording(pipeline: Pipeline, source: Source) -> RecordingScores:
    """Tag a recording by the live path, and compare with its labels as `rtbci evaluate` does.

    Parameters
    ----------
    pipeline
        A fitted pipeline.
    source
        A recording with its labels.

    Returns
    -------
    RecordingScores
        Events, detection delays and false alarms, and the scores themselves.
    """
    return score_tagged(pipeline.config, source, tag(pipeline, source.recording), pipeline.hop_s)


def score_tagged(config: PipelineConfig, source: Source, result: Tagged, hop_s: float) -> RecordingScores:
    """The same for an answer that is there; hop_s: seconds from one score to the next."""
    y, known = label_steps(result.scores.times, source, config.classes)
    by_class = scored_classes(config, source, result)
    quiet = known & (y[:, [name != BACKGROUND for name in config.classes]].max(axis=1) < 0.5)
    figures = [score([one]) for one in by_class.values()]
    delays = [r.delay_s for one in by_class.values() for r in detection_responses(one)]
    row = {
        "recording": source.name,
        "duration_s": round(source.recording.duration_s, 3),
        "background_s": round(float(quiet.sum() * hop_s), 3),
        "labelled": [
            [round(start, 3), round(stop, 3), label]
            for label, one in by_class.items()
            for start, stop in united(one.truth, one.duration_s)
        ],
        "events": [[round(e.onset, 3), round(e.onset + e.duration, 3), e.label] for e in result.events],
        "detection_delay_s": [None if d is None else round(d, 3) for d in delays],
        "detected": sum(f.event.counts.hit for f in figures),
        "false_alarms": sum(f.event.counts.false for f in figures),
        "events_where_unknown": sum(_is_unknown(e, by_class[e.label]) for e in result.events),
    }
    kept = known & result.scores.valid
    synthetic = source.recording.format == "synthetic"
    return RecordingScores(row, result.scores.data[kept], y[kept] > 0.5, synthetic, by_class, quiet)


def scored_classes(config: PipelineConfig, source: Source, result: Tagged) -> dict[str, Scored]:
    """What is scored, for each class that becomes events."""
    duration_s = source.recording.duration_s
    by_class = {}
    for label in watched_labels(config.decision, config.classes):
        found, decided = result.of_class(label)
        by_class[label] = Scored(
            truth=tuple(_event(s) for s in source.stretches if s.label == label),
            found=found,
            decided=decided,
            duration_s=duration_s,
            unknown=tuple(_event(s) for s in unknown_stretches(source)),
        )
    return by_class


def unknown_stretches(source: Source) -> list[Stretch]:
    """Where no label is known."""
    unknown = [s for s in source.stretches if s.label == UNKNOWN]
    if source.elsewhere != UNKNOWN:
        return unknown
    at = 0.0
    for stretch in sorted((s for s in source.stretches if s.label != UNKNOWN), key=lambda s: s.start):
        if stretch.start > at:
            unknown.append(Stretch(at, stretch.start, UNKNOWN))
        at = max(at, stretch.stop)
    return [*unknown, Stretch(at, max(at, source.recording.duration_s), UNKNOWN)]


def _event(stretch: Stretch) -> Event:
    return Event(stretch.start, stretch.stop - stretch.start, stretch.label)


def _is_unknown(event: Event, scored: Scored) -> bool:
    """Whether an event lies where nothing is known."""
    spans = united(scored.unknown, scored.duration_s)
    return any(start <= event.onset and event.onset + event.duration <= stop for start, stop in spans)


def _summary(scored: list[RecordingScores]) -> dict[str, Any]:
    rows = [one.row for one in scored]
    auroc = mean_auroc(np.concatenate([one.scores for one in scored]), np.concatenate([one.truth for one in scored]))
    classes = {label: score([one.by_class[label] for one in scored]) for label in scored[0].by_class}
    delays = [d for row in rows for d in row["detection_delay_s"] if d is not None]
    return {
        "n_recordings": len(rows),
        "sample_auroc": None if auroc is None else round(auroc, 4),
        "labelled": sum(figures.event.counts.true for figures in classes.values()),
        "detected": sum(figures.event.counts.hit for figures in classes.values()),
        "median_detection_delay_s": round(float(np.median(delays)), 3) if delays else None,
        "false_alarms": sum(figures.event.counts.false for figures in classes.values()),
        "background_s": round(sum(row["background_s"] for row in rows), 3),
        "classes": {label: figures.plain() for label, figures in classes.items()},
    }


def masked_scores(pipeline: Pipeline, data: Data, fit: Fit) -> list[dict[str, Any]]:
    """AUROC on held-out recordings with 0, 1, … randomly drawn channels masked, up to the mask's maximum."""
    aurocs = by_masked_channels(
        pipeline,
        data.config.training,
        data.held_out_batches,
        lambda batches: fit.validate(pipeline.network, batches)[1],
    )
    return masked_rows(aurocs)


def by_masked_channels(
    pipeline: Pipeline,
    training: TrainingConfig,
    batches: Callable[[], Iterable[Batch]],
    auroc: Callable[[Iterable[Batch]], float | None],
) -> list[float | None]:
    """AUROC with 0, 1, … channels masked, up to the mask's maximum; drawn anew for each number and each row.

    Parameters
    ----------
    pipeline
        With a mask.
    training
        Its seed draws the channels; rows of a batch.
    batches
        Those of one pass, whole.
    auroc
        Of a network's answers to batches.
    """
    assert pipeline.config.mask is not None
    rng = np.random.default_rng([training.seed, 11])
    found = []
    for n in range(pipeline.config.mask.most + 1):
        lost = [rng.permutation(pipeline.n_inputs)[:n] for _ in range(training.rows)]
        found.append(auroc(without_channels(batch, lost) for batch in batches()))
    return found


def masked_rows(aurocs: Iterable[float | None]) -> list[dict[str, Any]]:
    """By the number of masked channels, for the notes of a pipeline."""
    return [
        {"masked": n, "held_out_auroc": None if auroc is None else round(auroc, 4)} for n, auroc in enumerate(aurocs)
    ]


def without_channels(batch: Batch, lost: list[npt.NDArray[np.intp]]) -> Batch:
    """A batch with some channels of each row masked."""
    x = batch.x.clone()
    for row, channels in zip(x, lost, strict=False):
        row[:, torch.from_numpy(channels)] = 0
    return replace(batch, x=x)
