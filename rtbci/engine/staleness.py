"""Staleness: how old the newest processed sample is, and whether that is too old."""

from __future__ import annotations

from collections import deque

import numpy as np

from rtbci.lsl.stamp_correction import AHEAD_S
from rtbci.types import StalenessChanged

STALE_S = 0.7  # so that a viewer shows it within a second


class Staleness:
    """Follows the time stamps of a stream; all times are on the local clock.

    A stream is stale when its newest sample is older than STALE_S plus the usual length of a chunk. Stamps that never come
    within STALE_S of the local clock, or are ahead of it by more than the error of a measured clock, belong to an
    unsynchronised clock: ages are then measured relative to the smallest lag that was seen.
    """

    LAG_SETTLE_S = 1.0  # the smallest lag is searched for this long before a clock is considered unsynchronised
    MAX_DRIFT = 1e-3  # s/s, of an unsynchronised clock

    def __init__(self) -> None:
        self.since: float | None = None  # when it became stale
        self.is_paused = False
        self._oldest = 0.0
        self._newest: float | None = None
        self._usual_s: deque[float] = deque(maxlen=5)
        self._began: float | None = None  # arrival of the first sample since `begin`
        self._seen_at = 0.0
        self._least_lag = np.inf
        self._is_lag_reported = False

    def begin(self, now: float) -> None:
        """The stream has (re)connected, or its clock was reset: its lag is unknown. Ages count from `now`."""
        if self._newest is None:
            self._newest = now
        self._began = None
        self.is_paused = False

    def pause(self) -> None:
        """The sender is paused: the age stays 0 until `begin`."""
        self._newest = self._began = None
        self.is_paused = True

    def add(self, newest: float, arrived: float, lasts_s: float) -> None:
        """Samples were processed.

        Parameters
        ----------
        newest
            Time stamp of the newest of them, s.
        arrived
            When they arrived, s.
        lasts_s
            How much time they span, s.
        """
        if self._began is None:
            self._began, self._least_lag, self._is_lag_reported = arrived, np.inf, False
        elif self.lag_s:
            self._least_lag += self.MAX_DRIFT * (arrived - self._seen_at)
        self._newest, self._seen_at, self.is_paused = newest, arrived, False
        self._least_lag = min(self._least_lag, arrived - newest)
        self._usual_s.append(lasts_s)

    @property
    def lag_s(self) -> float:
        """Estimated lag of the stamps' clock behind the local one; 0 for a synchronised clock."""
        is_ours = not np.isfinite(self._least_lag) or -AHEAD_S <= self._least_lag <= STALE_S
        return 0.0 if is_ours else float(self._least_lag)

    @property
    def limit_s(self) -> float:
        """Age beyond which the stream is stale; a single burst while catching up does not raise it."""
        return STALE_S + min(self._usual_s, default=0.0)

    def age_s(self, now: float) -> float:
        """Age of the newest sample; 0 before a stream was found, and while it is paused."""
        return max(0.0, now - self._newest - self.lag_s) if self._newest is not None else 0.0

    def is_stale(self, now: float) -> bool:
        """Whether the newest sample is too old."""
        return self.age_s(now) > self.limit_s

    def check(self, now: float) -> StalenessChanged | None:
        """The change since the last call: stale, or caught up; None if there is none."""
        age = self.age_s(now)
        self._oldest = max(self._oldest, age)
        if self.since is None and age > self.limit_s:
            self.since = now
            return StalenessChanged("stale", age, 0.0, now)
        if self.since is not None and age <= self.limit_s:
            change = StalenessChanged("caught_up", self._oldest, now - self.since, now)
            self.since = None
            return change
        if self.since is None:
            self._oldest = 0.0
        return None

    def foreign_lag_s(self) -> float:
        """The lag of an unsynchronised clock, once after each `begin`; else 0."""
        if self._is_lag_reported or self._began is None or self._seen_at - self._began < self.LAG_SETTLE_S:
            return 0.0
        self._is_lag_reported = True
        return self.lag_s
