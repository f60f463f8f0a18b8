"""Cross-validation: the same recipe fitted without each fold, and scored on what was left out."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.errors import ConfigError
from rtbci.evaluation.trial_scores import Answers, draw_confusion, report
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.data import Data, OnProgress
from rtbci.training.held_out import answer_trials, score_recording, scores_of
from rtbci.training.source import Source

# Fits a fresh pipeline to the data, and reports its progress.
Fitted = Callable[[Data, OnProgress], Pipeline]


def plan(data: Data, fitted: Fitted) -> Callable[[OnProgress], dict[str, Any]] | None:
    """Prepare the cross-validation that the config asks for.

    Parameters
    ----------
    data
        All recordings.
    fitted
        Fits a fresh pipeline.

    Returns
    -------
    callable or None
        Runs it, given a function for its progress; None where the config asks for none.

    Raises
    ------
    ConfigError
        If the folds and the data do not agree: now, not after hours of a fit.
    """
    validation = data.config.data.validation
    if not validation.folds and validation.k_fold is None:
        return None
    if data.window is not None:
        for names in (names for each in folds_of(data) for names in each):
            data.without(names)  # refuses a fold whose training has no trial of a class
        return lambda on_progress: cross_validate_trials(data, fitted, on_progress)
    folds = [data.fold(patterns) for patterns in validation.folds]
    return lambda on_progress: cross_validate_recordings(folds, fitted, on_progress)


def cross_validate_recordings(
    folds: list[tuple[Data, list[Source]]], fitted: Fitted, on_progress: OnProgress
) -> dict[str, Any]:
    """Scores of the recordings that each fold leaves out; the scaling's constants are those of all."""
    scored = []
    for number, (data, left_out) in enumerate(folds, 1):
        pipeline = fitted(data, _within_fold(on_progress, number, len(folds)))
        scored += [score_recording(pipeline, source) for source in left_out]
    return scores_of(scored)


def cross_validate_trials(data: Data, fitted: Fitted, on_progress: OnProgress) -> dict[str, Any]:
    """Report on the trials that each fold leaves out; the scaling's constants are those of all."""
    rounds = folds_of(data)
    folds = [names for each in rounds for names in each]
    answers = []
    for number, names in enumerate(folds, 1):
        fold, left_out = data.without(names)
        pipeline = fitted(fold, _within_fold(on_progress, number, len(folds)))
        answers.append(answer_trials(pipeline, fold, left_out))
    return {"trials": report(Answers.join(answers), data.pipeline_config.classes, len(rounds))}


def _within_fold(on_progress: OnProgress, number: int, n_folds: int) -> OnProgress:
    return lambda _, *rest: on_progress(f"cross-validation, fold {number} of {n_folds}", *rest)


def folds_of(data: Data) -> list[list[set[str]]]:
    """The recordings' names in each fold, for each repeat. Raises ConfigError where there are too few groups."""
    validation = data.config.data.validation
    examples = [*data.training, *data.held_out]
    if validation.folds:
        return [[{source.name for source in data.fold(patterns)[1]} for patterns in validation.folds]]
    assert validation.k_fold is not None
    labels: dict[str, int] = {}
    for example in examples:
        trials = data.trials([example])
        if len(trials):
            labels.setdefault(trials.groups[0], int(np.median(trials.labels)))
    if len(labels) < validation.k_fold:
        raise ConfigError(
            f"data.validation.k_fold is {validation.k_fold}, but there are only {len(labels)} groups by {validation.by!r}; "
            "lower k_fold, or change data.validation.by"
        )
    rounds = []
    for repeat in range(validation.repeats):
        parts = deal(list(labels), list(labels.values()), validation.k_fold, [data.config.training.seed, 11, repeat])
        rounds.append([{e.source.name for e in examples if e.source.group in part} for part in parts])
    return rounds


def deal(groups: Sequence[str], labels: Sequence[int], k: int, seed: Sequence[int]) -> list[set[str]]:
    """Divide groups into k folds of nearly equal size and class balance.

    Parameters
    ----------
    groups, labels
        Names, and the label of each.
    k
        Number of folds.
    seed
        For the drawing.

    Returns
    -------
    list of set
        The groups of each fold.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    # Stratified folds need at least k members of a class; leave-one-out has none.
    splitter = StratifiedKFold if max(Counter(labels).values()) >= k else KFold
    folds = splitter(k, shuffle=True, random_state=int(np.random.SeedSequence(seed).generate_state(1)[0]))
    with warnings.catch_warnings():
        # A class with fewer members than folds is in some of them only.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return [{groups[i] for i in test} for _, test in folds.split(groups, labels)]


def save_confusion(scores: dict[str, Any], out: Path) -> None:
    """Write NAME_confusion.png beside the pipeline: of the cross-validation, else of the held-out trials."""
    trials = scores.get("cross_validated", scores).get("trials")
    if trials is not None:
        draw_confusion(trials, out.with_name(f"{out.stem}_confusion.png"))
