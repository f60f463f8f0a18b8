"""The clocks of a stream: its stamps, the display's seconds, the recording's and the wall's."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from pylsl import local_clock

from rtbci.recordings.replay_clock import ReplayClock, ReplayMove
from rtbci.types import Times


@dataclass(slots=True)
class DisplayClock:
    """A stream's stamps, the display's seconds, the recording's and the wall's."""

    origin: float
    speed: float
    recording_at_origin: float = 0.0
    wall_minus_local: float = field(default_factory=lambda: time.time() - local_clock())
    moves: tuple[ReplayMove, ...] = ()  # of a replay

    def x(self, stamp: float) -> float:
        return float(self.xs(np.array([stamp], np.float64))[0])

    def xs(self, stamps: Times) -> Times:
        return ReplayClock(self.speed, self.moves).seconds(stamps, self.origin)

    def stamp(self, x: float) -> float:
        return self.wall(x) - self.wall_minus_local

    def walls(self, xs: Times) -> Times:
        return ReplayClock(self.speed, self.moves).stamps(xs, self.origin) + self.wall_minus_local

    def move(self, until: float, since: float, speed: float) -> None:
        """A replay stood still between two stamps, and goes on at a speed."""
        if (until + since) / 2 <= self.origin:
            self.speed = speed
        else:
            self.moves += ((until, since, speed),)

    def recording_s(self, x: float) -> float:
        return x + self.recording_at_origin

    def x_of_recording(self, seconds: float) -> float:
        return seconds - self.recording_at_origin

    def wall(self, x: float) -> float:
        return float(self.walls(np.array([x], np.float64))[0])
