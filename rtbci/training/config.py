"""Configuration of a training run: the pipeline, its recordings and labels, and the fit of the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from rtbci.config import Strict, nearest, override, parse, read_toml
from rtbci.datasets.named import parse_dataset
from rtbci.errors import ConfigError
from rtbci.models.config import is_plugin
from rtbci.pipeline.config import PipelineConfig
from rtbci.training.crossval.config import CrossvalConfig
from rtbci.training.data_config import BACKGROUND, UNKNOWN, DataConfig
from rtbci.training.electrode_selection.by_patient.config import ElectrodesConfig
from rtbci.training.sampling import SamplingConfig

Fraction = Annotated[float, Field(ge=0, lt=1)]
Layers = Literal["all", "last"]


class AugmentConfig(Strict):
    """What is varied at each visit to a recording, after the scaling.

    Attributes
    ----------
    gain_sd
        Standard deviation of the logarithm of a gain, the same for all channels.
    channel_gain_sd
        The same for each channel.
    spectrum_sd
        Standard deviation of the logarithm of the amplitude at each octave, the same for all channels.
    channel_dropout
        Share of channels that are set to zero.
    mirror
        Whether left and right are swapped, in half of the visits; the montage must have both.
    invert
        Whether the sign of all channels is turned, in half of the visits.
    """

    gain_sd: NonNegativeFloat = 0.0
    channel_gain_sd: NonNegativeFloat = 0.0
    spectrum_sd: NonNegativeFloat = 0.0
    channel_dropout: Fraction = 0.0
    mirror: bool = False
    invert: bool = False

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
    optimizer
        Of PyTorch.
    lr
        Learning rate.
    schedule
        Of the learning rate: "cosine" falls to zero over all epochs.
    warmup_epochs
        Epochs over which the learning rate rises from zero.
    weight_decay
        Of the optimizer.
    clip_norm
        Largest norm of the gradient; a larger one is scaled down.
    loss
        "bce": each class by itself; "focal": the same, with less weight on what is easy; "cross_entropy": one class of several.
    focal_gamma
        Exponent of the focal loss.
    class_weights
        "auto": rarer classes weigh more.
    label_smoothing
        Share of a label that goes to the other classes.
    layers
        Which are trained: "all", or "last", the one that gives the answers, behind a network that stays as it was in the
        pipeline that the fit begins with (`rtbci train --from`).
    mixed_precision
        On a GPU: bfloat16 where that is enough.
    device
        "auto": a GPU where there is one.
    threads
        Of the CPU; with more than one, results differ in their last bits.
    seed
        Of the first weights, the order of examples and the augmentation.
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
    layers: Layers = "all"
    mixed_precision: bool = False
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    threads: PositiveInt = 1
    seed: NonNegativeInt = 0


class TrialsConfig(Strict):
    """For networks of epochs: where a trial lies.

    Attributes
    ----------
    start_s
        First sample of a trial, from the annotation's onset.
    """

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
    rows
        Trials, or sequences, in a batch.
    converged_entropy
        Mean entropy of the selectors at which a search may end: 1 undecided, 0 decided.

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
        for wanted, where in self.data.datasets():
            _require_labels(list(wanted.labels.values()), classes, f"{where}.labels")
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


def with_datasets(values: dict[str, Any], datasets: Sequence[str]) -> dict[str, Any]:
    """A config, as plain values, with datasets that are given as ``NAME=FOLDER``. Raises ConfigError for another form."""
    for text in datasets:
        name, folder = parse_dataset(text)
        data = values.setdefault("data", {})
        there = data.get("dataset") or []
        tables = [there] if isinstance(there, dict) else list(there)
        same = [table for table in tables if isinstance(table, dict) and table.get("name") == name]
        for table in same:
            table["folder"] = str(folder)
        tables = tables if same else [*tables, {"name": name, "folder": str(folder)}]
        data["dataset"] = tables if len(tables) > 1 else tables[0]
    return values


def read_train_config(path: str | Path, settings: list[str] | None = None, datasets: Sequence[str] = ()) -> TrainConfig:
    """Read a training config.

    Parameters
    ----------
    path
        A TOML file.
    settings
        ``a.b=c``, which override it.
    datasets
        ``NAME=FOLDER``: where a dataset is that the config names; another one is added.

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
    values = with_datasets(override(values, settings or []), datasets)
    config = parse(TrainConfig, values, str(path))
    root = Path(config.data.root).resolve()
    relative = [one for one, _ in config.data.datasets() if not Path(one.folder).is_absolute()]
    if (config.data.recordings or relative) and not root.is_dir():
        raise ConfigError(f"{path}: data.root {root} is not a folder; name it with --set data.root=FOLDER")
    return config.model_copy(update={"data": config.data.model_copy(update={"root": str(root)})})
