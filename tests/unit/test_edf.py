from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from edf_fields import Signal, listed, write_edf

from rtbci.errors import RecordingError
from rtbci.recordings.channel_names import names_eeg, unique_names
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording

RAMP = np.arange(300)
EEG = [Signal("EEG Fp1-REF", RAMP), Signal("EEG F7-REF", -RAMP)]


def opened(path: Path, signals: list[Signal] = EEG, **fields: object) -> Recording:
    return open_recording(write_edf(path / "a.edf", signals, **fields))  # type: ignore[arg-type]


def test_a_whole_file_is_read_without_a_word(tmp_path: Path) -> None:
    recording = opened(tmp_path, lists=[listed(0, (1, 1.5, "seizure")), listed(1), listed(2)])
    assert recording.warnings == ()
    assert recording.info.channels == ("EEG Fp1-REF", "EEG F7-REF")
    assert recording.start == datetime(2020, 2, 1, 10, 11, 12, tzinfo=UTC)
    assert [(e.onset, e.duration, e.label) for e in recording.annotations] == [(1, 1.5, "seizure")]
    np.testing.assert_allclose(recording.read(0, 300), np.stack([RAMP, -RAMP], 1) / 10, atol=1e-4)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("uV", 1), (b"\xb5V", 1), ("µV".encode(), 1), ("μV".encode(), 1), ("UV", 1), (b"uV\0\0", 1), ("mVolt", 1e3)],
)
def test_units_of_a_header_are_understood(tmp_path: Path, unit: str | bytes, factor: float) -> None:
    recording = opened(tmp_path, [Signal("Fp1", RAMP, unit)])
    assert (recording.info.units, recording.warnings) == (("uV",), ())
    np.testing.assert_allclose(recording.read(0, 300)[:, 0], RAMP / 10 * factor, rtol=1e-5, atol=1e-4)


def test_a_header_without_units_is_taken_as_microvolts_and_told(tmp_path: Path) -> None:
    recording = opened(tmp_path, [Signal("Fp1", RAMP, ""), Signal("F7", RAMP)])
    assert recording.info.units == ("", "uV")
    assert recording.warnings == ("1 of 2 channels name no unit; microvolts are assumed: Fp1",)


@pytest.mark.parametrize("unit", ["uV", "UV", "microV", ""])
def test_one_ecg_at_a_higher_rate_does_not_push_the_eeg_out(tmp_path: Path, unit: str) -> None:
    ecg = Signal("ECG", np.arange(600), "mV", per_record=200)
    for signals in ([Signal("EEG Fp1-REF", RAMP, unit), ecg], [ecg, Signal("Ch1", RAMP, unit)]):
        recording = opened(tmp_path, signals)
        assert (recording.info.sfreq, len(recording.info.channels)) == (100, 1)
        assert recording.warnings[0] == "left out, for their other sampling rate: ECG (200 Hz); read at 100 Hz"


def test_electrodes_decide_against_many_auxiliary_channels(tmp_path: Path) -> None:
    others = [Signal(f"X{i}", np.arange(600), per_record=200) for i in range(9)]
    assert opened(tmp_path, [*others, *EEG]).info.channels == ("EEG Fp1-REF", "EEG F7-REF")


def test_of_equal_groups_the_first_is_read_never_the_fastest(tmp_path: Path) -> None:
    signals = [Signal("C3", RAMP), Signal("C4", np.arange(600), per_record=200)]
    assert opened(tmp_path, signals).info.channels == ("C3",)


@pytest.mark.parametrize(
    ("label", "eeg"),
    [
        ("EEG Fp1-REF", True), ("C3-A2", True), ("EEG X1-REF", True), ("EEG12", True), ("ECG", False), ("EEG EKG1-REF", False),
        ("EOG left", False), ("SpO2", False), ("SaO2", False), ("Resp Rate", False), ("Ch12", None), ("", None),
    ],
)  # fmt: skip
def test_a_label_tells_whether_it_is_eeg(label: str, eeg: bool | None) -> None:
    assert names_eeg(label) is eeg


def test_names_that_are_there_twice_are_numbered() -> None:
    assert unique_names(["T8-P8", "-", "Cz", "T8-P8", "-", "--0"]) == ["T8-P8-0", "--1", "Cz", "T8-P8-1", "--2", "--0"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"start": ("31.02.20", "10.11.12"), "recording": ""}, "its start, '31.02.20' '10.11.12', is no date and time"),
        ({"start": ("01.02.20", "1o.11.12")}, "its start, '01.02.20' '1o.11.12', is no date and time"),
        ({"start": ("02.03.20", "10.11.12")}, "two dates, 02.03.20 and Startdate 01-FEB-2020; the second is used"),
        ({"recording": "Startdate 99-FEB-2020 X X X"}, "01.02.20 and Startdate 99-FEB-2020; the first is used"),
        ({"version": "0.1"}, "its version field is '0.1', not '0'; read as EDF"),
        ({"version": ""}, "its version field is '', not '0'; read as EDF"),
        ({"n_records": "3.0"}, "its number of data records is written '3.0'; taken as 3"),
        ({"n_records": "many"}, "its number of data records is 'many', no number; what the file holds is read"),
        ({"n_bytes": 512}, "its header says that it is '512' bytes long; with its signals it is 768"),
        ({"patient": b"M\x07ller \x1b[2J"}, "its patient field holds characters that cannot be printed"),
    ],
)
def test_what_is_odd_in_a_header_is_told_and_the_signals_are_read(
    tmp_path: Path, fields: dict[str, object], told: str
) -> None:
    recording = opened(tmp_path, **fields)
    assert len(recording.warnings) == 1
    assert told in recording.warnings[0]
    np.testing.assert_allclose(recording.read(0, 300)[:, 0], RAMP / 10, atol=1e-4)


def test_padding_with_nul_is_not_odd(tmp_path: Path) -> None:
    recording = opened(tmp_path, [Signal(b"Fp1\0\0\0", RAMP, b"uV\0")], version=b"0\0\0\0\0\0\0\0", n_records=b"3\0\0")
    assert (recording.info.channels, recording.warnings) == (("Fp1",), ())


def test_a_channel_whose_range_cannot_be_read_is_left_out_alone(tmp_path: Path) -> None:
    recording = opened(tmp_path, [*EEG, Signal("Pz", RAMP, physical=("", "lots"))])
    assert recording.info.channels == ("EEG Fp1-REF", "EEG F7-REF")
    assert recording.warnings == ("left out, for a range in the header that cannot be read: Pz",)
    with pytest.raises(RecordingError, match="the range of 'Pz' in its header cannot be read"):
        opened(tmp_path, [Signal("Pz", RAMP, physical=("", ""))])


def test_an_empty_range_is_told(tmp_path: Path) -> None:
    recording = opened(tmp_path, [*EEG, Signal("-", RAMP, physical=(0, 0))])
    assert recording.warnings == ("an empty range is declared for -: it is taken as 1, so the scale is a guess",)


def test_an_annotation_in_latin1_is_read_and_told(tmp_path: Path) -> None:
    events = [(0.5, 1.0, "Augen öffnen".encode("latin-1")), (1, 2, "Anfall: früh")]
    recording = opened(tmp_path, lists=[listed(0, *events), listed(1), listed(2)])
    assert [e.label for e in recording.annotations] == ["Augen öffnen", "Anfall: früh"]
    assert recording.warnings == ("1 annotation texts are not UTF-8; read as Latin-1",)


def test_an_annotation_of_two_lines_is_one_text(tmp_path: Path) -> None:
    recording = opened(tmp_path, lists=[listed(0, (1, 2, "seizure\r\nfocal, left")), listed(1), listed(2)])
    assert [e.label for e in recording.annotations] == ["seizure focal, left"]


def test_annotations_count_from_the_first_sample(tmp_path: Path) -> None:
    recording = opened(tmp_path, lists=[listed(0.25, (1.25, 1, "seizure")), listed(1.25), listed(2.25)])
    assert [e.onset for e in recording.annotations] == [1.0]
    assert recording.start == datetime(2020, 2, 1, 10, 11, 12, 250_000, tzinfo=UTC)


def test_an_annotation_names_its_channels(tmp_path: Path) -> None:
    events = [(1, 1, "spike@@EEG Fp1-REF"), (1, 1, "spike@@EEG F7-REF"), (1, 1, "a@@b"), (2, 0, "a@@b")]
    recording = opened(tmp_path, lists=[listed(0, *events), listed(1), listed(2)])
    assert [(e.label, e.channels) for e in recording.annotations] == [
        ("a@@b", ()), ("spike", ("EEG Fp1-REF", "EEG F7-REF")), ("a@@b", ()),
    ]  # fmt: skip


def test_a_list_without_a_time_and_a_negative_duration_are_told(tmp_path: Path) -> None:
    spoilt = listed(0) + b"soon\x14seizure\x14\0" + b"+1\x15-3\x14seizure\x14\0"
    recording = opened(tmp_path, lists=[spoilt, listed(1), listed(2)])
    assert [(e.onset, e.duration) for e in recording.annotations] == [(1, 0)]
    assert recording.warnings == (
        "1 annotations have no time that can be read and were left out",
        "1 annotations have a negative duration; they are taken to have none",
    )
