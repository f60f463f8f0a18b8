"""The state of a training run, saved after each epoch, so that an interrupted run reaches the same result."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import torch

from rtbci.errors import ConfigError
from rtbci.files import atomic_write, free
from rtbci.training.config import TrainConfig
from rtbci.training.fit import Fit, Progress
from rtbci.training.learning_curve import EpochFigures


def checkpoint_path(out: Path) -> Path:
    """NAME.checkpoint, beside the future pipeline file."""
    return out.with_name(f"{out.stem}.checkpoint")


def save_checkpoint(path: Path, fit: Fit, config: TrainConfig, start: str = "") -> None:
    """Replace the previous checkpoint; an interruption leaves the old one or the new one. Raises OSError.

    start: digest of the pipeline that the fit began with; empty: none.
    """
    progress = fit.progress
    content = {
        "config": digest(config, start),
        "network": fit.network.state_dict(),
        "average": fit.average.state_dict() if fit.average is not None else None,
        "optimizer": fit.optimizer.state_dict(),
        "scaler": fit.scaler.state_dict(),
        "rows": [asdict(row) for row in progress.rows],
        "best": progress.best,
        "best_epoch": progress.best_epoch,
        "best_loss": progress.best_loss,
    }
    atomic_write(path, lambda file: torch.save(content, file))


def set_aside(out: Path) -> Path | None:
    """Rename the checkpoint of an earlier, unfinished run, so that a new run does not replace it.

    Returns the new name; None where there is no such checkpoint.
    """
    path = checkpoint_path(out)
    if not path.exists():
        return None
    kept = free(path)
    path.rename(kept)
    return kept


def load_checkpoint(path: Path, fit: Fit, config: TrainConfig, start: str = "") -> None:
    """Restore the state of a run.

    Parameters
    ----------
    path
        The checkpoint.
    fit
        A fresh fit of the same config, which is changed.
    config
        The config of this run.
    start
        Digest of the pipeline that this run begins with; empty: none.

    Raises
    ------
    ConfigError
        If the checkpoint is damaged or belongs to another config.
    """
    try:
        content = torch.load(path, map_location=fit.device, weights_only=True)  # tensors and numbers, never code
        if content["config"] != digest(config, start):
            raise ConfigError(
                f"{path}: belongs to another config, other data or another --from; train without --resume, which keeps it"
            )
        fit.network.load_state_dict(content["network"])
        if fit.average is not None:
            fit.average.load_state_dict(content["average"])
        fit.optimizer.load_state_dict(content["optimizer"])
        if content["scaler"]:
            fit.scaler.load_state_dict(content["scaler"])
        rows = [EpochFigures(**row) for row in content["rows"]]
        fit.progress = Progress(rows, content["best"], content["best_epoch"], content["best_loss"])
    except ConfigError:
        raise
    except Exception as error:  # whatever a damaged file may raise
        raise ConfigError(f"{path}: is not a complete checkpoint ({type(error).__name__}); remove it") from None


def digest(config: TrainConfig, start: str = "") -> str:
    """Hash of a config and of where its fit begins, but for where preprocessed recordings are kept."""
    content = config.model_dump_json(exclude={"data": {"cache", "cache_gb"}})
    return hashlib.sha256((content + start).encode()).hexdigest()
