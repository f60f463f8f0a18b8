"""Whether an engine still answers: it renews its state ten times a second."""

from __future__ import annotations

import time

from rtbci.monitor.messages import EngineState, WarningLine


class Heartbeat:
    """The newest state of an engine, marked stale where it was not renewed for TIMEOUT_S."""

    TIMEOUT_S = 1.0

    def __init__(self) -> None:
        self._last: EngineState | None = None
        self._last_at = time.monotonic()
        self._silent_s = 0.0
        self._reported_s = 0.0
        self.stopped = False

    def read(self, state: EngineState | None) -> EngineState | None:
        """The newest state; marked stale if the engine has not renewed it for too long. None before the first one."""
        now = time.monotonic()
        if state is not None and state != self._last:
            self._last, self._last_at = state, now
        self._silent_s = now - self._last_at
        if self._last is None:
            return None
        self.stopped = self._last.state != "stopped" and self._silent_s > self.TIMEOUT_S
        if not self.stopped:
            return self._last
        age_s = self._last.staleness_s + self._silent_s
        silent_s = round(self._silent_s, 1)
        return self._last | EngineState(state="stale", staleness_s=round(age_s, 4), engine_silent_s=silent_s)

    def news(self) -> list[WarningLine]:
        """That the engine has newly stopped answering, or answers again."""
        before, self._reported_s = self._reported_s, self._silent_s if self.stopped else 0.0
        if bool(before) == self.stopped:
            return []
        text = "the engine does not answer" if self.stopped else f"the engine answers again, after {before:.0f} s"
        return [WarningLine(text=text)]
