"""The scaling's constants, learned from the training recordings before anything else."""

from __future__ import annotations

import numpy as np

from rtbci.models import from_config
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.scaling import MAD_TO_SD, ConstantScaling, NoScaling, RunningScaling, amplitude
from rtbci.training.preprocessed import Preprocessed
from rtbci.training.source import Source
from rtbci.training.stored import Signal
from rtbci.types import Samples

_MAX_SAMPLES = 20_000  # of one recording: enough for a median
_MAX_RECORDINGS = 100  # spread over all of them
_BLOCK = 100_000  # samples that are read at once


def learn_scaling(
    config: PipelineConfig, sources: list[Source], preprocessed: Preprocessed | None = None
) -> PipelineConfig:
    """Learn the scaling's constants; each recording has equal weight.

    Parameters
    ----------
    config
        Of the pipeline. Constants that are set are kept.
    sources
        Recordings to learn from.
    preprocessed
        Where their signals are kept; None: in memory.

    Returns
    -------
    PipelineConfig
        With its scaling filled in.
    """
    scaling = config.scaling
    if isinstance(scaling, NoScaling):
        return config
    if scaling.scale_uv if isinstance(scaling, ConstantScaling) else scaling.start_uv is not None:
        return config
    bare = config.model_copy(update={"scaling": NoScaling()})
    pipeline = Pipeline(bare, from_config(bare.model))
    spread = sources[:: -(-len(sources) // _MAX_RECORDINGS)]
    store = preprocessed or Preprocessed(None)
    kept = [_thinned(store.signal(pipeline, source.recording, hop=1)) for source in spread]
    if isinstance(scaling, RunningScaling):
        start_uv = float(np.exp(np.median([np.log(max(amplitude(x), scaling.floor_uv)) for x in kept if len(x)])))
        learned = scaling.model_copy(update={"start_uv": round(start_uv, 3)})
        return config.model_copy(update={"scaling": learned})
    pooled = np.concatenate(kept)
    center = np.median(pooled, axis=0)
    scale = np.maximum(MAD_TO_SD * np.median(np.abs(pooled - center), axis=0), 1e-3)
    update = {"center_uv": tuple(map(float, center)), "scale_uv": tuple(map(float, scale))}
    return config.model_copy(update={"scaling": scaling.model_copy(update=update)})


def _thinned(signal: Signal) -> Samples:
    """Every nth of the valid samples, at most so many."""
    stride = 1 + len(signal.x) // _MAX_SAMPLES
    numbers = np.flatnonzero(signal.valid[:])[::stride]
    thinned = np.empty((len(numbers), signal.x.shape[1]), np.float32)
    for first in range(0, len(signal.x), _BLOCK):
        here = slice(*np.searchsorted(numbers, (first, first + _BLOCK)))
        thinned[here] = signal.x[first : first + _BLOCK][numbers[here] - first]
    return thinned
