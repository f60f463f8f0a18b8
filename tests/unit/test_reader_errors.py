"""A recording that a reader refuses: what is missing, by its name, and advice that a person can follow."""

import shutil
from pathlib import Path

import mne
import numpy as np
import pytest
from real_data import find_data

from rtbci.errors import RecordingError
from rtbci.recordings.open import open_recording
from rtbci.recordings.reader_errors import reader_error

N = 512


def write_brainvision(header: Path, data_file: str, named: str, marker: str = "") -> Path:
    """One channel that counts in µV; `data_file` is written, `named` is what the header says."""
    header.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={named}\n{marker}DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=1\n"
        "SamplingInterval=3906.25\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\nCh1=Fp1,,1,uV\n"
    )
    if data_file:
        np.arange(N, dtype="<i2").tofile(header.with_name(data_file))
    return header


def refusal(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    return str(caught.value)


def test_a_renamed_header_names_the_samples_that_are_missing(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path / "new.vhdr", "", "old.eeg")
    begins = (
        f"{path}: its header names old.eeg (DataFile), and no such file is beside it: put it there; if it has another"
    )
    assert refusal(path) == f"{begins} name now, correct DataFile= in new.vhdr"
    (tmp_path / "new.eeg").write_bytes(b"\0" * 2 * N)
    ends = "put it there; new.eeg is there: if that is it, correct DataFile= in new.vhdr"
    for named in (path, tmp_path / "new.eeg"):
        assert refusal(named) == f"{path}: its header names old.eeg (DataFile), and no such file is beside it: {ends}"


@pytest.mark.parametrize("named", ["$b.eeg", r"C:\data\2019\night.eeg", "/home/somebody/night.eeg"])
def test_samples_are_found_beside_the_header_by_what_its_name_means(tmp_path: Path, named: str) -> None:
    path = write_brainvision(tmp_path / "night.vhdr", "night.eeg", named)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.read(0, N)[:, 0], np.arange(N))


def test_a_persyst_header_names_its_samples(tmp_path: Path) -> None:
    lay = find_data("formats/mne/Persyst/sub-pt1_ses-02_task-monitor_acq-ecog_run-01_clip2.lay")
    shutil.copy(lay, tmp_path / "p.lay")
    assert refusal(tmp_path / "p.lay").startswith(
        f"{tmp_path}/p.lay: its header names {lay.stem}.dat (File), and no such file is beside it: put it there;"
    )


def test_epochs_and_averages_are_said_to_be_no_recording(tmp_path: Path) -> None:
    info = mne.create_info(["Fp1", "F7"], 128.0, "eeg")
    mne.EpochsArray(np.zeros((5, 2, 128)), info, verbose="ERROR").save(tmp_path / "x-epo.fif", verbose="ERROR")
    assert refusal(tmp_path / "x-epo.fif") == (
        f"{tmp_path}/x-epo.fif: holds no continuous recording, but epochs, averages or the like; name the file with the raw data"
    )
    import scipy.io

    place = np.array([("Fp1",), ("F7",)], [("labels", "O")])
    eeg = {"nbchan": 2, "pnts": 128, "trials": 10, "srate": 128.0, "xmin": 0.0, "xmax": 1.0, "chanlocs": place}
    empty = {name: [] for name in ("event", "epoch", "icawinv", "icaweights", "icasphere")}
    scipy.io.savemat(tmp_path / "e.set", {"EEG": {"setname": "e", "data": np.zeros((2, 128, 10)), **eeg, **empty}})
    assert refusal(tmp_path / "e.set") == (
        f"{tmp_path}/e.set: holds epochs; wanted a continuous recording: export it before it is cut into epochs"
    )


def test_samples_of_eeglab_that_are_not_there_are_named(tmp_path: Path) -> None:
    shutil.copy(find_data("formats/mne/EEGLAB/test_raw_chanloc.set"), tmp_path / "a.set")
    said = refusal(tmp_path / "a.set")
    assert "a.fdt" in said and said.endswith("is not beside it; copy that file there, under that name")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            RuntimeError("Could not parse it: no section. Pass overrides={'sfreq': <value>} to read_raw_x to go on."),
            "cannot be read as FIF: Could not parse it: no section; if another program opens it, export it as EDF or "
            "BrainVision from there; else copy it again",
        ),
        (
            ValueError("Please use `mne.io.read_raw_y`."),
            "cannot be read as FIF: ValueError; if another program opens it, export it as EDF or BrainVision from there; "
            "else copy it again",
        ),
        (
            RuntimeError(
                "For reading to work, the module antio is needed, but it could not be imported. pip install antio"
            ),
            "reading FIF needs the package antio; install it: pip install antio",
        ),
        (
            NotImplementedError("Please use HDF reader for matlab v7.3 files, e.g. h5py"),
            "reading FIF needs the package pymatreader; install it: pip install pymatreader",
        ),
        (
            PermissionError(13, "Permission denied", "x"),
            "cannot be read: Permission denied; check its disk and its permissions",
        ),
        (
            FileNotFoundError(2, "No such file or directory", "/there/x.21E"),
            "x.21E, which it names, is not beside it; copy that file there, under that name",
        ),
    ],
)
def test_the_advice_is_for_the_person_who_has_the_file(error: Exception, says: str) -> None:
    assert str(reader_error(Path("a.fif"), "FIF", error)) == f"a.fif: {says}"


def test_an_eeglab_file_of_matlab_7_3_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pymatreader", reason="EEGLAB files of MATLAB 7.3 need pymatreader")
    import h5py

    data = np.random.default_rng(0).normal(0, 20, (2, N)).astype(np.float32)
    path = tmp_path / "a.set"
    with h5py.File(path, "w", userblock_size=512) as file:
        eeg, refs = file.create_group("EEG"), file.create_group("#refs#")

        def put(parent: "h5py.Group", name: str, values: np.ndarray, kind: str) -> "h5py.Dataset":
            dataset = parent.create_dataset(name, data=values)
            dataset.attrs["MATLAB_class"] = np.bytes_(kind)
            return dataset

        def text(name: str, value: str) -> "h5py.Dataset":
            dataset = put(refs, name, np.array([[ord(c)] for c in value], np.uint16), "char")
            dataset.attrs["MATLAB_int_decode"] = np.int32(2)
            return dataset

        for name, value in {
            "nbchan": 2,
            "pnts": N,
            "trials": 1,
            "srate": 128,
            "xmin": 0,
            "xmax": (N - 1) / 128,
        }.items():
            put(eeg, name, np.array([[float(value)]]), "double")
        put(eeg, "data", data.T, "single")
        for name in ("event", "epoch", "icawinv", "icaweights", "icasphere"):
            put(eeg, name, np.zeros(2, np.uint64), "double").attrs["MATLAB_empty"] = np.uint8(1)
        labels = [[text(name, name).ref] for name in ("Fp1", "F7")]
        places = eeg.create_group("chanlocs")
        places.create_dataset("labels", data=np.array(labels, h5py.ref_dtype))
        eeg.attrs["MATLAB_class"] = places.attrs["MATLAB_class"] = np.bytes_("struct")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM")
    recording = open_recording(path)
    assert (recording.info.channels, recording.info.sfreq, recording.n_samples) == (("Fp1", "F7"), 128.0, N)
    np.testing.assert_allclose(recording.read(0, N), data.T, rtol=1e-6)
