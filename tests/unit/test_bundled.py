"""What `rtbci demo` runs: the bundled recording, its attribution, the bundled pipeline."""

from importlib.resources import files
from pathlib import Path

import numpy as np
from real_data import find_data

from rtbci.config import read_toml
from rtbci.evaluation.tagging import tag
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.stages.montage import DOUBLE_BANANA

CONFIGS = Path(__file__).parents[2] / "configs"
DATA = Path(str(files("rtbci"))) / "data"
RECORDING, PIPELINE = DATA / "chb01_03_demo.edf", DATA / "seizure_demo.rtbci"


def test_the_bundled_recording_is_82_s_with_its_seizure_annotated():
    recording = open_recording(RECORDING)
    assert (recording.n_samples, recording.info.sfreq, len(recording.info.channels)) == (82 * 256, 256.0, 23)
    assert recording.warnings == ()
    joint, seizure = recording.annotations
    assert (joint.onset, joint.label) == (41.0, "joint: 0-41 s and 2995-3036 s of chb01_03")
    assert (seizure.onset, seizure.duration, seizure.label) == (42.0, 40.0, "seizure")


def test_the_bundled_recording_has_the_samples_of_the_two_clips():
    joined = open_recording(RECORDING)
    clips = [open_recording(find_data(f"chbmit/chb01_03_{kind}.edf")) for kind in ("NonSeizure", "Seizure")]
    samples = np.concatenate([clip.read(0, clip.n_samples) for clip in clips])
    assert np.array_equal(joined.read(0, joined.n_samples), samples)


def test_the_attribution_names_licences_and_sources():
    text = (DATA / "ATTRIBUTION.md").read_text("utf-8")
    for word in (
        "ODC-By 1.0",
        "Shoeb",
        "Goldberger",
        "Jing",
        "Schalk",
        "Zyma",
        "VE-CAM-S",
        "MIT licence",
        "no medical device",
    ):
        assert word in text


def test_the_bundled_pipeline_says_on_what_it_was_trained_and_how_its_recipe_did_on_each_patient():
    pipeline = Pipeline.load(PIPELINE)
    assert pipeline.classes == ("seizure",)
    assert pipeline.channels == DOUBLE_BANANA
    names = [row["recording"] for row in pipeline.notes["trained_on"]]
    assert len(names) == 329
    assert not any("chb01" in name or "chb21" in name for name in names)
    assert all(row["licence"] for row in pipeline.notes["trained_on"])
    judged = pipeline.notes["crossval"]
    assert [row["subject"] for row in judged["rows"]] == [
        f"chb{n:02}" for n in (1, 3, 4, 6, 8, *range(10, 14), 15, 16, 18, 19, 22)
    ]
    assert sum(row["seizures"] for row in judged["rows"]) == 140
    assert judged["not_in_final_fit"] == ["chb01"]


def test_the_bundled_pipeline_is_of_the_recipe_that_is_cross_validated():
    final, folds = (read_toml(CONFIGS / f"seizure_{name}.toml") for name in ("demo", "crossval"))
    del final["pipeline"]["name"], folds["pipeline"]["name"]
    assert all(final[section] == folds[section] for section in ("pipeline", "augment", "sampling", "training"))
    kept = [{**group, "files": len(group["files"])} for group in final["data"]["recordings"][2:]]
    assert kept == [{**group, "files": len(group["files"])} for group in folds["data"]["recordings"][2:]]
    assert final["data"]["synthetic"] == folds["data"]["synthetic"]
    assert "crossval" not in final


def test_the_bundled_files_are_small():
    assert PIPELINE.stat().st_size < 500_000
    assert RECORDING.stat().st_size < 1_000_000


def test_the_bundled_pipeline_sees_the_seizure_within_seconds_and_nothing_before_it():
    recording = open_recording(RECORDING)
    result = tag(Pipeline.load(PIPELINE), recording)
    assert result.events[0].onset > 42
    assert 42 < result.confirmed[0] < 42 + 15
