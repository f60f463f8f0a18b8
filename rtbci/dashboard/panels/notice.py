"""The notice above the traces: why the engine or its stream ended, and buttons for what can be done; gone without one."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from rtbci.dashboard.model.notice import STEPS, Notice, Step
from rtbci.dashboard.theme import Theme


class StepButtons(QWidget):
    """Buttons in as many rows as the width needs."""

    chosen = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self.buttons: dict[Step, QPushButton] = {}

    def show_steps(self, steps: tuple[Step, ...]) -> None:
        for button in self.buttons.values():
            button.deleteLater()
        self.buttons = {}
        for step in steps:
            button = QPushButton(STEPS[step])
            button.clicked.connect(lambda _checked=False, step=step: self.chosen.emit(step))
            self.buttons[step] = button
        self.setVisible(bool(steps))

    def arrange(self, width: int) -> None:
        """Lay them out for a width."""
        widest = max((button.sizeHint().width() for button in self.buttons.values()), default=1)
        n = max(1, min(len(self.buttons), (width + 6) // (widest + 6)))
        for column in range(self._grid.columnCount() + 1):
            self._grid.setColumnStretch(column, 0)
        for k, button in enumerate(self.buttons.values()):
            self._grid.addWidget(button, k // n, k % n)
        self._grid.setColumnStretch(n, 1)


class NoticePanel(QFrame):
    """As high as its text; it takes no room where there is nothing to say."""

    chosen = pyqtSignal(str)  # a Step

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("notice")
        self.theme = theme
        self.notice: Notice | None = None
        self.text, self.details = QLabel(), QLabel()
        for label in (self.text, self.details):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.steps = StepButtons()
        self.steps.chosen.connect(self.chosen.emit)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 12, 8)
        column.setSpacing(4)
        for widget in (self.text, self.details, self.steps):
            column.addWidget(widget)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setVisible(False)

    def show_notice(self, notice: Notice | None) -> None:
        if notice == self.notice:
            return
        self.notice = notice
        self.setVisible(notice is not None)
        if notice is None:
            return
        self.text.setText(notice.text)
        self.details.setText("\n".join(notice.details))
        self.details.setVisible(bool(notice.details))
        self.steps.show_steps(notice.steps)
        self.steps.arrange(self.width() - 24)
        self.set_theme(self.theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        if self.notice is None:
            return
        ink = {"bad": theme.bad, "good": theme.good, "plain": theme.accent}[self.notice.tone]
        points = self.font().pointSizeF()
        self.setStyleSheet(
            f"QFrame#notice {{ background: {theme.panel}; border: 1px solid {ink}; border-left: 6px solid {ink};"
            " border-radius: 6px; }"
        )
        self.text.setStyleSheet(f"color: {ink}; font-weight: 600; font-size: {1.15 * points:.1f}pt;")

    def resizeEvent(self, event: object) -> None:
        self.steps.arrange(self.width() - 24)
