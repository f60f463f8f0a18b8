"""Causal filters: µV in, µV out; after the montage, before the tagger. Every one keeps its state across chunks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy import signal

from rtbci.config import ConstantScaling, FilterConfig, RunningScaling
from rtbci.errors import StreamMismatch
from rtbci.types import Chunk

MAD_TO_SD = 1.4826  # of a normal distribution


def design(config: FilterConfig, sfreq: float) -> npt.NDArray[np.float64]:
    """Second-order sections (n_sections, 6) of notches and Butterworth band-pass in one cascade; none: (0, 6)."""
    parts = [np.empty((0, 6))]
    for mains in config.notch_hz:
        for harmonic in range(1, config.notch_harmonics + 1):
            # A notch above the pass band, or next to Nyquist, would only cost time and phase.
            if mains * harmonic < 0.49 * sfreq:
                parts.append(signal.tf2sos(*signal.iirnotch(mains * harmonic, config.notch_q, fs=sfreq)))
    for edge, kind in ((config.low_hz, "highpass"), (config.high_hz, "lowpass")):
        if edge is not None:
            parts.append(signal.butter(config.order, edge, kind, fs=sfreq, output="sos"))
    return np.concatenate(parts)


class Sos:
    """Stage: a cascade of second-order sections, started as if the first sample had lasted forever."""

    def __init__(self, sos: npt.NDArray[np.float64]) -> None:
        self.sos = np.ascontiguousarray(sos, np.float64)
        self._rest_state = signal.sosfilt_zi(self.sos)[:, :, None] if len(self.sos) else None
        self.reset()

    def reset(self) -> None:
        self._zi: npt.NDArray[np.float64] | None = None  # (n_sections, 2, n_channels), as sosfilt keeps it

    def process(self, chunk: Chunk) -> Chunk:
        if self._rest_state is None or not len(chunk):
            return chunk
        if self._zi is None:
            # So that an electrode's offset does not ring.
            self._zi = self._rest_state * chunk.data[0].astype(np.float64)
        data, self._zi = signal.sosfilt(self.sos, chunk.data, axis=0, zi=self._zi)
        return Chunk(data, chunk.times, chunk.valid)


class Resampler:
    """Stage: a rational change of rate by a causal polyphase FIR; phase is kept across chunks.

    The filter is that of `scipy.signal.resample_poly` (Kaiser, beta 5, ten taps a side of the slower rate), each phase
    scaled to pass a constant exactly. An output sample is stamped with the newest input sample that it has seen.
    """

    def __init__(self, sfreq_in: float, sfreq_out: float) -> None:
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
        self.reach = -(-len(self.taps) // self.up)  # input samples that one output sees
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
        n_out = (self._n_in * self.up - 1) // self.down + 1  # an output is due with the newest sample that it sees
        outputs = np.arange(self._n_out, n_out)
        newest = outputs * self.down // self.up - seen  # index in this chunk
        start = self._first * self.up // self.down
        out = signal.upfirdn(self.taps, data, self.up, self.down, axis=0)[self._n_out - start : n_out - start]
        result = Chunk(out, chunk.times[newest], self._flags(chunk.valid, newest))
        self._n_out = n_out
        kept = (self._n_in - self.reach) // self.down * self.down  # still a multiple of `down`
        self._past, self._first = data[kept - self._first :].copy(), kept
        return result

    def _flags(self, valid: npt.NDArray[np.bool_], newest: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
        """An output is valid where all input since the output before it is."""
        n_bad = np.cumsum(~valid) + self._n_bad  # since the last output of the chunk before
        at_output = n_bad[newest]
        self._n_bad = int(n_bad[-1] - at_output[-1]) if len(newest) else int(n_bad[-1])
        flags: npt.NDArray[np.bool_] = (np.diff(at_output, prepend=0) == 0) & valid[newest]
        return flags


class Constant:
    """Stage: (x - center) / scale by constants learned in training, clipped."""

    def __init__(self, config: ConstantScaling) -> None:
        self._center = np.array(config.center_uv, np.float32)
        self._scale = np.array(config.scale_uv, np.float32)
        self._clip = config.clip

    def reset(self) -> None:
        """Nothing is kept."""

    def process(self, chunk: Chunk) -> Chunk:
        data = (chunk.data - self._center) / self._scale
        return Chunk(np.clip(data, -self._clip, self._clip, out=data), chunk.times, chunk.valid)


class Running:
    """Stage: x / running robust amplitude of the montage (see RunningScaling), clipped."""

    def __init__(self, config: RunningScaling, sfreq: float) -> None:
        if config.start_uv is None:
            raise ValueError("a running scaling needs start_uv, which training learns")
        self._config = config
        self._block = max(1, round(config.block_s * sfreq))
        self._weight = 1 - np.exp(-config.block_s / config.time_constant_s)
        self._start_blocks = config.start_weight_s / config.block_s
        self.reset()

    def reset(self) -> None:
        assert self._config.start_uv is not None
        self._log_uv = float(np.log(self._config.start_uv))
        self._n_blocks = 0
        self._held: list[Chunk] = []  # the block that is not whole yet
        self._n_held = 0

    @property
    def scale_uv(self) -> float:
        return float(np.exp(self._log_uv))

    def process(self, chunk: Chunk) -> Chunk:
        out = np.empty_like(chunk.data)
        done = 0
        while done < len(chunk):
            part = slice(done, min(len(chunk), done + self._block - self._n_held))
            np.multiply(chunk.data[part], np.float32(1 / self.scale_uv), out=out[part])
            self._hold(chunk, part)
            done = part.stop
        clip = np.float32(self._config.clip)
        return Chunk(np.clip(out, -clip, clip, out=out), chunk.times, chunk.valid)

    def _hold(self, chunk: Chunk, part: slice) -> None:
        self._held.append(Chunk(chunk.data[part].copy(), chunk.times[part], chunk.valid[part]))
        self._n_held += part.stop - part.start
        if self._n_held == self._block:
            block = Chunk.join(self._held)
            self._held, self._n_held = [], 0
            if block.valid.mean() > 0.5:
                self._learn(amplitude(block.data[block.valid]))

    def _learn(self, uv: float) -> None:
        weight = max(self._weight, 1 / (self._n_blocks + 1 + self._start_blocks))
        self._log_uv += weight * (np.log(max(uv, self._config.floor_uv)) - self._log_uv)
        self._n_blocks += 1


def amplitude(data: npt.NDArray[np.float32]) -> float:
    """Robust amplitude of a montage: the median over channels of 1.4826 · median |x|. data: (n_samples, n_channels)."""
    return float(np.median(MAD_TO_SD * np.median(np.abs(data), axis=0)))


def group_delay_s(
    sos: npt.NDArray[np.float64], sfreq: float, freqs_hz: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Group delay in seconds at each frequency: -dφ/dω of the cascade, by a central difference."""
    if not len(sos):
        return np.zeros(len(freqs_hz))
    step = 1e-3
    around = np.concatenate([freqs_hz - step, freqs_hz + step])
    _, response = signal.sosfreqz(sos, worN=around, fs=sfreq)
    below, above = np.split(response, 2)
    delay: npt.NDArray[np.float64] = -np.angle(above / below) / (2 * np.pi * 2 * step)
    return delay
