"""The row of buttons above the traces; each shows how things stand and does what its key does."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from rtbci.dashboard.model.display_montage import AS_RECORDED
from rtbci.dashboard.model.timeline import PAGES_S
from rtbci.dashboard.shortcuts import hint


class ChoiceButton(QToolButton):
    """One of several, from a menu."""

    chosen = pyqtSignal(str)

    def __init__(self, items: list[str], tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self._menu.triggered.connect(lambda item: self.chosen.emit(item.text()))
        self.setMenu(self._menu)
        self.items: list[str] = []
        self.set_items(items)

    def set_items(self, items: list[str]) -> None:
        if items != self.items:
            self.items = items
            self._menu.clear()
            for item in items:
                self._menu.addAction(item)

    def show_item(self, item: str) -> None:
        self.setText(f"{item}  ▾")
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance(max(self.items, key=len, default="") + "  ▾") + 14)


class Toolbar(QWidget):
    """Emits what was chosen; the window carries it out and calls back with what holds."""

    triggered = pyqtSignal(str)  # the name of an action
    page_chosen = pyqtSignal(float)
    montage_chosen = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(5)
        self.buttons: dict[str, QToolButton] = {}
        self.page = self._choice([f"{p:g} s" for p in PAGES_S], "length of the page ([ and ])")
        self.page.chosen.connect(lambda text: self.page_chosen.emit(float(text.removesuffix(" s"))))
        self._button("smaller", "−")
        self.sensitivity = QLabel()
        self.sensitivity.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._row.addWidget(self.sensitivity)
        self._button("larger", "+")
        self._button("fit", "Fit")
        self.montage = self._choice([AS_RECORDED], "montage for the eye (M); the engine's own does not change")
        self.montage.chosen.connect(self.montage_chosen.emit)
        for name, text in (
            ("toggle_source", "Model view"),
            ("toggle_butterfly", "Butterfly"),
            ("toggle_sweep", "Sweep"),
            ("toggle_freeze", "Freeze"),
            ("toggle_trends", "Trends"),
        ):
            self._button(name, text, checkable=True)
        self._row.addStretch()
        for name, text in (
            ("annotate", "Annotate"),
            ("toggle_mute", "Mute"),
            ("toggle_theme", "◐"),
            ("show_shortcuts", "?"),
        ):
            self._button(name, text, checkable=name == "toggle_mute")

    def _choice(self, items: list[str], tip: str) -> ChoiceButton:
        choice = ChoiceButton(items, tip)
        self._row.addWidget(choice)
        return choice

    def _button(self, action: str, text: str, *, checkable: bool = False) -> None:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(hint(action))
        button.setCheckable(checkable)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self.triggered.emit(action))
        self._row.addWidget(button)
        self.buttons[action] = button

    def check(self, action: str, on: bool) -> None:
        self.buttons[action].setChecked(on)

    def show_sensitivity(self, per_mm: float, per_division: float, unit: str) -> None:
        self.sensitivity.setText(f"{per_mm:g} {unit}/mm")
        self.sensitivity.setToolTip(f"one division (from lane to lane) is {per_division:.3g} {unit}; keys ↑ ↓ + −")
        self.sensitivity.setMinimumWidth(self.fontMetrics().horizontalAdvance(f"1000 {unit}/mm") + 8)

    def show_page(self, page_s: float) -> None:
        self.page.show_item(f"{page_s:g} s")

    def show_montages(self, names: list[str], current: str) -> None:
        self.montage.set_items(names)
        self.montage.show_item(current if current in names else names[0])
        self.montage.setEnabled(len(names) > 1)

    def show_mute(self, seconds: float) -> None:
        """The minutes of silence that are left."""
        text = f"Muted {max(1, round(seconds / 60))} min" if seconds else "Mute"
        button = self.buttons["toggle_mute"]
        if button.text() != text:
            button.setText(text)
        button.setChecked(bool(seconds))
