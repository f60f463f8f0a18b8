"""Configuration of a training run: the pipeline, its recordings and labels, and the fit of the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from rtbci.config import Name, Strict, nearest, override, parse, read_toml
from rtbci.errors import ConfigError
from rtbci.models.config import is_plugin
from rtbci.pipeline.config import PipelineConfig
from rtbci.recordings.overrides import StreamOverrides
from rtbci.training.crossval.config import CrossvalConfig
from rtbci.training.electrode_selection.by_patient.config import ElectrodesConfig
from rtbci.training.sampling import SamplingConfig

BACKGROUND, UNKNOWN = "background", "unknown"

Fraction = Annotated[float, Field(ge=0, lt=1)]
Seconds = Annotated[float, Field(ge=0)]


class Marked(Strict):
    """A stretch labelled in the config rather than in the recording: a class, "background" or "unknown"."""

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
    name, folder
        Of the dataset; the folder below `data.root`.
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
    root
        Relative to the folder of the config file.
    without_background
        Whether to train even where a class holds at every known step.
    """

    root: str = "."
    recordings: tuple[RecordingsConfig, ...] = ()
    dataset: DatasetConfig | None = None
    synthetic: SyntheticConfig | None = None
    validation: ValidationConfig = ValidationConfig()
    without_background: bool = False

    @model_validator(mode="after")
    def _something_is_there(self) -> DataConfig:
        if not self.recordings and self.dataset is None and self.synthetic is None:
            raise ValueError("names no recordings; add [[data.recordings]], [data.dataset] or [data.synthetic]")
        return self


class AugmentConfig(Strict):
    """What is varied at each visit to a recording, after the scaling."""

    gain_sd: NonNegativeFloat = 0.0  # of the logarithm, the same for all channels
    channel_gain_sd: NonNegativeFloat = 0.0  # of the logarithm, for each channel
    spectrum_sd: NonNegativeFloat = 0.0  # of the logarithm, at each octave, the same for all channels
    channel_dropout: Fraction = 0.0
    mirror: bool = False  # swap left and right, in half of the visits
    invert: bool = False  # the sign of all channels, in half of the visits

    @property
    def is_on(self) -> bool:
        return self != AugmentConfig()


class TrainingConfig(Strict):
    """The fit of the network. Early stopping keeps the weights of the best epoch on the held-out recordings.

    Attributes
    ----------
    epochs
        Largest number of epochs.
    patience
        Epochs without an improvement after which the fit ends.
    rows
        Recordings, or trials, in a batch.
    bptt_s
        Length of a segment for truncated back-propagation through time; the state is carried over.
    visit_s
        A longer recording is seen from a random place for so long.
    average
        Share of the old value in the running average of the weights, which is validated and kept; 0: no average.
    """

    epochs: PositiveInt = 30
    patience: PositiveInt = 10
    rows: PositiveInt = 16
    bptt_s: PositiveFloat = 10.0
    visit_s: PositiveFloat | None = None
    optimizer: Literal["adam", "nadam", "radam"] = "adam"
    lr: PositiveFloat = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: NonNegativeInt = 0
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = 1.0
    average: Fraction = 0.0
    loss: Literal["bce", "focal", "cross_entropy"] = "bce"
    focal_gamma: PositiveFloat = 2.0
    class_weights: Literal["auto", "none"] = "auto"
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    mixed_precision: bool = False
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    threads: PositiveInt = 1
    seed: NonNegativeInt = 0


class TrialsConfig(Strict):
    """For epoch networks: the first sample of a trial, in seconds from the annotation's onset."""

    start_s: float = 0.0


class SearchConfig(Strict):
    """Electrode selection; the defaults are those of Strypsteen and Bertrand (2021).

    Attributes
    ----------
    epochs, patience
        Of the search: most epochs, and epochs without a lower validation loss that end it, once the mean entropy is at
        most `converged_entropy`.
    fit_epochs, fit_patience
        Of the fine-tuning, and of every fit that it is compared with.
    lr, selector_lr
        Learning rates, of all weights and of the selector's logits where that differs.
    weight_decay
        Factor of the sum of squared weights in the loss.
    temperature, tau
        At the start, and in the last quarter of the epochs.
    random_sets
        Random sets of electrodes for each K to compare with.

    References ---------- T. Strypsteen, A. Bertrand, End-to-end learnable EEG channel selection for deep neural
    networks with Gumbel-softmax, 2021.
    """

    epochs: PositiveInt = 200
    patience: PositiveInt = 10
    fit_epochs: PositiveInt = 200
    fit_patience: PositiveInt = 10
    rows: PositiveInt = 16
    lr: PositiveFloat = 1e-3
    selector_lr: PositiveFloat | None = None
    weight_decay: NonNegativeFloat = 5e-4
    temperature: tuple[PositiveFloat, PositiveFloat] = (10.0, 0.1)
    tau: tuple[PositiveFloat, PositiveFloat] = (3.0, 1.1)
    converged_entropy: Annotated[float, Field(ge=0, le=1)] = 0.05
    random_sets: NonNegativeInt = 5


class TrainConfig(Strict):
    """A training run, as in its TOML file."""

    pipeline: PipelineConfig
    data: DataConfig
    trials: TrialsConfig = TrialsConfig()
    augment: AugmentConfig = AugmentConfig()
    sampling: SamplingConfig | None = None
    training: TrainingConfig = TrainingConfig()
    selection: SearchConfig = SearchConfig()
    crossval: CrossvalConfig = CrossvalConfig()
    electrodes: ElectrodesConfig = ElectrodesConfig()

    @model_validator(mode="after")
    def _parts_agree(self) -> TrainConfig:
        classes = self.pipeline.classes
        for number, recordings in enumerate(self.data.recordings):
            used = [*recordings.labels.values(), *(marked.label for marked in recordings.marked)]
            _require_labels(used, classes, f"data.recordings.{number}")
        if self.data.dataset is not None:
            _require_labels(list(self.data.dataset.labels.values()), classes, "data.dataset.labels")
        known = not is_plugin(self.pipeline.model)  # of a plug-in it is known when it is built
        if self.data.validation.k_fold and known and getattr(self.pipeline.model, "window", None) is None:
            raise ValueError("data.validation.k_fold is for networks of trials; name the recordings in `folds`")
        if self.sampling is not None and getattr(self.pipeline.model, "window", None) is not None:
            raise ValueError(f"sampling is for taggers, and a {self.pipeline.model.kind} takes trials; leave it out")
        if self.data.synthetic is not None:
            _require_labels([self.data.synthetic.label], classes, "data.synthetic.label")
        for one in self.electrodes.sets:
            _require_derivations(one.derivations, self.pipeline.montage.channels, f"electrodes.sets, {one.name!r}")
        if self.pipeline.mask is not None and not self.augment.channel_dropout:
            raise ValueError(
                "pipeline.mask: the network must have learned to do without a channel; set augment.channel_dropout"
            )
        cues = self.pipeline.cues
        if cues is not None and cues.offset_s != self.trials.start_s:
            raise ValueError(
                f"pipeline.cues.offset_s {cues.offset_s:g} is not trials.start_s {self.trials.start_s:g}: live, a cue's "
                "window must begin where the trials of the training do"
            )
        one_of_all = self.training.loss == "cross_entropy"
        if one_of_all != (self.pipeline.activation == "softmax"):
            raise ValueError(
                f"training.loss {self.training.loss!r} does not go with pipeline.activation "
                f"{self.pipeline.activation!r}: cross_entropy wants softmax, bce and focal want sigmoid"
            )
        if one_of_all and len(classes) < 2:
            raise ValueError("cross_entropy wants two classes or more in pipeline.classes")
        return self


def _require_labels(labels: list[str], classes: tuple[str, ...], where: str) -> None:
    known = (*classes, BACKGROUND, UNKNOWN)
    for label in labels:
        if label not in known:
            raise ValueError(f"{where}: {label!r} is not among {', '.join(known)}{nearest(label, known)}")


def _require_derivations(names: tuple[str, ...], known: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: {name!r} is not in the montage{nearest(name, known)}")


def read_train_config(path: str | Path, settings: list[str] | None = None) -> TrainConfig:
    """Read a training config.

    Parameters
    ----------
    path
        A TOML file.
    settings
        ``a.b=c``, which override it.

    Returns
    -------
    TrainConfig
        Its `data.root` is absolute: relative to the config's folder where the file sets it, to the working folder
        where `settings` does.

    Raises
    ------
    ConfigError
        If it is not valid; the message names file and key.
    """
    path = Path(path)
    values = read_toml(path)
    if isinstance(values.get("data"), dict) and isinstance(values["data"].get("root", "."), str):
        values["data"]["root"] = str(path.parent.resolve() / values["data"].get("root", "."))
    config = parse(TrainConfig, override(values, settings or []), str(path))
    root = Path(config.data.root).resolve()
    if (config.data.recordings or config.data.dataset) and not root.is_dir():
        raise ConfigError(f"{path}: data.root {root} is not a folder; name it with --set data.root=FOLDER")
    return config.model_copy(update={"data": config.data.model_copy(update={"root": str(root)})})
