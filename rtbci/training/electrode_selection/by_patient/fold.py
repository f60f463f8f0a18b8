"""One fold: each set of derivations is chosen and fitted on the training subjects alone, and the others are scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch

from rtbci.evaluation.probabilities import mean_auroc
from rtbci.models import from_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.decision import DecisionConfig
from rtbci.stages.network import probabilities
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.fold import Answer, answered_by, data_of, fitted_for, made_by, rows_of
from rtbci.training.crossval.operating_point import Answered, operating_points
from rtbci.training.crossval.plan import Fold
from rtbci.training.data import Data, OnProgress
from rtbci.training.electrode_selection import baselines
from rtbci.training.electrode_selection.by_patient.config import GUMBEL, INFORMATION, WITHIN
from rtbci.training.electrode_selection.by_patient.derivations import OnDerivations
from rtbci.training.electrode_selection.by_patient.results import Dropped, SetResult
from rtbci.training.electrode_selection.by_patient.search import Found, search
from rtbci.training.electrode_selection.by_patient.wanted import Wanted, excess_of
from rtbci.training.electrode_selection.segments import Ints, Segments
from rtbci.training.examples import Example, make_example
from rtbci.training.source import Source
from rtbci.training.train import pipeline_of
from rtbci.types import Flags, Samples


class ElectrodesFold:
    """A fold's recordings, on which any set of derivations is chosen, fitted and scored in the same way.

    Parameters
    ----------
    config
        Prepared.
    sources
        All recordings.
    fold
        Whom to leave out.
    """

    def __init__(self, config: TrainConfig, sources: Sequence[Source], fold: Fold) -> None:
        self.config, self.fold = config, fold
        training, self.left_out = fold.sides(sources)
        self.data = data_of(config, training, frozenset())
        self.channels = config.pipeline.montage.channels

    def result(self, wanted: Wanted, on_progress: OnProgress) -> SetResult:
        """Choose, fit and score a set. Raises ConfigError where a fit goes beyond all bounds."""
        found = self.found(wanted, on_progress)
        fitted = self._fitted(self.data, found.derivations, "fit", on_progress)
        if self.config.electrodes.operating_point == "inner":
            decision = self._decision(found.derivations, on_progress)
            fitted = Pipeline(fitted.config.model_copy(update={"decision": decision}), fitted.network)
        answers = answered_by(fitted, self.left_out, on_progress)
        recordings, subjects = rows_of(self.fold, fitted.config, fitted.hop_s, answers)
        on_progress("dropping one derivation", 0, 1, None)
        decision = fitted.config.decision
        return SetResult(
            fold=self.fold.name,
            method=wanted.method,
            k=wanted.k,
            derivations=tuple(self.channels[i] for i in found.derivations),
            probabilities=found.probabilities,
            search=found.epochs,
            threshold=decision.threshold,
            release=decision.release,
            min_duration_s=decision.min_duration_s,
            recordings=recordings,
            subjects=subjects,
            dropped=tuple(self._dropped(fitted, found.derivations, answers)),
            made_by=made_by(),
        )

    def found(self, wanted: Wanted, on_progress: OnProgress) -> Found:
        """The derivations of a set, by the training subjects alone."""
        if wanted.fixed:
            return Found(wanted.fixed, (), ())
        if wanted.method == GUMBEL:
            return search(self.data, wanted.k, on_progress)
        if wanted.method == WITHIN:
            return search(self.data, wanted.k, on_progress, excess_of(self.config))
        assert wanted.method == INFORMATION, wanted
        on_progress("mutual information", 0, 1, None)
        features, labels = self._log_power
        return Found(tuple(sorted(baselines.by_mutual_information(features, labels, wanted.k))), (), ())

    @cached_property
    def _log_power(self) -> tuple[baselines.Features, Ints]:
        segments = Segments.of_data(self.data, self.data.training)
        return segments.log_power(), segments.labels()

    def _fitted(self, data: Data, derivations: Sequence[int], what: str, on_progress: OnProgress) -> Pipeline:
        """The tagger on some derivations, after all epochs."""
        data = data if len(derivations) == len(self.channels) else OnDerivations(data, derivations)
        return pipeline_of(data, fitted_for(self.config.training.epochs, data, what, on_progress))

    def _decision(self, derivations: Sequence[int], on_progress: OnProgress) -> DecisionConfig:
        """The operating point of a set, on the scores of fits that each leave out the subjects of an inner fold."""
        answered: list[Answered] = []
        for number, names in enumerate(self.fold.inner, 1):
            kept, out = self.data.without({s.name for s in self.data.sources if s.subject in names})
            fitted = self._fitted(kept, derivations, f"fit, inner fold {number} of {len(self.fold.inner)}", on_progress)
            answers = answered_by(fitted, [example.source for example in out], on_progress)
            answered += [Answered(source, tagged.scores) for source, tagged, _ in answers]
        rule = self.config.crossval.operating_point
        return operating_points(answered, fitted.config, rule, fitted.hop_s)[0].decision(fitted.config.decision)

    @cached_property
    def _tested(self) -> dict[str, Example]:
        """What is left out, with all derivations, by recording."""
        whole = Pipeline(self.data.pipeline_config, from_config(self.data.pipeline_config.model))
        tested = [source for source in self.left_out if source.subject in self.fold.tested]
        return {source.name: make_example(whole, source) for source in tested}

    def _dropped(self, pipeline: Pipeline, derivations: Sequence[int], answers: Sequence[Answer]) -> Iterator[Dropped]:
        for subject in self.fold.tested:
            own = [(self._tested[s.name], tagged.scores.valid) for s, tagged, _ in answers if s.subject == subject]
            for number, derivation in enumerate(derivations):
                parts = [scores_without(pipeline, example, derivations, number, valid) for example, valid in own]
                auroc = mean_auroc(*(np.concatenate(part) for part in zip(*parts, strict=True)))
                rounded = None if auroc is None else round(auroc, 4)
                yield Dropped(subject=subject, derivation=self.channels[derivation], auroc=rounded)


@torch.no_grad()
def scores_without(
    pipeline: Pipeline, example: Example, derivations: Sequence[int], number: int, valid: Flags
) -> tuple[Samples, Flags]:
    """Probabilities and truth (n, n_classes) of a recording with one derivation of a set at zero.

    Parameters
    ----------
    pipeline
        Fitted to the set.
    example
        The recording, with all derivations.
    derivations
        Of the set.
    number
        Which of them is zero.
    valid
        (n_steps,), whether the live path gives a valid score there.
    """
    x = example.x[:][:, list(derivations)]
    x[:, number] = 0
    logits, _ = pipeline.network(torch.from_numpy(x[None]))  # (1, n_steps, n_classes)
    kept = example.known & valid
    scores = probabilities(logits[0].numpy(), pipeline.config.activation)
    return scores[kept], example.y[kept] > 0.5
