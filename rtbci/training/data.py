"""The input of a fit: a config's recordings as examples, batches of an epoch, a fresh network and its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.stats import binom

from rtbci.errors import ConfigError
from rtbci.evaluation.annotations import Annotations
from rtbci.models import from_config
from rtbci.models.config import PluginConfig
from rtbci.models.contract import check_before_training
from rtbci.models.plugin_config import completed
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.bad_channels import MaskConfig
from rtbci.stages.scaling import NoScaling
from rtbci.text import grouped
from rtbci.training.augment import Augment
from rtbci.training.batches import Batches, StatefulBatches, TrialBatches
from rtbci.training.checks import label_warnings, require_both_sides
from rtbci.training.config import AugmentConfig, TrainConfig
from rtbci.training.drawn import DrawnBatches
from rtbci.training.examples import Example, find_sources, make_example, require_labels
from rtbci.training.fit import Fit
from rtbci.training.learning_curve import EpochFigures
from rtbci.training.losses import balance, make_loss
from rtbci.training.preprocessed import Preprocessed
from rtbci.training.scaling import learn_scaling
from rtbci.training.source import Source
from rtbci.training.splits import matching
from rtbci.training.start import Start
from rtbci.training.subjects import require_whole_subjects

# (what is being done, how much of it is done, of how much, the newest row of the learning curve)
OnProgress = Callable[[str, float, float, EpochFigures | None], None]
OnWarning = Callable[[str], None]


class Data:
    """A config's recordings, preprocessed: those to fit to, and those held out for early stopping.

    Parameters
    ----------
    config
        The training run.
    pipeline_config
        With sizes and scaling filled in.
    examples
        Of all recordings.
    warnings
        What was chosen or is odd, one line each.
    start
        The pipeline that fits begin with; None: with random weights.

    Raises
    ------
    ConfigError
        If a class has no known step in the recordings to fit to, or holds at every one.
    """

    def __init__(
        self,
        config: TrainConfig,
        pipeline_config: PipelineConfig,
        examples: list[Example],
        warnings: Sequence[str] = (),
        start: Start | None = None,
    ) -> None:
        self.config = config
        self.pipeline_config = pipeline_config
        self.start = start
        self.training = [e for e in examples if not e.source.held_out]
        self.held_out = [e for e in examples if e.source.held_out]
        self.warnings = list(warnings)
        require_labels(self.training, config.pipeline.classes)
        require_both_sides(self)

    @classmethod
    def load(
        cls,
        config: TrainConfig,
        on_progress: OnProgress = lambda *_: None,
        on_warning: OnWarning = lambda _: None,
        *,
        is_judged: bool = False,
        start: Start | None = None,
    ) -> Data:
        """Find, read and preprocess the recordings.

        Parameters
        ----------
        config
            The training run.
        on_progress
            Called with what is done, how much of it, of how much, and None.
        on_warning
            Called with what a person should know of the recordings and their labels, a line each.
        is_judged
            Whether it is known by folds how well the recipe does, so that nothing has to be held out.
        start
            The pipeline that fits begin with, and whose constants of the scaling hold where the config sets none.

        Returns
        -------
        Data
            With the scaling's constants learned from the recordings to fit to.

        Raises
        ------
        ConfigError, RecordingError, DatasetError
            If config and recordings do not agree, or one cannot be read.
        PluginError
            If the network is a plug-in that violates its contract.
        """
        sized = with_mask(with_sizes(config.pipeline), config.augment)
        check_before_training(sized.model)
        if config.data.validation.k_fold and getattr(sized.model, "window", None) is None:
            raise ConfigError("data.validation.k_fold is for networks of trials; name the recordings in `folds`")
        warnings: list[str] = []

        def warn(line: str) -> None:
            warnings.append(line)
            on_warning(line)

        sources = find_sources(config, warn)
        for line in grouped(text for source in sources for text in source.warnings):
            warn(line)
        if start is not None:
            validation = config.data.validation
            for line in start.told(sized, sources, in_folds=bool(validation.folds or validation.k_fold)):
                warn(line)
            sized = start.scaled(sized)
        preprocessed = preprocessed_of(config, sized, sources)
        if preprocessed.folder is not None:
            on_warning(f"preprocessed recordings are kept in {preprocessed.folder}")
        on_progress("learning the scaling", 0, 1, None)
        pipeline_config = learn_scaling(sized, [s for s in sources if not s.held_out], preprocessed)
        pipeline = Pipeline(pipeline_config, from_config(pipeline_config.model))
        examples = []
        for i, source in enumerate(sources):
            on_progress("reading recordings", i, len(sources), None)
            examples.append(make_example(pipeline, source, preprocessed))
        data = cls(config, pipeline_config, examples, start=start)
        for line in label_warnings(data, is_judged=is_judged):
            warn(line)
        data.warnings = warnings
        return data

    @property
    def window(self) -> int | None:
        """Samples of a trial, for an epoch network; None for a tagger."""
        window: int | None = getattr(self.pipeline_config.model, "window", None)
        return window

    @property
    def sources(self) -> list[Source]:
        return [e.source for e in (*self.training, *self.held_out)]

    @property
    def annotations(self) -> Annotations:
        """What the annotations of all recordings came to."""
        return Annotations.of(source.labels for source in self.sources if source.labels is not None)

    def new_fit(self) -> Fit:
        """A fresh network from the config's seed, or with the weights of `start`, and its loss."""
        training = self.config.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            network = from_config(self.pipeline_config.model)
        if self.start is not None:
            self.start.begin(network, training.layers)
        elif training.layers != "all":
            raise ConfigError(f'training.layers = "{training.layers}" wants a pipeline to begin with: --from PIPELINE')
        classes = len(self.pipeline_config.classes)
        weights = torch.ones(classes)
        if training.class_weights == "auto":
            weights = balance(*self._counts(), one_of_all=training.loss == "cross_entropy")
        device = training.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return Fit(network, make_loss(training, weights.to(device)), training, device, self.pipeline_config.classes)

    def _counts(self) -> tuple[torch.Tensor, int]:
        """(n_classes,) steps, or trials, to fit to at which each class holds; and those whose label is known."""
        if self.window is not None:
            trials = self.trials(self.training)
            n_classes = len(self.pipeline_config.classes)
            return torch.from_numpy(np.bincount(trials.labels + 1, minlength=n_classes + 1)[1:]), len(trials)
        labels = [example.labels for example in self.training]
        counts = np.sum([one.n_holding for one in labels], axis=0)
        return torch.from_numpy(counts), sum(one.n_known for one in labels)

    def training_batches(self, epoch: int) -> Batches:
        """Batches of an epoch, counted from 0: order and augmentation are drawn from the seed and this number only."""
        return self._batches(self.training, np.random.default_rng([self.config.training.seed, 1, epoch]))

    def held_out_batches(self) -> Batches:
        return self._batches(self.held_out, None)

    def _batches(self, examples: list[Example], rng: np.random.Generator | None) -> Batches:
        config, pipeline = self.config.training, self.pipeline_config
        channels = pipeline.selection.channels if pipeline.selection else pipeline.montage.channels
        augment = Augment(self.config.augment, channels) if rng is not None and self.config.augment.is_on else None
        if self.window is not None:
            return TrialBatches(
                examples,
                pipeline.classes,
                self.window,
                config.rows,
                self.config.trials.start_s,
                rng=rng,
                augment=augment,
            )
        step_s = getattr(pipeline.model, "hop", 1) / pipeline.sfreq
        if self.config.sampling is not None and rng is not None:
            return DrawnBatches(examples, self.config.sampling, config.rows, step_s, rng, augment)
        visit_steps = None if config.visit_s is None else max(1, round(config.visit_s / step_s))
        steps = max(1, round(config.bptt_s / step_s))
        return StatefulBatches(examples, config.rows, steps, rng=rng, augment=augment, visit_steps=visit_steps)

    def fold(self, patterns: tuple[str, ...]) -> tuple[Data, list[Source]]:
        """The data without the recordings that match, and the sources of these: neither fitted nor validated on."""
        real = [source.name for source in self.sources if source.recording.format != "synthetic"]
        data, left_out = self.without(matching(patterns, real, "data.validation.folds"))
        require_whole_subjects([e.source for e in left_out], data.sources, "data.validation.folds")
        return data, [example.source for example in left_out]

    def without(self, names: set[str]) -> tuple[Data, list[Example]]:
        """The data without recordings of these names, and the examples of these."""
        examples = [*self.training, *self.held_out]
        kept = [e for e in examples if e.source.name not in names]
        return Data(self.config, self.pipeline_config, kept, start=self.start), [
            e for e in examples if e.source.name in names
        ]

    def trials(self, examples: list[Example], rows: int = 256) -> TrialBatches:
        """Trials of some examples in order, without augmentation; for epoch networks."""
        assert self.window is not None
        return TrialBatches(examples, self.pipeline_config.classes, self.window, rows, self.config.trials.start_s)


def preprocessed_of(config: TrainConfig, sized: PipelineConfig, sources: Sequence[Source]) -> Preprocessed:
    """Where the signals of the recordings are kept. Raises ConfigError where there is no room for them."""
    bare = sized.model_copy(update={"scaling": NoScaling()})
    pipeline = Pipeline(bare, from_config(bare.model))
    return Preprocessed.chosen(config.data, pipeline, [source.recording for source in sources])


def with_sizes(config: PipelineConfig) -> PipelineConfig:
    """The config with the network's inputs and outputs taken from the montage and the classes."""
    channels = config.selection.channels if config.selection else config.montage.channels
    update = {"n_channels": len(channels), "n_classes": len(config.classes)}
    model = config.model.model_copy(update=update)
    return config.model_copy(update={"model": completed(model) if isinstance(model, PluginConfig) else model})


def with_mask(config: PipelineConfig, augment: AugmentConfig) -> PipelineConfig:
    """The config with a mask for bad channels where training uses channel dropout: for as many as dropout removes."""
    if not augment.channel_dropout or config.mask is not None:
        return config
    n_channels = len(config.selection.channels if config.selection else config.montage.channels)
    most = min(n_channels - 1, int(binom.ppf(0.99, n_channels, augment.channel_dropout)))
    return config.model_copy(update={"mask": MaskConfig(most=most)})
