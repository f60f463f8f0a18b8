"""From a training config to a pipeline file: recordings in, constants and weights learned, the result told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rtbci import provenance
from rtbci.errors import ConfigError
from rtbci.models import from_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training import cross_validation, distributed
from rtbci.training.batches import Batch
from rtbci.training.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint
from rtbci.training.config import TrainConfig
from rtbci.training.data import Data, OnProgress
from rtbci.training.examples import Source
from rtbci.training.fit import Fit
from rtbci.training.held_out import judge, scores_of
from rtbci.training.learning_curve import save_curves
from rtbci.training.threads import torch_threads


def train(
    config: TrainConfig, out: str | Path, progress: OnProgress | None = None, *, resume: bool = False
) -> Pipeline:
    """Train, and save the pipeline to `out`, its learning curves beside it. Seeded: the same again on the same CPU.

    A checkpoint lies beside `out` after each epoch; `resume` goes on from there. Ctrl-C ends the fit: with one epoch
    over, the best so far is saved as a pipeline that says so, and the checkpoint stays. Before that, and during the
    cross-validation, KeyboardInterrupt goes on and no pipeline is written. Raises ConfigError or RecordingError before
    the fit where config and data do not agree.
    """
    out = Path(out)
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{out}: its folder does not exist; make it first")
    told = progress or (lambda *_: None)
    if config.pipeline.model.kind == "selection":
        from rtbci.training.electrode_selection.pipeline import train_selection

        pipeline = train_selection(config, told)
        pipeline.save(out)
        return pipeline
    with torch_threads(config.training.threads), distributed.joined(config.training.device):
        return _train(config, out, told, resume=resume)


def _train(config: TrainConfig, out: Path, told: OnProgress, *, resume: bool) -> Pipeline:
    """Its frame holds the learner, which must have gone before the processes part."""
    data = Data.load(config, told)
    plan = _plan(data)
    fit = data.new_fit()
    path = checkpoint_path(out)
    if resume and path.exists():
        load_checkpoint(path, fit, config)
    finished = True
    try:
        run(fit, data, told, after_epoch=lambda: save_checkpoint(path, fit, config) if distributed.leads() else None)
    except KeyboardInterrupt:
        if not fit.epoch:
            raise
        finished = False
    pipeline = pipeline_of(data, fit)
    told("scoring held-out recordings", 0, 1, None)
    scores = _held_out_scores(pipeline, data)
    if data.pipeline_config.mask is not None and data.held_out:
        scores["masked"] = masked_scores(pipeline, data, fit)
    if finished and plan is not None:
        scores["cross_validated"] = plan(told)
    pipeline.notes = notes_of(data, fit, finished, scores)
    if distributed.leads():
        pipeline.save(out)
        save_curves(fit.progress.rows, out)
        cross_validation.save_confusion(scores, out)
        if finished:
            path.unlink(missing_ok=True)
    return pipeline


def run(fit: Fit, data: Data, told: OnProgress, after_epoch: Callable[[], None] = lambda: None) -> None:
    """Epochs until the fit is done."""
    total = fit.config.epochs
    while not fit.done:
        row = fit.run_epoch(data.training_batches(fit.epoch), data.held_out_batches())
        if not math.isfinite(row.train_loss + (row.held_out_loss or 0.0)):
            raise ConfigError(f"the loss is no number after epoch {row.epoch}; lower training.lr or set clip_norm")
        after_epoch()
        told("training", fit.epoch, total, row)


def fitted(data: Data, told: OnProgress = lambda *_: None) -> Pipeline:
    """A fresh network, fitted to its end."""
    fit = data.new_fit()
    run(fit, data, told)
    return pipeline_of(data, fit)


def _plan(data: Data) -> Callable[[OnProgress], dict[str, Any]] | None:
    """The cross-validation that the config asks for; what is wrong with its folds is told before the fit."""
    validation = data.config.data.validation
    if not validation.folds and validation.k_fold is None:
        return None
    if cross_validation.of_trials(data):
        cross_validation.folds_of(data)
        return lambda told: cross_validation.cross_validate(data, fitted, told)
    folds = [data.fold(patterns) for patterns in validation.folds]
    return lambda told: cross_validate(folds, told)


def _held_out_scores(pipeline: Pipeline, data: Data) -> dict[str, Any]:
    if cross_validation.of_trials(data):
        return cross_validation.held_out_scores(pipeline, data)
    return scores_of([judge(pipeline, e.source) for e in data.held_out])


def cross_validate(folds: list[tuple[Data, list[Source]]], told: OnProgress = lambda *_: None) -> dict[str, Any]:
    """Fit anew without each fold's recordings, and score those; the scaling's constants are those of all."""
    judged = []
    for number, (data, left_out) in enumerate(folds, 1):
        pipeline = fitted(data, lambda _, *rest, n=number: told(f"cross-validation, fold {n} of {len(folds)}", *rest))
        judged += [judge(pipeline, source) for source in left_out]
    return scores_of(judged)


def masked_scores(pipeline: Pipeline, data: Data, fit: Fit) -> list[dict[str, Any]]:
    """Of the held-out recordings: the area under the ROC curve with 0, 1, ... as many channels masked as may be, drawn."""
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


def pipeline_of(data: Data, fit: Fit) -> Pipeline:
    """The best weights so far."""
    network = from_config(data.pipeline_config.model)
    network.load_state_dict(fit.progress.best)
    return Pipeline(data.pipeline_config, network)


def notes_of(data: Data, fit: Fit, finished: bool, scores: dict[str, Any]) -> dict[str, Any]:
    """How and on what it was trained, for the pipeline file."""
    progress = fit.progress
    return {
        "trained_on": [
            {
                "recording": source.name,
                "source": source.origin,
                "licence": source.licence,
                "held_out": source.held_out,
            }
            for source in data.sources
            if source.recording.format != "synthetic"
        ],
        "synthetic": None if data.config.data.synthetic is None else data.config.data.synthetic.model_dump(mode="json"),
        "training": {
            **data.config.training.model_dump(mode="json"),
            "augment": data.config.augment.model_dump(mode="json"),
            "finished": finished,
            "epochs_run": fit.epoch,
            "best_epoch": progress.best_epoch,
            "best": asdict(progress.rows[progress.best_epoch - 1]),
        },
        "scores": scores,
        "commit": provenance.commit(),
        "versions": provenance.versions(),
    }
