"""Trends, beside the path: spectra of both hemispheres, amplitude-integrated EEG and asymmetry, a row each ten seconds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtbci.recordings.units import microvolts
from rtbci.stages.channel_quality import ABSURD_UV, FLAT_UV
from rtbci.stages.montage import Montage
from rtbci.stages.trend_channels import AeegSide, TrendChannels
from rtbci.stages.wiring import ZERO
from rtbci.types import Chunk, StreamInfo

HOPS = 5  # of 2 s: a row
ENVELOPE_S = 0.5
STEP_HZ, N_BINS = 0.5, 60  # frequencies 0.5, 1 … 30 Hz
FREQUENCIES = tuple(STEP_HZ * (k + 1) for k in range(N_BINS))
LEAST_HZ = 200.0  # samples are averaged down to a rate that is not lower
MOST_INVALID = 0.1  # of a window
LEAST_HOPS = 3  # with a usable window, of a row
MARGINS = (10.0, 90.0)  # percentiles of the envelope

# Columns of a row.
LEFT, RIGHT = slice(0, N_BINS), slice(N_BINS, 2 * N_BINS)  # µV²/Hz
AEEG = slice(2 * N_BINS, 2 * N_BINS + 4)  # µV peak to peak: left lower, left upper, right lower, right upper
SYMMETRY_INDEX, ASYMMETRY = 2 * N_BINS + 4, 2 * N_BINS + 5
N_TRENDS = 2 * N_BINS + 6
_BAND = slice(1, 50)  # of a spectrum: 1 to 25 Hz

Floats = npt.NDArray[np.float64]


class Trends:
    """Stage: samples of a stream in, a row of N_TRENDS values each ten seconds out, stamped with its last sample.

    **Spectra** (density spectral array): the power spectral density of a hemisphere is the mean over its channels and over the
    Hann windows of 4 s, each half over the one before, that end in the row (P. Welch, IEEE Trans. Audio Electroacoust. 15,
    1967); 0.25 Hz apart, then with the weights 1/4, 1/2, 1/4 in steps of 0.5 Hz. Electrodes are against the average of
    all EEG electrodes; bipolar channels are as they are (see TrendChannels).

    **aEEG**: a filter passes 2 to 15 Hz and rises by 12 dB a decade (D. Maynard, P. Prior, D. Scott, Br Med J 4, 1969;
    D. Zhang, H. Ding, Health 5, 2013), with gain 1 at 10 Hz; its output is rectified, and averaged over 0.5 s. Scaled so
    that a sine of 10 Hz reads its peak-to-peak amplitude. The margins of a row are the 10th and the 90th percentile.

    **Asymmetry**: the revised brain symmetry index (M. van Putten, Clin Neurophysiol 118, 2007), mean of |R - L| / (R + L)
    over the frequencies from 1 to 25 Hz: 0 to 1; and (ΣR - ΣL) / (ΣR + ΣL) over the same: negative where the left is
    stronger, positive where the right is.

    A channel is left out of a window in which it has no number, is flat or is absurd (as in ChannelQuality). A window with more
    than a tenth of invalid samples counts for nothing, and a value that fewer than three windows of a row count for is NaN.

    All is computed on whole blocks of 2 s, so that it does not depend on the chunks. Rates from 400 Hz on are first averaged over
    consecutive samples; what that takes from the spectra is given back.

    Parameters
    ----------
    info
        The stream.

    Attributes
    ----------
    channels
        Of the hemispheres and of the aEEG.
    row_s
        Seconds of a row; 10 where 0.5 s are a whole number of samples.
    """

    def __init__(self, info: StreamInfo) -> None:
        self.channels = channels = TrendChannels.of(info)
        self._step = max(1, int(info.sfreq // LEAST_HZ))
        rate = info.sfreq / self._step
        self._envelope = max(1, round(ENVELOPE_S * rate))
        self._hop = 4 * self._envelope
        self._n = self._hop * self._step  # samples of a block
        self.row_s = HOPS * self._n / info.sfreq
        ends = (end for side in channels.aeeg for end in (side.plus, side.minus) if end != ZERO)
        self._picked = np.array(sorted({*channels.left, *channels.right, *channels.average, *ends}), np.intp)
        self._gains = np.array([microvolts(info.units[k]) for k in self._picked], np.float64)
        self._sides = [self._among(side) for side in (channels.left, channels.right)]
        self._average = self._among(channels.average)
        self._pairs = [_Pair(side, self._among((side.plus, side.minus))) for side in channels.aeeg]
        self._hann = np.hanning(2 * self._hop + 1)[:-1]
        self._bins = _Bins(rate, self._hann, self._step)
        self._response = _aeeg_response(rate, self._hop)
        self.reset()

    def _among(self, channels: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """1 for each picked channel that is one of these, 0 for the others: (n_picked,)."""
        return np.isin(self._picked, channels).astype(np.float64)

    def reset(self) -> None:
        n = len(self._picked)
        self._block = np.zeros((self._n, n), np.float32)
        self._flags = np.zeros(self._n, np.bool_)
        self._filled = 0
        self._window = np.zeros((n, 2 * self._hop))
        self._bounded = np.zeros((2, n), np.bool_)  # of each half of the window
        self._n_invalid = [2 * self._n, 0]  # of each half; at first there is no first half
        self._begin_row()

    def _begin_row(self) -> None:
        self._n_hops = 0
        self._power = np.zeros((2, N_BINS))
        self._counts = [0, 0]
        self._envelopes: list[list[Floats]] = [[] for _ in self._pairs]

    def process(self, chunk: Chunk) -> Chunk:
        rows, times = [np.empty((0, N_TRENDS), np.float32)], []
        at = 0
        while at < len(chunk):
            n = min(len(chunk) - at, self._n - self._filled)
            stop = self._filled + n
            self._block[self._filled : stop] = chunk.data[at : at + n, self._picked]
            self._flags[self._filled : stop] = chunk.valid[at : at + n]
            self._filled, at = stop % self._n, at + n
            if stop == self._n:
                self._take_block()
                if self._n_hops == HOPS:
                    rows.append(self._row()[None])
                    times.append(chunk.times[at - 1])
                    self._begin_row()
        data = np.concatenate(rows)
        return Chunk(data, np.array(times), np.asarray(np.isfinite(data).any(axis=1), np.bool_))

    def _take_block(self) -> None:
        """Move the window on by the block, and add what it shows to the row."""
        self._n_hops += 1
        hop = self._hop
        bounded = np.abs(self._block) < Montage.ABSURD_UV  # NaN is not
        block = self._block if bounded.all() else np.where(bounded, self._block, np.float32(0))
        means = block.reshape(hop, self._step, -1).mean(axis=1, dtype=np.float64) * self._gains
        self._window[:, :hop] = self._window[:, hop:]
        self._window[:, hop:] = means.T
        self._bounded = np.stack([self._bounded[1], bounded.all(axis=0)])
        self._n_invalid = [self._n_invalid[1], int(self._n - np.count_nonzero(self._flags))]
        if sum(self._n_invalid) <= MOST_INVALID * 2 * self._n and len(self._picked):
            self._take_window()

    def _take_window(self) -> None:
        x = self._window - self._window.mean(axis=1, keepdims=True)
        swing = x.max(axis=1) - x.min(axis=1)
        good = self._bounded.all(axis=0) & (swing >= FLAT_UV) & (swing <= ABSURD_UV)
        for pair, envelopes in zip(self._pairs, self._envelopes, strict=True):
            if good[pair.among > 0].all():
                spectrum = np.fft.rfft(pair.derive(x, self._picked)) * self._response
                filtered = np.fft.irfft(spectrum, 2 * self._hop)[self._hop :]
                envelopes.append(np.pi * np.abs(filtered).reshape(4, self._envelope).mean(axis=1))
        if (of_average := self._average * good).any():
            x = x - _weighted(x, of_average)
        power = self._bins.power(np.fft.rfft(x * self._hann))
        for k, side in enumerate(self._sides):
            if (of_side := side * good).any():
                self._power[k] += _weighted(power, of_side)
                self._counts[k] += 1

    def _row(self) -> npt.NDArray[np.float32]:
        row = np.full(N_TRENDS, np.nan)
        for k, columns in enumerate((LEFT, RIGHT)):
            if self._counts[k] >= LEAST_HOPS:
                row[columns] = self._power[k] / self._counts[k]
        margins = row[AEEG]
        for k, envelopes in enumerate(self._envelopes):
            if len(envelopes) >= LEAST_HOPS:
                margins[2 * k : 2 * k + 2] = np.percentile(np.concatenate(envelopes), MARGINS)
        left, right = row[LEFT][_BAND], row[RIGHT][_BAND]
        both = left + right
        if (both > 0).all():  # NaN is not
            row[SYMMETRY_INDEX] = (np.abs(right - left) / both).mean()
            row[ASYMMETRY] = (right.sum() - left.sum()) / both.sum()
        return row.astype(np.float32)


def _weighted(values: Floats, weights: npt.NDArray[np.float64]) -> Floats:
    """Mean over channels. values: (n_channels, n); weights: (n_channels,)."""
    mean: Floats = (values * weights[:, None]).sum(axis=0) / weights.sum()
    return mean


class _Pair:
    """A derivation of the aEEG, and which of the picked channels it takes: among (n_picked,)."""

    def __init__(self, side: AeegSide, among: npt.NDArray[np.float64]) -> None:
        self._side = side
        self.among = among

    def derive(self, x: Floats, picked: npt.NDArray[np.intp]) -> Floats:
        """(n_picked, n) -> (n,)."""
        derived = np.zeros(x.shape[1])
        for k, sign in ((self._side.plus, self._side.sign), (self._side.minus, -1.0)):
            if k != ZERO:
                derived += sign * x[np.searchsorted(picked, k)]
        return derived


class _Bins:
    """Spectra of windows to power spectral densities at FREQUENCIES."""

    def __init__(self, rate: float, hann: npt.NDArray[np.float64], step: int) -> None:
        n = len(hann)
        hz = np.arange(2 * N_BINS + 2) * rate / n
        there = np.arange(len(hz)) < n // 2  # below the Nyquist frequency
        # What the mean over `step` samples passes.
        passed = np.ones(len(hz))
        if step > 1:
            turn = np.pi * hz[1:] / (rate * step)
            passed[1:] = (np.sin(step * turn) / (step * np.sin(turn))) ** 2
        self._scale = np.where(there, 2 / (rate * (hann**2).sum() * passed), np.nan)

    def power(self, spectra: npt.NDArray[np.complex128]) -> Floats:
        """(n_channels, n // 2 + 1) -> (n_channels, N_BINS), µV²/Hz."""
        found = np.full((len(spectra), len(self._scale)), np.nan)
        n = min(len(self._scale), spectra.shape[1])
        found[:, :n] = spectra[:, :n].real ** 2 + spectra[:, :n].imag ** 2
        found *= self._scale
        middle = found[:, 2:-1:2]
        smooth: Floats = 0.25 * found[:, 1:-2:2] + 0.5 * middle + 0.25 * found[:, 3::2]
        return smooth


def _aeeg_response(rate: float, hop: int) -> npt.NDArray[np.complex128]:
    """Frequency response (hop + 1,) of the aEEG filter, for a window of 2 hop samples; its last `hop` outputs are right."""
    from scipy import signal

    band = np.arange(2.0, 15.5, 0.5)
    points = [(0.0, 0.0), (1.0, 0.0), *((hz, (hz / 10) ** 0.6) for hz in band), (17.0, 0.0)]
    below = [point for point in points if point[0] < rate / 2]
    hz, gains = zip(*below, (rate / 2, 0.0), strict=True)
    taps = signal.firwin2(hop + 1, hz, gains, fs=rate)
    response: npt.NDArray[np.complex128] = np.fft.rfft(taps, 2 * hop)
    return response
