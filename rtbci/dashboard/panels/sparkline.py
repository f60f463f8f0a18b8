"""A small line of what a number was in the last minutes."""

from __future__ import annotations

from collections import deque

import numpy as np
from PyQt6.QtCore import QPointF, QSize
from PyQt6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QWidget

from rtbci.dashboard.theme import Theme


class Sparkline(QWidget):
    """From nothing to the largest value that it holds."""

    def __init__(self, theme: Theme, keep: int = 120) -> None:
        super().__init__()
        self.theme = theme
        self.values: deque[float] = deque(maxlen=keep)
        self.setFixedHeight(22)

    def sizeHint(self) -> QSize:
        return QSize(90, 22)

    def add(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if len(self.values) < 2:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        values = np.array(self.values)
        top = max(float(values.max()), 1e-9)
        right, pitch = self.width() - 2, (self.width() - 4) / (self.values.maxlen or 1)
        x = right - pitch * np.arange(len(values))[::-1]
        y = self.height() - 3 - values / top * (self.height() - 6)
        painter.setPen(QPen(self.theme.colour("accent"), 1.3))
        painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]))
        painter.end()
