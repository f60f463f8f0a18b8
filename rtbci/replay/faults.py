"""Faults of streams, on request; seeded, so that the same faults occur at the same samples every time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from rtbci.config import Probability, Strict, parse
from rtbci.errors import ConfigError
from rtbci.types import Flags, Times

_SATURATED_UV = 5000.0  # beyond the range of any clinical amplifier's EEG input
_ABSENT = -1

FaultInterval = tuple[NonNegativeFloat, PositiveFloat]  # (start, duration), seconds of stream time
Values = npt.NDArray[Any]  # (n_samples, n_channels), of the stream's own format


@dataclass(frozen=True, slots=True)
class Packet:
    """Samples that an amplifier would send at once. Times are seconds from the start of the stream.

    times: when the samples were recorded; stamps: their time stamps; due: when they are sent; markers: (stamp, label).
    """

    data: Values
    times: Times
    stamps: Times
    due: float
    markers: tuple[tuple[float, str], ...] = ()

    def only(self, keep: Flags) -> Packet:
        """The samples that are flagged; all markers."""
        return replace(self, data=self.data[keep], times=self.times[keep], stamps=self.stamps[keep])


class BadChannel(Strict):
    """One channel that is flat, saturated, NaN, or swapped with the next one, for an interval of stream time.

    channel: its index, or its name (or its number, from 1, as text).
    """

    channel: Annotated[int, Field(ge=0)] | str
    kind: Literal["flat", "saturated", "nan", "swapped"]
    at: FaultInterval


class Faults(Strict):
    """The faults of a replay, in seconds of stream time; the default is none.

    jitter_ms: standard deviation of noise on each packet's stamps. drift_ppm: the sender's clock runs slow by so
    much, so that samples arrive late (1000 ppm: a rate off by 0.1 %). drop, duplicate, late: the probability of a
    packet to be lost, sent twice, sent after the next one. gaps: nothing is sent in an interval, the stamps continue.
    reconnect_at_s: the stream disappears and returns after RECONNECT_S, with the same source id.
    clock_resets: (at, shift): from then on all stamps are shifted. chunk_range: fewest and most samples of a packet.
    """

    jitter_ms: NonNegativeFloat = 0.0
    drift_ppm: Annotated[float, Field(gt=-1e5, lt=1e5)] = 0.0
    drop: Probability = 0.0
    duplicate: Probability = 0.0
    late: Probability = 0.0
    gaps: tuple[FaultInterval, ...] = ()
    reconnect_at_s: tuple[NonNegativeFloat, ...] = ()
    clock_resets: tuple[tuple[NonNegativeFloat, float], ...] = ()
    chunk_range: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    bad_channels: tuple[BadChannel, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Faults:
        if self.chunk_range and self.chunk_range[0] > self.chunk_range[1]:
            raise ValueError(f"chunk_range goes from the smaller to the larger, not {self.chunk_range}")
        return self

    def of(self, channels: tuple[str, ...]) -> Faults:
        """The faults of a stream with these channels: its bad channels only, by index."""
        found = [bad.model_copy(update={"channel": _index(bad.channel, channels)}) for bad in self.bad_channels]
        return self.model_copy(update={"bad_channels": tuple(bad for bad in found if bad.channel != _ABSENT)})

    def of_the_clock(self) -> Faults:
        """The faults of a marker stream, which loses nothing."""
        return Faults(drift_ppm=self.drift_ppm, clock_resets=self.clock_resets)

    def sizes(self, chunk: int, seed: int) -> Iterator[int]:
        """Number of samples of each packet; endless."""
        if self.chunk_range is None:
            yield from itertools.repeat(chunk)
            return
        rng = np.random.default_rng((seed, 0))
        while True:
            yield int(rng.integers(self.chunk_range[0], self.chunk_range[1] + 1))

    def distort(self, packets: Iterable[Packet], seed: int) -> Iterator[Packet]:
        """Apply the faults that change stamps and values."""
        rng = np.random.default_rng((seed, 1))
        for packet in packets:
            stamps = packet.times * (1 + self.drift_ppm * 1e-6)
            due = float(stamps[-1])
            for at, shift in self.clock_resets:
                stamps = stamps + np.where(packet.times >= at, shift, 0.0)
            if self.jitter_ms:
                stamps = stamps + rng.normal(0, self.jitter_ms / 1e3)
            yield replace(packet, data=self._with_bad_channels(packet), stamps=stamps, due=due)

    def lose(self, packets: Iterable[Packet], seed: int, reconnect_s: float) -> Iterator[Packet]:
        """Apply the faults that lose, duplicate or delay samples; markers always pass."""
        spans = (*self.gaps, *((at, reconnect_s) for at in self.reconnect_at_s))
        if not (spans or self.drop or self.duplicate or self.late):
            yield from packets
            return
        rng = np.random.default_rng((seed, 2))
        delayed: Packet | None = None
        for packet in packets:
            dropped, twice, late = rng.random(3) < (self.drop, self.duplicate, self.late)
            packet = packet.only(~_within(packet.times, spans) & ~dropped)
            if late and delayed is None:
                delayed = replace(packet, markers=())
                yield packet.only(np.zeros(len(packet.times), np.bool_))
                continue
            yield packet
            if twice:
                yield replace(packet, markers=())
            if delayed is not None:
                yield replace(delayed, due=packet.due)
                delayed = None
        if delayed is not None:
            yield delayed

    def _with_bad_channels(self, packet: Packet) -> Values:
        if not self.bad_channels:
            return packet.data
        data = packet.data.copy()
        for bad in self.bad_channels:
            inside, c = _within(packet.times, (bad.at,)), bad.channel
            assert isinstance(c, int), "faults are those of a stream: Faults.of"
            if bad.kind == "swapped":
                pair = np.array([c, (c + 1) % data.shape[1]])
                data[np.ix_(inside, pair)] = data[np.ix_(inside, pair[::-1])]
            else:
                data[inside, c] = {"flat": 0, "saturated": _saturated_value(data.dtype), "nan": np.nan}[bad.kind]
        return data


def _within(times: Times, spans: Iterable[FaultInterval]) -> Flags:
    inside = np.zeros(len(times), np.bool_)
    for at, length in spans:
        inside |= (times >= at) & (times < at + length)
    return inside


def _index(channel: int | str, channels: tuple[str, ...]) -> int:
    """_ABSENT where there is no such channel."""
    if isinstance(channel, str):
        if channel in channels:
            return channels.index(channel)
        channel = int(channel) - 1 if channel.isdecimal() and channel.isascii() else _ABSENT
    return channel if 0 <= channel < len(channels) else _ABSENT


def _saturated_value(dtype: np.dtype[Any]) -> float:
    """The value of a saturated amplifier."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else _SATURATED_UV


KINDS = get_args(BadChannel.model_fields["kind"].annotation)


def faults_from_options(
    *, gap: Sequence[str], clock_reset: Sequence[str], bad: Sequence[str], chunk_range: str | None, **plain: Any
) -> Faults:
    """Faults from the options of `rtbci replay`.

    Parameters
    ----------
    gap, clock_reset, bad, chunk_range
        As on the command line.
    plain
        Other fields of Faults, as they are.

    Raises
    ------
    ConfigError
        In one line that names the option.
    """
    texts = {
        "gaps": [_numbers("--gap", "AT:LEN in seconds, as 10:2.5", text, 2, positive=(1,)) for text in gap],
        "clock_resets": [
            _numbers("--clock-reset", "AT:SHIFT in seconds, as 60:-2.5", text, 2, signed=(1,)) for text in clock_reset
        ],
        "bad_channels": [_bad(text) for text in bad],
        "chunk_range": _range(chunk_range) if chunk_range is not None else None,
    }
    return parse(Faults, {**plain, **texts}, "faults")


def _numbers(
    option: str, form: str, text: str, n: int, positive: tuple[int, ...] = (), signed: tuple[int, ...] = ()
) -> list[float]:
    """`n` numbers, separated by colons; not negative, except those at `signed`, and not 0 at `positive`."""
    try:
        values = [float(part) for part in text.split(":")]
    except ValueError:
        values = []
    wrong = [v for k, v in enumerate(values) if not math.isfinite(v) or (k not in signed and v < 0)]
    if len(values) != n or wrong or any(values[k] == 0 for k in positive):
        raise ConfigError(f"{option} wants {form}, got {text!r}")
    return values


def _range(text: str) -> list[int]:
    parts = text.split(":")
    if (
        len(parts) != 2
        or not all(p.isdecimal() and p.isascii() for p in parts)
        or not 1 <= int(parts[0]) <= int(parts[1])
    ):
        raise ConfigError(f"--chunk-range wants FEWEST:MOST samples, as 8:64, got {text!r}")
    return [int(part) for part in parts]


def _bad(text: str) -> dict[str, Any]:
    form = f"CHANNEL:KIND:AT:LEN with KIND {', '.join(KINDS)}, as Fp1-F7:flat:10:5"
    channel, *rest = text.rsplit(":", 3)  # a channel's name may have colons
    if len(rest) != 3 or not channel or rest[0] not in KINDS:
        raise ConfigError(f"--bad wants {form}, got {text!r}")
    at = _numbers("--bad", form, f"{rest[1]}:{rest[2]}", 2, positive=(1,))
    return {"channel": channel, "kind": rest[0], "at": at}
