"""What `rtbci tag` may replace: its own answers as it left them, and nothing else."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cutting import INFO, eeg, make_pipeline
from eeg_files import write_eeg

import rtbci
from rtbci.cli.tag import tag_files
from rtbci.errors import ConfigError
from rtbci.evaluation import outputs
from rtbci.evaluation.epochs import check_predictions, predictions_table
from rtbci.evaluation.outputs import Outputs
from rtbci.evaluation.tagging import Tagged, write_tagged
from rtbci.recordings.beside import event_table
from rtbci.recordings.event_table import read_events, write_events
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.types import Event

EXPERT = (Event(3.0, 2.0, "seizure"),)


@pytest.fixture(scope="module")
def tagged() -> tuple[Tagged, Recording]:
    whole = eeg(3000)
    recording = Recording(Path("night.edf"), "EDF", INFO, len(whole), lambda a, b: whole.data[a:b])
    return rtbci.tag(make_pipeline(), recording), recording


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_tag_wrote_is_replaced_whole(tmp_path: Path, tagged: tuple[Tagged, Recording]) -> None:
    result, recording = tagged
    events, scores = write_tagged(result, recording, tmp_path)
    first = events.read_bytes(), scores.read_bytes()
    other = Tagged(result.scores, EXPERT, (), result.classes)
    write_tagged(other, recording, tmp_path)
    assert read_events(events) == EXPERT
    write_tagged(result, recording, tmp_path)
    assert events.read_bytes() == first[0]
    assert names(tmp_path) == ["night_events.tsv", "night_scores.npz"]
    with np.load(scores, allow_pickle=False) as held:
        assert held.files == ["times", "probabilities", "valid", "classes"]
        np.testing.assert_array_equal(held["probabilities"], result.scores.data)


@pytest.mark.parametrize("name", ["events.tsv", "cues.tsv", "scores.npz"])
def test_a_file_that_tag_did_not_write_is_refused_and_kept(
    tmp_path: Path, tagged: tuple[Tagged, Recording], name: str
) -> None:
    path = tmp_path / f"night_{name}"
    write_events(path, EXPERT)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"night_{name}: is not as `rtbci tag` .* name another folder with --out"):
        write_tagged(*tagged, tmp_path)
    assert path.read_bytes() == before
    assert names(tmp_path) == [path.name]


def test_a_table_of_tag_that_a_person_corrected_is_refused_and_kept(
    tmp_path: Path, tagged: tuple[Tagged, Recording]
) -> None:
    events, _ = write_tagged(*tagged, tmp_path)
    write_events(events, EXPERT)
    with pytest.raises(ConfigError, match="is not as `rtbci tag` would have left it"):
        write_tagged(*tagged, tmp_path)
    assert read_events(events) == EXPERT


def test_a_kill_between_two_files_leaves_files_that_tag_knows_again(
    tmp_path: Path, tagged: tuple[Tagged, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    result, recording = tagged
    write_tagged(result, recording, tmp_path)
    write, n_written = outputs.atomic_write, []

    def killed_at_the_second(*args: object) -> None:
        n_written.append(args)
        if len(n_written) == 2:
            raise KeyboardInterrupt
        write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(outputs, "atomic_write", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        write_tagged(Tagged(result.scores, EXPERT, (), result.classes), recording, tmp_path)
    write_tagged(result, recording, tmp_path)
    assert read_events(tmp_path / "night_events.tsv") == result.events


def test_a_table_of_an_expert_is_refused_before_any_work_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_pipeline().save(tmp_path / "small.rtbci")
    (tmp_path / "out").mkdir()
    write_events(tmp_path / "out" / "night_events.tsv", EXPERT)
    monkeypatch.setattr("rtbci.evaluation.batch.opened_from", lambda *_, **__: pytest.fail("it was opened"))
    code = tag_files(str(tmp_path / "small.rtbci"), [Path("night.edf")], tmp_path / "out", device="cpu", json=False)
    assert code == 2
    assert "night_events.tsv: is not as `rtbci tag`" in capsys.readouterr().err
    assert names(tmp_path / "out") == ["night_events.tsv"]


@pytest.mark.parametrize("folder", ["sub-01/eeg", "sub-01/ses-02/ieeg"])
def test_the_answer_to_a_bids_recording_has_the_place_and_name_of_its_event_table(tmp_path: Path, folder: str) -> None:
    kind = folder.split("/")[-1]
    recording = tmp_path / "bids" / folder / f"sub-01_task-sz_{kind}.edf"
    out = tmp_path / "out"
    for asked in (out, out / folder):
        outputs = Outputs.of(recording, asked)
        assert outputs.events == out / folder / "sub-01_task-sz_events.tsv"
        assert outputs.scores == out / folder / "sub-01_task-sz_scores.npz"


def test_outside_a_tree_the_answer_is_in_the_folder_that_was_named(tmp_path: Path) -> None:
    for name, table in (("night", "night"), ("night_eeg", "night_eeg"), ("sub-01_task-sz_eeg", "sub-01_task-sz")):
        assert Outputs.of(tmp_path / f"{name}.edf", tmp_path / "o").events == tmp_path / "o" / f"{table}_events.tsv"


@pytest.mark.parametrize("out", [".", "sub-01", "sub-01/eeg", "sub-01/eeg/deeper"])
def test_no_answer_is_written_into_the_recordings_own_bids_tree(tmp_path: Path, out: str) -> None:
    recording = tmp_path / "sub-01" / "eeg" / "sub-01_task-sz_eeg.edf"
    recording.parent.mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"as --out {tmp_path}/derivatives/rtbci$"):
        Outputs.of(recording, tmp_path / out)
    place = Outputs.of(recording, tmp_path / "derivatives" / "rtbci").events
    assert place == tmp_path / "derivatives" / "rtbci" / "sub-01" / "eeg" / "sub-01_task-sz_events.tsv"


@pytest.mark.parametrize("there", ["night.edf", "night.BDF", "night_eeg.vhdr"])
def test_beside_a_recording_of_the_name_the_answer_has_a_name_that_nothing_reads(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"")
    assert Outputs.of(tmp_path / "elsewhere" / "night.edf", tmp_path).events == tmp_path / "night_detections.tsv"
    assert Outputs.of(tmp_path / "dawn.edf", tmp_path).events == tmp_path / "dawn_events.tsv"


def test_a_table_of_tag_is_never_read_as_annotations_and_a_corrected_one_is(
    tmp_path: Path, tagged: tuple[Tagged, Recording]
) -> None:
    events, _ = write_tagged(*tagged, tmp_path)
    path = write_eeg(tmp_path / "night.edf")
    recording = open_recording(path)
    assert recording.annotations == ()
    assert recording.warnings == ("night_events.tsv: was written by `rtbci tag`, and is not read as annotations",)
    write_events(events, EXPERT)
    recording = open_recording(path)
    assert (recording.annotations, recording.warnings) == (EXPERT, ())


def test_an_older_answer_beside_a_recording_stays_known_when_the_new_one_has_another_name(
    tmp_path: Path, tagged: tuple[Tagged, Recording]
) -> None:
    write_tagged(*tagged, tmp_path)
    path = write_eeg(tmp_path / "night.edf")
    events, _ = write_tagged(*tagged, tmp_path)
    assert names(tmp_path) == ["night.edf", "night_detections.tsv", "night_events.tsv", "night_scores.npz"]
    assert events.name == "night_detections.tsv"
    assert open_recording(path).annotations == ()


def test_the_name_without_eeg_is_searched_after_a_table_of_tag(tmp_path: Path) -> None:
    path = write_eeg(tmp_path / "sub-01_task-sz_eeg.edf")
    own, expert = tmp_path / "sub-01_task-sz_eeg_events.tsv", tmp_path / "sub-01_task-sz_events.tsv"
    Outputs(tmp_path, "sub-01_task-sz_eeg").write(
        {"times": np.zeros(1)}, {own: "onset\tduration\teventType\n1\t2\tsz\n"}
    )
    write_events(expert, EXPERT)
    assert event_table(path) == (expert, (f"{own.name}: was written by `rtbci tag`, and is not read as annotations",))
    assert open_recording(path).annotations == EXPERT


def test_answers_at_cues_of_an_earlier_pipeline_do_not_stay(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, "night")
    outputs.write({"times": np.zeros(1)}, {outputs.events: "a", outputs.cues: "b"})
    assert names(tmp_path) == ["night_cues.tsv", "night_events.tsv", "night_scores.npz"]
    outputs.write({"times": np.zeros(1)}, {outputs.events: "c"})
    assert names(tmp_path) == ["night_events.tsv", "night_scores.npz"]


def test_what_an_answer_was_made_from_holds_for_its_very_files(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, "night")
    assert outputs.made_from() is None
    outputs.write({"times": np.zeros(1)}, {outputs.events: "a"}, {"samples": "1"})
    assert outputs.made_from() == {"samples": "1"}
    outputs.events.unlink()
    assert outputs.made_from() is None
    outputs.write({"times": np.zeros(1)}, {outputs.events: "a"})
    assert outputs.made_from() is None


def test_a_comment_of_nonsense_vouches_for_nothing(tmp_path: Path) -> None:
    import zipfile

    for comment in (b"", b"[" * 9999, b"{}", b'{"written_by": "rtbci tag", "tables": 3}', b"\xff"):
        with zipfile.ZipFile(tmp_path / "night_scores.npz", "w") as archive:
            archive.comment = comment
        with pytest.raises(ConfigError, match="night_scores.npz: is not as"):
            Outputs(tmp_path, "night").check()


def test_predictions_are_replaced_where_their_labels_are_those_of_their_probabilities(tmp_path: Path) -> None:
    path = tmp_path / "night_predictions.tsv"
    check_predictions(path)
    for classes in (("left", "right"), ("seizure",)):
        values = np.random.default_rng(0).uniform(size=(50, len(classes))).astype(np.float32)
        text = predictions_table(values, SimpleNamespace(classes=classes))  # type: ignore[arg-type]
        path.write_text(text)
        check_predictions(path)
    row = text.splitlines()[1].split("\t")
    row[1] = {"seizure": "background", "background": "seizure"}[row[1]]
    corrected = text.splitlines()
    corrected[1] = "\t".join(row)
    for content in ("\n".join(corrected), "", "trial\n", "onset\tduration\n1\t2\n", "trial\tlabel\tp\n1\tp\n"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="night_predictions.tsv: is not as"):
            check_predictions(path)
