"""The border of a live run: from what an inlet gives to samples on the local clock, at a rate that was looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from rtbci.errors import StreamMismatch
from rtbci.lsl.arrival_clock import ArrivalClock
from rtbci.lsl.first_look import FirstLook, Held
from rtbci.lsl.stamp_correction import StampCorrection
from rtbci.recordings.description import Description
from rtbci.recordings.overrides import StreamOverrides
from rtbci.types import Times


@dataclass(frozen=True, slots=True)
class RawSamples:
    """What arrived.

    Attributes
    ----------
    rows
        (n_samples, n_channels) in the stream's own format; overwritten by the next read.
    stamps
        On the local clock, s.
    at
        When the newest of them came, on the local clock.
    held
        Whether they had to wait for a first look at the stream.
    """

    rows: npt.NDArray[Any]
    stamps: Times
    at: float = 0.0
    held: bool = False

    def __len__(self) -> int:
        return len(self.stamps)


@dataclass(frozen=True, slots=True)
class StreamDoubt:
    """What is not as it should be with a stream that is read, and what was done about it, in words."""

    text: str


class StreamBorder:
    """Believes no rate and no stamp of a new stream before it has looked at its first samples.

    A stream that returns under the same name, from the same host, as it was, is known; a replay of ours is paced by its
    own word.

    Parameters
    ----------
    overrides
        What a person says of the stream; its rate and its clock are used here. None: streams are taken at their word, as
        for a recording, which keeps what comes.
    """

    def __init__(self, overrides: StreamOverrides | None) -> None:
        self.measured: dict[str, float] = {}  # what a stream did not say, by the keys of StreamOverrides.told
        self._overrides = overrides or StreamOverrides()
        self._believes_all = overrides is None
        self._look: FirstLook | None = None
        self._correction = StampCorrection(0.0)
        self._known: tuple[object, ...] = ()
        self._sfreq = 0.0
        self._is_anew = False
        self._has_told_unusable = False

    def knows_rate(self, says: Description) -> bool:
        """Whether the rate of a stream need not be measured before it can be accepted."""
        return self._believes_all or says.sfreq > 0

    @property
    def is_looking(self) -> bool:
        """Whether samples are held."""
        return self._look is not None

    @property
    def has_stamps(self) -> bool:
        """Whether stamps are those of the stream, not made from arrivals."""
        return self._correction.clock is None

    def open(self, says: Description, hostname: str, speed: float, *, is_replay: bool) -> Description:
        """A connection is being opened. Returns the description with the rate that is believed; 0 is still unknown."""
        if self._believes_all:
            self._sfreq = says.sfreq
            return says
        stream = says.name, hostname, says.sfreq, says.n_channels, speed
        self._look, self._is_anew = None, stream == self._known
        if not self._is_anew:
            self.measured, self._sfreq = {}, self._overrides.sfreq or says.sfreq
            self._known, self._has_told_unusable = (), False
            if is_replay:
                self._known = stream
                self._correction = self._of_replay(speed)
            else:
                self._look = FirstLook(says.name, says.sfreq, self._overrides)
        self._opened = stream
        return replace(says, sfreq=self._sfreq)

    def connected_anew(self) -> None:
        """The same stream is read over another connection."""
        self._is_anew = self._look is None

    def restart(self, speed: float) -> None:
        """A replay goes on, at this speed."""
        self._correction.restart(self._sfreq * (speed or 1.0), is_paced=speed > 0)

    def take(self, values: Any, stamps: Times, at: float) -> list[RawSamples | StreamDoubt]:
        """Samples of an inlet, and what is to be said of them; [] while they are held.

        Raises
        ------
        StreamMismatch
            If the rate is wrong.
        """
        if self._believes_all:
            return [RawSamples(values, stamps, at)]
        if self._look is not None:
            self._look.add(values, stamps, at)
            return self.due(at)
        told = self._correction.connected_anew(stamps, at) if self._is_anew else ""
        self._is_anew = False
        items: list[RawSamples | StreamDoubt] = [StreamDoubt(told)] if told else []
        items.append(self._arrived(Held(values, stamps, at), held=False))
        if self._correction.n_unusable and not self._has_told_unusable:
            self._has_told_unusable = True
            items.append(StreamDoubt("some of its time stamps are no numbers; these samples are counted on"))
        return items

    def due(self, now: float) -> list[RawSamples | StreamDoubt]:
        """What was held, once it is known what it is worth. Raises StreamMismatch if the rate is wrong."""
        if self._look is None or not self._look.is_over(now):
            return []
        return self._settle(self._look)

    def give_up(self) -> list[RawSamples | StreamDoubt]:
        """What is held when the stream ends: none of it is lost, unless its rate is wrong."""
        if self._look is None or not self._look.held:
            return []
        try:
            return self._settle(self._look)
        except StreamMismatch as error:
            return [StreamDoubt(str(error))]

    def believed(self, says: Description) -> Description:
        """A description with the rate that is believed now."""
        return replace(says, sfreq=self._sfreq)

    def _settle(self, look: FirstLook) -> list[RawSamples | StreamDoubt]:
        self._look = None
        settled = look.settle()
        self._known, self._sfreq, self._correction = self._opened, settled.sfreq, settled.correction
        self.measured = {"sfreq": settled.sfreq} if settled.is_measured else {}
        doubts: list[RawSamples | StreamDoubt] = [StreamDoubt(text) for text in settled.warnings]
        return doubts + [self._arrived(held, held=True) for held in look.held]

    def _arrived(self, samples: Held, *, held: bool) -> RawSamples:
        stamps = self._correction.apply(samples.stamps, samples.at)
        return RawSamples(samples.values, stamps, at=samples.at, held=held)

    def _of_replay(self, speed: float) -> StampCorrection:
        rate_hz = self._sfreq * (speed or 1.0)
        clock = ArrivalClock(rate_hz) if self._overrides.clock == "arrival" else None
        return StampCorrection(rate_hz, clock=clock, is_paced=speed > 0)
