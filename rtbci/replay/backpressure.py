"""How far a replay at full speed may run ahead of its consumers; the acknowledgements that tell it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pylsl
from pylsl.util import LostError

AHEAD_S = 60.0  # well within an inlet's default buffer of 360 s
UNACKNOWLEDGED_SPEED = 60.0
_FIRST_S = 1.0  # how long a consumer may take to bring its acknowledgements up
_JOINED_LATE_S = 5.0
GRACE_S = 10.0  # without any progress at the end
UNACKNOWLEDGED_GRACE_S = 2.0
POLL_S = 0.001


@dataclass
class _Consumer:
    """said: samples that it has taken. missed: what was sent before it joined; `sure`, or the most it can have been."""

    inlet: pylsl.StreamInlet
    missed: int | None
    is_exact: bool
    n_acknowledged: int | None = None

    @property
    def taken(self) -> int | None:
        return None if self.n_acknowledged is None else self.n_acknowledged + (self.missed or 0)

    def update(self, n_acknowledged: int, n_sent: int) -> None:
        self.n_acknowledged = n_acknowledged
        if not self.is_exact:
            # What is on its way counts as missed too, so the least there ever was is the truth.
            missed = max(0, n_sent - n_acknowledged)
            self.missed = missed if self.missed is None else min(self.missed, missed)


class BackPressure:
    """Listens to the acknowledgements of one stream and says when there is room for more."""

    def __init__(self, rate: float) -> None:
        """rate: samples a second of the stream."""
        self.ahead = max(64, round(AHEAD_S * rate))
        self.rate = rate
        self._new: deque[pylsl.StreamInlet] = deque()  # from another thread
        self._consumers: list[_Consumer] = []
        self._begun: float | None = None
        self._base = 0  # what was sent before the stream began, or came back
        self._free = False  # consumers join whenever they like

    def add_consumer(self, inlet: pylsl.StreamInlet) -> None:
        """Another outlet of acknowledgements, opened; from any thread."""
        self._new.append(inlet)

    def await_first(self, stop: threading.Event) -> None:
        """Give a consumer the time to bring its acknowledgements up."""
        deadline = pylsl.local_clock() + _FIRST_S
        while pylsl.local_clock() < deadline and not self._consumers and not stop.wait(0.01):
            self.update(0)

    def begin_again(self, n_sent: int) -> None:
        """The stream came back, or is not paced any more: consumers that join count from here."""
        self._base, self._begun = n_sent, None

    def has_room(self, n_sent: int) -> bool:
        """Whether one more packet may be sent."""
        if self._begun is None:
            self._begun = pylsl.local_clock()
        # Looks only when out of room: a look costs more than a push.
        if n_sent >= self._allowed():
            self.update(n_sent)
        return n_sent < self._allowed()

    def n_in_flight(self, n_sent: int) -> int | None:
        """Samples that were sent and not yet taken, by the slowest; None where nobody acknowledges."""
        self.update(n_sent)
        taken = self._taken()
        return None if taken is None else max(0, n_sent - taken)

    def update(self, n_sent: int, *, paced: bool = False) -> None:
        """Hear what consumers say. paced: those that are new here joined at any moment."""
        while self._new:
            late = self._begun is not None and pylsl.local_clock() - self._begun > _JOINED_LATE_S
            is_estimate = late or paced
            self._consumers.append(_Consumer(self._new.popleft(), None if is_estimate else self._base, not is_estimate))
        for consumer in list(self._consumers):
            try:
                counts, _ = consumer.inlet.pull_chunk(timeout=0.0)
            except LostError:
                self._consumers.remove(consumer)
                continue
            if len(counts):
                consumer.update(int(counts[-1][0]), n_sent)

    def _allowed(self) -> float:
        taken = self._taken()
        if taken is not None:
            return taken + self.ahead
        elapsed = pylsl.local_clock() - (self._begun or pylsl.local_clock())
        return float(self._base + self.ahead + UNACKNOWLEDGED_SPEED * elapsed * self.rate)

    def _taken(self) -> int | None:
        """By the slowest of those who acknowledge; None where nobody does."""
        return min((a.taken for a in self._consumers if a.taken is not None), default=None)


def await_taken(
    out: Sequence[Callable[[], int | None]], stop: threading.Event, grace_s: float, silent_grace_s: float
) -> None:
    """Until consumers have taken all that was sent on each stream, or nothing has moved for `grace_s`.

    out: says for a stream how many samples are on their way, None where nobody tells; those have `silent_grace_s`.
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
