"""One fold: inner fits choose epoch and operating point, one refit sees all training units, and the rest is scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rtbci import provenance
from rtbci.errors import ConfigError
from rtbci.evaluation.cue_answers import answers_of
from rtbci.evaluation.tagging import Tagged, tag
from rtbci.evaluation.trial_scores import report
from rtbci.models import from_config
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.file import MAX_WEIGHT
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import TrainConfig
from rtbci.training.crossval import trees
from rtbci.training.crossval.answered_trials import answered_trials, arrays_of, rows_of_trials
from rtbci.training.crossval.operating_point import Answered, OperatingPoint, operating_points, with_point
from rtbci.training.crossval.plan import Fold, chooses
from rtbci.training.crossval.results import EpochRow, FoldChoice, FoldResult, RecordingRow, SubjectRow
from rtbci.training.crossval.totals import recording_row, subject_row
from rtbci.training.crossval.trial_results import TrialFoldResult
from rtbci.training.data import Data, OnProgress, preprocessed_of, with_mask, with_sizes
from rtbci.training.examples import make_example
from rtbci.training.fit import Fit, Weights
from rtbci.training.held_out import RecordingScores, score_tagged, scores_of
from rtbci.training.learning_curve import EpochFigures
from rtbci.training.preprocessed import Preprocessed
from rtbci.training.scaling import learn_scaling
from rtbci.training.source import Source
from rtbci.training.step_labels import label_steps
from rtbci.training.train import notes_of, pipeline_of, run_epoch, within

Answer: TypeAlias = tuple[Source, Tagged, RecordingScores]


@dataclass(frozen=True)
class Fitted:
    """What a fold came to: its row of the results, its pipeline, and the scores of what it left out. Trees are no pipeline."""

    result: FoldChoice
    pipeline: Pipeline | None
    scores: dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Chosen:
    """What the inner folds came to: epoch and operating point, and everything that they were chosen from. Of trials, which
    are answered by the most probable class, there is no operating point."""

    epoch: int
    curve: tuple[EpochRow, ...]
    points: tuple[OperatingPoint, ...]


def run_fold(config: TrainConfig, sources: Sequence[Source], fold: Fold, on_progress: OnProgress) -> Fitted:
    """Choose, refit and test, without the subjects that the fold leaves out until they are tested.

    Parameters
    ----------
    config
        The training run.
    sources
        All recordings.
    fold
        Whom to leave out.
    on_progress
        Called with what is done, how much of it, of how much, and the newest row of a learning curve.

    Raises
    ------
    ConfigError
        If a loss is no longer finite.
    """
    training, left_out = fold.sides(sources)
    if config.crossval.baseline:
        return _of_trees(config, training, left_out, fold, on_progress)
    sized = with_mask(with_sizes(config.pipeline), config.augment)
    preprocessed = preprocessed_of(config, sized, training)
    chosen = choose(config, training, fold.inner, on_progress, preprocessed)
    data = data_of(config, training, frozenset(), preprocessed)
    fit = fitted_for(chosen.epoch, data, "refit", on_progress)
    fitted = pipeline_of(data, fit)
    of_fold = {
        "fold": fold.name,
        "left_out": sorted(fold.left_out),
        "epoch": chosen.epoch,
        "seed": data.config.crossval.seed,
    }
    if data.window is not None:
        trials, unanswered = answered_trials(fitted, data, left_out, fold, on_progress)
        scores = {"trials": report(answers_of([one.trial for one in trials]), fitted.classes)} if trials else {}
        fitted.notes = notes_of(data, fit, True, scores) | {"crossval": of_fold}
        rows = rows_of_trials(fold.name, trials, fitted.classes)
        outcome = TrialFoldResult(**_choice(fold, chosen), recordings=rows, unanswered=unanswered)
        return Fitted(outcome, fitted, arrays_of(trials, fitted.classes))
    pipeline = Pipeline(with_point(fitted.config, chosen.points[0]), fitted.network)
    answers = answered_by(pipeline, left_out, on_progress)
    pipeline.notes = notes_of(data, fit, True, scores_of([one for *_, one in answers]))
    pipeline.notes["crossval"] = of_fold | {"operating_point": chosen.points[0].plain()}
    result = _result(fold, chosen, pipeline.config, pipeline.hop_s, answers)
    return Fitted(result, pipeline, _arrays(answers, pipeline.config))


def _of_trees(
    config: TrainConfig, training: Sequence[Source], left_out: Sequence[Source], fold: Fold, on_progress: OnProgress
) -> Fitted:
    """The same of the baseline."""
    bare = trees.bare_pipeline(config)
    points, decided, tagged = trees.choose_and_answer(bare, config, training, fold.inner, left_out, on_progress)
    answers = [(source, result, score_tagged(decided, source, result, bare.hop_s)) for source, result in tagged]
    chosen = Chosen(trees.N_TREES, (), tuple(points))
    return Fitted(_result(fold, chosen, decided, bare.hop_s, answers), None, _arrays(answers, decided))


def choose(
    config: TrainConfig,
    training: Sequence[Source],
    inner: Sequence[frozenset[str]],
    on_progress: OnProgress,
    preprocessed: Preprocessed,
) -> Chosen:
    """Epoch and operating point, from the subjects that each inner fold leaves out.

    The inner fits go on together, epoch by epoch, until the mean of their held-out losses has had no new minimum for
    `training.patience` epochs; the weights of that minimum give the scores that the operating point is chosen on. With
    `crossval.epoch = "last"` they go on to the end of the schedule, and its weights are taken; of trials, nothing is left to
    choose then, and nothing is fitted.
    """
    if not chooses(config):
        return Chosen(config.training.epochs, (), ())
    folds = []
    for number, names in enumerate(inner, 1):
        on_progress(f"reading, inner fold {number} of {len(inner)}", number - 1, len(inner), None)
        folds.append(data_of(config, training, names, preprocessed))
    curve, best = _fit_together(config, folds, on_progress)
    last = config.crossval.epoch == "last"
    epoch = curve[-1].epoch if last else min(curve, key=lambda row: (row.held_out_loss, row.epoch)).epoch
    points = _points(config, folds, best, on_progress) if folds[0].window is None else []
    return Chosen(epoch, curve, tuple(points))


def _points(
    config: TrainConfig, folds: Sequence[Data], best: Sequence[Weights], on_progress: OnProgress
) -> list[OperatingPoint]:
    """What every operating point comes to on the answers of the inner fits, best first."""
    answered: list[Answered] = []
    for data, weights in zip(folds, best, strict=True):
        network = from_config(data.pipeline_config.model)
        network.load_state_dict(weights)
        pipeline = Pipeline(data.pipeline_config, network)
        for example in data.held_out:
            on_progress("scoring inner folds", len(answered), sum(len(d.held_out) for d in folds), None)
            answered.append(Answered(example.source, tag(pipeline, example.source.recording).scores))
    on_progress("choosing the operating point", 0, 1, None)
    return operating_points(answered, folds[0].pipeline_config, config.crossval.operating_point, pipeline.hop_s)


def fitted_for(epochs: int, data: Data, what: str, on_progress: OnProgress) -> Fit:
    """A fit from the config's seed after so many epochs. Raises ConfigError where it went beyond all bounds."""
    fit = data.new_fit()
    while fit.epoch < epochs:
        row = run_epoch(fit, data, within(on_progress, what, fit.epoch, epochs))
        on_progress(what, fit.epoch, epochs, row)
    _checked(fit)
    return fit


def data_of(
    config: TrainConfig,
    sources: Sequence[Source],
    held_out: frozenset[str],
    preprocessed: Preprocessed | None = None,
) -> Data:
    """Recordings to fit to, and those of some subjects to validate on; the scaling is learned without these."""
    sources = [replace(source, held_out=source.subject in held_out) for source in sources]
    sized = with_mask(with_sizes(config.pipeline), config.augment)
    preprocessed = preprocessed or preprocessed_of(config, sized, sources)
    pipeline_config = learn_scaling(sized, [source for source in sources if not source.held_out], preprocessed)
    pipeline = Pipeline(pipeline_config, from_config(pipeline_config.model))
    lasting = pipeline_config.scaling == sized.scaling  # another fit learns other constants
    examples = [make_example(pipeline, source, preprocessed, lasting=lasting) for source in sources]
    return Data(config, pipeline_config, examples)


def _fit_together(
    config: TrainConfig, folds: Sequence[Data], on_progress: OnProgress
) -> tuple[tuple[EpochRow, ...], list[Weights]]:
    """The mean learning curve of the inner fits, and the weights of each at its minimum."""
    fits = [data.new_fit() for data in folds]
    curve: list[EpochRow] = []
    best: list[Weights] = []
    least, since = math.inf, 0
    for epoch in range(config.training.epochs):
        rows = []
        for number, (fit, data) in enumerate(zip(fits, folds, strict=True)):
            done, of = epoch * len(fits) + number, config.training.epochs * len(fits)
            rows.append(run_epoch(fit, data, within(on_progress, "inner folds", done, of)))
            on_progress("inner folds", done + 1, of, rows[-1])
        curve.append(_mean(rows))
        since += 1
        if curve[-1].held_out_loss < least or config.crossval.epoch == "last":
            least, since = curve[-1].held_out_loss, 0
            best = [_checked(fit) for fit in fits]
        if since >= config.training.patience:
            break
    return tuple(curve), best


def _mean(rows: Sequence[EpochFigures]) -> EpochRow:
    losses = [row.held_out_loss for row in rows]
    known = [loss for loss in losses if loss is not None]
    if not known:
        raise ConfigError("no inner fold leaves out a recording with a known label, so that no epoch can be chosen")
    return EpochRow(
        epoch=rows[0].epoch,
        train_loss=float(np.mean([row.train_loss for row in rows])),
        held_out_loss=float(np.mean(known)),
        held_out_losses=tuple(losses),
    )


def _checked(fit: Fit) -> Weights:
    """A copy of the weights that are kept. Raises ConfigError where they could not be read from a pipeline file again."""
    weights = {key: value.detach().cpu().clone() for key, value in fit.candidate.state_dict().items()}
    if not all(bool((value.abs() <= MAX_WEIGHT).all()) for value in weights.values()):
        raise ConfigError(
            f"the weights are beyond all bounds after epoch {fit.epoch}; lower training.lr or set clip_norm"
        )
    return weights


def answered_by(pipeline: Pipeline, left_out: Sequence[Source], on_progress: OnProgress) -> list[Answer]:
    """Tag recordings by the live path, and score them."""
    answers: list[Answer] = []
    for source in left_out:
        on_progress("testing", len(answers), len(left_out), None)
        tagged = tag(pipeline, source.recording)
        answers.append((source, tagged, score_tagged(pipeline.config, source, tagged, pipeline.hop_s)))
    return answers


def _result(fold: Fold, chosen: Chosen, config: PipelineConfig, hop_s: float, answers: Sequence[Answer]) -> FoldResult:
    rows, subjects = rows_of(fold, config, hop_s, answers)
    points = chosen.points
    return FoldResult(
        **_choice(fold, chosen), operating_point=points[0], operating_points=points, recordings=rows, subjects=subjects
    )


def _choice(fold: Fold, chosen: Chosen) -> dict[str, Any]:
    """The keys of a `FoldChoice`."""
    return {
        "fold": fold.name,
        "tested": fold.tested,
        "others": fold.others,
        "inner": tuple(tuple(sorted(names)) for names in fold.inner),
        "epoch": chosen.epoch,
        "curve": chosen.curve,
        "made_by": made_by(),
    }


def rows_of(
    fold: Fold, config: PipelineConfig, hop_s: float, answers: Sequence[Answer]
) -> tuple[tuple[RecordingRow, ...], tuple[SubjectRow, ...]]:
    """A row for each recording that a fold left out, and for each subject."""
    rows = tuple(recording_row(fold, config, hop_s, *answer) for answer in answers)
    subjects = (*fold.tested, *fold.others)
    own = {subject: [answer for answer in answers if answer[0].subject == subject] for subject in subjects}
    return rows, tuple(subject_row(subject, fold, own[subject], rows) for subject in subjects)


def made_by() -> dict[str, str]:
    """The program and the machine's arithmetic: folds that differ here may differ in their last bits, or more."""
    return {"version": f"{provenance.__version__} {provenance.commit()}", "kernels": provenance.kernels()}


def _arrays(answers: Sequence[Answer], config: PipelineConfig) -> dict[str, npt.NDArray[np.generic]]:
    """Scores of all recordings, one after another, with what is known of each hop."""
    labels = [label_steps(result.scores.times, source, config.classes) for source, result, _ in answers]
    n_classes = len(config.classes)
    return {
        "recordings": np.array([source.name for source, *_ in answers]),
        "hops": np.array([len(result.scores) for _, result, _ in answers], np.int64),
        "times": np.concatenate([np.empty(0), *(result.scores.times for _, result, _ in answers)]),
        "probabilities": np.concatenate(
            [np.empty((0, n_classes), np.float32), *(result.scores.data for _, result, _ in answers)]
        ),
        "valid": np.concatenate([np.empty(0, np.bool_), *(result.scores.valid for _, result, _ in answers)]),
        "truth": np.concatenate([np.empty((0, n_classes), np.bool_), *(y > 0.5 for y, _ in labels)]),
        "known": np.concatenate([np.empty(0, np.bool_), *(known for _, known in labels)]),
        "classes": np.array(config.classes),
    }
