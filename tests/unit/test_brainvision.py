from pathlib import Path

import numpy as np
import pytest

from rtbci.errors import RecordingError
from rtbci.recordings.open import open_recording

COUNTS = np.arange(7)[None, :] + np.arange(100)[:, None]
UNITS = ("µV", "UV", "microV", "mVolt", "nV", "C", "Volts")
FIRST = "Mk1=New Segment,,1,1,0,20260102030405000000"
SEIZURE = "Mk2=Comment,seizure,51,25,0"


def write(
    folder: Path, *markers: str, encoding: str = "utf-8", data: str = "a.eeg", units: tuple[str, ...] = UNITS
) -> Path:
    """A recording of 100 samples at 250 Hz, whose texts claim to be UTF-8."""
    (folder / "a.eeg").write_bytes(COUNTS.astype("<i2").tobytes())
    channels = "".join(f"Ch{i + 1}=E{i + 1},,0.5,{unit}\n" for i, unit in enumerate(units))
    header = (
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data}\nMarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=7\n"
        f"SamplingInterval=4000\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n{channels}"
    )
    marks = "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n\n[Marker Infos]\n"
    (folder / "a.vhdr").write_bytes(header.encode(encoding))
    (folder / "a.vmrk").write_bytes((marks + "\n".join(markers) + "\n").encode(encoding))
    return folder / "a.vhdr"


def test_a_header_may_spell_its_voltages_as_it_likes(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path, FIRST))
    assert recording.info.units == ("uV", "uV", "uV", "uV", "uV", "C", "uV")
    np.testing.assert_allclose(recording.read(0, 100), COUNTS * 0.5 * [1, 1, 1, 1e3, 1e-3, 1, 1e6], rtol=1e-6)


def test_spellings_of_voltages_that_mne_does_not_know_are_eeg(tmp_path: Path) -> None:
    assert set(open_recording(write(tmp_path, FIRST, units=("microV",) * 7)).info.units) == {"uV"}


@pytest.mark.parametrize(
    ("markers", "encoding", "labels", "told"),
    [
        (
            (FIRST.replace("0102", "1302"), SEIZURE), "utf-8", ["Comment/seizure"],
            "the date in its marker file, '20261302030405000000', is none; the time of day is unknown",
        ),
        (
            (FIRST, SEIZURE.replace("seizure", "Augen öffnen")), "latin-1", ["Comment/Augen öffnen"],
            "a.vmrk says that it is UTF-8 and is not; read as Latin-1",
        ),
        (
            (FIRST, SEIZURE, "Mk3=Comment,seizure,soon,25,0"), "utf-8", ["Comment/seizure"],
            "1 markers have no position and length that can be read and were left out",
        ),
    ],
)  # fmt: skip
def test_what_is_odd_in_a_marker_file_does_not_guard_the_samples(
    tmp_path: Path, markers: tuple[str, ...], encoding: str, labels: list[str], told: str
) -> None:
    recording = open_recording(write(tmp_path, *markers, encoding=encoding))
    assert told in recording.warnings
    assert [(e.onset, e.duration, e.label) for e in recording.annotations] == [(0.2, 0.1, label) for label in labels]
    np.testing.assert_allclose(recording.read(0, 100)[:, 0], COUNTS[:, 0] * 0.5, rtol=1e-6)


def test_samples_that_are_not_there_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"original\.eeg"):
        open_recording(write(tmp_path, FIRST, data="original.eeg"))
