"""The state panel: every line of the engine's state, red where it is wrong."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from rtbci.dashboard.model.state_text import Fact, state_facts, tool_tip
from rtbci.dashboard.panels.sparkline import Sparkline
from rtbci.dashboard.theme import Theme
from rtbci.monitor.messages import EngineState

LINES = (
    "Stream",
    "Pipeline",
    "Rate",
    "Newest",
    "Latency",
    "Samples",
    "Missing",
    "Device",
    "Clock",
    "Recording",
    "Channels",
    "Trust",
)


class ElidedLabel(QLabel):
    """A line of text that is cut with an ellipsis, never by its neighbour, and never moves the others."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("value")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.fact = Fact("")

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self.fontMetrics().height() + 2)

    sizeHint = minimumSizeHint

    def show_fact(self, fact: Fact) -> None:
        if fact == self.fact:
            return
        wrong_changed = fact.wrong != self.fact.wrong
        self.fact = fact
        self.setToolTip(tool_tip(fact.text))
        if wrong_changed:
            self.setProperty("wrong", "true" if fact.wrong else "false")
            style = self.style()
            assert style is not None
            style.unpolish(self)
            style.polish(self)
        self._elide()  # what is wrong is bold, and wider

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self.fact.text, Qt.TextElideMode.ElideRight, max(10, self.width())))


class StatePanel(QWidget):
    """Two columns: what, and how it is."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(1)
        self.values: dict[str, ElidedLabel] = {}
        self._keys: dict[str, QLabel] = {}
        self.spark = Sparkline(theme)
        for row, name in enumerate(LINES):
            key = self._keys[name] = QLabel(name)
            key.setObjectName("key")
            value = self.values[name] = ElidedLabel()
            grid.addWidget(key, row, 0)
            if name == "Latency":
                key.setToolTip("sample stamped to answer published, p50 / p99")
                grid.addWidget(value, row, 1)
                grid.addWidget(self.spark, row, 2)
                self.spark.setFixedSize(70, key.sizeHint().height())
            else:
                grid.addWidget(value, row, 1, 1, 2)
        grid.setColumnStretch(1, 1)
        self.show_state(EngineState())

    def set_theme(self, theme: Theme) -> None:
        self.spark.theme = theme
        self.spark.setFixedSize(70, self.fontMetrics().height() + 2)

    def show_state(self, state: EngineState) -> None:
        """Lines without anything to say leave their room to what is below."""
        shown = state_facts(state)
        for name, value in self.values.items():
            value.show_fact(shown.get(name, Fact("")))
            if value.isHidden() == (name in shown):
                for widget in (self._keys[name], value, *((self.spark,) if name == "Latency" else ())):
                    widget.setVisible(name in shown)

    def add_latency(self, state: EngineState) -> None:
        """Once a second: the p99 into the sparkline."""
        self.spark.add(state.latency_ms.p99)
