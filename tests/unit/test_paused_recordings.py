"""Recordings that MNE reads as if they were never paused: Persyst, BrainVision and FIF, on their own clock."""

import datetime
from pathlib import Path

import mne
import numpy as np
import pytest

from rtbci.recordings.open import open_recording
from rtbci.types import Event

SFREQ = 100
COUNTED = np.arange(1000)


def persyst(folder: Path, sample_times: str, comments: str) -> Path:
    (np.stack([COUNTED, -COUNTED], 1).astype("<i2")).tofile(folder / "a.dat")
    (folder / "a.lay").write_text(
        "[FileInfo]\nFile=a.dat\nFileType=Interleaved\nSamplingRate=100\nHeaderLength=0\nCalibration=1\n"
        "WaveformCount=2\nDataType=0\n[Patient]\nBirthDate=01/02/80\nSex=\nHand=\nTestDate=2014.12.19\nTestTime=23:59:58\n"
        f"[ChannelMap]\nC3-Ref=1\nC4-Ref=2\n[Comments]\n{comments}\n[SampleTimes]\n{sample_times}\n"
    )
    return folder / "a.lay"


def test_a_paused_persyst_file_has_the_times_of_its_samples_and_all_of_its_comments(tmp_path: Path) -> None:
    path = persyst(tmp_path, "0=86398.250\n300=1.250\n600=4.250", "1,0,0,1,a\n65,5,0,1,sz, left\n5.5,0,0,1,b")
    recording = open_recording(path)
    times = np.concatenate([np.arange(300) / SFREQ, 3 + np.arange(700) / SFREQ])
    np.testing.assert_allclose(recording.times(), times, rtol=0, atol=1e-9)
    path = persyst(tmp_path, "0=86398.250\n300=61.250", "1,0,0,1,a\n65,5,0,1,sz, left\n5.5,0,0,1,b")
    recording = open_recording(path)
    times = np.concatenate([np.arange(300) / SFREQ, 63 + np.arange(700) / SFREQ])
    np.testing.assert_allclose(recording.times(), times, rtol=0, atol=1e-9)
    assert recording.annotations == (Event(1.0, 0.0, "a"), Event(5.5, 0.0, "b"), Event(65.0, 5.0, "sz, left"))
    assert recording.warnings == ("it has a gap, 60 s without samples in all: 60 s from 3 s on",)
    np.testing.assert_allclose(recording.read(0, 1000)[:, 0], COUNTED, rtol=1e-6)


def test_persyst_times_that_go_back_are_told(tmp_path: Path) -> None:
    recording = open_recording(persyst(tmp_path, "0=100\n300=101", "1,0,0,1,a"))
    assert recording.stamps is None
    assert recording.warnings == (
        "its SampleTimes are not in order of time at sample 300; its times are counted without gaps",
    )


def brainvision(folder: Path, second_date: str) -> Path:
    (np.stack([COUNTED, -COUNTED], 1).astype("<i2")).tofile(folder / "a.eeg")
    (folder / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n"
        "MarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=10000\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=C3,,1,\u00b5V\nCh2=C4,,1,\u00b5V\n"
    )
    (folder / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n"
        "[Marker Infos]\nMk1=New Segment,,1,1,0,20200101101112250000\nMk2=Comment,a,101,1,0\n"
        f"Mk3=New Segment,,401,1,0,{second_date}\nMk4=Comment,sz,451,100,0\n"
    )
    return folder / "a.vhdr"


def test_a_paused_brainvision_file_has_the_dates_of_its_segments_and_its_markers_are_on_that_clock(
    tmp_path: Path,
) -> None:
    recording = open_recording(brainvision(tmp_path, "20200101101246250000"))
    times = np.concatenate([np.arange(400) / SFREQ, 94 + np.arange(600) / SFREQ])
    np.testing.assert_allclose(recording.times(), times, rtol=0, atol=1e-6)
    notes = [(round(e.onset, 6), round(e.duration, 6)) for e in recording.annotations if "Comment" in e.label]
    assert notes == [(1.0, 0.01), (94.5, 1.0)]
    assert recording.warnings == ("it has a gap, 90 s without samples in all: 90 s from 4 s on",)
    assert open_recording(brainvision(tmp_path, "20200101101116250000")).stamps is None


@pytest.mark.parametrize("date", [None, datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)])
def test_a_part_of_a_fif_file_begins_when_its_first_sample_does(tmp_path: Path, date: datetime.datetime | None) -> None:
    raw = fif(first_samp=500)
    raw.set_meas_date(date)
    raw.set_annotations(mne.Annotations([8.0 if date else 3.0], [2.0], ["sz"], orig_time=date))
    raw.crop(1.0, 5.0).save(tmp_path / "a_raw.fif", verbose="error")
    recording = open_recording(tmp_path / "a_raw.fif")
    assert recording.annotations == (Event(2.0, 2.0, "sz"),)
    assert recording.start == (date + datetime.timedelta(seconds=6) if date else None)
    assert recording.read(0, 1)[0, 0] == 100


def test_what_a_fif_file_skipped_is_a_gap_and_not_zeros(tmp_path: Path) -> None:
    raw = fif()
    raw.set_annotations(mne.Annotations([2.0, 6.0], [3.0, 1.0], ["BAD_ACQ_SKIP", "sz"]))
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    recording = open_recording(tmp_path / "a_raw.fif")
    kept = np.r_[0:200, 500:1000]
    assert recording.n_samples == 700
    np.testing.assert_allclose(recording.times(), kept / SFREQ, rtol=0, atol=1e-9)
    np.testing.assert_allclose(recording.read(0, 700)[:, 0], kept, rtol=1e-6)
    np.testing.assert_allclose(recording.read(190, 210)[:, 0], kept[190:210], rtol=1e-6)
    assert recording.annotations == (Event(6.0, 1.0, "sz"),)
    assert recording.warnings == ("it has a gap, 3 s without samples in all: 3 s from 2 s on",)


def fif(first_samp: int = 0) -> mne.io.BaseRaw:
    info = mne.create_info(["C3", "C4"], SFREQ, "eeg")
    return mne.io.RawArray(np.tile(COUNTED * 1e-6, (2, 1)), info, first_samp=first_samp, verbose="error")
