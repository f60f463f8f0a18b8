"""Offline answers to a file of epochs: each trial through the stages of the live path, reset before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.datasets.bci2_iv import Epochs, as_recording, read_epochs
from rtbci.errors import DatasetError
from rtbci.evaluation.outputs import foreign
from rtbci.evaluation.trial_scores import decided
from rtbci.files import atomic_write, make_private_folder
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.spreadsheet import text_cell, text_of
from rtbci.types import Chunk, Samples


def is_epochs(path: Path) -> bool:
    """Whether a file holds epochs rather than a recording, by its suffix."""
    return path.suffix.lower() in (".mat", ".txt")


def tag_epochs(pipeline: Pipeline, path: Path, out: Path, device: str = "cpu") -> Path:
    """Classify the test trials of a file (its training trials where it has no others) and write `NAME_predictions.tsv`.

    One row for each trial, numbered from 1: `trial`, `label`, a probability for each class.

    Parameters
    ----------
    pipeline
        The result of training.
    path
        The file of epochs.
    out
        Folder for the table.
    device
        "cpu", "cuda", or "auto".

    Returns
    -------
    Path
        The table.

    Raises
    ------
    DatasetError
        If the file cannot be read, or a trial is too short.
    StreamMismatch
        If its channels or its rate do not fit.
    ConfigError
        As `check_predictions` does.
    """
    target = predictions_path(path, out)
    check_predictions(target)
    epochs = read_epochs(path)[-1]
    probabilities = answer_epochs(pipeline, path, epochs, device)
    make_private_folder(out)
    atomic_write(target, predictions_table(probabilities, pipeline.config))
    return target


def predictions_path(path: Path, out: Path) -> Path:
    """NAME_predictions.tsv."""
    return out / f"{path.stem}_predictions.tsv"


def check_predictions(target: Path) -> None:
    """Raise ConfigError where `target` exists and is not a table of predictions, or its labels were edited."""
    if not target.exists():
        return
    try:
        rows = [line.split("\t") for line in target.read_bytes().decode().splitlines()]
        classes, probabilities = tuple(map(text_of, rows[0][2:])), np.array([row[2:] for row in rows[1:]], np.float32)
        if rows == _rows(probabilities, classes):
            return
    except (ValueError, IndexError):
        pass
    raise foreign(target)


def answer_epochs(pipeline: Pipeline, path: Path, epochs: Epochs, device: str = "cpu") -> Samples:
    """The last scores that a pipeline gives within each trial: (n_trials, n_classes)."""
    live = pipeline.start(as_recording(path, epochs, 0).info, device, offline=True)
    last = []
    for trial in range(len(epochs.x)):
        live.reset()
        recording = as_recording(path, epochs, trial)
        scores = live.process(Chunk(recording.read(0, recording.n_samples), recording.times()))
        rest, _ = live.flush()
        answers = [part for part in (scores, rest) if len(part)]
        if not answers:
            raise DatasetError(
                f"{path}: a trial of {recording.duration_s:g} s is too short for pipeline {pipeline.name!r}, "
                f"which answers every {pipeline.hop_s:g} s"
            )
        last.append(answers[-1].data[-1])
    return np.stack(last)


def predictions_table(probabilities: Samples, config: PipelineConfig) -> str:
    """TSV of probabilities (n_trials, n_classes), with the predicted label."""
    return "".join("\t".join(cells) + "\n" for cells in _rows(probabilities, config.classes))


def _rows(probabilities: npt.NDArray[np.floating], classes: tuple[str, ...]) -> list[list[str]]:
    cells = tuple(map(text_cell, classes))
    names = (*cells, "background")  # of a single class, -1 is background
    rows = [["trial", "label", *cells]]
    for number, (row, label) in enumerate(zip(probabilities, decided(probabilities), strict=True), 1):
        rows.append([str(number), names[label], *(f"{p:.6f}" for p in row)])
    return rows
