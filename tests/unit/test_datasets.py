"""Datasets: the axes are right, labels mean what the publisher says, and what is missing is told in one line."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from archives import write_edf
from real_data import find_data
from scipy.io import loadmat, savemat

from rtbci.datasets import NAMES, bci2_iv, chbmit, eegmmidb, high_gamma, open_dataset
from rtbci.errors import DatasetError


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_folder_is_told_what_it_lacks_and_where_that_is_published(name, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match=rf"^{name}: .*https://") as caught:
            open_dataset(name, folder)
        assert "\n" not in str(caught.value)


def test_a_misspelt_dataset_names_the_nearest():
    with pytest.raises(DatasetError, match="did you mean 'eegmmidb'"):
        open_dataset("eegmidb", ".")


# BCI Competition II, set IV


@pytest.fixture
def set_iv():
    return find_data("bci2_iv/sp1s_aa_100Hz.mat").parent


def test_set_iv_is_transposed_sample_by_sample(set_iv):
    mat = loadmat(set_iv / "sp1s_aa_100Hz.mat")
    dataset = open_dataset("bci2_iv", set_iv)
    trials = dataset.part("train").trials(0, 0.5, by="trial")
    assert trials.x.shape == (316, 50, 28)
    assert trials.x.dtype == np.float32
    for n, t, c in np.random.default_rng(0).integers(0, (316, 50, 28), (200, 3)):
        assert trials.x[n, t, c] == np.float32(mat["x_train"][t, c, n])
    assert trials.labels.tolist() == mat["y_train"].ravel().tolist()
    assert trials.classes == ("left", "right")
    assert trials.channels == tuple(str(name[0]) for name in mat["clab"].ravel())
    assert len(set(trials.groups)) == 316


def test_time_runs_along_the_time_axis_of_set_iv_which_a_reshape_scrambles(set_iv):
    def from_one_sample_to_the_next(x):
        a, b = x[:, :-1].reshape(-1), x[:, 1:].reshape(-1)
        return np.corrcoef(a, b)[0, 1]

    raw = loadmat(set_iv / "sp1s_aa_100Hz.mat")["x_train"]
    right = open_dataset("bci2_iv", set_iv).part("train").trials(0, 0.5).x
    assert from_one_sample_to_the_next(right) > 0.95
    assert from_one_sample_to_the_next(raw.reshape(316, 50, 28)) < 0.8
    # Neighbours on the head are alike, and the far ends of it are not: so the channel axis is right too.
    of = {name: right[:, :, i].ravel() for i, name in enumerate(bci2_iv.CHANNELS)}
    assert np.corrcoef(of["C3"], of["C1"])[0, 1] > np.corrcoef(of["C3"], of["O2"])[0, 1] + 0.1


def test_the_test_trials_of_set_iv_have_no_labels(set_iv):
    dataset = open_dataset("bci2_iv", set_iv)
    test = dataset.part("test")
    assert (len(dataset.part("train").members), len(test.members)) == (316, 100)
    assert not any(member.recording.annotations for member in test.members)
    with pytest.raises(DatasetError, match="no window"):
        test.trials(0, 0.5)


def write_set_iv(folder: Path, n: int = 6) -> np.ndarray:
    """A set of the published form in the published text files; returns (n_trials, n_times, n_channels)."""
    x = np.arange(n * 50 * 28, dtype=float).reshape(n, 50, 28) / 8
    rows = x.transpose(0, 2, 1).reshape(n, -1)
    np.savetxt(folder / "sp1s_aa_train.txt", np.column_stack([np.arange(n) % 2, rows]), fmt="%.3f")
    np.savetxt(folder / "sp1s_aa_test.txt", rows, fmt="%.3f")
    return x


def test_the_text_files_of_set_iv_have_all_times_of_a_channel_in_a_row(tmp_path):
    x = write_set_iv(tmp_path)
    dataset = open_dataset("bci2_iv", tmp_path)
    trials = dataset.part("train").trials(0, 0.5)
    np.testing.assert_array_equal(trials.x, x.astype(np.float32))
    assert trials.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert [member.name for member in dataset.part("test").members] == [f"test {i:03d}" for i in range(6)]


def test_mat_and_text_files_of_set_iv_agree(tmp_path):
    x = write_set_iv(tmp_path)
    clab = np.array([[np.array([name]) for name in bci2_iv.CHANNELS]], object)
    content = {"x_train": x.transpose(1, 2, 0), "y_train": np.arange(6) % 2, "clab": clab}
    savemat(tmp_path / "sp1s_aa_100Hz.mat", content)
    (mat,) = bci2_iv.read_epochs(tmp_path / "sp1s_aa_100Hz.mat")
    (text,) = bci2_iv.read_epochs(tmp_path / "sp1s_aa_train.txt")
    np.testing.assert_array_equal(mat.x, text.x)
    np.testing.assert_array_equal(mat.labels, text.labels)
    assert open_dataset("bci2_iv", tmp_path).missing == ("the test trials",)


def test_trials_of_one_recording_are_one_group_by_recording_and_each_its_own_by_trial(tmp_path):
    write_set_iv(tmp_path)
    dataset = open_dataset("bci2_iv", tmp_path).part("train")
    assert len({dataset.group(member, "recording") for member in dataset.members}) == 1
    assert len({dataset.group(member, "trial") for member in dataset.members}) == 6


@pytest.mark.parametrize("content", [b"", b"not a mat file at all", b"1 2 3\n4 5\n"])
@pytest.mark.parametrize("name", ["sp1s_aa_100Hz.mat", "sp1s_aa_train.txt"])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_damaged_file_of_set_iv_is_told_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=name) as caught:
        open_dataset("bci2_iv", tmp_path)
    assert "\n" not in str(caught.value)


# EEG Motor Movement/Imagery


@pytest.mark.parametrize(
    ("run", "t1", "t2"),
    [(3, "left", "right"), (4, "imagined_left", "imagined_right"), (9, "fists", "feet"), (14, "imagined_fists", "imagined_feet")],
)  # fmt: skip
def test_t1_and_t2_mean_what_the_kind_of_run_says(tmp_path, run, t1, t2):
    write_edf(tmp_path / f"S007R{run:02d}.edf", notes=[(0, 2, "T0"), (2, 2, "T1"), (5, 2, "T2")])
    dataset = open_dataset("eegmmidb", tmp_path)
    (member,) = dataset.members
    assert [event.label for event in member.recording.annotations] == ["rest", t1, t2]
    assert (member.subject, member.name) == ("S007", f"S007R{run:02d}")
    assert len(dataset.missing) == 13
    trials = dataset.trials(0.5, 1.5, classes=(t2, t1), by="subject")
    assert trials.labels.tolist() == [1, 0]
    assert trials.groups == ("S007", "S007")
    np.testing.assert_allclose(trials.x[0, :, 0], np.arange(160, 224) / 10, atol=0.06)
    with pytest.raises(DatasetError, match="not independent; split by recording or subject"):
        dataset.trials(0, 1, by="trial")


def test_the_real_runs_have_thirty_cues_half_of_them_rest():
    dataset = open_dataset("eegmmidb", find_data("eegmmidb"))
    by_name = {member.name: member.recording for member in dataset.members}
    labels = [event.label for event in by_name["S001R04"].annotations]
    assert labels.count("rest") == 15
    assert labels.count("imagined_left") + labels.count("imagined_right") == 15
    assert [event.label for event in by_name["S001R01"].annotations] == ["eyes_open"]
    trials = dataset.trials(0, 4, classes=("imagined_left", "imagined_right"))
    assert trials.x.shape == (30, 640, 64)
    assert set(trials.groups) == {"S001R04", "S001R08"}


def test_a_run_with_another_annotation_is_refused(tmp_path):
    write_edf(tmp_path / "S001R03.edf", notes=[(0, 2, "T7")])
    with pytest.raises(DatasetError, match=r"S001R03.edf: annotation 'T7' is not among T0, T1, T2"):
        open_dataset("eegmmidb", tmp_path)
    assert eegmmidb.meanings(1, tmp_path) == {"T0": "eyes_open"}


# CHB-MIT


def test_the_summaries_list_all_198_seizures_of_24_cases():
    paths = sorted(find_data("chbmit/summaries").glob("*-summary.txt"))
    records = {path.name[:5]: chbmit.read_summary(path) for path in paths}
    assert len(records) == 24
    assert sum(len(record.seizures) for case in records.values() for record in case) == 198
    chb01 = {record.name: record for record in records["chb01"]}
    assert chb01["chb01_03.edf"].seizures == ((2996.0, 3036.0),)
    assert chb01["chb01_01.edf"].seizures == ()


def test_a_changed_montage_holds_from_the_next_record_on():
    records = chbmit.read_summary(find_data("chbmit/summaries/chb12-summary.txt"))
    firsts = {record.name: record.channels[0] for record in records}
    assert [firsts[f"chb12_{n}.edf"] for n in ("24", "27", "28", "29", "32")] == [
        "FP1-F7",
        "F7-CS2",
        "F7",
        "F7",
        "FP1-F7",
    ]


def test_seizure_files_say_the_same_as_the_summary():
    folder = find_data("chbmit/summaries")
    listed = {record.name: record.seizures for record in chbmit.read_summary(folder / "chb01-summary.txt")}
    paths = sorted(folder.glob("*.seizures"))
    assert len(paths) == 7
    for path in paths:
        assert tuple(chbmit.read_seizures(path)) == listed[path.name.removesuffix(".seizures")]


SUMMARY = """Data Sampling Rate: 256 Hz

Channels in EDF Files:
Channel 1: FP1-F7
Channel 2: -

File Name: chb30_01.edf
Number of Seizures in File: 2
Seizure 1 Start Time: 1 seconds
Seizure 1 End Time:  3 seconds
Seizure 2 Start Time: 5 seconds
Seizure 2 End Time: 6 seconds

Channels changed:
Channel 1: F7

File Name: chb30_02.edf
Number of Seizures in File: 0

File Name: chb30_03.edf
Number of Seizures in File: 0
"""


def test_seizures_come_from_the_summary_and_what_is_listed_but_not_there_is_missing(tmp_path):
    (tmp_path / "chb30").mkdir()
    (tmp_path / "chb30" / "chb30-summary.txt").write_text(SUMMARY)
    write_edf(tmp_path / "chb30" / "chb30_01.edf", ("FP1-F7", "F7-T7"))
    write_edf(tmp_path / "chb30" / "chb30_02.edf", ("FP1", "O1"))
    dataset = open_dataset("chbmit", tmp_path)
    assert [[(e.onset, e.duration) for e in m.recording.annotations] for m in dataset.members] == [[(1, 2), (5, 1)], []]
    assert dataset.missing == ("chb30_03.edf",)
    fitting = dataset.fitting(("Fp1-F7",))
    assert [member.name for member in fitting.members] == ["chb30_01"]
    assert fitting.missing[1].startswith("chb30_02: stream 'chb30_02' lacks 1 of the 1 channels")


def test_a_record_that_nothing_describes_is_told(tmp_path):
    write_edf(tmp_path / "chb01_03.edf")
    with pytest.raises(DatasetError, match=r"neither chb01-summary.txt nor chb01_03.edf.seizures"):
        open_dataset("chbmit", tmp_path)
    shutil.copy(find_data("chbmit/summaries/chb01_03.edf.seizures"), tmp_path)
    (member,) = open_dataset("chbmit", tmp_path).members
    assert [(e.onset, e.duration) for e in member.recording.annotations] == [(2996.0, 40.0)]


def test_a_summary_that_contradicts_itself_and_a_cut_seizure_file_are_refused(tmp_path):
    (tmp_path / "chb30-summary.txt").write_text(SUMMARY.replace("File: 2", "File: 3"))
    with pytest.raises(DatasetError, match=r"chb30_01.edf says 3 seizures, but gives 2 starts and 2 ends"):
        chbmit.read_summary(tmp_path / "chb30-summary.txt")
    whole = find_data("chbmit/summaries/chb01_03.edf.seizures").read_bytes()
    for n in (0, 5, 20, 45, 50):
        (tmp_path / "cut.edf.seizures").write_bytes(whole[:n])
        with pytest.raises(DatasetError, match="not a complete annotation file"):
            list(chbmit.read_seizures(tmp_path / "cut.edf.seizures"))


# High-Gamma


def test_the_high_gamma_dataset_has_its_44_motor_channels_in_train_and_test(tmp_path):
    names = tuple(f"EEG {name}" for name in ("Fp1", *high_gamma.MOTOR_CHANNELS))
    assert len(high_gamma.MOTOR_CHANNELS) == len(set(high_gamma.MOTOR_CHANNELS)) == 44
    for part in ("train", "test"):
        write_edf(tmp_path / part / "1.edf", names, notes=[(1, 4, "right_hand"), (5, 2, "feet"), (7, 1, "break")])
    dataset = open_dataset("high_gamma", tmp_path)
    assert [(m.name, m.subject, m.part) for m in dataset.members] == [
        ("train/1", "1", "train"),
        ("test/1", "1", "test"),
    ]
    assert [e.label for e in dataset.members[0].recording.annotations] == ["right_hand", "feet"]
    assert len(dataset.missing) == 26
    assert len(dataset.fitting(high_gamma.MOTOR_CHANNELS).members) == 2
    write_edf(tmp_path / "train" / "2.edf", names[:20], notes=[(1, 4, "rest")])
    with pytest.raises(DatasetError, match=r"2.edf: lacks 25 of the 44 motor channels \(CP4"):
        open_dataset("high_gamma", tmp_path)


def test_the_mat_files_of_the_high_gamma_dataset_are_read(tmp_path):
    h5py = pytest.importorskip("h5py", reason="the .mat files of the High-Gamma Dataset need h5py")
    (tmp_path / "data" / "train").mkdir(parents=True)
    with h5py.File(tmp_path / "data" / "train" / "3.mat", "w") as file:
        names = ("Fp1", *high_gamma.MOTOR_CHANNELS)
        for i, name in enumerate(names):
            file[f"ch{i + 1}"] = np.arange(1000.0)[None] + i
            file[f"names/{i}"] = np.array([ord(c) for c in name])[:, None]
        refs = np.array([[file[f"names/{i}"].ref] for i in range(len(names))], h5py.ref_dtype)
        file.create_dataset("nfo/clab", data=refs, dtype=h5py.ref_dtype)
        file["nfo/fs"], file["nfo/T"] = [[500.0]], [[1000.0]]
        file["mrk/time"], file["mrk/event/desc"] = [[500.0, 1500.0]], [[1.0, 4.0]]
    (member,) = open_dataset("high_gamma", tmp_path).members
    assert [(e.onset, e.label) for e in member.recording.annotations] == [(0.5, "right_hand"), (1.5, "feet")]
    np.testing.assert_array_equal(member.recording.read(3, 5)[:, :2], [[3, 4], [4, 5]])


# SzCORE


def test_a_bids_folder_gives_recordings_with_their_events_and_subjects(tmp_path):
    eeg = tmp_path / "sub-01" / "ses-01" / "eeg"
    write_edf(eeg / "sub-01_ses-01_task-x_eeg.edf")
    write_edf(eeg / "sub-01_ses-01_task-y_eeg.edf")
    (eeg / "sub-01_ses-01_task-x_events.tsv").write_text("onset\tduration\teventType\n2\t3\tsz\n")
    dataset = open_dataset("szcore", tmp_path)
    (member,) = dataset.members
    assert (member.subject, member.name) == ("01", "sub-01/ses-01/eeg/sub-01_ses-01_task-x_eeg.edf")
    assert [(e.onset, e.duration, e.label) for e in member.recording.annotations] == [(2, 3, "seizure")]
    assert dataset.missing == ("the event table of sub-01/ses-01/eeg/sub-01_ses-01_task-y_eeg.edf",)


def test_recordings_of_unlike_channels_do_not_become_one_array(tmp_path):
    for name, channels in (("a", ("C3", "C4")), ("b", ("C3", "Cz", "C4"))):
        write_edf(tmp_path / f"{name}.edf", channels, notes=[(1, 1, "sz")])
        (tmp_path / f"{name}_events.tsv").write_text("onset\tduration\teventType\n2\t3\tsz\n")
    with pytest.raises(DatasetError, match="3 channels at 64 Hz, unlike a.edf"):
        open_dataset("szcore", tmp_path).trials(0, 1, classes=("seizure",))
