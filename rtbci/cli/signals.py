"""Ctrl-C and SIGTERM as a flag that is checked between two steps of the work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signal(then: Callable[[], None] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM set a flag (and call `then`) instead of raising anywhere; yields a function that returns it."""
    asked = []

    def stop(*_: object) -> None:
        asked.append(True)
        # From a thread: the signal may have come while this one holds a lock that `then` needs.
        threading.Thread(target=then).start()

    signals = [signal.SIGINT, signal.SIGTERM]
    before = [signal.signal(number, stop) for number in signals]
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
