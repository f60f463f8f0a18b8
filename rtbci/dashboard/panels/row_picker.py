"""The channel picker: which rows of the montage are shown."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtbci.text import one_line


class RowPicker(QDialog):
    """A list with a tick for each row that is shown; what is typed above it narrows the list.

    Parameters
    ----------
    names
        Of all rows.
    notes
        Of each: its kind and what is wrong with it.
    hidden
        Names of rows that are not shown now.
    """

    def __init__(self, names: Sequence[str], notes: Sequence[str], hidden: set[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Channels")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Part of a name")
        self.search.textChanged.connect(self._narrow)
        self.list = QListWidget()
        for name, note in zip(names, notes, strict=True):
            item = QListWidgetItem(one_line(f"{name}   {note}".rstrip()))
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if name in hidden else Qt.CheckState.Checked)
            self.list.addItem(item)
        ticks = QHBoxLayout()
        for text, on in (("Tick all listed", True), ("Untick all listed", False)):
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, on=on: self._tick_listed(on=on))
            ticks.addWidget(button)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.search)
        column.addWidget(self.list)
        column.addLayout(ticks)
        column.addWidget(buttons)
        em = self.fontMetrics().height()
        self.resize(22 * em, min(30 * em, round(0.85 * parent.height())))

    def hidden(self) -> set[str]:
        """Names of the rows without a tick; none where no row has one, for a page without rows shows nothing."""
        items = self._items()
        unticked = {item.data(Qt.ItemDataRole.UserRole) for item in items if item.checkState() != Qt.CheckState.Checked}
        return unticked if len(unticked) < len(items) else set()

    def _items(self) -> list[QListWidgetItem]:
        items = (self.list.item(k) for k in range(self.list.count()))
        return [item for item in items if item is not None]

    def _narrow(self, text: str) -> None:
        for item in self._items():
            item.setHidden(text.strip().lower() not in item.text().lower())

    def _tick_listed(self, *, on: bool) -> None:
        for item in self._items():
            if not item.isHidden():
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
