"""Channel quality, beside the path: flat, saturated, mains or noise, assessed once a second."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtbci.recordings.channel_names import is_analog
from rtbci.recordings.units import microvolts
from rtbci.stages.amplitude import AmplitudeCheck
from rtbci.types import Chunk, StreamInfo

BLOCK_S = 1.0
AGREE = 2  # equal blocks before a fault is reported, or cleared
MAINS_HZ = (50.0, 60.0)

FLAT_UV = 0.5  # peak to peak
RAIL_SHARE = 0.1  # of a block's samples, at its largest or smallest value
RAIL_UV = 100.0  # peak to peak; below it values repeat because they are small
ABSURD_UV = 5000.0  # peak to peak
MAINS_SHARE = 0.5  # of the variance
MAINS_UV = 5.0  # rms
MOST_UV = 1e9  # larger values are taken as this one, whose square is a number
NOISE_UV = 40.0  # rms of the differences between samples, over sqrt(2)
NOISE_SHARE = 0.8  # of the rms; white noise has 1, EEG at 256 Hz about 0.2

WORDS = ("", "flat", "saturated", "mains", "noise")


class ChannelQuality:
    """Assesses a stream's channels on whole blocks of one second, so that the result does not depend on the chunks.

    A fault is reported, or cleared, after two equal blocks. Criteria, in µV: flat, less than 0.5 peak to peak;
    saturated, a tenth of the samples at the largest or smallest value, or over 5000 peak to peak; mains, over half of
    the variance at 50 or 60 Hz; noise, like that of a high impedance, differences from sample to sample. Counters, triggers
    and whatever else is no voltage are not assessed.

    Parameters
    ----------
    info
        The stream.

    Attributes
    ----------
    amplitude
        Whether its first seconds look like an EEG in µV.
    """

    def __init__(self, info: StreamInfo) -> None:
        self._channels = info.channels
        self._n = max(8, round(BLOCK_S * info.sfreq))
        self._gains = np.array([microvolts(unit) or 1.0 for unit in info.units], np.float32)
        columns = zip(info.channels, info.channel_types, info.units, strict=True)
        is_voltage = [microvolts(unit) is not None and is_analog(label, kind) for label, kind, unit in columns]
        self._others = np.flatnonzero(~np.array(is_voltage, np.bool_))
        self.amplitude = AmplitudeCheck(info)
        t = np.arange(self._n) / info.sfreq
        waves = [w(2 * np.pi * hz * t) for hz in MAINS_HZ if hz < info.sfreq / 2 for w in (np.cos, np.sin)]
        self._waves = np.array(waves, np.float32).reshape(-1, self._n)
        self.reset()

    def reset(self) -> None:
        self._block = np.zeros((self._n, len(self._channels)), np.float32)
        self._filled = 0
        self._word = np.zeros(len(self._channels), np.int8)
        self._candidate = np.zeros(len(self._channels), np.int8)
        self._times = np.zeros(len(self._channels), np.int8)

    def process(self, chunk: Chunk) -> list[tuple[int, npt.NDArray[np.int8]]]:
        """Assess a chunk.

        Returns
        -------
        list of (int, ndarray)
            Where the assessment changes: samples of this chunk before it, and indices into WORDS (n_channels,) from
            there on.
        """
        changes = []
        at = 0
        while at < len(chunk):
            n = min(len(chunk) - at, self._n - self._filled)
            if n == self._n:
                block = chunk.data[at : at + n]
            else:
                self._block[self._filled : self._filled + n] = chunk.data[at : at + n]
                block = self._block
            self._filled += n
            at += n
            if self._filled == self._n:
                self._filled = 0
                before = self._word
                self._take_up(self._judge(block))
                if not np.array_equal(before, self._word):
                    changes.append((at, self._word))
        return changes

    def bad(self) -> dict[str, str]:
        """The fault of each bad channel; good channels are left out."""
        return {self._channels[k]: WORDS[self._word[k]] for k in np.flatnonzero(self._word)}

    def _take_up(self, found: npt.NDArray[np.int8]) -> None:
        same = found == self._candidate
        self._times = np.where(same, np.minimum(self._times + 1, AGREE), 1).astype(np.int8)
        self._candidate = found
        self._word = np.where(self._times >= AGREE, found, self._word)

    def _judge(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
        """The most serious fault of each channel in a full block: (n_channels,) indices into WORDS."""
        with np.errstate(over="ignore"):
            x = np.ascontiguousarray((block * self._gains).T)  # (n_channels, n): rows are cheaper to sum
        if not np.abs(x).max() < MOST_UV:  # NaN is not
            x = np.nan_to_num(x).clip(-MOST_UV, MOST_UV)
        low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
        swing = (high - low)[:, 0]
        railed = swing > RAIL_UV
        if railed.any():
            railed &= ((x == low) | (x == high)).mean(axis=1) > RAIL_SHARE
        x -= x.mean(axis=1, keepdims=True)
        variance = np.maximum(_mean_square(x), 1e-12)
        self.amplitude.add(np.sqrt(variance))
        fast = np.sqrt(_mean_square(x[:, 1:] - x[:, :-1]) / 2)
        word = np.zeros(len(self._channels), np.int8)
        word[(fast > NOISE_UV) & (fast > NOISE_SHARE * np.sqrt(variance))] = WORDS.index("noise")
        power = self._mains(x)
        word[(power > MAINS_UV**2) & (power > MAINS_SHARE * variance)] = WORDS.index("mains")
        word[railed | (swing > ABSURD_UV)] = WORDS.index("saturated")
        word[swing < FLAT_UV] = WORDS.index("flat")
        word[self._others] = 0
        return word

    def _mains(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Power at the stronger of 50 and 60 Hz, µV². x: (n_channels, n)."""
        if not len(self._waves):
            return np.zeros(len(x), np.float32)
        # Not by BLAS, whose sums depend on its threads.
        parts = np.einsum("ij,kj->ik", x, self._waves) * np.float32(2 / self._n)  # (n_channels, 2 n_freqs)
        power = (parts**2).reshape(len(x), -1, 2).sum(axis=2) / 2
        return np.asarray(power.max(axis=1), np.float32)


def _mean_square(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean square of each row."""
    return np.asarray(np.einsum("ij,ij->i", x, x) / x.shape[1], np.float32)
