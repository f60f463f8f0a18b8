"""From a training config to a pipeline file: recordings in, constants and weights learned, the result told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rtbci import about
from rtbci.config import PipelineConfig
from rtbci.errors import ConfigError
from rtbci.models import from_config
from rtbci.pipeline import Pipeline
from rtbci.training.augment import Augment
from rtbci.training.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint
from rtbci.training.config import TrainConfig
from rtbci.training.curves import Row, save_curves
from rtbci.training.examples import Example, Source, find_sources, make_example, require_labels
from rtbci.training.lanes import Batch, Lanes, Trials
from rtbci.training.loop import Fit
from rtbci.training.losses import balance, make_loss
from rtbci.training.report import held_out_scores
from rtbci.training.scaling import learn_scaling

# (what is being done, how much of it is done, of how much, the newest row of the learning curve)
OnProgress = Callable[[str, int, int, Row | None], None]


def train(
    config: TrainConfig, out: str | Path, progress: OnProgress | None = None, *, resume: bool = False
) -> Pipeline:
    """Train, and save the pipeline to `out`, its learning curves beside it. Seeded: the same again on the same CPU.

    A checkpoint lies beside `out` after each epoch; `resume` goes on from there. Ctrl-C ends the fit: with one epoch
    over, the best so far is saved as a pipeline that says so, and the checkpoint stays; else KeyboardInterrupt goes on
    and nothing is written. Raises ConfigError or RecordingError before the fit where config and data do not agree.
    """
    out = Path(out)
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{out}: its folder does not exist; make it first")
    told = progress or (lambda *_: None)
    with _torch_threads(config.training.threads):
        data = Data.load(config, told)
        fit = data.new_fit()
        path = checkpoint_path(out)
        if resume and path.exists():
            load_checkpoint(path, fit, config)
        finished = run(fit, data, told, after_epoch=lambda: save_checkpoint(path, fit, config))
        pipeline = data.finish(fit, finished, told)
    pipeline.save(out)
    save_curves(fit.progress.rows, out)
    if finished:
        path.unlink(missing_ok=True)
    return pipeline


def run(fit: Fit, data: Data, told: OnProgress, after_epoch: Callable[[], None] = lambda: None) -> bool:
    """Epochs until the fit is done: True; or until Ctrl-C, if one epoch at least is over: False."""
    total = fit.config.epochs
    try:
        while not fit.done:
            row = fit.run_epoch(data.training_batches(fit.epoch), data.held_out_batches())
            after_epoch()
            told("training", fit.epoch, total, row)
    except KeyboardInterrupt:
        if not fit.epoch:
            raise
        return False
    return True


class Data:
    """A config's recordings, preprocessed, and all that is made from them: batches, a fit, the pipeline at its end."""

    def __init__(self, config: TrainConfig, pipeline_config: PipelineConfig, examples: list[Example]) -> None:
        self.config = config
        self.pipeline_config = pipeline_config
        self.training = [e for e in examples if not e.source.held_out]
        self.held_out = [e for e in examples if e.source.held_out]
        require_labels(self.training, config.pipeline.classes)

    @classmethod
    def load(cls, config: TrainConfig, told: OnProgress = lambda *_: None) -> Data:
        sources = find_sources(config)
        told("learning the scaling", 0, 1, None)
        sized = with_sizes(config.pipeline)
        pipeline_config = learn_scaling(sized, [s for s in sources if not s.held_out])
        pipeline = Pipeline(pipeline_config, from_config(pipeline_config.model))
        examples = []
        for i, source in enumerate(sources):
            told("reading recordings", i, len(sources), None)
            examples.append(make_example(pipeline, source))
        return cls(config, pipeline_config, examples)

    @property
    def sources(self) -> list[Source]:
        return [e.source for e in (*self.training, *self.held_out)]

    def new_fit(self) -> Fit:
        """A fresh network from the config's seed, and its loss."""
        training = self.config.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            network = from_config(self.pipeline_config.model)
        classes = len(self.pipeline_config.classes)
        weights = torch.ones(classes)
        if training.class_weights == "auto":
            batches = list(self._batches(self.training, None))
            y = torch.cat([b.y.flatten(0, 1) for b in batches])
            known = torch.cat([b.known.flatten() for b in batches])
            weights = balance(y, known, one_of_all=training.loss == "cross_entropy")
        device = training.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return Fit(network, make_loss(training, weights.to(device)), training, device)

    def training_batches(self, epoch: int) -> Iterable[Batch]:
        """Of an epoch, counted from 0: its order and its changes are drawn from the seed and its number alone."""
        return self._batches(self.training, np.random.default_rng([self.config.training.seed, 1, epoch]))

    def held_out_batches(self) -> Iterable[Batch]:
        return self._batches(self.held_out, None)

    def _batches(self, examples: list[Example], rng: np.random.Generator | None) -> Iterable[Batch]:
        config, pipeline = self.config.training, self.pipeline_config
        channels = pipeline.selection.channels if pipeline.selection else pipeline.montage.channels
        augment = Augment(self.config.augment, channels) if rng is not None and self.config.augment.is_on else None
        window = getattr(pipeline.model, "window", None)
        if window is not None:
            return Trials(
                examples, pipeline.classes, window, config.rows, self.config.trials.start_s, rng=rng, augment=augment
            )
        step_s = getattr(pipeline.model, "hop", 1) / pipeline.sfreq
        visit_steps = None if config.visit_s is None else max(1, round(config.visit_s / step_s))
        steps = max(1, round(config.bptt_s / step_s))
        return Lanes(examples, config.rows, steps, rng=rng, augment=augment, visit_steps=visit_steps)

    def finish(self, fit: Fit, finished: bool, told: OnProgress = lambda *_: None) -> Pipeline:
        """The best weights so far as a pipeline, scored on the held-out recordings."""
        network = from_config(self.pipeline_config.model)
        network.load_state_dict(fit.progress.best)
        pipeline = Pipeline(self.pipeline_config, network)
        told("scoring held-out recordings", 0, 1, None)
        scores = held_out_scores(pipeline, [e.source for e in self.held_out])
        return Pipeline(self.pipeline_config, network, self._notes(fit, finished, scores))

    def _notes(self, fit: Fit, finished: bool, scores: dict[str, Any]) -> dict[str, Any]:
        progress = fit.progress
        return {
            "trained_on": [
                {
                    "recording": source.name,
                    "source": source.origin,
                    "licence": source.licence,
                    "held_out": source.held_out,
                }
                for source in self.sources
                if source.recording.format != "synthetic"
            ],
            "synthetic": None
            if self.config.data.synthetic is None
            else self.config.data.synthetic.model_dump(mode="json"),
            "training": {
                **self.config.training.model_dump(mode="json"),
                "augment": self.config.augment.model_dump(mode="json"),
                "finished": finished,
                "epochs_run": fit.epoch,
                "best_epoch": progress.best_epoch,
                "best": asdict(progress.rows[progress.best_epoch - 1]),
            },
            "scores": scores,
            "commit": about.commit(),
            "versions": about.versions(),
        }


def with_sizes(config: PipelineConfig) -> PipelineConfig:
    """The network's inputs and outputs from the montage and the classes. Raises ConfigError where they differ."""
    channels = config.selection.channels if config.selection else config.montage.channels
    if config.model.n_channels not in (None, len(channels)):
        raise ConfigError(
            f"pipeline.model.n_channels is {config.model.n_channels}, the montage has {len(channels)}; leave it out"
        )
    update = {"n_channels": len(channels), "n_classes": len(config.classes)}
    return config.model_copy(update={"model": config.model.model_copy(update=update)})


@contextmanager
def _torch_threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
