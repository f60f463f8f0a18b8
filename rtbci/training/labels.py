"""Annotations to the stretches of a training run, by what the config says that they mean; each is accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rtbci.errors import ConfigError, RecordingError
from rtbci.models.config import is_plugin
from rtbci.pipeline.config import PipelineConfig
from rtbci.recordings.labelling import Labelled, labels_of
from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import is_background, meaning_of
from rtbci.training.data_config import BACKGROUND, UNKNOWN, RecordingsConfig


@dataclass(frozen=True)
class Stretch:
    """From start to stop, in seconds of the recording, `label` holds: a class, "background" or "unknown"."""

    start: float
    stop: float
    label: str


def wants_points(config: PipelineConfig) -> bool:
    """Whether an annotation stands for its onset alone: the network takes trials, which all have one length."""
    return not is_plugin(config.model) and getattr(config.model, "window", None) is not None


def labelled(recording: Recording, meanings: Mapping[str, str], pipeline: PipelineConfig) -> Labelled:
    """What the annotations of a recording mean for a pipeline, and an account of them."""
    return labels_of(recording, lambda label: meaning_of(label, meanings), points=wants_points(pipeline))


def stretches_of(recording: Recording, labels: Labelled, pipeline: PipelineConfig) -> tuple[Stretch, ...]:
    """Its events, the time in which one may be, and where its table says that there is none."""
    events = [Stretch(e.onset, e.onset + e.duration, e.label) for e in labels.events]
    unknown = [Stretch(start, stop, UNKNOWN) for start, stop in labels.unknown]
    if wants_points(pipeline):  # there, a stretch of background is a trial
        return (*events, *unknown)
    return (*events, *unknown, *(Stretch(start, stop, BACKGROUND) for start, stop in labels.background))


def require_meaning(group: RecordingsConfig, recordings: Sequence[Recording], where: str) -> None:
    """Raise an error where a recording has no labels, or a label of the config is found in none of them."""
    if group.background_only:
        return
    if not group.labels and not group.marked:
        raise ConfigError(f"{where} labels nothing; add labels, marked or background_only = true")
    for recording in recordings if not group.marked else ():
        if not recording.is_annotated:
            table = recording.path.with_name(f"{recording.path.stem}_events.tsv")
            unread = [f"; {text}" for text in recording.warnings if "was not read" in text]
            raise RecordingError(
                f"{recording.path}: has no annotations, and training needs them; write {table.name} beside it, "
                f"label it with {where}.marked, or say background_only = true{''.join(unread)}"
            )
    found = sorted({event.label for recording in recordings for event in recording.annotations})
    for label in group.labels:
        covers = any(meaning_of(text, {label: label}) for text in found)
        if found and not covers and not is_background(label):
            shown = ", ".join(repr(text[:40]) for text in found[:12])
            raise ConfigError(f"{where}.labels: no annotation reads {label!r}; those have {shown}")


def account(name: str, recording: Recording, labels: Labelled, meanings: Iterable[str]) -> tuple[str, ...]:
    """What a person should know of a recording's labels and of its reading, one line each."""
    told = [*recording.warnings, *labels.warnings]
    if labels.others and not labels.events:
        found = ", ".join(f"{label[:40]!r}" for label in list(labels.others)[:6])
        told.append(
            f"none of its annotations means {' or '.join(map(repr, dict.fromkeys(meanings)))} ({found}); "
            "a name for it can be added to `labels`"
        )
    return tuple(f"{name}: {text}" for text in told)
