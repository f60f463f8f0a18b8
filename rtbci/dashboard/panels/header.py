"""The top line: the engine's state in a sentence; what happened last; the wall clock and the alarm."""

from __future__ import annotations

import time
from datetime import datetime

from PyQt6.QtCore import QRect, QSize, Qt
from PyQt6.QtGui import QBrush, QColor, QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QPushButton, QSizePolicy, QWidget

from rtbci.dashboard.model.state_text import Fact, tool_tip
from rtbci.dashboard.shortcuts import hint
from rtbci.dashboard.theme import Theme

NEWS_S = 20.0  # how long what happened last stays


def two_lines(text: str, metrics: QFontMetrics, width: int) -> list[str]:
    """A text on one line, or on two where it is too long for one; what is too long for two ends in …."""
    if metrics.horizontalAdvance(text) <= width:
        return [text]
    words = text.split(" ")
    n = max(1, sum(metrics.horizontalAdvance(" ".join(words[: k + 1])) <= width for k in range(len(words))))
    lines = [" ".join(words[:n]), " ".join(words[n:])]
    return [metrics.elidedText(line, Qt.TextElideMode.ElideRight, width) for line in lines if line]


class Header(QWidget):
    """Red from end to end, with the reason, when something is wrong; its height never changes.

    Striped where an alarm is over and nobody has acknowledged it, with a button for that as long as one waits. Its height is
    that of two lines; the tool tip has all of the text, however long it is.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.fact = Fact("")
        self.place = ""  # stream and pipeline
        self.alarm = ""
        self.pause = ""  # that the sound is paused, and for how long
        self.is_latched = False  # all that is wrong is an alarm that is over
        self.decision: tuple[str, QColor] | None = None  # what is on and rings no alarm, in the colour of its class
        self.acknowledge = QPushButton("Acknowledge", self)
        self.acknowledge.setObjectName("acknowledge")
        self.acknowledge.setToolTip(hint("acknowledge"))
        self.acknowledge.setAccessibleName("Acknowledge the alarms")
        self.acknowledge.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.acknowledge.hide()
        self._news, self._news_at = "", 0.0
        self._drawn: tuple[object, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def sizeHint(self) -> QSize:
        return QSize(400, round(2.1 * self.fontMetrics().height()))

    def show_fact(self, fact: Fact) -> None:
        self.fact = fact

    def show_news(self, news: str) -> None:
        """What happened last, for a while."""
        self._news, self._news_at = news, time.monotonic()

    @property
    def news(self) -> str:
        return self._news if time.monotonic() - self._news_at < NEWS_S else ""

    def refresh(self) -> None:
        """Paint anew if anything reads differently."""
        now = (
            self.fact, self.place, self.alarm, self.pause, self.is_latched, self.decision, self.news, self._clock(),
            self.theme.name,
        )  # fmt: skip
        if now != self._drawn:
            self._drawn = now
            self.setToolTip(
                tool_tip("\n".join(filter(None, (self.headline, self.decision_text, self.place, self.news))))
            )
            self.update()

    @property
    def headline(self) -> str:
        """What is wrong, else the state."""
        if self.fact.wrong and self.alarm:
            return f"{self.alarm}   ·   {self.fact.text}"
        return self.alarm or self.fact.text

    @property
    def decision_text(self) -> str:
        """What is on and rings no alarm."""
        return self.decision[0] if self.decision is not None else ""

    def show_waiting(self, waiting: bool) -> None:
        """Whether there is an alarm to acknowledge."""
        if waiting == self.acknowledge.isHidden():
            self.acknowledge.setVisible(waiting)
            self._drawn = ()
        if waiting:
            size, em = self.acknowledge.sizeHint(), self.fontMetrics().height()
            width, height = size.width() + em, min(self.height() - 4, size.height() + em // 3)
            self.acknowledge.setGeometry(self._clock_left() - width - em, (self.height() - height) // 2, width, height)

    def _clock_left(self) -> int:
        metrics = self.fontMetrics()
        widest = max(metrics.horizontalAdvance(text) for text in ("00:00:00", self.pause))
        return self.width() - round(0.8 * metrics.height()) - widest

    def _clock(self) -> str:
        return datetime.now().strftime("%H:%M:%S")

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        t, metrics = self.theme, self.fontMetrics()
        alert = self.fact.wrong or bool(self.alarm)
        painter.fillRect(self.rect(), t.colour("bad") if alert else t.colour("panel"))
        if self.is_latched:
            painter.fillRect(self.rect(), QBrush(t.colour("plot", 70), Qt.BrushStyle.BDiagPattern))
        ink = t.colour("plot") if alert else t.colour("text")
        faint = t.colour("plot", 200) if alert else t.colour("dim")
        em, height = metrics.height(), self.height()
        if not alert:
            live = self.fact.text == "Live"
            painter.setBrush(t.colour("good" if live else "warn"))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(QRect(round(0.9 * em), round(height / 2 - 0.25 * em), round(0.5 * em), round(0.5 * em)))
        clock = self._clock()
        clock_left = self._clock_left()
        painter.setPen(ink)
        right = "\n".join(filter(None, (clock, self.pause)))
        painter.drawText(QRect(clock_left, 0, self.width() - clock_left, height), Qt.AlignmentFlag.AlignVCenter, right)
        if not self.acknowledge.isHidden():
            clock_left = self.acknowledge.x()
        left = round(0.9 * em) if alert else round(1.8 * em)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        bold = painter.fontMetrics()
        lines = two_lines(self.headline, bold, clock_left - left - em)
        painter.drawText(QRect(left, 0, clock_left - left, height), Qt.AlignmentFlag.AlignVCenter, "\n".join(lines))
        left += max(map(bold.horizontalAdvance, lines)) + round(1.5 * em)
        if self.decision is not None:
            left = self._paint_decision(painter, *self.decision, left, clock_left - em)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(faint)
        room = clock_left - left - 2 * em
        parts = [p for p in (self.place, self.news) if p]
        if room > 4 * em and parts:
            text = metrics.elidedText("     ".join(parts), Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRect(left, 0, room, height), Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()

    def _paint_decision(self, painter: QPainter, text: str, colour: QColor, left: int, right: int) -> int:
        """A square in the colour of its class, and the text, as far as there is room; returns where it ends."""
        em, metrics = self.fontMetrics().height(), painter.fontMetrics()
        side = round(0.6 * em)
        painter.fillRect(left, (self.height() - side) // 2, side, side, colour)
        painter.setPen(self.theme.colour("text"))
        left += side + em // 3
        lines = two_lines(text, metrics, max(em, right - left))
        painter.drawText(QRect(left, 0, right - left, self.height()), Qt.AlignmentFlag.AlignVCenter, "\n".join(lines))
        return left + max(map(metrics.horizontalAdvance, lines)) + round(1.5 * em)
