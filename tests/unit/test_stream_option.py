"""`--stream`: every command that reads recordings can take one of the streams of an XDF file."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import mistake, rtbci_command
from cutting import CHANNELS, SFREQ, eeg, make_pipeline
from xdf_kit import XdfStream, write_xdf

from rtbci.errors import RecordingError
from rtbci.replay.replay import Replay

N = 4000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An XDF file with two EEG streams, of which the second lost samples, and a pipeline."""
    folder = tmp_path_factory.mktemp("two")
    units = "".join(f"<channel><label>{c}</label><unit>microvolts</unit></channel>" for c in CHANNELS)
    described, whole = f"<channels>{units}</channels>", eeg(N).data
    kept = np.r_[0:1000, 2000:N]
    write_xdf(
        folder / "two.xdf",
        XdfStream("Amp1", "EEG", whole, np.arange(N) / SFREQ, sfreq=SFREQ, source_id="a", description=described),
        XdfStream("Amp2", "EEG", whole[kept], kept / SFREQ, sfreq=SFREQ, source_id="b", description=described),
        XdfStream("Markers", "Markers", [["seizure"]], np.array([18.0]), "string"),
    )
    make_pipeline().save(folder / "a.rtbci")
    return folder


def test_without_it_the_error_names_the_option_and_the_streams(folder: Path) -> None:
    for command in (("inspect",), ("tag", folder / "a.rtbci"), ("evaluate", folder / "a.rtbci"), ("replay",)):
        out = ("--out", folder / "out") if command[0] == "tag" else ()
        told = mistake(*command, folder / "two.xdf", *out)
        assert "more than one stream fits; pick one with --stream NAME or NUMBER" in told
        assert "1 'Amp1'" in told
        assert "2 'Amp2'" in told


def test_with_it_they_read_that_stream_and_tell_of_its_gaps(folder: Path) -> None:
    path, pipeline = folder / "two.xdf", folder / "a.rtbci"
    inspected = json.loads(rtbci_command("inspect", path, "--stream", "Amp2", "--json").stdout)
    assert inspected["n_samples"] == 3000
    assert inspected["warnings"][0] == "it has a gap, 5 s without samples in all: 5 s from 5 s on"
    tagged = rtbci_command("tag", pipeline, path, "--stream", "2", "--out", folder / "out", "--json")
    told = json.loads(tagged.stdout)
    assert any("a gap in its time stamps: 1000 samples missing" in text for text in told["warnings"])
    with np.load(folder / "out" / "two_scores.npz") as scores:
        assert scores["times"][-1] == pytest.approx(N / SFREQ, abs=0.1)
    spoken = rtbci_command("tag", pipeline, path, "--stream", "Amp2", "--out", folder / "out2")
    assert spoken.returncode == 0
    assert "warning: two.xdf: it has a gap" in spoken.stderr
    scored = rtbci_command("evaluate", pipeline, path, "--stream", "Amp1", "--json")
    assert scored.returncode == 0, scored.stderr


def test_another_format_has_one_stream_and_says_so(folder: Path) -> None:
    (folder / "a.edf").write_bytes(b"0       " + bytes(300))
    assert "has one stream only; leave --stream 2 out" in mistake("inspect", folder / "a.edf", "--stream", "2")


def test_a_replay_plays_the_stream_or_all_of_them_and_not_both(folder: Path) -> None:
    (recording,) = Replay([folder / "two.xdf"], stream="2").open()
    assert recording.n_samples == 3000
    with pytest.raises(RecordingError, match="--all-streams plays every stream; leave --stream out"):
        Replay([folder / "two.xdf"], stream="2", all_streams=True).open()
