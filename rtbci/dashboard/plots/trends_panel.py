"""The panel of the trends: how long a stretch is shown, what it is computed from, and the plots."""

from __future__ import annotations

from PyQt6.QtCore import QRect, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.state_text import tool_tip
from rtbci.dashboard.model.trend_history import LEAST_DB, MOST_DB, SPANS_H, TrendView
from rtbci.dashboard.plots.trend_stack import TrendStack, shade_colours, shown_values
from rtbci.dashboard.theme import Theme
from rtbci.monitor.layout import TrendLayout

WAITS = "The first row comes after ten seconds of the stream."
_SLOW = 30  # frames between two looks at where the page is


class TrendsPanel(QFrame):
    """Shows the model's trends; hidden, it costs nothing. `chosen`: the moment of a click, on the axis of the page."""

    chosen = pyqtSignal(float)

    def __init__(self, model: DashboardModel, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.model = model
        self.hours = 1.0
        self.spans = QButtonGroup(self)
        self.about = QLabel()
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.scale = ColourScale(theme)
        self.stack = TrendStack(theme)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(4, 3, 4, 3)
        column.setSpacing(2)
        self._row = row = QHBoxLayout()
        row.setContentsMargins(6, 0, 6, 0)
        title = QLabel("Trends")
        title.setObjectName("heading")
        row.addWidget(title)
        for number, hours in enumerate(SPANS_H):
            row.addWidget(self._span_button(number, hours))
        row.addWidget(self.about, 1)
        row.addStretch()
        row.addWidget(self.scale)
        column.addLayout(row)
        column.addWidget(self.stack, 1)
        self._view: TrendView | None = None
        self._shown: object = None
        self._frame = 0
        self._pointed: float | None = None
        self.spans.idClicked.connect(lambda number: self.set_hours(SPANS_H[number]))
        self.stack.chosen.connect(self._choose)
        self.stack.hovered.connect(self._hover)
        self.set_hours(self.hours)

    def _span_button(self, number: int, hours: float) -> QToolButton:
        button = QToolButton()
        button.setText(span_text(hours))
        button.setToolTip(f"show the last {span_text(hours)}")
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.spans.addButton(button, number)
        return button

    def set_hours(self, hours: float) -> None:
        self.hours = min(SPANS_H, key=lambda one: abs(one - hours))
        button = self.spans.button(SPANS_H.index(self.hours))
        assert button is not None
        button.setChecked(True)

    def advance(self) -> None:
        """One frame."""
        feed = self.model.feed
        self._frame += 1
        if feed is None or feed.clock is None or not self.isVisible():
            return
        self.stack.advance()
        is_wall = feed.state.replay is None and bool(feed.layout and feed.layout.speed)
        zero = feed.clock.wall(self._x(feed.clock, 0.0)) if is_wall else feed.clock.offset_s
        wanted = feed, feed.trends.n_read, self.hours, round(zero)
        if wanted != self._shown:
            self._shown = wanted
            self._view = feed.trends.view(self.hours)
            self.stack.axis.set_clock(zero, is_wall=is_wall)
            self.stack.show_view(self._view)
        if self._frame % _SLOW == 0:
            timeline = self.model.timeline
            end = timeline.head if timeline.end is None else timeline.end
            self.stack.show_page(*(self._seconds(feed.clock, x) for x in (end - timeline.page_s, end)))
            self._show_about(feed)

    @staticmethod
    def _x(clock: DisplayClock, at_s: float) -> float:
        """Seconds of the engine's recording on the axis of the page."""
        return at_s + clock.offset_s

    @staticmethod
    def _seconds(clock: DisplayClock, x: float) -> float:
        return clock.engine_s(x)

    def _choose(self, at_s: float) -> None:
        if self.model.feed is not None and (clock := self.model.feed.clock) is not None:
            self.chosen.emit(self._x(clock, at_s))

    def show_cursor(self, x: float | None) -> None:
        """The pointer is on the traces, at x; None: it is not."""
        clock = self.model.feed.clock if self.model.feed is not None else None
        if self.isVisible() and clock is not None:
            self._hover(None if x is None else self._seconds(clock, x))

    def _hover(self, at_s: float | None) -> None:
        self._pointed = at_s
        self.stack.show_cursor(at_s)
        if self.model.feed is not None:
            self._show_about(self.model.feed)

    def _show_about(self, feed: Feed) -> None:
        view, at_s = self._view, self._pointed
        if view is not None and at_s is not None and view.start <= at_s < view.edges[-1]:
            values = shown_values(view.values[int((at_s - view.start) / view.step)])
            self._say(f"{self.stack.axis.text_at(at_s)}   {values or 'nothing is known of then'}")
        else:
            about = feed.layout.trends if feed.layout is not None else None
            self._say(about_text(about) if feed.trends.n_read or about is None else WAITS)

    def _say(self, text: str) -> None:
        """Cut with an ellipsis where it has no room; whole in the tool tip."""
        shown = self.about.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(10, self.about.width()))
        if shown != self.about.text():
            self.about.setText(shown)
            self.about.setToolTip(tool_tip(text))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Where there is no room for it in the first line, the text has a line of its own; the scale may have none."""
        super().resizeEvent(event)
        em = self.fontMetrics().height()
        is_narrow = self.width() < 52 * em
        if is_narrow != (self._row.indexOf(self.about) < 0):
            if is_narrow:
                self._column.insertWidget(1, self.about)
            else:
                self._row.insertWidget(1 + len(SPANS_H), self.about, 1)
        self.scale.setVisible(self.width() >= 38 * em)

    def set_theme(self, theme: Theme) -> None:
        self.setMinimumHeight(round(13.6 * self.fontMetrics().height()))
        self.scale.theme = theme
        self.scale.setFixedSize(12 * self.fontMetrics().height(), self.fontMetrics().height() + 2)
        self.stack.set_theme(theme)


def span_text(hours: float) -> str:
    """ "15 min", "4 h"."""
    return f"{hours:g} h" if hours >= 1 else f"{60 * hours:g} min"


def about_text(about: TrendLayout | None) -> str:
    """What the trends of a stream are computed from."""
    if about is None:
        return "This engine gives no trends."
    if not about.left and not about.right and not about.aeeg:
        return "No channel of this stream has a side of the head by its name: no spectra, no aEEG."
    pair = f"aEEG {about.aeeg[0]} (band) and {about.aeeg[1]} (lines)" if len(about.aeeg) == 2 else "no pair for an aEEG"
    against = "against the average" if about.average else "as recorded"
    return f"{pair}  ·  spectra of {len(about.left)} left and {len(about.right)} right channels, {against}"


class ColourScale(QWidget):
    """What the colours of the spectra mean."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.setToolTip("power of the spectra, dB over 1 µV²/Hz")

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        colours = shade_colours(self.theme.plot)[1:]
        low, high = f"{LEAST_DB:g}", f"{MOST_DB:g} dB"
        left = self.fontMetrics().horizontalAdvance(low) + 4
        right = self.width() - self.fontMetrics().horizontalAdvance(high) - 4
        for x in range(left, right):
            red, green, blue = (int(part) for part in colours[(x - left) * len(colours) // max(1, right - left)])
            painter.fillRect(x, 3, 1, self.height() - 6, QColor(red, green, blue))
        painter.setPen(QColor(self.theme.dim))
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRect(0, 0, left, self.height()), flags, low)
        painter.drawText(QRect(right + 4, 0, self.width() - right, self.height()), flags, high)
        painter.end()
