"""The start gate: an engine waits with its first sample until a recorder takes part."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtbci.types import StreamInfo

WAIT_S = 15.0  # a recorder that does not come keeps nobody waiting for longer
_TURN_S = 0.05


class StartGate:
    """Closed for each new source until `open`. A source that returns finds it open: its recorder does too."""

    def __init__(self) -> None:
        self.waiting: StreamInfo | None = None  # the stream that is not taken up yet
        self._known = ""

    def wait(self, info: StreamInfo, turn: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """turn: called while waiting; it may stop the engine, or open the gate."""
        if info.source_id and info.source_id == self._known:
            return
        self.waiting, self._known = info, info.source_id
        deadline = time.monotonic() + WAIT_S
        while self.waiting is not None and not stopping() and time.monotonic() < deadline:
            turn()
            time.sleep(_TURN_S)
        self.waiting = None

    def open(self) -> None:
        self.waiting = None
