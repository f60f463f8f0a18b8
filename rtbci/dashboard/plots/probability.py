"""The probability over the same time axis: a line a class, the threshold with its handle, the release and the trained value."""

from __future__ import annotations

import time

import numpy as np
from PyQt6.QtCore import QPoint, QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygon
from PyQt6.QtWidgets import QSizePolicy, QWidget

from rtbci.dashboard.model.column_extents import ColumnExtents
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.time_plot import TimePlot
from rtbci.dashboard.theme import Theme

PADDING = 4
ANSWER_S = 0.6  # by then the engine's state shows what was asked


class ProbabilityPlot(TimePlot):
    """Probabilities from 0 to 1. The threshold is moved by its handle, at the right, and asked for where that is let go."""

    threshold_asked = pyqtSignal(float, float)  # from, to

    def __init__(self, timeline: Timeline, marks: TimeMarks, theme: Theme) -> None:
        super().__init__(timeline, marks, theme)
        self.threshold: float | None = None
        self.alarm: int | None = None  # the class that rings an alarm
        self.release: float | None = None  # the probability at which an event ends
        self.trained: float | None = None  # the threshold of the pipeline file
        self._held: float | None = None  # where the handle is drawn to
        self._asked_until = 0.0
        self.setMinimumHeight(56)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        return QSize(200, 96)

    def show_history(self, history: History | None) -> None:
        self.history = history
        self.redraw()

    def set_threshold(self, value: float | None, release: float | None = None, trained: float | None = None) -> None:
        """What the engine decides by; not while the user drags the handle, nor before the engine has had time to answer."""
        waiting = self._held is not None or time.monotonic() < self._asked_until
        if not waiting and (value, release, trained) != (self.threshold, self.release, self.trained):
            self.threshold, self.release, self.trained = value, release, trained
            self.update()

    def ask(self, value: float) -> None:
        """Put the threshold elsewhere, and say so."""
        value, before = round(min(max(value, 0.0), 1.0), 2), self.threshold
        if before is not None and value != before:
            self.show_asked(value)
            self.threshold_asked.emit(before, value)

    def show_asked(self, value: float) -> None:
        """Until the engine has had time to answer."""
        if self.threshold is not None and self.release is not None:
            self.release = max(0.0, value - (self.threshold - self.release))
        self.threshold = value
        self._asked_until = time.monotonic() + ANSWER_S
        self.update()

    def values_at(self, x: float) -> list[float] | None:
        """Each class's newest answer at x; None where there is none."""
        if self.history is None:
            return None
        _, data, valid = self.history.row_at(x, max(0.1, 2 / self.history.sfreq))
        return data[0].tolist() if len(data) and valid[0] else None

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

    # -- the threshold ------------------------------------------------------------------------------------------

    def paint_over(self, painter: QPainter, exposed: QRect) -> None:
        if self.threshold is None:
            return
        painter.save()
        painter.resetTransform()
        shown = self.threshold if self._held is None else self._held
        if self.release is not None and self._held is None and self.release < self.threshold:
            self._level(painter, self.release, QPen(self.theme.colour("accent", 150), 1, Qt.PenStyle.DotLine))
        self._level(painter, shown, QPen(self.theme.colour("accent"), 1.4, Qt.PenStyle.DashLine))
        handle = self.handle()
        if self.trained is not None and exposed.right() >= (handle.left() - handle.height()) * self.ratio:
            self._trained_mark(painter, round(self.y_of(self.trained)))
        if exposed.right() < handle.left() * self.ratio:
            painter.restore()
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.colour("accent"))
        painter.drawRoundedRect(handle, 3, 3)
        painter.setPen(self.theme.colour("plot"))
        painter.drawText(handle, Qt.AlignmentFlag.AlignCenter, f"{shown:.2f}")
        painter.restore()

    def _level(self, painter: QPainter, value: float, pen: QPen) -> None:
        painter.setPen(pen)
        y = round(self.y_of(value))
        painter.drawLine(0, y, self.width(), y)

    def _trained_mark(self, painter: QPainter, y: int) -> None:
        """A triangle left of the handle that points at the trained threshold."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.colour("text"))
        tip, size = self.handle().left() - 3, max(4, self.fontMetrics().height() // 3)
        painter.drawPolygon(QPolygon([QPoint(tip, y), QPoint(tip - size, y - size), QPoint(tip - size, y + size)]))

    def handle(self) -> QRect:
        """Of the threshold, with its value."""
        metrics = self.fontMetrics()
        width, height = metrics.horizontalAdvance("0.00") + 8, metrics.height()
        shown = self.threshold if self._held is None else self._held
        top = round(self.y_of(shown or 0.0) - height / 2)
        return QRect(self.width() - width - 2, min(max(0, top), max(0, self.height() - height)), width, height)

    def y_of(self, probability: float) -> float:
        return PADDING + (1 - probability) * (self.height() - 2 * PADDING)

    def probability_at(self, y: float) -> float:
        return float(np.clip(1 - (y - PADDING) / max(1, self.height() - 2 * PADDING), 0, 1))

    def _is_on_handle(self, event: QMouseEvent) -> bool:
        return self.threshold is not None and self.handle().contains(event.position().toPoint())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if event.button() == Qt.MouseButton.LeftButton and self._is_on_handle(event):
            self._held = self.threshold

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        super().mouseMoveEvent(event)
        on = self._held is not None or self._is_on_handle(event)
        self.setCursor(Qt.CursorShape.SizeVerCursor if on else Qt.CursorShape.ArrowCursor)
        trained = "" if self.trained is None else f"; trained at {self.trained:.2f}, the triangle"
        ends = "" if self.release is None else f"; an event ends below {self.release:.2f}, the dotted line"
        self.setToolTip(f"threshold: drag the handle{trained}{ends}" if on else "")
        if self._held is not None:
            self._held = self.probability_at(event.position().y())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if self._held is not None and event.button() == Qt.MouseButton.LeftButton:
            moved = self.probability_at(event.position().y()) if self._held != self.threshold else self._held
            self._held = None
            self.update()
            self.ask(moved)


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
