"""Back-pressure of an unpaced replay: how far it may run ahead of the acknowledgements of its consumers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pylsl
from pylsl.util import LostError

from rtbci.lsl.inlet import pull_texts
from rtbci.lsl.signed_lines import Verifier

AHEAD_S = 60.0  # well within an inlet's default buffer of 360 s
UNACKNOWLEDGED_SPEED = 60.0
_FIRST_S = 1.0  # how long a consumer may take to open its outlet of acknowledgements
_JOINED_LATE_S = 5.0
GRACE_S = 10.0  # grace period at the end, without any progress
UNACKNOWLEDGED_GRACE_S = 2.0
POLL_S = 0.001
_MOST_TRIED = 8  # lines of one read: the newest one counts


@dataclass
class _Consumer:
    """A consumer that acknowledges.

    n_acknowledged: samples that it has read. missed: samples that were sent before it connected; if not `is_exact`, the
    smallest upper bound so far.
    """

    inlet: pylsl.StreamInlet
    uid: str
    verifier: Verifier
    missed: int | None
    is_exact: bool
    n_acknowledged: int | None = None

    @property
    def taken(self) -> int | None:
        """Samples of the replay that it has read or missed; None before its first acknowledgement."""
        return None if self.n_acknowledged is None else self.n_acknowledged + (self.missed or 0)

    def read(self) -> int | None:
        """The newest acknowledgement, if there is one. Raises LostError."""
        lines = [line for line, _ in pull_texts(self.inlet)]
        for line in lines[: -1 - _MOST_TRIED : -1]:
            read = self.verifier.read(line, self.uid)
            if read is not None and read[1].isdecimal() and len(read[1]) < 16:
                return int(read[1])
        return None

    def update(self, n_acknowledged: int, n_sent: int) -> None:
        """Take a new acknowledgement."""
        self.n_acknowledged = n_acknowledged
        if not self.is_exact:
            # The difference includes samples in flight, so the smallest one seen is the best estimate.
            missed = max(0, n_sent - n_acknowledged)
            self.missed = missed if self.missed is None else min(self.missed, missed)


class BackPressure:
    """Reads the acknowledgements of one stream, and decides whether more samples may be sent.

    Parameters
    ----------
    rate
        Samples per second of the stream.
    """

    def __init__(self, rate: float) -> None:
        self.ahead = max(64, round(AHEAD_S * rate))
        self.rate = rate
        self._new: deque[tuple[pylsl.StreamInlet, str, Verifier]] = deque()  # from another thread
        self._consumers: list[_Consumer] = []
        self._begun: float | None = None
        self._base = 0  # samples that were sent before the stream began, or returned

    def add_consumer(self, inlet: pylsl.StreamInlet, uid: str, verifier: Verifier) -> None:
        """Add an open inlet of the acknowledgements of an outlet, of which only signed ones count; from any thread."""
        self._new.append((inlet, uid, verifier))

    def await_first(self, stop: threading.Event) -> None:
        """Wait up to _FIRST_S for the first consumer that acknowledges."""
        deadline = pylsl.local_clock() + _FIRST_S
        while pylsl.local_clock() < deadline and not self._consumers and not stop.wait(0.01):
            self.update(0)

    def begin_again(self, n_sent: int) -> None:
        """The stream returned, or is no longer paced: consumers that connect now count from here."""
        self._base, self._begun = n_sent, None

    def has_room(self, n_sent: int) -> bool:
        """Whether one more packet may be sent."""
        if self._begun is None:
            self._begun = pylsl.local_clock()
        # Reads acknowledgements only when out of room: that costs more than a push.
        if n_sent >= self._allowed():
            self.update(n_sent)
        return n_sent < self._allowed()

    def n_in_flight(self, n_sent: int) -> int | None:
        """Samples that were sent and that the slowest consumer has not read; None if no consumer acknowledges."""
        self.update(n_sent)
        taken = self._taken()
        return None if taken is None else max(0, n_sent - taken)

    def update(self, n_sent: int, *, paced: bool = False) -> None:
        """Read new acknowledgements. paced: consumers may have connected at any time, so their first counts are estimates."""
        while self._new:
            late = self._begun is not None and pylsl.local_clock() - self._begun > _JOINED_LATE_S
            is_estimate = late or paced
            inlet, uid, verifier = self._new.popleft()
            self._consumers.append(
                _Consumer(inlet, uid, verifier, None if is_estimate else self._base, not is_estimate)
            )
        for consumer in list(self._consumers):
            try:
                count = consumer.read()
            except LostError:
                self._consumers.remove(consumer)
                continue
            if count is not None:
                consumer.update(count, n_sent)

    def _allowed(self) -> float:
        taken = self._taken()
        if taken is not None:
            return taken + self.ahead
        elapsed = pylsl.local_clock() - (self._begun or pylsl.local_clock())
        return float(self._base + self.ahead + UNACKNOWLEDGED_SPEED * elapsed * self.rate)

    def _taken(self) -> int | None:
        """By the slowest consumer that acknowledges; None if none does."""
        return min((a.taken for a in self._consumers if a.taken is not None), default=None)


def await_taken(
    out: Sequence[Callable[[], int | None]], stop: threading.Event, grace_s: float, silent_grace_s: float
) -> None:
    """Wait until consumers have read everything that was sent, or there was no progress for a grace period.

    Parameters
    ----------
    out
        One function for each stream: samples in flight, None if no consumer acknowledges.
    stop
        Ends the wait.
    grace_s, silent_grace_s
        Grace periods of streams with and without acknowledgements.
    """
    last: list[int | None] = []
    since = pylsl.local_clock()
    while not stop.is_set():
        left = [n_in_flight() for n_in_flight in out]
        now = pylsl.local_clock()
        if left != last:
            last, since = left, now
        waits = [grace_s if n else silent_grace_s for n in left if n != 0]
        if not waits or now - since > max(waits):
            return
        stop.wait(POLL_S)
