"""Trials that a fold left out: answered by its pipeline, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.cue_answers import Trial, figures_of
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.batches import is_trial
from rtbci.training.crossval.parts import published_as
from rtbci.training.crossval.plan import Fold
from rtbci.training.crossval.trial_results import TrialFoldRow
from rtbci.training.data import Data, OnProgress
from rtbci.training.examples import make_example
from rtbci.training.held_out import answer_trials
from rtbci.training.source import Source


@dataclass(frozen=True)
class AnsweredTrial:
    """An answered trial, the recording that it is published as, and whether its unit matches `crossval.test`."""

    trial: Trial
    published: str
    tested: bool


def answered_trials(
    pipeline: Pipeline, data: Data, left_out: Sequence[Source], fold: Fold, on_progress: OnProgress
) -> tuple[list[AnsweredTrial], int]:
    """The answers to the trials of what is left out, and how many of these trials have none.

    A part of a recording is answered as it is live, with all that was recorded before it behind it in the filters.
    """
    answered: list[AnsweredTrial] = []
    sources = _complete(left_out)
    for number, source in enumerate(sources):
        on_progress("testing", number, len(sources), None)
        example = make_example(pipeline, source)
        trials = data.trials([example])
        if not len(trials):
            continue
        answers = answer_trials(pipeline, data, [example])
        for onset, truth, probabilities in zip(trials.onsets, answers.truth, answers.probabilities, strict=True):
            trial = Trial(source.person, source.name, onset, int(truth), tuple(map(float, probabilities)))
            answered.append(AnsweredTrial(trial, published_as(source), source.subject in fold.tested))
    n_labelled = sum(is_trial(s.label, pipeline.classes) for source in sources for s in source.stretches)
    return answered, n_labelled - len(answered)


def _complete(left_out: Sequence[Source]) -> list[Source]:
    """Complete recordings, with the labels of the parts that are left out alone; a unit of which each is a part."""
    found: dict[tuple[str, str], Source] = {}
    for source in left_out:
        whole = replace(source.part_of or source, subject=source.subject)
        key = whole.name, whole.subject
        before = found[key].stretches if key in found else ()
        found[key] = replace(whole, stretches=(*before, *whole.stretches))
    return list(found.values())


def rows_of_trials(fold: str, answered: Sequence[AnsweredTrial], classes: tuple[str, ...]) -> tuple[TrialFoldRow, ...]:
    """A row a recording."""
    groups: dict[tuple[str, str, bool], list[Trial]] = {}
    for one in answered:
        groups.setdefault((one.trial.subject, one.published, one.tested), []).append(one.trial)
    rows = []
    for (subject, recording, tested), own in groups.items():
        figures = figures_of(own, classes)
        correct = sum(row[i] for i, row in enumerate(figures.confusion))
        rows.append(
            TrialFoldRow(
                **dict(figures), fold=fold, subject=subject, recording=recording, tested=tested, correct=correct
            )
        )
    return tuple(rows)


def arrays_of(answered: Sequence[AnsweredTrial], classes: tuple[str, ...]) -> dict[str, npt.NDArray[np.generic]]:
    """As they are kept, one entry a trial."""
    trials = [one.trial for one in answered]
    return {
        "subjects": np.array([trial.subject for trial in trials], np.str_),
        "recordings": np.array([trial.recording for trial in trials], np.str_),
        "published": np.array([one.published for one in answered], np.str_),
        "tested": np.array([one.tested for one in answered], np.bool_),
        "onsets_s": np.array([trial.time for trial in trials], np.float64),
        "truth": np.array([trial.truth for trial in trials], np.int64),
        "probabilities": np.array([trial.probabilities for trial in trials], np.float32).reshape(-1, len(classes)),
        "classes": np.array(classes),
    }


def trials_of(kept: Mapping[str, Any]) -> list[AnsweredTrial]:
    """From `arrays_of`."""
    keys = ("subjects", "recordings", "onsets_s", "truth", "probabilities", "published", "tested")
    return [
        AnsweredTrial(
            Trial(str(subject), str(recording), float(onset), int(truth), tuple(map(float, probabilities))),
            str(published),
            bool(tested),
        )
        for subject, recording, onset, truth, probabilities, published, tested in zip(
            *(kept[key] for key in keys), strict=True
        )
    ]
