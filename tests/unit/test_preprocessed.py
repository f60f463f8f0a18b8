"""Preprocessed recordings: on the disk as in memory to the bit, made once, and made anew where anything differs."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cutting import INFO, SFREQ, eeg, make_pipeline
from test_training import config_of, folder, write_recording  # noqa: F401

from rtbci.errors import ConfigError
from rtbci.models import from_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.recordings.stamps import Segments
from rtbci.training.data import with_sizes
from rtbci.training.preprocessed import Preprocessed, user_caches
from rtbci.training.step_labels import StepLabels
from rtbci.training.train import train


@pytest.fixture
def made(monkeypatch):
    """The names of the recordings that went through the stages, in order."""
    names: list[str] = []
    real = Pipeline.preprocessor

    def spy(pipeline, info):
        names.append(info.name)
        return real(pipeline, info)

    monkeypatch.setattr(Pipeline, "preprocessor", spy)
    return names


def paused() -> Recording:
    """8000 samples, in which 0.1 s and then 100 s are missing."""
    data = eeg(8000).data
    stamps = Segments((0, 2001, 5003), (0.0, 2001 / SFREQ + 0.1, 5003 / SFREQ + 100.1), 8000, SFREQ)
    return Recording(Path("paused.edf"), "synthetic", INFO, 8000, lambda a, b: data[a:b], stamps=stamps)


def test_a_signal_from_the_disk_is_that_in_memory_to_the_bit_wherever_it_is_cut(tmp_path):
    pipeline, recording = make_pipeline(), paused()
    held = Preprocessed(None).signal(pipeline, recording, pipeline.hop)
    stored = Preprocessed(tmp_path).signal(pipeline, recording, pipeline.hop)
    assert len(held.times) * pipeline.hop == len(held.x) > 5100
    for name in ("x", "times", "valid"):
        whole = getattr(held, name)
        np.testing.assert_array_equal(getattr(stored, name)[:], whole)
        np.testing.assert_array_equal(getattr(stored, name)[17:90], whole[17:90])
        assert getattr(stored, name).shape == whole.shape
        assert len(getattr(stored, name)[len(whole) - 1 : len(whole) + 5]) == 1
    assert not held.valid[:].all()


def test_another_run_makes_nothing_again_and_learns_the_same(folder, tmp_path, made):  # noqa: F811
    pipelines = []
    for name, settings in (("memory", ()), ("disk", ("data.cache=CACHE",)), ("again", ("data.cache=CACHE",))):
        (tmp_path / name).mkdir()
        settings = [one.replace("CACHE", f"'{tmp_path / 'cache'}'") for one in settings]
        made.clear()
        pipelines.append(train(config_of(folder, "training.epochs=1", *settings), tmp_path / name / "x.rtbci"))
        recordings = {path.stem for path in folder.glob("*.edf")}
        # The held-out recording goes through the stages once more, by the live path, to be scored.
        assert sorted(made) == (["d"] if name == "again" else sorted([*recordings, *(recordings - {"d"}), "d"]))
    first = pipelines[0].network.state_dict()
    for other in pipelines[1:]:
        assert all((weight == other.network.state_dict()[key]).all() for key, weight in first.items())
        assert other.notes["trained_on"] == pipelines[0].notes["trained_on"]
    for path in (tmp_path / "cache").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0  # they hold what patients' recordings hold


def test_a_copy_is_not_made_again_but_other_samples_or_channel_names_are(folder, tmp_path, made):  # noqa: F811
    sized = with_sizes(config_of(folder, "pipeline.scaling={kind='none'}").pipeline)
    pipeline = Pipeline(sized, from_config(sized.model))
    store = Preprocessed(tmp_path / "cache")

    def signal(path: Path, names=("C3", "C4")):
        recording = open_recording(path)
        recording = replace(recording, info=replace(recording.info, channels=names))
        return store.signal(pipeline, recording, pipeline.hop)

    for seed, name in enumerate("ab"):
        write_recording(tmp_path / f"{name}.edf", seed, [(8.0, 10.0)])
    first = signal(tmp_path / "a.edf")
    assert (signal(tmp_path / "a.edf").x[:] == first.x[:]).all() and made == ["a"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.edf").write_bytes((tmp_path / "a.edf").read_bytes())
    signal(tmp_path / "sub" / "c.edf")
    assert len(list((tmp_path / "cache").glob("signal-*"))) == 1
    swapped = signal(tmp_path / "a.edf", ("C4", "C3"))
    np.testing.assert_array_equal(swapped.x[:], first.x[:][:, ::-1])
    about = (tmp_path / "a.edf").stat()
    (tmp_path / "a.edf").write_bytes((tmp_path / "b.edf").read_bytes())  # of the same size, and said to be as old
    os.utime(tmp_path / "a.edf", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert not (signal(tmp_path / "a.edf").x[:] == first.x[:]).all()


def test_a_damaged_signal_is_made_anew(tmp_path, made):
    pipeline, recording = make_pipeline(), paused()
    whole = Preprocessed(tmp_path).signal(pipeline, recording, pipeline.hop).x[:]
    for name, content in (("x", b"12"), ("about.json", b"{}"), ("about.json", b"[[")):
        (place,) = tmp_path.glob("signal-*")
        (place / name).write_bytes(content)
        np.testing.assert_array_equal(Preprocessed(tmp_path).signal(pipeline, recording, pipeline.hop).x[:], whole)
    assert len(made) == 4


def test_what_only_this_run_wants_goes_with_it(tmp_path):
    pipeline, recording = make_pipeline(), paused()
    store = Preprocessed(tmp_path)
    store.signal(pipeline, recording, pipeline.hop, lasting=False)
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["passing"]
    del store
    assert list(tmp_path.iterdir()) == []


def test_only_what_was_not_used_for_a_day_makes_room(tmp_path):
    pipeline, recording = make_pipeline(), paused()
    store = Preprocessed(tmp_path)
    for hop in (1, 2, 4):
        store.signal(pipeline, recording, hop)
    old, older, today = sorted(tmp_path.glob("signal-*"))
    now = time.time()
    os.utime(old, (now - 90_000,) * 2)
    os.utime(older, (now - 99_000,) * 2)
    size = sum(file.stat().st_size for file in today.iterdir())
    store.make_room(size, limit=3 * size + size // 2)
    assert sorted(tmp_path.glob("signal-*")) == [old, today]
    store.make_room(size, limit=size)
    assert sorted(tmp_path.glob("signal-*")) == [today]


def test_too_much_is_told_before_anything_is_read(folder, tmp_path):  # noqa: F811
    cached = f"data.cache='{tmp_path / 'cache'}'"
    with pytest.raises(ConfigError, match=r"would take 82 kB in .*cache, and data.cache_gb is 1e-06; raise it"):
        train(config_of(folder, cached, "data.cache_gb=1e-6"), tmp_path / "x.rtbci")
    (tmp_path / "cache").write_text("")
    with pytest.raises(ConfigError, match=r"data.cache: .*cache is a file; wanted a folder"):
        train(config_of(folder, cached), tmp_path / "x.rtbci")


def test_much_goes_to_the_folder_for_caches_and_little_into_memory(tmp_path, monkeypatch, folder):  # noqa: F811
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pipeline, config = make_pipeline(), config_of(folder).data
    hours = replace(paused(), stamps=None, n_samples=10 * 3600 * 200)
    assert Preprocessed.chosen(config, pipeline, [paused()]).folder is None
    assert Preprocessed.chosen(config, pipeline, [hours] * 6).folder == user_caches() / "rtbci" / "preprocessed"
    assert user_caches() == tmp_path


# Labels of steps as runs


@pytest.mark.parametrize("seed", range(5))
def test_runs_say_what_each_step_says(seed):
    rng = np.random.default_rng(seed)
    y = np.repeat(rng.integers(0, 2, (30, 2)), rng.integers(1, 5, 30), axis=0).astype(np.float32)
    known = np.repeat(rng.random(40) < 0.8, 5)[: len(y)]
    known = np.concatenate([known, np.ones(len(y) - len(known), bool)])
    labels = StepLabels.of(y, known)
    for start, stop in ((0, len(y)), (3, 17), (len(y) - 2, len(y) + 9)):
        part, sure = labels.part(start, stop)
        np.testing.assert_array_equal(part, y[start:stop])
        np.testing.assert_array_equal(sure, known[start:stop])
        assert labels.classes_in(start, stop) == {k for k in (0, 1) if y[start:stop][known[start:stop], k].any()}
    assert labels.n_holding.tolist() == y[known].sum(0).tolist() and labels.n_known == known.sum()
    assert [labels.holds(k) for k in (0, 1)] == [set((y[known, k] > 0).tolist()) for k in (0, 1)]
    steps = np.flatnonzero(known)
    assert labels.known_span == (steps[0], steps[-1] + 1)
    for apart in (1, 6):
        held = np.flatnonzero(known & y.any(1))
        assert labels.onsets(apart).tolist() == held[np.diff(held, prepend=-apart - 2) > apart].tolist()


def test_labels_of_no_step_are_no_run():
    none = StepLabels.of(np.empty((0, 2), np.float32), np.empty(0, bool))
    assert none.part(0, 5)[0].shape == (0, 2)
    assert not none.is_known and none.n_holding.tolist() == [0, 0] and none.onsets(3).tolist() == []
