"""Every config of the repository trains, and what comes out runs live."""

from pathlib import Path

import numpy as np
import pytest
from archives import write_dataset

from rtbci import datasets
from rtbci.models.config import CONFIGS
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import TrainConfig, read_train_config
from rtbci.training.crossval.config import CrossvalConfig
from rtbci.training.crossval.run import prepared, sources_and_folds
from rtbci.training.train import train
from rtbci.types import Chunk, StreamInfo

FOLDER = Path(__file__).parents[2] / "configs"
NETWORKS = [kind for kind in CONFIGS if kind not in ("selection", "covariance")]
NAMES = [*NETWORKS, *datasets.NAMES]
SMALL = ("training.epochs=1", "training.threads=1", "training.device='cpu'")


def small(name: str, root: Path) -> TrainConfig:
    """The config, on a few made-up recordings for its dataset or a few synthetic ones."""
    path = FOLDER / f"{name}.toml"
    whole = read_train_config(path)
    settings = [*SMALL, f"data.root={root}"]
    settings += ["training.visit_s=10.0"] if whole.sampling is None else ["sampling.sequences=24", "training.rows=12"]
    if whole.data.synthetic is not None:
        settings += ["data.synthetic.n_recordings=5", "data.synthetic.duration_s=12.0"]
    for dataset, _ in whole.data.datasets():
        (root / dataset.folder).mkdir(parents=True, exist_ok=True)
        write_dataset(dataset.name, root / dataset.folder, whole.pipeline.montage.channels)
    if whole.data.validation.k_fold:
        settings += ["data.validation.k_fold=2", "data.validation.repeats=1"]
    if whole.crossval.folds:
        settings += ["crossval.folds=4" if whole.crossval.by == "trial" else "crossval.folds=0"]
    if name == "msfbcnn":
        settings += ["pipeline.sfreq=160", "pipeline.model.window=720"]
    if name == "stacked_lstm":
        settings += ["pipeline.model.units=[16, 8]"]
    return read_train_config(path, settings)


def test_there_is_a_config_for_every_network_and_for_every_dataset():
    assert set(NAMES) <= {path.stem for path in FOLDER.glob("*.toml")}


@pytest.mark.parametrize("name", datasets.NAMES)
def test_a_dataset_is_found_in_its_config_and_in_the_documentation(name):
    ((one, _),) = read_train_config(FOLDER / f"{name}.toml").data.datasets()
    assert one.name == name
    table = (FOLDER.parent / "docs" / "datasets.md").read_text()
    assert f"| `{name}` |" in table
    assert f"`{name}.toml`" in table


def test_the_config_of_a_dataset_says_how_it_is_cross_validated():
    for name in datasets.NAMES:
        assert read_train_config(FOLDER / f"{name}.toml").crossval != CrossvalConfig()


@pytest.mark.parametrize("name", NAMES)
def test_a_config_trains_for_an_epoch_and_its_pipeline_runs_live(name, tmp_path):
    config = small(name, tmp_path)
    train(config, tmp_path / "tiny.rtbci")
    pipeline = Pipeline.load(tmp_path / "tiny.rtbci")
    scores = pipeline.notes["scores"]
    assert config.pipeline.name == name
    if name in CONFIGS:
        assert config.pipeline.model.kind == name
    if config.data.validation.k_fold:
        assert np.sum(scores["cross_validated"]["trials"]["confusion"]) >= 12
    elif config.data.dataset:
        assert scores["real"]["labelled"] >= 1
    if config.crossval != CrossvalConfig():
        assert len(sources_and_folds(prepared(config)[0], lambda _: None)[1]) >= 2  # its [crossval] can be followed
    sfreq = pipeline.sfreq
    info = StreamInfo("amplifier", sfreq, pipeline.channels, ("uV",) * len(pipeline.channels))
    n = round(sfreq * 6)
    x = np.random.default_rng(0).normal(0, 10, (n, len(info.channels))).astype(np.float32)
    live = pipeline.start(info)
    chunks = [Chunk(x[i : i + 8], np.arange(i, min(i + 8, n)) / sfreq) for i in range(0, n, 8)]
    answers = Chunk.join([live.process(chunk) for chunk in chunks])
    assert len(answers) > 5
    assert np.isfinite(answers.data).all()
    assert answers.data.shape[1] == len(pipeline.classes)
