"""Axes of the trends: clock time, and microvolts that are linear up to 10 and logarithmic beyond."""

from __future__ import annotations

import time

import numpy as np
import pyqtgraph as pg

from rtbci.dashboard.model.trend_history import semilog
from rtbci.text import clock_text

STEPS_S = (60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0)
MICROVOLTS = (0, 5, 10, 25, 50, 100)


class TrendTimeAxis(pg.AxisItem):  # type: ignore[misc]
    """The wall's time; of a replay the recording's.

    `zero`: what the clock says where x is 0: POSIX time, or seconds of the recording.
    """

    def __init__(self) -> None:
        super().__init__("bottom")
        self.zero = 0.0
        self.is_wall = False

    def set_clock(self, zero: float, *, is_wall: bool) -> None:
        if abs(zero - self.zero) > 0.5 or is_wall != self.is_wall:
            self.zero, self.is_wall = zero, is_wall
            self.picture = None
            self.update()

    def text_at(self, x: float) -> str:
        """ "14:05", or "1:02:30" of a recording."""
        at = x + self.zero
        return time.strftime("%H:%M", time.localtime(at)) if self.is_wall else clock_text(at)

    def tickValues(self, least: float, most: float, size: float) -> list[tuple[float, list[float]]]:
        room = max(1, int(size / (8 * self._digit_width())))
        step = next((one for one in STEPS_S if (most - least) / one <= room), STEPS_S[-1])
        # On whole hours of the local time.
        shift = self.zero + (time.localtime(self.zero).tm_gmtoff if self.is_wall else 0)
        first = np.ceil((least + shift) / step) * step - shift
        return [(step, np.arange(first, most, step).tolist())]

    def _digit_width(self) -> float:
        font = self.style["tickFont"]
        return 0.62 * (font.pointSizeF() * 96 / 72 if font is not None else 12.0)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [self.text_at(value + 0.01) for value in values]


def microvolt_ticks(most: int) -> list[tuple[float, str]]:
    """Of the aEEG's axis, about `most` of them."""
    shown = MICROVOLTS if most >= len(MICROVOLTS) else (0, 10, 100) if most >= 3 else (10,)
    places = semilog(np.array(shown, np.float32))
    return [(float(place), str(value)) for place, value in zip(places, shown, strict=True)]
