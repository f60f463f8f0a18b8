"""An LSL source: samples with stamps on the local clock, not smoothed, and every loss and reconnection of the stream."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pylsl
from pylsl.util import LostError

from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.lsl.border import RawSamples, StreamBorder, StreamDoubt
from rtbci.lsl.clock import HostClock
from rtbci.lsl.discovery import StreamSearch
from rtbci.lsl.first_look import FirstLook
from rtbci.lsl.inlet import Inlet
from rtbci.lsl.replay_key import known_key
from rtbci.lsl.replay_link import ReplayLink, ReplayMoved, SampleAcknowledger
from rtbci.lsl.replay_protocol import check_speed
from rtbci.recordings.description import Description
from rtbci.recordings.overrides import StreamOverrides
from rtbci.types import Times


@dataclass(frozen=True, slots=True)
class StreamConnected:
    """A stream was found, accepted and opened.

    Attributes
    ----------
    described
        What it says; its rate is the one that is believed.
    speed
        Recorded seconds per second; 0 for an unpaced replay.
    hostname, clock
        Of the machine that sends it.
    xml
        Its whole description, as the sender wrote it.
    measured
        What had to be measured, as StreamOverrides.told has it: `tag` on its recording must believe the same.
    has_stamps
        Whether its stamps are its own, not made from arrivals.
    """

    described: Description
    speed: float
    hostname: str
    clock: HostClock
    xml: str = ""
    measured: dict[str, float] = field(default_factory=dict)
    has_stamps: bool = True


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


SourceItem = RawSamples | StreamConnected | StreamLost | StreamRefused | StreamDoubt | HostClockJumped | ReplayMoved


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
    overrides
        What a person says of the stream; its rate and its clock are used here. None: it is taken at its word.
    """

    OPEN_S = 5.0  # timeout from discovery to an open connection
    PATIENCE_S = 1.3
    IN_FLIGHT_S = 0.1
    RETRY_S = 0.1
    CHECK_OTHERS_EVERY_S = 1.0
    SILENT_S = 0.5
    WAIT_S = 0.005
    UNTRUSTED_PAUSE_S = 60.0
    MUTE_S = 1.0  # a stream that sends nothing for so long is connected, and looked at later
    MOST_REASONS = 1000  # of refusals; there are as many as a stranger wants
    GATE_S = 0.2  # accepting a stream takes no longer, unless a recorder is waited for

    def __init__(
        self,
        query: dict[str, str],
        accept: Callable[[Description], None],
        max_samples: int = 4096,
        *,
        patient: bool = False,
        overrides: StreamOverrides | None = None,
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
        self._border = StreamBorder(overrides)
        self._ack: SampleAcknowledger | None = None
        self.replay: ReplayLink | None = None  # of a replay that can be controlled
        # uid and clock of the stream that was lost: perhaps only its connection was.
        self._lost: tuple[str, HostClock | None] = ("", None)
        self._silent_since = time.monotonic()
        self._check_others_at = self._retry_at = 0.0
        self._mute_since: float | None = None  # since when a stream that is open has sent nothing
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
            reason = "the connection was closed" + (f", {unread} samples in it unread" if unread else "")
            return [*self._border.give_up(), *self._lose(reason)]
        self.pulled_at = pylsl.local_clock()
        jumped = self._inlet.clock.pop_jump_s()
        items: list[SourceItem] = [HostClockJumped(jumped, self._inlet.clock.offset_s)] if jumped else []
        if not len(stamps):
            items += self._looked()
            return items + (self._moved(self._inlet, busy=False) or self._check_silence(self._inlet))
        self._note_samples(self._inlet)
        if self._ack:
            self._ack.acknowledge(len(stamps))
        return [*items, *self._looked((data, stamps)), *self._moved(self._inlet, busy=True)]

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
            says, speed, is_replay = described
            check_speed(says.name, speed)
            says = self._border.open(says, inlet.stream.hostname(), speed, is_replay=is_replay)
            if self._border.knows_rate(says):
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
        samples: list[RawSamples | StreamDoubt] = []
        if self._border.is_looking:
            samples = self._first_samples(inlet)
            if not samples and not self._is_mute():
                return []
        self._found = replace(
            self._found, described=self._border.believed(self._found.described), measured=self._border.measured,
            has_stamps=self._border.has_stamps,
        )  # fmt: skip
        self._inlet, self._opening = inlet, None
        self._silent_since = time.monotonic()
        self._check_others_at = self._silent_since + self.search.GRACE_S
        self.connected_once = True
        self._reported.clear()
        return [self._found, *samples]

    def _first_samples(self, inlet: Inlet) -> list[RawSamples | StreamDoubt]:
        """The first samples of a new stream, once they were looked at. Raises StreamMismatch."""
        assert self._found is not None
        if self._mute_since is None:
            self._mute_since = time.monotonic()
        inlet.began = time.monotonic()  # it is open, and takes as long as it takes
        data, stamps = inlet.pull(0.0)
        self.pulled_at = pylsl.local_clock()
        if len(stamps):
            self._mute_since = math.inf
        samples = self._border.take(data, stamps, self.pulled_at) if len(stamps) else self._border.due(self.pulled_at)
        if samples and not self._found.described.sfreq:
            self._accept(self._border.believed(self._found.described))
            if pylsl.local_clock() - self.pulled_at > self.GATE_S:
                # A recorder has started meanwhile: begin with what it has, too.
                while len(inlet.pull(0.0)[1]):
                    pass
                return [item for item in samples if isinstance(item, StreamDoubt)]
        return samples

    def _is_mute(self) -> bool:
        """Whether an open stream sends nothing. Raises StreamMismatch if its rate is to be measured, and cannot be."""
        assert self._found is not None and self._mute_since is not None
        mute_s = time.monotonic() - self._mute_since
        if not self._found.described.sfreq and mute_s > FirstLook.MEASURE_S:
            name = self._found.described.name
            raise StreamMismatch(
                f"stream {name!r} says no rate, and sends no samples to measure it; give it with --sfreq"
            )
        return self._found.described.sfreq > 0 and mute_s > self.MUTE_S

    def _refuse(self, reason: str) -> list[SourceItem]:
        """Each reason is reported once until a stream is connected."""
        if reason in self._reported:
            return []
        if len(self._reported) >= self.MOST_REASONS:
            self._reported.clear()
        self._reported.add(reason)
        return [StreamRefused(reason)]

    # -- an open stream --------------------------------------------------------------------------------

    def _looked(self, new: tuple[Any, Times] | None = None) -> list[SourceItem]:
        """New samples as they are passed on, and those that are held no longer."""
        try:
            if new is None:
                return list(self._border.due(pylsl.local_clock()))
            return list(self._border.take(*new, self.pulled_at))
        except StreamMismatch as error:
            assert self._inlet is not None
            self.search.refuse(self._inlet.stream)
            return [StreamRefused(str(error)), *self._lose("it was refused")]

    def _note_samples(self, inlet: Inlet) -> None:
        now = self._silent_since = time.monotonic()
        self._drop_second()
        if now > self._check_others_at:
            self._check_others_at = now + self.CHECK_OTHERS_EVERY_S
            self.search.note_other_streams(inlet.stream)

    def _moved(self, inlet: Inlet, *, busy: bool) -> list[SourceItem]:
        """Moves of a replay. It waits for us to read its samples before a move, so samples come first."""
        moves = self.replay.moves(inlet.clock.applied_s, busy=busy) if self.replay is not None else []
        for moved in moves:
            self._border.restart(moved.position.speed)
        return list(moves)

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
            self._border.connected_anew()
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
        self._found, self._ack, self.replay, self._mute_since = None, None, None, None
        self._retry_at = time.monotonic() + self.RETRY_S
