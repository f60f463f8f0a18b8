"""From the chosen electrodes to a pipeline that needs only these."""

from __future__ import annotations

from rtbci import provenance
from rtbci.models.config import SelectorConfig
from rtbci.models.threads import torch_threads
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import TrainConfig
from rtbci.training.data import OnProgress, OnWarning
from rtbci.training.electrode_selection.comparison import Comparison, Score
from rtbci.training.electrode_selection.report import NOTE, described, row_of
from rtbci.training.electrode_selection.search import Selected


def train_selection(
    config: TrainConfig, on_progress: OnProgress = lambda *_: None, on_warning: OnWarning = lambda _: None
) -> Pipeline:
    """Select n_select electrodes for a config whose model is a `selection`, and return their pipeline."""
    assert isinstance(config.pipeline.model, SelectorConfig)
    k = config.pipeline.model.n_select
    with torch_threads(config.training.threads):
        comparison = Comparison.load(config, on_progress, on_warning)
        chosen = comparison.select(
            comparison.final_fold(), k, lambda done, n: on_progress("selecting electrodes", done, n, None)
        )
        return pipeline_of(comparison, chosen, [])


def pipeline_of(comparison: Comparison, chosen: Selected, scores: list[Score]) -> Pipeline:
    """The pipeline with its notes: how and on what it was selected, and the scores of such selections."""
    pipeline = comparison.pipeline(chosen)
    pipeline.notes = {
        "trained_on": [
            e.source.noted(held_out=g in comparison.final_fold().held_out) for g, e in enumerate(comparison.examples)
        ],
        "annotations": comparison.data.annotations.plain(),
        "warnings": comparison.data.warnings,
        "training": {
            **comparison.config.training.model_dump(mode="json"),
            "finished": True,
            "epochs_run": len(chosen.epochs),
            "best_epoch": len(chosen.epochs),
        },
        "selection": described(chosen, comparison.channels).plain(),
        "search": comparison.config.selection.model_dump(mode="json"),
        "scores": {"selection": [row_of(score).plain() for score in scores], "note": NOTE},
        "versions": provenance.versions(),
        "kernels": provenance.kernels(),
        "commit": provenance.commit(),
    }
    return pipeline
