"""Patients with seizures that are a rhythm, and subjects without, in recordings of two channels; a tagger that learns fast."""

from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np

from rtbci.training.config import TrainConfig, read_train_config

CONFIG = """
[pipeline]
name = "tiny"
sfreq = 64
classes = ["seizure"]
montage.channels = ["C3", "C4"]
filters = { low_hz = 1.0, high_hz = 20.0, order = 2 }
scaling = { kind = "running" }
model = { kind = "conv_lstm", filters = 4, kernel = 8, hop = 8, units = [6] }
decision = { smoothing_s = 0.5, threshold = 0.5, release = 0.4, min_duration_s = 1.0 }
gaps.warmup_s = 0.0

[crossval]
test = ["p*"]
operating_point = { thresholds = [0.2, 0.4, 0.6, 0.8], min_duration_s = [1.0, 2.0], no_alarm_in = ["quiet"] }

[[data.recordings]]
files = ["*_sz.edf"]
group = "seizures"
subject_pattern = '(\\w)_'
labels.burst = "seizure"

[[data.recordings]]
files = ["*_post.edf"]
group = "after seizures"
subject_pattern = '(\\w)_'
background_only = true

[[data.recordings]]
files = ["*_rest.edf"]
group = "quiet"
subject_pattern = '(\\w)_'
background_only = true

[training]
epochs = 4
rows = 4
bptt_s = 4.0
lr = 0.05
class_weights = "none"
"""
PATIENTS, QUIET = ("pa", "pb", "pc", "pd"), ("qa", "qb", "qc")


def write_recording(
    path: Path,
    seed: int,
    burst: tuple[float, float] | None,
    seconds: int = 40,
    channels: Sequence[str] = ("C3", "C4"),
    seizing: Sequence[str] = ("C3", "C4"),
) -> None:
    """Noise at 64 Hz; a burst (onset, duration) is a rhythm of 6 Hz in the channels that seize."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 10, (seconds * 64, len(channels)))
    t = np.arange(len(x)) / 64
    notes = []
    if burst is not None:
        onset, duration = burst
        during = (t >= onset) & (t < onset + duration)
        for name in seizing:
            x[during, channels.index(name)] += 40 * np.sin(2 * np.pi * 6 * t[: round(duration * 64)])
        notes.append(edfio.EdfAnnotation(onset, duration, "burst"))
    signals = [
        edfio.EdfSignal(c, 64, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for c, name in zip(x.T, channels, strict=True)
    ]
    edfio.Edf(signals, annotations=notes or None).write(path)


def write_patients(root: Path) -> None:
    """Four patients with a recording with a seizure and one after it, three subjects at rest, and a config."""
    root.mkdir(exist_ok=True)
    for seed, name in enumerate(PATIENTS):
        write_recording(root / f"{name}_sz.edf", seed, (8.0 + 3 * seed, 10.0))
        write_recording(root / f"{name}_post.edf", 10 + seed, None, 20)
    for seed, name in enumerate(QUIET):
        write_recording(root / f"{name}_rest.edf", 20 + seed, None)
    (root / "crossval.toml").write_text(CONFIG.replace("(\\w)_", "(\\w+)_"))


def config_of(root: Path, *settings: str) -> TrainConfig:
    return read_train_config(root / "crossval.toml", list(settings))
