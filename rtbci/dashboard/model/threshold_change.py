"""The last change of the live threshold that was made here, which can be taken back for ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

UNDO_S = 10.0


class ThresholdChange:
    """Changes that follow each other within UNDO_S are one: what is taken back to is the value before the first of them."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._before = self._after = 0.0
        self._until = 0.0

    def made(self, before: float, after: float) -> None:
        """The threshold was put from one value to another."""
        if not self.can_undo:
            self._before = before
        self._after, self._until = after, self._now() + UNDO_S

    @property
    def can_undo(self) -> bool:
        return self._now() < self._until and self._before != self._after

    @property
    def text(self) -> str:
        """What a button says; "" where there is nothing to take back."""
        if not self.can_undo:
            return ""
        left_s = max(1, round(self._until - self._now()))
        return f"Threshold {self._before:.2f} → {self._after:.2f}   Undo ({left_s} s)"

    def undo(self) -> float | None:
        """The value from before, once; None where there is nothing to take back."""
        if not self.can_undo:
            return None
        self._until = 0.0
        return self._before
