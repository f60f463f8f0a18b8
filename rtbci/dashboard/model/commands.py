"""What the window asks of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QTimer

THRESHOLD_EVERY_MS = 100

Send = Callable[[dict[str, Any]], None]


class Commands:
    """Plain dicts to the engine; nothing waits for an answer: it comes back in the engine's state and log."""

    def __init__(self, send: Send | None) -> None:
        """send: None where there is no engine to hear."""
        self._send = send
        self._threshold: float | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(THRESHOLD_EVERY_MS)
        self._timer.timeout.connect(self._send_threshold)

    def threshold(self, value: float) -> None:
        """A drag asks many times a second; the engine hears of it ten times."""
        self._threshold = value
        if not self._timer.isActive():
            self._timer.start()

    def annotate(self, label: str, onset: float, stamp: float, duration: float = 0.0) -> None:
        """onset: seconds of the recording; stamp: of the local clock."""
        self._do(do="annotate", label=label, onset=onset, stamp=stamp, duration=duration)

    def review(self, label: str, onset: float, verdict: str, note: str) -> None:
        self._do(do="review", label=label, onset=onset, verdict=verdict, note=note)

    def replay(self, line: str) -> None:
        """A line of rtbci/replay/transport.py's grammar, for the replay that the engine reads."""
        self._do(do="replay", say=line)

    def _send_threshold(self) -> None:
        if self._threshold is not None:
            self._do(do="threshold", value=self._threshold)

    def _do(self, **what: Any) -> None:
        if self._send is not None:
            self._send(what)
