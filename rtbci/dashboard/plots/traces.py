"""The traces of all channels: sensitivity in µV/mm, raw or as the model sees them; for display only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QRect, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QPen

from rtbci.dashboard.model import time_marks
from rtbci.dashboard.model.channel_kinds import EEG
from rtbci.dashboard.model.column_extents import ColumnExtents
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.sensitivity import SURE_S, AutoClock, Sensitivity, typical_spreads
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.cursor_layer import paint_cursors
from rtbci.dashboard.plots.mark_painter import draw_labels, draw_unseen
from rtbci.dashboard.plots.rows_plot import RowsPlot
from rtbci.dashboard.theme import Theme
from rtbci.types import Samples

REACH = 1.5  # lanes that a trace may leave its own by
SETTLED_S = (1.0, 4.0)  # of data, after which all is drawn about its zero anew


class TracePlot(RowsPlot):
    """Paints the rows."""

    rescaled = pyqtSignal()

    def __init__(self, timeline: Timeline, marks: TimeMarks, theme: Theme) -> None:
        super().__init__(timeline, marks, theme)
        self._sensitivities = {"µV": Sensitivity()}
        self.sensitivity = self._sensitivities["µV"]
        self._channels: tuple[str, ...] = ()
        self._auto_clock = AutoClock()
        self._base = np.zeros(0, np.float32)
        self._settled_s = SETTLED_S[0]
        self._scale = np.ones(0, np.float32)
        self._clipped = np.zeros(0, np.intp)  # the newest column in which each row was cut
        self.pixels_per_mm = 96 / 25.4
        self.setMinimumSize(240, 120)

    def show_history(
        self,
        history: History | None,
        channels: tuple[str, ...],
        unit: str = "µV",
        types: tuple[str, ...] = (),
        *,
        as_model: bool = False,
    ) -> None:
        """unit: "µV", or that of the model's scaling. types: of the channels. Each unit keeps its sensitivity."""
        if (history, channels, unit) == (self.history, self._channels, self.unit):
            self.redraw()  # another part of the same stream
            return
        self._channels = channels
        self.sensitivity = self._sensitivities.setdefault(unit, Sensitivity(unit))
        self.history = history
        self.rows.set_channels(channels, types, fixed=as_model)
        self._settled_s, self._auto_clock = SETTLED_S[0], AutoClock()
        self._arrange()

    def set_montage(self, montage: str) -> None:
        super().set_montage(montage)
        self.find_sensitivity()

    # -- sensitivity ------------------------------------------------------------------------------------------

    @property
    def unit(self) -> str:
        return self.sensitivity.unit

    @property
    def kind(self) -> str:
        """The kind of channel that most rows are."""
        return next(iter(self.rows.kinds), EEG)

    @property
    def microvolts(self) -> Sensitivity:
        """Of the channels as recorded, whatever is shown."""
        return self._sensitivities["µV"]

    @property
    def per_mm(self) -> float:
        """Of most rows."""
        return self.sensitivity.per_mm[self.kind]

    @per_mm.setter
    def per_mm(self, per_mm: float) -> None:
        self.sensitivity.choose(self.kind, per_mm)

    def _measure_screen(self) -> None:
        screen = self.screen()
        dpi = screen.physicalDotsPerInch() if screen is not None else 96.0
        self.pixels_per_mm = (dpi if 50 <= dpi <= 400 else 96.0) * self.ratio / 25.4
        self.timeline.pixels_per_mm = self.pixels_per_mm

    @property
    def per_division(self) -> float:
        """What a trace must swing to reach the next lane."""
        return self.per_mm * self.lanes.pitch / self.pixels_per_mm

    def kind_of_row(self, row: str | None) -> str:
        """That of a row's name; of most rows where it is none."""
        shown = self.shown
        return shown.kinds[shown.names.index(row)] if shown is not None and row in shown.names else self.kind

    def step_sensitivity(self, by: int, row: str | None = None) -> None:
        """by > 0: larger traces. row: that one alone."""
        if row is not None:
            self.factors[row] = float(np.clip(self.factors.get(row, 1.0) * 1.5**-by, 1 / 32, 32))
        else:
            self.sensitivity.step(self.kind, by)
        self._rescaled()

    def step_kind(self, by: int, kind: str) -> None:
        """All rows of one kind; by > 0: larger."""
        self.sensitivity.step(kind, by)
        self._rescaled()

    def reset_factors(self) -> None:
        """Every row as large as those of its kind."""
        self.factors.clear()
        self._rescaled()

    def set_auto(self) -> None:
        """Let all kinds be found from the data again."""
        self.sensitivity.by_hand.clear()
        self.find_sensitivity()
        self._rescaled()

    def fit(self) -> None:
        """By hand, the steps at which this page's traces fill their lanes, more or less."""
        if self.history is None or self.shown is None:
            return
        end = self.timeline.head if self.timeline.end is None else self.timeline.end
        _, data, _ = self.span(end - self.timeline.page_s, end)
        if not len(data):
            return
        data = np.nan_to_num(data[:: max(1, len(data) // 400)])
        low, high = np.percentile(data, [5, 95], axis=0)
        self.sensitivity.by_hand.difference_update(self.rows.kinds)
        self._find(high - low)
        self.sensitivity.by_hand.update(self.rows.kinds)
        self._rescaled()

    def find_sensitivity(self, *, tolerance: int = 0) -> None:
        """For the kinds that are auto: after what the stream usually swings, outside events."""
        if self.history is None or self.shown is None or not self.history.n:
            return
        if set(self.rows.kinds) <= self.sensitivity.by_hand:
            return
        spreads = typical_spreads(self.history, self.span, len(self.shown), self._is_event)
        if self._find(spreads, tolerance):
            self._rescaled()

    def _is_event(self, start: float, stop: float) -> bool:
        return any(mark.kind == time_marks.EVENT for mark in self.marks.between(start, stop))

    def _find(self, spreads: npt.NDArray[np.float64], tolerance: int = 0) -> bool:
        assert self.shown is not None
        self._measure_screen()
        lane_mm = self.lanes.pitch * (0.5 if self.butterfly else 1.0) / self.pixels_per_mm
        kinds = np.array(self.shown.kinds)
        changed = False
        for kind in self.rows.kinds:
            usual = float(np.nanmedian(spreads[kinds == kind])) if np.isfinite(spreads[kinds == kind]).any() else np.nan
            changed |= self.sensitivity.find(kind, usual, lane_mm, tolerance=tolerance)
        return changed

    def _rescaled(self) -> None:
        self.redraw()
        self.rescaled.emit()

    # -- painting ---------------------------------------------------------------------------------------------

    def colours(self) -> list[QColor]:
        return [self.theme.region(name) for name in self.shown.regions] if self.shown else []

    def prepare(self) -> None:
        """Each trace about the middle of its lane: the page's median is its zero."""
        self._measure_screen()
        self._lay_out()
        self._scale = self.scales()
        data = self._page()
        if data is None or not len(data) or self.filter.low_hz:
            self._base = np.zeros(len(self._scale), np.float32)
            return
        self._base = np.median(data, axis=0).astype(np.float32)

    def scales(self) -> npt.NDArray[np.float32]:
        """Device pixels to the unit, of each row."""
        n = len(self.shown) if self.shown is not None else 0
        return np.array([self.pixels_per_mm / self.per_mm_of(row) for row in range(n)], np.float32)

    def per_mm_of(self, row: int) -> float:
        """A row's own sensitivity."""
        assert self.shown is not None
        return self.sensitivity.per_mm[self.shown.kinds[row]] * self.factors.get(self.shown.names[row], 1.0)

    def _page(self) -> Samples | None:
        """A few hundred moments of the page; what is no number is 0."""
        if self.history is None or self.shown is None or not self.history.n:
            return None
        _, data, _ = self.history.between(*self.timeline.page)
        return np.nan_to_num(self.shown.derive(data[:: max(1, len(data) // 400)]))

    def advance(self) -> None:
        before = self._head_column // max(1, self.timeline.width)
        super().advance()
        if self._stale or self.history is None or self.timeline.frozen:
            return
        # Once a page the zero follows what has drifted; the page so far stays as it was painted.
        if self._head_column // max(1, self.timeline.width) != before:
            self.prepare()
        data_s = self.history.newest_x - self.history.oldest_x
        # A zero out of a moment's data is none.
        if data_s > self._settled_s:
            self._settled_s = SETTLED_S[1] if self._settled_s == SETTLED_S[0] else np.inf
            self.redraw()
        if self._auto_clock.due(self.history.newest_x):
            self.find_sensitivity(tolerance=0 if data_s < SURE_S else 1)

    def paint_extents(self, found: ColumnExtents) -> None:
        if self.shown is None or not len(found.columns):
            return
        half = np.float32(0.6 * self.weight * self.ratio)
        top = self.lanes.centres - (found.high - self._base) * self._scale - half
        bottom = self.lanes.centres - (found.low - self._base) * self._scale + half
        reach = np.float32(self.lanes.pitch * (0.5 if self.butterfly else REACH))
        floor, ceiling = self.lanes.centres - reach, self.lanes.centres + reach
        self.raster.paint(found.columns, top, bottom, floor, ceiling)
        self._mark_clipped(found.columns, top, bottom, np.maximum(floor, 0), np.minimum(ceiling, self.raster.height))

    def _mark_clipped(
        self,
        columns: npt.NDArray[np.intp],
        top: npt.NDArray[np.float32],
        bottom: npt.NDArray[np.float32],
        floor: npt.NDArray[np.float32],
        ceiling: npt.NDArray[np.float32],
    ) -> None:
        """A short bar where a trace is cut, at the edge that cuts it."""
        if len(self._clipped) != len(floor):
            self._clipped = np.full(len(floor), np.iinfo(np.intp).min)
        size = max(2, round(2 * self.ratio * self.weight))
        colour = self.theme.colour("warn")
        for cut, edge, step in ((top < floor, floor, 0), (bottom > ceiling, ceiling, -size)):
            if cut.any():
                column, row = np.nonzero(cut)
                self.raster.mark(columns[column], edge[row].astype(np.intp) + step, size, colour)
                np.maximum.at(self._clipped, row, columns[column])

    @property
    def n_clipped(self) -> int:
        """Rows that are cut somewhere on the page."""
        return int((self._clipped > self.timeline.last - self.timeline.width).sum())

    def redraw(self) -> None:
        self._clipped = np.zeros(0, np.intp)
        super().redraw()

    def paint_over(self, painter: QPainter, exposed: QRect) -> None:
        """The cursors, the texts of marks, and a bar that says how tall 100 µV are (or what fits)."""
        paint_cursors(painter, self.cursors, self.timeline, self.theme, self.raster.height, self.ratio)
        painter.save()
        painter.resetTransform()
        draw_unseen(painter, self.theme, self._unseen_pixels(), self.ratio, self.height())
        draw_labels(painter, self.theme, self.timeline, self.marks, self.ratio, exposed)
        painter.restore()
        if self.shown is None or exposed.right() < self.raster.width - 12 * self.ratio * self.fontMetrics().height():
            return
        ratio, height = self.ratio, self.raster.height
        amount = calibration(min(60.0 * ratio, 0.2 * height) * self.per_mm / self.pixels_per_mm)
        size = amount * self.pixels_per_mm / self.per_mm
        text = f"{amount:g} {self.unit}"
        metrics = painter.fontMetrics()
        painter.resetTransform()
        box = QRect(
            self.width() - metrics.horizontalAdvance(text) - 20, self.height() - int(size / ratio) - 16,
            metrics.horizontalAdvance(text) + 16, int(size / ratio) + 10,
        )  # fmt: skip
        painter.fillRect(box, self.theme.colour("plot", 205))
        painter.setPen(QPen(self.theme.colour("text"), 2))
        painter.drawLine(box.left() + 6, box.top() + 5, box.left() + 6, box.top() + 5 + int(size / ratio))
        painter.drawText(box.adjusted(11, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    def _unseen_pixels(self) -> list[tuple[int, int]]:
        start, stop = self.timeline.page
        return [p for part in self._unseen(start, stop) for p in self.timeline.pixel_ranges(*part)]


_ROUND = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def calibration(most: float) -> float:
    """The largest round amount that is no more."""
    return max((step for step in _ROUND if step <= most), default=_ROUND[0])
