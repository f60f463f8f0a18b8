"""A consumer's link to a replay: its position, its moves, and commands to it; the other end is replay/remote_control.py."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pylsl

from rtbci.lsl.replay_key import VARIABLE
from rtbci.lsl.replay_protocol import SOURCE_ID, ReplayAddress, ReplayPosition, ack_id
from rtbci.lsl.replay_reports import ReplayReports
from rtbci.lsl.signed_lines import Signer


@dataclass(frozen=True, slots=True)
class ReplayMoved:
    """The replay was paused, resumed, sought or changed its speed, between the samples before this item and those after it.

    position.stamp is on the local clock. exact: no move before this one was missed. trusted: the report was signed.
    """

    position: ReplayPosition
    exact: bool = True
    trusted: bool = True


class SampleAcknowledger:
    """Acknowledges samples to a replay, so that it does not overtake its consumer, nor end before everything was read.

    Parameters
    ----------
    source_id
        Of the stream that is read.
    address
        Of its replay.
    key
        The replay's key.
    """

    def __init__(self, source_id: str, address: ReplayAddress, key: bytes) -> None:
        self._signer = Signer(key, address.ack_purpose(source_id))
        own_id = f"{ack_id(source_id)}{self._signer.badge}"
        self._outlet = pylsl.StreamOutlet(pylsl.StreamInfo(own_id, "rtbci-ack", 1, 0, "string", own_id))
        self._n = 0

    @classmethod
    def of(cls, source_id: str, address: ReplayAddress | None, key: bytes | None) -> SampleAcknowledger | None:
        """None for a stream that is no replay, or one whose key is not known here."""
        if address is None or key is None or not address.is_opened_by(key) or not SOURCE_ID.fullmatch(source_id):
            return None
        return cls(source_id, address, key)

    def acknowledge(self, n: int) -> None:
        """Acknowledge n more samples."""
        self._n += n
        self._signer.push(self._outlet, str(self._n))


class ReplayLink:
    """The control connection to a replay, opened step by step as an Inlet is; never waits for the network.

    It must be ready before the first sample is read, so that no move is missed. Where the replay's key is known here, only
    reports that are signed with it count, and commands are sent. Where it is not, reports are followed but not believed
    (`is_trusted`), and nothing is sent.

    Parameters
    ----------
    address
        Of the replay.
    key
        The key that is known here, if any.
    """

    READY_S = 2.0  # then a replay that reports no position is read without one
    ALIVE_S = 2.0  # heartbeat timeout: a replay reports a few times a second
    COMMAND_TIMEOUT_S = 5.0  # how long a command waits for a replay that has not connected to our outlet yet
    READ_EVERY_S = 0.1
    MOST_UNSENT = 100

    def __init__(self, address: ReplayAddress, key: bytes | None) -> None:
        self.position: ReplayPosition | None = None  # the newest; its stamp is on the sender's clock
        self.is_trusted = key is not None and address.is_opened_by(key)
        self._reports = ReplayReports(address, key if self.is_trusted else None)
        self._signer = Signer(key, address.command_purpose) if key is not None and self.is_trusted else None
        self._control_id = address.control_id
        self._began = time.monotonic()
        self._reported_at = 0.0
        self._control_outlet: pylsl.StreamOutlet | None = None
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

    @property
    def trouble(self) -> str:
        """Why it can neither be believed nor commanded; empty while it can."""
        if self.is_trusted:
            return ""
        return (
            "the key of this replay is not known here: anybody could have sent its reports, so a pause silences the stale "
            f"alarm for a minute at most, and no command is sent to it; {VARIABLE} gives the key, which the replay names"
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
                moved = replace(position, stamp=position.stamp + offset_s)
                found.append(ReplayMoved(moved, exact, self.is_trusted))
        if found:
            self.send_command(f"heard {found[-1].position.id}")
        self._send_pending()
        return found

    def send_command(self, line: str) -> None:
        """Send a command of GRAMMAR (rtbci/lsl/replay_protocol.py) as soon as the replay has connected; with its key only."""
        if self._signer is not None and len(self._unsent) < self.MOST_UNSENT:
            self._unsent.append((time.monotonic() + self.COMMAND_TIMEOUT_S, line))
            self._send_pending()

    def _send_pending(self) -> None:
        if self._unsent and self._control_outlet is not None and self._control_outlet.have_consumers():
            assert self._signer is not None
            now, pending = time.monotonic(), self._unsent
            self._unsent = []
            for until, line in pending:
                if now < until:
                    self._signer.push(self._control_outlet, line)

    def open_again(self) -> None:
        """Reconnect, because the connection hangs. Moves that were missed show in the number of the next one."""
        self._reports.open_again()

    def close(self) -> None:
        """Disconnect."""
        self._reports.close()
        self._control_outlet = None

    def _read_reports(self) -> list[tuple[ReplayPosition | None, ReplayPosition]]:
        """New reports, each with the one before it."""
        reports = []
        for position in self._reports.read():
            reports.append((self.position, position))
            self.position, self._reported_at = position, time.monotonic()
        if reports and self._control_outlet is None and self._signer is not None:
            # Only now: at each move a replay waits for every controller that it knows to acknowledge.
            own_id = f"{self._control_id}{self._signer.badge}"
            self._control_outlet = pylsl.StreamOutlet(pylsl.StreamInfo(own_id, "rtbci-control", 1, 0, "string", own_id))
            self.send_command(f"heard {reports[-1][1].id}")  # from now on it waits for us
        self._send_pending()
        return reports
