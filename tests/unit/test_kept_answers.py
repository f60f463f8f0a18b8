"""`rtbci evaluate --out`: what is answered is kept to the last bit, and not done again after Ctrl-C or a kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import rtbci_here
from cutting import make_pipeline
from eeg_files import write_eeg

from rtbci.cli.evaluate import evaluate_files
from rtbci.evaluation import batch
from rtbci.evaluation.tagging import Tagged, tag
from rtbci.evaluation.whole import read_whole, whole_of
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.stages.cues import Cue, CueAnswer


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Four, two of them of one name, and a small pipeline, in the working folder."""
    monkeypatch.chdir(tmp_path)
    make_pipeline(sfreq=128.0).save("small.rtbci")
    paths = [Path(name) for name in ("p1/night.edf", "p2/night.edf", "c.edf", "d.edf")]
    for seed, path in enumerate(paths):
        write_eeg(path, seed=seed)
        path.with_name(f"{path.stem}_events.tsv").write_text("onset\tduration\teventType\n2.0\t3.0\tseizure\n")
    return paths


def evaluated(recordings: list[Path], *options: object) -> str:
    done = rtbci_here("evaluate", "small.rtbci", *recordings, "--json", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recordings that are tagged from now on."""
    tagged: list[str] = []

    def counting(pipeline, recording, **options) -> Tagged:
        tagged.append(str(recording.path))
        return tag(pipeline, recording, **options)

    monkeypatch.setattr(batch, "tag", counting)
    return tagged


def test_figures_of_kept_answers_are_the_same_to_the_byte_and_nothing_is_tagged_again(recordings, monkeypatch):
    wanted = evaluated(recordings)
    assert evaluated(recordings, "--out", "out") == wanted
    files = {path.name: path.read_bytes() for path in Path("out").glob("*.tsv")}
    tagged = counted(monkeypatch)
    assert evaluated(recordings, "--out", "out") == wanted
    assert tagged == []
    assert {path.name: path.read_bytes() for path in Path("out").glob("*.tsv")} == files
    write_eeg(Path("c.edf"), seed=9)
    evaluated(recordings, "--out", "out")
    assert tagged == ["c.edf"]  # its samples are others
    evaluated(recordings, "--out", "out", "--threshold", "0.7")
    assert len(tagged) == 5
    evaluated(recordings, "--out", "out")
    assert len(tagged) == 5  # that of the other threshold is in a folder of its own


def test_after_ctrl_c_the_same_command_goes_on_and_without_a_folder_nothing_is_kept(recordings, monkeypatch, capsys):
    def interrupted(pipeline, recording, **options) -> Tagged:
        if recording.path.name == "c.edf":
            raise KeyboardInterrupt
        return tag(pipeline, recording, **options)

    for out, line in (
        (Path("out"), "interrupted: nothing is scored; finished answers are kept in out/answers, and the same command goes on"),
        (None, "interrupted: nothing is scored, and nothing is written; with --out, finished answers are kept"),
    ):  # fmt: skip
        monkeypatch.setattr(batch, "tag", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluate_files("small.rtbci", recordings, [], device="cpu", json=True, out=out)
        assert capsys.readouterr().err.splitlines()[-1] == line
    tagged = counted(monkeypatch)
    evaluated(recordings, "--out", "out")
    assert tagged == ["c.edf", "d.edf"]


def test_a_killed_evaluation_of_several_processes_goes_on(recordings, monkeypatch, wait_until):
    command = [sys.executable, "-m", "rtbci.cli.app", "evaluate", "small.rtbci", *map(str, recordings), "--out", "out"]
    process = subprocess.Popen([*command, "--jobs", "2"], stdout=subprocess.DEVNULL)

    def kept() -> int:
        return len([*Path("out").glob("answers/*/*_scores.npz")])

    wait_until(kept)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_kept = kept()
    tagged = counted(monkeypatch)
    said = evaluated(recordings, "--out", "out")
    assert len(tagged) <= 4 - n_kept  # one more may have been finished while its parent ended
    tagged.clear()
    assert said == evaluated(recordings)
    assert len(tagged) == 4


def test_an_answer_comes_back_as_it_was(tmp_path):
    write_eeg(tmp_path / "a.edf")
    make_pipeline(sfreq=128.0).save(tmp_path / "small.rtbci")
    result = tag(Pipeline.load(tmp_path / "small.rtbci"), open_recording(tmp_path / "a.edf"))
    assert result.events
    answer = CueAnswer(Cue(0.1 + 0.2, "x"), float("nan"), (1 / 3, 2 / 3), valid=False)
    result = Tagged(
        result.scores, result.events, result.decisions, result.classes, (answer,), ("a line with µ and \udce9",)
    )
    chunk = result.scores
    arrays = {
        "times": chunk.times,
        "probabilities": chunk.data,
        "valid": chunk.valid,
        "classes": np.array(result.classes),
    }
    np.savez(tmp_path / "a_scores.npz", **arrays, **whole_of(result))
    found = read_whole(tmp_path / "a_scores.npz")
    assert repr(found) == repr(result)
    for one, other in (
        (found.scores.data, chunk.data),
        (found.scores.times, chunk.times),
        (found.scores.valid, chunk.valid),
    ):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    np.savez(tmp_path / "a_scores.npz", **arrays)  # as `tag` writes it
    assert read_whole(tmp_path / "a_scores.npz") is None
    assert read_whole(tmp_path / "nowhere.npz") is None
