"""Staleness: how old the newest processed sample is, and when that is too old."""

from __future__ import annotations

from collections import deque

import numpy as np

from rtbci.types import StalenessChanged

STALE_S = 0.7  # so that a front end knows within a second


class Staleness:
    """Follows the stamps of a stream; every time is the local clock's.

    Stale: the newest sample is older than STALE_S and what the sender usually sends at once. Stamps that never come
    within STALE_S of the clock, or run before it, are of another clock: then ages count from the least lag that was seen.
    """

    LAG_SETTLE_S = 1.0  # so long the least lag is looked for, before a clock is called another
    MAX_DRIFT = 1e-3  # seconds a second; of a clock that is another

    def __init__(self) -> None:
        self.since: float | None = None  # when it became stale
        self._oldest = 0.0
        self._newest: float | None = None
        self._usual_s: deque[float] = deque(maxlen=5)
        self._began: float | None = None  # first sample of this life
        self._seen_at = 0.0
        self._least_lag = np.inf
        self._is_lag_reported = False

    def begin(self, now: float) -> None:
        """A life of the stream begins, or its clock was reset: its lag is not known. Before the first sample, `now` counts."""
        if self._newest is None:
            self._newest = now
        self._began = None

    def pause(self) -> None:
        """The sender says that nothing is due: nothing grows old until `begin`."""
        self._newest = self._began = None

    def add(self, newest: float, arrived: float, lasts_s: float) -> None:
        """Samples were taken up, the newest of them stamped so; lasts_s: how much time they are."""
        if self._began is None:
            self._began, self._least_lag, self._is_lag_reported = arrived, np.inf, False
        elif self.lag_s:
            self._least_lag += self.MAX_DRIFT * (arrived - self._seen_at)
        self._newest, self._seen_at = newest, arrived
        self._least_lag = min(self._least_lag, arrived - newest)
        self._usual_s.append(lasts_s)

    @property
    def lag_s(self) -> float:
        """How far the stamps' clock is behind ours, as it seems; 0 for a clock that is ours."""
        return float(self._least_lag) if np.isfinite(self._least_lag) and not 0 <= self._least_lag <= STALE_S else 0.0

    @property
    def limit_s(self) -> float:
        """Older than this is stale; one burst on catching up is not what is usual."""
        return STALE_S + min(self._usual_s, default=0.0)

    def age_s(self, now: float) -> float:
        """0 before a stream was found."""
        return max(0.0, now - self._newest - self.lag_s) if self._newest is not None else 0.0

    def is_stale(self, now: float) -> bool:
        return self.age_s(now) > self.limit_s

    def check(self, now: float) -> StalenessChanged | None:
        """Whether it became stale, or has caught up, since the last look."""
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
        """Once for each life: the lag of a clock that is not ours."""
        if self._is_lag_reported or self._began is None or self._seen_at - self._began < self.LAG_SETTLE_S:
            return 0.0
        self._is_lag_reported = True
        return self.lag_s
