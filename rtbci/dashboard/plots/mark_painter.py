"""Paints marks on a plot over time: stretches and points, their texts, and what was not seen."""

from __future__ import annotations

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QBrush, QPainter

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.mark_labels import mark_labels
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.theme import Theme

_INK = {kinds.EVENT: "bad", kinds.DECISION: "text", kinds.ANNOTATION: "accent", kinds.RECORDED: "good"}


def ink_of(kind: str) -> str:
    """The colour of a kind of mark, by its name in the theme."""
    return _INK.get(kind, "dim")


def shade(painter: QPainter, theme: Theme, kind: str, box: QRect, row: int = 0) -> None:
    """A stretch of the plot, in device pixels; row: of the class that was decided for."""
    match kind:
        case kinds.LOST:
            painter.fillRect(box, theme.colour("dim", 40))
        case kinds.FILLED:
            hatch(painter, theme, box)
        case kinds.UNSEEN:
            painter.fillRect(box, QBrush(theme.colour("dim", 60), Qt.BrushStyle.FDiagPattern))
        case kinds.EVENT:
            painter.fillRect(box, theme.colour("bad", 38))
        case kinds.REJECTED:
            painter.fillRect(box, theme.colour("dim", 26))
        case kinds.DECISION:
            painter.fillRect(box, theme.of_class(row, alpha=38))
        case _:
            painter.fillRect(box, theme.colour(ink_of(kind), 26))


def draw_start(painter: QPainter, theme: Theme, kind: str, box: QRect) -> None:
    """Where an annotation or a marker begins, or is."""
    if kind in (kinds.ANNOTATION, kinds.RECORDED):
        painter.fillRect(box, theme.colour(ink_of(kind), 130))


def hatch(painter: QPainter, theme: Theme, box: QRect) -> None:
    """What is invalid."""
    painter.fillRect(box, QBrush(theme.colour("warn", 120), Qt.BrushStyle.BDiagPattern))


def draw_labels(
    painter: QPainter, theme: Theme, timeline: Timeline, marks: TimeMarks, ratio: float, exposed: QRect
) -> None:
    """The texts of the marks at the top of the page; the painter is in widget pixels, `exposed` in device pixels."""
    if not len(marks):
        return
    metrics = painter.fontMetrics()
    line = metrics.height()
    if exposed.top() > 3.5 * line * ratio:
        return
    for segment in timeline.segments():
        if segment.right <= exposed.left() or segment.left > exposed.right():
            continue
        rate = timeline.columns_per_s
        start, stop = segment.column / rate, (segment.column + segment.right - segment.left) / rate
        for label in mark_labels(timeline, marks.between(start, stop), segment):
            room = round(label.room / ratio) - 4
            text = metrics.elidedText(label.mark.text, Qt.TextElideMode.ElideRight, room - 6)
            if len(text) < 2 and text != label.mark.text:
                continue
            box = QRect(round(label.left / ratio) + 3, label.row * line + 2, metrics.horizontalAdvance(text) + 6, line)
            painter.fillRect(box, theme.colour("plot", 205))
            painter.setPen(theme.colour(ink_of(label.mark.kind)))
            painter.drawText(box.adjusted(3, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)


def draw_unseen(painter: QPainter, theme: Theme, parts: list[tuple[int, int]], ratio: float, height: float) -> None:
    """Say what the hatched parts of the page are; parts in device pixels, the painter and height in widget pixels."""
    if not parts:
        return
    text = "not seen"
    metrics = painter.fontMetrics()
    width = metrics.horizontalAdvance(text) + 12
    for left, right in parts:
        if (right - left) / ratio > width:
            middle = (left + right) / 2 / ratio
            box = QRect(round(middle - width / 2), round(height / 2 - metrics.height() / 2), width, metrics.height())
            painter.fillRect(box, theme.colour("plot", 205))
            painter.setPen(theme.colour("dim"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
