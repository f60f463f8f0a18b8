"""Causal filters: µV in, µV out; after the montage, before the network. Each keeps its state across chunks."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat, model_validator

from rtbci.config import MAX_SFREQ, Strict
from rtbci.errors import StreamMismatch
from rtbci.types import Chunk

MAX_NOTCHES = 64


def design(config: FilterConfig, sfreq: float) -> npt.NDArray[np.float64]:
    """Design the filters of a pipeline: notches, then Butterworth high-pass and low-pass, in one cascade.

    Parameters
    ----------
    config
        Pass band and notches.
    sfreq
        Rate in Hz.

    Returns
    -------
    ndarray
        Second-order sections (n_sections, 6); none: (0, 6).
    """
    from scipy import signal

    parts = [np.empty((0, 6))]
    for mains in config.notch_hz:
        for harmonic in range(1, config.notch_harmonics + 1):
            # A notch near the Nyquist frequency would only add computation and phase.
            if mains * harmonic < 0.49 * sfreq:
                parts.append(signal.tf2sos(*signal.iirnotch(mains * harmonic, config.notch_q, fs=sfreq)))
    for edge, kind in ((config.low_hz, "highpass"), (config.high_hz, "lowpass")):
        if edge is not None:
            parts.append(signal.butter(config.order, edge, kind, fs=sfreq, output="sos"))
    return np.concatenate(parts)


class SosFilter:
    """Stage: a cascade of second-order sections, started in the steady state for the first sample.

    Parameters
    ----------
    sos
        Sections (n_sections, 6), as `scipy.signal.sosfilt` takes them.
    """

    def __init__(self, sos: npt.NDArray[np.float64]) -> None:
        self.sos = np.ascontiguousarray(sos, np.float64)
        from scipy import signal

        self._sosfilt = signal.sosfilt
        self._rest_state = signal.sosfilt_zi(self.sos)[:, :, None] if len(self.sos) else None
        self.reset()

    def reset(self) -> None:
        self._zi: npt.NDArray[np.float64] | None = None  # (n_sections, 2, n_channels), as sosfilt keeps it

    def process(self, chunk: Chunk) -> Chunk:
        if self._rest_state is None or not len(chunk):
            return chunk
        if self._zi is None:
            # The steady state, so that an electrode's offset does not ring.
            self._zi = self._rest_state * chunk.data[0].astype(np.float64)
        data, self._zi = self._sosfilt(self.sos, chunk.data, axis=0, zi=self._zi)
        return Chunk(data, chunk.times, chunk.valid)


class Resampler:
    """Stage: changes the rate by a rational factor with a causal polyphase FIR filter; its phase is kept across chunks.

    The filter is that of `scipy.signal.resample_poly` (windowed by a Kaiser window with beta 5, ten taps on each side
    at the slower rate), each phase scaled to pass a constant exactly. An output sample has the stamp of the newest
    input sample that it depends on.

    Parameters
    ----------
    sfreq_in, sfreq_out
        Rates in Hz.

    Attributes
    ----------
    up, down
        The factor is up / down.
    delay_s
        Delay of the filter in seconds.
    reach
        Input samples that one output sample depends on.

    Raises
    ------
    StreamMismatch
        If the ratio of the rates is not rational with small terms.

    References
    ----------
    `scipy.signal.resample_poly`, SciPy reference.
    """

    def __init__(self, sfreq_in: float, sfreq_out: float) -> None:
        from scipy import signal

        self._upfirdn = signal.upfirdn
        ratio = Fraction(sfreq_out / sfreq_in).limit_denominator(50_000)
        if abs(ratio * sfreq_in / sfreq_out - 1) > 1e-6 or ratio == 0:
            raise StreamMismatch(f"no rational resampling from {sfreq_in:g} Hz to {sfreq_out:g} Hz")
        self.up, self.down = ratio.numerator, ratio.denominator
        half = 10 * max(self.up, self.down)
        taps = signal.firwin(2 * half + 1, 1 / max(self.up, self.down), window=("kaiser", 5.0))
        self.taps = taps * self.up
        for phase in range(self.up):
            self.taps[phase :: self.up] /= self.taps[phase :: self.up].sum()
        self.delay_s = half / self.up / sfreq_in
        self.reach = -(-len(self.taps) // self.up)  # input samples that one output depends on
        self.reset()

    def reset(self) -> None:
        self._past: npt.NDArray[np.float32] | None = None  # input from sample `_first` on
        self._first = 0
        self._n_in = 0
        self._n_out = 0
        self._n_bad = 0

    def process(self, chunk: Chunk) -> Chunk:
        if self.up == self.down or not len(chunk):
            return chunk
        if self._past is None:
            self._first = -self.down * -(-self.reach // self.down)  # a multiple of `down`: phase 0
            self._past = np.repeat(chunk.data[:1], -self._first, axis=0)
        data = np.concatenate([self._past, chunk.data])
        seen, self._n_in = self._n_in, self._n_in + len(chunk)
        n_out = (
            self._n_in * self.up - 1
        ) // self.down + 1  # an output is due with the newest sample that it depends on
        outputs = np.arange(self._n_out, n_out)
        newest = outputs * self.down // self.up - seen  # index in this chunk
        start = self._first * self.up // self.down
        out = self._upfirdn(self.taps, data, self.up, self.down, axis=0)[self._n_out - start : n_out - start]
        result = Chunk(out, chunk.times[newest], self._flags(chunk.valid, newest))
        self._n_out = n_out
        kept = (self._n_in - self.reach) // self.down * self.down  # still a multiple of `down`
        self._past, self._first = data[kept - self._first :].copy(), kept
        return result

    def _flags(self, valid: npt.NDArray[np.bool_], newest: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
        """An output is valid where all input since the preceding output is."""
        n_bad = np.cumsum(~valid) + self._n_bad  # since the last output of the chunk before
        at_output = n_bad[newest]
        self._n_bad = int(n_bad[-1] - at_output[-1]) if len(newest) else int(n_bad[-1])
        flags: npt.NDArray[np.bool_] = (np.diff(at_output, prepend=0) == 0) & valid[newest]
        return flags


def group_delay_s(
    sos: npt.NDArray[np.float64], sfreq: float, freqs_hz: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Group delay of a cascade, -dφ/dω, by central differences.

    Parameters
    ----------
    sos
        Sections (n_sections, 6).
    sfreq
        Rate in Hz.
    freqs_hz
        Frequencies (n_freqs,).

    Returns
    -------
    ndarray
        Seconds (n_freqs,).
    """
    if not len(sos):
        return np.zeros(len(freqs_hz))
    from scipy import signal

    step = 1e-3
    around = np.concatenate([freqs_hz - step, freqs_hz + step])
    _, response = signal.sosfreqz(sos, worN=around, fs=sfreq)
    below, above = np.split(response, 2)
    delay: npt.NDArray[np.float64] = -np.angle(above / below) / (2 * np.pi * 2 * step)
    return delay


class FilterConfig(Strict):
    """Causal filters at the pipeline's rate.

    Attributes
    ----------
    low_hz, high_hz
        Edges of the pass band; None leaves a side open.
    order
        Of the Butterworth filter on each side.
    notch_hz, notch_q, notch_harmonics
        Frequencies of notches, their quality factor, and how many multiples of each are notched.
    """

    low_hz: PositiveFloat | None = None
    high_hz: PositiveFloat | None = None
    order: Annotated[int, Field(ge=1, le=12)] = 4
    notch_hz: Annotated[tuple[Annotated[float, Field(ge=1, le=MAX_SFREQ)], ...], Field(max_length=8)] = ()
    notch_q: Annotated[float, Field(ge=0.5, le=1000)] = 30.0
    notch_harmonics: Annotated[int, Field(ge=1, le=50)] = 1

    @model_validator(mode="after")
    def _few_notches(self) -> FilterConfig:
        if len(self.notch_hz) * self.notch_harmonics > MAX_NOTCHES:
            raise ValueError(f"notch_hz and notch_harmonics make more than {MAX_NOTCHES} notches")
        return self
