"""How far a replay at full speed may run ahead of its consumers; the acknowledgements that tell it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pylsl
from pylsl.util import LostError

AHEAD_S = 60.0  # well within an inlet's default buffer of 360 s
UNACKNOWLEDGED_SPEED = 60.0
_FIRST_S = 1.0  # how long a consumer may take to bring its acknowledgements up
_JOINED_LATE_S = 5.0
_GRACE_S = 10.0  # without any progress at the end
_UNACKNOWLEDGED_GRACE_S = 2.0
_POLL_S = 0.001


@dataclass
class _Acknowledger:
    inlet: pylsl.StreamInlet
    missed: int | None  # what was sent before it joined; None: not known before its first word
    taken: int | None = None


class Flow:
    """Listens to acknowledgements of `source_id` and holds the sender back."""

    def __init__(self, source_id: str, sfreq: float) -> None:
        self.ahead = round(AHEAD_S * sfreq)
        self.sfreq = sfreq
        self._resolver = pylsl.ContinuousResolver(prop="source_id", value=f"{source_id}-ack", forget_after=5.0)
        self._by_uid: dict[str, _Acknowledger] = {}
        self._gone: set[str] = set()
        self._begun: float | None = None
        self._base = 0  # what was sent before the stream began, or came back
        self._next_look = 0.0

    def await_first(self, stop: threading.Event) -> None:
        """Give a consumer the time to bring its acknowledgements up."""
        deadline = pylsl.local_clock() + _FIRST_S
        while pylsl.local_clock() < deadline and not self._by_uid and not stop.wait(0.01):
            self._look(0)

    def begin_again(self, n_sent: int) -> None:
        """The stream came back: consumers that return with it count from here."""
        self._base, self._begun = n_sent, None

    def await_room(self, n_sent: int, stop: threading.Event) -> None:
        """Return when one more packet may be sent."""
        if self._begun is None:
            self._begun = pylsl.local_clock()
        # Looks only when out of room: a look costs more than a push.
        while n_sent >= self._allowed() and not stop.is_set():
            self._look(n_sent)
            stop.wait(_POLL_S)

    def await_taken(self, n_sent: int, have_consumers: Callable[[], bool], stop: threading.Event) -> None:
        """Return when all was taken, nobody is there, or nothing moved for a while."""
        last, since = self._taken(), pylsl.local_clock()
        while have_consumers() and not stop.is_set():
            self._look(n_sent)
            taken, now = self._taken(), pylsl.local_clock()
            if taken is not None and taken >= n_sent:
                return
            if taken != last:
                last, since = taken, now
            if now - since > (_UNACKNOWLEDGED_GRACE_S if taken is None else _GRACE_S):
                return
            stop.wait(_POLL_S)

    def _allowed(self) -> float:
        taken = self._taken()
        if taken is not None:
            return taken + self.ahead
        elapsed = pylsl.local_clock() - (self._begun or pylsl.local_clock())
        return float(self._base + self.ahead + UNACKNOWLEDGED_SPEED * elapsed * self.sfreq)

    def _taken(self) -> int | None:
        """By the slowest of those who acknowledge; None where nobody does."""
        counts = [a.taken + (a.missed or 0) for a in self._by_uid.values() if a.taken is not None]
        return min(counts, default=None)

    def _look(self, n_sent: int) -> None:
        now = pylsl.local_clock()
        if now >= self._next_look:
            self._next_look = now + 0.1
            self._find(now)
        for uid, acknowledger in list(self._by_uid.items()):
            try:
                counts, _ = acknowledger.inlet.pull_chunk(timeout=0.0)
            except LostError:
                self._gone.add(uid)
                del self._by_uid[uid]
                continue
            if len(counts):
                acknowledger.taken = int(counts[-1][0])
                if acknowledger.missed is None:
                    acknowledger.missed = max(0, n_sent - acknowledger.taken)

    def _find(self, now: float) -> None:
        for info in self._resolver.results():
            if info.uid() in self._by_uid or info.uid() in self._gone:
                continue
            inlet = pylsl.StreamInlet(info, recover=False)
            try:
                inlet.open_stream(timeout=1.0)
            except (TimeoutError, LostError):
                continue
            joined_late = self._begun is not None and now - self._begun > _JOINED_LATE_S
            self._by_uid[info.uid()] = _Acknowledger(inlet, None if joined_late else self._base)
