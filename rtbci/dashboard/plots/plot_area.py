"""The middle of the window: labels and traces, the axis, the probability; all on one time axis."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QGridLayout, QLabel, QPushButton, QScrollBar, QWidget

from rtbci.dashboard.model.display_clock import DisplayClock, SessionClocks
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.plots.channel_labels import ChannelLabels
from rtbci.dashboard.plots.probability import ProbabilityLegend, ProbabilityPlot
from rtbci.dashboard.plots.time_axis import TimeAxis
from rtbci.dashboard.plots.trace_mouse import TraceMouse
from rtbci.dashboard.plots.traces import TracePlot
from rtbci.dashboard.theme import Theme
from rtbci.text import one_line, tenths_text, wall_text


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
        self.back_to_live = QPushButton("Back to live (End)", self.traces)
        self.undo = QPushButton(self.probability)
        for button in (self.back_to_live, self.undo):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.hide()
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
        grid.setRowStretch(0, 10)
        grid.setRowStretch(2, 1)
        self._clocks: SessionClocks | None = None
        self._classes: tuple[str, ...] = ()
        for plot in (self.traces, self.probability):
            plot.hovered.connect(self._hover)

    def begin(self, feed: Feed, *, as_model: bool) -> None:
        """Another stream, or the other view of it."""
        self._clocks = feed.clocks
        self.axis.clocks = feed.clocks
        layout = feed.layout
        self._classes = layout.classes if layout is not None else ()
        if layout is None or feed.clock is None:
            self.traces.show_history(None, ())
        elif as_model:
            self.traces.show_history(feed.model, layout.inputs, "σ" if layout.scaled else "µV", as_model=True)
        else:
            self.traces.show_history(feed.signals, layout.channels, types=layout.types)
        for plot in (self.probability, self.legend):
            plot.alarm = layout.alarm_row if layout is not None else None
        self.probability.show_history(feed.scores)
        self.axis.update()

    def clock_at(self, x: float) -> DisplayClock | None:
        """Of the part of the session that a moment is in."""
        return self._clocks.at(x) if self._clocks is not None else None

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
    _chip: tuple[str, bool, int] = "", False, 0

    def _hover(self, x: float | None, y: int) -> None:
        for plot in (self.traces, self.probability):
            plot.set_cursor(x)
        self.readout = self._read(x, y) if x is not None else ""

    def _read(self, x: float, y: int) -> str:
        """Value and time under the pointer."""
        clock = self._clocks.at(x) if self._clocks is not None else None
        if clock is None:
            return ""
        when = tenths_text(x) if clock.is_replay else f"{wall_text(clock.wall(x))}  ({tenths_text(x)})"
        if self.sender() is self.probability:
            values = self.probability.values_at(x)
            if values is None:
                return f"no answer  {when}"
            names = self._classes if len(self._classes) == len(values) else ("p",) * len(values)
            shown = "  ".join(f"{one_line(name)} {value:.2f}" for name, value in zip(names, values, strict=True))
            return f"{shown}  {when}"
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

    def show_chip(self, text: str, *, frozen: bool = False) -> None:
        """The value under the pointer, or how far a frozen page is from the stream, beside the way back to it."""
        if (text, frozen, self.traces.width()) == self._chip:
            return
        self._chip = text, frozen, self.traces.width()
        self.back_to_live.setVisible(frozen)
        self.back_to_live.adjustSize()
        self.chip.setText(text)
        self.chip.setVisible(bool(text))
        self.chip.adjustSize()
        width = self.traces.width()
        self.back_to_live.move(width - 8 - self.back_to_live.width(), 8)
        right, top = width - 8, 8
        if frozen and self.chip.width() + self.back_to_live.width() + 22 <= width:
            right -= self.back_to_live.width() + 6
        elif frozen:
            top += self.back_to_live.height() + 4
        self.chip.move(max(0, right - self.chip.width()), top)

    def show_undo(self, text: str) -> None:
        """A button that takes the last change of the threshold back; "": none."""
        if text == self.undo.text() and self.undo.isVisible() == bool(text):
            return
        self.undo.setText(text)
        self.undo.adjustSize()
        self.undo.move(8, max(0, (self.probability.height() - self.undo.height()) // 2))
        self.undo.setVisible(bool(text))
