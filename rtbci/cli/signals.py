"""Signals that end a command, as a flag that is checked between two steps of the work."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Ctrl-C, a service manager, a terminal that was closed, and Ctrl-\.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
AGAIN_S = 0.3  # service managers and shells send several signals at once


class StopAsked:
    """Whether a signal has asked the command to end; calling it says so."""

    def __init__(self) -> None:
        self._first_at: float | None = None
        self._again = False

    def __call__(self) -> bool:
        return self._first_at is not None

    def again(self) -> bool:
        """Whether it was asked again later: it is to end at once."""
        return self._again

    def ask(self) -> None:
        """A signal has come."""
        if self._first_at is None:
            self._first_at = time.monotonic()
        elif time.monotonic() - self._first_at > AGAIN_S:
            self._again = True


@contextmanager
def stopped_by_signal(then: Callable[[], None] = lambda: None) -> Iterator[StopAsked]:
    """Ctrl-C, SIGTERM, SIGHUP and SIGQUIT set a flag (and call `then`) instead of raising anywhere; yields the flag.

    SIGHUP is left alone where it is ignored, as under nohup.
    """
    asked = StopAsked()

    def stop(*_: object) -> None:
        asked.ask()
        # From a thread: the signal may have come while this one holds a lock that `then` needs.
        threading.Thread(target=then, daemon=True).start()

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name) and not _is_ignored_hangup(name)]
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield asked
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _is_ignored_hangup(name: str) -> bool:
    return name == "SIGHUP" and signal.getsignal(getattr(signal, name)) == signal.SIG_IGN
