"""From a training config to a pipeline file: constants and weights learned from recordings, and the result reported."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtbci import provenance
from rtbci.errors import ConfigError
from rtbci.models import from_config
from rtbci.models.step import check_device
from rtbci.models.threads import torch_threads
from rtbci.pipeline.file import check_target
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.decision import DecisionConfig
from rtbci.training import cross_validation, distributed
from rtbci.training.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint, set_aside
from rtbci.training.config import TrainConfig
from rtbci.training.data import Data, OnProgress, OnWarning, with_sizes
from rtbci.training.fit import Fit
from rtbci.training.held_out import held_out_scores, masked_scores
from rtbci.training.learning_curve import EpochFigures, save_curves
from rtbci.training.start import Start


@dataclass(frozen=True)
class Settled:
    """What a cross-validation settles of the final fit of its recipe (rtbci/training/crossval/final.py).

    Attributes
    ----------
    epochs
        How many it runs, of the schedule of `training.epochs`.
    decision
        Of the pipeline.
    notes
        For the pipeline file, as `crossval`; plain JSON.
    masked
        What masked channels cost, as `masked_scores` has it; empty: not measured.
    warnings
        What is odd, told before; for the notes.
    """

    epochs: int
    decision: DecisionConfig
    notes: dict[str, Any]
    masked: list[dict[str, Any]]
    warnings: tuple[str, ...]


def train(
    config: TrainConfig,
    out: str | Path,
    progress: OnProgress | None = None,
    *,
    resume: bool = False,
    on_warning: OnWarning = lambda _: None,
    settled: Settled | None = None,
    start_from: str | Path | None = None,
) -> Pipeline:
    """Train a pipeline and save it, its learning curves beside it. With one seed, the same result on the same CPU.

    A checkpoint is saved beside `out` after each epoch; `resume` continues from it, otherwise that of an earlier run
    is renamed. Ctrl-C ends the fit: after at least one epoch, the best weights so far are saved as a pipeline marked
    as unfinished, and the checkpoint is kept. Before that, and during cross-validation, KeyboardInterrupt propagates
    and no pipeline is written.

    Parameters
    ----------
    config
        The training run.
    out
        The pipeline file.
    progress
        Called with what is done, how much of it, of how much, and the figures of the newest epoch.
    resume
        Continue an unfinished run.
    on_warning
        Called before the fit with what a person should know of the recordings and their labels, a line each; they are
        in the notes of the pipeline, too.
    settled
        What folds have settled, for `train_final`; nothing may be held out then.
    start_from
        A pipeline file that is trained further: the fit begins with its weights, and with the constants of its scaling
        where the config sets none. `training.layers` says which layers change.

    Returns
    -------
    Pipeline
        As saved, with its scores in `notes`.

    Raises
    ------
    ConfigError, RecordingError, DatasetError
        Before the fit, if config and data, or config and `start_from`, do not agree; ConfigError also where the loss is no
        longer finite.
    PipelineFileError
        If `out` exists and is not a pipeline file, or `start_from` is none.
    """
    out = Path(out)
    check_out(out)
    check_device(config.training.device)
    on_progress = progress or (lambda *_: None)
    start = None if start_from is None else _start(Path(start_from), config, out)
    if config.pipeline.model.kind == "selection":
        from rtbci.training.electrode_selection.pipeline import train_selection

        pipeline = train_selection(config, on_progress, on_warning)
        pipeline.save(out)
        return pipeline
    with torch_threads(config.training.threads), distributed.joined(config.training.device):
        return _train(config, out, on_progress, on_warning, settled, start, resume=resume)


def check_out(out: Path) -> None:
    """Raise ConfigError or PipelineFileError where a pipeline file cannot be written, or would replace something else."""
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{out}: its folder does not exist; make it first")
    check_target(out)


def _start(path: Path, config: TrainConfig, out: Path) -> Start:
    """Refused before any recording is read, where that is possible."""
    if out.exists() and path.exists() and out.samefile(path):
        raise ConfigError(f"{out}: is the pipeline that the fit begins with, which is kept; name another file")
    if config.pipeline.model.kind == "selection":
        raise ConfigError(f"{path}: a selection of electrodes begins with random weights; leave --from out")
    start = Start.load(path)
    start.require_fit(with_sizes(config.pipeline))
    return start


def _train(
    config: TrainConfig,
    out: Path,
    on_progress: OnProgress,
    on_warning: OnWarning,
    settled: Settled | None,
    start: Start | None,
    *,
    resume: bool,
) -> Pipeline:
    """Its frame holds the network to train, which must be freed before the process group ends."""
    data = Data.load(config, on_progress, on_warning, is_judged=settled is not None, start=start)
    epochs = config.training.epochs if settled is None else settled.epochs
    cross_validate = cross_validation.plan(data, fitted)
    fit, checkpoint = data.new_fit(), checkpoint_path(out)
    if resume and checkpoint.exists():
        load_checkpoint(checkpoint, fit, config, "" if start is None else start.digest)
        if fit.epoch > epochs:
            raise ConfigError(
                f"{checkpoint}: is of {fit.epoch} epochs, wanted at most {epochs}; train without --resume"
            )
    elif distributed.leads():
        set_aside(out)
    finished = _run_to_its_end_or_ctrl_c(fit, data, epochs, on_progress, checkpoint)
    pipeline = pipeline_of(data, fit)
    if settled is not None:
        decided = pipeline.config.model_copy(update={"decision": settled.decision})
        pipeline = Pipeline(decided, pipeline.network)
    on_progress("scoring held-out recordings", 0, 1, None)
    scores = held_out_scores(pipeline, data)
    if data.pipeline_config.mask is not None and data.held_out:
        scores["masked"] = masked_scores(pipeline, data, fit)
    if finished and cross_validate is not None:
        scores["cross_validated"] = cross_validate(on_progress)
    if settled is not None:
        data.warnings = [*settled.warnings, *data.warnings]
        scores |= {"masked": settled.masked} if settled.masked else {}
    pipeline.notes = notes_of(data, fit, finished, scores)
    if start is not None:
        pipeline.notes["started_from"] = _begun_with(start, data, fit, on_warning)
    if settled is not None and finished:  # a fit that was stopped is not the one that the folds judged
        pipeline.notes["crossval"] = settled.notes
    if distributed.leads():
        pipeline.save(out)
        save_curves(fit.progress.rows, out)
        cross_validation.save_confusion(scores, out)
        if finished:
            checkpoint.unlink(missing_ok=True)
    return pipeline


def _begun_with(start: Start, data: Data, fit: Fit, on_warning: OnWarning) -> dict[str, Any]:
    """What the fit began with, and a warning where it came to nothing better."""
    original = from_config(data.pipeline_config.model)
    start.begin(original, "all")
    before = fit.validate(original, data.held_out_batches())[0] if data.held_out else None
    if before is not None and fit.progress.best_loss >= before:
        line = (
            f"no epoch did better than {start.path.name} itself: its loss on what is held out is {before:.4f}, that of the best "
            f"epoch {fit.progress.best_loss:.4f}; a lower training.lr or more recordings may help"
        )
        data.warnings.append(line)
        on_warning(line)
    return start.noted(data.config.training.layers, before)


def _run_to_its_end_or_ctrl_c(fit: Fit, data: Data, epochs: int, on_progress: OnProgress, checkpoint: Path) -> bool:
    """Whether it ended by itself; saves a checkpoint after each epoch."""

    def keep() -> None:
        if distributed.leads():
            save_checkpoint(checkpoint, fit, data.config, "" if data.start is None else data.start.digest)

    try:
        run(fit, data, epochs, on_progress, after_epoch=keep)
    except KeyboardInterrupt:
        if not fit.epoch:
            raise
        return False
    return True


def fitted(data: Data, on_progress: OnProgress) -> Pipeline:
    """A fresh pipeline fitted to its end, for a fold of the cross-validation."""
    fit = data.new_fit()
    run(fit, data, data.config.training.epochs, on_progress)
    return pipeline_of(data, fit)


def run(
    fit: Fit, data: Data, epochs: int, on_progress: OnProgress, after_epoch: Callable[[], None] = lambda: None
) -> None:
    """Run at most so many epochs, until the fit is done. Raises ConfigError where the loss is not finite."""
    while fit.epoch < epochs and not fit.done:
        row = run_epoch(fit, data, within(on_progress, "training", fit.epoch, epochs))
        after_epoch()
        on_progress("training", fit.epoch, epochs, row)


def run_epoch(fit: Fit, data: Data, on_part: Callable[[float], None] = lambda _: None) -> EpochFigures:
    """The next epoch of a fit; `on_part` is told, from 0 to 1, how much of it is done. Raises ConfigError as `run`."""
    batches = data.training_batches(fit.epoch)
    row = fit.run_epoch(batches, data.held_out_batches(), lambda n: on_part(n / (batches.n_batches + 1)))
    if not math.isfinite(row.train_loss + (row.held_out_loss or 0.0)):
        raise ConfigError(f"the loss is not finite after epoch {row.epoch}; lower training.lr or set clip_norm")
    return row


def within(on_progress: OnProgress, what: str, epoch: float, epochs: float) -> Callable[[float], None]:
    """Tells how much of an epoch, of so many, is done."""
    return lambda part: on_progress(what, epoch + part, epochs, None)


def pipeline_of(data: Data, fit: Fit) -> Pipeline:
    """A pipeline with the best weights so far."""
    network = from_config(data.pipeline_config.model)
    network.load_state_dict(fit.progress.best)
    return Pipeline(data.pipeline_config, network)


def notes_of(data: Data, fit: Fit, finished: bool, scores: dict[str, Any]) -> dict[str, Any]:
    """How and on what it was trained, for the pipeline file; plain JSON."""
    progress = fit.progress
    rows = [source.noted(held_out=source.held_out) for source in data.sources if source.recording.format != "synthetic"]
    return {
        "trained_on": rows if data.start is None else data.start.with_its_recordings(rows),
        "annotations": data.annotations.plain(),
        "warnings": data.warnings,
        "synthetic": None if data.config.data.synthetic is None else data.config.data.synthetic.model_dump(mode="json"),
        "training": {
            **data.config.training.model_dump(mode="json"),
            "augment": data.config.augment.model_dump(mode="json"),
            "finished": finished,
            "epochs_run": fit.epoch,
            "best_epoch": progress.best_epoch,
            "best": asdict(progress.rows[progress.best_epoch - 1]),
        },
        "scores": scores,
        "commit": provenance.commit(),
        "versions": provenance.versions(),
        "kernels": provenance.kernels(),
    }
