"""`rtbci tag` on many files: none stops another, each is written as it is done, and none is done twice."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cutting import make_pipeline
from eeg_files import write_eeg

from rtbci.cli.tag import tag_files
from rtbci.errors import RecordingError
from rtbci.evaluation import batch
from rtbci.recordings.event_table import read_events

Tag = Callable[..., tuple[int, dict, str]]


@pytest.fixture
def tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tag:
    """Tags with a small pipeline, in a folder of its own; exit code, JSON and standard error."""
    monkeypatch.chdir(tmp_path)
    make_pipeline(sfreq=128.0).save("small.rtbci")

    def run(
        *paths: str, out: str = "out", again: bool = False, pipeline: str = "small.rtbci", trends: bool = False
    ) -> tuple[int, dict, str]:
        code = tag_files(
            pipeline, list(map(Path, paths)), Path(out), device="cpu", json=True, again=again, trends=trends
        )
        said = capsys.readouterr()
        return code, json.loads(said.out), said.err

    return run


def files(folder: str = "out") -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_a_bad_file_is_reported_and_stops_no_other(tag: Tag) -> None:
    write_eeg(Path("a.edf"))
    Path("b.edf").write_bytes(b"")
    write_eeg(Path("c.edf"), seed=1, channels=("C3", "C4"))
    write_eeg(Path("d.edf"), seed=2)
    code, said, err = tag("a.edf", "b.edf", "c.edf", "nowhere.edf", "d.edf")
    assert code == 2
    assert [row["recording"] for row in said["recordings"]] == ["a.edf", "d.edf"]
    assert [row["recording"] for row in said["failed"]] == ["b.edf", "c.edf", "nowhere.edf"]
    assert said["failed"][0]["reason"] == "b.edf: is empty (0 bytes); copy or record it again"
    assert said["failed"][1]["reason"].startswith("c.edf: stream 'c' lacks 4 of the 4 channels")
    assert err.splitlines() == [f"error: {row['reason']}" for row in said["failed"]]
    assert files() == ["a_events.tsv", "a_scores.npz", "d_events.tsv", "d_scores.npz"]


def test_all_lines_of_text_come_as_files_are_done_and_the_failed_ones_at_the_end(
    tag: Tag, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_eeg(Path("a.edf"))
    write_eeg(Path("b.edf"), seed=1)
    lines: list[int] = []
    answer = batch.Batch.answer

    def noted(*arguments: object) -> batch.Answer:
        lines.append(len(capsys.readouterr().out.splitlines()))
        return answer(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(batch.Batch, "answer", noted)
    paths = [Path("a.edf"), Path("nowhere.edf"), Path("b.edf")]
    assert tag_files("small.rtbci", paths, Path("out"), device="cpu", json=False) == 2
    assert lines == [0, 1, 0]
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("b.edf: ")
    assert said.out.splitlines()[1:] == ["2 of 3 files are tagged"]
    assert said.err.splitlines()[-1] == "error: not tagged: nowhere.edf"


def test_a_second_run_does_nothing_again_and_gives_the_same_rows(tag: Tag, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, name in enumerate("ab"):
        write_eeg(Path(f"{name}.edf"), seed=seed)
    code, first, _ = tag("a.edf", "b.edf")
    assert (code, [row["skipped"] for row in first["recordings"]]) == (0, [False, False])
    before = {name: Path("out", name).read_bytes() for name in files()}
    with monkeypatch.context() as patch:
        patch.setattr(batch, "tag", lambda *_, **__: pytest.fail("it was tagged again"))
        code, second, err = tag("a.edf", "b.edf")
    assert (code, err) == (0, "")
    for old, new in zip(first["recordings"], second["recordings"], strict=True):
        assert new == old | {"skipped": True, "times_real_time": None}
    _, third, _ = tag("a.edf", again=True)
    assert not third["recordings"][0]["skipped"]
    assert {name: Path("out", name).read_bytes() for name in files()} == before


def test_other_samples_another_pipeline_or_a_lost_table_are_tagged_again(tag: Tag) -> None:
    write_eeg(Path("a.edf"))
    make_pipeline(sfreq=128.0, sizes={"hop": 16}).save("other.rtbci")

    def skipped(**options: str) -> bool:
        return tag("a.edf", **options)[1]["recordings"][0]["skipped"]

    assert [skipped(), skipped()] == [False, True]
    write_eeg(Path("a.edf"), seed=1)
    assert [skipped(), skipped()] == [False, True]
    _, said, _ = tag("a.edf", pipeline="other.rtbci")
    assert said["warnings"] == ["a.edf: the answer of pipeline 'small' was replaced"]
    assert [skipped(pipeline="other.rtbci"), skipped()] == [True, False]
    Path("out/a_events.tsv").unlink()
    assert [skipped(), skipped()] == [False, True]


def test_a_table_that_a_person_corrected_is_not_replaced_even_with_again(tag: Tag) -> None:
    write_eeg(Path("a.edf"))
    tag("a.edf")
    Path("out/a_events.tsv").write_text("onset\tduration\teventType\n1\t2\tsz\n")
    for again in (False, True):
        code, said, _ = tag("a.edf", again=again)
        assert code == 2
        assert "a_events.tsv: is not as `rtbci tag` would have left it" in said["failed"][0]["reason"]
    assert Path("out/a_events.tsv").read_text() == "onset\tduration\teventType\n1\t2\tsz\n"


def test_the_answer_to_another_recording_of_the_name_is_replaced_on_request_only(tag: Tag) -> None:
    write_eeg(Path("p1/night.edf"))
    write_eeg(Path("p2/night.edf"), seed=1)
    write_eeg(Path("moved/night.edf"))
    assert tag("p1/night.edf")[0] == 0
    kept = Path("out/night_scores.npz").read_bytes()
    code, said, _ = tag("p2/night.edf")
    assert code == 2
    assert (
        f"is the answer to another recording of this name, {Path('p1/night.edf').absolute()};"
        in said["failed"][0]["reason"]
    )
    assert Path("out/night_scores.npz").read_bytes() == kept
    assert tag("moved/night.edf")[1]["recordings"][0]["skipped"]
    assert tag("p2/night.edf", again=True)[0] == 0
    assert Path("out/night_scores.npz").read_bytes() != kept


def test_two_recordings_of_one_name_in_one_run_are_told(tag: Tag) -> None:
    write_eeg(Path("p1/night.edf"))
    write_eeg(Path("p2/night.edf"), seed=1)
    code, said, _ = tag("p1/night.edf", "p2/night.edf")
    assert code == 2
    assert said["failed"] == [
        {
            "recording": "p2/night.edf",
            "reason": "p2/night.edf: would be written as out/night_events.tsv, as p1/night.edf is; "
            "tag it into another folder",
        }
    ]


def test_a_folder_is_tagged_with_the_places_in_it(tag: Tag) -> None:
    write_eeg(Path("data/p1/night.edf"))
    write_eeg(Path("data/p2/night.edf"), seed=1)
    write_eeg(Path("data/sub-01/eeg/sub-01_task-sz_eeg.edf"), seed=2)
    write_eeg(Path("data/derivatives/sub-01/eeg/sub-01_task-sz_eeg.edf"), seed=3)
    code, said, _ = tag("data")
    assert (code, said["failed"], len(said["recordings"])) == (0, [], 3)
    assert [name for name in files() if name.endswith(".tsv")] == [
        "p1/night_events.tsv",
        "p2/night_events.tsv",
        "sub-01/eeg/sub-01_task-sz_events.tsv",
    ]
    Path("empty").mkdir()
    with pytest.raises(RecordingError, match="empty: holds no recording"):
        tag("empty")


def test_the_same_samples_under_two_names_are_told(tag: Tag) -> None:
    for name in ("a.edf", "b.edf"):
        write_eeg(Path(name))
    for _ in range(2):
        _, said, err = tag("a.edf", "b.edf")
        assert said["warnings"] == ["b.edf: has the same samples as a.edf"]
        assert err == "warning: b.edf: has the same samples as a.edf\n"


def test_in_the_recordings_own_folder_the_choice_of_the_name_is_told(tag: Tag) -> None:
    write_eeg(Path("night.edf"))
    _, said, _ = tag("night.edf", out=".")
    assert said["recordings"][0]["events_tsv"] == "night_detections.tsv"
    assert said["warnings"] == [
        "night.edf: its events are in night_detections.tsv: in the folder of the recording, night_events.tsv is the "
        "name of an expert's table"
    ]
    assert tag("night.edf", out=".")[1]["recordings"][0]["skipped"]


def test_an_interruption_leaves_what_is_finished_and_says_how_to_go_on(
    tag: Tag, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate("abc"):
        write_eeg(Path(f"{name}.edf"), seed=seed)
    answer, n_begun = batch.Batch.answer, []

    def interrupted(*arguments: object) -> batch.Answer:
        n_begun.append(1)
        if len(n_begun) == 2:
            raise KeyboardInterrupt
        return answer(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(batch.Batch, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tag("a.edf", "b.edf", "c.edf")
    monkeypatch.setattr(batch.Batch, "answer", answer)
    said = json.loads(capsys.readouterr().out)
    assert said["warnings"] == ["interrupted: 1 of 3 files are done; the same command does the others"]
    assert [row["recording"] for row in said["recordings"]] == ["a.edf"]
    assert files() == ["a_events.tsv", "a_scores.npz"]
    assert [row["skipped"] for row in tag("a.edf", "b.edf", "c.edf")[1]["recordings"]] == [True, False, False]


def test_the_rows_are_what_is_written(tag: Tag) -> None:
    write_eeg(Path("a.edf"))
    (row,) = tag("a.edf")[1]["recordings"]
    assert row["events"]
    found = [(e.onset, e.duration, e.label, e.confidence) for e in read_events(row["events_tsv"])]
    assert [tuple(event.values()) for event in row["events"]] == found
    with np.load(row["scores_npz"], allow_pickle=False) as held:
        assert held.files == ["times", "probabilities", "valid", "classes"]


def test_trends_are_written_when_they_are_asked_for_and_stay(tag: Tag) -> None:
    write_eeg(Path("a.edf"))
    tag("a.edf")
    assert "trends" not in np.load("out/a_scores.npz")
    tag("a.edf", trends=True)
    with np.load("out/a_scores.npz") as written:
        assert written["trends"].shape == (len(written["trend_times"]), len(written["trend_columns"]))
        assert written["trend_columns"][-1] == "burden"
        assert len(written["trends"]) > 0
    _, said, _ = tag("a.edf")
    assert said["recordings"][0]["skipped"]
    assert "trends" in np.load("out/a_scores.npz")
