"""The clocks of a session: stamps, the session's one clock that every plot and table shows, the engine's seconds, the wall's.

The session's clock is x in seconds: of a replay the seconds of its recording, wherever it was sought to and whenever the
engine joined it; of any other stream the seconds since the engine's session began.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from pylsl import local_clock

from rtbci.recordings.replay_clock import ReplayClock, ReplayMove
from rtbci.types import Times

KEPT_RUNS = 200  # parts of a session whose clocks are kept
_NEAR_S = 0.5  # a stamp that is later than the last sample of a part by less is of that part


@dataclass(slots=True)
class DisplayClock:
    """Of one part of a session without a seek, from the stamp `origin` on.

    Parameters
    ----------
    origin
        The first stamp.
    speed
        Recorded seconds per second, before the first move.
    x_at_origin
        Of the session's clock.
    offset_s
        What is added to the engine's seconds to have those of the session's clock.
    wall_minus_local
        POSIX time less the local clock.
    moves
        Pauses and changes of speed of a replay, in order.
    is_replay
        x is the time of a replay, to which the wall's is of no interest.
    """

    origin: float
    speed: float
    x_at_origin: float = 0.0
    offset_s: float = 0.0
    wall_minus_local: float = field(default_factory=lambda: time.time() - local_clock())
    moves: tuple[ReplayMove, ...] = ()
    is_replay: bool = False

    def x(self, stamp: float) -> float:
        return float(self.xs(np.array([stamp], np.float64))[0])

    def xs(self, stamps: Times) -> Times:
        return self.x_at_origin + ReplayClock(self.speed, self.moves).seconds(stamps, self.origin)

    def stamp(self, x: float) -> float:
        seconds = np.array([x - self.x_at_origin], np.float64)
        return float(ReplayClock(self.speed, self.moves).stamps(seconds, self.origin)[0])

    def wall(self, x: float) -> float:
        return self.stamp(x) + self.wall_minus_local

    def move(self, until: float, since: float, speed: float) -> None:
        """A replay stood still between two stamps, and goes on at a speed."""
        if (until + since) / 2 <= self.origin:
            self.speed = speed
        else:
            self.moves += ((until, since, speed),)

    def moved(self, x: float, offset_s: float) -> DisplayClock:
        """From the moment x on, with another offset to the engine's seconds, which go on."""
        speed = self.moves[-1][2] if self.moves else self.speed
        at_x = self.engine_s(x) + offset_s
        return replace(self, origin=self.stamp(x), speed=speed, x_at_origin=at_x, offset_s=offset_s, moves=())

    def engine_s(self, x: float) -> float:
        """The second of the recording by which the engine, its log and its tables know the moment x."""
        return x - self.offset_s


@dataclass(slots=True)
class _Run:
    """A part of a session that is over. until: its last stamp."""

    clock: DisplayClock
    until: float
    until_x: float


class SessionClocks:
    """The clocks of a session's parts, oldest first.

    `now` is that of the present part, None before the first sample; `newest_x` is how far that has come.
    """

    def __init__(self) -> None:
        self.now: DisplayClock | None = None
        self.newest_x = 0.0
        self._past: deque[_Run] = deque(maxlen=KEPT_RUNS)

    def begin(self, clock: DisplayClock) -> None:
        """The present part is over; another begins."""
        if self.now is not None:
            self._past.append(_Run(replace(self.now), self.now.stamp(self.newest_x), self.newest_x))
        self.now, self.newest_x = clock, clock.x_at_origin

    def at(self, x: float) -> DisplayClock | None:
        """The clock of the newest part that has shown the moment x; that of the present one where none has."""
        if self.now is None or self.now.x_at_origin <= x <= self.newest_x:
            return self.now
        for run in reversed(self._past):
            if run.clock.x_at_origin <= x <= run.until_x:
                return run.clock
        return self.now

    def x(self, stamp: float) -> float | None:
        """The moment of a stamp; None where it is of no part that is known."""
        if self.now is not None and stamp >= self.now.origin:
            return self.now.x(stamp)
        for run in reversed(self._past):
            if run.clock.origin <= stamp <= run.until + _NEAR_S:
                return run.clock.x(stamp)
        return None
