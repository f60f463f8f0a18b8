"""Trend rows of one stream: those of its EEG, and what the pipeline has answered meanwhile."""

from __future__ import annotations

import math

import numpy as np

from rtbci.stages.burden import SeizureBurden
from rtbci.stages.trends import FREQUENCIES, N_TRENDS, Trends
from rtbci.types import Chunk, Detection, Scores, StreamInfo, TrendRows

PROBABILITY, BURDEN = N_TRENDS, N_TRENDS + 1  # columns behind those of the EEG
N_COLUMNS = N_TRENDS + 2
COLUMN_NAMES = (
    *(f"{side} {hz:g} Hz, µV²/Hz" for side in ("left", "right") for hz in FREQUENCIES),
    *(f"aEEG {side} {margin}, µV" for side in ("left", "right") for margin in ("lower", "upper")),
    *("symmetry index", "asymmetry", "probability", "burden"),
)


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
        self._decided: list[Detection] = []  # not yet in the burdens
        self._burdens: dict[str, SeizureBurden] = {}  # by label
        self.reset()

    def reset(self) -> None:
        """The samples that follow do not continue those before; the burden goes on."""
        self.stage.reset()
        self._scored: list[tuple[float, float]] = []  # (s of the recording, probability), since the last row

    def on(self, message: object) -> None:
        """Take an answer or a decision, before the samples that it is given at."""
        if isinstance(message, Detection):
            self._decided.append(message)
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
        answers = np.array([(self._highest(at), self._burden(at)) for at in at_s.tolist()], np.float32)
        return TrendRows(Chunk(np.hstack([rows.data, answers]), rows.times, rows.valid), at_s)

    def _highest(self, until_s: float) -> float:
        taken = [probability for at, probability in self._scored if at <= until_s]
        self._scored = [one for one in self._scored if one[0] > until_s]
        return max(taken, default=math.nan)

    def _burden(self, at_s: float) -> float:
        """Of the last hour, as it is known at a second of the recording; of several classes the largest."""
        for found in self._decided:
            if found.time <= at_s:
                burden, event = self._burdens.setdefault(found.event.label, SeizureBurden()), found.event
                burden.begin(event.onset)
                if found.closed:
                    burden.end(event.onset, event.duration)
        self._decided = [found for found in self._decided if found.time > at_s]
        for burden in self._burdens.values():
            burden.forget(at_s)
        return max((burden.share(at_s) for burden in self._burdens.values()), default=0.0)
