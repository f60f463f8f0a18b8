"""From a pipeline and minutes with labels to a pipeline for this patient, which is no worse on the minutes kept back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import nn

from rtbci.errors import ConfigError, RtbciError
from rtbci.evaluation.probabilities import mean_auroc
from rtbci.models import from_config
from rtbci.models.network import Network, State
from rtbci.models.threads import torch_threads
from rtbci.pipeline.pipeline import Pipeline
from rtbci.results import Result, Text, Texts
from rtbci.training.adaptation.output_layer import Answers, Seen, calibrate, output_layer, refit
from rtbci.training.adaptation.split import Share, kept_back, kinds_of, require_enough, shares
from rtbci.training.batches import Batch, TrialBatches
from rtbci.training.config import TrainingConfig
from rtbci.training.drawn import DrawnBatches
from rtbci.training.examples import Example, make_example
from rtbci.training.fit import Fit
from rtbci.training.losses import balance, make_loss
from rtbci.training.sampling import SamplingConfig
from rtbci.training.source import Source
from rtbci.training.step_labels import StepLabels
from rtbci.types import Flags

Level = Literal["calibration", "last-layer", "all-layers"]
OnProgress = Callable[[str, int, int], None]

LEAST_S, LEAST_TRIALS = 2.0, 2  # of a kind, on either side
INDEPENDENT_S = 5.0  # answers closer than this say much the same
SEGMENT_S = 30.0  # that a network is run over at once, its state going on
AUROC_MAY_FALL = 0.01  # where the loss does not rise
EPOCHS, LR, ROWS, SEQUENCE_S, SEQUENCES = 10, 3e-4, 16, 15.0, 64  # of a fit of all layers


class Worse(RtbciError):
    """The adapted pipeline would be worse than the original on the minutes kept back."""


class KeptBack(Result):
    """How a pipeline does on what was kept back."""

    loss: float
    """Cross-entropy in nats, either side of a class weighing the same."""
    auroc: float | None
    """Mean over the classes that hold and do not hold there."""


class Amount(Result):
    """How much of a kind there is: seconds, or trials."""

    adapts: float
    """That the pipeline was adapted to."""
    checks: float
    """That was kept back."""


class Adaptation(Result):
    """What a pipeline was adapted to, and what came of it on what was kept back."""

    level: Text
    """`calibration`, `last-layer` or `all-layers`."""
    recordings: Texts
    """In the order in which they were given."""
    unit: Text
    """Of the amounts: `s` or `trials`."""
    amounts: dict[Text, Amount]
    """By kind: a class, several that hold at once, or `background`."""
    before: KeptBack
    """The original."""
    after: KeptBack
    """The adapted pipeline."""
    seed: int
    """Of the fit of all layers."""


@dataclass(frozen=True)
class _Minutes:
    """What a network is run over: recordings, or their trials, with labels."""

    examples: list[Example]
    trials: TrialBatches | None

    def answers(self, pipeline: Pipeline, layer: nn.Linear | None) -> Answers:
        """Of a pipeline's network, where the label is known, with what the layer sees; without one, no features."""
        logits, y = [], []
        with torch.inference_mode(), nullcontext() if layer is None else Seen(layer) as seen:
            for given, truth in self._run(pipeline):
                logits.append(given.flatten(0, -2).double())
                y.append(truth.double())
        every = torch.cat(logits)
        features = every if seen is None else torch.cat(seen.features)
        if len(features) != len(every):
            raise ConfigError("the last layer does not answer once a hop; --level all-layers adapts the whole network")
        known = torch.from_numpy(self.known)
        one_of_all = pipeline.config.activation == "softmax"
        # Copies, for a tensor of inference mode takes no part in a fit.
        return Answers(features[known].clone(), every[known].clone(), torch.cat(y)[known].clone(), one_of_all)

    @property
    def known(self) -> Flags:
        if self.trials is not None:
            return np.ones(len(self.trials), np.bool_)
        return np.concatenate([example.known for example in self.examples])

    @property
    def y(self) -> np.ndarray:
        """Where the label is known: (n, n_classes)."""
        if self.trials is not None:
            return np.concatenate([batch.y[:, 0].numpy() for batch in self.trials])
        return np.concatenate([example.y[example.known] for example in self.examples])

    def _run(self, pipeline: Pipeline) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        network = pipeline.network
        if self.trials is not None:
            for batch in self.trials:
                yield network(batch.x)[0], batch.y[:, 0]
            return
        for example in self.examples:
            state: State | None = None
            n = max(1, round(SEGMENT_S / pipeline.hop_s)) if network.causal else max(1, example.n_steps)
            for first in range(0, example.n_steps, n):
                x = torch.from_numpy(example.x[first * example.hop : (first + n) * example.hop])
                logits, state = network(x[None], state)
                yield logits, torch.from_numpy(example.labels.part(first, first + n)[0])


def adapt(
    pipeline: Pipeline,
    sources: Sequence[Source],
    level: Level,
    *,
    start_s: float = 0.0,
    share_kept_back: float = 1 / 3,
    seed: int = 0,
    on_progress: OnProgress = lambda *_: None,
) -> tuple[Pipeline, Adaptation]:
    """Adapt a pipeline to labelled recordings of a new patient, or to trials of today.

    Of each kind of label, the earlier two thirds adapt and the last third is kept back. What is returned is the pipeline
    that was checked on it, not one fitted to it afterwards.

    Parameters
    ----------
    pipeline
        The original; it is not changed.
    sources
        Labelled recordings, in the order of time.
    level
        "calibration": scale and shift of the logits, so that a threshold means what it should. "last-layer": its weights,
        too. "all-layers": the whole network, with small steps.
    start_s
        For networks of trials: from a label's onset to the first sample of its trial.
    share_kept_back
        Of each kind.
    seed
        For all layers.
    on_progress
        Called with what is done, how much of it, and of how much.

    Returns
    -------
    Pipeline, Adaptation
        With the original's notes, and the adaptation among them.

    Raises
    ------
    ConfigError
        If there is too little of two kinds, or the network has no last layer of its own.
    Worse
        If on what was kept back the loss is higher than the original's, or the AUROC lower by more than 0.01.
    StreamMismatch
        If a recording does not fit the pipeline.
    """
    if pipeline.network.per_sample:
        raise ConfigError("a network that answers at each sample of a trial cannot be adapted")
    examples = []
    for i, source in enumerate(sources):
        on_progress("reading", i, len(sources))
        examples.append(make_example(pipeline, source))
    window = pipeline.network.window
    minutes = _Minutes(examples, None if window is None else _trials(examples, pipeline, window, start_s))
    if not minutes.known.any():
        raise ConfigError("there is no label in these recordings to adapt to")
    kinds = kinds_of(minutes.y, pipeline.classes)
    kept = kept_back(kinds, share_kept_back)
    size, unit, least = (pipeline.hop_s, "s", LEAST_S) if window is None else (1.0, "trials", LEAST_TRIALS)
    amounts = shares(kinds, kept, size)
    require_enough(amounts, least, unit)
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if level == "all-layers":
            original = minutes.answers(pipeline, None)
            network = _all_layers(pipeline, minutes, kept, seed, on_progress)
        else:
            on_progress(level, 0, 1)
            original = minutes.answers(pipeline, output_layer(pipeline.network))
            network = _copy(pipeline, pipeline.network)
            of_fit = original.part(torch.from_numpy(~kept))
            n_independent = float((~kept).sum()) * (size / INDEPENDENT_S if window is None else 1.0)
            (calibrate if level == "calibration" else refit)(output_layer(network), of_fit, n_independent)
        adapted = Pipeline(pipeline.config, network, pipeline.notes)
        checked = torch.from_numpy(kept)
        before = _figures(original.part(checked))
        after = _figures(minutes.answers(adapted, None).part(checked))
    if not after.loss <= before.loss or (before.auroc or 0.0) - (after.auroc or 0.0) > AUROC_MAY_FALL:
        raise Worse(
            f"not written: on what was kept back it would be worse than the original (loss {before.loss:.3f} to "
            f"{after.loss:.3f}{_auroc_text(before, after)}); more minutes, or another --level, may help"
        )
    report = Adaptation(
        level=level,
        recordings=tuple(source.name for source in sources),
        unit=unit,
        amounts={kind: _amount(share) for kind, share in amounts.items()},
        before=before,
        after=after,
        seed=seed,
    )
    earlier = adapted.notes.get("adapted")
    adapted.notes["adapted"] = [*(earlier if isinstance(earlier, list) else ()), report.plain()]
    return adapted, report


def _amount(share: Share) -> Amount:
    return Amount(adapts=share.adapts, checks=share.checks)


def _auroc_text(before: KeptBack, after: KeptBack) -> str:
    return "" if before.auroc is None or after.auroc is None else f", AUROC {before.auroc:.3f} to {after.auroc:.3f}"


def _trials(examples: list[Example], pipeline: Pipeline, window: int, start_s: float) -> TrialBatches:
    return TrialBatches(examples, pipeline.classes, window, 256, start_s)


def _copy(pipeline: Pipeline, network: Network) -> Network:
    copy = from_config(pipeline.config.model)
    copy.load_state_dict(network.state_dict())
    return copy.eval()


def _figures(answers: Answers) -> KeptBack:
    auroc = mean_auroc(answers.logits.numpy(), answers.y.numpy() > 0.5)
    return KeptBack(
        loss=round(float(answers.loss(answers.logits)), 6), auroc=None if auroc is None else round(auroc, 6)
    )


def _all_layers(pipeline: Pipeline, minutes: _Minutes, kept: Flags, seed: int, on_progress: OnProgress) -> Network:
    """The network after a few epochs of small steps on what is not kept back."""
    one_of_all = pipeline.config.activation == "softmax"
    config = TrainingConfig(
        epochs=EPOCHS, rows=ROWS, lr=LR, average=0.9, seed=seed, loss="cross_entropy" if one_of_all else "bce"
    )
    y = torch.from_numpy(minutes.y[~kept])
    weights = balance(y.sum(0), len(y), one_of_all=one_of_all)
    fit = Fit(_copy(pipeline, pipeline.network).requires_grad_(True), make_loss(config, weights), config, "cpu")
    for epoch in range(EPOCHS):
        on_progress("all-layers", epoch, EPOCHS)
        rng = np.random.default_rng([seed, 1, epoch])
        row = fit.run_epoch(_batches(pipeline, minutes, kept, rng), ())
        if not np.isfinite(row.train_loss):
            raise ConfigError("the loss is not finite; --level last-layer changes less")
    return _copy(pipeline, fit.candidate)


def _batches(pipeline: Pipeline, minutes: _Minutes, kept: Flags, rng: np.random.Generator) -> Iterator[Batch]:
    if minutes.trials is not None:
        whole = [
            torch.cat(parts) for parts in zip(*((b.x, b.y, b.known, b.fresh) for b in minutes.trials), strict=True)
        ]
        order = rng.permutation(np.flatnonzero(~kept))
        for first in range(0, len(order), ROWS):
            rows = torch.from_numpy(order[first : first + ROWS])
            yield Batch(*(part[rows] for part in whole))
        return
    ends = np.cumsum([int(example.known.sum()) for example in minutes.examples])[:-1]
    of_fit = []
    for example, keeps in zip(minutes.examples, np.split(kept, ends), strict=True):
        known = example.known
        known[known] = ~keeps
        of_fit.append(replace(example, labels=StepLabels.of(example.y, known)))
    sampling = SamplingConfig(shares={"*": 1.0}, sequences=SEQUENCES, duration_s=SEQUENCE_S, lead_in=0.0)
    yield from DrawnBatches(of_fit, sampling, ROWS, pipeline.hop_s, rng)
