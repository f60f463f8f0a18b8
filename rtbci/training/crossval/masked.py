"""What masked channels cost: AUROC of the folds' own pipelines on what each of them left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rtbci.models.network import Network, State
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.batches import Batch, StatefulBatches
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.folder import Folder
from rtbci.training.crossval.results import FoldResult
from rtbci.training.data import OnProgress
from rtbci.training.examples import make_example
from rtbci.training.fit import mean_auroc, step
from rtbci.training.held_out import without_channels
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
        rows.append(_masked(config, pipeline, left_out, pipeline.config.mask.most))
    by_count = [[auroc for auroc in column if auroc is not None] for column in zip(*rows, strict=True)]
    means = [round(float(np.mean(found)), 4) if found else None for found in by_count]
    return [{"masked": n, "held_out_auroc": mean} for n, mean in enumerate(means)]


def _masked(config: TrainConfig, pipeline: Pipeline, left_out: Sequence[Source], most: int) -> list[float | None]:
    """AUROC of one pipeline by the number of masked channels."""
    training = config.training
    examples = [make_example(pipeline, source) for source in left_out]
    steps = max(1, round(training.bptt_s / pipeline.hop_s))
    rng = np.random.default_rng([training.seed, 11])
    found = []
    for n in range(most + 1):
        lost = [rng.permutation(pipeline.n_inputs)[:n] for _ in range(training.rows)]
        batches = StatefulBatches(examples, training.rows, steps)
        found.append(_auroc(pipeline.network, (without_channels(batch, lost) for batch in batches)))
    return found


@torch.no_grad()
def _auroc(network: Network, batches: Iterable[Batch]) -> float | None:
    """None where no label is known, or only one kind."""
    scores, truth = [], []
    state: State | None = None
    for batch in batches:
        logits, state = step(network, batch, state)
        scores.append(logits[batch.known].numpy())
        truth.append(batch.y[batch.known].numpy() > 0.5)
    return mean_auroc(np.concatenate(scores), np.concatenate(truth)) if scores else None
