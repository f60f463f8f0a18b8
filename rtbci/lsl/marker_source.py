"""Cues over LSL: a marker stream beside the signal's, its time stamps on the same local clock."""

from __future__ import annotations

import math
import time
from typing import Any

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as NotYet

from rtbci.errors import StreamNotFound
from rtbci.lsl.clock import HostClock
from rtbci.lsl.discovery import StreamSearch, predicate
from rtbci.lsl.inlet import pull_markers, xml_of
from rtbci.recordings.markers import MAX_FIELDS, MAX_RATE, MarkerReader
from rtbci.stages.cues import Cue

NOT_THERE_S = 5.0  # then a marker stream that does not come is told of
MAX_PER_S = 100.0  # markers; beyond, a stream is no keyboard nor stimulus, and would cost the answers their time
_BURST = 1000.0  # markers that may come at once
_BUFFER_S = 10  # liblsl keeps 100 markers for each of these
_CHECK_OTHERS_EVERY_S = 1.0
_CLOCK_WAIT_S = 6.0  # liblsl measures a host's clock within 5 s


class MarkerSource:
    """Reads the markers of the stream that a query selects; reconnects when it is lost.

    Parameters
    ----------
    query
        As `parse_query` returns it.
    expected
        Whether it is trouble that there is no such stream.
    """

    def __init__(self, query: dict[str, str], *, expected: bool = True) -> None:
        self.query, self._expected = query, expected
        self._search = StreamSearch(query)
        self._stream: Any = None  # the newest one that was opened
        self._inlet: Any = None
        self._reader = MarkerReader(0.0)
        self._clock = HostClock()
        self._sought_since: float | None = None
        self._found_at = 0.0
        self._check_others_due = 0.0
        self._room, self._room_at = _BURST, time.monotonic()
        self.connected = False
        self.n_left_out = 0  # markers that came too fast, or with a stamp that is no time
        self.trouble = ""  # why no markers can be read; empty while all is well

    def read(self) -> list[Cue]:
        """New cues, on the local clock; never waits."""
        if self._sought_since is None and not self.connected:
            self._sought_since = time.monotonic()
        if self._inlet is None and not self._find():
            return []
        try:
            if not self.connected and not self._open():
                return []
            markers = pull_markers(self._inlet, self._reader)
            self._clock.update(self._inlet)
        except LostError:
            self._inlet, self.connected = None, False
            self._search.lose(self._stream)
            return []
        if time.monotonic() > self._check_others_due:
            self._check_others_due = time.monotonic() + _CHECK_OTHERS_EVERY_S
            self._search.note_other_streams(self._stream)
        offset_s = self._clock.offset_s
        return self._bounded([Cue(stamp + offset_s, text) for stamp, text in markers])

    def description(self) -> str | None:
        """The stream's whole description as XML; None until it is read."""
        if self._inlet is None or not self.connected:
            return None
        try:
            return xml_of(self._inlet.info(timeout=0.0))
        except (NotYet, LostError):
            return None

    def _bounded(self, cues: list[Cue]) -> list[Cue]:
        """As many as come within the rate; the others are counted."""
        now = time.monotonic()
        self._room = min(_BURST, self._room + MAX_PER_S * (now - self._room_at))
        self._room_at = now
        timed = [cue for cue in cues if math.isfinite(cue.time)]
        taken = timed[: int(self._room)]
        self._room -= len(taken)
        self.n_left_out += len(cues) - len(taken)
        return taken

    def _find(self) -> bool:
        try:
            stream = self._search.choose()
        except StreamNotFound as error:
            self.trouble = str(error)
            return False
        if stream is None:
            if (
                self._expected
                and self._sought_since is not None
                and time.monotonic() - self._sought_since > NOT_THERE_S
            ):
                self.trouble = self.trouble or (
                    f"no marker stream with {predicate(self.query)} answers; no cue is answered until it does"
                )
            return False
        n_fields, rate_hz = stream.channel_count(), stream.nominal_srate()
        if not 0 < n_fields <= MAX_FIELDS or not 0 <= rate_hz <= MAX_RATE:
            self._search.refuse(stream)
            self.trouble = (
                f"stream {stream.name()!r} is no marker stream: it has {n_fields} channels at {rate_hz:g} Hz; "
                f"at most {MAX_FIELDS} and {MAX_RATE:g} Hz"
            )
            return False
        self._stream = stream
        self._inlet, self._clock = pylsl.StreamInlet(stream, max_buflen=_BUFFER_S, recover=False), HostClock()
        self._reader = MarkerReader(rate_hz)
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
            self.trouble, self._sought_since = "", None
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
