"""From a live session's seconds, which count samples, to those of its stamps; for the event table, and `tag` alike."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from rtbci.recordings.replay_clock import ReplayClock
from rtbci.types import ClockMoved, Gap, Scores, SessionInfo, SpanBegan, Times

AGREES_S = 0.1  # the jitter of stamps, and of two estimates of one clock; what is more is drift
_STEP_S = 5e-4  # what is less is not followed
_STANDS = 0.1  # of the time that passes
_MOST_STEPS = 500_000


class StreamClock:
    """Follows how far the stamps of a session have left its counted seconds.

    As long as both agree to 0.1 s, a counted second is what it is: so a stream and its recording, whose stamps differ by
    what two estimates of one clock differ, give the same events to the bit. From the first score on that is further off,
    seconds are those of the stamps. A clock that is set, and a replay that moves, change nothing.
    """

    def __init__(self) -> None:
        self.apart_s = 0.0  # the largest difference
        self._since: list[float] = []  # counted seconds, and the difference from each on
        self._off: list[float] = []
        self._clock, self._zero = ReplayClock(), 0.0
        self._base: float | None = None  # s from the clock of the stamps to counted seconds; None: at the next score
        self._newest, self._newest_off = (-np.inf, -np.inf), 0.0

    def begin(self, session: SessionInfo) -> None:
        """A stream begins, or continues elsewhere."""
        if session.begins_s is not None:
            self._newest_off = 0.0
        self._base = None

    def on(self, message: object) -> None:
        """Take a message of the session."""
        match message:
            case SpanBegan(stamp=stamp, speed=speed):
                self._clock, self._zero, self._base = ReplayClock(speed), stamp, None
            case ClockMoved(stamp=stamp, until=until, speed=speed):
                self._clock = self._clock.with_move((until, stamp, speed))
            case Gap(n_missing=0, n_extra=0):
                self._base = None
            case Scores(chunk=chunk, at_s=at_s) if len(at_s):
                self._follow(at_s, self._clock.seconds(chunk.times, self._zero))

    def at(self, second: float) -> float:
        """The second of the stamps at a counted one."""
        place = bisect_right(self._since, second) - 1
        return second + self._off[place] if place >= 0 else second

    def _follow(self, at_s: Times, stamped_s: Times) -> None:
        for second, stamped in zip(at_s.tolist(), stamped_s.tolist(), strict=True):
            if self._base is None or stamped - self._newest[1] < _STANDS * (second - self._newest[0]):
                # Behind a clock that went back, stamps stand still until they are where they were.
                self._base = second + self._newest_off - stamped
            self._newest, self._newest_off = (second, stamped), stamped + self._base - second
            self.apart_s = max(self.apart_s, abs(self._newest_off))
            if self.apart_s > AGREES_S and (not self._off or abs(self._newest_off - self._off[-1]) > _STEP_S):
                self._since.append(second)
                self._off.append(self._newest_off)
        if len(self._since) > _MOST_STEPS:
            del self._since[: _MOST_STEPS // 2], self._off[: _MOST_STEPS // 2]


def on_stamps(clock: StreamClock, at_s: Times) -> Times:
    """`StreamClock.at` of many seconds."""
    return np.array([clock.at(second) for second in at_s.tolist()], np.float64)
