"""High-Gamma Dataset: 14 volunteers moving left hand, right hand or feet, or resting; `train/N` and `test/N`.

Published as EDF with annotations and as .mat (HDF5).

References
----------
R. T. Schirrmeister et al., Human Brain Mapping 38(11), 2017.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rtbci.datasets.dataset import Dataset, Member, unfit
from rtbci.errors import DatasetError
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.types import Event, Samples, StreamInfo

PUBLISHED = "the dataset is published at https://gin.g-node.org/robintibor/high-gamma-dataset"
CITATION = "High-Gamma Dataset; R. T. Schirrmeister et al., Human Brain Mapping 38(11), 2017"
LABELS = ("right_hand", "left_hand", "rest", "feet")  # in the order of the .mat files' codes 1 to 4
CUE_S = 4.0
MOTOR_CHANNELS = (
    *("FC5", "FC1", "FC2", "FC6", "C3", "C4", "CP5", "CP1", "CP2", "CP6", "FC3", "FCz", "FC4", "C5", "C1", "C2", "C6"),
    *("CP3", "CPz", "CP4", "FFC5h", "FFC3h", "FFC4h", "FFC6h", "FCC5h", "FCC3h", "FCC4h", "FCC6h"),
    *("CCP5h", "CCP3h", "CCP4h", "CCP6h", "CPP5h", "CPP3h", "CPP4h", "CPP6h"),
    *("FFC1h", "FFC2h", "FCC1h", "FCC2h", "CCP1h", "CCP2h", "CPP1h", "CPP2h"),
)
"""The 44 over the motor cortex, as Schirrmeister et al. and Strypsteen and Bertrand (2021) use them."""


def open_folder(folder: Path) -> Dataset:
    """Open `train/1.edf` … `test/14.edf` (or .mat) in the folder or in its `data`.

    Parameters
    ----------
    folder
        Of the dataset, or a part of it.

    Returns
    -------
    Dataset
        `missing`: recordings that are not there.

    Raises
    ------
    DatasetError
        If there is no recording, or one lacks its annotations or motor channels.
    """
    root = folder / "data" if (folder / "data" / "train").is_dir() else folder
    members, missing = [], []
    for part in ("train", "test"):
        for subject in range(1, 15):
            files = (root / part / f"{subject}{suffix}" for suffix in (".edf", ".mat"))
            path = next((file for file in files if file.exists()), None)
            if path is None:
                missing.append(f"{part}/{subject}.edf")
            else:
                members.append(_member(path, part, str(subject)))
    if not members:
        raise unfit("high_gamma", folder, "has no recording named as train/1.edf or train/1.mat", PUBLISHED)
    return Dataset("high_gamma", LABELS, tuple(members), tuple(missing), citation=CITATION)


def _member(path: Path, part: Literal["train", "test"], subject: str) -> Member:
    recording = open_recording(path) if path.suffix == ".edf" else open_mat(path)
    labelled = tuple(_with_dataset_label(event) for event in recording.annotations)
    kept = tuple(event for event in labelled if event.label in LABELS)
    if not kept:
        raise DatasetError(f"{path}: has no annotation among {', '.join(LABELS)}; {PUBLISHED}")
    lacks = [name for name in MOTOR_CHANNELS if name not in _names(recording)]
    if lacks:
        raise DatasetError(
            f"{path}: lacks {len(lacks)} of the 44 motor channels ({', '.join(lacks[:4])} …); {PUBLISHED}"
        )
    return Member(f"{part}/{subject}", replace(recording, annotations=kept), subject, part)


def _names(recording: Recording) -> set[str]:
    return {label.removeprefix("EEG ").strip() for label in recording.info.channels}


def _with_dataset_label(event: Event) -> Event:
    return replace(event, label=event.label.strip().lower().replace(" ", "_"), duration=event.duration or CUE_S)


def open_mat(path: Path) -> Recording:
    """A .mat file of the dataset (MATLAB 7.3, BBCI layout), a variable for each channel. Raises DatasetError."""
    try:
        import h5py
    except ImportError:
        raise DatasetError(
            f"{path}: reading .mat files of version 7.3 needs h5py; install it, or use the EDF files"
        ) from None
    try:
        file = h5py.File(path, "r")
        return _from_hdf5(path, file)
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise DatasetError(
            f"{path}: is not a file of the High-Gamma Dataset ({str(error)[:80]}); {PUBLISHED}"
        ) from None


def _from_hdf5(path: Path, file: Any) -> Recording:
    channels = tuple("".join(chr(c) for c in np.ravel(file[ref])) for ref in np.ravel(file["nfo"]["clab"]))
    sfreq, n_samples = float(np.ravel(file["nfo"]["fs"])[0]), int(np.ravel(file["nfo"]["T"])[0])
    onsets = np.ravel(file["mrk"]["time"]) / 1000
    codes = np.ravel(file["mrk"]["event"]["desc"]).astype(int)
    events = tuple(
        Event(float(onset), CUE_S, LABELS[code - 1])
        for onset, code in zip(onsets, codes, strict=True)
        if 1 <= code <= len(LABELS)
    )
    info = StreamInfo(path.stem, sfreq, channels, ("uV",) * len(channels))

    def read(start: int, stop: int) -> Samples:
        columns = [_piece(file[f"ch{i + 1}"], start, stop) for i in range(len(channels))]
        return np.stack(columns, axis=1).astype(np.float32)

    return Recording(path, "BBCI", info, n_samples, read, events)


def _piece(variable: Any, start: int, stop: int) -> Any:
    """Samples of a channel that is stored as a row or a column; only these are read."""
    return variable[0, start:stop] if variable.shape[0] == 1 else variable[start:stop, 0]
