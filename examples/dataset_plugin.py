"""A dataset reader of one's own: a folder of NumPy files, each a recording with its seizures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rtbci import Event, Recording, StreamInfo
from rtbci.datasets import Dataset, Member
from rtbci.errors import DatasetError


def open_folder(folder: Path) -> Dataset:
    """`SUBJECT_NIGHT.npz`: data (n_samples, n_channels) in µV, channels, sfreq, onsets and durations in seconds."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise DatasetError(f"nights: {folder} holds no file SUBJECT_NIGHT.npz")
    return Dataset("nights", ("seizure",), tuple(map(member, paths)), citation="Nights of our ward, 2026")


def member(path: Path) -> Member:
    """One file, with its seizures as annotations."""
    with np.load(path, allow_pickle=False) as file:
        data = file["data"].astype(np.float32)
        channels = tuple(map(str, file["channels"]))
        info = StreamInfo(path.stem, float(file["sfreq"]), channels, ("uV",) * len(channels))
        events = tuple(
            Event(float(onset), float(duration), "seizure")
            for onset, duration in zip(file["onsets"], file["durations"], strict=True)
        )
    recording = Recording(path, "npz", info, len(data), lambda start, stop: data[start:stop], events)
    return Member(path.stem, recording, subject=path.stem.split("_")[0])
