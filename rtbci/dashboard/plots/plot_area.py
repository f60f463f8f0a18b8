"""The middle of the window: labels and traces, the axis, the probability, the trend; all on one time axis."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QGridLayout, QLabel, QScrollBar, QWidget

from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.channel_labels import ChannelLabels
from rtbci.dashboard.plots.probability import ProbabilityLegend, ProbabilityPlot
from rtbci.dashboard.plots.time_axis import TimeAxis
from rtbci.dashboard.plots.trace_mouse import TraceMouse
from rtbci.dashboard.plots.traces import TracePlot
from rtbci.dashboard.plots.trend import TrendPlot
from rtbci.dashboard.theme import Theme
from rtbci.text import clock_text, one_line, wall_text


class PlotArea(QWidget):
    """Lays the plots under each other and moves them together."""

    def __init__(self, timeline: Timeline, marks: TimeMarks, theme: Theme) -> None:
        super().__init__()
        self.timeline = timeline
        self.traces = TracePlot(timeline, marks, theme)
        self.mouse = TraceMouse(self.traces)
        self.labels = ChannelLabels(self.traces, theme)
        self.axis = TimeAxis(timeline, theme)
        self.probability = ProbabilityPlot(timeline, marks, theme)
        self.legend = ProbabilityLegend(self.labels.width(), theme)
        self.trend = TrendPlot(theme)
        self.row_bar = QScrollBar(Qt.Orientation.Vertical)
        self.row_bar.setToolTip("more channels (Ctrl+PgDn, Ctrl+PgUp, Shift + wheel)")
        self.row_bar.valueChanged.connect(self.traces.scroll_rows_to)
        self.traces.rearranged.connect(self._show_rows)
        self.corner = QWidget()
        self.chip = QLabel(self.traces)
        self.chip.setTextFormat(Qt.TextFormat.PlainText)
        self.chip.setObjectName("chip")
        self.chip.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.chip.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(self.labels, 0, 0)
        grid.addWidget(self.traces, 0, 1)
        grid.addWidget(self.row_bar, 0, 2)
        grid.addWidget(self.corner, 1, 0)
        grid.addWidget(self.axis, 1, 1)
        grid.addWidget(self.legend, 2, 0)
        grid.addWidget(self.probability, 2, 1)
        grid.setRowMinimumHeight(3, 6)
        grid.addWidget(self.trend, 4, 0, 1, 2)
        grid.setRowStretch(0, 10)
        grid.setRowStretch(2, 1)
        self.clock: DisplayClock | None = None
        for plot in (self.traces, self.probability):
            plot.hovered.connect(self._hover)

    def begin(self, feed: Feed, *, as_model: bool) -> None:
        """Another stream, or the other view of it."""
        self.clock = feed.clock
        self.axis.clock = feed.clock
        layout = feed.layout
        if layout is None or feed.clock is None:
            self.traces.show_history(None, ())
        elif as_model:
            self.traces.show_history(feed.model, layout.inputs, "σ" if layout.scaled else "µV", as_model=True)
        else:
            self.traces.show_history(feed.signals, layout.channels, types=layout.types)
        alarms = [k for k, name in enumerate(layout.classes) if name in layout.alarms] if layout is not None else []
        for plot in (self.probability, self.legend, self.trend):
            plot.alarm = alarms[0] if alarms else None
        self.trend.set_theme(self.trend.theme)
        self.probability.show_history(feed.scores)
        self.axis.update()

    def _show_rows(self) -> None:
        """The scroll bar is there where there are more rows than the page has."""
        rows = self.traces.rows
        n = len(rows.shown) if rows.shown is not None else 0
        self.row_bar.blockSignals(True)
        self.row_bar.setRange(0, rows.n_kept - n)
        self.row_bar.setPageStep(max(1, n))
        self.row_bar.setValue(rows.first)
        self.row_bar.blockSignals(False)
        if self.row_bar.isHidden() == (n < rows.n_kept):
            self.row_bar.setVisible(n < rows.n_kept)
            self._set_width()

    def advance(self) -> None:
        """One frame."""
        self.traces.advance()
        self.probability.advance()

    def set_theme(self, theme: Theme) -> None:
        em = self.fontMetrics().height()
        for widget in (self.traces, self.probability, self.labels, self.axis, self.legend):
            widget.theme = theme
        width = round(7.6 * em)
        self.labels.setFixedWidth(width)
        self.legend.setFixedWidth(width)
        self.axis.setFixedHeight(2 * em + 6)
        self.probability.setFixedHeight(round(5.6 * em))
        self.trend.setFixedHeight(round(5.4 * em))
        self.trend.set_theme(theme)
        for plot in (self.traces, self.probability):
            plot.weight = max(1.0, em / 17)
            plot.redraw()
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._set_width()

    def _set_width(self) -> None:
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.timeline.set_width(self.traces.device_size().width())

    # -- the crosshair ----------------------------------------------------------------------------------------

    readout = ""

    def _hover(self, x: float | None, y: int) -> None:
        for plot in (self.traces, self.probability):
            plot.set_cursor(x)
        self.readout = self._read(x, y) if x is not None else ""

    def _read(self, x: float, y: int) -> str:
        """Value and time under the pointer."""
        if self.clock is None:
            return ""
        stamp = self.clock.wall(x)
        when = f"{wall_text(stamp)}.{int(stamp % 1 * 1000):03d}  ({clock_text(self.clock.recording_s(x))})"
        if self.sender() is self.probability:
            return f"p = {self.probability.probability_at(y / self.probability.ratio):.2f}  {when}"
        row = self.traces.row_at(y)
        if row is None or self.traces.shown is None:
            return when
        value = self.traces.value_at(x, row)
        name = self.traces.shown.names[row]
        shown = "no data" if value is None else f"{value:.1f} {self.traces.unit}"
        return f"{name}  {shown}  {when}"

    @property
    def between_text(self) -> str:
        """What lies between the two cursors, in time and in the chosen channel's value."""
        cursors, shown = self.traces.cursors, self.traces.shown
        if (seconds := cursors.between_s) is None:
            return ""
        rate = f"  ({1 / abs(seconds):.3g} Hz)" if seconds else ""
        text = f"1 to 2: {seconds:+.3f} s{rate}"
        if shown is None or self.labels.selection not in shown.names:
            return text
        row = shown.names.index(self.labels.selection)
        first, second = (self.traces.value_at(cursors.at[k], row) for k in (1, 2))
        if first is None or second is None:
            return text
        return (
            f"{text}  {one_line(shown.names[row])} {first:.1f} → {second:.1f}, {second - first:+.1f} {self.traces.unit}"
        )

    def show_chip(self, text: str) -> None:
        """The value under the pointer, or how far behind a frozen page is, in the corner of the traces."""
        if text == self.chip.text():
            return
        self.chip.setText(text)
        self.chip.setVisible(bool(text))
        self.chip.adjustSize()
        self.chip.move(self.traces.width() - self.chip.width() - 8, 8)
