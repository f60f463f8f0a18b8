"""From a session's seconds, which count samples, to the clock of the file; before events are scored or written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rtbci.pipeline.stream import StreamMessage
from rtbci.recordings.stream_clock import AGREES_S, StreamClock, on_stamps
from rtbci.types import Detection, Scores, SessionInfo, Times


class FileClock:
    """The stamp of each score, by the second at which the session counted it.

    A session decides in seconds of its grid: index / rate, lost samples included. Where the rate of a recording is not
    quite the nominal one, these drift away from the stamps, on which annotations and markers are. What was decided at a
    score gets the stamp of that score's newest sample.

    Parameters
    ----------
    is_live
        Whether the recording is of a live run: its seconds are then those of the run's event table (StreamClock).
    """

    def __init__(self, is_live: bool) -> None:
        self._live = StreamClock() if is_live else None
        self._grid: list[Times] = [np.empty(0)]
        self._stamps: list[Times] = [np.empty(0)]
        self._starts_at = 0.0

    def before(self, message: StreamMessage) -> None:
        """Take a message of the live session that belongs to the file before."""
        if self._live is not None:
            self._live.on(message)

    def starts_at(self, second: float) -> None:
        """The file begins at this second of the live session."""
        self._starts_at = self._live.at(second) if self._live is not None else second

    def begin(self, session: SessionInfo) -> None:
        """A live session begins, or continues elsewhere."""
        if self._live is not None:
            self._live.begin(session)

    def on(self, message: StreamMessage) -> None:
        """Take a message of the session."""
        if self._live is not None:
            self._live.on(message)
        if isinstance(message, Scores):
            self._grid.append(message.at_s)
            self._stamps.append(message.chunk.times)

    @property
    def times(self) -> Times:
        """Of all scores (n_hops,), on the clock of the file."""
        if self._live is None:
            return np.concatenate(self._stamps)
        grid = np.concatenate(self._grid)
        times = grid if self._live.apart_s <= AGREES_S else on_stamps(self._live, grid)
        return times - self._starts_at if self._starts_at else times

    def on_file(self, found: list[Detection]) -> list[Detection]:
        """The same detections on the clock of the file."""
        grid, times = np.concatenate(self._grid), self.times
        if np.array_equal(grid, times):
            return found
        if self._starts_at:
            found = [_cut_off(one, float(grid[0])) for one in found if len(grid)]
        return [_moved(one, _nearest(grid, times)) for one in found]


def _cut_off(found: Detection, first: float) -> Detection:
    """Without what was before a second."""
    event = found.event
    onset = max(event.onset, first)
    duration = max(event.onset + event.duration - onset, 0.0)
    return replace(found, time=max(found.time, first), event=replace(event, onset=onset, duration=duration))


def _nearest(grid: Times, times: Times) -> Callable[[float], float]:
    """The time of the score that was counted at a second: onset and duration add up to it but for their rounding."""

    def at(second: float) -> float:
        after = min(int(np.searchsorted(grid, second)), len(grid) - 1)
        before = max(after - 1, 0)
        return float(times[before if second - grid[before] < grid[after] - second else after])

    return at


def _moved(found: Detection, at: Callable[[float], float]) -> Detection:
    event, onset = found.event, at(found.event.onset)
    end = at(event.onset + event.duration)
    return replace(found, time=at(found.time), event=replace(event, onset=onset, duration=end - onset))
