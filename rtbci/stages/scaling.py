"""Scaling: from µV to the network's input range; after the filters, before the network."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from rtbci.config import DAY_S, MAX_CHANNELS, Clip, Microvolts, Seconds, Strict
from rtbci.types import Chunk

MAD_TO_SD = 1.4826  # of a normal distribution


class NoScaling(Strict):
    """µV, unscaled.

    Attributes
    ----------
    kind
        "none".
    """

    kind: Literal["none"] = "none"


class ConstantScaling(Strict):
    """Divide each channel by a constant learned in training (robust: median and 1.4826 · MAD); empty before that.

    Attributes
    ----------
    kind
        "constant".
    center_uv
        Subtracted from each channel; learned in training.
    scale_uv
        By which each channel is divided; learned in training.
    clip
        Largest absolute value after the division.
    """

    kind: Literal["constant"] = "constant"
    center_uv: Annotated[tuple[Annotated[float, Field(ge=-1e9, le=1e9)], ...], Field(max_length=MAX_CHANNELS)] = ()
    scale_uv: Annotated[tuple[Microvolts, ...], Field(max_length=MAX_CHANNELS)] = ()
    clip: Clip = 20.0


class RunningScaling(Strict):
    """Divide by a running robust amplitude of the whole montage, which makes patients of any amplitude comparable.

    Once in each block, the median over channels of 1.4826 · median |x| enters an exponential average of its logarithm
    with time constant `time_constant_s`; a block is scaled by the estimate before it. `start_uv` is learned in
    training and has the weight of `start_weight_s` of signal.

    Attributes
    ----------
    kind
        "running".
    time_constant_s
        Of the exponential average.
    block_s
        Length of a block: the estimate is renewed so often.
    start_uv
        Amplitude at the start of a stream; learned in training.
    start_weight_s
        Seconds of signal that the start counts as much as.
    floor_uv
        The least amplitude to divide by.
    clip
        Largest absolute value after the division.
    """

    kind: Literal["running"] = "running"
    time_constant_s: Annotated[float, Field(ge=1e-3, le=DAY_S)] = 60.0
    block_s: Annotated[float, Field(ge=1e-3, le=60)] = 1.0
    start_uv: Microvolts | None = None
    start_weight_s: Seconds = 2.0
    floor_uv: Microvolts = 0.5
    clip: Clip = 20.0


ScalingConfig = Annotated[NoScaling | ConstantScaling | RunningScaling, Field(discriminator="kind")]


class ConstantScaler:
    """Stage: (x - center) / scale by constants learned in training, clipped.

    Parameters
    ----------
    config
        Constants of each channel, in µV.
    """

    def __init__(self, config: ConstantScaling) -> None:
        self._center = np.array(config.center_uv, np.float32)
        self._scale = np.array(config.scale_uv, np.float32)
        self._clip = config.clip

    def reset(self) -> None:
        """Stateless."""

    def process(self, chunk: Chunk) -> Chunk:
        data = (chunk.data - self._center) / self._scale
        return Chunk(np.clip(data, -self._clip, self._clip, out=data), chunk.times, chunk.valid)


class RunningScaler:
    """Stage: x / running robust amplitude of the montage (see RunningScaling), clipped.

    Parameters
    ----------
    config
        With `start_uv` learned.
    sfreq
        Rate in Hz.

    Raises
    ------
    ValueError
        If `start_uv` is not set.
    """

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
        self._held: list[Chunk] = []  # of the incomplete block
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
    """Robust amplitude of (n_samples, n_channels): the median over channels of 1.4826 · median |x|."""
    return float(np.median(MAD_TO_SD * np.median(np.abs(data), axis=0)))
