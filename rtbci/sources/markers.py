"""Cues over LSL: a marker stream beside the signal's, its stamps on the same local clock."""

from __future__ import annotations

from typing import Any

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as NotYet

from rtbci.cues import Cue
from rtbci.sources.clock import Clock
from rtbci.sources.discovery import matches, one_of, predicate
from rtbci.sources.texts import pull_texts

MAX_FIELDS, MAX_RATE = 64, 1000.0  # channels and Hz of markers; liblsl makes room at once for all that a stream says


class MarkerSource:
    """The markers of one stream that a query finds, whenever it comes; when it is lost, it is looked for again."""

    def __init__(self, query: dict[str, str]) -> None:
        self.query = query
        self._resolver: Any = pylsl.ContinuousResolver(pred=predicate(query), forget_after=1.5)
        self._inlet: Any = None
        self._clock = Clock()
        self.connected = False

    def read(self) -> list[Cue]:
        """What came since; waits for nothing. Raises StreamNotFound where several sources answer."""
        if self._inlet is None and not self._find():
            return []
        try:
            if not self.connected and not self._open():
                return []
            texts = pull_texts(self._inlet)
            self._clock.look(self._inlet)
        except LostError:
            self._inlet, self.connected = None, False
            return []
        offset_s = self._clock.offset_s
        return [Cue(stamp + offset_s, text) for text, stamp in texts]

    def _find(self) -> bool:
        found = self._resolver.results() if self._resolver is not None else []
        found = [s for s in found if matches(s, self.query)]
        found = [s for s in found if s.channel_count() <= MAX_FIELDS and 0 <= s.nominal_srate() <= MAX_RATE]
        if not found:
            return False
        stream = found[0] if len(found) == 1 else one_of(found, self.query)
        self._inlet, self._clock = pylsl.StreamInlet(stream, recover=False), Clock()
        return True

    def _open(self) -> bool:
        """Whether markers flow and their clock is known; a cue is worth nothing without its time."""
        self._clock.look(self._inlet)
        try:
            self._inlet.open_stream(timeout=0.0)
        except NotYet:
            return False
        self.connected = self._clock.known
        return self.connected

    def close(self) -> None:
        """Let go of the stream and stop looking for others."""
        if self._inlet is not None:
            self._inlet.close_stream()
        self._inlet, self._resolver, self.connected = None, None, False
