"""The traces of all channels: lanes by region, sensitivity in µV/mm, hide, solo, butterfly; for display only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QRect, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPen, QResizeEvent

from rtbci.dashboard.model.column_extents import ColumnExtents
from rtbci.dashboard.model.display_montage import (
    AS_RECORDED,
    MONTAGES,
    DisplayMontage,
    derive_in_blocks,
    display_montage,
)
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.mark_painter import draw_labels, draw_unseen
from rtbci.dashboard.plots.time_plot import TimePlot
from rtbci.dashboard.theme import Theme
from rtbci.types import Samples

LADDER = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000, 2000, 5000)  # µV/mm
MODEL_LADDER = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)  # of the model's own unit a mm
REACH = 1.5  # lanes that a trace may leave its own by
SETTLED_S = (1.0, 4.0)  # of data, after which all is drawn about its zero anew
GROUP_GAP = 0.6  # lanes between two regions


@dataclass(frozen=True)
class Lanes:
    """Where the rows lie, in device pixels."""

    centres: npt.NDArray[np.float32]
    pitch: float

    def at(self, y: float) -> int | None:
        """The row nearest to y."""
        return int(np.argmin(np.abs(self.centres - y))) if len(self.centres) else None


class TracePlot(TimePlot):
    """Raw or as the model sees them."""

    rearranged = pyqtSignal()  # other rows, lanes or colours: the labels follow
    rescaled = pyqtSignal()

    def __init__(self, timeline: Timeline, marks: TimeMarks, theme: Theme) -> None:
        super().__init__(timeline, marks, theme)
        self.all_rows: DisplayMontage | None = None
        self.shown: DisplayMontage | None = None
        self.montage = AS_RECORDED
        self.butterfly = False
        self.hidden: set[str] = set()
        self.solo: str | None = None
        self.factors: dict[str, float] = {}  # a row's own sensitivity, times the common one
        self.unit = "µV"
        self.per_mm = 10.0
        self.auto = True  # the user has not chosen a sensitivity
        self._channels: tuple[str, ...] = ()
        self._base = np.zeros(0, np.float32)
        self._settled_s = SETTLED_S[0]
        self._scale = np.ones(0, np.float32)
        self.pixels_per_mm = 96 / 25.4
        self.lanes = Lanes(np.zeros(0, np.float32), 1.0)
        self.setMinimumSize(240, 120)

    # -- what is shown ----------------------------------------------------------------------------------------

    def show_history(self, history: History | None, channels: tuple[str, ...], unit: str = "µV") -> None:
        """unit: "µV", or that of the model's scaling."""
        if (history, channels, unit) == (self.history, self._channels, self.unit):
            self.redraw()  # another part of the same stream
            return
        if unit != self.unit:
            self.unit = unit
            self.per_mm = 10.0 if unit == "µV" else 0.3
            self.auto = True
        self.history, self._channels = history, channels
        self._settled_s = SETTLED_S[0]
        self._arrange()

    def montages(self) -> list[str]:
        """Those that the channels let be derived."""
        return (
            [name for name in MONTAGES if display_montage(name, self._channels) is not None]
            if self._channels
            else [AS_RECORDED]
        )

    def set_montage(self, montage: str) -> None:
        self.montage = montage
        self.solo = None
        self._arrange()

    def set_butterfly(self, on: bool) -> None:
        self.butterfly = on
        self._arrange()

    def hide_row(self, name: str) -> None:
        if self.shown is not None and len(self.shown) > 1:
            self.hidden.add(name)
            self._arrange()

    def show_all(self) -> None:
        self.hidden.clear()
        self.solo = None
        self._arrange()

    def set_solo(self, name: str | None) -> None:
        """This row alone; again, or None: all."""
        self.solo = None if name == self.solo else name
        self._arrange()

    def _arrange(self) -> None:
        """Which rows, and where."""
        made = display_montage(self.montage, self._channels) if self._channels else None
        if made is None and self._channels:
            made = display_montage(AS_RECORDED, self._channels)
        self.all_rows = made
        if made is not None:
            keep = [k for k, name in enumerate(made.names) if self._is_shown(name)]
            made = made.only(keep or list(range(len(made))))
        self.shown = made
        self._lay_out()
        self.redraw()
        self.rearranged.emit()

    def _is_shown(self, name: str) -> bool:
        return name == self.solo if self.solo is not None else name not in self.hidden

    def _lay_out(self) -> None:
        n, height = len(self.shown) if self.shown else 0, self.device_size().height()
        if not n or self.shown is None:
            self.lanes = Lanes(np.zeros(0, np.float32), 1.0)
            return
        if self.butterfly:
            self.lanes = Lanes(np.full(n, height / 2, np.float32), float(height))
            return
        turns = np.array([a != b for a, b in zip(self.shown.regions, self.shown.regions[1:], strict=False)], bool)
        at = np.concatenate([[0.0], np.cumsum(1 + GROUP_GAP * turns)])
        pitch = height / (at[-1] + 1.2)
        self.lanes = Lanes(((at + 0.6) * pitch).astype(np.float32), float(pitch))

    # -- sensitivity ------------------------------------------------------------------------------------------

    @property
    def ladder(self) -> tuple[float, ...]:
        return LADDER if self.unit == "µV" else MODEL_LADDER

    def _measure_screen(self) -> None:
        screen = self.screen()
        dpi = screen.physicalDotsPerInch() if screen is not None else 96.0
        self.pixels_per_mm = (dpi if 50 <= dpi <= 400 else 96.0) * self.ratio / 25.4

    @property
    def per_division(self) -> float:
        """What a trace must swing to reach the next lane."""
        return self.per_mm * self.lanes.pitch / self.pixels_per_mm

    def step_sensitivity(self, by: int, row: str | None = None) -> None:
        """by > 0: larger traces. row: that one alone."""
        if row is not None:
            self.factors[row] = float(np.clip(self.factors.get(row, 1.0) * 1.5**-by, 1 / 32, 32))
        else:
            self.auto = False
            nearest = int(np.argmin(np.abs(np.log(np.array(self.ladder) / self.per_mm))))
            self.per_mm = float(self.ladder[min(max(nearest - by, 0), len(self.ladder) - 1)])
        self.redraw()
        self.rescaled.emit()

    def fit(self) -> None:
        """The step at which the page's traces fill their lanes, more or less."""
        data = self._page()
        if data is None or not len(data):
            return
        low, high = np.percentile(data, [5, 95], axis=0)
        spread = np.median(high - low)
        lane = self.lanes.pitch * (0.5 if self.butterfly else 1.0)
        wanted = max(float(spread), 1e-6) * self.pixels_per_mm / lane
        self.per_mm = float(min(self.ladder, key=lambda step: abs(np.log(step / wanted))))
        self.redraw()
        self.rescaled.emit()

    # -- painting ---------------------------------------------------------------------------------------------

    def values(self, data: Samples) -> Samples:
        assert self.shown is not None
        return derive_in_blocks(data, self.shown)

    def colours(self) -> list[QColor]:
        return [self.theme.region(name) for name in self.shown.regions] if self.shown else []

    def prepare(self) -> None:
        """Each trace about the middle of its lane: the page's median is its zero."""
        self._measure_screen()
        self._lay_out()
        data = self._page()
        names = self.shown.names if self.shown else ()
        n, scale = len(names), self.pixels_per_mm / self.per_mm
        self._scale = np.array([scale / self.factors.get(name, 1.0) for name in names], np.float32)
        if data is None or not len(data):
            self._base = np.zeros(n, np.float32)
            return
        self._base = np.median(data, axis=0).astype(np.float32)

    def _page(self) -> Samples | None:
        """A few hundred moments of the page; what is no number is 0."""
        if self.history is None or self.shown is None or not self.history.n:
            return None
        _, data, _ = self.history.between(*self.timeline.page)
        return np.nan_to_num(self.shown.derive(data[:: max(1, len(data) // 400)]))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._lay_out()
        self.rearranged.emit()

    def advance(self) -> None:
        before = self._head_column // max(1, self.timeline.width)
        super().advance()
        if self._stale or self.history is None or self.timeline.frozen:
            return
        # Once a page the zero follows what has drifted; the page so far stays as it was painted.
        if self._head_column // max(1, self.timeline.width) != before:
            self.prepare()
        # A zero out of a moment's data is none.
        if self.history.newest_x - self.history.oldest_x > self._settled_s:
            self._settled_s = SETTLED_S[1] if self._settled_s == SETTLED_S[0] else np.inf
            self.redraw()
            if self.auto:
                self.fit()

    def paint_extents(self, found: ColumnExtents) -> None:
        if self.shown is None or not len(found.columns):
            return
        half = np.float32(0.6 * self.weight * self.ratio)
        top = self.lanes.centres - (found.high - self._base) * self._scale - half
        bottom = self.lanes.centres - (found.low - self._base) * self._scale + half
        reach = np.float32(self.lanes.pitch * (0.5 if self.butterfly else REACH))
        self.raster.paint(found.columns, top, bottom, self.lanes.centres - reach, self.lanes.centres + reach)

    def paint_over(self, painter: QPainter, exposed: QRect) -> None:
        """The texts of marks, and a bar that says how tall 100 µV are (or what fits)."""
        painter.save()
        painter.resetTransform()
        draw_unseen(painter, self.theme, self._unseen_pixels(), self.ratio, self.height())
        draw_labels(painter, self.theme, self.timeline, self.marks, self.ratio, exposed)
        painter.restore()
        if self.shown is None or exposed.right() < self.raster.width - 12 * self.ratio * self.fontMetrics().height():
            return
        ratio, height = self.ratio, self.raster.height
        target = min(60.0 * ratio, 0.2 * height) * self.per_mm / self.pixels_per_mm
        amount = max((s for s in _ROUND if s <= target), default=_ROUND[0])
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

    # -- what lies under the pointer -----------------------------------------------------------------------------

    def row_at(self, y: float) -> int | None:
        """The row whose lane is at y (device pixels)."""
        return None if self.butterfly else self.lanes.at(y)

    def value_at(self, x: float, row: int) -> float | None:
        """The sample at or just before x, in the unit of the display; None in a gap."""
        if self.history is None or self.shown is None or row >= len(self.shown):
            return None
        times, data, _ = self.history.row_at(x + 0.5 / self.history.sfreq, 0.1)
        if not len(times):
            return None
        return float(self.shown.derive(data)[0, row])

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        row = self.row_at(event.position().y() * self.ratio)
        if row is not None and self.shown is not None:
            self.set_solo(self.shown.names[row])


_ROUND = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
