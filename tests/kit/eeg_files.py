"""Small EDF files of made-up EEG."""

from pathlib import Path

import edfio
from cutting import eeg

ELECTRODES = ("Fp1", "F7", "T7", "P7", "O1")


def write_eeg(path: Path, seconds: int = 20, seed: int = 0, channels: tuple[str, ...] = ELECTRODES) -> Path:
    """Something like EEG at 128 Hz, which the small pipeline of `cutting` accepts; another seed, other samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = eeg(seconds * 128, len(channels), 128.0, seed).data
    signals = [
        edfio.EdfSignal(data[:, i], 128.0, label=name, physical_dimension="uV", physical_range=(-3276.8, 3276.7))
        for i, name in enumerate(channels)
    ]
    edfio.Edf(signals).write(path)
    return path
