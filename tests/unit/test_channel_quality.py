"""Channel quality: each word on a channel that deserves it, none on EEG, and no dependence on the cutting."""

import numpy as np
import pytest

from rtbci.stages.channel_quality import ChannelQuality
from rtbci.types import Chunk, StreamInfo

SFREQ = 256.0


def eeg(seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    """1/f noise of 20 µV with an offset, one channel."""
    rng = np.random.default_rng(seed)
    n = int(seconds * SFREQ)
    hz = np.fft.rfftfreq(n, 1 / SFREQ)
    spectrum = (rng.normal(size=len(hz)) + 1j * rng.normal(size=len(hz))) / np.maximum(hz, 1)
    x = np.fft.irfft(spectrum, n)
    return 20 * x / x.std() + 300


def judge(x: np.ndarray, cut: int | None = None) -> dict[str, str]:
    quality = ChannelQuality(StreamInfo("test", SFREQ, ("Cz",), ("uV",)))
    chunk = Chunk(x[:, None].astype(np.float32), np.arange(len(x)) / SFREQ)
    for k in range(0, len(x), cut or len(x)):
        quality.process(chunk[k : k + (cut or len(x))])
    return quality.bad()


T = np.arange(int(4 * SFREQ)) / SFREQ
NOISE = np.random.default_rng(1).normal(0, 80, len(T))
CASES = {
    "eeg": (eeg(), {}),
    "large eeg": (4 * eeg(), {}),
    "flat": (np.full(len(T), 187.0), {"Cz": "flat"}),
    "mains at 50 Hz": (eeg() + 60 * np.sin(2 * np.pi * 50 * T), {"Cz": "mains"}),
    "mains at 60 Hz": (eeg() + 60 * np.sin(2 * np.pi * 60 * T), {"Cz": "mains"}),
    "high impedance": (eeg() + NOISE, {"Cz": "noise"}),
    "clipped": (np.clip(400 * np.sin(2 * np.pi * 3 * T), -250, 250), {"Cz": "saturated"}),
    "absurd": (eeg() + 9000 * np.sin(2 * np.pi * 1 * T), {"Cz": "saturated"}),
    "not a number": (np.where(T > 1, np.nan, eeg()), {"Cz": "flat"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_channel_gets_the_word_it_deserves(case):
    x, word = CASES[case]
    assert judge(x) == word


@pytest.mark.parametrize("cut", [1, 7, 100, 300])
@pytest.mark.parametrize("case", ["mains at 50 Hz", "high impedance", "eeg"])
def test_quality_does_not_depend_on_chunking(case, cut):
    assert judge(CASES[case][0], cut) == CASES[case][1]


def test_one_second_is_not_enough_for_a_word_nor_to_take_it_back():
    quality = ChannelQuality(StreamInfo("test", SFREQ, ("Cz",), ("uV",)))
    good, flat = eeg(1.0)[:, None].astype(np.float32), np.zeros((256, 1), np.float32)
    said = []
    for block in (good, good, flat, good, flat, flat, good, good):
        quality.process(Chunk(block, np.arange(256) / SFREQ))
        said.append(quality.bad().get("Cz", ""))
    assert said == ["", "", "", "", "", "flat", "flat", ""]


def test_units_count():
    volts = (eeg() * 1e-6).astype(np.float32)[:, None]
    quality = ChannelQuality(StreamInfo("test", SFREQ, ("Cz",), ("V",)))
    quality.process(Chunk(volts, np.arange(len(volts)) / SFREQ))
    assert quality.bad() == {}
