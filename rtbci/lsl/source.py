"""An LSL source: samples with stamps on the local clock, not smoothed, and every loss and reconnection of the stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
import pylsl
from pylsl.util import LostError

from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.lsl.clock import HostClock
from rtbci.lsl.discovery import StreamSearch
from rtbci.lsl.inlet import Inlet
from rtbci.lsl.replay_key import known_key
from rtbci.lsl.replay_link import ReplayLink, ReplayMoved, SampleAcknowledger
from rtbci.lsl.replay_protocol import check_speed
from rtbci.recordings.description import Description
from rtbci.types import Times


@dataclass(frozen=True, slots=True)
class RawSamples:
    """What arrived: rows (n_samples, n_channels) in the stream's own format, overwritten by the next read; stamps, s."""

    rows: npt.NDArray[Any]
    stamps: Times

    def __len__(self) -> int:
        return len(self.stamps)


@dataclass(frozen=True, slots=True)
class StreamConnected:
    """A stream was found, accepted and opened. speed: recorded seconds per second; 0 for an unpaced replay.

    xml: its whole description, as the sender wrote it.
    """

    described: Description
    speed: float
    hostname: str
    clock: HostClock
    xml: str = ""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The stream was lost."""

    reason: str


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """A stream answered, but was not accepted."""

    reason: str


@dataclass(frozen=True, slots=True)
class HostClockJumped:
    """The clock of the stream's host jumped; from here on stamps are corrected by the new offset."""

    by_s: float
    offset_s: float


SourceItem = RawSamples | StreamConnected | StreamLost | StreamRefused | HostClockJumped | ReplayMoved


class LslSource:
    """Reads the LSL stream that a query selects; when it is lost, the next one that the query selects and `accept` allows.

    A closed connection is a loss at once. A silent one need not be: TCP keeps what a network outage delays, and delivers it
    when it retransmits, at ever longer intervals. So where the sender answers to discovery and its connection is silent, a
    second connection is opened; it replaces the first one if it has samples while the first stays silent for PATIENCE_S.

    Parameters
    ----------
    query
        LSL properties, as `parse_query` returns them.
    accept
        Called with the description of a stream; raises StreamMismatch to refuse it.
    max_samples
        Most samples of one chunk.
    patient
        Wait through several sources that match before the first connection, too.
    """

    OPEN_S = 5.0  # timeout from discovery to an open connection
    PATIENCE_S = 1.3
    IN_FLIGHT_S = 0.1
    RETRY_S = 0.1
    CHECK_OTHERS_EVERY_S = 1.0
    SILENT_S = 0.5
    WAIT_S = 0.005
    UNTRUSTED_PAUSE_S = 60.0

    def __init__(
        self,
        query: dict[str, str],
        accept: Callable[[Description], None],
        max_samples: int = 4096,
        *,
        patient: bool = False,
    ) -> None:
        self.query = query
        self.search = StreamSearch(query)
        self._accept = accept
        self._patient = patient
        self._max_samples = max_samples
        self._inlet: Inlet | None = None  # the open connection
        self._opening: Inlet | None = None  # a connection that is being opened
        self._second: Inlet | None = None  # a second connection to a stream that is silent
        self._found: StreamConnected | None = None  # what was reported of the stream
        self._ack: SampleAcknowledger | None = None
        self.replay: ReplayLink | None = None  # of a replay that can be controlled
        # uid and clock of the stream that was lost: perhaps only its connection was.
        self._lost: tuple[str, HostClock | None] = ("", None)
        self._silent_since = time.monotonic()
        self._check_others_at = self._retry_at = 0.0
        self._reported: set[str] = set()  # reasons of refusals that were reported
        self.pulled_at = 0.0  # local clock when the newest samples arrived
        self.waits_for: Callable[[bool], bool] = lambda is_replay: False  # what must be ready before a stream is opened
        self.connected_once = False

    @property
    def connected(self) -> bool:
        """Whether a stream is open."""
        return self._inlet is not None

    @property
    def is_paused(self) -> bool:
        """Whether the stream is a replay that is paused. A report that is not signed counts for UNTRUSTED_PAUSE_S without
        samples at most: anybody could have sent it."""
        if self.replay is None or not self.replay.is_paused:
            return False
        return self.replay.is_trusted or self.SILENT_S <= self.silent_s < self.UNTRUSTED_PAUSE_S

    @property
    def silent_s(self) -> float:
        """Seconds since samples last arrived."""
        return time.monotonic() - self._silent_since

    def read(self, timeout_s: float) -> list[SourceItem]:
        """Read what has arrived; waits for samples only.

        Parameters
        ----------
        timeout_s
            How long to wait for samples.

        Returns
        -------
        list of SourceItem
            Samples as they came, and what happened to the stream, in order; [] if nothing did.

        Raises
        ------
        StreamNotFound
            If several sources match, before the first connection only, and not where it is patient.
        """
        if self._inlet is None:
            found = self._connect()
            if not found:
                time.sleep(min(timeout_s, self.WAIT_S))
            return found
        try:
            data, stamps = self._inlet.pull(timeout_s)
        except LostError:
            # liblsl returns no more samples, not even those that have arrived.
            unread = self._inlet.n_unread
            return self._lose("the connection was closed" + (f", {unread} samples in it unread" if unread else ""))
        self.pulled_at = pylsl.local_clock()
        jumped = self._inlet.clock.pop_jump_s()
        items: list[SourceItem] = [HostClockJumped(jumped, self._inlet.clock.offset_s)] if jumped else []
        if not len(stamps):
            return items + (self._moved(self._inlet, busy=False) or self._check_silence(self._inlet))
        self._note_samples(self._inlet)
        if self._ack:
            self._ack.acknowledge(len(stamps))
        return [*items, RawSamples(data, stamps), *self._moved(self._inlet, busy=True)]

    def close(self) -> None:
        """Disconnect and stop searching."""
        self._release()
        self.search.close()

    # -- opening a stream -------------------------------------------------------------------------------

    def _connect(self) -> list[SourceItem]:
        if time.monotonic() < self._retry_at:
            return []
        try:
            if self._opening is None:
                stream = self.search.choose()
                if stream is not None:
                    uid, clock = self._lost
                    self._opening = Inlet(stream, self._max_samples, clock if stream.uid() == uid else None)
                return []
            return self._open(self._opening)
        except StreamNotFound as error:
            if not self.connected_once and not self._patient:
                raise
            return self._refuse(str(error))
        except StreamMismatch as error:
            self.search.refuse(stream if self._opening is None else self._opening.stream)
            self._release()
            return self._refuse(str(error))
        except LostError:
            self._release()
            return []

    def _open(self, inlet: Inlet) -> list[SourceItem]:
        """Take the next step of opening, if it is possible now."""
        if time.monotonic() - inlet.began > self.OPEN_S:
            self._release()
            return []
        if self._found is None:
            described = inlet.description()
            if described is None:
                return []
            says, speed, _ = described
            check_speed(says.name, speed)
            self._accept(says)
            inlet.began = time.monotonic()  # the start gate may have taken its time
            self._found = StreamConnected(says, speed, inlet.stream.hostname(), inlet.clock, inlet.xml())
            address, key = inlet.replay_address(), known_key()
            self._ack = SampleAcknowledger.of(says.source_id, address, key)
            self.replay = ReplayLink(address, key) if address is not None else None
        if (self.replay is not None and not self.replay.is_ready()) or not inlet.is_open():
            return []
        if self.waits_for(self.replay is not None):
            return []
        if self.replay is not None and self.replay.position is not None:
            self._found = replace(self._found, speed=self.replay.position.speed)
        self._inlet, self._opening = inlet, None
        self._silent_since = time.monotonic()
        self._check_others_at = self._silent_since + self.search.GRACE_S
        self.connected_once = True
        self._reported.clear()
        return [self._found]

    def _refuse(self, reason: str) -> list[SourceItem]:
        """Each reason is reported once until a stream is connected."""
        if reason in self._reported:
            return []
        self._reported.add(reason)
        return [StreamRefused(reason)]

    # -- an open stream --------------------------------------------------------------------------------

    def _note_samples(self, inlet: Inlet) -> None:
        now = self._silent_since = time.monotonic()
        self._drop_second()
        if now > self._check_others_at:
            self._check_others_at = now + self.CHECK_OTHERS_EVERY_S
            self.search.note_other_streams(inlet.stream)

    def _moved(self, inlet: Inlet, *, busy: bool) -> list[SourceItem]:
        """Moves of a replay. It waits for us to read its samples before a move, so samples come first."""
        return list(self.replay.moves(inlet.clock.offset_s, busy=busy)) if self.replay is not None else []

    def _check_silence(self, inlet: Inlet) -> list[SourceItem]:
        """No samples: a network outage, an idle sender, a connection that hangs, or a host that is gone."""
        if self.silent_s < self.SILENT_S or self.is_paused:
            return []
        answering = self.search.answering()
        if any(s.uid() == inlet.uid for s in answering):
            # After FORGET_S of silence, its answer is known to be newer than its last sample.
            return self._try_second(inlet) if self.silent_s > self.search.FORGET_S + 0.1 else []
        self._drop_second()
        if self.silent_s > self.search.GRACE_S and not all(map(self.search.is_other_stream, answering)):
            return self._lose(f"no data for {self.silent_s:.1f} s, and another stream answers")
        return []

    def _try_second(self, inlet: Inlet) -> list[SourceItem]:
        """A second connection beside the silent one; whichever delivers samples is kept."""
        assert self._found is not None
        second = self._second = self._second or Inlet(inlet.stream, self._max_samples, inlet.clock)
        try:
            # Samples that have just arrived may be in flight on the old connection too.
            works = second.is_open() and second.waiting_s() > self.IN_FLIGHT_S
        except LostError:
            self._drop_second()
            return []
        age = time.monotonic() - second.began
        if works and age > self.PATIENCE_S:
            reason = f"no data for {self.silent_s:.1f} s from a stream that answers: its connection hung"
            inlet.close()
            self._inlet, self._second = second, None
            self._found = replace(self._found, clock=second.clock)
            if self.replay is not None:
                self.replay.open_again()
            return [StreamLost(reason), self._found]
        if age > self.OPEN_S and not second.is_open():
            self._drop_second()
        return []

    def _drop_second(self) -> None:
        if self._second is not None:
            self._second.close()
            self._second = None

    def _lose(self, reason: str) -> list[SourceItem]:
        assert self._inlet is not None
        self._lost = self._inlet.uid, self._inlet.clock
        self.search.lose(self._inlet.stream)
        self._release()
        return [StreamLost(reason)]

    def _release(self) -> None:
        for inlet in (self._inlet, self._opening, self._second, self.replay):
            if inlet is not None:
                inlet.close()
        self._inlet = self._opening = self._second = None
        self._found, self._ack, self.replay = None, None, None
        self._retry_at = time.monotonic() + self.RETRY_S
