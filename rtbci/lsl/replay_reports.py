"""A replay's reports of its position, from whichever of the streams that claim to bring them is genuine."""

from __future__ import annotations

import time
from typing import Any

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as NotYet

from rtbci.lsl.discovery import predicate
from rtbci.lsl.inlet import pull_texts
from rtbci.lsl.replay_protocol import ReplayAddress, ReplayPosition
from rtbci.lsl.signed_lines import Verifier, unsigned

_MOST_INLETS = 4
_MOST_REFUSED = 1000
_FIND_EVERY_S = 0.1
_SILENT_S = 1.0  # a replay reports four times a second
_BUFFER_S = 1  # liblsl keeps 100 reports for each of these
_MOST_LINES = 64  # in one read


class ReplayReports:
    """Reads the reports; never waits for the network.

    Parameters
    ----------
    address
        Of the replay.
    key
        Its key; None where it is not known: then reports count as they come, as long as one stream alone brings them.
    """

    def __init__(self, address: ReplayAddress, key: bytes | None) -> None:
        self._id = address.position_id
        self._verifier = Verifier(key, address.position_purpose) if key is not None else None
        self._resolver: Any = pylsl.ContinuousResolver(pred=predicate({"source_id": self._id}), forget_after=5.0)
        self._inlets: dict[str, pylsl.StreamInlet] = {}
        self._open: set[str] = set()
        self._refused: set[str] = set()
        # When each stream that is listened to was found, or last brought a report.
        self._heard_at: dict[str, float] = {}
        self._passed: set[str] = set()  # were listened to, and brought none
        self._find_due = 0.0

    def read(self) -> list[ReplayPosition]:
        """New reports, in order."""
        now = time.monotonic()
        lines = [(uid, line) for uid in list(self._inlets) for line in self._pull(uid)]
        self._heard_at.update(dict.fromkeys((uid for uid, _ in lines), now))
        if now >= self._find_due:
            self._find_due = now + _FIND_EVERY_S
            self._find(now)
        if self._verifier is None and len(self._inlets) > 1:
            return []  # which of them is the replay's, nobody can tell
        return [position for uid, line in lines if (position := self._position(uid, line)) is not None]

    def open_again(self) -> None:
        """Forget all connections, and make them anew."""
        self._inlets, self._open, self._refused = {}, set(), set()
        self._heard_at, self._passed = {}, set()

    def close(self) -> None:
        """Disconnect and stop searching."""
        for inlet in self._inlets.values():
            inlet.close_stream()
        self._inlets, self._resolver = {}, None

    def _find(self, now: float) -> None:
        """Listen to what claims to bring the reports: to those first that were not listened to yet."""
        found = (
            [info for info in self._resolver.results() if self._is_candidate(info)]
            if self._resolver is not None
            else []
        )
        self._passed &= {info.uid() for info in found}
        for info in sorted(found, key=lambda info: info.uid() in self._passed):
            if len(self._inlets) < _MOST_INLETS or self._drop_silent(now):
                self._inlets[info.uid()] = pylsl.StreamInlet(info, max_buflen=_BUFFER_S, recover=False)
                self._heard_at[info.uid()] = now

    def _is_candidate(self, info: Any) -> bool:
        is_text = info.channel_format() == pylsl.cf_string and info.channel_count() == 1 and not info.nominal_srate()
        is_new = info.uid() not in self._inlets and info.uid() not in self._refused
        return is_new and is_text and info.source_id() == self._id and info.type() == "rtbci-position"

    def _drop_silent(self, now: float) -> bool:
        """Whether a stream that has brought nothing for a while has made room for another one."""
        silent = [uid for uid in self._inlets if now - self._heard_at[uid] > _SILENT_S]
        for uid in silent[:1]:
            self._drop(uid)
            self._passed.add(uid)
        return bool(silent)

    def _pull(self, uid: str) -> list[str]:
        inlet = self._inlets[uid]
        try:
            if uid not in self._open:
                inlet.open_stream(timeout=0.0)
                self._open.add(uid)
            return [line for line, _ in pull_texts(inlet, _MOST_LINES)]
        except NotYet:
            return []
        except LostError:
            self._drop(uid)
            return []

    def _position(self, uid: str, line: str) -> ReplayPosition | None:
        text = unsigned(line)
        if self._verifier is not None:
            read = self._verifier.read(line, uid)
            if read is None and not self._verifier.is_genuine(line, uid):
                self._drop(uid)
                if len(self._refused) < _MOST_REFUSED:
                    self._refused.add(uid)
            text = read[1] if read is not None else ""
        try:
            return ReplayPosition.from_json(text) if text else None
        except ValueError:
            return None  # not a report of a replay

    def _drop(self, uid: str) -> None:
        self._inlets.pop(uid, None)
        self._heard_at.pop(uid, None)
        self._open.discard(uid)
