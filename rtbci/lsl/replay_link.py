"""A replay, as its consumer sees it: where it is, what it did, what it is told (rtbci/replay/remote_control.py answers)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as NotYet

from rtbci.lsl.inlet import pull_texts
from rtbci.lsl.replay_protocol import ReplayPosition
from rtbci.types import StreamInfo


@dataclass(frozen=True, slots=True)
class ReplayMoved:
    """A replay that we read stood still, went on, changed its speed, or went elsewhere: between the samples before this
    item and those after it. place.stamp is on the local clock. exact: no other move is known to have been missed.
    """

    position: ReplayPosition
    exact: bool = True


class SampleAcknowledger:
    """Tells a replay how many samples were taken, so that it never outruns us, nor ends before we have it all."""

    def __init__(self, info: StreamInfo) -> None:
        about = pylsl.StreamInfo(f"{info.name}-ack", "rtbci-ack", 1, 0, "int64", f"{info.source_id}-ack")
        self._outlet = pylsl.StreamOutlet(about)
        self._n = 0

    def took(self, n: int) -> None:
        self._n += n
        self._outlet.push_sample([self._n])


class ReplayLink:
    """Found and opened step by step, as an inlet is: nothing here waits for the network.

    To be ready before the first sample is taken, so that no move comes between unheard.
    """

    READY_S = 2.0  # a replay that does not tell where it is has no more than its description
    ALIVE_S = 2.0  # it tells a few times a second
    COMMAND_TIMEOUT_S = 5.0  # how long a line waits for a replay that has not found our voice yet
    READ_EVERY_S = 0.1

    def __init__(self, position_id: str) -> None:
        """position_id: source id of the outlet that tells its place."""
        self.position: ReplayPosition | None = None  # the newest; stamped with the sender's clock
        self._position_id = position_id
        self._began = time.monotonic()
        self._reported_at = 0.0
        self._resolver: Any = pylsl.ContinuousResolver(prop="source_id", value=position_id, forget_after=5.0)
        self._inlet: Any = None
        self._is_open = False
        self._control_outlet: Any = None
        self._unsent: list[tuple[float, str]] = []  # until when, and what
        self._read_due = 0.0

    def is_ready(self) -> bool:
        """Whether its place is known, or is not going to be."""
        self._read_reports()
        return self.position is not None or time.monotonic() - self._began > self.READY_S

    @property
    def is_paused(self) -> bool:
        """It says so, and lives."""
        return (
            self.position is not None and self.position.paused and time.monotonic() - self._reported_at < self.ALIVE_S
        )

    def moves(self, offset_s: float, *, busy: bool = False) -> list[ReplayMoved]:
        """What it did since. offset_s: of its clock against ours; busy: there is better to do, so only now and then."""
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
        """A line of its grammar."""
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
        """Its connection hangs. What it told meanwhile is lost, and its next word shows that."""
        self._inlet, self._is_open = None, False

    def close(self) -> None:
        if self._inlet is not None:
            self._inlet.close_stream()
        self._inlet = self._resolver = self._control_outlet = None

    def _read_reports(self) -> list[tuple[ReplayPosition | None, ReplayPosition]]:
        """What it told, each with what it had told before."""
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
                continue  # not a replay's
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
            # Not before we hear it: a replay that knows us waits for us to have heard.
            name = f"{self._position_id.removesuffix('-position')}-control"
            self._control_outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "rtbci-control", 1, 0, "string", name))
        return True
