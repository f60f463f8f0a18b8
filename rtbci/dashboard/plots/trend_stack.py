"""The trends above each other on one time axis: spectra of both hemispheres, aEEG, asymmetry, probability and burden."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PyQt6.QtCore import QRectF, pyqtSignal
from PyQt6.QtGui import QColor, QResizeEvent

from rtbci.dashboard.model.trend_history import TrendView, semilog
from rtbci.dashboard.plots.trend_axis import TrendTimeAxis, microvolt_ticks
from rtbci.dashboard.theme import Theme
from rtbci.pipeline.trends import BURDEN, PROBABILITY
from rtbci.stages.trends import AEEG, ASYMMETRY, FREQUENCIES, LEFT, RIGHT, SYMMETRY_INDEX
from rtbci.types import Samples

NAMES = ("Left, Hz", "Right, Hz", "aEEG, µV", "Asymmetry", "p, burden")
# Okabe and Ito's blue and orange, told apart by every eye; lighter on dark.
SIDES = {"dark": ("#56b4e9", "#e69f00"), "light": ("#0072b2", "#d55e00")}


class TrendStack(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Five plots over seconds of a recording. `chosen`: the moment of a click; `hovered`: that under the pointer, or None."""

    chosen = pyqtSignal(float)
    hovered = pyqtSignal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.ci.setContentsMargins(0, 0, 6, 0)
        self.ci.setSpacing(2)
        self.axis = TrendTimeAxis()
        self.labels: list[pg.LabelItem] = []
        self.plots = [self._plot(row, name) for row, name in enumerate(NAMES)]
        self.foot = self._foot()
        for row in range(len(NAMES)):
            self.ci.layout.setRowStretchFactor(row, 3 if row < 3 else 2)
        self.images = [pg.ImageItem(axisOrder="col-major") for _ in range(2)]
        self.band = pg.BarGraphItem(x0=[], x1=[], y0=[], y1=[])  # of the left side; the right one's margins are lines
        self.margins = [pg.PlotCurveItem(connect="finite") for _ in range(2)]
        self.asymmetry, self.index, self.probability, self.burden = (
            pg.PlotCurveItem(connect="finite") for _ in range(4)
        )
        self.zero = pg.InfiniteLine(0, angle=0)
        for plot, items in zip(
            self.plots,
            ([self.images[0]], [self.images[1]], [self.band, *self.margins], [self.zero, self.index, self.asymmetry],
             [self.burden, self.probability]),
            strict=True,
        ):  # fmt: skip
            for item in items:
                plot.addItem(item)
        self.pages = [pg.LinearRegionItem((0, 0), movable=False) for _ in NAMES]
        self.cursors = [pg.InfiniteLine(0, angle=90) for _ in NAMES]
        for plot, page, cursor in zip(self.plots, self.pages, self.cursors, strict=True):
            for item in (page, cursor):
                item.setZValue(10)
                plot.addItem(item, ignoreBounds=True)
            cursor.hide()
        self._span = (0.0, 1.0)
        self._turn = 0
        self._view: TrendView | None = None
        self.scene().sigMouseClicked.connect(self._clicked)
        self.scene().sigMouseMoved.connect(lambda place: self.hovered.emit(self._moment(place)))
        self.set_theme(theme)

    def _plot(self, row: int, name: str) -> pg.PlotItem:
        self.labels.append(self.addLabel(name, row, 0, justify="left"))
        plot = self.addPlot(row, 1)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        plot.hideAxis("bottom")
        plot.setClipToView(False)
        plot.disableAutoRange()
        low, high = ((0, FREQUENCIES[-1]), (0, FREQUENCIES[-1]), (0, 2), (-1.05, 1.05), (0, 1.05))[row]
        plot.setYRange(low, high, padding=0)
        return plot

    def _foot(self) -> pg.PlotItem:
        """The time axis, below all: a plot without a height, so that it begins where the others do."""
        foot = self.addPlot(len(NAMES), 1, axisItems={"bottom": self.axis})
        foot.setMenuEnabled(False)
        foot.hideButtons()
        foot.setMouseEnabled(x=False, y=False)
        foot.getAxis("left").setTicks([[]])
        foot.setXLink(self.plots[-1])
        return foot

    # -- what is shown ----------------------------------------------------------------------------------------

    def show_view(self, view: TrendView) -> None:
        """A plot a call of `advance`, so that no frame has to paint them all."""
        self._view, self._turn = view, 0
        start, stop = float(view.edges[0]), float(view.edges[-1])
        if (start, stop) != self._span:
            self._span = start, stop
            for plot in self.plots:
                plot.setXRange(start, stop, padding=0)

    def advance(self) -> None:
        """Bring the next plot up to date."""
        view = self._view
        if view is None:
            return
        if self._turn < 2:
            self._show_spectra(self._turn, view)
        elif self._turn == 2:
            self._show_aeeg(view)
        else:
            columns = (ASYMMETRY, SYMMETRY_INDEX) if self._turn == 3 else (PROBABILITY, BURDEN)
            curves = (self.asymmetry, self.index) if self._turn == 3 else (self.probability, self.burden)
            for curve, column in zip(curves, columns, strict=True):
                curve.setData(view.middles, view.values[:, column])
        self._turn += 1
        if self._turn == len(NAMES):
            self._view = None

    def _show_spectra(self, side: int, view: TrendView) -> None:
        image, half = self.images[side], FREQUENCIES[0] / 2
        image.setImage(view.shades[:, (LEFT, RIGHT)[side]], autoLevels=False)
        start, stop = float(view.edges[0]), float(view.edges[-1])
        image.setRect(QRectF(start, FREQUENCIES[0] - half, stop - start, FREQUENCIES[-1] - FREQUENCIES[0] + 2 * half))

    def _show_aeeg(self, view: TrendView) -> None:
        margins = semilog(np.clip(view.values[:, AEEG], 0, 100))
        known = np.isfinite(margins[:, :2]).all(axis=1)
        low, high = margins[known, :2].T
        self.band.setOpts(x0=view.edges[:-1][known], x1=view.edges[1:][known], y0=low, y1=high)
        for margin, values in zip(self.margins, margins[:, 2:].T, strict=True):
            margin.setData(view.middles, values)

    def show_page(self, start: float, stop: float) -> None:
        """The page of the traces, at least as wide as can be seen."""
        least = 3 * (self._span[1] - self._span[0]) / max(1, self.width())
        stop = max(stop, start + least)
        before = self.pages[0].getRegion()
        if max(abs(start - before[0]), abs(stop - before[1])) > least / 6:
            for page in self.pages:
                page.setRegion((start, stop))

    def show_cursor(self, at_s: float | None) -> None:
        """A line at the moment under the pointer, here or on the traces; None: none."""
        is_shown = at_s is not None and self._span[0] <= at_s <= self._span[1]
        for cursor in self.cursors:
            cursor.setVisible(is_shown)
            if is_shown:
                cursor.setValue(at_s)

    def _clicked(self, event: object) -> None:
        if (at_s := self._moment(event.scenePos())) is not None:  # type: ignore[attr-defined]
            self.chosen.emit(at_s)

    def _moment(self, place: object) -> float | None:
        """Seconds at a place of the scene; None where that is in no plot."""
        if not any(plot.getViewBox().sceneBoundingRect().contains(place) for plot in self.plots):
            return None
        return float(self.plots[0].getViewBox().mapSceneToView(place).x())

    def leaveEvent(self, event: object) -> None:
        super().leaveEvent(event)
        self.hovered.emit(None)

    # -- how it looks -----------------------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setBackground(theme.panel)
        em = self.fontMetrics().height()
        font = self.font()
        for plot in self.plots:
            plot.getViewBox().setBackgroundColor(theme.plot)
        for plot in (*self.plots, self.foot):
            plot.getAxis("left").setWidth(round(2.6 * em))
        for axis in (self.axis, *(plot.getAxis("left") for plot in self.plots)):
            axis.setPen(theme.line)
            axis.setTextPen(theme.dim)
            axis.setStyle(tickFont=font, tickLength=3)
        for label, name in zip(self.labels, NAMES, strict=True):
            label.setText(name, color=theme.dim, size=f"{font.pointSizeF():g}pt")
            label.setFixedWidth(5 * em)
        self.axis.setHeight(round(1.5 * em))
        self.foot.setFixedHeight(round(1.5 * em) + 1)
        for image in self.images:
            image.setLookupTable(shade_colours(theme.plot))
        blue, orange = SIDES[theme.name]
        faint = QColor(blue)
        faint.setAlpha(170)
        self.band.setOpts(brush=faint, pen=None)
        for margin in self.margins:
            margin.setPen(pg.mkPen(orange, width=1.3))
        self.asymmetry.setPen(pg.mkPen(theme.text, width=1.3))
        self.index.setPen(pg.mkPen(theme.dim, width=1))
        self.probability.setPen(pg.mkPen(theme.of_class(0), width=1))
        self.burden.setPen(pg.mkPen(theme.text, width=1.3))
        self.burden.setBrush(theme.colour("dim", 70))
        self.burden.setFillLevel(0)
        self.zero.setPen(pg.mkPen(theme.line))
        for page, cursor in zip(self.pages, self.cursors, strict=True):
            page.setBrush(theme.colour("accent", 60))
            for line in page.lines:
                line.setPen(pg.mkPen(theme.accent, width=1))
            cursor.setPen(pg.mkPen(theme.text, width=1))
        self._set_ticks()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if hasattr(self, "axis"):  # not while it is being made
            self._set_ticks()

    def _set_ticks(self) -> None:
        """As many as have room."""
        em = self.fontMetrics().height()
        height = max(1, self.height() - self.axis.height())
        high, low = int(height * 3 / 13 / em), int(height * 2 / 13 / em)  # lines of text in a plot
        spectra: tuple[int, ...] = (5, 10, 15, 20, 25) if high >= 6 else (10, 20) if high >= 3 else (15,)
        sides = [(0.6, "R"), (-0.6, "L")] if low >= 2 else [(0.0, "0")]
        shares = [(0.0, "0"), (0.5, "0.5"), (1.0, "1")] if low >= 4 else [(0.1, "0"), (0.9, "1")]
        ticks = [
            *([[(hz, str(hz)) for hz in spectra]] * 2), microvolt_ticks(high), sides, shares if low >= 2 else shares[1:]
        ]  # fmt: skip
        for plot, shown in zip(self.plots, ticks, strict=True):
            plot.getAxis("left").setTicks([shown])


@cache
def shade_colours(background: str) -> npt.NDArray[np.uint8]:
    """(256, 3): 0 is the background, then viridis, whose steps every eye sees alike."""
    found: npt.NDArray[np.uint8] = pg.colormap.get("viridis").getLookupTable(nPts=256, alpha=False)
    found = found.copy()
    found[0] = QColor(background).getRgb()[:3]
    return found


def shown_values(values: Samples) -> str:
    """A column of a view as a line of text; what is not known is left out."""
    lows, highs = values[AEEG][::2], values[AEEG][1::2]
    amplitudes = [
        f"{side} {low:.0f}–{high:.0f}" for side, low, high in zip("LR", lows, highs, strict=True) if np.isfinite(low)
    ]
    parts = [f"aEEG {' '.join(amplitudes)} µV"] if amplitudes else []
    if np.isfinite(values[ASYMMETRY]):
        side = "right" if values[ASYMMETRY] > 0 else "left"
        parts.append(f"{abs(values[ASYMMETRY]):.0%} more {side}, index {values[SYMMETRY_INDEX]:.2f}")
    if np.isfinite(values[PROBABILITY]):
        parts.append(f"p {values[PROBABILITY]:.2f}")
    if np.isfinite(values[BURDEN]):
        parts.append(f"burden {values[BURDEN]:.1%}")
    return "  ·  ".join(parts)
