"""What a stretch of the traces is: length, amplitude, dominant frequency and spectrum of each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.types import Flags, Samples, Times

FEWEST = 8  # samples that anything can be said of
RESOLUTION_S = 2.0  # of the windows that a spectrum is averaged over, where the stretch is that long
SLOWEST_HZ = 0.5  # what is slower is drift, and not called dominant


@dataclass(frozen=True)
class StretchMeasures:
    """Of what is displayed: with its montage and its filters.

    Attributes
    ----------
    start, stop
        On the display's axis (s).
    data_s
        Seconds of it that have data.
    names
        Of the rows.
    peak_to_peak, rms
        (n_rows,), in the unit of the display; RMS about the mean. NaN where a row has no data.
    dominant_hz
        (n_rows,): where the spectrum is highest, from 0.5 Hz on; NaN where the stretch is too short to say.
    frequencies, power
        (n_frequencies,) in Hz and (n_frequencies, n_rows) in unit² a Hz, after Welch (1967).
    """

    start: float
    stop: float
    data_s: float
    names: tuple[str, ...]
    peak_to_peak: npt.NDArray[np.float64]
    rms: npt.NDArray[np.float64]
    dominant_hz: npt.NDArray[np.float64]
    frequencies: npt.NDArray[np.float64]
    power: npt.NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return self.stop - self.start


def measure(
    span: tuple[float, float],
    rows: tuple[Times, Samples, Flags],
    sfreq: float,
    names: tuple[str, ...],
) -> StretchMeasures:
    """Measure a stretch.

    Parameters
    ----------
    span
        From and to, on the display's axis (s).
    rows
        Its samples: places, values (n_samples, n_rows), and which are valid.
    sfreq
        Rate in Hz.
    names
        Of the rows.
    """
    _, data, valid = rows
    data = data[valid].astype(np.float64)
    n = data.shape[1]
    none = np.full(n, np.nan)
    usable = np.isfinite(data).all(axis=0) if len(data) >= FEWEST else np.zeros(n, np.bool_)
    peak_to_peak, rms, dominant = none.copy(), none.copy(), none.copy()
    frequencies, power = np.zeros(0), np.zeros((0, n))
    if usable.any():
        from scipy import signal

        good = data[:, usable]
        peak_to_peak[usable], rms[usable] = np.ptp(good, axis=0), good.std(axis=0)
        window = min(len(good), max(FEWEST, round(RESOLUTION_S * sfreq)))
        frequencies, found = signal.welch(good, sfreq, nperseg=window, detrend="linear", axis=0)
        power = np.full((len(frequencies), n), np.nan)
        power[:, usable] = found
        audible = frequencies >= max(SLOWEST_HZ, 1 / (len(good) / sfreq))
        if audible.any():
            dominant[usable] = frequencies[audible][np.argmax(found[audible], axis=0)]
            dominant[rms == 0] = np.nan
    return StretchMeasures(*span, len(data) / sfreq, names, peak_to_peak, rms, dominant, frequencies, power)
