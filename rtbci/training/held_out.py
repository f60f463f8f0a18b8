"""Accuracy of a fitted pipeline on held-out recordings, one by one, and on held-out trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rtbci.evaluation.tagging import Tagged, tag
from rtbci.evaluation.trial_scores import Answers, report
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.network import probabilities
from rtbci.training.batches import Batch
from rtbci.training.config import BACKGROUND
from rtbci.training.data import Data
from rtbci.training.examples import Example, Source, Stretch, label_steps
from rtbci.training.fit import Fit, mean_auroc
from rtbci.types import Event


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
    """Result for one recording: its row, and probabilities and truth (n, n_classes) where the label is known."""

    row: dict[str, Any]
    scores: np.ndarray
    truth: np.ndarray
    synthetic: bool


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
    """Tag a recording by the live path, and compare with its labels.

    A false alarm is an event that overlaps known background and no labelled stretch of its class; an event entirely
    where nothing is known is counted separately.

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
    result = tag(pipeline, source.recording)
    y, known = label_steps(result.scores.times, source, pipeline.classes)
    seizures = [s for s in source.stretches if s.label in pipeline.classes and s.label != BACKGROUND]
    delays = [_delay(result, stretch) for stretch in seizures]
    false, elsewhere = 0, 0
    for event in result.events:
        if not any(_overlap(event, s) and s.label == event.label for s in seizures):
            inside = (result.scores.times >= event.onset) & (result.scores.times < event.onset + event.duration)
            if known[inside].any():
                false += 1
            else:
                elsewhere += 1
    quiet = known & (y[:, [name != BACKGROUND for name in pipeline.classes]].max(axis=1) < 0.5)
    row = {
        "recording": source.name,
        "duration_s": round(source.recording.duration_s, 3),
        "background_s": round(float(quiet.sum() * pipeline.hop_s), 3),
        "labelled": [[round(s.start, 3), round(s.stop, 3), s.label] for s in seizures],
        "events": [[round(e.onset, 3), round(e.onset + e.duration, 3), e.label] for e in result.events],
        "detection_delay_s": [None if d is None else round(d, 3) for d in delays],
        "false_alarms": false,
        "events_where_unknown": elsewhere,
    }
    kept = known & result.scores.valid
    return RecordingScores(row, result.scores.data[kept], y[kept] > 0.5, source.recording.format == "synthetic")


def _delay(result: Tagged, stretch: Stretch) -> float | None:
    hits = [
        when
        for event, when in zip(result.events, result.confirmed, strict=False)
        if event.label == stretch.label and _overlap(event, stretch)
    ]
    return max(0.0, min(hits) - max(0.0, stretch.start)) if hits else None


def _overlap(event: Event, stretch: Stretch) -> bool:
    return event.onset < stretch.stop and stretch.start < event.onset + event.duration


def _summary(scored: list[RecordingScores]) -> dict[str, Any]:
    rows = [one.row for one in scored]
    auroc = mean_auroc(np.concatenate([one.scores for one in scored]), np.concatenate([one.truth for one in scored]))
    delays = [d for row in rows for d in row["detection_delay_s"]]
    seen = [d for d in delays if d is not None]
    return {
        "n_recordings": len(rows),
        "sample_auroc": None if auroc is None else round(auroc, 4),
        "labelled": len(delays),
        "detected": len(seen),
        "median_detection_delay_s": round(float(np.median(seen)), 3) if seen else None,
        "false_alarms": sum(row["false_alarms"] for row in rows),
        "background_s": round(sum(row["background_s"] for row in rows), 3),
    }


def masked_scores(pipeline: Pipeline, data: Data, fit: Fit) -> list[dict[str, Any]]:
    """AUROC on held-out recordings with 0, 1, … randomly drawn channels masked, up to the mask's maximum."""
    assert pipeline.config.mask is not None
    rng = np.random.default_rng([data.config.training.seed, 11])
    rows = []
    for n in range(pipeline.config.mask.most + 1):
        lost = [rng.permutation(pipeline.n_inputs)[:n] for _ in range(data.config.training.rows)]
        _, auroc = fit.validate(pipeline.network, (without_channels(batch, lost) for batch in data.held_out_batches()))
        rows.append({"masked": n, "held_out_auroc": None if auroc is None else round(auroc, 4)})
    return rows


def without_channels(batch: Batch, lost: list[npt.NDArray[np.intp]]) -> Batch:
    """A batch with some channels of each row masked."""
    x = batch.x.clone()
    for row, channels in zip(x, lost, strict=False):
        row[:, torch.from_numpy(channels)] = 0
    return replace(batch, x=x)
