"""The panel of a chosen stretch: its length, each row's amplitude and dominant frequency, and a row's spectrum."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rtbci.dashboard.model.stretch import StretchMeasures
from rtbci.dashboard.panels.scalp_map import ScalpMap
from rtbci.dashboard.theme import Theme
from rtbci.text import one_line

COLUMNS = ("Channel", "Peak to peak", "RMS", "Dominant")
SHOWN_HZ = 70.0  # of the spectrum


class StretchPanel(QDialog):
    """Stays beside the traces; closed, the stretch is let go."""

    closed = pyqtSignal()
    wanted = pyqtSignal(str)  # the name of an action

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Tool)
        self.setWindowTitle("Stretch")
        self._measures: StretchMeasures | None = None
        self._unit = "µV"
        self.heading = QLabel()
        self.heading.setTextFormat(Qt.TextFormat.PlainText)
        self.heading.setWordWrap(True)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None and rows is not None
        rows.hide()
        rows.setDefaultSectionSize(round(1.5 * self.fontMetrics().height()))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.currentCellChanged.connect(lambda row, *_: self._show_row(row))
        self.spectrum = pg.PlotWidget()
        self.spectrum.setToolTip("the channel's spectrum; dashed: the median of all")
        self.spectrum.setMenuEnabled(False)
        self.spectrum.hideButtons()
        self.spectrum.setMouseEnabled(x=True, y=False)
        self.curve = self.spectrum.plot()
        self.others = self.spectrum.plot()
        self.map = ScalpMap(theme)
        buttons = QHBoxLayout()
        for action, text in (
            ("annotate_stretch", "Annotate …"),
            ("export_stretch", "Export as EDF+ …"),
            ("show_stretch", "Fill the page"),
        ):
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, action=action: self.wanted.emit(action))
            buttons.addWidget(button)
        buttons.addStretch()
        pictures = QHBoxLayout()
        pictures.addWidget(self.spectrum, 3)
        pictures.addWidget(self.map, 2)
        column = QVBoxLayout(self)
        column.addWidget(self.heading)
        column.addWidget(self.table, 3)
        column.addLayout(pictures, 3)
        column.addLayout(buttons)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.map.theme = theme
        self.spectrum.setBackground(theme.plot)
        for side in ("left", "bottom"):
            axis = self.spectrum.getAxis(side)
            axis.setPen(theme.line)
            axis.setTextPen(theme.dim)
        self.spectrum.setLabel("bottom", "Hz")
        self.curve.setPen(pg.mkPen(theme.accent, width=1.6))
        self.others.setPen(pg.mkPen(theme.dim, width=1, style=Qt.PenStyle.DashLine))

    def show_measures(self, measures: StretchMeasures, when: str, unit: str, row: str | None, filtered: str) -> None:
        """row: the one under the hand; filtered: the display's filter in words."""
        self._measures, self._unit = measures, unit
        lacks = "" if measures.data_s > measures.seconds * 0.99 - 0.05 else f", {measures.data_s:.2f} s of it with data"
        through = f", measured through the display filter {filtered}" if filtered else ""
        self.heading.setText(f"{measures.seconds:.3f} s, {when}{lacks}{through}")
        self.table.setRowCount(len(measures.names))
        for k, name in enumerate(measures.names):
            cells = (
                one_line(name),
                _amount(measures.peak_to_peak[k], unit),
                _amount(measures.rms[k], unit),
                _amount(measures.dominant_hz[k], "Hz"),
            )
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(k, column, item)
        at = measures.names.index(row) if row in measures.names else 0
        self.table.setCurrentCell(at, 0)
        self._show_row(at)
        self.map.show_values(dict(zip(measures.names, measures.rms.tolist(), strict=True)), f"RMS, {unit}")

    def _show_row(self, row: int) -> None:
        measures = self._measures
        if measures is None or not 0 <= row < len(measures.names):
            return
        shown = measures.frequencies <= SHOWN_HZ
        hz, power = measures.frequencies[shown], measures.power[shown]
        finite = np.isfinite(power).any() if power.size else False
        self.curve.setData(hz, np.sqrt(power[:, row]) if finite else np.zeros(len(hz)))
        self.others.setData(hz, np.sqrt(np.nanmedian(power, axis=1)) if finite else np.zeros(len(hz)))
        self.spectrum.setTitle(f"{escape(one_line(measures.names[row]))}, {self._unit}/√Hz", size="9pt")

    def closeEvent(self, event: QCloseEvent | None) -> None:
        super().closeEvent(event)
        self.closed.emit()

    def reject(self) -> None:
        """Escape."""
        self.close()


def _amount(value: float, unit: str) -> str:
    return "–" if math.isnan(value) else f"{value:.3g} {unit}"
