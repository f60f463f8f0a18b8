"""The panels at the side: state, head, and the events with the log behind them."""

from __future__ import annotations

from datetime import datetime

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from rtbci.dashboard.model.electrodes import caption
from rtbci.dashboard.model.event_log import DisplayEventLog
from rtbci.dashboard.panels.events import EventTable
from rtbci.dashboard.panels.head_map import HeadMap
from rtbci.dashboard.panels.state import StatePanel
from rtbci.dashboard.theme import Theme
from rtbci.monitor.layout import Layout
from rtbci.monitor.messages import LogLine

LOG_LINES = 1000


def panel(heading: QLabel | str, *widgets: QWidget) -> QFrame:
    """A frame with a heading."""
    frame = QFrame()
    frame.setObjectName("panel")
    column = QVBoxLayout(frame)
    column.setContentsMargins(10, 6, 10, 6)
    column.setSpacing(3)
    title = QLabel(heading) if isinstance(heading, str) else heading
    title.setObjectName("heading")
    column.addWidget(title)
    for widget in widgets:
        column.addWidget(widget)
    return frame


class Sidebar(QWidget):
    """Only as wide as its text needs."""

    def __init__(self, event_log: DisplayEventLog, theme: Theme) -> None:
        super().__init__()
        self.state = StatePanel(theme)
        self.head = HeadMap(theme)
        self.head_title = QLabel("Electrodes")
        self.events = EventTable(event_log, theme)
        self.log = QListWidget()
        self.log.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.log.setWordWrap(True)
        self.log.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.confirm, self.reject, self.note = (QPushButton(text) for text in ("Confirm", "Reject", "Note"))
        self.export = QPushButton("Export")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(panel("State", self.state))
        self.head_title.setWordWrap(True)
        self.head_panel = panel(self.head_title, self.head)
        self.head_panel.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.head_panel.setVisible(False)
        column.addWidget(self.head_panel, 6)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        bar = self.tabs.tabBar()
        assert bar is not None
        bar.setDrawBase(False)
        self.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.tabs.addTab(self._events_page(), "Events")
        self.tabs.addTab(self.log, "Log")
        frame = QFrame()
        frame.setObjectName("panel")
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(6, 4, 6, 6)
        inner.addWidget(self.tabs)
        column.addWidget(frame, 5)

    def _events_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(5)
        column.addWidget(self.events)
        row = QHBoxLayout()
        row.setSpacing(5)
        for button in (self.confirm, self.reject, self.note, self.export):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setMinimumWidth(20)
            row.addWidget(button)
        column.addLayout(row)
        return page

    def show_layout(self, layout: Layout | None, quality: dict[str, str]) -> None:
        """The electrodes; where none has a place on the head, their panel leaves its room to the events."""
        self.head.show_layout(layout, quality)
        self.head_panel.setVisible(bool(self.head.electrodes))
        title = "  ·  ".join(part for part in ("Electrodes", caption(layout)) if part)
        if self.head_title.text() != title:
            self.head_title.setText(title)

    def log_line(self, line: LogLine, text: str) -> None:
        """A line into the log, newest at the top."""
        at = datetime.fromtimestamp(line.wall).strftime("%H:%M:%S")
        self.log.insertItem(0, f"{at}  {text}")
        if self.log.count() > LOG_LINES:
            self.log.takeItem(LOG_LINES)

    def set_theme(self, theme: Theme) -> None:
        self.state.set_theme(theme)
        self.head.theme = theme
        self.head.update()
        self.events.set_theme(theme)
        self.setFixedWidth(round(23.5 * self.fontMetrics().height()))
