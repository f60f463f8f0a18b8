"""The montage: channels of any amplifier in, the pipeline's channels in µV out."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from rtbci.config import Names, Strict
from rtbci.errors import StreamMismatch
from rtbci.stages.channel_mean import channel_mean
from rtbci.stages.wiring import ZERO, by_reference, match
from rtbci.types import Chunk, Flags, StreamInfo

DOUBLE_BANANA = (
    *("Fp1-F7", "F7-T7", "T7-P7", "P7-O1", "Fp1-F3", "F3-C3", "C3-P3", "P3-O1"),
    *("Fp2-F4", "F4-C4", "C4-P4", "P4-O2", "Fp2-F8", "F8-T8", "T8-P8", "P8-O2"),
    *("Fz-Cz", "Cz-Pz"),
)


class Montage:
    """Stage: the wanted channels of a stream in µV, in order.

    Where a sample is not finite or beyond ±10 V, the channel's last good value is held, and the sample is invalid.

    Parameters
    ----------
    config
        Channels, and whether they are re-referenced to their common average.
    info
        The stream.
    channels
        Part of the montage that suffices; ignored with a common average, which needs all.

    Attributes
    ----------
    channels
        Names of the outputs.
    uses
        bool (n_outputs, n_stream): the stream's channels that each output is derived from, apart from the average.
    choices
        What was chosen where the stream allows more than one derivation, one line each.

    Raises
    ------
    StreamMismatch
        If the stream lacks a channel, a common average would mix references, or a chunk has another number of channels.
    """

    ABSURD_UV = 1e7  # 10 V: not from an electrode, and a filter would ring for minutes

    def __init__(self, config: MontageConfig, info: StreamInfo, channels: tuple[str, ...] | None = None) -> None:
        wanted = config.channels if channels is None or config.reference == "average" else channels
        wiring = match(wanted, info)
        self.channels = wanted
        self._n_stream = len(info.channels)
        self._name = info.name
        self._average = config.reference == "average"
        if self._average and len(set(wiring.references.values())) > 1:
            raise StreamMismatch(
                f"stream {info.name!r}: a common average needs channels with one reference, these have several: "
                f"{by_reference(wiring.references)}; export them against the same one, or name them with --channels"
            )
        self.choices = wiring.choices
        is_zero = np.array(wiring.plus) == ZERO
        self._zeros = np.flatnonzero(is_zero)
        self._plus = np.where(is_zero, 0, np.array(wiring.plus))
        self._pairs = np.flatnonzero(np.array(wiring.minus) != ZERO)
        self.uses = np.zeros(
            (len(wanted), self._n_stream), np.bool_
        )  # (n_outputs, n_stream); an average counts for none
        self.uses[np.arange(len(wanted)), self._plus] = ~is_zero
        self.uses[self._pairs, np.array(wiring.minus)[self._pairs]] = True
        self._minus = np.array(wiring.minus)[self._pairs]
        self._gain_plus = np.array(wiring.gain_plus, np.float32)
        self._gain_minus = np.array(wiring.gain_minus, np.float32)[self._pairs]
        self._as_it_is = len(wanted) == self._n_stream and bool(np.array_equal(self._plus, np.arange(len(wanted))))
        self._scaled = bool(np.any(self._gain_plus != 1))
        self.reset()

    @property
    def used(self) -> Flags:
        """Which of the stream's channels any output is derived from: (n_stream,)."""
        used: Flags = np.logical_or.reduce(self.uses, axis=0)
        return used

    def reset(self) -> None:
        self._held: np.ndarray | None = None

    def process(self, chunk: Chunk) -> Chunk:
        data = chunk.data
        if data.shape[1] != self._n_stream:
            raise StreamMismatch(f"{self._name!r}: a chunk has {data.shape[1]} channels, not {self._n_stream}")
        if not len(chunk):
            return Chunk.empty(len(self.channels))
        data, valid = self._mend(self._derive(data), chunk.valid)
        if self._average:
            data = data - channel_mean(data)
        return Chunk(data, chunk.times, valid)

    def _derive(self, data: np.ndarray) -> np.ndarray:
        derived = data if self._as_it_is else data[:, self._plus]
        if self._scaled:
            derived = derived * self._gain_plus
        if len(self._pairs) or len(self._zeros):
            derived = derived.copy() if derived is data else derived
            derived[:, self._zeros] = 0
            with np.errstate(invalid="ignore", over="ignore"):
                derived[:, self._pairs] -= data[:, self._minus] * self._gain_minus
        return derived

    def _mend(self, data: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hold a channel's last good value over samples that are not finite or out of range."""
        # NaN compares false, so one comparison catches NaN, infinity and values out of range.
        bounded = np.abs(data) < self.ABSURD_UV
        if self._held is None:
            self._held = np.zeros(data.shape[1], np.float32)
        if not bounded.all():
            rows = np.where(bounded, np.arange(1, len(data) + 1)[:, None], 0)
            np.maximum.accumulate(rows, axis=0, out=rows)
            data = np.take_along_axis(np.vstack([self._held, data]), rows, axis=0)
            valid = valid & bounded.all(axis=1)
        self._held = data[-1].copy()
        return data, valid


class ChannelPicker:
    """Stage: selects channels by index, in that order.

    Parameters
    ----------
    indices
        Of the input channels.
    """

    def __init__(self, indices: tuple[int, ...]) -> None:
        self._indices = np.array(indices, int)

    def reset(self) -> None:
        """Stateless."""

    def process(self, chunk: Chunk) -> Chunk:
        return Chunk(chunk.data[:, self._indices], chunk.times, chunk.valid)


class MontageConfig(Strict):
    """Channels by canonical name, an electrode ("Fz") or a bipolar pair ("Fp1-F7"), and their reference.

    Attributes
    ----------
    channels
        In the order of the network's inputs: electrodes ("Fz") or bipolar pairs ("Fp1-F7"), in 10-20 names.
    reference
        "as_recorded", or "average": the mean of the channels of this montage is subtracted.
    """

    channels: Annotated[Names, Field(min_length=1)]
    reference: Literal["as_recorded", "average"] = "as_recorded"
