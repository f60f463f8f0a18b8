"""The remote control of a replay over LSL: reports of its position, commands to it, and acknowledgements of samples.

Beside its streams a replay has an outlet of type `rtbci-position` (text; its source id is that of the first stream with
`-position` added; each stream's description names it under replay/position). Each sample is a ReplayPosition as JSON: a
few times a second, and at each move. A controller opens an outlet of type `rtbci-control` (text; its source id is that of the
first stream with `-control-` and its badge added) and pushes commands of replay_protocol.GRAMMAR. It acknowledges move N by
`heard N`, for which the replay waits (at most MOVE_TIMEOUT_S) before it sends the first sample after the move.

LSL protects nothing: anybody on the network can open such outlets, and read all of them. So every line is signed with the
replay's key (lsl/signed_lines.py, lsl/replay_key.py); what is not signed is neither obeyed nor waited for.
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
from rtbci.lsl.replay_protocol import ReplayAddress, ReplayPosition, ack_id
from rtbci.lsl.signed_lines import Signer, Verifier
from rtbci.replay.backpressure import BackPressure
from rtbci.replay.transport import Transport
from rtbci.text import one_line

MOVE_TIMEOUT_S = 2.0
REPORT_EVERY_S = 0.25
_LISTEN_EVERY_S = 0.02
_FIND_EVERY_S = 0.1
_OPEN_S = 5.0
_MOST_OF_ONE = 4  # streams that show one badge, which is easily copied
_BUFFER_S = 10  # liblsl keeps 100 lines for each of these
_WANTED = "(type='rtbci-ack' or type='rtbci-control') and starts-with(source_id,'rtbci-replay-')"


class RemoteControl:
    """Finds controllers, reads commands and reports the position, in a thread of its own so that the sender never waits.

    Parameters
    ----------
    address
        Of the replay.
    key
        Its key.
    transport
        Takes the commands.
    back_pressures
        By the source id of each stream; they get the acknowledgements.
    """

    def __init__(
        self, address: ReplayAddress, key: bytes, transport: Transport, back_pressures: Mapping[str, BackPressure]
    ) -> None:
        self._transport = transport
        self._control_id = address.control_id
        self._commands = Verifier(key, address.command_purpose)
        self._acks = {
            ack_id(of): (Verifier(key, address.ack_purpose(of)), back_pressure)
            for of, back_pressure in back_pressures.items()
        }
        self._signer = Signer(key, address.position_purpose)
        about = pylsl.StreamInfo(address.position_id, "rtbci-position", 1, 0, "string", address.position_id)
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(about)
        self._resolver = pylsl.ContinuousResolver(pred=_WANTED, forget_after=5.0)
        self._opening: dict[str, tuple[float, str, pylsl.StreamInlet]] = {}  # by uid: (since, source id, inlet)
        self._known: dict[str, str] = {}  # badge of each uid that was taken
        self._controllers: dict[str, pylsl.StreamInlet] = {}
        self._seen_moves: dict[str, int] = {}  # the newest move that each sender of commands has acknowledged
        self._stranger_told = False
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
            if all(seen >= position.id for seen in list(self._seen_moves.values())):
                return
            time.sleep(0.002)
        for sender, seen in list(self._seen_moves.items()):
            if seen < position.id:
                self._seen_moves.pop(sender, None)  # gone, or not listening; waited for again when it speaks

    def close(self) -> None:
        """Close the outlet and end the thread."""
        self._over.set()
        self._thread.join(2.0)
        self._outlet = None

    def _push(self, position: ReplayPosition) -> None:
        if self._outlet is not None:
            self._signer.push(self._outlet, position.to_json(), position.stamp)

    def _run(self) -> None:
        find_due = report_due = 0.0
        while not self._over.wait(_LISTEN_EVERY_S):
            now = time.monotonic()
            if now >= find_due:
                find_due = now + _FIND_EVERY_S
                self._find(now)
            if now >= report_due:
                report_due = now + REPORT_EVERY_S
                with self._push_lock:
                    self._push(self._transport.announcement())
            for uid in list(self._opening):
                self._open(uid, now)
            for uid in list(self._controllers):
                self._listen(uid)

    def _find(self, now: float) -> None:
        """Begin to open the streams whose source id ends with a badge that was made with the key."""
        for info in self._resolver.results():
            uid, source_id = info.uid(), info.source_id()
            if uid in self._known or info.channel_count() != 1 or info.nominal_srate():
                continue
            prefix, verifier = self._prefix(source_id)
            if verifier is None or info.channel_format() != pylsl.cf_string:
                continue
            badge = source_id[len(prefix) :]
            if not verifier.knows(badge):
                self._tell_of_stranger(info.hostname())
            elif list(self._known.values()).count(badge) < _MOST_OF_ONE:
                self._known[uid] = badge
                self._opening[uid] = now, source_id, pylsl.StreamInlet(info, max_buflen=_BUFFER_S, recover=False)

    def _prefix(self, source_id: str) -> tuple[str, Verifier | None]:
        if source_id.startswith(self._control_id):
            return self._control_id, self._commands
        for prefix, (verifier, _) in self._acks.items():
            if source_id.startswith(prefix):
                return prefix, verifier
        return "", None

    def _open(self, uid: str, now: float) -> None:
        since, source_id, inlet = self._opening[uid]
        try:
            inlet.open_stream(timeout=0.0)
        except (NotYet, LostError) as error:
            if isinstance(error, LostError) or now - since > _OPEN_S:
                del self._opening[uid], self._known[uid]
            return
        del self._opening[uid]
        prefix, verifier = self._prefix(source_id)
        if prefix == self._control_id:
            self._controllers[uid] = inlet
        elif verifier is not None:
            self._acks[prefix][1].add_consumer(inlet, uid, verifier)

    def _listen(self, uid: str) -> None:
        try:
            lines = pull_texts(self._controllers[uid], max_samples=64)
        except LostError:
            del self._controllers[uid]
            sender = self._known.pop(uid).partition("-")[0]
            if not any(badge.startswith(sender) for badge in self._known.values()):
                self._seen_moves.pop(sender, None)
            return
        for line, _ in lines:
            if (read := self._commands.read(line, uid)) is not None:
                self._take_line(*read)

    def _take_line(self, sender: str, line: str) -> None:
        word, _, number = line.partition(" ")
        if word == "heard":
            self._seen_moves[sender] = int(number) if number.isdecimal() and len(number) < 19 else -1
            return
        try:
            self._transport.obey(line, may_quit=False)
        except ConfigError as error:
            sys.stderr.write(f"a controller sent: {one_line(str(error))}\n")

    def _tell_of_stranger(self, hostname: str) -> None:
        if not self._stranger_told:
            self._stranger_told = True
            sys.stderr.write(f"a program on {one_line(hostname)} without the key of this replay is not obeyed\n")
