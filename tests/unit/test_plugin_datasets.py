"""A user's own dataset reader: named or installed, trained on by a config, refused in one line otherwise."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from plugin_kit import EXAMPLES, fresh_registry, install

import rtbci
from rtbci.datasets import Dataset, open_dataset
from rtbci.errors import DatasetError
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import read_train_config
from rtbci.training.train import train

NAME = "dataset_plugin:open_folder"
CONFIG = f"""
[pipeline]
name = "nights"
sfreq = 64
montage.channels = ["C3", "C4"]
scaling = {{ kind = "running" }}
model = {{ kind = "conv_lstm", filters = 4, kernel = 8, hop = 8, units = [6] }}

[data.dataset]
name = "{NAME}"
elsewhere = "background"

[data.validation]
by = "subject"
fraction = 0.4

[training]
epochs = 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three nights of two patients; the reader's file is beside them."""
    shutil.copy(EXAMPLES / "dataset_plugin.py", tmp_path)
    for seed, night in enumerate(("anna_1", "anna_2", "bert_1")):
        data = np.random.default_rng(seed).normal(0, 10, (64 * 30, 2))
        np.savez(
            tmp_path / f"{night}.npz", data=data, channels=["C3", "C4"], sfreq=64.0, onsets=[8.0], durations=[10.0]
        )
    (tmp_path / "train.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    with fresh_registry(tmp_path):
        yield tmp_path


def test_a_named_reader_opens_a_folder(folder: Path) -> None:
    rtbci.plugin(f"dataset_plugin.py:{NAME.split(':')[1]}")
    dataset = open_dataset(NAME, folder)
    assert isinstance(dataset, Dataset)
    assert [(m.name, m.subject) for m in dataset.members] == [
        ("anna_1", "anna"),
        ("anna_2", "anna"),
        ("bert_1", "bert"),
    ]
    assert [e.onset for e in dataset.members[0].recording.annotations] == [8.0]


def test_a_config_trains_on_it(folder: Path) -> None:
    rtbci.plugin(NAME)
    train(read_train_config(folder / "train.toml"), folder / "nights.rtbci")
    notes = Pipeline.load(folder / "nights.rtbci").notes
    assert {row["source"] for row in notes["trained_on"]} == {"Nights of our ward, 2026"}
    assert {row["recording"] for row in notes["trained_on"]} == {"anna_1", "anna_2", "bert_1"}


def test_an_installed_reader_goes_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(folder / "site", "[rtbci.datasets]\nnights = dataset_plugin:open_folder\n")
    monkeypatch.syspath_prepend(folder / "site")
    monkeypatch.syspath_prepend(folder)
    assert len(open_dataset("nights", folder).members) == 3
    with pytest.raises(DatasetError, match="known are bci2_iv, .*, nights; did you mean 'nights'"):
        open_dataset("night", folder)


def test_a_config_may_not_name_what_nobody_has_named(folder: Path) -> None:
    (folder / "trap.py").write_text("from pathlib import Path\nPath(__file__).with_name('sprung').touch()\n")
    rtbci.plugin(NAME)
    config = read_train_config(folder / "train.toml", ['data.dataset.name="trap:open_folder"'])
    with pytest.raises(DatasetError, match="dataset 'trap:open_folder' is not registered; install the package"):
        train(config, folder / "x.rtbci")
    assert not (folder / "sprung").exists()


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("return 3", "gives int, wanted an rtbci.datasets.Dataset"),
        ("return folder.nothing", r"fails: AttributeError: .* \(reader.py, line 2\)"),
        ("raise KeyError('data')", r"fails: KeyError: 'data' \(reader.py, line 2\)"),
    ],
)
def test_a_reader_that_fails_is_told_in_one_line(body: str, answer: str, folder: Path) -> None:
    (folder / "reader.py").write_text(f"def open_folder(folder):\n    {body}\n")
    with pytest.raises(DatasetError, match=f"reader:open_folder: .*{answer}"):
        open_dataset(rtbci.plugin("reader.py:open_folder"), folder)
    with pytest.raises(DatasetError, match="there is no folder"):
        open_dataset("reader:open_folder", folder / "nowhere")
