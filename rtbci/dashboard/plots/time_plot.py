"""What signals and probability have in common: traces over the shared time axis, of which only what is new is painted."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QPointF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.column_extents import ColumnExtents, column_extents
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.time_marks import TimeMark, TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.raster import Raster
from rtbci.dashboard.theme import Theme
from rtbci.types import Samples

MISSING_S = 0.5  # data that are older than the page's newest moment by more are shown as missing
GAP_S = 0.02  # two samples further apart than this, and than three periods, have a gap between them


class TimePlot(QWidget):
    """Keeps the image of its traces; a subclass says what the rows are and where they lie."""

    hovered = pyqtSignal(object, int)  # x or None, y in device pixels

    def __init__(self, timeline: Timeline, marks: TimeMarks, theme: Theme) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.timeline, self.marks, self.theme = timeline, marks, theme
        self.history: History | None = None
        self.cursor_x: float | None = None
        self.weight = 1.0  # how much thicker than usual the lines are
        self.raster = Raster(1, 1)
        self._invalid = np.zeros(1, np.bool_)  # by image column
        self._data_column = 0  # that of the newest sample painted
        self._head_column = 0
        self._painted_rows = 0
        self._stale = True
        timeline.changed.subscribe(self.redraw)
        marks.changed.subscribe(self.update)

    # -- for subclasses ---------------------------------------------------------------------------------------

    def values(self, data: Samples) -> Samples:
        """(n_samples, n_channels) -> (n_samples, n_rows)."""
        return data

    def colours(self) -> list[QColor]:
        raise NotImplementedError

    def paint_extents(self, found: ColumnExtents) -> None:
        """Paint them into the raster, at their place."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Before all of the page is painted."""

    def paint_over(self, painter: QPainter, exposed: QRect) -> None:
        """On top of everything, in device pixels."""

    # -- painting what is new ---------------------------------------------------------------------------------

    @property
    def ratio(self) -> float:
        return self.devicePixelRatioF()

    def device_size(self) -> QSize:
        return QSize(round(self.width() * self.ratio), round(self.height() * self.ratio))

    def redraw(self) -> None:
        """All of the page is another: paint it at the next frame or when it is shown, whichever is first."""
        self._stale = True
        self.update()

    def advance(self) -> None:
        """Paint what came since the last frame."""
        if self._stale or self.history is None or self.timeline.frozen:
            return
        head = self.timeline.last
        newest = self.timeline.column(self.history.newest_x)
        if newest == self._data_column and head == self._head_column and not self._grew():
            return
        first = self._data_column if self._grew() else self._head_column
        if head - first >= self.timeline.width:
            self.redraw()
            return
        self._paint_columns(first, head + 1)
        self._note_painted()
        if self.timeline.sweeping:
            self._update_columns(first, head + 1 + self.timeline.blank)
        else:
            self.update()

    def _grew(self) -> bool:
        return self.history is not None and self.history.n != self._painted_rows

    def _note_painted(self) -> None:
        assert self.history is not None
        self._data_column = self.timeline.column(self.history.newest_x)
        self._head_column = self.timeline.last
        self._painted_rows = self.history.n

    def _update_columns(self, first: int, stop: int) -> None:
        width, ratio = self.timeline.width, self.ratio
        a, n = first % width, stop - first
        for left, right in ((a, min(a + n, width)), (0, a + n - width)):
            if right > left:
                x = int(left / ratio)
                self.update(x, 0, int(np.ceil(right / ratio)) - x + 1, self.height())

    def _paint_page(self) -> None:
        self._stale = False
        size = self.device_size()
        if (self.raster.width, self.raster.height) != (self.timeline.width, size.height()):
            self.raster = Raster(self.timeline.width, size.height())
        self._invalid = np.zeros(self.raster.width, np.bool_)
        self.raster.set_colours(self.theme.colour("plot"), self.colours() if self.history is not None else [])
        self._painted_rows = 0
        if self.history is None or not self.history.n:
            return
        self.prepare()
        stop = self.timeline.last + 1
        self._paint_columns(stop - self.timeline.width + (self.timeline.blank if self.timeline.sweeping else 0), stop)
        self._note_painted()

    def _paint_columns(self, first: int, stop: int) -> None:
        history, rate = self.history, self.timeline.columns_per_s
        assert history is not None
        ahead = self.timeline.blank if self.timeline.sweeping else 0
        self.raster.erase(first, stop + ahead)
        self._invalid[np.arange(first, min(stop + ahead, first + len(self._invalid))) % len(self._invalid)] = False
        x, data, valid = history.rows(history.find(first / rate) - 1, history.find(stop / rate) + 1)
        if not len(x):
            return
        gap_s = max(GAP_S, 3 / history.sfreq)
        self.paint_extents(column_extents(x * rate, self.values(data), first, stop, gap_s * rate))
        if not valid.all():
            self._flag(np.floor(x[~valid] * rate).astype(np.intp), first, stop)

    def _flag(self, columns: np.ndarray, first: int, stop: int) -> None:
        columns = columns[(columns >= first) & (columns < stop)]
        if len(columns):
            # A run of invalid samples may be sparser than the columns.
            near = np.arange(columns[0], columns[-1] + 1)
            step = columns[np.minimum(np.searchsorted(columns, near), len(columns) - 1)] - near
            reach = max(1, round(3 * self.timeline.columns_per_s / (self.history.sfreq if self.history else 1)))
            self._invalid[near[step <= reach] % len(self._invalid)] = True

    # -- showing it -------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self.redraw()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self._stale:
            self._paint_page()
        assert event is not None
        painter = QPainter(self)
        ratio = self.ratio
        exposed = event.rect()
        if ratio != 1:
            painter.scale(1 / ratio, 1 / ratio)
            exposed = QRectF(
                exposed.x() * ratio, exposed.y() * ratio, exposed.width() * ratio, exposed.height() * ratio
            ).toAlignedRect()
        exposed = exposed & QRect(0, 0, self.raster.width, self.raster.height)
        self._blit(painter, exposed)
        for segment in self.timeline.segments(exposed.left(), exposed.right() + 1):
            self._seconds(painter, *segment)
            self._shades(painter, *segment)
            self._hatch(painter, *segment)
        if self.cursor_x is not None and (at := self.timeline.pixel(self.cursor_x)) is not None:
            painter.setPen(QPen(self.theme.colour("dim", 200), ratio, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(at + 0.5, 0), QPointF(at + 0.5, self.raster.height))
        self.paint_over(painter, exposed)
        painter.end()

    def _blit(self, painter: QPainter, exposed: QRect) -> None:
        if self.timeline.sweeping:
            painter.drawImage(exposed.topLeft(), self.raster.image, exposed)
            return
        width, height = self.raster.width, self.raster.height
        split = (self.timeline.last + 1) % width
        painter.drawImage(0, 0, self.raster.image, split, 0, width - split, height)
        if split:
            painter.drawImage(width - split, 0, self.raster.image, 0, 0, split, height)

    def second_step(self) -> int:
        return 1 if self.timeline.page_s <= 20 else 5

    def _seconds(self, painter: QPainter, left: int, right: int, column: int) -> None:
        """A faint line each second (each five on a long page)."""
        rate, step = self.timeline.columns_per_s, self.second_step()
        second = int(np.ceil(column / rate / step)) * step
        colour = self.theme.colour("dim", 46)
        while (at := self.timeline.column(second) - column + left) < right:
            if at >= left:
                painter.fillRect(at, 0, max(1, round(self.ratio)), self.raster.height, colour)
            second += step

    def _shades(self, painter: QPainter, left: int, right: int, column: int) -> None:
        rate, head = self.timeline.columns_per_s, self.timeline.head
        if self.history is not None and self.history.n and head - self.history.newest_x > MISSING_S:
            for a, b in self.timeline.pixel_ranges(self.history.newest_x, head, left, right):
                self._shade(painter, TimeMark(0, 0, kinds.LOST), a, b)
        for mark in self.marks.between(column / rate, (column + right - left) / rate):
            for a, b in self.timeline.pixel_ranges(mark.start, min(mark.stop, head), left, right):
                self._shade(painter, mark, a, b)

    def _shade(self, painter: QPainter, mark: TimeMark, left: int, right: int) -> None:
        height, kind = self.raster.height, mark.kind
        if kind == kinds.EVENT:
            painter.fillRect(left, 0, right - left, height, self.theme.colour("bad", 38))
        elif kind == kinds.DECISION:
            painter.fillRect(left, 0, right - left, height, self.theme.of_class(mark.row, alpha=38))
        elif kind == kinds.REJECTED:
            painter.fillRect(left, 0, right - left, height, self.theme.colour("dim", 22))
        elif kind == kinds.LOST:
            painter.fillRect(left, 0, right - left, height, self.theme.colour("dim", 40))
        elif kind == kinds.FILLED:
            self._hatched(painter, left, right)
        else:
            painter.fillRect(
                left, 0, max(right - left, round(2 * self.ratio)), height, self.theme.colour("accent", 110)
            )

    def _hatch(self, painter: QPainter, left: int, right: int, column: int) -> None:
        flagged = self._invalid[np.arange(column, column + right - left) % len(self._invalid)]
        if not flagged.any():
            return
        turns = np.flatnonzero(np.diff(flagged, prepend=False, append=False))
        for a, b in zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True):
            self._hatched(painter, left + a, left + b)

    def _hatched(self, painter: QPainter, left: int, right: int) -> None:
        brush = QBrush(self.theme.colour("warn", 120), Qt.BrushStyle.BDiagPattern)
        painter.fillRect(left, 0, max(1, right - left), self.raster.height, brush)

    # -- the crosshair ----------------------------------------------------------------------------------------

    def set_cursor(self, x: float | None) -> None:
        before, self.cursor_x = self.cursor_x, x
        for moment in (before, x):
            if moment is not None and (at := self.timeline.pixel(moment)) is not None:
                self.update(int(at / self.ratio) - 2, 0, 5, self.height())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        at = event.position()
        self.hovered.emit(self.timeline.x_at(int(at.x() * self.ratio)), int(at.y() * self.ratio))

    def leaveEvent(self, event: object) -> None:
        self.hovered.emit(None, -1)
