"""People who imagine left or right, in recordings of two channels with a rhythm in one of them, and a network that is quick."""

from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np

from rtbci.training.config import TrainConfig, read_train_config

CONFIG = """
[pipeline]
name = "tiny_trials"
sfreq = 64
classes = ["left", "right"]
activation = "softmax"
montage.channels = ["C3", "C4"]
filters = { low_hz = 4.0, high_hz = 20.0, order = 2 }
scaling = { kind = "constant" }
model = { kind = "covariance", window = 64, means = [], taps = 1 }
cues = { labels = ["left", "right"], offset_s = 0.5 }
gaps.warmup_s = 0.0

[trials]
start_s = 0.5

[crossval]
inner = 2

[[data.recordings]]
files = ["*.edf"]
elsewhere = "unknown"
subject_pattern = '(\\w+)_'
labels = { left = "left", right = "right" }

[training]
epochs = 12
rows = 64
lr = 0.3
loss = "cross_entropy"
class_weights = "none"
"""
PEOPLE = ("pa", "pb", "pc")
LEFT_RIGHT = ("left", "right", "right", "left") * 3


def write_run(
    path: Path,
    seed: int,
    labels: Sequence[str] = LEFT_RIGHT,
    spacing_s: float = 3.0,
    loud_s: tuple[float, float] | None = None,
) -> None:
    """Noise at 64 Hz with a cue each `spacing_s`; after "left" a rhythm of 10 Hz in C4 for 1.5 s, after "right" in C3.

    Between two times it may be twice as loud.
    """
    rng = np.random.default_rng(seed)
    sfreq = 64
    x = rng.normal(0, 10, (round((spacing_s * len(labels) + 2) * sfreq), 2))
    rhythm = 25 * np.sin(2 * np.pi * 10 * np.arange(1.5 * sfreq) / sfreq)
    notes = []
    for number, label in enumerate(labels):
        onset = 1 + number * spacing_s
        notes.append(edfio.EdfAnnotation(onset, 1.5, label))
        first = round(onset * sfreq)
        part = x[first : first + len(rhythm), 1 if label == "left" else 0]
        part += rhythm[: len(part)]
    if loud_s is not None:
        x[round(loud_s[0] * sfreq) : round(loud_s[1] * sfreq)] *= 2
    signals = [
        edfio.EdfSignal(c, sfreq, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for c, name in zip(x.T, ("C3", "C4"), strict=True)
    ]
    edfio.Edf(signals, annotations=notes).write(path)


def write_people(root: Path, runs: int = 1, people: Sequence[str] = PEOPLE) -> None:
    """People with so many runs of twelve trials each, and a config."""
    root.mkdir(exist_ok=True)
    for number, name in enumerate(people):
        for run in range(1, runs + 1):
            write_run(root / f"{name}_r{run}.edf", 10 * run + number)
    (root / "crossval.toml").write_text(CONFIG)


def config_of(root: Path, *settings: str) -> TrainConfig:
    return read_train_config(root / "crossval.toml", list(settings))
