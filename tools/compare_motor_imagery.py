"""Compare a pipeline of trials with CSP + LDA and with the tangent space, in the same folds.

    python tools/compare_motor_imagery.py DATA_ROOT [--config configs/motor_imagery.toml] [--set A.B=C] …

DATA_ROOT holds the recordings of the config, as eegmmidb/S001R03.edf. Each recording, or each fold of the config's
data.validation, is left out once. The pipeline is fitted to the others as `rtbci train` does (`rtbci select`, where its model
is a selection of electrodes); the baselines are fitted to the same trials as the live stages give them: same band, same rate,
same channels, those that the selection of this fold chose.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from paired_scores import LEVEL, Flags, Ints, Paired, interval, kappa, least_above_chance
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from trial_baselines import csp_lda, tangent_space_regression

from rtbci.cli.terminal import Terminal
from rtbci.errors import ConfigError, RtbciError
from rtbci.evaluation.trial_scores import decided
from rtbci.models.config import SelectorConfig
from rtbci.models.threads import torch_threads
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.network import probabilities
from rtbci.text import one_line
from rtbci.training.config import TrainConfig, read_train_config
from rtbci.training.cross_validation import folds_of
from rtbci.training.data import Data, OnProgress, OnWarning, with_sizes
from rtbci.training.electrode_selection.comparison import Comparison
from rtbci.training.examples import Example
from rtbci.training.train import fitted

CONFIG = Path(__file__).parents[1] / "configs" / "motor_imagery.toml"
CSP, TANGENT = "CSP + LDA", "tangent space"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fold:
    """Who answers, what it was fitted to, and what was left out of that."""

    data: Data
    pipeline: Pipeline
    training: list[Example]
    test: list[Example]


@dataclass(frozen=True)
class FoldAnswers:
    """Answers to the trials of the recordings that a fold left out.

    Attributes
    ----------
    recordings
        Their names.
    truth
        (n,), index of the class.
    predicted
        (n,) by each method, the pipeline first.
    channels
        That all of them were given.
    """

    recordings: tuple[str, ...]
    truth: Ints
    predicted: dict[str, Ints]
    channels: tuple[str, ...]

    @property
    def right(self) -> dict[str, Flags]:
        return {method: self.truth == predicted for method, predicted in self.predicted.items()}


def compare(config: TrainConfig, on_progress: OnProgress, on_warning: OnWarning) -> tuple[Data, list[FoldAnswers]]:
    """The recordings, and the answers of all methods to every trial, each by a fit that never saw its recording.

    Raises
    ------
    ConfigError
        If the network does not answer trials, or there are too few recordings or trials.
    """
    model = with_sizes(config.pipeline).model
    is_selection = isinstance(model, SelectorConfig)
    network = model.inner() if is_selection else model
    if getattr(network, "window", None) is None:
        raise ConfigError(f"model.kind {network.kind!r} answers at every hop; wanted a network of trials")
    folds = selecting if is_selection else fitting
    with torch_threads(config.training.threads):
        answered = [(fold.data, answers_of(fold)) for fold in folds(config, on_progress, on_warning)]
    return answered[0][0], [answers for _, answers in answered]


def fitting(config: TrainConfig, on_progress: OnProgress, on_warning: OnWarning) -> Iterator[Fold]:
    """Folds of a network that is fitted to all channels of the montage."""
    data = Data.load(config, on_progress, on_warning)
    tests = tests_of(data)
    for number, names in enumerate(tests, 1):
        rest, left_out = data.without(names)
        pipeline = fitted(rest, lambda _, *far, n=number: on_progress(f"fold {n} of {len(tests)}", *far))
        yield Fold(rest, pipeline, [*rest.training, *rest.held_out], left_out)


def selecting(config: TrainConfig, on_progress: OnProgress, on_warning: OnWarning) -> Iterator[Fold]:
    """Folds of a network behind a selection of electrodes, which is made anew in each."""
    comparison = Comparison.load(config, on_progress, on_warning)
    folds = comparison.folds()
    for number, fold in enumerate(folds, 1):
        what = f"fold {number} of {len(folds)}"
        selected = comparison.select(
            fold, config.pipeline.model.n_select, lambda *far, what=what: on_progress(what, *far, None)
        )
        training = [comparison.examples[i] for i in sorted((*fold.training, *fold.held_out))]
        yield Fold(
            comparison.data, comparison.pipeline(selected), training, [comparison.examples[i] for i in fold.test]
        )


def tests_of(data: Data) -> list[set[str]]:
    """Recordings of each fold: those of the config, else the units that must not be split. Raises ConfigError for one."""
    validation = data.config.data.validation
    if validation.folds or validation.k_fold:
        return folds_of(data)[0]
    groups = list(dict.fromkeys(source.group for source in data.sources))
    if len(groups) < 2:
        raise ConfigError("there is one recording; wanted two or more, so that each can be left out of a fit")
    return [{source.name for source in data.sources if source.group == group} for group in groups]


@torch.inference_mode()
def answers_of(fold: Fold) -> FoldAnswers:
    """The pipeline's answers, and those of the baselines fitted to what the pipeline was fitted to."""
    all_channels, channels = names_of(fold.data.pipeline_config), names_of(fold.pipeline.config)
    at = [all_channels.index(name) for name in channels]
    x, labels = trials_of(fold.data, fold.training)
    unseen, truth = trials_of(fold.data, fold.test)
    predicted = {fold.pipeline.config.name: decided(answers(fold.pipeline, unseen[..., at]))}
    for method, classifier in ((CSP, csp_lda(len(at))), (TANGENT, tangent_space_regression())):
        predicted[method] = classifier.fit(x[..., at], labels).predict(unseen[..., at])
    return FoldAnswers(tuple(example.source.name for example in fold.test), truth, predicted, channels)


def answers(pipeline: Pipeline, x: Floats) -> Floats:
    """Its probabilities (n, n_classes) for trials (n, time, n_channels)."""
    logits = pipeline.network(torch.from_numpy(np.ascontiguousarray(x)))[0].numpy()
    return probabilities(logits, pipeline.config.activation)


def names_of(config: PipelineConfig) -> tuple[str, ...]:
    """Channels that its network sees."""
    return config.selection.channels if config.selection else config.montage.channels


def trials_of(data: Data, examples: list[Example]) -> tuple[Floats, Ints]:
    """(n, time, n_channels) and the label of each. Raises ConfigError where there is none."""
    trials = data.trials(examples)
    if not len(trials):
        raise ConfigError(f"{', '.join(e.source.name for e in examples)}: no labelled trial as long as the window")
    return np.concatenate([batch.x.numpy() for batch in trials]), trials.labels


def table_of(folds: Sequence[FoldAnswers]) -> Table:
    """Accuracy and kappa by fold and in total, and each baseline against the pipeline."""
    methods = list(folds[0].predicted)
    table = Table("left out", "trials", *methods)
    for fold in folds:
        table.add_row(short(fold.recordings), str(len(fold.truth)), *(figures(fold, m) for m in methods))
    whole = joined(folds)
    table.add_section()
    table.add_row("all", str(len(whole.truth)), *(figures(whole, m) for m in methods))
    edges = [interval(whole.right[m]) for m in methods]
    table.add_row("95 % (Clopper-Pearson)", "", *(f"{low:.2f}–{high:.2f}" for low, high in edges))
    pairs = [Paired.of(whole.right[methods[0]], whole.right[m]) for m in methods[1:]]
    table.add_row("only pipeline : only it right", "", "", *(f"{p.only_first} : {p.only_second}" for p in pairs))
    table.add_row("McNemar, exact", "", "", *(f"p = {pair.p:.3f}" for pair in pairs))
    return table


def short(recordings: Sequence[str]) -> str:
    """Their names, without folder and suffix; of many, how many."""
    return (
        ", ".join(Path(name).stem for name in recordings) if len(recordings) <= 4 else f"{len(recordings)} recordings"
    )


def figures(fold: FoldAnswers, method: str) -> str:
    """Accuracy and kappa."""
    agreement = kappa(fold.truth, fold.predicted[method])
    return f"{fold.right[method].mean():.3f}, κ {'n/a' if agreement is None else f'{agreement:.2f}'}"


def joined(folds: Sequence[FoldAnswers]) -> FoldAnswers:
    """All folds as one."""
    return FoldAnswers(
        tuple(name for fold in folds for name in fold.recordings),
        np.concatenate([fold.truth for fold in folds]),
        {method: np.concatenate([fold.predicted[method] for fold in folds]) for method in folds[0].predicted},
        tuple(dict.fromkeys(name for fold in folds for name in fold.channels)),
    )


def lines_of(data: Data, folds: Sequence[FoldAnswers]) -> list[str]:
    """What the table stands on: the trials, chance, and whose they are."""
    whole, config = joined(folds), data.pipeline_config
    counts = np.unique(whole.truth, return_counts=True)[1]
    n, chance = len(whole.truth), counts.max() / counts.sum()
    least = least_above_chance(chance, n)
    each = "" if len({fold.channels for fold in folds}) == 1 else f", {len(folds[0].channels)} in each fold"
    band = f"{config.filters.low_hz or 0:g}–{config.filters.high_hz or config.sfreq / 2:g} Hz"
    start_s = data.config.trials.start_s
    window = f"{start_s:g} to {start_s + data.window / config.sfreq:g} s from the cue"
    return [
        f"{', '.join(config.classes)}; {window}; {band}; {len(whole.channels)} channels{each}: {' '.join(whole.channels)}",
        f"chance: {chance:.3f} ({counts.max()} of {n} are of one class); above it, at p < {LEVEL:g} one-sided, from "
        f"{least / n:.3f} on ({least} of {n})",
        subjects_line(data, n),
    ]


def subjects_line(data: Data, n_trials: int) -> str:
    """How many people, and what follows from that."""
    subjects = sorted({source.subject for source in data.sources if source.subject})
    alike = "trials of one recording are alike, so that the intervals are too narrow"
    if len(subjects) != 1:
        return f"{len(subjects) or 'an unknown number of'} subjects, {n_trials} trials; {alike}"
    return f"this is one subject, {subjects[0]}, with {n_trials} trials: it says nothing of other people; {alike}"


def main(arguments: list[str]) -> int:
    """Compare, and print the table. Returns 2 for a user's mistake, told in one line, and 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--config", type=Path, default=CONFIG, help="a training config with a network of trials")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="A.B=C", help="overrides it")
    options = parser.parse_args(arguments)
    console = Terminal(stderr=True)
    settings = [f"data.root={str(options.data_root)!r}", *options.settings]
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}")
    try:
        config = read_train_config(options.config, settings)
        with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
            task = bar.add_task("reading", total=None)
            data, folds = compare(
                config,
                lambda what, done, total, _: bar.update(task, description=what, completed=done, total=total),
                lambda line: console.print(f"warning: {line}", soft_wrap=True),
            )
    except RtbciError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    out = Terminal()
    out.print(table_of(folds))
    for line in lines_of(data, folds):
        out.print(line, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
