"""Cues of a live stream: from the marker stream to the session, with an account of what was not taken."""

from __future__ import annotations

import time

from rtbci.lsl.marker_source import MAX_PER_S, MarkerSource
from rtbci.pipeline.stream import StreamSession
from rtbci.stages.cue_labels import CueAccount
from rtbci.stages.cues import Cue

MOST_WAITING = 1000  # cues whose window is not complete; more than that come from no experiment
_TELL_EVERY_S = 30.0
_FIRST_TOLD_S = 2.0  # so that the first line has more than the first marker


class CueWatch:
    """Reads a marker stream and passes its markers on.

    Parameters
    ----------
    query
        LSL properties of the marker stream.
    labels
        Of the pipeline's cues.
    """

    def __init__(self, query: dict[str, str], labels: tuple[str, ...]) -> None:
        self.source = MarkerSource(query)
        self._account = CueAccount(labels)
        self._n_crowded, self._n_told = 0, 0
        self._trouble = ""
        self._due: float | None = None
        self._passed: list[Cue] = []

    def take(self, stream: StreamSession) -> None:
        """Pass new markers on to a session; never waits."""
        for cue in self.source.read():
            if stream.live.cues is None or stream.live.cues.n_waiting >= MOST_WAITING:
                self._n_crowded += 1
                continue
            self._account.add(cue.text, stream.cue(cue.time, cue.text))
            self._passed.append(cue)

    def pop_passed(self) -> list[Cue]:
        """What was passed on since the last call."""
        passed, self._passed = self._passed, []
        return passed

    def news(self) -> list[str]:
        """What a person was not told yet, one line each."""
        lines = []
        if self.source.trouble != self._trouble:
            self._trouble = self.source.trouble
            lines.append(f"cues: {self._trouble or 'the marker stream is there'}")
        now = time.monotonic()
        n_left_out = self.source.n_left_out + self._n_crowded
        if self._due is None and (self._account.has_news or n_left_out > self._n_told):
            self._due = now + _FIRST_TOLD_S
        if self._due is None or now < self._due:
            return lines
        if self._account.has_news or n_left_out > self._n_told:
            self._due = now + _TELL_EVERY_S
            lines += [f"cues: {line}" for line in self._account.news()]
        if n_left_out > self._n_told:
            self._n_told = n_left_out
            lines.append(
                f"cues: {n_left_out} markers were left out: more than {MAX_PER_S:g} a second, or with stamps that are no times"
            )
        return lines

    def close(self) -> None:
        """Disconnect and stop searching."""
        self.source.close()
