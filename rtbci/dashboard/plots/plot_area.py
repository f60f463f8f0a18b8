"""The middle of the window: labels and traces, the axis, the probability, the trend; all on one time axis."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QGridLayout, QLabel, QWidget

from rtbci.dashboard.model.clock import Clock
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.time_marks import Marks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.channel_labels import Labels
from rtbci.dashboard.plots.probability import Legend, Strip
from rtbci.dashboard.plots.time_axis import Axis
from rtbci.dashboard.plots.traces import Signals
from rtbci.dashboard.plots.trend import Trend
from rtbci.dashboard.theme import Theme
from rtbci.text import clock_text, wall_text


class Monitor(QWidget):
    """Lays the plots under each other and moves them together."""

    def __init__(self, timeline: Timeline, marks: Marks, theme: Theme) -> None:
        super().__init__()
        self.timeline = timeline
        self.signals = Signals(timeline, marks, theme)
        self.labels = Labels(self.signals, theme)
        self.axis = Axis(timeline, theme)
        self.strip = Strip(timeline, marks, theme)
        self.legend = Legend(self.labels.width(), theme)
        self.trend = Trend(theme)
        self.corner = QWidget()
        self.chip = QLabel(self.signals)
        self.chip.setTextFormat(Qt.TextFormat.PlainText)
        self.chip.setObjectName("chip")
        self.chip.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.chip.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(self.labels, 0, 0)
        grid.addWidget(self.signals, 0, 1)
        grid.addWidget(self.corner, 1, 0)
        grid.addWidget(self.axis, 1, 1)
        grid.addWidget(self.legend, 2, 0)
        grid.addWidget(self.strip, 2, 1)
        grid.setRowMinimumHeight(3, 6)
        grid.addWidget(self.trend, 4, 0, 1, 2)
        grid.setRowStretch(0, 10)
        grid.setRowStretch(2, 1)
        self._clock: Clock | None = None
        for plot in (self.signals, self.strip):
            plot.hovered.connect(self._hover)

    def begin(self, feed: Feed, *, as_model: bool) -> None:
        """Another stream, or the other view of it."""
        self._clock = feed.clock
        self.axis.clock = feed.clock
        layout = feed.layout
        if layout is None or feed.clock is None:
            self.signals.show_history(None, ())
        elif as_model:
            self.signals.show_history(feed.model, layout.inputs, "σ" if layout.scaled else "µV")
        else:
            self.signals.show_history(feed.signals, layout.channels)
        self.strip.show_history(feed.scores)
        self.axis.update()

    def advance(self) -> None:
        """One frame."""
        self.signals.advance()
        self.strip.advance()

    def set_theme(self, theme: Theme) -> None:
        em = self.fontMetrics().height()
        for widget in (self.signals, self.strip, self.labels, self.axis, self.legend):
            widget.theme = theme
        width = round(7.6 * em)
        self.labels.setFixedWidth(width)
        self.legend.setFixedWidth(width)
        self.axis.setFixedHeight(2 * em + 6)
        self.strip.setFixedHeight(round(5.6 * em))
        self.trend.setFixedHeight(round(5.4 * em))
        self.trend.set_theme(theme)
        for plot in (self.signals, self.strip):
            plot.weight = max(1.0, em / 17)
            plot.redraw()
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._set_width()

    def _set_width(self) -> None:
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.timeline.set_width(self.signals.device_size().width())

    # -- the crosshair ----------------------------------------------------------------------------------------

    readout = ""

    def _hover(self, x: float | None, y: int) -> None:
        for plot in (self.signals, self.strip):
            plot.set_cursor(x)
        self.readout = self._read(x, y) if x is not None else ""

    def _read(self, x: float, y: int) -> str:
        """Value and time under the hand."""
        if self._clock is None:
            return ""
        stamp = self._clock.wall(x)
        when = f"{wall_text(stamp)}.{int(stamp % 1 * 1000):03d}  ({clock_text(self._clock.recording_s(x))})"
        if self.sender() is self.strip:
            return f"p = {self.strip.probability_at(y / self.strip.ratio):.2f}  {when}"
        row = self.signals.row_at(y)
        if row is None or self.signals.shown is None:
            return when
        value = self.signals.value_at(x, row)
        name = self.signals.shown.names[row]
        said = "no data" if value is None else f"{value:.1f} {self.signals.unit}"
        return f"{name}  {said}  {when}"

    def show_chip(self, text: str) -> None:
        """What the hand points at, or how far behind a frozen page is, in the corner of the traces."""
        if text == self.chip.text():
            return
        self.chip.setText(text)
        self.chip.setVisible(bool(text))
        self.chip.adjustSize()
        self.chip.move(self.signals.width() - self.chip.width() - 8, 8)
