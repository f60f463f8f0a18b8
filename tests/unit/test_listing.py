"""Which files are recordings, which of them are copies, and whose they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cutting import INFO, cut, eeg
from eeg_files import write_eeg

from rtbci.datasets import open_dataset
from rtbci.datasets.subjects import subject_of
from rtbci.errors import RecordingError
from rtbci.evaluation.outputs import Outputs
from rtbci.recordings.content import Digesting, content_digest, copies
from rtbci.recordings.listing import Listed, in_folder, listed, of_pattern, opened
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in in_folder(folder)]


def test_the_three_files_of_brainvision_are_one_recording(tmp_path: Path) -> None:
    touch(tmp_path, "a.eeg", "a.vhdr", "a.vmrk", "b.eeg", "c.set", "c.fdt", "notes.txt", "a_events.tsv")
    assert found(tmp_path) == ["a.vhdr", "b.eeg", "c.set"]  # b.eeg: of Nihon Kohden
    named = [tmp_path / name for name in ("a.eeg", "a.vhdr", "a.vmrk", "c.fdt", "c.set")]
    assert listed(named) == (Listed(tmp_path / "a.vhdr"), Listed(tmp_path / "c.set"))


def test_a_fif_file_in_parts_is_one_recording(tmp_path: Path) -> None:
    parts = ("x_raw.fif", "x_raw-1.fif", "x_raw-2.fif", "s_split-01_eeg.fif", "s_split-02_eeg.fif")
    touch(tmp_path, *parts, "night-1.fif", "t_split-02_eeg.fif")
    assert found(tmp_path) == ["night-1.fif", "s_split-01_eeg.fif", "t_split-02_eeg.fif", "x_raw.fif"]


def test_what_was_derived_and_what_is_hidden_is_not_listed(tmp_path: Path) -> None:
    touch(
        tmp_path, "sub-01/eeg/a.edf", "derivatives/x/sub-01/eeg/a.edf", "sourcedata/a.bdf", ".git/a.edf", "eeg/._b.edf"
    )
    assert found(tmp_path) == ["sub-01/eeg/a.edf"]
    assert found(tmp_path / "derivatives") == ["x/sub-01/eeg/a.edf"]


def test_a_file_that_is_named_twice_and_by_its_folder_counts_once(tmp_path: Path) -> None:
    touch(tmp_path, "p1/a.edf", "p2/b.edf")
    named = listed([tmp_path / "p1" / "a.edf", tmp_path, tmp_path / "p1" / "a.edf"])
    assert [(one.path.name, one.place) for one in named] == [("a.edf", Path()), ("b.edf", Path("p2"))]
    (tmp_path / "none").mkdir()
    with pytest.raises(RecordingError, match=r"none: holds no recording; wanted files of \.edf"):
        listed([tmp_path / "none"])


def test_a_link_to_what_was_not_fetched_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.edf").symlink_to("objects/1.edf")
    assert found(tmp_path) == ["a.edf"]
    with pytest.raises(RecordingError, match="a.edf: is a link to objects/1.edf, which is not there; fetch that file"):
        open_recording(tmp_path / "a.edf")


def made(data: np.ndarray, name: str = "a") -> Recording:
    return Recording(Path(f"{name}.edf"), "EDF", INFO, len(data), lambda a, b: data[a:b])


def test_the_digest_of_the_samples_does_not_depend_on_cutting_or_the_name() -> None:
    data = eeg(3000).data
    wanted = content_digest(made(data))
    assert content_digest(made(data.copy(), "b")) == wanted
    for n_samples in (1, 7, 256, 10**6):
        digesting = Digesting(made(data))
        for _ in digesting.recording.chunks(n_samples):
            pass
        assert digesting.text() == wanted
    digesting, at = Digesting(made(data)), 0
    for piece in cut(eeg(3000), 3):
        digesting.recording.read(at, at + len(piece))
        at += len(piece)
    assert digesting.text() == wanted
    other = data.copy()
    other[1234, 2] += 1
    assert content_digest(made(other)) != wanted
    assert content_digest(replace(made(data), info=replace(INFO, sfreq=100.0))) != wanted
    assert content_digest(replace(made(data), stamps=np.arange(3000) / 199.0)) != wanted


def test_a_reader_that_stops_or_jumps_gets_the_same_digest() -> None:
    data = eeg(3000).data
    wanted = content_digest(made(data))
    for reads in ([(0, 100)], [(0, 100), (2000, 2100)], [(50, 100)], [(0, 100), (0, 100)]):
        digesting = Digesting(made(data))
        for start, stop in reads:
            np.testing.assert_array_equal(digesting.recording.read(start, stop), data[start:stop])
        assert digesting.text() == wanted


def test_copies_are_found_where_every_sample_is_the_same() -> None:
    data = eeg(3000).data
    nearly = data.copy()
    nearly[10, 0] += 1  # outside the places that are looked at first
    recordings = [made(one) for one in (data, nearly, data[:2999], data, nearly)]
    assert copies(recordings) == {3: 0, 4: 1}
    assert copies([made(np.zeros((0, 5), np.float32))]) == {}


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("sub-01/ses-02/eeg/sub-01_ses-02_task-x_eeg.edf", "01"),
        ("sub-01_task-x_eeg.edf", "01"),
        ("chb21/chb21_03.edf", "chb01"),
        ("data/chb17b_63.edf", "chb17"),
        ("edf/train/aaaaaaac/s001_2002/02_tcp_le/aaaaaaac_s001_t000.edf", "aaaaaaac"),
        ("train/01_tcp_ar/002/00000258/s002_2003_07_21/00000258_s002_t000.edf", "00000258"),
        ("PN00/PN00-1.edf", "PN00"),
        ("PN10-4.5.6.edf", "PN10"),
        ("S001R04.edf", "S001"),
        ("ward/anna/night.edf", "ward"),
        ("night.edf", "night"),
    ],
)
def test_the_subject_is_read_off_the_names_of_the_field(path: str, subject: str) -> None:
    assert subject_of(Path(path)) == subject


def test_a_bids_tree_has_no_derivatives_and_no_predictions(tmp_path: Path) -> None:
    table = "onset\tduration\teventType\n2\t3\tsz\n"
    for number, subject in enumerate(("01", "02", "03")):
        path = write_eeg(tmp_path / f"sub-{subject}" / "eeg" / f"sub-{subject}_task-x_eeg.edf", seed=number)
        events = path.with_name(f"sub-{subject}_task-x_events.tsv")
        events.write_text(table)
        path = write_eeg(tmp_path / "derivatives" / path.relative_to(tmp_path))
        path.with_name(f"sub-{subject}_task-x_events.tsv").write_text(table)
    events.unlink()
    Outputs(events.parent, "sub-03_task-x").write({"times": np.zeros(1)}, {events: table})
    dataset = open_dataset("szcore", tmp_path)
    assert [member.subject for member in dataset.members] == ["01", "02"]
    assert dataset.missing == ("the event table of sub-03/eeg/sub-03_task-x_eeg.edf",)


def test_recordings_of_a_folder_are_opened_once_and_copies_are_told(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        write_eeg(tmp_path / f"{name}.edf", seed=seed)
    told = [recording.warnings for recording in opened([tmp_path, tmp_path / "a.edf"])]
    assert told == [(), (), (f"has the same samples as {tmp_path}/a.edf",)]


def test_a_pattern_finds_header_files_and_nothing_derived(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.vhdr", "a.eeg", "a.vmrk", "a_events.tsv", "derivatives/b.edf", ".hidden.edf", "c.edf", "c.csv_bi"
    )

    def matching(pattern: str) -> list[str]:
        return [path.relative_to(tmp_path).as_posix() for path in of_pattern(tmp_path, pattern)]

    assert matching("**/*") == ["a.vhdr", "c.edf"]
    assert matching("derivatives/*.edf") == ["derivatives/b.edf"]


def test_cases_of_one_person_are_one_subject_of_chb_mit_and_a_record_counts_once(tmp_path: Path) -> None:
    for name in ("chb01/chb01_03", "chb21/chb21_03", "other/chb01_03", "derivatives/chb01_04"):
        write_eeg(tmp_path / f"{name}.edf")
    for case in ("chb01", "chb21"):
        text = f"File Name: {case}_03.edf\nNumber of Seizures in File: 0\n"
        (tmp_path / f"{case}-summary.txt").write_text(text)
    dataset = open_dataset("chbmit", tmp_path)
    assert [(member.name, member.subject) for member in dataset.members] == [
        ("chb01_03", "chb01"),
        ("chb21_03", "chb01"),
    ]
    assert dataset.missing == (
        f"{tmp_path}/other/chb01_03.edf: left out, for {tmp_path}/chb01/chb01_03.edf is the same record",
    )
