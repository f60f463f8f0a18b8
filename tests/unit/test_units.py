"""One text, one rule: a unit and a label mean the same in a file and in a live stream."""

from pathlib import Path

import numpy as np
import pylsl
import pytest
from edf_fields import Signal, write_edf
from xdf_kit import XdfStream, write_xdf

from rtbci.lsl.discovery import read_description
from rtbci.recordings.open import open_recording
from rtbci.recordings.stream_reader import believed
from rtbci.recordings.units import to_microvolts, unit_text, without_unit
from rtbci.stages.montage import Montage, MontageConfig
from rtbci.types import Chunk, StreamInfo

SPELLINGS = {"µV": 1.0, "μV": 1.0, "Âµv": 1.0, "UV": 1.0, "microV": 1.0, "uVolts": 1.0, "MV": 1e3, "nV": 1e-3, "": 1.0}


class Inlet:
    """An inlet that answers with a description, without a network."""

    def __init__(self, unit: str) -> None:
        self.described = pylsl.StreamInfo("amp", "EEG", 2, 100.0, "float32", "amp1")
        channels = self.described.desc().append_child("channels")
        for label in (" EEG Fp1-A1A2 ", "F7-LE"):
            channels.append_child("channel").append_child_value("label", label).append_child_value("unit", f" {unit} ")

    def info(self, timeout: float) -> pylsl.StreamInfo:
        return self.described


def pair(info: StreamInfo, data: np.ndarray) -> float:
    chunk = Chunk(np.asarray(data, np.float32), np.arange(len(data)) / info.sfreq)
    return float(Montage(MontageConfig(channels=("Fp1-F7",)), info).process(chunk).data[-1, 0])


@pytest.mark.parametrize("unit", SPELLINGS)
def test_a_unit_means_the_same_in_edf_xdf_and_a_live_stream(tmp_path: Path, unit: str) -> None:
    want = pytest.approx(20 * SPELLINGS[unit])
    edf = [Signal("EEG Fp1-A1A2", np.full(100, 300), unit.encode()), Signal("F7-LE", np.full(100, 100), unit.encode())]
    recording = open_recording(write_edf(tmp_path / "a.edf", edf))
    assert pair(recording.info, recording.read(0, 100)) == want

    values = np.tile([30.0, 10.0], (100, 1))
    described = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit></channel>" for label in ("EEG Fp1-A1A2", "F7-LE")
    )
    stream = XdfStream(
        "amp", "EEG", values, np.arange(100) / 100, sfreq=100.0, description=f"<channels>{described}</channels>"
    )
    recording = open_recording(write_xdf(tmp_path / "a.xdf", stream))
    assert pair(recording.info, recording.read(0, 100)) == want

    reader = believed(read_description(Inlet(unit))[0])
    info = reader.info
    assert pair(info, reader.microvolts(values)) == want
    assert info.channels == ("EEG Fp1-A1A2", "F7-LE")


def test_values_of_a_recording_are_scaled_where_their_unit_is_a_voltage() -> None:
    factors, units = to_microvolts(["mV", "\u00c2\u00b5V", "", "%", "uV\0"])
    assert factors.tolist() == [1e3, 1, 1, 1, 1]
    assert units == ("uV", "uV", "", "%", "uV")


@pytest.mark.parametrize("unit", ["", "  ", "''", "n/a", "unknown", "\0\0"])
def test_a_text_that_names_no_unit_is_none_and_told(unit: str) -> None:
    assert unit_text(unit) == ""
    assert without_unit(["Fp1", "F7"], [unit, "uV"]) == [
        "1 of 2 channels name no unit; microvolts are assumed: Fp1",
    ]
