"""The row of buttons above the traces; each shows how things stand and does what its key does."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QLabel, QMenu, QToolButton

from rtbci.dashboard.model.montages import MontageChoice
from rtbci.dashboard.model.timeline import MM_PER_S, PAGES_S
from rtbci.dashboard.model.trace_rows import ALL, AS_FIT, PER_PAGE
from rtbci.dashboard.panels.choice_button import Choice, ChoiceButton
from rtbci.dashboard.panels.filter_button import FilterButton
from rtbci.dashboard.panels.flow_row import FlowRow
from rtbci.dashboard.shortcuts import SHORTCUTS, hint, key_text
from rtbci.monitor.describe_alerts import pause_text

NEW_MONTAGE, CHOOSE_ROWS = "\0new", "\0choose"
_ROWS = {AS_FIT: "as many as have room for their names", ALL: "all on one page"}


class Toolbar(FlowRow):
    """Emits what was chosen; the window carries it out and calls back with what holds."""

    triggered = pyqtSignal(str)  # the name of an action
    page_chosen = pyqtSignal(float)
    speed_chosen = pyqtSignal(float)  # mm/s
    montage_chosen = pyqtSignal(str)
    per_page_chosen = pyqtSignal(int)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, QToolButton] = {}
        self._main_menu()
        pages = [Choice.plain(f"{page_s:g} s") for page_s in PAGES_S]
        speeds = [Choice.plain(f"{mm_per_s:g} mm/s") for mm_per_s in MM_PER_S]
        self.page = self._choice([*pages, *speeds], "time base ([ and ], or Ctrl + wheel)")
        self.page.chosen.connect(self._choose_page)
        self._button("smaller", "−")
        self.sensitivity = QLabel()
        self.sensitivity.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.add(self.sensitivity)
        self._button("larger", "+")
        self._button("fit", "Fit")
        self.montage = self._choice([], "montage for the eye (M); the engine's own does not change")
        self.montage.chosen.connect(self._choose_montage)
        rows = [Choice(str(n), _ROWS.get(n, f"{n} a page")) for n in PER_PAGE]
        self.rows = self._choice([Choice(CHOOSE_ROWS, "Choose channels … (V)"), *rows], "channels, and how many a page")
        self.rows.chosen.connect(self._choose_rows)
        self.filter = FilterButton()
        self.add(self.filter)
        for name, text in (
            ("toggle_source", "Model view"),
            ("toggle_butterfly", "Butterfly"),
            ("toggle_sweep", "Sweep"),
            ("toggle_freeze", "Freeze"),
            ("toggle_trends", "Trends"),
        ):
            self._button(name, text, checkable=True)
        for name, text in (
            ("annotate", "Annotate"),
            ("toggle_mute", "Sound on"),
            ("toggle_theme", "◐"),
            ("show_shortcuts", "?"),
        ):
            self._button(name, text, checkable=name == "toggle_mute")
        spare = (
            "toggle_theme",
            "toggle_butterfly",
            "toggle_trends",
            "toggle_source",
            "toggle_sweep",
            "fit",
            "show_shortcuts",
            "annotate",
        )
        self.leave_out(*(self.buttons[name] for name in spare), self.filter, self.rows)

    def _main_menu(self) -> None:
        """All that has a key, so that a mouse alone reaches it."""
        button = QToolButton()
        button.setText("☰")
        button.setToolTip(hint("show_menu"))
        button.setAccessibleName("all actions")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        groups: dict[str, QMenu] = {}
        for shortcut in SHORTCUTS:
            if shortcut.group not in groups and (made := menu.addMenu(shortcut.group)) is not None:
                groups[shortcut.group] = made
            action = groups[shortcut.group].addAction(f"{shortcut.text}\t{key_text(shortcut.keys[0])}")
            assert action is not None
            action.triggered.connect(lambda _checked=False, name=shortcut.action: self.triggered.emit(name))
        button.setMenu(menu)
        self.add(button)
        self._menu_button = button

    def show_menu(self) -> None:
        """All actions, as by a click on the button."""
        self._menu_button.showMenu()

    def _choice(self, choices: Sequence[Choice], tip: str) -> ChoiceButton:
        choice = ChoiceButton(choices, tip)
        self.add(choice)
        return choice

    def _button(self, action: str, text: str, *, checkable: bool = False) -> None:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(hint(action))
        button.setAccessibleName(hint(action))
        button.setCheckable(checkable)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self.triggered.emit(action))
        self.add(button)
        self.buttons[action] = button

    def _choose_page(self, value: str) -> None:
        number, unit = value.split(" ")
        (self.page_chosen if unit == "s" else self.speed_chosen).emit(float(number))

    def _choose_montage(self, value: str) -> None:
        if value == NEW_MONTAGE:
            self.triggered.emit("edit_montage")
        else:
            self.montage_chosen.emit(value)

    def _choose_rows(self, value: str) -> None:
        if value == CHOOSE_ROWS:
            self.triggered.emit("choose_rows")
        else:
            self.per_page_chosen.emit(int(value))

    # -- what holds -------------------------------------------------------------------------------------------

    def check(self, action: str, on: bool) -> None:
        self.buttons[action].setChecked(on)

    def show_sensitivity(self, per_mm: float, per_division: float, unit: str) -> None:
        self.sensitivity.setText(f"{per_mm:g} {unit}/mm")
        self.sensitivity.setToolTip(f"one division (from lane to lane) is {per_division:.3g} {unit}; ↑ ↓ + − or wheel")
        self.sensitivity.setMinimumWidth(self.fontMetrics().horizontalAdvance(f"1000 {unit}/mm") + 8)
        self.sensitivity.setMinimumHeight(self.buttons["fit"].sizeHint().height())

    def show_page(self, page_s: float, mm_per_s: float | None) -> None:
        """mm_per_s: where the time base is held in mm/s."""
        text = f"{page_s:g} s" if mm_per_s is None else f"{mm_per_s:g} mm/s"
        self.page.show_value(text)

    def show_montages(self, choices: Sequence[MontageChoice], current: str, *, fixed: bool) -> None:
        """fixed: the model's inputs are shown, as they are."""
        new = [] if fixed else [Choice(NEW_MONTAGE, "Montage of your own …")]
        self.montage.set_choices([*(Choice(one.name, one.name, one.reason) for one in choices), *new])
        self.montage.show_value(choices[0].name if fixed else current)
        self.montage.setEnabled(not fixed)

    def show_rows(self, per_page: int, page_text: str) -> None:
        """page_text: which of the rows are on the page, "" where all are."""
        self.rows.show_value(str(per_page), page_text or "Channels")

    def show_mute(self, seconds: float) -> None:
        """How long the sound is still paused."""
        text = pause_text(seconds).capitalize() or "Sound on"
        button = self.buttons["toggle_mute"]
        if button.text() != text:
            button.setText(text)
        button.setChecked(bool(seconds))
