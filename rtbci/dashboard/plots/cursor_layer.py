"""The chosen stretch and the two cursors over the traces."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QPainter, QPen

from rtbci.dashboard.model.page_cursors import PageCursors
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.theme import Theme


def paint_cursors(
    painter: QPainter, cursors: PageCursors, timeline: Timeline, theme: Theme, height: int, ratio: float
) -> None:
    """In device pixels."""
    if cursors.stretch is not None:
        for a, b in timeline.pixel_ranges(*cursors.stretch):
            painter.fillRect(a, 0, b - a, height, theme.colour("accent", 40))
            painter.fillRect(a, 0, max(1, round(ratio)), height, theme.colour("accent", 160))
            painter.fillRect(b - 1, 0, max(1, round(ratio)), height, theme.colour("accent", 160))
    for number, moment in cursors.at.items():
        if (at := timeline.pixel(moment)) is None:
            continue
        painter.setPen(QPen(theme.colour("good"), max(1.0, 1.3 * ratio)))
        painter.drawLine(QPointF(at + 0.5, 0), QPointF(at + 0.5, height))
        size = 1.1 * painter.fontMetrics().height() * ratio
        flag = QRectF(at + 1, 0, size, size)
        painter.fillRect(flag, theme.colour("good"))
        painter.save()
        painter.translate(flag.topLeft())
        painter.scale(ratio, ratio)
        painter.setPen(theme.colour("window"))
        painter.drawText(QRectF(0, 0, size / ratio, size / ratio), Qt.AlignmentFlag.AlignCenter, str(number))
        painter.restore()
