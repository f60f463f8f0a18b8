"""BCI Competition II, set IV: left or right key press, from the half second that ends 130 ms before it.

The .mat files hold (n_times, n_channels, n_trials): axes are transposed here. Reshaping instead would keep the shape
and mix up time and channels.

References
----------
B. Blankertz, G. Curio, K.-R. Müller, Classifying single trial EEG: towards brain computer interfacing, NIPS 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from rtbci.datasets.dataset import Dataset, Member, unfit
from rtbci.errors import DatasetError
from rtbci.recordings.recording import Recording
from rtbci.types import Event, Samples, StreamInfo

PUBLISHED = "set IV (self-paced 1s) is published at https://www.bbci.de/competition/ii/"
CITATION = "B. Blankertz, G. Curio, K.-R. Müller, NIPS 2002; BCI Competition II, set IV"
LABELS = ("left", "right")
CHANNELS = (
    *("F3", "F1", "Fz", "F2", "F4", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6"),
    *("C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "O1", "O2"),
)
DURATION_S = 0.5


@dataclass(frozen=True)
class Epochs:
    """Trials of one file: x (n_trials, n_times, n_channels) in µV; labels (n_trials,), None where not published."""

    x: Samples
    labels: npt.NDArray[np.int64] | None
    part: Literal["train", "test"]

    @property
    def sfreq(self) -> float:
        return float(self.x.shape[1] / DURATION_S)


def open_folder(folder: Path) -> Dataset:
    """Open the trials at 100 Hz, else those at 1000 Hz; from the .mat file, else from the text files.

    Parameters
    ----------
    folder
        Where the published files are.

    Returns
    -------
    Dataset
        One member for each trial.

    Raises
    ------
    DatasetError
        If a file is missing or is not one of this set.
    """
    for path in (
        folder / f"sp1s_aa{kind}" for kind in ("_100Hz.mat", "_train.txt", "_1000Hz.mat", "_train_1000Hz.txt")
    ):
        if path.exists():
            parts = read_epochs(path)
            if path.suffix == ".txt" and (test := path.with_name(path.name.replace("train", "test"))).exists():
                parts += read_epochs(test)
            members = tuple(member for part in parts for member in _members(path, part))
            lacks = () if any(part.part == "test" for part in parts) else ("the test trials",)
            return Dataset("bci2_iv", LABELS, members, lacks, independent=True, citation=CITATION)
    raise unfit(
        "bci2_iv", folder, "has neither sp1s_aa_100Hz.mat nor sp1s_aa_train.txt (or the 1000 Hz ones)", PUBLISHED
    )


def read_epochs(path: Path) -> tuple[Epochs, ...]:
    """The parts of one published file, .mat or .txt, at 100 or 1000 Hz. Raises DatasetError for another file."""
    try:
        return _from_mat(path) if path.suffix == ".mat" else _from_text(path)
    except DatasetError:
        raise
    except Exception as error:  # parsing a file of another kind may raise anything
        raise DatasetError(f"{path}: is not a file of set IV ({type(error).__name__}: {str(error)[:80]})") from None


def _from_mat(path: Path) -> tuple[Epochs, ...]:
    from scipy.io import loadmat

    content = loadmat(str(path))
    if "x_train" not in content:
        raise DatasetError(f"{path}: holds no x_train; {PUBLISHED}")
    channels = tuple(str(name[0]) for name in content["clab"].ravel())
    if channels != CHANNELS:
        raise DatasetError(f"{path}: its channels are {', '.join(channels)[:200]}, not those of set IV; {PUBLISHED}")
    train = _epochs(path, content["x_train"].transpose(2, 0, 1), content["y_train"].ravel(), "train")
    if "x_test" not in content:
        return (train,)
    return train, _epochs(path, content["x_test"].transpose(2, 0, 1), None, "test")


def _from_text(path: Path) -> tuple[Epochs, ...]:
    """One row for each trial: its label first in a training file, then all times of a channel, then of the next."""
    rows = np.loadtxt(path, ndmin=2)
    labelled = rows.shape[1] % len(CHANNELS) == 1
    values = rows[:, 1:] if labelled else rows
    x = values.reshape(len(rows), len(CHANNELS), -1).transpose(0, 2, 1)
    return (_epochs(path, x, rows[:, 0] if labelled else None, "train" if labelled else "test"),)


def _epochs(
    path: Path,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.generic] | None,
    part: Literal["train", "test"],
) -> Epochs:
    if x.shape[1:] not in ((50, 28), (500, 28)) or (y is not None and not set(np.unique(y)) <= {0, 1}):
        raise DatasetError(f"{path}: trials of {x.shape[1]} samples × {x.shape[2]} channels are not those of set IV")
    return Epochs(np.ascontiguousarray(x, np.float32), None if y is None else y.astype(np.int64), part)


def _members(path: Path, epochs: Epochs) -> list[Member]:
    return [
        Member(f"{epochs.part} {i:03d}", as_recording(path, epochs, i), "aa", epochs.part) for i in range(len(epochs.x))
    ]


def as_recording(path: Path, epochs: Epochs, trial: int) -> Recording:
    """One trial as a short recording, which passes through the same stages as a live stream."""
    x = epochs.x[trial]
    annotations = () if epochs.labels is None else (Event(0.0, DURATION_S, LABELS[epochs.labels[trial]]),)
    info = StreamInfo("sp1s_aa", epochs.sfreq, CHANNELS, ("uV",) * len(CHANNELS))
    return Recording(path, "epochs", info, len(x), lambda start, stop: x[start:stop], annotations)
