"""The whole session on one line: probability, events, annotations, gaps, what was not seen, and the page as a box to be moved."""

from __future__ import annotations

import time

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QBrush, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.overview_bins import OverviewBins
from rtbci.dashboard.model.overview_view import OverviewView
from rtbci.dashboard.model.state_text import tool_tip
from rtbci.dashboard.model.time_marks import TimeMark
from rtbci.dashboard.plots.mark_painter import ink_of
from rtbci.dashboard.theme import Theme
from rtbci.text import clock_text, tenths_text, wall_text

REPAINT_S = 1.0  # what grows; the box and the place of the stream follow every frame
NEAR = 4  # pixels from a mark within which it is meant
STRIPS = (kinds.RECORDED, kinds.EVENT, kinds.ANNOTATION)


class Overview(QWidget):
    """Drag the box: go there. Click: the page is there. A mark: it is shown. Wheel: closer; double click: the whole."""

    def __init__(self, model: DashboardModel, theme: Theme) -> None:
        super().__init__()
        self._model, self._timeline = model, model.timeline
        self.theme = theme
        self.view = OverviewView()
        self._layer = QPixmap()
        self._is_old = True
        self._painted: tuple[float, float] = 0.0, 0.0  # how far the stream was, and the length of a bin, in the picture
        self._paint_due = 0.0
        self._drawn: tuple[int, int, int] = 0, 0, 0  # the box and the place of the stream, in pixels
        self._grip: float | None = None  # seconds from the pointer to the middle of the box that it drags
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName("overview of the session")
        self.set_theme(theme)
        model.marks.changed.subscribe(self._outdate)
        model.timeline.changed.subscribe(self.update)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setFixedHeight(round(4.6 * self.fontMetrics().height()))
        self._repaint()

    def _outdate(self) -> None:
        self._is_old = True

    def _repaint(self) -> None:
        self._is_old, self._paint_due = True, 0.0
        self.update()

    def advance(self) -> None:
        """One frame: the box follows the page; what has grown is painted anew once a second."""
        timeline, now = self._timeline, time.monotonic()
        if now >= self._paint_due:
            self._paint_due = now + REPAINT_S
            replay = self._model.state.replay
            end = replay.end_s if replay is not None else None
            if self.view.follow(timeline.start, end, timeline.latest, timeline.head):
                self._is_old = True
                self.update()
            else:
                self._grow()
        drawn = self._places()
        if drawn != self._drawn:
            for before, at in zip(self._drawn, drawn, strict=True):  # only what its edges have passed over
                self.update(min(before, at) - 2, 0, abs(at - before) + 5, self.height())
            self._drawn = drawn

    def _grow(self) -> None:
        """Paint what came since the last time, at its place alone."""
        bins, head = self._model.overview.bins, self._timeline.head
        before, bin_s = self._painted
        if self._is_old or bins is None or bins.bin_s != bin_s:
            self._is_old = True
            self.update()
            return
        from_x, to_x = bins.take_changed()
        left = int(self.view.pixel(min(from_x, before, head) - bin_s, self.width())) - 3
        right = int(self.view.pixel(max(to_x, before, head) + bin_s, self.width())) + 4
        part = QRect(left, 0, right - left, self.height()) & self.rect()
        self._paint_layer(part)
        self.update(part)

    def _places(self) -> tuple[int, int, int]:
        start, stop = self._timeline.page
        left, right, head = (round(self.view.pixel(x, self.width())) for x in (start, stop, self._timeline.head))
        return left, max(right, left + 3), head

    # -- painting -----------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._repaint()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        assert event is not None
        if self._is_old:
            self._is_old = False
            self._paint_layer(self.rect())
        painter = QPainter(self)
        exposed, ratio = event.rect(), self.devicePixelRatioF()
        source = QRectF(exposed.x() * ratio, exposed.y() * ratio, exposed.width() * ratio, exposed.height() * ratio)
        painter.drawPixmap(QRectF(exposed), self._layer, source)
        left, right, head = self._drawn = self._places()
        painter.setPen(QPen(self.theme.colour("text", 150), 1))
        painter.drawLine(head, 0, head, self._axis_top())
        frozen = self._timeline.frozen
        painter.setPen(QPen(self.theme.colour("warn" if frozen else "accent"), 1.5))
        painter.setBrush(self.theme.colour("warn" if frozen else "accent", 50))
        painter.drawRect(QRect(left, 1, right - left, self._axis_top() - 2))
        painter.end()

    def _axis_top(self) -> int:
        return self.height() - self.fontMetrics().height() - 1

    def _strip(self, kind: str) -> QRect:
        size = max(4, round(0.32 * self.fontMetrics().height()))
        number = STRIPS.index(kinds.EVENT if kind == kinds.DECISION else kind)
        return QRect(0, 1 + number * (size + 1), self.width(), size)

    def _curve_box(self) -> QRect:
        top = self._strip(STRIPS[-1]).bottom() + 3
        return QRect(0, top, self.width(), max(8, self._axis_top() - top - 2))

    def _paint_layer(self, part: QRect) -> None:
        """Everything but the box, within a part of the widget."""
        ratio, bins = self.devicePixelRatioF(), self._model.overview.bins
        size = self.size() * ratio
        if self._layer.size() != size:
            self._layer = QPixmap(size)
            self._layer.setDevicePixelRatio(ratio)
            part = self.rect()
        self._painted = self._timeline.head, bins.bin_s if bins is not None else 0.0
        painter = QPainter(self._layer)
        painter.setClipRect(part)
        painter.fillRect(part, self.theme.colour("panel"))
        painter.setFont(self.font())
        if bins is not None:
            self._paint_bins(painter, bins, part)
        for kind in (*STRIPS, kinds.DECISION):
            self._paint_strip(painter, kind)
        self._paint_axis(painter)
        painter.end()

    def _paint_bins(self, painter: QPainter, bins: OverviewBins, exposed: QRect) -> None:
        view, width, box = self.view, self.width(), self._curve_box()
        margin = 2 * bins.bin_s
        part = bins.between(
            max(view.start, view.x_at(exposed.left(), width) - margin),
            min(view.stop, view.x_at(exposed.right() + 1, width) + margin),
        )
        xs = bins.xs(part)
        if not len(xs):
            return
        edges = np.rint((np.append(xs, xs[-1] + bins.bin_s) - bins.bin_s / 2 - view.start) / view.span * width)
        edges = np.clip(edges, 0, width)
        last = view.stop if self._model.state.replay is not None else self._timeline.head
        unseen = ~bins.seen[part] & ~bins.lost[part] & (xs < last)
        for flags, brush in (
            (unseen, QBrush(self.theme.colour("dim", 70), Qt.BrushStyle.FDiagPattern)),
            (bins.lost[part], QBrush(self.theme.colour("warn", 110))),
        ):
            for left, right in _runs(flags, edges):
                painter.fillRect(QRectF(left, 0, max(1, right - left), self._axis_top()), brush)
        if exposed.width() == width:
            self._note_unseen(painter, _runs(unseen, edges), box)
        painter.setPen(QPen(self.theme.colour("line"), 1))
        painter.drawLine(0, box.bottom(), width, box.bottom())
        layout = self._model.feed.layout if self._model.feed is not None else None
        alarm = layout.alarm_row if layout is not None else None
        for k in range(bins.top.shape[1]):
            x, y = _thinned(xs, bins.top[part, k], view.span / width)
            place = (x - view.start) / view.span * width, box.bottom() - 1 - y * (box.height() - 2)
            smooth = len(x) * 4 < exposed.width()  # lines that are that dense are slow to smooth, and look alike
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, smooth)
            painter.setPen(
                QPen(self.theme.of_class(k, alarm), max(1.2, self.fontMetrics().height() / 14) if smooth else 1)
            )
            painter.drawPath(pg.functions.arrayToQPath(*place, connect="finite"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _note_unseen(self, painter: QPainter, parts: list[tuple[float, float]], box: QRect) -> None:
        """In the widest part, where there is room."""
        text, metrics = "not seen", self.fontMetrics()
        left, right = max(parts, key=lambda part: part[1] - part[0], default=(0.0, 0.0))
        width = metrics.horizontalAdvance(text) + 12
        if right - left > 2 * width and box.height() >= metrics.height():
            middle = QPointF((left + right) / 2, box.center().y())
            where = QRectF(middle.x() - width / 2, middle.y() - metrics.height() / 2, width, metrics.height())
            painter.fillRect(where, self.theme.colour("panel"))
            painter.setPen(self.theme.colour("dim"))
            painter.drawText(where, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_strip(self, painter: QPainter, kind: str) -> None:
        """Each pixel that a mark of this kind touches."""
        view, width, strip = self.view, self.width(), self._strip(kind)
        spans = self._model.marks.spans(kind)
        stop = np.where(np.isinf(spans[:, 1]), self._timeline.head, spans[:, 1])
        inside = (stop >= view.start) & (spans[:, 0] <= view.stop)
        first, last = (
            np.clip((x[inside] - view.start) / view.span * width, 0, width - 1).astype(np.intp)
            for x in (spans[:, 0], stop)
        )
        touched = np.zeros(width + 2, np.intp)
        np.add.at(touched, first, 1)
        np.add.at(touched, np.minimum(np.maximum(last, first + 1), width) + 1, -1)
        flags = np.cumsum(touched)[:width] > 0
        for left, right in _runs(flags, np.arange(width + 1.0)):
            painter.fillRect(QRectF(left, strip.top(), right - left, strip.height()), self.theme.colour(ink_of(kind)))

    def _paint_axis(self, painter: QPainter) -> None:
        clock = self._model.feed.clock if self._model.feed is not None else None
        if clock is None:
            return
        metrics, top, width = self.fontMetrics(), self._axis_top(), self.width()
        room = metrics.horizontalAdvance("00:00:00") + 18
        step = self.view.step_s(width, room)
        second = int(np.ceil(self.view.start / step)) * step
        while second <= self.view.stop:
            at = round(self.view.pixel(second, width))
            painter.fillRect(at, top, 1, 4, self.theme.colour("dim"))
            if at + room - 12 <= width:
                painter.setPen(self.theme.colour("dim"))
                text = clock_text(second) if clock.is_replay else wall_text(clock.wall(second))
                painter.drawText(at + 4, top + metrics.ascent() + 1, text)
            second += step

    # -- the mouse ----------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if event.button() != Qt.MouseButton.LeftButton or self._model.feed is None:
            return
        at = event.position()
        if (mark := self.mark_at(at)) is not None:
            self._timeline.jump(mark.start)
            return
        x = self.view.x_at(at.x(), self.width())
        start, stop = self._timeline.page
        left, right, _ = self._places()
        if left - NEAR <= at.x() <= right + NEAR:
            self._grip = (start + stop) / 2 - x
        else:
            self._grip = 0.0
            self._timeline.centre(x)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        at = event.position()
        x = self.view.x_at(at.x(), self.width())
        if self._grip is None:
            self._describe(event, x)
            return
        if (beyond := min(0.0, at.x()) or max(0.0, at.x() - self.width())) != 0:
            self.view.move(beyond / self.width() * self.view.span)
            self._repaint()
        self._timeline.centre(x + self._grip)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        self._grip = None

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        self.view.show_whole()
        self._repaint()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        assert event is not None
        if turned := event.angleDelta().y():
            x = self.view.x_at(event.position().x(), self.width())
            self.view.zoom(x, 1.5 ** (-turned / 120))
            self._repaint()

    def mark_at(self, at: QPointF) -> TimeMark | None:
        """The mark of a strip that is under the pointer, or beside it."""
        kind = next((k for k in STRIPS if self._strip(k).adjusted(0, -1, 0, 1).contains(at.toPoint())), None)
        if kind is None:
            return None
        near = NEAR / self.width() * self.view.span
        x = self.view.x_at(at.x(), self.width())
        found = [mark for mark in self._model.marks.between(x - near, x + near) if mark.kind == kind]
        return min(found, key=lambda mark: abs(mark.start - x), default=None)

    def _describe(self, event: QMouseEvent, x: float) -> None:
        mark = self.mark_at(event.position())
        text = tenths_text(x)
        if mark is not None:
            length = "" if mark.stop in (mark.start, float("inf")) else f", {mark.stop - mark.start:.1f} s"
            text = f"{mark.text}: {tenths_text(mark.start)}{length}"
        QToolTip.showText(event.globalPosition().toPoint(), tool_tip(text), self)


def _runs(flags: np.ndarray, edges: np.ndarray) -> list[tuple[float, float]]:
    """From edge to edge, each stretch in which the flags (n,) are set; edges (n + 1,)."""
    turns = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [(float(edges[a]), float(edges[b])) for a, b in zip(turns[::2], turns[1::2], strict=True)]


def _thinned(xs: np.ndarray, values: np.ndarray, pixel_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The largest of so many neighbours each that there is one to a pixel, counted from the session's start."""
    if len(xs) < 2 or (every := int(pixel_s / (xs[1] - xs[0]))) < 2:
        return xs, values
    of = np.floor(xs / (every * (xs[1] - xs[0])))
    first = np.flatnonzero(np.diff(of, prepend=np.nan) != 0)
    return xs[first], np.fmax.reduceat(values, first)
