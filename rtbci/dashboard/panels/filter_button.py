"""The button of the display's filters: low cut, high cut and notch in one menu."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QToolButton

from rtbci.dashboard.model.display_filter import HIGH_HZ, LOW_HZ, NOTCH_HZ, DisplayFilter
from rtbci.dashboard.panels.trace_menu import add_heading

_PARTS = (
    ("low_hz", "Low cut (high-pass)", LOW_HZ),
    ("high_hz", "High cut (low-pass)", HIGH_HZ),
    ("notch_hz", "Notch", NOTCH_HZ),
)


class FilterButton(QToolButton):
    """Emits the filter that is wanted."""

    chosen = pyqtSignal(object)  # a DisplayFilter

    def __init__(self) -> None:
        super().__init__()
        tip = "filters for the eye, causal; the model's own do not change (Ctrl+L, Ctrl+H, Ctrl+N; Ctrl+F: off)"
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._filter = DisplayFilter()
        menu = QMenu(self)
        self._actions: list[tuple[str, float, QAction]] = []
        for part, title, steps in _PARTS:
            add_heading(menu, title)
            for hz in steps:
                action = QAction(f"{hz:g} Hz" if hz else f"No {title.split(' (')[0].lower()}", menu)
                action.setCheckable(True)
                action.triggered.connect(lambda _checked=False, part=part, hz=hz: self._choose(part, hz))
                menu.addAction(action)
                self._actions.append((part, hz, action))
        self.setMenu(menu)
        self.show_filter(self._filter)

    def show_filter(self, held: DisplayFilter) -> None:
        self._filter = held
        self.setText("Filter on  ▾" if held.is_on else "Filter  ▾")
        for part, hz, action in self._actions:
            action.setChecked(getattr(held, part) == hz)

    def _choose(self, part: str, hz: float) -> None:
        self.chosen.emit(replace(self._filter, **{part: hz}))
