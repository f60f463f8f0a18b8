"""Duplicate samples, found before the gap guard sees them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rtbci.types import Chunk, Flags, Samples, Times


class DuplicateFilter:
    """Finds samples that were sent twice: same stamp and same values as one of the last 2 s of samples.

    No evidence: values equal to those of the preceding sample (a flat stream); stamps of a stream that habitually gives
    several samples one stamp; values of a stream that habitually repeats rows at other stamps, as a radio link that sends
    its last packet again for one that it lost: such a row stands for a sample. Everything is counted in samples, so the
    result does not depend on the chunks.

    Parameters
    ----------
    sfreq
        Rate of the samples in Hz.
    period
        Seconds between two samples, on the clock of the stamps.
    """

    REMEMBER_S = 2.0
    SAME = 0.02  # periods between two stamps of one sample, as the clock offset is re-estimated
    SAME_S = 2e-6  # at least
    APART = 0.5  # periods between the stamps of two samples that each have their own
    SHARED = 0.1  # of the samples; above it, shared stamps are normal for the stream
    HABIT = 3  # rows that were there before at another stamp, of late

    def __init__(self, sfreq: float, period: float) -> None:
        self._n_remembered = max(8, round(self.REMEMBER_S * sfreq))
        self._set_period(period)
        self.reset()

    def _set_period(self, period: float) -> None:
        self._same, self._apart = max(self.SAME_S, self.SAME * period), self.APART * period

    def reset(self) -> None:
        self._past: deque[tuple[Times, Samples]] = deque()
        self._n_past = 0
        self._newest = -np.inf
        self._judged = -1  # sample up to which, in a run of candidates, `_is_habit` holds
        self._n_gone = 0
        self._is_habit = False

    def set_clock(self, period: float, put: Callable[[Any], Any]) -> None:
        """Continue with another period; put: maps known stamps to the new clock."""
        self._set_period(period)
        self._past = deque((put(times), rows) for times, rows in self._past)
        self._newest = put(self._newest)

    def find(self, chunk: Chunk) -> Flags | None:
        """Which samples are duplicates, (n_samples,); None where none is, as nearly always."""
        times = chunk.times
        if not len(times):
            return None
        found = None
        if times[0] < self._newest + self._same or (times[1:] - times[:-1]).min(initial=np.inf) < self._same:
            newest = np.maximum.accumulate(np.concatenate([[self._newest], times]))
            old = np.flatnonzero(times < newest[:-1] + self._same)
            found = self._look_back(chunk, old)
            self._newest = float(newest[-1])
        else:
            self._newest = float(times[-1])
        self._remember(chunk)
        return found

    def _look_back(self, chunk: Chunk, old: npt.NDArray[np.intp]) -> Flags | None:
        times = np.concatenate([*(t for t, _ in self._past), chunk.times])
        rows = np.concatenate([*(r for _, r in self._past), chunk.data])
        found = np.zeros(len(chunk), np.bool_)
        for i in old.tolist():
            found[i] = self._came_before(times, rows, self._n_past + i)
        return found if found.any() else None

    def _came_before(self, times: Times, rows: Samples, at: int) -> bool:
        first = max(0, at - self._n_remembered)
        past = times[first:at]
        alike = np.flatnonzero(np.abs(past - times[at]) < self._same) + first
        if not len(alike) or np.count_nonzero(np.diff(past) < self._apart) > self.SHARED * len(past) + 1:
            return False
        wanted = rows[at].tobytes()
        if not any(rows[k].tobytes() == wanted != rows[k - 1 if k else 1].tobytes() for k in alike.tolist()):
            return False
        number = self._n_gone + at
        if self._judged != number - 1:
            before = max(0, first - 1)
            self._is_habit = self._repeats(times[before:at], rows[before:at])
        self._judged = number
        return not self._is_habit

    def _repeats(self, times: Times, rows: Samples) -> bool:
        """Whether rows that are not flat have come again and again, at other stamps."""
        seen: dict[bytes, float] = {}
        n, before = 0, b""
        for stamp, row in zip(times.tolist(), rows, strict=True):
            values = row.tobytes()
            if values != before:
                n += values in seen and abs(seen[values] - stamp) >= self._same
                seen[values] = stamp
            before = values
        return n >= self.HABIT

    def _remember(self, chunk: Chunk) -> None:
        self._past.append((chunk.times.copy(), chunk.data.copy()))
        self._n_past += len(chunk)
        while self._n_past - len(self._past[0][0]) > self._n_remembered:
            n = len(self._past.popleft()[0])
            self._n_past -= n
            self._n_gone += n
