"""Stamps from arrivals, for a stream whose own stamps are no use: as even as its samples, whatever held chunks up."""

from __future__ import annotations

from collections import deque

import numpy as np

from rtbci.types import Times


class ArrivalClock:
    """Stamps samples by when they came: evenly spaced, and no later than that.

    A chunk can be late, but never early: the chunks that came the soonest say when samples were taken. Stamps follow
    them by 0.4 % of the time that passes, or 3 % where they are more than 0.1 s apart; so chunks that are held up, and
    bursts, leave the stamps even. Samples that have come late for 2 s (and five chunks) by more than half a second were
    taken later: stamps go on from there.

    Parameters
    ----------
    rate_hz
        Samples per second of this machine's clock.
    """

    WINDOW_S = 2.0
    FEWEST = 5  # chunks
    SLEW, FAST_SLEW = 4e-3, 3e-2  # s/s
    FAR_S = 0.1
    BREAK_S = 0.5

    def __init__(self, rate_hz: float) -> None:
        self._recent: deque[tuple[float, float]] = deque()  # (arrival, arrival less the samples' own time)
        self._last = -np.inf
        self.restart(rate_hz)

    def restart(self, rate_hz: float) -> None:
        """The connection or the pace is another: the next samples are stamped by their own arrival."""
        self._period = 1 / rate_hz
        self._recent.clear()
        self._n = 0  # samples so far
        self._offset: float | None = None  # time of sample 0

    def begin(self, sizes: list[int], arrivals: list[float]) -> None:
        """Learn from chunks that are about to be stamped, so that the first of them is no worse than the others."""
        ends = np.cumsum(sizes)
        self._offset = float(np.min(np.array(arrivals) - (ends - 1) * self._period))

    def stamps(self, n: int, at: float) -> Times:
        """Stamps of the next n samples (n,), of which the newest came at `at`; they increase."""
        newest_due = at - (self._n + n - 1) * self._period
        if self._offset is None:
            self._offset = newest_due
        self._recent.append((at, newest_due))
        while len(self._recent) > self.FEWEST and at - self._recent[0][0] > self.WINDOW_S:
            self._recent.popleft()
        late = min(due for _, due in self._recent) - self._offset
        is_certain = len(self._recent) >= self.FEWEST and at - self._recent[0][0] >= self.WINDOW_S / 2
        if late > self.BREAK_S and is_certain:
            self._offset += late
            late = 0.0
        most = (self.SLEW if abs(late) < self.FAR_S else self.FAST_SLEW) * n * self._period
        step = min(max(late, -most), most)
        number = np.arange(n)
        stamps: Times = self._offset + (self._n + number) * self._period + step * (number + 1) / n
        if len(stamps) and stamps[0] <= self._last:
            # After a new connection: time goes on.
            stamps = np.maximum(stamps, self._last + (number + 1) * self._period * 1e-3)
        self._offset += step
        self._n += n
        self._last = float(stamps[-1]) if n else self._last
        return stamps
