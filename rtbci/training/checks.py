"""What is wrong or odd about the labels of a training run, found before its first epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from rtbci.errors import ConfigError

if TYPE_CHECKING:
    from rtbci.pipeline.config import PipelineConfig
    from rtbci.training.batches import TrialBatches
    from rtbci.training.config import TrainConfig
    from rtbci.training.examples import Example


class Data(Protocol):
    """What is checked: the recordings to fit to and those held out (rtbci/training/data.py)."""

    config: TrainConfig
    pipeline_config: PipelineConfig
    training: list[Example]
    held_out: list[Example]

    @property
    def window(self) -> int | None: ...

    def trials(self, examples: list[Example]) -> TrialBatches: ...


def require_both_sides(data: Data) -> None:
    """Raise ConfigError where a class holds at every known step or trial that is trained on, unless that is asked for.

    Such a pipeline would answer that class whatever it sees: an alarm without end.
    """
    if data.config.data.without_background:
        return
    for name in _one_sided(data, data.training, holds=True):
        raise ConfigError(
            f"{name!r} holds at every known step of the training recordings, so that the pipeline would always answer "
            f'{name!r}; add recordings with background_only = true, or say elsewhere = "background" where all of it is '
            "annotated; data.without_background = true trains all the same"
        )


def label_warnings(data: Data, *, is_judged: bool = False) -> list[str]:
    """What a person should know before the first epoch: recordings that teach nothing, one-sided validation."""
    told = []
    unused = [e.source.name for e in (*data.training, *data.held_out) if not _is_used(data, e)]
    if unused:
        told.append(f"left out, for no label in them is known: {', '.join(unused)}")
    real = [e for e in data.training if e.source.recording.format != "synthetic"]
    if real and len(real) < len(data.training):
        told += [f"{name!r} is in synthetic recordings only" for name in _one_sided(data, real, holds=False)]
        told += [f"what is not {name!r} is in synthetic recordings only" for name in _one_sided(data, real, holds=True)]
    validation = data.config.data.validation
    if not data.held_out:
        if not validation.folds and not validation.k_fold and not is_judged:
            told.append(
                "nothing is held out: the fit runs to its last epoch, and how well it does on other recordings is not "
                "measured; hold recordings out with data.validation.fraction or data.validation.files"
            )
        return told
    for name in _one_sided(data, data.held_out, holds=False):
        told.append(
            f"no held-out recording has a known step of {name!r}: the validation cannot tell whether it is found"
        )
    for name in _one_sided(data, data.held_out, holds=True):
        told.append(
            f"{name!r} holds at every known step of the held-out recordings: the validation cannot tell false alarms"
        )
    return told


def _one_sided(data: Data, examples: Sequence[Example], *, holds: bool) -> list[str]:
    """Classes that hold nowhere (holds False), or everywhere (True), among what is known."""
    classes = data.pipeline_config.classes
    found = [_sides(data, examples, k) for k in range(len(classes))]
    return [name for name, sides in zip(classes, found, strict=True) if sides and (not holds) not in sides]


def _sides(data: Data, examples: Sequence[Example], k: int) -> set[bool]:
    """Whether class k is known to hold somewhere, and not to hold somewhere; for an epoch network, in its trials."""
    if data.window is not None:
        return {bool(label == k) for label in data.trials(list(examples)).labels}
    return {side for example in examples for side in example.labels.holds(k)}


def _is_used(data: Data, example: Example) -> bool:
    return len(data.trials([example])) > 0 if data.window is not None else example.labels.is_known
