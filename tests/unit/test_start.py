"""`train --from`: a fit that begins with a pipeline's weights, and what of a config must then be as it was."""

import hashlib

import numpy as np
import pytest
import torch
from commands import mistake_here
from crossval_kit import config_of, write_patients

from rtbci.errors import ConfigError
from rtbci.evaluation.trained_on import TrainedOn
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.start import Start
from rtbci.training.train import train

FIRST = ("data.recordings=[{files=['pa_sz.edf', 'pb_sz.edf'], labels={burst='seizure'}}]", "training.epochs=1")
LATER = (
    "data.recordings=[{files=['pc_sz.edf', 'pd_sz.edf'], labels={burst='seizure'}}]",
    "data.validation.files=['pd_sz.edf']",
    "training.epochs=2",
)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The folder of the recordings, with a pipeline of the first two."""
    root = tmp_path_factory.mktemp("start")
    write_patients(root)
    train(config_of(root, *FIRST), root / "first.rtbci")
    return root


def weights(pipeline: Pipeline) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in pipeline.network.state_dict().items()}


def test_a_fit_begins_with_the_weights_and_the_scaling_of_a_pipeline(first, tmp_path):
    original = Pipeline.load(first / "first.rtbci")
    held = config_of(first, *LATER, "training.epochs=1", "training.lr=1e-30")
    told = []
    pipeline = train(held, tmp_path / "later.rtbci", start_from=first / "first.rtbci", on_warning=told.append)
    for name, value in weights(pipeline).items():
        np.testing.assert_array_equal(value, weights(original)[name])
    assert pipeline.config.scaling == original.config.scaling
    start = pipeline.notes["started_from"]
    assert start["sha256"] == hashlib.sha256((first / "first.rtbci").read_bytes()).hexdigest()
    assert (start["pipeline"], start["file"], start["layers"]) == ("tiny", "first.rtbci", "all")
    assert start["held_out_loss"] == pytest.approx(pipeline.notes["training"]["best"]["held_out_loss"])
    assert any(line.startswith("no epoch did better than first.rtbci itself") for line in told)


def test_a_config_may_set_a_scaling_of_its_own(first, tmp_path):
    config = config_of(first, *LATER, "pipeline.scaling.start_uv=7.0", "pipeline.filters.high_hz=25.0")
    told = []
    pipeline = train(config, tmp_path / "later.rtbci", start_from=first / "first.rtbci", on_warning=told.append)
    assert pipeline.config.scaling.start_uv == 7.0
    assert "the network's input is not that of first.rtbci: pipeline.filters.high_hz is 25.0, there 20.0" in told


def test_what_the_original_was_trained_on_is_still_known_of_the_new_one(first, tmp_path):
    config = config_of(first, *LATER, "training.epochs=1", "data.validation.files=[]")
    pipeline = train(config, tmp_path / "later.rtbci", start_from=first / "first.rtbci")
    rows = pipeline.notes["trained_on"]
    assert [(row["recording"], row.get("earlier", False)) for row in rows] == [
        ("pc_sz.edf", False), ("pd_sz.edf", False), ("pa_sz.edf", True), ("pb_sz.edf", True),
    ]  # fmt: skip
    row = rows[2]
    assert TrainedOn(pipeline.notes).find(first / "under another name.edf", row["content"]) is not None
    told = []
    held = config_of(first, *FIRST, "data.validation.files=['pb_sz.edf']", "training.epochs=1")
    train(held, tmp_path / "again.rtbci", start_from=tmp_path / "later.rtbci", on_warning=told.append)
    assert any(line.startswith("later.rtbci was trained on what is held out here: pb_sz.edf") for line in told)


def test_the_last_layer_alone_is_trained_behind_a_network_that_stays_as_it_was(first, tmp_path):
    config = config_of(first, *LATER, "training.layers='last'", "pipeline.model.dropout=0.5")
    pipeline = train(config, tmp_path / "later.rtbci", start_from=first / "first.rtbci")
    before = weights(Pipeline.load(first / "first.rtbci"))
    changed = {name for name, value in weights(pipeline).items() if not np.array_equal(value, before[name])}
    assert changed == {"dense.weight", "dense.bias"}
    assert pipeline.notes["training"]["layers"] == "last"
    with pytest.raises(ConfigError, match=r'training.layers = "last" wants a pipeline to begin with: --from PIPELINE'):
        train(config, tmp_path / "random.rtbci")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("pipeline.sfreq=128", "pipeline.sfreq is 128.0 in the config, 64.0 there"),
        ("pipeline.montage.channels=['C4', 'C3']", r"channels is \[C4, C3\] in the config, \[C3, C4\] there"),
        ("pipeline.model.units=[7]", r"pipeline.model.units is \[7\] in the config, \[6\] there"),
        ("pipeline.scaling={kind='none'}", "pipeline.scaling.kind is none in the config, running there"),
        ("pipeline.montage.reference='average'", "pipeline.montage.reference is average in the config, as_recorded there"),
    ],
)  # fmt: skip
def test_what_the_weights_were_learned_under_must_be_the_same(first, tmp_path, setting, says):
    with pytest.raises(ConfigError, match=says) as caught:
        train(config_of(first, *LATER, setting), tmp_path / "later.rtbci", start_from=first / "first.rtbci")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "later.rtbci").exists()


def test_weights_that_are_the_same_for_every_channel_go_on_with_another_montage(first, tmp_path):
    shared = "pipeline.model={kind='shared_conv_lstm', filters=4, kernel=8, waves=4, features=4, units=[4], hop=8}"
    train(config_of(first, *FIRST, shared, "training.epochs=1"), tmp_path / "two.rtbci")
    told = []
    one = config_of(first, *LATER, shared, "pipeline.montage.channels=['C3']", "training.epochs=1")
    pipeline = train(one, tmp_path / "one.rtbci", start_from=tmp_path / "two.rtbci", on_warning=told.append)
    assert pipeline.channels == ("C3",)
    assert "the montage is [C3], that of two.rtbci [C3, C4]: its weights are the same for any channel" in told


def test_a_run_that_was_stopped_goes_on_from_the_same_pipeline_alone(first, tmp_path):
    config, start = config_of(first, *LATER), first / "first.rtbci"
    whole = train(config, tmp_path / "whole.rtbci", start_from=start)

    def stop(what, done, *_):
        if (what, done) == ("training", 1):
            raise KeyboardInterrupt

    train(config, tmp_path / "later.rtbci", stop, start_from=start)
    Pipeline.load(start).with_threshold(0.7).save(tmp_path / "other.rtbci")
    for other in (None, tmp_path / "other.rtbci"):
        with pytest.raises(ConfigError, match="another config, other data or another --from"):
            train(config, tmp_path / "later.rtbci", resume=True, start_from=other)
    resumed = train(config, tmp_path / "later.rtbci", resume=True, start_from=start)
    assert all(torch.equal(a, b) for a, b in zip(
        resumed.network.state_dict().values(), whole.network.state_dict().values(), strict=True))  # fmt: skip


def test_what_cannot_begin_with_a_pipeline_is_one_line(first, tmp_path):
    config, pipeline = first / "crossval.toml", first / "first.rtbci"
    line = mistake_here("train", config, "--from", pipeline, "--crossval", tmp_path, "--out", tmp_path / "x.rtbci")
    assert "the folds judged a fit that begins with random weights" in line
    line = mistake_here("train", config, "--from", pipeline, "--out", pipeline)
    assert "is the pipeline that the fit begins with, which is kept" in line
    line = mistake_here("train", config, "--from", tmp_path / "none.rtbci", "--out", tmp_path / "x.rtbci")
    assert "none.rtbci" in line


def test_notes_of_any_shape_are_no_obstacle(first):
    start = Start.load(first / "first.rtbci")
    for odd in (None, 3, ["a", {"recording": [5]}]):
        start.pipeline.notes["trained_on"] = odd
        assert start.with_its_recordings([]) == ([{"recording": [5], "earlier": True}] if isinstance(odd, list) else [])
