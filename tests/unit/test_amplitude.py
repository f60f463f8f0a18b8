"""Values that are no EEG in µV are told from their amplitude."""

import numpy as np
import pytest
from cutting import CHANNELS, cut, eeg, singles

from rtbci.stages.channel_quality import ChannelQuality
from rtbci.types import Chunk, StreamInfo


def words(factor: float, unit: str) -> str:
    quality = ChannelQuality(StreamInfo("amp", 200.0, CHANNELS, (unit,) * len(CHANNELS)))
    chunk = eeg(3000)
    quality.process(Chunk(chunk.data * np.float32(factor), chunk.times))
    return quality.amplitude.words


@pytest.mark.parametrize(("factor", "unit"), [(1, "uV"), (1, ""), (0.1, "uV"), (20, "uV")])
def test_the_amplitude_of_an_eeg_is_not_told(factor: float, unit: str) -> None:
    assert words(factor, unit) == ""


@pytest.mark.parametrize(
    ("factor", "unit", "says"),
    [
        (20, "", "too large for an EEG where no unit is named and µV are assumed"),
        (1e-2, "", "too small for an EEG where no unit is named"),
        (1e3, "uV", "too large for an EEG in the unit that is named"),
        (1e-3, "uV", "as if they were mV or V, not µV"),
        (1e-6, "", "as if they were mV or V, not µV"),
    ],
)
def test_another_amplitude_is_told_with_the_options(factor: float, unit: str, says: str) -> None:
    said = words(factor, unit)
    assert says in said
    assert "--unit says the unit, --gain how many µV one is" in said


def test_it_is_told_at_the_same_sample_however_a_stream_is_cut() -> None:
    chunk, info = eeg(3000), StreamInfo("amp", 200.0, CHANNELS)
    loud = Chunk(chunk.data * np.float32(50), chunk.times)
    seen = []
    for pieces in (cut(loud, 3), singles(loud), iter([loud])):
        quality = ChannelQuality(info)
        for piece in pieces:
            quality.process(piece)
        seen.append(quality.amplitude.words)
    assert len(set(seen)) == 1
    assert seen[0]


def test_what_is_flat_or_no_eeg_is_not_asked() -> None:
    info = StreamInfo("amp", 200.0, ("Fp1", "F7", "Counter", "Battery"), ("uV", "uV", "", "%"))
    chunk = eeg(3000, 4)
    data = chunk.data.copy()
    data[:, 1] = 0
    data[:, 2:] *= 1e4
    quality = ChannelQuality(info)
    quality.process(Chunk(data, chunk.times))
    assert quality.amplitude.words == ""
    assert quality.bad() == {"F7": "flat"}
