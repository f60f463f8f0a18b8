"""The page on paper, or in a file: names, traces, events, time and every mode in words; true in µV/mm and mm/s."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF

from rtbci.dashboard.model.column_extents import column_extents
from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.history import GAP_S
from rtbci.dashboard.model.time_marks import ANNOTATION, EVENT
from rtbci.dashboard.plots.rows_plot import Lanes
from rtbci.dashboard.plots.traces import TracePlot, calibration
from rtbci.dashboard.theme import LIGHT
from rtbci.text import clock_text, one_line, wall_text
from rtbci.types import Samples, Times

# All lengths in tenths of a millimetre: a painter's unit.
WIDTH, HEIGHT = 2970, 2100  # A4, landscape
MARGIN, HEAD, NAMES, AXIS = 100, 150, 240, 130
LETTER, SMALL = 30, 24
POINTS = 3  # samples to a tenth of a millimetre from which on extents are drawn


@dataclass(frozen=True, slots=True)
class PageText:
    """What is written above the page."""

    title: str
    modes: str


class PagePicture:
    """Paints the page that the traces show now."""

    def __init__(self, traces: TracePlot, clock: DisplayClock | None, text: PageText) -> None:
        self._traces, self._clock, self._text = traces, clock, text
        line = traces.timeline
        self.stop = line.head if line.end is None else line.end
        self.start = self.stop - line.page_s
        self._area = QRectF(
            MARGIN + NAMES, MARGIN + HEAD, WIDTH - 2 * MARGIN - NAMES, HEIGHT - 2 * MARGIN - HEAD - AXIS
        )

    def paint(self, painter: QPainter) -> None:
        """painter: scaled so that its unit is a tenth of a millimetre."""
        painter.fillRect(QRectF(0, 0, WIDTH, HEIGHT), QColor("white"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._head(painter)
        self._seconds(painter)
        self._marks(painter)
        self._rows(painter)
        painter.setPen(QPen(LIGHT.colour("dim"), 2))
        painter.drawRect(self._area)

    def _letters(self, painter: QPainter, size: int, colour: str = "text") -> None:
        font = QFont(self._traces.font())
        font.setPixelSize(size)
        painter.setFont(font)
        painter.setPen(LIGHT.colour(colour))

    def _head(self, painter: QPainter) -> None:
        when = "" if self._clock is None else wall_text(self._clock.wall(self.start))
        speed = self._area.width() / 10 / self._traces.timeline.page_s
        self._letters(painter, LETTER)
        box = QRectF(MARGIN, MARGIN, WIDTH - 2 * MARGIN, HEAD)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft, one_line(self._text.title))
        painter.drawText(box, Qt.AlignmentFlag.AlignRight, f"{when}   {speed:.3g} mm/s on this page (A4)")
        self._letters(painter, SMALL, "dim")
        flags = Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        painter.drawText(box.adjusted(0, 1.6 * LETTER, 0, 0), flags, self._text.modes)

    def _x(self, x: float) -> float:
        return self._area.left() + (x - self.start) / (self.stop - self.start) * self._area.width()

    def _seconds(self, painter: QPainter) -> None:
        page_s = self.stop - self.start
        step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if s / page_s * self._area.width() > 190), 600)
        line = 1 if page_s <= 60 else step
        second = int(np.ceil(self.start / line)) * line
        while second <= self.stop:
            at = self._x(second)
            painter.setPen(QPen(LIGHT.colour("line"), 1.5))
            painter.drawLine(QPointF(at, self._area.top()), QPointF(at, self._area.bottom()))
            if second % step == 0 and at < self._area.right() - 120:
                self._letters(painter, SMALL)
                wall = wall_text(self._clock.wall(second)) if self._clock is not None else ""
                painter.drawText(QPointF(at + 4, self._area.bottom() + 1.2 * SMALL), wall)
                self._letters(painter, SMALL, "dim")
                painter.drawText(QPointF(at + 4, self._area.bottom() + 2.4 * SMALL), clock_text(second))
            second += line

    def _marks(self, painter: QPainter) -> None:
        for mark in self._traces.marks.between(self.start, self.stop):
            colour = {EVENT: ("bad", 30), ANNOTATION: ("accent", 60)}.get(mark.kind, ("dim", 40))
            a, b = (self._x(min(max(x, self.start), self.stop)) for x in (mark.start, mark.stop))
            box = QRectF(a, self._area.top(), max(b - a, 3), self._area.height())
            painter.fillRect(box, LIGHT.colour(*colour))
            self._letters(painter, SMALL, colour[0])
            painter.drawText(QPointF(a + 6, self._area.top() + 1.1 * SMALL), one_line(mark.text))

    def _rows(self, painter: QPainter) -> None:
        traces, shown = self._traces, self._traces.shown
        if shown is None or traces.history is None or not traces.history.n:
            return
        x, data, _ = traces.span(self.start, self.stop)
        lanes = Lanes.of(shown, self._area.height(), butterfly=traces.butterfly)
        base = np.zeros(len(shown)) if traces.filter.low_hz or not len(data) else np.nanmedian(data, axis=0)
        self._calibration(painter)
        size = round(min(LETTER, max(12.0, 0.8 * lanes.pitch)))
        for k, name in enumerate(shown.names):
            centre = self._area.top() + float(lanes.centres[k])
            self._letters(painter, size)
            if not traces.butterfly:
                box = QRectF(MARGIN, centre - size, NAMES - 12, 2 * size)
                text = painter.fontMetrics().elidedText(one_line(name), Qt.TextElideMode.ElideRight, NAMES - 16)
                painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
            painter.save()
            painter.setClipRect(self._area)
            painter.setPen(QPen(LIGHT.region(shown.regions[k]), 2.2))
            y = centre - (data[:, k] - base[k]) * 10 / traces.per_mm_of(k)
            for piece in self._pieces(x, y.astype(np.float32)):
                painter.drawPolyline(piece)
            painter.restore()

    def _pieces(self, x: Times, y: Samples) -> list[QPolygonF]:
        """Lines without a gap; where samples are denser than the paper, up and down between their extents."""
        assert self._traces.history is not None
        gap_s = max(GAP_S, 3 / self._traces.history.sfreq)
        rate = self._area.width() / (self.stop - self.start)
        there = np.isfinite(y)
        x, y = x[there], y[there]
        if len(x) > POINTS * self._area.width():
            found = column_extents((x - self.start) * rate, y[:, None], 0, int(self._area.width()), gap_s * rate)
            x = np.repeat(self.start + (found.columns + 0.5) / rate, 2)
            y = np.stack([found.low[:, 0], found.high[:, 0]], axis=1).ravel()
            gap_s = max(gap_s, 1.5 / rate)
        breaks = np.flatnonzero(np.diff(x) > gap_s) + 1
        at = self._area.left() + (x - self.start) * rate
        return [
            QPolygonF([QPointF(a, b) for a, b in zip(px.tolist(), py.tolist(), strict=True)])
            for px, py in zip(np.split(at, breaks), np.split(y, breaks), strict=True)
            if len(px)
        ]

    def _calibration(self, painter: QPainter) -> None:
        traces = self._traces
        amount = calibration(0.12 * self._area.height() / 10 * traces.per_mm)
        size = amount * 10 / traces.per_mm
        right, bottom = WIDTH - MARGIN, HEIGHT - MARGIN
        painter.setPen(QPen(LIGHT.colour("text"), 4))
        top = self._area.bottom() - size - 10
        painter.drawLine(QPointF(right - 8, top), QPointF(right - 8, top + size))
        self._letters(painter, SMALL)
        text = f"{amount:g} {traces.unit}, {traces.per_mm:g} {traces.unit}/mm on this page (A4)"
        painter.drawText(
            QRectF(MARGIN, bottom - 1.3 * SMALL, right - MARGIN, 1.4 * SMALL), Qt.AlignmentFlag.AlignRight, text
        )
