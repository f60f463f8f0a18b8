"""The clock of a replay: which second of the recording is due when; and requests to move it."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from typing import overload

import pylsl

from rtbci.errors import ConfigError
from rtbci.lsl.replay_protocol import GRAMMAR, LIMIT_S, SPEEDS, ReplayPosition
from rtbci.types import Times

LEAD_S = 0.1  # from a move to the first sample after it, so that consumers are informed before


@dataclass(frozen=True, slots=True)
class TransportRequest:
    """How a replay is to continue. to_s: seconds of the recording; None: no seek."""

    speed: float
    paused: bool
    to_s: float | None = None


class Transport:
    """Converts seconds of the replay (from 0; in a loop they keep growing) to the local clock and back.

    Any thread may request a move. Requests are merged into one, which the sender carries out between two packets (`halt`,
    then `move`).

    Parameters
    ----------
    speed
        Recorded seconds per second; 0: as fast as the consumer reads, and stamps follow the recorded time.
    start_s
        Second of the recording at which the replay starts.
    length_s
        Length of the replay, s.
    loop
        Start again at the end.
    stop
        Set by the command `quit`.
    """

    def __init__(self, speed: float, start_s: float, length_s: float, *, loop: bool, stop: threading.Event) -> None:
        self.start_s, self.length_s, self.loop = start_s, length_s, loop
        self.stop = stop
        self.speed, self.paused = speed, False
        self.sent_s = 0.0  # second of the replay that was sent last
        self._lock = threading.Lock()
        self._request: TransportRequest | None = None
        self._id = 0
        self._at_s, self._at_local = 0.0, 0.0  # this second of the replay is due at this local time
        self._until = 0.0  # the stamps' clock when the replay was halted
        self._begun = False

    # -- requests, from any thread ---------------------------------------------------------------------------------------

    def obey(self, line: str, *, may_quit: bool = True) -> None:
        """Take a command of GRAMMAR. Raises ConfigError for any other."""
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
        """Request a seek to a second of the recording, limited to what is played."""
        with self._lock:
            self._request = replace(self._pending(), to_s=self._within(to_s))

    def skip(self, by_s: float) -> None:
        """Request a seek relative to the present position."""
        with self._lock:
            request = self._pending()
            here = self.recorded(self.position()) if request.to_s is None else request.to_s
            self._request = replace(request, to_s=self._within(here + by_s))

    def set_speed(self, speed: float) -> None:
        """Request a speed; 0: unpaced."""
        with self._lock:
            self._request = replace(self._pending(), speed=speed)

    def times_speed(self, factor: float) -> None:
        """Request a speed higher or lower by a factor; an unpaced replay cannot be faster, and slows down to real time."""
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
        """The local time at which a second of the replay is due."""
        return self._at_local + (at_s - self._at_s) / (self.speed or 1.0)

    def position(self) -> float:
        """The second of the replay that is due now; of an unpaced replay, that of the newest sample sent."""
        if self.paused or not self._begun:
            return self._at_s
        if not self.speed:
            return max(self._at_s, self.sent_s)
        here = max(self._at_s, self._at_s + float(pylsl.local_clock() - self._at_local) * self.speed)
        return here if self.loop else min(here, self.length_s)

    def recorded(self, at_s: float) -> float:
        """The second of the recording at a second of the replay."""
        return float(self.start_s + (at_s % self.length_s if self.loop and self.length_s else at_s))

    def announcement(self) -> ReplayPosition:
        """A report of the present position."""
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
        """Whether a move was requested."""
        return self._request is not None

    def halt(self) -> float:
        """Stop the clock until `move`; returns the second of the replay."""
        with self._lock:
            here = self.position()
            if not self.paused:
                self._until = self.stamp(here)
            return here

    def move(self, here_s: float) -> tuple[ReplayPosition, float | None]:
        """Carry out the request at `here_s`: (the report of the move, the second to continue from after a seek, else None)."""
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
