"""The table of events and annotations: a click jumps there; confirm, reject, note, export."""

from __future__ import annotations

import math
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from rtbci.dashboard.model.event_log import DisplayEventLog, EventEntry
from rtbci.dashboard.model.state_text import tool_tip
from rtbci.dashboard.theme import Theme

COLUMNS = ("Onset", "Length", "Peak", "What", "")
VERDICT = 4
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_VERDICTS = {"": "", "confirmed": "✓", "rejected": "✗"}
_RIGHT_COLUMNS = (0, 1, 2)


class EventTableModel(QAbstractTableModel):
    """The event log, newest first."""

    def __init__(self, event_log: DisplayEventLog, theme: Theme) -> None:
        super().__init__()
        self._event_log, self.theme = event_log, theme
        event_log.added.subscribe(self._added)
        event_log.cleared.subscribe(self._cleared)
        event_log.changed.subscribe(self._changed)

    def entry(self, row: int) -> EventEntry:
        return self._event_log.entries[len(self._event_log.entries) - 1 - row]

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._event_log.entries)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in _RIGHT_COLUMNS else _LEFT
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(entry)[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if index.column() in _RIGHT_COLUMNS else _LEFT
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(entry)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._about(entry)
        return None

    def _text(self, entry: EventEntry) -> tuple[str, ...]:
        verdict = _VERDICTS[entry.verdict] + (" ✎" if entry.note else "")
        where = f" ({', '.join(entry.channels[:2])}{' …' if len(entry.channels) > 2 else ''})" if entry.channels else ""
        length = f"{entry.duration:.0f} s …" if entry.open else entry.length_text
        peak = "" if math.isnan(entry.peak) else f"{entry.peak:.2f}"
        return entry.start_text, length, peak, entry.label + where, verdict

    def _about(self, entry: EventEntry) -> str:
        """All of it, for the tool tip."""
        kind = "annotation" if entry.annotation else f"on {', '.join(entry.channels) or 'all channels'}"
        parts = [f"{entry.label}, {kind}", entry.verdict, entry.note]
        return tool_tip("\n".join(part for part in parts if part))

    def _colour(self, entry: EventEntry) -> QColor:
        if entry.verdict == "rejected":
            return self.theme.colour("dim")
        if entry.annotation:
            return self.theme.colour("accent")
        if not entry.alarms:
            return self.theme.of_class(entry.row)
        return self.theme.colour("bad" if entry.open else "text")

    def _added(self, row: int) -> None:
        self.beginInsertRows(QModelIndex(), 0, 0)
        self.endInsertRows()

    def _cleared(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    def _changed(self, row: int) -> None:
        at = len(self._event_log.entries) - 1 - row
        self.dataChanged.emit(self.index(at, 0), self.index(at, len(COLUMNS) - 1))


class EventTable(QTableView):
    """Emits `chosen` with an entry when the user goes to it."""

    chosen = pyqtSignal(object)

    def __init__(self, event_log: DisplayEventLog, theme: Theme) -> None:
        super().__init__()
        self._events = EventTableModel(event_log, theme)
        self.setModel(self._events)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setShowGrid(False)
        self.setWordWrap(False)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None and columns is not None
        rows.hide()
        rows.setDefaultSectionSize(self.fontMetrics().height() + 8)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setSectionResizeMode(COLUMNS.index("What"), QHeaderView.ResizeMode.Stretch)
        columns.setHighlightSections(False)
        columns.setMinimumSectionSize(10)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.clicked.connect(lambda index: self.chosen.emit(self._events.entry(index.row())))
        self.activated.connect(lambda index: self.chosen.emit(self._events.entry(index.row())))
        self._events.rowsInserted.connect(self._follow)

    def set_theme(self, theme: Theme) -> None:
        self._events.theme = theme
        metrics = self.fontMetrics()
        rows = self.verticalHeader()
        assert rows is not None
        rows.setDefaultSectionSize(metrics.height() + 8)
        for column, widest in enumerate(("00:00:00.0", "0000.0 s", "0.00", None, "✓ ✎")):
            if widest is not None:
                self.setColumnWidth(column, metrics.horizontalAdvance(widest) + 14)

    def current(self) -> EventEntry | None:
        """The chosen entry; where none is chosen, the newest event."""
        index = self.currentIndex()
        if index.isValid():
            return self._events.entry(index.row())
        rows = range(self._events.rowCount())
        return next((e for e in map(self._events.entry, rows) if not e.annotation), None)

    def choose(self, entry: EventEntry) -> None:
        """Select it, without going there."""
        for row in range(self._events.rowCount()):
            if self._events.entry(row) is entry:
                self.selectRow(row)

    def entry_at(self, at: QPoint) -> EventEntry | None:
        """at: in the table."""
        index = self.indexAt(at)
        return self._events.entry(index.row()) if index.isValid() else None

    def step(self, by: int) -> None:
        """Go to the next (older) or previous (newer) entry."""
        n = self._events.rowCount()
        if not n:
            return
        index = self.currentIndex()
        row = min(max(index.row() + by, 0), n - 1) if index.isValid() else 0
        self.selectRow(row)
        self.chosen.emit(self._events.entry(row))

    def _follow(self) -> None:
        if not self.currentIndex().isValid():
            self.scrollToTop()
