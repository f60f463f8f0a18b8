"""Patients whose seizures are a rhythm in two of six channels, and a tagger whose channels share their weights."""

from pathlib import Path

from crossval_kit import write_recording

from rtbci.training.config import TrainConfig, read_train_config

CHANNELS = ("F3", "F4", "C3", "C4", "P3", "P4")
SEIZING = ("C3", "P4")
CONFIG = """
[pipeline]
name = "few"
sfreq = 64
classes = ["seizure"]
montage.channels = ["F3", "F4", "C3", "C4", "P3", "P4"]
filters = { low_hz = 1.0, high_hz = 20.0, order = 2 }
scaling = { kind = "none" }
decision = { smoothing_s = 0.5, threshold = 0.5, release = 0.4, min_duration_s = 1.0 }
gaps.warmup_s = 1.0

[pipeline.model]
kind = "shared_conv_lstm"
filters = 4
kernel = 8
stride = 4
waves = 2
features = 4
span = 2
units = [4]
hop = 16
knee = 20.0
baseline_hops = 40

[crossval]
test = ["p*"]
folds = 2
inner = 2
operating_point = { thresholds = [0.3, 0.7], min_duration_s = [1.0], no_alarm_in = ["quiet"] }

[electrodes]
within_cm = 9.0
sets = [
    { name = "frontal", derivations = ["F4", "F3"] },
    { name = "frontal", derivations = ["F3", "F4", "C4"] },
]

[selection]
epochs = 10
lr = 0.03
selector_lr = 0.3
temperature = [2.0, 0.2]
tau = [1.1, 1.1]
random_sets = 1

[sampling]
shares = { seizures = 0.8, quiet = 0.2 }
sequences = 32
duration_s = 8.0
lead_in = 0.5
lead_in_from = ["quiet"]

[augment]

gain_sd = 0.1

[training]
epochs = 4
rows = 8
lr = 0.03
bptt_s = 8.0
class_weights = "none"

[[data.recordings]]
files = ["*_sz.edf"]
group = "seizures"
subject_pattern = '(\\w+)_'
labels.burst = "seizure"

[[data.recordings]]
files = ["*_rest.edf"]
group = "quiet"
subject_pattern = '(\\w+)_'
background_only = true
"""


def write_patients(root: Path) -> None:
    """Four patients with a seizure each, two subjects at rest, and a config."""
    root.mkdir(exist_ok=True)
    for seed, name in enumerate(("pa", "pb", "pc", "pd")):
        write_recording(root / f"{name}_sz.edf", seed, (6.0 + 3 * seed, 10.0), 30, CHANNELS, SEIZING)
    for seed, name in enumerate(("qa", "qb", "qc", "qd")):
        write_recording(root / f"{name}_rest.edf", 20 + seed, None, 20, CHANNELS)
    (root / "few.toml").write_text(CONFIG)


def config_of(root: Path, *settings: str) -> TrainConfig:
    return read_train_config(root / "few.toml", list(settings))
