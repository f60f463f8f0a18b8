"""What masked channels cost: AUROC of the folds' own pipelines on what each of them left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rtbci.evaluation.probabilities import mean_auroc
from rtbci.models.network import Network
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.batches import Batch, StatefulBatches
from rtbci.training.config import TrainConfig, TrainingConfig
from rtbci.training.crossval.folder import Folder
from rtbci.training.crossval.results import FoldResult
from rtbci.training.data import OnProgress
from rtbci.training.examples import make_example
from rtbci.training.fit import answers
from rtbci.training.held_out import by_masked_channels, masked_rows
from rtbci.training.source import Source


def masked_out_of_fold(
    config: TrainConfig,
    folder: Folder,
    folds: Sequence[FoldResult],
    unchanged: Mapping[str, Source],
    on_progress: OnProgress,
) -> list[dict[str, Any]]:
    """AUROC with 0, 1, … randomly drawn channels masked, up to the mask's maximum, as the mean over the folds.

    Parameters
    ----------
    config
        Of the cross-validation.
    folder, folds
        Its results.
    unchanged
        The recordings, by name; others are not scored.
    on_progress
        Called with what is done.

    Returns
    -------
    list of dict
        `masked` and `held_out_auroc`, as `masked_scores` has them; empty where the pipelines have no mask.
    """
    rows: list[list[float | None]] = []
    for number, fold in enumerate(folds):
        on_progress("masking channels, fold by fold", number, len(folds), None)
        pipeline = Pipeline.load(folder.pipeline_file(fold.fold))
        if pipeline.config.mask is None:
            return []
        left_out = [unchanged[row.recording] for row in fold.recordings if row.recording in unchanged]
        rows.append(_masked(config.training, pipeline, left_out))
    by_count = [[auroc for auroc in column if auroc is not None] for column in zip(*rows, strict=True)]
    return masked_rows(float(np.mean(found)) if found else None for found in by_count)


def _masked(training: TrainingConfig, pipeline: Pipeline, left_out: Sequence[Source]) -> list[float | None]:
    """AUROC of one pipeline by the number of masked channels."""
    examples = [make_example(pipeline, source) for source in left_out]
    steps = max(1, round(training.bptt_s / pipeline.hop_s))
    return by_masked_channels(
        pipeline,
        training,
        lambda: StatefulBatches(examples, training.rows, steps),
        lambda batches: _auroc(pipeline.network, batches),
    )


@torch.no_grad()
def _auroc(network: Network, batches: Iterable[Batch]) -> float | None:
    """None where no label is known, or only one kind."""
    known = [
        (logits[batch.known].numpy(), batch.y[batch.known].numpy() > 0.5) for batch, logits in answers(network, batches)
    ]
    return mean_auroc(*map(np.concatenate, zip(*known, strict=True))) if known else None
