"""Cues over LSL: a marker stream beside the signal's, its time stamps on the same local clock."""

from __future__ import annotations

import time
from typing import Any

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as NotYet

from rtbci.errors import StreamNotFound
from rtbci.lsl.clock import HostClock
from rtbci.lsl.discovery import StreamSearch
from rtbci.lsl.inlet import pull_texts
from rtbci.stages.cues import Cue

MAX_FIELDS, MAX_RATE = 64, 1000.0  # of a marker stream; liblsl allocates at once what a stream declares
_CHECK_OTHERS_EVERY_S = 1.0
_CLOCK_WAIT_S = 6.0  # liblsl measures a host's clock within 5 s


class MarkerSource:
    """Reads the markers of the stream that a query selects; reconnects when it is lost. `query`: as of `parse_query`."""

    def __init__(self, query: dict[str, str]) -> None:
        self._search = StreamSearch(query)
        self._stream: Any = None  # the newest one that was opened
        self._inlet: Any = None
        self._clock = HostClock()
        self._found_at = 0.0
        self._check_others_due = 0.0
        self.connected = False
        self.trouble = ""  # why no markers can be read; empty while all is well

    def read(self) -> list[Cue]:
        """New cues, on the local clock; never waits. Raises StreamNotFound if several sources match at the start."""
        if self._inlet is None and not self._find():
            return []
        try:
            if not self.connected and not self._open():
                return []
            texts = pull_texts(self._inlet)
            self._clock.update(self._inlet)
        except LostError:
            self._inlet, self.connected = None, False
            self._search.lose(self._stream)
            return []
        if time.monotonic() > self._check_others_due:
            self._check_others_due = time.monotonic() + _CHECK_OTHERS_EVERY_S
            self._search.note_other_streams(self._stream)
        offset_s = self._clock.offset_s
        return [Cue(stamp + offset_s, text) for text, stamp in texts]

    def _find(self) -> bool:
        try:
            stream = self._search.choose()
        except StreamNotFound as error:
            if self._stream is None:
                raise
            self.trouble = str(error)
            return False
        if stream is None:
            return False
        if stream.channel_count() > MAX_FIELDS or not 0 <= stream.nominal_srate() <= MAX_RATE:
            self._search.refuse(stream)
            return False
        self._stream, self.trouble = stream, ""
        self._inlet, self._clock = pylsl.StreamInlet(stream, recover=False), HostClock()
        self._found_at = time.monotonic()
        return True

    def _open(self) -> bool:
        """Whether markers can be read: connected, and the host's clock was measured; a cue is useless without its time."""
        self._clock.update(self._inlet)
        try:
            self._inlet.open_stream(timeout=0.0)
        except NotYet:
            return False
        self.connected = self._clock.known
        if self.connected:
            self.trouble = ""
        elif time.monotonic() - self._found_at > _CLOCK_WAIT_S:
            host = self._stream.hostname()
            self.trouble = (
                f"the clock of {host} does not answer, so its markers have no time; allow UDP between the machines"
            )
        return self.connected

    def close(self) -> None:
        """Disconnect and stop searching."""
        if self._inlet is not None:
            self._inlet.close_stream()
        self._search.close()
        self._inlet, self.connected = None, False
