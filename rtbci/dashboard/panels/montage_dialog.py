"""Montages of the user's own: a row a line, checked against the stream as they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtbci.dashboard.model.montages import MONTAGES, display_montage
from rtbci.dashboard.model.stream_channels import Channels
from rtbci.errors import StreamMismatch

HELP = "A row a line: F3-C3 (a pair), Cz-avg (against the average), C3-LE (against linked ears), ECG (as it is)."
MOST_ROWS, MOST_LETTERS = 2000, 60


class MontageDialog(QDialog):
    """Write a montage, change one, or delete it.

    Attributes
    ----------
    own
        All of the user's montages, as they are after it is accepted.
    montage
        The name of the one that was written last.
    """

    def __init__(
        self, own: Mapping[str, Sequence[str]], current: str, rows: Sequence[str], channels: Channels, parent: QWidget
    ) -> None:
        """rows: to begin with, those of the page."""
        super().__init__(parent)
        self.setWindowTitle("Montage of your own")
        self.own: dict[str, tuple[str, ...]] = {name: tuple(one) for name, one in own.items()}
        self.montage = ""
        self._channels = channels
        self.name = QComboBox()
        self.name.setEditable(True)
        self.name.addItems(list(self.own))
        self.name.setAccessibleName("name of the montage")
        self.text = QPlainTextEdit()
        self.text.setTabChangesFocus(True)
        self.verdict = QLabel()
        self.verdict.setTextFormat(Qt.TextFormat.PlainText)
        self.verdict.setWordWrap(True)
        about = QLabel(HELP)
        about.setWordWrap(True)
        about.setObjectName("dim")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self.delete = QPushButton("Delete")
        self.buttons.addButton(self.delete, QDialogButtonBox.ButtonRole.DestructiveRole)
        self.buttons.accepted.connect(self._save)
        self.buttons.rejected.connect(self.reject)
        self.delete.clicked.connect(self._delete)
        column = QVBoxLayout(self)
        for widget in (QLabel("Name"), self.name, about, self.text, self.verdict, self.buttons):
            column.addWidget(widget)
        self.name.setEditText(current if current in self.own else "My montage")
        self.text.setPlainText("\n".join(self.own.get(current, tuple(rows))))
        self.name.textActivated.connect(lambda name: self.text.setPlainText("\n".join(self.own.get(name, ()))))
        self.text.textChanged.connect(self._check)
        self.name.editTextChanged.connect(self._check)
        self._check()
        em = self.fontMetrics().height()
        self.resize(26 * em, min(30 * em, round(0.85 * parent.height())))

    @property
    def _rows(self) -> tuple[str, ...]:
        lines = (line.strip() for line in self.text.toPlainText().splitlines())
        return tuple(line for line in lines if line)

    def _check(self) -> None:
        problem, note = self._verdict()
        self.verdict.setText(problem or note)
        save = self.buttons.button(QDialogButtonBox.StandardButton.Save)
        assert save is not None
        save.setEnabled(not problem)
        self.delete.setEnabled(self.name.currentText().strip() in self.own)

    def _verdict(self) -> tuple[str, str]:
        """(why it cannot be saved, what is to be said of it)."""
        name, rows = self.name.currentText().strip(), self._rows
        if not name or len(name) > MOST_LETTERS or not name.isprintable():
            return f"A name of 1 to {MOST_LETTERS} letters is wanted.", ""
        if name in MONTAGES:
            return f"{name} is the name of a montage that comes with rtbci; another one is wanted.", ""
        if not rows or len(rows) > MOST_ROWS or any(len(row) > 2 * MOST_LETTERS for row in rows):
            return f"1 to {MOST_ROWS} rows are wanted, each of at most {2 * MOST_LETTERS} letters.", ""
        try:
            made = display_montage(name, self._channels, {name: rows})
        except StreamMismatch as error:
            return "", f"It can be saved, but not shown on this stream: {error}."
        if made.missing:
            return "", f"{len(made)} rows; not on this stream: {', '.join(made.missing[:8])}."
        return "", f"{len(made)} rows, all on this stream."

    def _save(self) -> None:
        self.montage = self.name.currentText().strip()
        self.own[self.montage] = self._rows
        self.accept()

    def _delete(self) -> None:
        self.own.pop(self.name.currentText().strip(), None)
        self.accept()
