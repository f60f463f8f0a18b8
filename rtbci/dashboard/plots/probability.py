"""The probability over the same time axis: a line a class, and a threshold that can be dragged."""

from __future__ import annotations

import time

import numpy as np
from PyQt6.QtCore import QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from rtbci.dashboard.model.column_extents import ColumnExtents
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.time_plot import TimePlot
from rtbci.dashboard.theme import Theme

GRIP = 7  # pixels around the threshold line in which a press takes hold of it
PADDING = 4
ANSWER_S = 0.6  # by then the engine's state shows what was asked


class ProbabilityPlot(TimePlot):
    """Probabilities from 0 to 1."""

    threshold_asked = pyqtSignal(float)

    def __init__(self, timeline: Timeline, marks: TimeMarks, theme: Theme) -> None:
        super().__init__(timeline, marks, theme)
        self.threshold: float | None = None
        self.alarm: int | None = None  # the class that rings an alarm
        self._held = False
        self._asked_until = 0.0
        self.setMinimumHeight(56)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        return QSize(200, 96)

    def show_history(self, history: History | None) -> None:
        self.history = history
        self.redraw()

    def set_threshold(self, value: float | None) -> None:
        """What the engine decides by; not while the user drags the line, nor before the engine has had time to answer."""
        waiting = self._held or time.monotonic() < self._asked_until
        if not waiting and value != self.threshold:
            self.threshold = value
            self.update()

    def ask(self, value: float) -> None:
        """Put the threshold elsewhere, and say so."""
        value = round(min(max(value, 0.0), 1.0), 2)
        if value != self.threshold:
            self.threshold = value
            self._asked_until = time.monotonic() + ANSWER_S
            self.update()
            self.threshold_asked.emit(value)

    def colours(self) -> list[QColor]:
        assert self.history is not None
        return [self.theme.of_class(k, self.alarm) for k in range(self.history.n_channels)]

    def paint_extents(self, found: ColumnExtents) -> None:
        height, pad = self.raster.height, PADDING * self.ratio
        half = np.float32(0.9 * self.weight * self.ratio)
        span = height - 2 * pad
        top = pad + (1 - found.high) * span - half
        bottom = pad + (1 - found.low) * span + half
        edge = np.zeros(found.low.shape[1], np.float32)
        self.raster.paint(found.columns, top.astype(np.float32), bottom.astype(np.float32), edge, edge + height)

    def paint_over(self, painter: QPainter, exposed: QRect) -> None:
        if self.threshold is None:
            return
        y = round(self.y_of(self.threshold) * self.ratio)
        painter.setPen(QPen(self.theme.colour("accent"), max(1.0, 1.4 * self.ratio), Qt.PenStyle.DashLine))
        painter.drawLine(0, y, self.raster.width, y)

    def y_of(self, probability: float) -> float:
        return PADDING + (1 - probability) * (self.height() - 2 * PADDING)

    def probability_at(self, y: float) -> float:
        return float(np.clip(1 - (y - PADDING) / max(1, self.height() - 2 * PADDING), 0, 1))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        near = self.threshold is not None and abs(event.position().y() - self.y_of(self.threshold)) <= GRIP
        self._held = near and event.button() == Qt.MouseButton.LeftButton

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        super().mouseMoveEvent(event)
        y = event.position().y()
        near = self.threshold is not None and abs(y - self.y_of(self.threshold)) <= GRIP
        self.setCursor(Qt.CursorShape.SizeVerCursor if near or self._held else Qt.CursorShape.ArrowCursor)
        if self._held:
            self.ask(self.probability_at(y))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if self._held:
            self.ask(self.probability_at(event.position().y()))
            self._held = False


class ProbabilityLegend(QWidget):
    """Beside the strip: each class with its newest value, and the threshold."""

    def __init__(self, width: int, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.alarm: int | None = None  # the class that rings an alarm
        self._values: list[tuple[str, str]] = []
        self._threshold = ""
        self.setFixedWidth(width)

    def show_values(self, probability: dict[str, float], threshold: float | None) -> None:
        values = [(name, f"{value:.2f}") for name, value in probability.items()]
        text = "" if threshold is None else f"{threshold:.2f}"
        if (values, text) != (self._values, self._threshold):
            self._values, self._threshold = values, text
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.theme.colour("panel"))
        line = self.fontMetrics().height()
        room = max(1, self.height() // line - 1)
        rows = [
            (name, value, self.theme.of_class(k, self.alarm)) for k, (name, value) in enumerate(self._values[:room])
        ]
        if self._threshold and self.height() >= (len(rows) + 1) * line:
            rows.append(("threshold", self._threshold, self.theme.colour("accent")))
        top = max(0, (self.height() - len(rows) * line) // 2)
        for k, (name, value, colour) in enumerate(rows):
            box = QRect(8, top + k * line, self.width() - 16, line)
            painter.setPen(colour)
            room_px = box.width() - self.fontMetrics().horizontalAdvance(value) - 6
            name = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, room_px)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, name)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, value)
        painter.end()
