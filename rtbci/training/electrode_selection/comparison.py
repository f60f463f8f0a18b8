"""A learned selection compared with all electrodes and with baselines, each on recordings left out of its fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from rtbci.errors import ConfigError
from rtbci.evaluation.trial_scores import wilson
from rtbci.models import config as models
from rtbci.models import from_config
from rtbci.models.gumbel_selector import SelectionNet
from rtbci.models.network import Network
from rtbci.pipeline.config import ChosenElectrodes, PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.scaling import ConstantScaling, RunningScaling
from rtbci.training.config import TrainConfig
from rtbci.training.cross_validation import folds_of
from rtbci.training.data import Data, OnProgress, OnWarning
from rtbci.training.electrode_selection import baselines
from rtbci.training.electrode_selection.search import Evaluation, OnEpoch, Selected, evaluate, fit, select
from rtbci.training.electrode_selection.segments import Ints, Segments
from rtbci.training.losses import Loss, balance, make_loss

GUMBEL, ANEW, ALL = "gumbel", "gumbel, fitted anew", "all electrodes"
INFORMATION, BACKWARD, RANDOM = "mutual information", "backward elimination", "random"


@dataclass(frozen=True)
class Score:
    """Accuracy of a method over all folds with k electrodes.

    Attributes
    ----------
    method
        How the electrodes were chosen.
    k
        Number of electrodes.
    accuracies
        Of each random set; of the one set otherwise.
    n_segments
        Independent segments that were scored.
    electrodes
        Of each fold; none for random sets.
    """

    method: str
    k: int
    accuracies: tuple[float, ...]
    n_segments: int
    electrodes: tuple[tuple[str, ...], ...] = ()  # of each fold; none for random sets

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean accuracy by Wilson's score."""
        return wilson(self.accuracy, self.n_segments)


@dataclass(frozen=True)
class Fold:
    """Examples (recordings) to fit to, for early stopping, and to test on, by index."""

    training: tuple[int, ...]
    held_out: tuple[int, ...]
    test: tuple[int, ...]


class Comparison:
    """One config's segments, on which any set of electrodes can be fitted and scored in the same way.

    Parameters
    ----------
    config
        With the network itself as its model, without a selector.
    data
        Its recordings.
    segments
        Of all recordings.
    """

    def __init__(self, config: TrainConfig, data: Data, segments: Segments) -> None:
        training = config.training
        on_gpu = training.device == "cuda" or (training.device == "auto" and torch.cuda.is_available())
        self.device = "cuda" if on_gpu else "cpu"
        self.config, self.data, self.segments = config, data, segments.to(self.device)
        self.channels = data.pipeline_config.montage.channels
        self.examples = (*data.training, *data.held_out)

    @classmethod
    def load(cls, config: TrainConfig, on_progress: OnProgress, on_warning: OnWarning = lambda _: None) -> Comparison:
        """Read and preprocess. Raises ConfigError for settings that cannot be combined with a selection."""
        config = without_selector(config)
        data = Data.load(config, on_progress, on_warning)
        return cls(config, data, Segments.of_data(data, (*data.training, *data.held_out)))

    def folds(self) -> list[Fold]:
        """Folds in which each recording, or each fold of `data.validation`, is tested on once.

        Early stopping uses what `data.validation` holds out, else the next fold. Raises ConfigError where there are
        too few.
        """
        fixed = tuple(i for i, e in enumerate(self.examples) if e.source.held_out)
        tests = [test for test in self._tests() if not set(test) & set(fixed)]
        if len(tests) < 3 - bool(fixed):
            raise ConfigError(
                f"a selection wants recordings to fit to, to stop by and to test on; there are {len(self.examples)}"
            )
        folds = []
        for test, after in zip(tests, [*tests[1:], tests[0]], strict=True):
            held_out = fixed or after
            rest = tuple(i for i in range(len(self.examples)) if i not in (*test, *held_out))
            folds.append(Fold(rest, held_out, test))
        return folds

    def _tests(self) -> list[tuple[int, ...]]:
        """The validation's folds, else the units that must not be split: a recording, or its subject."""
        validation = self.config.data.validation
        if validation.folds or validation.k_fold:
            named = folds_of(self.data)[0]
            return [tuple(i for i, e in enumerate(self.examples) if e.source.name in names) for names in named]
        groups = [e.source.group or e.source.name for e in self.examples]
        return [tuple(i for i, g in enumerate(groups) if g == group) for group in dict.fromkeys(groups)]

    def final_fold(self) -> Fold:
        """The fold for the final pipeline: nothing is kept for a test."""
        last = self.folds()[-1]
        return Fold(tuple(i for i in range(len(self.examples)) if i not in last.held_out), last.held_out, ())

    def of(self, examples: Sequence[int]) -> Segments:
        return self.segments.of(np.isin(self.segments.groups, list(examples)))

    def loss(self, training: Segments) -> Loss:
        config = self.config.training
        weights = torch.ones(training.y.shape[-1], device=self.device)
        if config.class_weights == "auto":
            counts = training.y[training.known].sum(0)
            weights = balance(counts, int(training.known.sum()), one_of_all=config.loss == "cross_entropy")
        return make_loss(config, weights)

    def network(self, k: int) -> Network:
        """A fresh network for k electrodes, from the config's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            return from_config(self.model(k)).to(self.device)

    def model(self, k: int) -> models.ModelConfig:
        sizes = self.data.pipeline_config.model.model_dump(exclude={"kind", "n_channels"})
        return models.model_config(self.data.pipeline_config.model.kind, n_channels=k, **sizes)

    def select(self, fold: Fold, k: int, on_epoch: OnEpoch) -> Selected:
        network = self.network(k)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            selecting = SelectionNet(len(self.channels), k, network).to(self.device)
        training = self.of(fold.training)
        return select(
            selecting, training, self.of(fold.held_out), self.loss(training),
            self.config.selection, self.config.training.seed, on_epoch,
        )  # fmt: skip

    def fit(self, fold: Fold, electrodes: Sequence[int], on_epoch: OnEpoch) -> Network:
        training = self.of(fold.training)
        return fit(
            self.network(len(electrodes)), training.with_channels(electrodes), self.of(fold.held_out).with_channels(electrodes),
            self.loss(training), self.config.selection, self.config.training.seed, on_epoch,
        )  # fmt: skip

    def score(self, fold: Fold, network: Network, electrodes: Sequence[int]) -> Evaluation:
        test = self.of(fold.test)
        return evaluate(network, test.with_channels(electrodes), self.loss(test))

    def pipeline(self, selected: Selected) -> Pipeline:
        """A pipeline with the fine-tuned network that needs only the chosen electrodes."""
        config = narrowed(self.data.pipeline_config, selected.electrodes, selected.probabilities)
        config = config.model_copy(update={"model": self.model(len(selected.electrodes))})
        return Pipeline(config, selected.network.to("cpu"))


def without_selector(config: TrainConfig) -> TrainConfig:
    """The config with the network alone, on all electrodes. Raises ConfigError as `Comparison.load` does."""
    if config.augment.is_on:
        raise ConfigError("augment: a selection is made on recordings as they are; remove [augment]")
    if config.sampling is not None:
        raise ConfigError("sampling: a selection takes recordings in turn; remove [sampling], or select --by-patient")
    return with_network_alone(config)


def with_network_alone(config: TrainConfig) -> TrainConfig:
    """The config without a selector. Raises ConfigError where the electrodes are chosen, or the scaling depends on them."""
    pipeline = config.pipeline
    if pipeline.selection is not None:
        raise ConfigError("pipeline.selection names the electrodes already; leave it out to have them selected")
    if isinstance(pipeline.scaling, RunningScaling):
        raise ConfigError(
            "pipeline.scaling 'running' takes its amplitude from all channels, so that it would change with the "
            "electrodes; for a selection use kind = 'constant' or 'none'"
        )
    if isinstance(pipeline.model, models.SelectorConfig):
        pipeline = pipeline.model_copy(update={"model": pipeline.model.network})
    return config.model_copy(update={"pipeline": pipeline})


def narrowed(
    config: PipelineConfig, electrodes: Sequence[int], probabilities: tuple[tuple[float, ...], ...] = ()
) -> PipelineConfig:
    """The config with these electrodes of the montage chosen, and the scaling's constants of these."""
    rounded = tuple(tuple(min(1.0, round(p, 6)) for p in row) for row in probabilities)
    names = tuple(config.montage.channels[e] for e in electrodes)
    scaling = config.scaling
    if isinstance(scaling, ConstantScaling):
        update = {key: tuple(getattr(scaling, key)[e] for e in electrodes) for key in ("center_uv", "scale_uv")}
        scaling = scaling.model_copy(update=update)
    chosen = ChosenElectrodes(channels=names, probabilities=rounded)
    return config.model_copy(update={"selection": chosen, "scaling": scaling})


def scores_of_all(comparison: Comparison, on_progress: OnProgress) -> Score:
    """Score of all electrodes: the reference."""
    return _score(
        comparison, ALL, len(comparison.channels), lambda *_: tuple(range(len(comparison.channels))), on_progress
    )


def scores_with(comparison: Comparison, k: int, on_progress: OnProgress) -> tuple[list[Score], list[Selected]]:
    """Scores of every method with k electrodes, and the searches of the folds."""
    found: list[Selected] = []
    folds, correct = comparison.folds(), []
    for number, fold in enumerate(folds, 1):
        found.append(
            comparison.select(fold, k, _within(on_progress, f"{GUMBEL}, K = {k}, fold {number} of {len(folds)}"))
        )
        correct.append(comparison.score(fold, found[-1].network, found[-1].electrodes).correct)
    names = tuple(_names(comparison, one.electrodes) for one in found)
    right = np.concatenate(correct)
    scores = [Score(GUMBEL, k, (float(right.mean()),), len(right), names)]
    chosen = dict(zip(folds, (one.electrodes for one in found), strict=True))
    scores.append(_score(comparison, ANEW, k, lambda fold, *_: chosen[fold], on_progress))
    scores.append(
        _score(comparison, INFORMATION, k, lambda _, x, y: baselines.by_mutual_information(x, y, k), on_progress)
    )
    scores.append(
        _score(comparison, BACKWARD, k, lambda _, x, y: baselines.by_backward_elimination(x, y, k), on_progress)
    )
    drawn = [
        _score(comparison, RANDOM, k, partial(_at_random, len(comparison.channels), k, seed), on_progress)
        for seed in range(comparison.config.selection.random_sets)
    ]
    if drawn:
        scores.append(replace(drawn[0], accuracies=tuple(one.accuracy for one in drawn), electrodes=()))
    return scores, found


# (fold, log band power (n, n_channels) and labels (n,) of its training segments) -> electrodes
Chooser = Callable[[Fold, baselines.Features, Ints], tuple[int, ...]]


def _at_random(n_channels: int, k: int, seed: int, *_: object) -> tuple[int, ...]:
    return baselines.at_random(n_channels, k, seed)


def _score(comparison: Comparison, method: str, k: int, choose: Chooser, on_progress: OnProgress) -> Score:
    folds = comparison.folds()
    correct, sets = [], []
    for number, fold in enumerate(folds, 1):
        training = comparison.of(fold.training)
        electrodes = choose(fold, training.log_power(), training.labels())
        network = comparison.fit(
            fold, electrodes, _within(on_progress, f"{method}, K = {k}, fold {number} of {len(folds)}")
        )
        correct.append(comparison.score(fold, network, electrodes).correct)
        sets.append(_names(comparison, electrodes))
    right = np.concatenate(correct)
    return Score(method, k, (float(right.mean()),), len(right), tuple(sets))


def _names(comparison: Comparison, electrodes: Sequence[int]) -> tuple[str, ...]:
    return tuple(comparison.channels[e] for e in electrodes)


def _within(on_progress: OnProgress, what: str) -> Callable[[int, int], None]:
    return lambda done, total: on_progress(what, done, total, None)
