"""Recordings of every format: equal to what the reference reader gives, in pieces; bad files end in one clear line."""

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from gdf_kit import GdfSignal, write_gdf
from real_data import DATA, SHARED, find_data

from rtbci.errors import RecordingError
from rtbci.recordings.event_table import write_events
from rtbci.recordings.open import open_recording
from rtbci.recordings.part import part_of
from rtbci.recordings.recording import Recording
from rtbci.types import Chunk, Event, StreamInfo

SEIZURE = "chbmit/chb01_03_Seizure.edf"
OTHER_FORMATS = {
    "formats/gdf/sample.gdf": ("GDF", 256.0, 4, 97419, 200),
    "formats/mne/Brainvision/test_NO.vhdr": ("BrainVision", 5000.0, 65, 2238, 0),
    "formats/mne/Brainvision/test_VAmp.ahdr": ("BrainVision", 500.0, 6, 4352, 0),
    "formats/mne/EEGLAB/test_raw_2021.set": ("EEGLAB", 128.0, 3, 1281, 6),
    "formats/mne/NihonKohden/MB0400FU.EEG": ("Nihon Kohden", 200.0, 25, 5800, 2),
    "formats/mne/Persyst/sub-pt1_ses-02_task-monitor_acq-ecog_run-01_clip2.lay": ("Persyst", 200.0, 83, 847, 5),
    "formats/mne/antio/CA_208/test_CA_208.vhdr": ("BrainVision", 1000.0, 88, 4025, 2),
    "xdf/openbci_dropouts_Trial1.xdf": ("XDF", 250.0, 8, 20530, 0),
    "xdf/example-files/clock_resets.xdf": ("XDF", 100.0, 8, 27815, 175),
    "xdf/example-files/minimal.xdf": ("XDF", 10.0, 3, 9, 8),
}


def whole(recording: Recording) -> Chunk:
    return Chunk.join(list(recording.chunks(10**9)))


def by_mne(path: Path) -> mne.io.BaseRaw:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mne.io.read_raw(path, preload=True, verbose="ERROR")


@pytest.mark.parametrize(("folder", "at_least"), [(DATA, 14), (SHARED, 30)], ids=["tests/data", "../shared/data"])
def test_every_edf_and_bdf_equals_mne(folder: Path, at_least: int) -> None:
    if not folder.exists():
        pytest.skip(f"needs the recordings in {folder}")
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in (".edf", ".bdf")]
    assert len(paths) >= at_least
    for path in paths:
        recording, raw = open_recording(path), by_mne(path)
        scale = [1e6 if unit == "uV" else 1.0 for unit in recording.info.units]
        expected = raw.get_data([raw.ch_names.index(c) for c in recording.info.channels]).T * scale
        assert recording.info.sfreq == raw.info["sfreq"], path
        assert recording.start is None or recording.start.replace(microsecond=0) == raw.info["meas_date"], path
        np.testing.assert_allclose(whole(recording).data, expected, rtol=2e-7, atol=1e-6, err_msg=str(path))


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_format_opens_with_its_channels_and_annotations(name: str) -> None:
    recording = open_recording(find_data(name))
    kind, sfreq, n_channels, n_samples, n_annotations = OTHER_FORMATS[name]
    assert (recording.format, recording.info.sfreq, len(recording.info.channels)) == (kind, sfreq, n_channels)
    assert (recording.n_samples, len(recording.annotations)) == (n_samples, n_annotations)
    assert len(whole(recording)) == n_samples


def test_values_without_a_unit_stay_as_they_are() -> None:
    recording = open_recording(find_data("formats/gdf/sample.gdf"))
    assert set(recording.info.units) == {""}
    assert np.median(whole(recording).data.std(axis=0)) < 100
    assert set(open_recording(find_data("formats/mne/GDF/test_1ch.gdf")).info.units) == {"uV"}


@pytest.mark.parametrize("eeg_at", [0, 2])
@pytest.mark.parametrize("other_rate", [32, 100, 512])
def test_channels_of_a_gdf_file_at_another_rate_than_the_eeg_are_left_out(
    eeg_at: int, other_rate: int, tmp_path: Path
) -> None:
    """MNE resamples them in each part that is read, with the ends of the part as those of the signal."""
    rng = np.random.default_rng(other_rate)
    eeg = [GdfSignal(name, rng.integers(-900, 900, 256 * 9).astype(np.int16), 256) for name in ("Fp1", "F7")]
    signals = [GdfSignal(name, np.zeros(other_rate * 9, np.int16), other_rate) for name in ("ECG", "Resp", "SpO2")]
    signals[eeg_at:eeg_at] = eeg
    recording = open_recording(write_gdf(tmp_path / "a.gdf", signals))
    assert (recording.info.channels, recording.info.sfreq, recording.n_samples) == (("Fp1", "F7"), 256.0, 256 * 9)
    assert recording.warnings == (
        f"left out, for their other sampling rate: ECG ({other_rate} Hz), Resp ({other_rate} Hz), SpO2 ({other_rate} Hz); "
        "read at 256 Hz",
    )
    values = np.stack([signal.values for signal in eeg], axis=1)
    np.testing.assert_allclose(whole(recording).data, values / 10, atol=1e-3)
    for n in (1, 100, 7680):
        parts = np.concatenate([chunk.data for chunk in recording.chunks(n)])
        np.testing.assert_array_equal(parts, whole(recording).data)


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_opening_prints_nothing(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    open_recording(find_data(name))
    assert capfd.readouterr() == ("", "")


def test_fif_is_read_in_microvolts_with_onsets_from_its_first_sample(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(0, 50e-6, (2, 1000))
    raw = mne.io.RawArray(data, mne.create_info(["Fp1", "Fp2"], 100.0, "eeg"), first_samp=300, verbose="ERROR")
    raw.set_annotations(mne.Annotations([2.5], [1.0], ["seizure"]))
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    recording = open_recording(tmp_path / "a_raw.fif")
    np.testing.assert_allclose(whole(recording).data, data.T * 1e6, rtol=1e-6)
    assert [(e.onset, e.duration, e.label) for e in recording.annotations] == [(2.5, 1.0, "seizure")]


def test_duplicate_names_come_out_as_in_mne() -> None:
    channels = open_recording(find_data(SEIZURE)).info.channels
    assert channels.count("T8-P8-0") == channels.count("T8-P8-1") == 1


@pytest.mark.parametrize("name", [SEIZURE, "formats/mne/BDF/test_bdf_stim_channel.bdf", "eegmmidb/S001R01.edf"])
def test_samples_and_times_do_not_depend_on_cutting(name: str) -> None:
    recording = open_recording(find_data(name))
    expected = whole(recording)
    for n_samples in (7, 256, 9999):
        chunks = list(recording.chunks(n_samples))
        assert {len(c) for c in chunks[:-1]} <= {n_samples}
        joined = Chunk.join(chunks)
        np.testing.assert_array_equal(joined.data, expected.data)
        np.testing.assert_array_equal(joined.times, np.arange(recording.n_samples) / recording.info.sfreq)
    part = Chunk.join(list(recording.chunks(100, 123, 4567)))
    np.testing.assert_array_equal(part.data, expected.data[123:4567])
    np.testing.assert_array_equal(part.times, expected.times[123:4567])


def test_channels_at_another_rate_are_left_out_and_named() -> None:
    recording = open_recording(find_data("formats/mne/EDF/test_reduced.edf"))
    assert len(recording.info.channels) == 125
    assert "A1" not in recording.info.channels
    assert "other sampling rate: A1 (1 Hz), A2 (2 Hz)" in recording.warnings[0]


@pytest.mark.parametrize("name", ["openbci_dropouts_Trial1.xdf", "example-files/clock_resets.xdf"])
def test_lost_samples_of_an_xdf_stay_visible_in_its_times(name: str) -> None:
    recording = open_recording(find_data(f"xdf/{name}"))
    times = recording.times()
    assert times[0] == 0.0
    assert times[-1] > 1.3 * recording.n_samples / recording.info.sfreq
    np.testing.assert_array_equal(Chunk.join(list(recording.chunks(33))).times, times)
    assert any("samples were lost" in text for text in recording.warnings)
    assert any(" gaps, " in text for text in recording.warnings)


def test_two_streams_of_one_name_are_listed_and_picked_by_number() -> None:
    path = find_data("xdf/muse_two_same_name_01.xdf")
    with pytest.raises(RecordingError, match=r"more than one stream fits.*2 'Muse'.*1 'Muse'"):
        open_recording(path)
    assert open_recording(path, stream=1).n_samples == 9996
    assert open_recording(path, stream="Muse00:55:DA:BB:6F:7A").n_samples == 9984


@pytest.mark.parametrize(("name", "table"), [("a.edf", "a_events.tsv"), ("sub-1_eeg.edf", "sub-1_events.tsv")])
def test_events_table_beside_the_recording_is_read(tmp_path: Path, name: str, table: str) -> None:
    shutil.copy(find_data(SEIZURE), tmp_path / name)
    events = (Event(1.0, 40.0, "seizure"),)
    write_events(tmp_path / table, events)
    assert open_recording(tmp_path / name).annotations == events


def test_truncated_edf_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    content = find_data(SEIZURE).read_bytes()
    (tmp_path / "cut.edf").write_bytes(content[: 256 * 24 + 10 * 23 * 256 * 2 + 999])
    recording = open_recording(tmp_path / "cut.edf")
    assert recording.warnings == ("the header declares 41 records (41 s), the file holds 10 (10 s): these are read",)
    np.testing.assert_array_equal(whole(recording).data, whole(open_recording(find_data(SEIZURE))).data[: 10 * 256])


def _cut_header(content: bytes) -> bytes:
    return content[:1000]


def _only_header(content: bytes) -> bytes:
    return content[: 256 * 24 + 100]


def _no_number(content: bytes) -> bytes:
    return content[:252] + b"many" + content[256:]


@pytest.mark.parametrize(
    ("name", "spoil", "complaint"),
    [
        ("a.edf", _cut_header, r"header is cut short \(1000 bytes of 6144\)"),
        ("a.edf", _only_header, "no data record is whole"),
        ("a.edf", _no_number, "number of signals in its header is 'many'"),
        ("a.edf", lambda _: b"", r"is empty \(0 bytes\)"),
        (
            "a.edf",
            lambda _: b"hello, world\n" * 100,
            "is not EDF although its name says so; it starts with b'hello, w'",
        ),
        ("a.bdf", lambda content: content, "it starts like EDF: rename it"),
        ("a.txt", lambda content: content, r"\.txt is not a known format; use one of \.edf"),
        ("a.xdf", lambda _: b"XDF:" + bytes(50), "has no EEG stream|cannot be read as XDF"),
        ("a.vhdr", lambda _: b"nonsense\n", "cannot be read as BrainVision"),
        ("a.set", lambda _: b"nonsense\n", "cannot be read as EEGLAB"),
        ("a.fif", lambda _: b"nonsense\n", "cannot be read as FIF"),
    ],
)
def test_bad_file_ends_in_one_line_that_names_it(
    tmp_path: Path, name: str, spoil: Callable[[bytes], bytes], complaint: str
) -> None:
    (tmp_path / name).write_bytes(spoil(find_data(SEIZURE).read_bytes()))
    with pytest.raises(RecordingError, match=complaint) as caught:
        open_recording(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_suggests_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "night_03.edf").touch()
    with pytest.raises(RecordingError, match=r"there is no such file; did you mean night_03\.edf\?"):
        open_recording(tmp_path / "night_3.edf")


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is a folder"):
        open_recording(tmp_path)


def test_edf_with_annotations_only_is_refused(tmp_path: Path) -> None:
    edfio.Edf([], annotations=[edfio.EdfAnnotation(0, None, "start")]).write(tmp_path / "a.edf")
    with pytest.raises(RecordingError, match="no signal"):
        open_recording(tmp_path / "a.edf")


def test_a_part_of_a_recording_counts_times_and_annotations_from_its_first_sample():
    data = np.arange(20, dtype=np.float32)[:, None]
    stamps = np.arange(20) / 10 + np.where(np.arange(20) >= 12, 3.0, 0.0)  # three seconds are missing
    events = (Event(0.2, 0.1, "before"), Event(0.9, 0.5, "in"), Event(4.9, 0.1, "after"))
    info = StreamInfo("x", 10.0, ("C3",), ("uV",))
    whole_one = Recording(Path("x"), "XDF", info, 20, lambda a, b: data[a:b], events, stamps=stamps)
    part = part_of(whole_one, 8, 15)
    assert part.read(0, part.n_samples)[:, 0].tolist() == [8, 9, 10, 11, 12, 13, 14]
    assert part.times() == pytest.approx([0, 0.1, 0.2, 0.3, 3.4, 3.5, 3.6])
    assert [(event.label, round(event.onset, 9)) for event in part.annotations] == [("in", 0.1)]
    assert part_of(replace(whole_one, stamps=None), 8, 15).times() == pytest.approx(np.arange(7) / 10)
