"""The long trend: the last hours of each class's probability, as the extent in each bin."""

from __future__ import annotations

import time

import pyqtgraph as pg
from PyQt6.QtCore import pyqtSignal

from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.trend_bins import TrendBins
from rtbci.dashboard.theme import Theme


class TrendPlot(pg.PlotWidget):  # type: ignore[misc]
    """A click goes there."""

    chosen = pyqtSignal(float)

    def __init__(self, theme: Theme) -> None:
        super().__init__(axisItems={"bottom": pg.DateAxisItem()})
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setYRange(-0.04, 1.12, padding=0)
        self.setMouseEnabled(x=True, y=False)
        self.getAxis("left").setTicks([[(0, "0"), (1, "1")]])
        self.setFixedHeight(92)
        self._bins: TrendBins | None = None
        self._clock: DisplayClock | None = None
        self._row = 0
        self.alarm: int | None = None  # the class that rings an alarm
        self._curves: list[pg.PlotDataItem] = []
        self.scene().sigMouseClicked.connect(self._clicked)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setBackground(theme.panel)
        for side in ("left", "bottom"):
            self.getAxis(side).setPen(theme.line)
            self.getAxis(side).setTextPen(theme.dim)
            self.getAxis(side).setStyle(tickFont=self.font(), tickLength=3)
        self.getAxis("left").setWidth(round(1.5 * self.fontMetrics().height()))
        self.getAxis("bottom").setHeight(round(1.5 * self.fontMetrics().height()))
        for k, curve in enumerate(self._curves):
            curve.setPen(pg.mkPen(theme.of_class(k, self.alarm), width=1.2))

    def begin(self, clock: DisplayClock | None, n_classes: int) -> None:
        """A new stream."""
        self.clear()
        self._bins, self._clock, self._row = None, clock, 0
        self._curves = [self.plot(connect="finite", antialias=True) for _ in range(n_classes)]
        self.set_theme(self.theme)
        self.setXRange(time.time(), time.time() + 60, padding=0.01)

    def advance(self, scores: History) -> None:
        """Take what came; called every second or so."""
        x, data, valid = scores.rows(self._row, scores.n)
        self._row = scores.n
        if len(x) and valid.any():
            if self._bins is None:
                self._bins = TrendBins(data.shape[1], float(x[0]))
            self._bins.add(x[valid], data[valid])
        if self._bins is None or self._clock is None:
            return
        middle, values = self._bins.curves()
        wall = self._clock.walls(middle)
        for k, curve in enumerate(self._curves):
            curve.setData(wall, values[:, k])
        self.setXRange(wall[0], max(wall[-1], wall[0] + 60), padding=0.01)

    def _clicked(self, event: object) -> None:
        if self._clock is None:
            return
        wall = self.getViewBox().mapSceneToView(event.scenePos()).x()  # type: ignore[attr-defined]
        self.chosen.emit(self._clock.x(wall - self._clock.wall_minus_local))
