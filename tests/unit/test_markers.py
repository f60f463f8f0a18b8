"""What a sample of a marker stream says, live and in a file: one text, whatever the format."""

from pathlib import Path

import numpy as np
import pytest
from cutting import CHANNELS, SFREQ, eeg, make_pipeline
from xdf_kit import XdfStream, write_xdf

import rtbci
from rtbci.evaluation.tagging import Tagged
from rtbci.recordings.markers import MarkerReader, marker_text
from rtbci.stages.cues import CueConfig


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([b"left"], "left"),
        ([" left\0\0"], "left"),
        ([b"\xff left"], "\ufffd left"),
        (["", " ", ""], ""),
        (["left", "", "trial 3"], "left/trial 3"),
        (np.array([1, 2], np.int16), "1/2"),
        (np.array([1.0], np.float32), "1"),
        (np.array([0.1], np.float32), "0.1"),
        (np.array([np.nan, 2.0]), "2"),
        (np.array([0], np.int32), "0"),
        (np.array([2**63 - 1], np.int64), "9223372036854775807"),
        (np.array([np.inf]), "inf"),
        (["x" * 10_000], "x" * 1000),
    ],
)
def test_a_sample_of_any_format_is_one_text(values: object, text: str) -> None:
    assert marker_text(values) == text  # type: ignore[arg-type]


def test_a_stream_without_a_rate_has_a_marker_in_each_sample_that_is_not_empty() -> None:
    read = MarkerReader(0.0).read([["a"], [""], ["a"], ["b"]], [1.0, 2.0, 3.0, 4.0])
    assert list(read) == [(1.0, "a"), (3.0, "a"), (4.0, "b")]


def test_a_trigger_channel_has_a_marker_where_its_value_changes_however_it_is_cut() -> None:
    values = np.array([3, 3, 0, 0, 1, 1, 1, 2, 0, 0, 2, 2])[:, None]
    stamps = np.arange(12.0)
    wanted = [(4.0, "1"), (7.0, "2"), (10.0, "2")]  # when the 3 began, nobody knows
    assert list(MarkerReader(100.0).read(values, stamps)) == wanted
    one_by_one = MarkerReader(100.0)
    assert [m for k in range(12) for m in one_by_one.read(values[k : k + 1], stamps[k : k + 1])] == wanted


@pytest.mark.parametrize(
    "texts", [[["Left"], ["right "], [""], ["rest"]], [["", "left"], ["x", "RIGHT"], ["", ""], ["a", "b"]]]
)
def test_tagging_takes_the_markers_of_a_file_as_the_live_run_does(texts: list[list[str]], tmp_path: Path) -> None:
    marks = XdfStream("Cues", "Markers", texts, np.array([2.0, 4.0, 5.0, 6.0]), "string")
    result = tagged(tmp_path, marks, ("left", "right"))
    assert [(a.cue.text, a.cue.time, a.valid) for a in result.answers] == [("left", 2.0, True), ("right", 4.0, True)]


def test_numbers_of_a_marker_stream_are_cues_in_a_file_too(tmp_path: Path) -> None:
    held = np.repeat([0, 1, 0, 2, 0], [40, 10, 30, 10, 60])[:, None]
    streams = {
        "int": XdfStream("Cues", "Markers", np.array([[1], [2]]), np.array([2.0, 4.0]), "int32"),
        "float": XdfStream("Cues", "Markers", np.array([[1.0], [2.0]]), np.array([2.0, 4.0]), "float32"),
        "held": XdfStream("Cues", "Stim", held, np.arange(150) / 20, "int8", 20.0),
    }
    for name, marks in streams.items():
        result = tagged(tmp_path, marks, ("1.0", "2"))
        assert [(a.cue.text, a.cue.time) for a in result.answers] == [("1.0", 2.0), ("2", 4.0)], name
        assert result.warnings == ()


def test_annotations_that_are_no_cues_are_told_of(tmp_path: Path) -> None:
    marks = XdfStream("Cues", "Markers", [["T0"], ["T1"], ["T0"]], np.array([2.0, 3.0, 4.0]), "string")
    result = tagged(tmp_path, marks, ("left", "right"))
    assert result.answers == ()
    assert result.warnings == ("3 annotations are no cues of this pipeline: 'T0', 'T1'; wanted left, right",)


def tagged(folder: Path, marks: XdfStream, labels: tuple[str, ...]) -> Tagged:
    whole = eeg(2000)
    channels = "".join(f"<channel><label>{c}</label><unit>microvolts</unit></channel>" for c in CHANNELS)
    signal = XdfStream(
        "Amp", "EEG", whole.data, whole.times, "float32", SFREQ, "amp-1", f"<channels>{channels}</channels>"
    )
    pipeline = make_pipeline(
        "stacked_lstm", sizes={"units": (8,), "window": 128, "n_classes": 1}, cues=CueConfig(labels=labels)
    )
    return rtbci.tag(pipeline, rtbci.open_recording(write_xdf(folder / "session.xdf", signal, marks)))
