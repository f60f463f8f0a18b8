"""The remote control of a replay over LSL: reports of its position, commands to it, and acknowledgements of samples.

Beside its streams a replay has an outlet of type `rtbci-position` (text; its source id is that of the first stream with
`-position` added; each stream's description names it under replay/position). Each sample is a ReplayPosition as JSON: a
few times a second, and at each move. A controller opens an outlet of type `rtbci-control` (text, source id with `-control`
added) and pushes commands of replay_protocol.GRAMMAR. It acknowledges move N by `heard N`, for which the replay waits (at
most MOVE_TIMEOUT_S) before it sends the first sample after the move.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as NotYet

from rtbci.errors import ConfigError
from rtbci.lsl.inlet import pull_texts
from rtbci.lsl.replay_protocol import ReplayPosition, position_id
from rtbci.replay.backpressure import BackPressure
from rtbci.replay.transport import Transport
from rtbci.text import one_line

MOVE_TIMEOUT_S = 2.0
REPORT_EVERY_S = 0.25
_LISTEN_EVERY_S = 0.02
_FIND_EVERY_S = 0.1
_WANTED = "(type='rtbci-ack' or type='rtbci-control') and starts-with(source_id,'rtbci-replay-')"


class RemoteControl:
    """Finds controllers, reads commands and reports the position, in a thread of its own so that the sender never waits.

    Parameters
    ----------
    source_id
        Of the replay's first stream.
    transport
        Takes the commands.
    back_pressures
        By the source id of each stream; they get the acknowledgements.
    """

    def __init__(self, source_id: str, transport: Transport, back_pressures: Mapping[str, BackPressure]) -> None:
        self._transport = transport
        self._control = f"{source_id}-control"
        self._back_pressures = {f"{of}-ack": back_pressure for of, back_pressure in back_pressures.items()}
        about = pylsl.StreamInfo(position_id(source_id), "rtbci-position", 1, 0, "string", position_id(source_id))
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(about)
        self._resolver = pylsl.ContinuousResolver(pred=_WANTED, forget_after=5.0)
        self._known: set[str] = set()
        self._controllers: dict[str, pylsl.StreamInlet] = {}
        self._seen_moves: dict[str, int] = {}  # the newest move that each controller has acknowledged
        self._push_lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtbci-remote", daemon=True)
        self._thread.start()

    def announce(self, position: ReplayPosition) -> None:
        """Report a move; returns when all controllers have acknowledged it, or after MOVE_TIMEOUT_S."""
        with self._push_lock:
            self._push(position)
        deadline = time.monotonic() + MOVE_TIMEOUT_S
        while time.monotonic() < deadline and not self._transport.stop.is_set():
            if all(self._seen_moves.get(uid, -1) >= position.id for uid in list(self._controllers)):
                return
            time.sleep(0.002)

    def close(self) -> None:
        """Close the outlet and end the thread."""
        self._over.set()
        self._thread.join(2.0)
        self._outlet = None

    def _push(self, position: ReplayPosition) -> None:
        if self._outlet is not None:
            self._outlet.push_sample([position.to_json()], position.stamp)

    def _run(self) -> None:
        find_due = report_due = 0.0
        while not self._over.wait(_LISTEN_EVERY_S):
            now = time.monotonic()
            if now >= find_due:
                find_due = now + _FIND_EVERY_S
                self._find()
            if now >= report_due:
                report_due = now + REPORT_EVERY_S
                with self._push_lock:
                    self._push(self._transport.announcement())
            for uid in list(self._controllers):
                self._listen(uid)

    def _find(self) -> None:
        for info in self._resolver.results():
            uid, source_id = info.uid(), info.source_id()
            if uid in self._known or info.channel_count() != 1 or info.nominal_srate():
                continue
            if source_id != self._control and source_id not in self._back_pressures:
                continue
            inlet = pylsl.StreamInlet(info, recover=False)
            try:
                inlet.open_stream(timeout=1.0)
            except (NotYet, LostError):
                continue
            self._known.add(uid)
            if source_id == self._control and info.channel_format() == pylsl.cf_string:
                self._controllers[uid] = inlet
            elif source_id in self._back_pressures and info.channel_format() == pylsl.cf_int64:
                self._back_pressures[source_id].add_consumer(inlet)

    def _listen(self, uid: str) -> None:
        try:
            lines = pull_texts(self._controllers[uid], max_samples=64)
        except LostError:
            del self._controllers[uid]
            return
        for line, _ in lines:
            self._take_line(uid, line)

    def _take_line(self, uid: str, line: str) -> None:
        word, _, number = line.partition(" ")
        if word == "heard":
            self._seen_moves[uid] = int(number) if number.isdecimal() and len(number) < 19 else -1
            return
        try:
            self._transport.obey(line, may_quit=False)
        except ConfigError as error:
            sys.stderr.write(f"a controller sent: {one_line(str(error))}\n")
