"""Networks of one answer an epoch: what they say of held-out trials, and cross-validation over whole groups of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rtbci.errors import ConfigError
from rtbci.evaluation.trial_scores import Answers, draw_confusion, report
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.network import probabilities
from rtbci.training.data import Data, OnProgress
from rtbci.training.examples import Example

# Fits a fresh pipeline to the data, telling how far it is.
Fitted = Callable[[Data, OnProgress], Pipeline]


def of_trials(data: Data) -> bool:
    """Whether the network answers once an epoch."""
    return getattr(data.pipeline_config.model, "window", None) is not None


@torch.inference_mode()
def answer(pipeline: Pipeline, data: Data, examples: list[Example]) -> Answers:
    """What a pipeline says of every trial of some examples."""
    trials = data.trials(examples)
    network = pipeline.network
    logits = [network(batch.x)[0].numpy() for batch in trials]
    scores = probabilities(np.concatenate(logits), pipeline.config.activation)
    return Answers(scores, trials.labels, trials.groups)


def held_out_scores(pipeline: Pipeline, data: Data) -> dict[str, Any]:
    """Of the held-out trials; {} where there are none. They were used to stop early: the cross-validated are the honest ones."""
    if not len(data.trials(data.held_out)):
        return {}
    return {"trials": report(answer(pipeline, data, data.held_out), pipeline.classes)}


def cross_validate(data: Data, fitted: Fitted, told: OnProgress) -> dict[str, Any]:
    """Fit anew without each fold, and report on what was left out; the scaling's constants are those of all."""
    rounds = folds_of(data)
    n_folds = sum(map(len, rounds))
    answers: list[Answers] = []
    for folds in rounds:
        for names in folds:
            fold, left_out = data.without(names)
            where = f"cross-validation, fold {len(answers) + 1} of {n_folds}"
            pipeline = fitted(fold, lambda _, *rest, where=where: told(where, *rest))
            answers.append(answer(pipeline, fold, left_out))
    return {"trials": report(Answers.join(answers), data.pipeline_config.classes, len(rounds))}


def folds_of(data: Data) -> list[list[set[str]]]:
    """The names of the recordings of each fold, for each repeat."""
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
    """k parts of nearly equal numbers, and of nearly equal numbers of each label; drawn by the seed."""
    order = np.random.default_rng(list(seed)).permutation(len(groups))
    order = order[np.argsort(np.array(labels)[order], kind="stable")]
    return [{groups[i] for i in order[part::k]} for part in range(k)]


def save_confusion(scores: dict[str, Any], out: Path) -> None:
    """NAME_confusion.png beside the pipeline: of the cross-validation, else of what was held out."""
    said = scores.get("cross_validated", scores).get("trials")
    if said is not None:
        draw_confusion(said, out.with_name(f"{out.stem}_confusion.png"))
