"""The section `[data]` of a training config: recordings with their labels, datasets by name, and what is held out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from rtbci.config import Name, Strict
from rtbci.recordings.overrides import StreamOverrides

BACKGROUND, UNKNOWN = "background", "unknown"

Fraction = Annotated[float, Field(ge=0, lt=1)]
Seconds = Annotated[float, Field(ge=0)]


class Marked(Strict):
    """A stretch labelled in the config rather than in the recording: a class, "background" or "unknown".

    Attributes
    ----------
    start_s, stop_s
        From when to when, from the start of the recording.
    label
        A class, "background" or "unknown".
    """

    start_s: Seconds
    stop_s: PositiveFloat
    label: Name

    @model_validator(mode="after")
    def _has_length(self) -> Marked:
        if self.stop_s <= self.start_s:
            raise ValueError(f"stop_s {self.stop_s:g} is not after start_s {self.start_s:g}")
        return self


class RecordingsConfig(Strict):
    """Recordings that are labelled in one way.

    Attributes
    ----------
    files
        Glob patterns below `data.root`.
    group
        What they are, for the tables of `rtbci crossval`: "seizures", "quiet background"; left out: the first pattern.
    labels
        Meaning of an annotation, by its text: a class of the pipeline, "background" or "unknown"; others are ignored.
    elsewhere
        What holds where there is none of these.
    background_only
        Whether there is nothing but background.
    marked
        Stretches labelled by hand, in addition to the annotations.
    repeats
        How often an epoch of training visits each recording.
    subject, subject_pattern
        Whose recordings they are: a name, or a regular expression with one group that finds it in the path below
        `data.root`. By default it is taken from names as in BIDS (`sub-01`), CHB-MIT, EEG Motor Movement/Imagery, TUH
        and Siena.
    stream
        Name or number of the stream to read of XDF files; empty: their only EEG stream.
    told
        What the recordings do not say, or say wrongly, as the options of `rtbci tag`: channels, renamed, unit, gain, sfreq,
        reference.
    source, licence
        For the notes of the pipeline.
    """

    files: Annotated[tuple[Name, ...], Field(min_length=1)]
    group: Name | None = None
    labels: dict[Name, Name] = Field(default_factory=dict)
    elsewhere: Literal["background", "unknown"] = "background"
    background_only: bool = False
    marked: tuple[Marked, ...] = ()
    repeats: PositiveInt = 1
    subject: str = ""
    subject_pattern: str = ""
    stream: str = ""
    told: StreamOverrides = Field(default_factory=StreamOverrides)
    source: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _subject_is_found_in_one_way(self) -> RecordingsConfig:
        if self.subject and self.subject_pattern:
            raise ValueError("subject and subject_pattern: give one of them")
        if self.subject_pattern and _n_groups(self.subject_pattern) != 1:
            raise ValueError(
                f"subject_pattern {self.subject_pattern!r}: wanted a regular expression with one group, as '(P\\d+)_'"
            )
        return self


def _n_groups(pattern: str) -> int:
    """Groups of a regular expression; -1 where it is none."""
    try:
        return re.compile(pattern).groups
    except re.error:
        return -1


class DatasetConfig(Strict):
    """A dataset by its name in `rtbci.datasets`, or a registered reader of the user's own.

    Attributes
    ----------
    name
        Of the dataset.
    folder
        Where it is, below `data.root`.
    part
        "train", "test", or both.
    members, subjects
        Patterns of those to use.
    labels
        Meaning of its labels, as for recordings; left out: each label that is a class means that class.
    elsewhere
        What holds where there is no such annotation.
    leave_out_unfit
        Whether to continue without recordings that lack channels of the montage.
    licence
        For the notes of the pipeline.
    """

    name: Name
    folder: str = "."
    part: Literal["train", "test"] | None = "train"
    members: Annotated[tuple[Name, ...], Field(min_length=1)] = ("*",)
    subjects: Annotated[tuple[Name, ...], Field(min_length=1)] = ("*",)
    labels: dict[Name, Name] = Field(default_factory=dict)
    elsewhere: Literal["background", "unknown"] = "unknown"
    leave_out_unfit: bool = False
    licence: str = ""


class SyntheticConfig(Strict):
    """Synthetic recordings with seizures; one in `1 / seizure_fraction` has a seizure.

    Attributes
    ----------
    mimics
        How many patterns resemble seizures: periodic discharges, rhythmic delta, loose electrodes, spikes.
    arousals
        Whether seven patients of ten stir in their sleep, with rhythms, movement and muscle activity.
    n_recordings
        How many.
    duration_s
        Length of each.
    seizure_fraction
        Share of them with a seizure.
    seed
        Another one gives other recordings.
    label
        The class that the seizures count as.
    """

    n_recordings: PositiveInt
    duration_s: Annotated[float, Field(ge=10)] = 60.0
    seizure_fraction: Annotated[float, Field(ge=0, le=1)] = 0.5
    mimics: Literal["none", "some", "many"] = "some"
    arousals: bool = False
    seed: NonNegativeInt = 0
    label: Name = "seizure"


class ValidationConfig(Strict):
    """Complete recordings held out of the fit, and cross-validation.

    Attributes
    ----------
    files
        Patterns of recordings to hold out.
    fraction, synthetic_fraction
        Fractions of the other recordings, and of the synthetic ones, to hold out.
    folds
        Each a list of patterns. After the pipeline, the same recipe is fitted once for each fold, without its
        recordings, and scored on them: the figures for a recipe whose final fit holds out few or none.
    k_fold, repeats
        As many folds, drawn by the seed, instead of `folds`, and how often they are drawn; for trials.
    by
        The unit that is never split, in a fold or by `fraction`; a split by patterns that would separate one subject's
        recordings is refused. "trial" only for datasets of independent trials.
    """

    files: tuple[Name, ...] = ()
    fraction: Fraction = 0.0
    synthetic_fraction: Fraction = 0.1
    folds: tuple[Annotated[tuple[Name, ...], Field(min_length=1)], ...] = ()
    k_fold: Annotated[int, Field(ge=2, le=1000)] | None = None
    by: Literal["recording", "subject", "trial"] = "recording"
    repeats: PositiveInt = 1

    @model_validator(mode="after")
    def _folds_are_named_or_drawn(self) -> ValidationConfig:
        if self.folds and self.k_fold:
            raise ValueError("folds and k_fold: name the folds or have them drawn, not both")
        return self


class DataConfig(Strict):
    """The recordings, and which are held out for validation.

    Attributes
    ----------
    dataset
        `[data.dataset]` for one, `[[data.dataset]]` for several.
    root
        Relative to the folder of the config file.
    without_background
        Whether to train even where a class holds at every known step.
    cache
        Folder in which preprocessed recordings are kept, so that memory does not grow with their hours and another run begins at
        once; relative to the working folder. Empty: up to 256 MiB are held in memory; more are kept in the user's folder for
        caches (`~/.cache/rtbci/preprocessed`).
    cache_gb
        The most that the folder may hold. What was not used for a day is removed first.
    """

    root: str = "."
    recordings: tuple[RecordingsConfig, ...] = ()
    dataset: DatasetConfig | Annotated[tuple[DatasetConfig, ...], Field(min_length=1)] | None = None
    synthetic: SyntheticConfig | None = None
    validation: ValidationConfig = ValidationConfig()
    without_background: bool = False
    cache: str = ""
    cache_gb: PositiveFloat = 200.0

    def datasets(self) -> Iterator[tuple[DatasetConfig, str]]:
        """Each with its place in the config."""
        if isinstance(self.dataset, DatasetConfig):
            yield self.dataset, "data.dataset"
            return
        for number, one in enumerate(self.dataset or ()):
            yield one, f"data.dataset.{number}"

    @model_validator(mode="after")
    def _something_is_there(self) -> DataConfig:
        if not self.recordings and self.dataset is None and self.synthetic is None:
            raise ValueError("names no recordings; add [[data.recordings]], [[data.dataset]] or [data.synthetic]")
        return self
