"""Trend rows of one stream: those of its EEG, and what the pipeline has answered meanwhile."""

from __future__ import annotations

import math

import numpy as np

from rtbci.stages.trends import N_TRENDS, Trends
from rtbci.types import Chunk, Detection, Scores, StreamInfo, TrendRows

PROBABILITY, BURDEN = N_TRENDS, N_TRENDS + 1  # columns behind those of the EEG
N_COLUMNS = N_TRENDS + 2
BURDEN_S = 3600.0


class SessionTrends:
    """Adds to each row of `Trends` the highest probability of its time, and the burden of the hour that ends with it.

    Parameters
    ----------
    info
        The stream.
    watched
        Columns of the scores whose classes become events.
    """

    def __init__(self, info: StreamInfo, watched: tuple[int, ...]) -> None:
        self.stage = Trends(info)
        self._sfreq = info.sfreq
        self._watched = list(watched)
        self.restart()

    def restart(self) -> None:
        """Another place of a recording: the answers so far are not of the time before it."""
        self._burden = Burden()
        self.reset()

    def reset(self) -> None:
        """The samples that follow do not continue those before; the burden goes on."""
        self.stage.reset()
        self._scored: list[tuple[float, float]] = []  # (s of the recording, probability), since the last row

    def on(self, message: object) -> None:
        """Take an answer or a decision, before the samples that it is given at."""
        if isinstance(message, Detection):
            self._burden.add(message)
        elif isinstance(message, Scores) and self._watched:
            scores = message.chunk
            highest = scores.data[:, self._watched].max(axis=1)
            self._scored += zip(message.at_s[scores.valid].tolist(), highest[scores.valid].tolist(), strict=True)

    def process(self, chunk: Chunk, first_index: int) -> TrendRows | None:
        """The rows that end in a chunk; None where there is none. first_index: its first sample's, in the recording."""
        rows = self.stage.process(chunk)
        if not len(rows):
            return None
        at_s = (np.searchsorted(chunk.times, rows.times).astype(np.float64) + first_index) / self._sfreq
        answers = np.array([(self._highest(at), self._burden.share(at)) for at in at_s.tolist()], np.float32)
        return TrendRows(Chunk(np.hstack([rows.data, answers]), rows.times, rows.valid), at_s)

    def _highest(self, until_s: float) -> float:
        taken = [probability for at, probability in self._scored if at <= until_s]
        self._scored = [one for one in self._scored if one[0] > until_s]
        return max(taken, default=math.nan)


class Burden:
    """The share of the last hour that events cover; an event that is on counts up to now."""

    def __init__(self) -> None:
        self._found: list[Detection] = []  # not yet in `_stops`
        self._stops: dict[tuple[str, float], float] = {}  # end of each event, by label and onset; inf: it is on

    def add(self, found: Detection) -> None:
        self._found.append(found)

    def share(self, at_s: float) -> float:
        """As it is known at a second of the recording, 0 to 1. Not to be called for an earlier one afterwards."""
        since = at_s - BURDEN_S
        for found in self._found:
            if found.time <= at_s:
                event = found.event
                self._stops[event.label, event.onset] = event.onset + event.duration if found.closed else math.inf
        self._found = [found for found in self._found if found.time > at_s]
        self._stops = {key: stop for key, stop in self._stops.items() if stop > since}
        covered, reached = 0.0, since
        for (_, onset), stop in sorted(self._stops.items(), key=lambda item: item[0][1]):
            start, stop = max(onset, reached), min(stop, at_s)
            covered, reached = covered + max(0.0, stop - start), max(reached, stop)
        return covered / BURDEN_S
