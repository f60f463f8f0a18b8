"""The start gate: the engine reads no sample before a recorder has started."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtbci.types import StreamInfo

WAIT_S = 15.0  # then the engine starts without the recorder
_POLL_S = 0.05


class StartGate:
    """Closed for each new source until `open`; open for a source that reconnects, since its recorder still runs."""

    def __init__(self) -> None:
        self.waiting: StreamInfo | None = None  # the stream that is not read yet
        self._known = ""

    def wait(self, info: StreamInfo, turn: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Wait until the gate is open, at most WAIT_S.

        Parameters
        ----------
        info
            The stream that was found.
        turn
            Called while waiting; it may open the gate or stop the engine.
        stopping
            Whether the engine is being stopped.
        """
        if info.source_id and info.source_id == self._known:
            return
        self.waiting, self._known = info, info.source_id
        deadline = time.monotonic() + WAIT_S
        while self.waiting is not None and not stopping() and time.monotonic() < deadline:
            turn()
            time.sleep(_POLL_S)
        self.waiting = None

    def open(self) -> None:
        """Let the waiting engine start."""
        self.waiting = None
