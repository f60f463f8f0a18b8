"""Bad channels: found before the montage, masked after the scaling, as channel dropout masked them in training."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
from pydantic import NonNegativeInt

from rtbci.config import Strict
from rtbci.recordings.units import microvolts
from rtbci.stages.channel_mean import channel_mean
from rtbci.stages.channel_quality import WORDS, ChannelQuality
from rtbci.stages.montage import Montage
from rtbci.types import Chunk, Flags, StreamInfo

MASKED = tuple(word for word in WORDS if word not in ("", "mains"))  # what is left of mains is the filters' business


class BadChannelReplacer:
    """Stage: replaces bad channels of the stream by the mean of the good ones that the pipeline uses.

    So a common average is that of the good channels, and no signal of an open or saturated input enters a filter.
    Quality is assessed on whole blocks (see ChannelQuality), so that the output does not depend on the chunks.

    Parameters
    ----------
    info
        The stream.
    montage
        Names the channels that the pipeline uses.

    Attributes
    ----------
    quality
        ChannelQuality of the stream.
    uses
        bool (n_outputs, n_stream): the stream's channels that each output of the montage is derived from.
    changes
        Where the bad channels change: sample of the stream, and bool (n_stream,) from there on.
    """

    def __init__(self, info: StreamInfo, montage: Montage) -> None:
        self.quality = ChannelQuality(info)
        self.channels = montage.channels
        self.uses = montage.uses  # (n_outputs, n_stream): which of the stream's channels each output rests on
        self._used = montage.used
        self._gains = np.array([microvolts(unit) or 1.0 for unit in info.units], np.float32)
        self.reset()

    def reset(self) -> None:
        self.quality.reset()
        self._bad: Flags = np.zeros(len(self._used), np.bool_)
        self._n = 0
        self.changes: deque[tuple[int, Flags]] = deque()  # from this sample of the stream on, these channels are bad

    @property
    def bad(self) -> dict[str, str]:
        """The fault of each bad channel of the stream."""
        return self.quality.bad()

    def process(self, chunk: Chunk) -> Chunk:
        changes = [(at, np.isin(words, _MASKED) & self._used) for at, words in self.quality.process(chunk)]
        start, self._n = self._n, self._n + len(chunk)
        if not changes and not self._bad.any():
            return chunk
        data, at = chunk.data.copy(), 0
        for end, bad in [*changes, (len(chunk), None)]:
            self._replace(data[at:end])
            if bad is not None:
                self.changes.append((start + end, bad))
                self._bad = bad
            at = end
        return Chunk(data, chunk.times, chunk.valid)

    def _replace(self, data: npt.NDArray[np.float32]) -> None:
        if not self._bad.any() or not len(data):
            return
        good = np.flatnonzero(self._used & ~self._bad)
        bad = np.flatnonzero(self._bad)
        with np.errstate(over="ignore", invalid="ignore"):  # the montage holds what is no voltage
            mean = channel_mean(data[:, good] * self._gains[good]) if len(good) else np.float32(0)
            data[:, bad] = mean / self._gains[bad]


class BadChannelMask:
    """Stage: sets inputs of the network to zero where they are derived from a bad channel.

    Parameters
    ----------
    replacer
        Finds the bad channels.
    inputs
        Channels of the network's input, a part of the montage's.
    up, down
        Factors of the resampling between the replacer and this stage.
    most
        Largest number of masked inputs; where there are more, samples are invalid.
    """

    def __init__(self, replacer: BadChannelReplacer, inputs: tuple[str, ...], up: int, down: int, most: int) -> None:
        self.inputs = inputs
        self.most = most
        self._replacer = replacer
        self._uses = replacer.uses[[replacer.channels.index(name) for name in inputs]]
        self._up, self._down = up, down
        self.reset()

    def reset(self) -> None:
        self._masked: Flags = np.zeros(len(self.inputs), np.bool_)
        self._n = 0

    @property
    def masked(self) -> tuple[str, ...]:
        """Inputs that are masked now."""
        return tuple(name for name, out in zip(self.inputs, self._masked, strict=True) if out)

    def process(self, chunk: Chunk) -> Chunk:
        start, self._n = self._n, self._n + len(chunk)
        changes = self._replacer.changes
        if not self._masked.any() and not changes:
            return chunk
        data, valid, at = chunk.data.copy(), chunk.valid.copy(), 0
        while True:
            # The first output whose newest input comes with the change or after it; that may be the next chunk's first.
            change = -(-changes[0][0] * self._up // self._down) - start if changes else len(chunk) + 1
            end = min(change, len(chunk))
            data[at:end, self._masked] = 0
            if np.count_nonzero(self._masked) > self.most:
                valid[at:end] = False
            if change > len(chunk):
                break
            self._masked = np.logical_or.reduce(self._uses & changes.popleft()[1], axis=1)
            at = end
        return Chunk(data, chunk.times, valid)


_MASKED = np.array([WORDS.index(word) for word in MASKED])


class MaskConfig(Strict):
    """Masking of bad channels (flat, saturated, noise), as channel dropout masked them in training.

    Training sets this; `most` is the largest number of channels that its dropout removed at once, in all but 1 % of
    draws. Where more are masked, the answer is marked invalid.

    Attributes
    ----------
    most
        Largest number of channels that may be masked; training sets it.
    """

    most: NonNegativeInt
