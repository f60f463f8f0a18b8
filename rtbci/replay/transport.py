"""The clock of a replay: which moment of the recording is due when, and what was asked of it meanwhile, by whomever."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from typing import overload

import pylsl

from rtbci.errors import ConfigError
from rtbci.lsl.replay_protocol import GRAMMAR, LIMIT_S, SPEEDS, ReplayPosition
from rtbci.types import Times

LEAD_S = 0.1  # from a move to the first sample after it: consumers hear of it before


@dataclass(frozen=True, slots=True)
class TransportRequest:
    """How a replay shall go on. to_s: seconds of the recording; None: from where it is."""

    speed: float
    paused: bool
    to_s: float | None = None


class Transport:
    """Seconds of the replay (from 0, on and on where it loops) to the local clock and back.

    Anybody may ask, from any thread: what was asked is joined to one wish, which the sender carries out between two
    packets (`take`, then `move`).
    """

    def __init__(self, speed: float, start_s: float, length_s: float, *, loop: bool, stop: threading.Event) -> None:
        """speed 0: as fast as the consumer takes it; the stamps then run with the recorded time."""
        self.start_s, self.length_s, self.loop = start_s, length_s, loop
        self.stop = stop
        self.speed, self.paused = speed, False
        self.sent_s = 0.0  # of what was sent last
        self._lock = threading.Lock()
        self._request: TransportRequest | None = None
        self._id = 0
        self._at_s, self._at_local = 0.0, 0.0  # this second of the replay is due at this local time
        self._until = 0.0  # where the stamps' clock was when the replay came to stand
        self._begun = False

    # -- for whoever asks ---------------------------------------------------------------------------------------

    def obey(self, line: str, *, may_quit: bool = True) -> None:
        """One line of GRAMMAR. Raises ConfigError for any other."""
        word, *rest = line.split() or [""]
        if word == "quit" and not rest and may_quit:
            return self.stop.set()
        if word in ("pause", "resume", "toggle") and not rest:
            with self._lock:
                request = self._pending()
                paused = not request.paused if word == "toggle" else word == "pause"
                self._request = replace(request, paused=paused)
            return None
        value = _number(rest[0]) if len(rest) == 1 else math.nan
        if word == "seek" and abs(value) < LIMIT_S:
            return self.skip(value) if rest[0][0] in "+-" else self.seek(value)
        if word == "speed" and (value == 0 or SPEEDS[0] <= value <= SPEEDS[1]):
            return self.set_speed(value)
        raise ConfigError(f"{line.strip()[:80]!r} is not understood; wanted {GRAMMAR}")

    def seek(self, to_s: float) -> None:
        """Seconds of the recording; beyond an end is at the end."""
        with self._lock:
            self._request = replace(self._pending(), to_s=self._within(to_s))

    def skip(self, by_s: float) -> None:
        with self._lock:
            request = self._pending()
            here = self.recorded(self.position()) if request.to_s is None else request.to_s
            self._request = replace(request, to_s=self._within(here + by_s))

    def set_speed(self, speed: float) -> None:
        with self._lock:
            self._request = replace(self._pending(), speed=speed)

    def times_speed(self, factor: float) -> None:
        """Faster or slower by a factor; one that is not paced cannot be faster, and slows down to real time."""
        with self._lock:
            request = self._pending()
            paced = min(max(request.speed * factor, SPEEDS[0]), SPEEDS[1])
            self._request = replace(request, speed=paced if request.speed else float(factor < 1))

    def _pending(self) -> TransportRequest:
        return self._request or TransportRequest(self.speed, self.paused)

    def _within(self, recorded_s: float) -> float:
        return min(max(recorded_s, self.start_s), self.start_s + self.length_s)

    # -- the clock ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The first sample is due now."""
        self._at_s, self._at_local, self._begun = 0.0, pylsl.local_clock(), True

    @overload
    def stamp(self, at_s: float) -> float: ...
    @overload
    def stamp(self, at_s: Times) -> Times: ...
    def stamp(self, at_s: float | Times) -> float | Times:
        """The local time that belongs to seconds of the replay."""
        return self._at_local + (at_s - self._at_s) / (self.speed or 1.0)

    def position(self) -> float:
        """The second of the replay that is due now; where it is not paced, that of the newest sample sent."""
        if self.paused or not self._begun:
            return self._at_s
        if not self.speed:
            return max(self._at_s, self.sent_s)
        here = max(self._at_s, self._at_s + float(pylsl.local_clock() - self._at_local) * self.speed)
        return here if self.loop else min(here, self.length_s)

    def recorded(self, at_s: float) -> float:
        """Seconds of the recording."""
        return float(self.start_s + (at_s % self.length_s if self.loop and self.length_s else at_s))

    def announcement(self) -> ReplayPosition:
        """Where it is now, to be told between moves."""
        with self._lock:
            now = pylsl.local_clock()
            here, stamp = (self._at_s, self._at_local) if now < self._at_local else (self.position(), now)
            return ReplayPosition(
                self._id, self.recorded(here), self.start_s, self.start_s + self.length_s, self.speed, self.paused,
                self.loop, stamp=stamp,
            )  # fmt: skip

    # -- for the sender -----------------------------------------------------------------------------------------

    @property
    def has_request(self) -> bool:
        return self._request is not None

    def halt(self) -> float:
        """The second of the replay at which it stands from now on, until `move`."""
        with self._lock:
            here = self.position()
            if not self.paused:
                self._until = self.stamp(here)
            return here

    def move(self, here_s: float) -> tuple[ReplayPosition, float | None]:
        """Carry out what was asked, at `here_s`: (what to announce, the second to go on from where that is elsewhere)."""
        with self._lock:
            request, self._request = self._pending(), None
            to_s = None if request.to_s is None else self._on_axis(request.to_s, here_s)
            now = pylsl.local_clock()
            if request.paused:
                since = now
            elif request.speed:
                since = now + LEAD_S
            else:
                since = max(now, self._until)
            self.speed, self.paused = request.speed, request.paused
            self._at_s = self.sent_s = here_s if to_s is None else to_s
            self._at_local = since
            self._id += 1
            announcement = ReplayPosition(
                self._id, self.recorded(self._at_s), self.start_s, self.start_s + self.length_s, self.speed,
                self.paused, self.loop, to_s is not None, since - self._until, since,
            )  # fmt: skip
            return announcement, to_s

    def _on_axis(self, recorded_s: float, here_s: float) -> float:
        """In the turn that it is in, where it loops."""
        turns = here_s // self.length_s if self.loop and self.length_s else 0.0
        return turns * self.length_s + recorded_s - self.start_s


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
