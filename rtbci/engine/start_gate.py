"""Holding the engine at a stream's door until a recorder is there, so that its first sample is in the file."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtbci.types import StreamInfo

HOLD_S = 15.0  # a recorder that does not come holds nobody up for longer
_TURN_S = 0.05


class Hold:
    """Closed for each new source; `release` opens it. A source that returns finds it open: its recorder does too."""

    def __init__(self) -> None:
        self.waiting: StreamInfo | None = None  # the stream at whose door the engine waits
        self._known = ""

    def wait(self, info: StreamInfo, turn: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """turn: called while waiting; it may stop the engine, or release."""
        if info.source_id and info.source_id == self._known:
            return
        self.waiting, self._known = info, info.source_id
        deadline = time.monotonic() + HOLD_S
        while self.waiting is not None and not stopping() and time.monotonic() < deadline:
            turn()
            time.sleep(_TURN_S)
        self.waiting = None

    def release(self) -> None:
        self.waiting = None
