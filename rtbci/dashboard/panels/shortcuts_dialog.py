"""The help: all keys on one sheet."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from rtbci.dashboard.shortcuts import SHORTCUTS, key_text


class ShortcutsDialog(QDialog):
    """All keys on one sheet."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        sheet = QWidget()
        columns = QHBoxLayout(sheet)
        columns.setSpacing(36)
        columns.setContentsMargins(24, 20, 24, 20)
        for groups in (
            ("Time", "Window"),
            ("Traces", "Filters", "Measure"),
            ("Channels", "Alarms", "Events", "Replay"),
        ):
            column = QVBoxLayout()
            for group in groups:
                column.addLayout(self._group(group))
            column.addStretch()
            columns.addLayout(column)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(sheet)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        self.resize((sheet.sizeHint() + QSize(2, 2)).boundedTo(parent.size() * 0.95))

    def _group(self, group: str) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(3)
        heading = QLabel(group)
        heading.setObjectName("heading")
        grid.addWidget(heading, 0, 0, 1, 2)
        for row, shortcut in enumerate((s for s in SHORTCUTS if s.group == group), 1):
            name = QLabel("  ".join(key_text(k) for k in shortcut.keys))
            name.setAlignment(Qt.AlignmentFlag.AlignLeft)
            text = QLabel(shortcut.text)
            text.setObjectName("dim")
            grid.addWidget(name, row, 0)
            grid.addWidget(text, row, 1)
        grid.setRowMinimumHeight(grid.rowCount(), 12)
        grid.setColumnMinimumWidth(0, round(6.5 * self.fontMetrics().height()))
        grid.setColumnStretch(1, 1)
        return grid
