"""The top line: the engine's state in a sentence; what happened last; the wall clock and the alarm."""

from __future__ import annotations

import time
from datetime import datetime

from PyQt6.QtCore import QRect, QSize, Qt
from PyQt6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from rtbci.dashboard.model.state_text import Fact, tool_tip
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

    Its height is that of two lines; the tool tip has all of the text, however long it is.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.fact = Fact("")
        self.place = ""  # stream and pipeline
        self.alarm = ""
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
        now = (self.fact, self.place, self.alarm, self.news, self._clock(), self.theme.name)
        if now != self._drawn:
            self._drawn = now
            self.setToolTip(tool_tip("\n".join(filter(None, (self.headline, self.place, self.news)))))
            self.update()

    @property
    def headline(self) -> str:
        """What is wrong, else the state."""
        if self.fact.wrong and self.alarm:
            return f"{self.alarm}   ·   {self.fact.text}"
        return self.alarm or self.fact.text

    def _clock(self) -> str:
        return datetime.now().strftime("%H:%M:%S")

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        t, metrics = self.theme, self.fontMetrics()
        alert = self.fact.wrong or bool(self.alarm)
        painter.fillRect(self.rect(), t.colour("bad") if alert else t.colour("panel"))
        ink = t.colour("plot") if alert else t.colour("text")
        faint = t.colour("plot", 200) if alert else t.colour("dim")
        em, height = metrics.height(), self.height()
        if not alert:
            live = self.fact.text == "Live"
            painter.setBrush(t.colour("good" if live else "warn"))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(QRect(round(0.9 * em), round(height / 2 - 0.25 * em), round(0.5 * em), round(0.5 * em)))
        clock = self._clock()
        right = self.width() - round(0.8 * em)
        clock_left = right - metrics.horizontalAdvance("00:00:00")
        painter.setPen(ink)
        painter.drawText(QRect(clock_left, 0, right - clock_left, height), Qt.AlignmentFlag.AlignVCenter, clock)
        left = round(0.9 * em) if alert else round(1.8 * em)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        bold = painter.fontMetrics()
        lines = two_lines(self.headline, bold, clock_left - left - em)
        painter.drawText(QRect(left, 0, clock_left - left, height), Qt.AlignmentFlag.AlignVCenter, "\n".join(lines))
        left += max(map(bold.horizontalAdvance, lines)) + round(1.5 * em)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(faint)
        room = clock_left - left - 2 * em
        parts = [p for p in (self.place, self.news) if p]
        if room > 4 * em and parts:
            text = metrics.elidedText("     ".join(parts), Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRect(left, 0, room, height), Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
