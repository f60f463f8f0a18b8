"""The band at the top left: whose signals these are, large, on a colour of their own; a click opens the session's menu."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QSize, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QIcon, QPainter, QPaintEvent, QPixmap
from PyQt6.QtWidgets import QAbstractButton, QSizePolicy

from rtbci.dashboard.model.identity import Identity
from rtbci.dashboard.model.state_text import tool_tip
from rtbci.dashboard.theme import Theme

_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
_MOST_EMS = 18  # of width; a longer name ends in …


class IdentityBand(QAbstractButton):
    """The name of the stream above the pipeline's."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.identity = Identity()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._describe()

    @property
    def colour(self) -> QColor:
        return QColor(self.identity.colour(is_dark=self.theme.name == "dark"))

    @property
    def icon_of_window(self) -> QIcon:
        """For the task bar."""
        picture = QPixmap(64, 64)
        picture.fill(self.colour)
        return QIcon(picture)

    def show_identity(self, identity: Identity) -> None:
        if identity != self.identity:
            self.identity = identity
            self._describe()
            self.updateGeometry()
            self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        large, small = QFontMetrics(self._large()), QFontMetrics(self._small())
        em = self.fontMetrics().height()
        wide = max(large.horizontalAdvance(self._name), small.horizontalAdvance(self.identity.pipeline)) + round(
            1.9 * em
        )
        return QSize(min(wide, _MOST_EMS * em), round(2.1 * em))

    @property
    def _name(self) -> str:
        return self.identity.name or "No session"

    def _describe(self) -> None:
        text = "\n".join(filter(None, (self._name, self.identity.pipeline)))
        self.setAccessibleName(f"Session: {text}")
        self.setToolTip(tool_tip(f"{text}\nrecording, stream, unit and end of the session (F9)"))

    def _large(self) -> QFont:
        font = self.font()
        font.setBold(True)
        font.setPointSizeF(1.12 * font.pointSizeF())
        return font

    def _small(self) -> QFont:
        font = self.font()
        font.setPointSizeF(0.85 * font.pointSizeF())
        return font

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.colour)
        em = self.fontMetrics().height()
        left, right = round(0.6 * em), self.width() - round(1.1 * em)
        painter.setPen(QColor("white"))
        painter.drawText(self.rect().adjusted(0, 0, -round(0.4 * em), 0), _RIGHT, "▾")
        lines = [(self._large(), self._name), (self._small(), self.identity.pipeline)]
        lines = [(font, text) for font, text in lines if text]
        heights = [QFontMetrics(font).height() for font, _ in lines]
        top = (self.height() - sum(heights)) // 2
        for (font, text), height in zip(lines, heights, strict=True):
            painter.setFont(font)
            elided = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, right - left)
            painter.drawText(QRect(left, top, right - left, height), Qt.AlignmentFlag.AlignVCenter, elided)
            top += height
        if self.hasFocus():
            painter.drawRect(self.rect().adjusted(1, 1, -2, -2))
        painter.end()
