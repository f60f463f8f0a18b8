"""A plot of a montage's rows in lanes: which rows, where they lie, and their samples as they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QEvent, pyqtSignal
from PyQt6.QtGui import QResizeEvent

from rtbci.dashboard.model.display_filter import DisplayFilter, FilteredRows
from rtbci.dashboard.model.display_montage import DisplayMontage, derive_in_blocks
from rtbci.dashboard.model.montages import MontageChoice
from rtbci.dashboard.model.page_cursors import PageCursors
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.model.trace_rows import PER_PAGE, TraceRows
from rtbci.dashboard.plots.time_plot import TimePlot, joined
from rtbci.dashboard.theme import Theme
from rtbci.types import Flags, Samples, Times

GROUP_GAP = 0.6  # lanes between two regions


@dataclass(frozen=True)
class Lanes:
    """Where the rows lie, in device pixels."""

    centres: npt.NDArray[np.float32]
    pitch: float

    def at(self, y: float) -> int | None:
        """The row nearest to y."""
        return int(np.argmin(np.abs(self.centres - y))) if len(self.centres) else None

    @classmethod
    def of(cls, shown: DisplayMontage | None, height: float, *, butterfly: bool) -> Lanes:
        """Lanes of one height, with a gap where the region changes; butterfly: all in one."""
        n = len(shown) if shown is not None else 0
        if not n or shown is None:
            return cls(np.zeros(0, np.float32), 1.0)
        if butterfly:
            return cls(np.full(n, height / 2, np.float32), float(height))
        turns = np.array([a != b for a, b in zip(shown.regions, shown.regions[1:], strict=False)], bool)
        at = np.concatenate([[0.0], np.cumsum(1 + GROUP_GAP * turns)])
        pitch = height / (at[-1] + 1.2)
        return cls(((at + 0.6) * pitch).astype(np.float32), float(pitch))


class RowsPlot(TimePlot):
    """What a subclass paints."""

    rearranged = pyqtSignal()  # other rows, lanes or colours: the labels follow

    def __init__(self, timeline: Timeline, marks: TimeMarks, theme: Theme) -> None:
        super().__init__(timeline, marks, theme)
        self.rows = TraceRows()
        self.butterfly = False
        self.filter = DisplayFilter()
        self.cursors = PageCursors()
        self.cursors.changed.subscribe(self.update)
        self._filtered: FilteredRows | None = None
        self.lanes = Lanes.of(None, 1.0, butterfly=False)

    # -- what is shown ----------------------------------------------------------------------------------------

    @property
    def all_rows(self) -> DisplayMontage | None:
        return self.rows.all_rows

    @property
    def shown(self) -> DisplayMontage | None:
        return self.rows.shown

    @property
    def montage(self) -> str:
        return self.rows.montage

    @property
    def solo(self) -> str | None:
        return self.rows.solo

    @property
    def factors(self) -> dict[str, float]:
        return self.rows.factors

    def montages(self) -> list[str]:
        """Those that the channels let be derived."""
        return [choice.name for choice in self.montage_choices() if not choice.reason]

    def montage_choices(self) -> list[MontageChoice]:
        return self.rows.choices()

    def set_montage(self, montage: str) -> None:
        self.rows.montage = montage
        self.rows.solo = None
        self._arrange()

    def set_butterfly(self, on: bool) -> None:
        self.butterfly = on
        self._arrange()

    def hide_row(self, name: str) -> None:
        if self.shown is not None and self.rows.n_kept > 1:
            self.rows.hidden.add(name)
            self._arrange()

    def set_hidden(self, names: set[str]) -> None:
        """Hide these of the montage's rows and no others."""
        there = set(self.all_rows.names) if self.all_rows is not None else set()
        self.rows.hidden = (self.rows.hidden - there) | names
        self.rows.solo = None
        self._arrange()

    def show_all(self) -> None:
        self.rows.hidden.clear()
        self.rows.solo = None
        self._arrange()

    def set_solo(self, name: str | None) -> None:
        """This row alone; again, or None: all."""
        self.rows.solo = None if name == self.rows.solo else name
        self._arrange()

    def set_per_page(self, per_page: int) -> None:
        """per_page: rows on a page, or trace_rows.ALL or AS_FIT."""
        self.rows.per_page = per_page
        self._arrange()

    def step_per_page(self, by: int) -> None:
        """More rows on a page, or fewer."""
        now = len(self.shown) if self.shown is not None else 0
        steps = sorted({n for n in PER_PAGE if 0 < n < self.rows.n_kept} | {self.rows.n_kept})
        wanted = [n for n in steps if (n > now if by > 0 else n < now)]
        if wanted:
            self.set_per_page(wanted[0] if by > 0 else wanted[-1])

    def scroll_rows_to(self, first: int) -> None:
        """Begin the page with this row."""
        self.rows.first = first
        self._arrange()

    def page_rows(self, by: int) -> None:
        """A page of rows down, or up; one row of the page before stays."""
        self.scroll_rows_to(self.rows.first + by * max(1, (len(self.shown) if self.shown else 1) - 1))

    def _arrange(self) -> None:
        """Which rows, and where: as many as have room for their names."""
        line = max(11.0, 0.62 * self.fontMetrics().height()) * self.ratio
        room = int(self.device_size().height() / line)
        for _ in range(4):  # the gaps between regions take room, too
            self.rows.arrange(room)
            self._lay_out()
            if self.lanes.pitch >= line or self.butterfly:
                break
            room = int(room * self.lanes.pitch / line)
        self.redraw()
        self.rearranged.emit()

    def _lay_out(self) -> None:
        self.lanes = Lanes.of(self.shown, self.device_size().height(), butterfly=self.butterfly)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:  # names need more room, or less
            self._arrange()

    # -- samples as they are shown ----------------------------------------------------------------------------

    def set_filter(self, wanted: DisplayFilter) -> None:
        self.filter = wanted
        self.redraw()
        self.rearranged.emit()

    def redraw(self) -> None:
        self._filtered = None
        super().redraw()

    def read_rows(self, start: int, stop: int) -> tuple[Times, Samples, Flags]:
        if self._filtered is None:
            keep_s = 1.0 + 3 / self.timeline.columns_per_s
            self._filtered = self._reader(range(len(self.shown) if self.shown else 0), keep_s)
        return self._filtered.rows(start, stop)

    def span(self, start: float, stop: float, rows: range | None = None) -> tuple[Times, Samples, Flags]:
        """Samples between two moments, as they are shown: places, (n_samples, n_rows), valid. rows: these alone."""
        assert self.history is not None and self.shown is not None
        wanted = range(len(self.shown)) if rows is None else rows
        reader = self._reader(wanted)
        x, data, valid = joined([reader.rows(*part) for part in self.history.parts(start, stop)] or [reader.rows(0, 0)])
        here = slice(*np.searchsorted(x, (start, stop)))
        return x[here], data[here], valid[here]

    def _reader(self, rows: range, keep_s: float = 1.0) -> FilteredRows:
        assert self.history is not None and self.shown is not None
        made = self.shown.only(list(rows))
        return FilteredRows(self.history, lambda data: derive_in_blocks(data, made), self.filter, keep_s)

    # -- what lies under the pointer -----------------------------------------------------------------------------

    def row_at(self, y: float) -> int | None:
        """The row whose lane is at y (device pixels)."""
        return None if self.butterfly else self.lanes.at(y)

    def name_at(self, y: float) -> str | None:
        """The name of the row at y (device pixels)."""
        row = self.row_at(y)
        return None if row is None or self.shown is None else self.shown.names[row]

    def value_at(self, x: float, row: int) -> float | None:
        """The sample at or just before x, in the unit of the display; None in a gap."""
        if self.history is None or self.shown is None or row >= len(self.shown):
            return None
        times, data, _ = self.span(x - 0.1, x + 0.5 / self.history.sfreq, range(row, row + 1))
        return float(data[-1, 0]) if len(times) else None
