"""What all folds want of the recordings, made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtbci.models import from_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.scaling import NoScaling
from rtbci.training.config import TrainConfig
from rtbci.training.data import preprocessed_of, with_mask, with_sizes
from rtbci.training.examples import step_of
from rtbci.training.source import Source


def preprocess_for_all(config: TrainConfig, sources: Sequence[Source], on_reading: Callable[[int, int], None]) -> None:
    """Keep on the disk what every fold wants of the recordings, before several processes want it at once.

    That is the network's input; where the folds learn a scaling of their own, what they learn it from.
    """
    sized = with_mask(with_sizes(config.pipeline), config.augment)
    preprocessed = preprocessed_of(config, sized, sources)
    if preprocessed.folder is None or config.crossval.baseline:
        return
    learns = not isinstance(sized.scaling, NoScaling)
    pipeline = Pipeline(sized.model_copy(update={"scaling": NoScaling()}), from_config(sized.model))
    for number, source in enumerate(sources):
        on_reading(number, len(sources))
        preprocessed.signal(pipeline, source.recording, 1 if learns else step_of(pipeline))
    on_reading(len(sources), len(sources))
