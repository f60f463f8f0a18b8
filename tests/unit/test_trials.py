"""Trials: what may not be split is not, a share comes with its interval, and a file of epochs is answered as in training."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from real_data import find_data

from rtbci.config import parse
from rtbci.datasets import bci2_iv
from rtbci.errors import ConfigError, DatasetError
from rtbci.evaluation.epochs import answer_epochs, is_epochs, tag_epochs
from rtbci.evaluation.trial_scores import Answers, bootstrap, report, summary_line, wilson
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import TrainConfig, read_train_config
from rtbci.training.cross_validation import deal, folds_of
from rtbci.training.data import Data
from rtbci.training.examples import make_example
from rtbci.training.held_out import answer_trials
from rtbci.training.train import train

CONFIG = Path(__file__).parents[2] / "configs" / "bci2_iv.toml"


@pytest.fixture
def folder(tmp_path):
    """A set of the form of set IV, 24 trials: before "left" C4 drifts away, before "right" C3."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(0, 5, (24, 50, 28)), np.arange(24) % 2
    for trial, label in zip(x, labels, strict=True):
        trial[:, bci2_iv.CHANNELS.index(("C4", "C3")[label])] -= np.linspace(0, 30, 50)
    rows = x.transpose(0, 2, 1).reshape(24, -1)
    np.savetxt(tmp_path / "sp1s_aa_train.txt", np.column_stack([labels, rows]), fmt="%.4f")
    np.savetxt(tmp_path / "sp1s_aa_test.txt", rows[::-1], fmt="%.4f")
    return tmp_path


def config_of(folder: Path, *settings: str) -> TrainConfig:
    """The config of set IV, quick, and bold enough for 24 plain trials."""
    quick = [f"data.root={folder}", "training.epochs=12", "data.validation.k_fold=4", "data.validation.repeats=1",
             "training.weight_decay=0.01", "training.lr=0.01", "pipeline.model.dropout=0.0",
             "pipeline.montage.channels=['C3', 'Cz', 'C4']"]  # fmt: skip
    return read_train_config(CONFIG, [*quick, *settings])


# Shares and their intervals


def test_wilsons_interval_has_its_textbook_values():
    assert wilson(0.84, 100) == pytest.approx((0.7558, 0.8990), abs=1e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
    assert wilson(0.8375, 100) == wilson(0.84, 100)


def test_the_bootstrap_draws_groups_so_that_alike_trials_do_not_narrow_it():
    right = np.repeat([1.0, 0.0, 1.0, 0.0], 50)
    low, high = bootstrap(right, np.repeat(np.arange(4), 50))
    assert (low, high) == (0.0, 1.0)
    low, high = bootstrap(right, np.arange(200))
    assert 0.4 < low < 0.46
    assert 0.54 < high < 0.6
    assert bootstrap(right, np.zeros(200)) is None


def test_the_report_counts_truth_in_rows_and_what_was_said_in_columns():
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32)
    said = report(Answers(p, np.array([0, 0, 1, 1]), ("a", "a", "b", "b")), ("left", "right"))
    assert said["confusion"] == [[1, 1], [0, 2]]
    assert said["accuracy"] == said["balanced_accuracy"] == 0.75
    assert said["accuracy_bootstrap_95"] == [0.5, 1.0]
    assert summary_line(said).startswith(
        "accuracy 0.750 (95 %: 0.301–0.954, Wilson) of 4 trials; 0.500–1.000 by bootstrap over 2"
    )
    one = report(Answers(p[:, :1], np.array([0, 0, -1, -1]), tuple("abcd")), ("seizure",))
    assert (one["classes"], one["confusion"]) == (["background", "seizure"], [[2, 0], [1, 1]])


def test_a_trial_that_was_answered_in_three_repeats_counts_once_for_the_interval():
    answers = Answers(np.tile(np.float32([[0.9, 0.1]]), (30, 1)), np.zeros(30, np.int64), tuple("abcdefghij") * 3)
    assert report(answers, ("left", "right"), repeats=3)["accuracy_wilson_95"] == [round(wilson(1, 10)[0], 4), 1.0]


# Folds


def test_parts_are_dealt_evenly_with_each_label_in_every_part():
    groups, labels = [str(i) for i in range(25)], [0] * 10 + [1] * 15
    parts = deal(groups, labels, 5, [0])
    assert sorted(int(g) for part in parts for g in part) == list(range(25))
    assert {(len(part), sum(int(g) < 10 for g in part)) for part in parts} == {(5, 2)}
    assert parts == deal(groups, labels, 5, [0]) != deal(groups, labels, 5, [1])


def test_parts_may_be_more_than_a_label_has_groups():
    groups, labels = [str(i) for i in range(25)], [0] * 3 + [1] * 22
    parts = deal(groups, labels, 5, [0])
    assert {len(part) for part in parts} == {5}
    assert sorted(sum(int(g) < 3 for g in part) for part in parts) == [0, 0, 1, 1, 1]
    assert {len(part) for part in deal(groups, labels, 25, [0])} == {1}


def test_the_windows_of_one_recording_are_never_split():
    root = find_data("eegmmidb").parent
    config = read_train_config(
        CONFIG,
        [
            f"data.root={root}", "data.dataset={name='eegmmidb', folder='eegmmidb', labels={left='left', right='right', "
            "imagined_left='left', imagined_right='right'}}", "data.validation={k_fold=4, by='recording'}",
            "pipeline.sfreq=160", "pipeline.montage.channels=['C3', 'Cz', 'C4']", "pipeline.model.window=320",
        ],
    )  # fmt: skip
    data = Data.load(config)
    (folds,) = folds_of(data)
    windowed = {"S001R03", "S001R04", "S001R07", "S001R08"}
    assert sorted(map(len, (fold & windowed for fold in folds))) == [1, 1, 1, 1]
    fold, left_out = data.without(folds[0])
    assert not {e.source.name for e in fold.training} & {e.source.name for e in left_out}
    with pytest.raises(ConfigError, match="only 1 groups by 'subject'"):
        folds_of(Data.load(read_train_config_by_subject(config)))
    with pytest.raises(DatasetError, match="trials of one recording are not independent"):
        Data.load(with_validation(config, by="trial"))


def with_validation(config: TrainConfig, **changes: object) -> TrainConfig:
    values = config.model_dump(mode="json")
    values["data"]["validation"] |= changes
    return parse(TrainConfig, values, "changed")


def read_train_config_by_subject(config: TrainConfig) -> TrainConfig:
    return with_validation(config, by="subject")


def test_the_trials_of_set_iv_are_one_recording_that_cannot_be_folded_but_by_trial(folder):
    with pytest.raises(ConfigError, match="only 1 groups by 'recording'; lower k_fold, or change"):
        folds_of(Data.load(config_of(folder, "data.validation.by='recording'")))


def test_a_fraction_holds_out_whole_groups(folder):
    data = Data.load(config_of(folder, "data.validation.fraction=0.25"))
    assert (len(data.training), len(data.held_out)) == (18, 6)


# Whole runs


def test_a_dataset_by_name_is_trained_cross_validated_and_told(folder):
    out = folder / "tiny.rtbci"
    pipeline = train(config_of(folder), out)
    said = pipeline.notes["scores"]["cross_validated"]["trials"]
    assert said["n_trials"] == 24
    assert said["accuracy"] > 0.9
    assert np.sum(said["confusion"]) == 24
    assert (folder / "tiny_confusion.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "tiny_curves.csv").exists()
    assert len(pipeline.notes["trained_on"]) == 24


def test_the_same_seed_gives_the_same_answers_and_a_killed_run_resumes_to_them(folder):
    config = config_of(folder, "data.validation.k_fold=2", "training.epochs=4")
    whole, halves = folder / "whole.rtbci", folder / "halves.rtbci"
    train(config, whole)

    def kill(what, done, total, row):
        if what == "training" and done == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train(config, halves, kill)
    train(config, halves, resume=True)
    assert halves.read_bytes() == whole.read_bytes()


def test_folds_that_cannot_be_are_told_before_the_fit(folder):
    with pytest.raises(ConfigError, match="k_fold is 25, but there are only 24 groups by 'trial'"):
        train(config_of(folder, "data.validation.k_fold=25"), folder / "tiny.rtbci", lambda what, *_: pytest.fail(what)
              if what == "training" else None)  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("data.dataset.name='bci2'", "unknown dataset 'bci2'"),
        ("data.dataset.labels={up='left'}", "data.dataset.labels: bci2_iv has no 'up'; it has left, right"),
        ("data.dataset.members=['test *']", "data.dataset.members: no recording matches 'test *'"),
        ("pipeline.model.n_classes=3", "model.n_classes = 3, but there are 2 classes"),
        ("data.validation.folds=[['train 00*']]", "folds and k_fold: name the folds or have them drawn, not both"),
    ],
)
def test_a_config_of_a_dataset_that_is_wrong_is_told_in_one_line(folder, setting, line):
    from rtbci.errors import RtbciError

    with pytest.raises(RtbciError, match=re.escape(line)) as caught:
        Data.load(config_of(folder, setting))
    assert "\n" not in str(caught.value)


# Files of epochs


def test_a_file_of_epochs_is_answered_as_in_training(folder):
    config = config_of(folder, "data.validation={by='trial'}", "pipeline.filters={high_hz=30.0, order=2}")
    train(config, folder / "tiny.rtbci")
    pipeline, data = Pipeline.load(folder / "tiny.rtbci"), Data.load(config)
    (epochs,) = bci2_iv.read_epochs(folder / "sp1s_aa_train.txt")
    offline = answer_epochs(pipeline, folder / "sp1s_aa_train.txt", epochs)
    trained = answer_trials(pipeline, data, [make_example(pipeline, source) for source in data.sources])
    np.testing.assert_allclose(offline, trained.probabilities, rtol=1e-5, atol=1e-5)
    assert (offline.argmax(1) == epochs.labels).mean() > 0.9


def test_predictions_have_a_row_a_trial_with_label_and_a_probability_a_class(folder):
    config = config_of(folder, "data.validation={by='trial'}", "training.epochs=40")
    pipeline = train(config, folder / "tiny.rtbci")
    assert is_epochs(folder / "sp1s_aa_test.txt")
    assert not is_epochs(folder / "chb01_01.edf")
    path = tag_epochs(pipeline, folder / "sp1s_aa_test.txt", folder)
    header, *rows = (line.split("\t") for line in path.read_text().splitlines())
    assert path.name == "sp1s_aa_test_predictions.tsv"
    assert header == ["trial", "label", "left", "right"]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 25)]
    wanted = ["right", "left"] * 12  # the training trials from the end
    assert sum(row[1] == label for row, label in zip(rows, wanted, strict=True)) > 21
    for _, label, left, right in rows:
        assert float(left) + float(right) == pytest.approx(1, abs=2e-6)
        assert label == ("left" if float(left) > float(right) else "right")


def test_the_mat_file_of_set_iv_gives_its_hundred_test_trials(tmp_path):
    torch.manual_seed(0)
    config = read_train_config(CONFIG, [f"data.root={find_data('bci2_iv')}", "training.epochs=1",
                                        "data.validation={by='trial'}"])  # fmt: skip
    pipeline = train(config, tmp_path / "tiny.rtbci")
    path = tag_epochs(pipeline, find_data("bci2_iv/sp1s_aa_100Hz.mat"), tmp_path)
    assert path.name == "sp1s_aa_100Hz_predictions.tsv"
    assert len(path.read_text().splitlines()) == 101
