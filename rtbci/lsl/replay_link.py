"""A consumer's link to a replay: its position, its moves, and commands to it; the other end is replay/remote_control.py."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as NotYet

from rtbci.lsl.inlet import pull_texts
from rtbci.lsl.replay_protocol import ReplayPosition
from rtbci.recordings.description import Description


@dataclass(frozen=True, slots=True)
class ReplayMoved:
    """The replay was paused, resumed, sought or changed its speed, between the samples before this item and those after it.

    position.stamp is on the local clock. exact: no move before this one was missed.
    """

    position: ReplayPosition
    exact: bool = True


class SampleAcknowledger:
    """Acknowledges samples to a replay, so that it does not overtake its consumer, nor end before everything was read."""

    def __init__(self, info: Description) -> None:
        about = pylsl.StreamInfo(f"{info.name}-ack", "rtbci-ack", 1, 0, "int64", f"{info.source_id}-ack")
        self._outlet = pylsl.StreamOutlet(about)
        self._n = 0

    def acknowledge(self, n: int) -> None:
        """Acknowledge n more samples."""
        self._n += n
        self._outlet.push_sample([self._n])


class ReplayLink:
    """The control connection to a replay, opened step by step as an Inlet is; never waits for the network.

    It must be ready before the first sample is read, so that no move is missed.

    Parameters
    ----------
    position_id
        Source id of the outlet on which the replay reports its position.
    """

    READY_S = 2.0  # then a replay that reports no position is read without one
    ALIVE_S = 2.0  # heartbeat timeout: a replay reports a few times a second
    COMMAND_TIMEOUT_S = 5.0  # how long a command waits for a replay that has not connected to our outlet yet
    READ_EVERY_S = 0.1

    def __init__(self, position_id: str) -> None:
        self.position: ReplayPosition | None = None  # the newest; its stamp is on the sender's clock
        self._position_id = position_id
        self._began = time.monotonic()
        self._reported_at = 0.0
        self._resolver: Any = pylsl.ContinuousResolver(prop="source_id", value=position_id, forget_after=5.0)
        self._inlet: Any = None
        self._is_open = False
        self._control_outlet: Any = None
        self._unsent: list[tuple[float, str]] = []  # (deadline, command)
        self._read_due = 0.0

    def is_ready(self) -> bool:
        """Whether its position is known, or the replay reports none."""
        self._read_reports()
        return self.position is not None or time.monotonic() - self._began > self.READY_S

    @property
    def is_paused(self) -> bool:
        """Whether it reports that it is paused, and still sends its heartbeat."""
        return (
            self.position is not None and self.position.paused and time.monotonic() - self._reported_at < self.ALIVE_S
        )

    def moves(self, offset_s: float, *, busy: bool = False) -> list[ReplayMoved]:
        """The moves since the last call.

        Parameters
        ----------
        offset_s
            What to add to the replay's stamps to have them on the local clock.
        busy
            Whether samples are waiting: then reports are read only every READ_EVERY_S.
        """
        now = time.monotonic()
        if busy and now < self._read_due:
            return []
        self._read_due = now + self.READ_EVERY_S
        found = []
        for before, position in self._read_reports():
            if before is None or position.id != before.id:
                exact = before is not None and position.id == before.id + 1
                found.append(ReplayMoved(replace(position, stamp=position.stamp + offset_s), exact))
        if found:
            self.send_command(f"heard {found[-1].position.id}")
        self._send_pending()
        return found

    def send_command(self, line: str) -> None:
        """Send a command of GRAMMAR (rtbci/lsl/replay_protocol.py) as soon as the replay has connected."""
        self._unsent.append((time.monotonic() + self.COMMAND_TIMEOUT_S, line))
        self._send_pending()

    def _send_pending(self) -> None:
        if self._unsent and self._control_outlet is not None and self._control_outlet.have_consumers():
            now, pending = time.monotonic(), self._unsent
            self._unsent = []
            for until, line in pending:
                if now < until:
                    self._control_outlet.push_sample([line])

    def open_again(self) -> None:
        """Reconnect, because the connection hangs. Moves that were missed show in the number of the next one."""
        self._inlet, self._is_open = None, False

    def close(self) -> None:
        """Disconnect."""
        if self._inlet is not None:
            self._inlet.close_stream()
        self._inlet = self._resolver = self._control_outlet = None

    def _read_reports(self) -> list[tuple[ReplayPosition | None, ReplayPosition]]:
        """New reports, each with the one before it."""
        reports = []
        try:
            if not (self._is_open or self._open()):
                return []
            lines = pull_texts(self._inlet)
        except LostError:
            self._inlet, self._is_open = None, False
            return []
        for line, stamp in lines:
            try:
                position = ReplayPosition.from_json(line, stamp)
            except ValueError:
                continue  # not a report of a replay
            reports.append((self.position, position))
            self.position, self._reported_at = position, time.monotonic()
        return reports

    def _open(self) -> bool:
        if self._inlet is None:
            found = self._resolver.results() if self._resolver is not None else []
            found = [s for s in found if s.channel_format() == pylsl.cf_string and s.channel_count() == 1]
            found = [s for s in found if not s.nominal_srate()]
            if not found:
                return False
            self._inlet = pylsl.StreamInlet(max(found, key=lambda s: s.created_at()), recover=False)
        try:
            self._inlet.open_stream(timeout=0.0)
        except NotYet:
            return False
        self._is_open = True
        if self._control_outlet is None:
            # Only now: at each move a replay waits for every controller that it knows to acknowledge.
            name = f"{self._position_id.removesuffix('-position')}-control"
            self._control_outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "rtbci-control", 1, 0, "string", name))
        return True
