"""From the electrodes that were chosen to a pipeline that needs only them."""

from __future__ import annotations

from rtbci import provenance
from rtbci.models.config import SelectionConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import TrainConfig
from rtbci.training.data import OnProgress
from rtbci.training.electrode_selection.comparison import Bench, Score
from rtbci.training.electrode_selection.report import NOTE, described, row_of
from rtbci.training.electrode_selection.search import Selected
from rtbci.training.threads import torch_threads


def train_selection(config: TrainConfig, told: OnProgress = lambda *_: None) -> Pipeline:
    """For a config whose model is a `selection`: its n_select electrodes, and the pipeline that they make."""
    assert isinstance(config.pipeline.model, SelectionConfig)
    k = config.pipeline.model.n_select
    with torch_threads(config.training.threads):
        bench = Bench.load(config, told)
        chosen = bench.select(bench.final_fold(), k, lambda done, n: told("selecting electrodes", done, n, None))
        return pipeline_of(bench, chosen, [])


def pipeline_of(bench: Bench, chosen: Selected, scores: list[Score]) -> Pipeline:
    """With its notes: how it was chosen, on what, and how such choices did on recordings that they never saw."""
    pipeline = bench.pipeline(chosen)
    pipeline.notes = {
        "trained_on": [
            {
                "recording": e.source.name,
                "source": e.source.origin,
                "licence": e.source.licence,
                "held_out": g in bench.final_fold().held_out,
            }
            for g, e in enumerate(bench.examples)
        ],
        "training": {
            **bench.config.training.model_dump(mode="json"),
            "finished": True,
            "epochs_run": len(chosen.epochs),
            "best_epoch": len(chosen.epochs),
        },
        "selection": described(chosen, bench.channels).plain(),
        "search": bench.config.selection.model_dump(mode="json"),
        "scores": {"selection": [row_of(score).plain() for score in scores], "note": NOTE},
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }
    return pipeline
