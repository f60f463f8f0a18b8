"""A button with a menu of which one thing holds; what cannot be chosen stands there with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QToolButton

from rtbci.text import one_line


@dataclass(frozen=True, slots=True)
class Choice:
    """value: what is emitted. text: as it is shown. reason: why it cannot be chosen, "" where it can."""

    value: str
    text: str
    reason: str = ""

    @classmethod
    def plain(cls, text: str) -> Choice:
        """One whose text is its value."""
        return cls(text, text)


class ChoiceButton(QToolButton):
    """Emits the value of what was chosen."""

    chosen = pyqtSignal(str)

    def __init__(self, choices: Sequence[Choice], tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_ = QMenu(self)
        self.menu_.triggered.connect(lambda item: self.chosen.emit(item.data()))
        self.setMenu(self.menu_)
        self._choices: list[Choice] = []
        self.set_choices(choices)

    def set_choices(self, choices: Sequence[Choice]) -> None:
        if list(choices) == self._choices:
            return
        self._choices = list(choices)
        self.menu_.clear()
        for choice in choices:
            reason = f" ({choice.reason})" if choice.reason else ""
            action = QAction(one_line(choice.text + reason).replace("&", "&&"), self.menu_)
            action.setData(choice.value)
            action.setEnabled(not choice.reason)
            action.setCheckable(True)
            self.menu_.addAction(action)

    def show_value(self, value: str, text: str | None = None) -> None:
        """What holds. text: on the button, where it is not the choice's own."""
        held = next((choice.text for choice in self._choices if choice.value == value), value)
        self.setText(f"{one_line(text or held)}  ▾".replace("&", "&&"))
        for action in self.menu_.actions():
            action.setChecked(action.data() == value)
