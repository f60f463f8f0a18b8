"""Every config of the repository trains, and what comes out runs live."""

from pathlib import Path

import edfio
import numpy as np
import pytest

from rtbci.datasets import bci2_iv
from rtbci.models.config import CONFIGS
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import TrainConfig, read_train_config
from rtbci.training.train import train
from rtbci.types import Chunk, StreamInfo

FOLDER = Path(__file__).parents[2] / "configs"
NAMES = [kind for kind in CONFIGS if kind not in ("selection", "covariance")] + ["bci2_iv"]
SMALL = ("training.epochs=1", "training.threads=1", "training.device='cpu'", "training.visit_s=10.0")


def write_run(path: Path, channels: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """A cue every 6 s, twice each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    n = 160 * (6 * 2 * len(labels) + 8)
    signals = [
        edfio.EdfSignal(rng.normal(0, 10, n), 160, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for name in channels
    ]
    notes = [edfio.EdfAnnotation(1 + 6 * i, 4, label) for i, label in enumerate(labels * 2)]
    edfio.Edf(signals, annotations=notes).write(path)


def write_bci2_iv(root: Path, channels: tuple[str, ...]) -> None:
    assert channels == bci2_iv.CHANNELS
    rows = np.random.default_rng(0).normal(0, 10, (12, 28 * 50))
    np.savetxt(root / "sp1s_aa_train.txt", np.column_stack([np.arange(12) % 2, rows]), fmt="%.2f")


def write_eegmmidb(root: Path, channels: tuple[str, ...]) -> None:
    for run in (3, 4, 7, 8):
        write_run(root / f"S001R{run:02d}.edf", channels, ("T0", "T1", "T2"))


def write_high_gamma(root: Path, channels: tuple[str, ...]) -> None:
    for subject in (1, 2):
        write_run(root / "train" / f"{subject}.edf", channels, ("right_hand", "left_hand", "rest", "feet"))


WRITERS = {"bci2_iv": write_bci2_iv, "eegmmidb": write_eegmmidb, "high_gamma": write_high_gamma}


def small(name: str, root: Path) -> TrainConfig:
    """The config, on a few made-up recordings for its dataset or a few synthetic ones."""
    path = FOLDER / f"{name}.toml"
    whole = read_train_config(path)
    settings = [*SMALL, f"data.root={root}"]
    if whole.data.synthetic is not None:
        settings += ["data.synthetic.n_recordings=5", "data.synthetic.duration_s=12.0"]
    for dataset, _ in whole.data.datasets():
        WRITERS[dataset.name](root, whole.pipeline.montage.channels)
        settings += ["data.validation.k_fold=2", "data.validation.repeats=1"]
    if name == "msfbcnn":
        settings += ["pipeline.sfreq=160", "pipeline.model.window=720"]
    if name == "stacked_lstm":
        settings += ["pipeline.model.units=[16, 8]"]
    return read_train_config(path, settings)


def test_there_is_a_config_for_every_network_and_one_for_set_iv():
    assert set(NAMES) <= {path.stem for path in FOLDER.glob("*.toml")}


@pytest.mark.parametrize("name", NAMES)
def test_a_config_trains_for_an_epoch_and_its_pipeline_runs_live(name, tmp_path):
    config = small(name, tmp_path)
    train(config, tmp_path / "tiny.rtbci")
    pipeline = Pipeline.load(tmp_path / "tiny.rtbci")
    assert config.pipeline.name == name
    if name in CONFIGS:
        assert config.pipeline.model.kind == name
    if config.data.dataset:
        assert np.sum(pipeline.notes["scores"]["cross_validated"]["trials"]["confusion"]) >= 12
    sfreq = pipeline.sfreq
    info = StreamInfo("amplifier", sfreq, pipeline.channels, ("uV",) * len(pipeline.channels))
    n = round(sfreq * 6)
    x = np.random.default_rng(0).normal(0, 10, (n, len(info.channels))).astype(np.float32)
    live = pipeline.start(info)
    chunks = [Chunk(x[i : i + 8], np.arange(i, min(i + 8, n)) / sfreq) for i in range(0, n, 8)]
    scores = Chunk.join([live.process(chunk) for chunk in chunks])
    assert len(scores) > 5
    assert np.isfinite(scores.data).all()
    assert scores.data.shape[1] == len(pipeline.classes)
