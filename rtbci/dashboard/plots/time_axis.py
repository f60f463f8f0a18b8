"""The time axis under the traces: of a replay its own time; of any other stream the wall clock, and the session's time below."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from rtbci.dashboard.model.display_clock import SessionClocks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.theme import Theme
from rtbci.text import clock_text, wall_text

STEPS_S = (1, 2, 5, 10, 20, 30, 60)


class TimeAxis(QWidget):
    """Moves with the shared timeline; only where columns are new is it painted anew."""

    def __init__(self, timeline: Timeline, theme: Theme) -> None:
        super().__init__()
        self.timeline, self.theme = timeline, theme
        self.clocks: SessionClocks | None = None
        self._head = 0
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        timeline.changed.subscribe(self.update)

    def sizeHint(self) -> QSize:
        return QSize(200, 2 * self.fontMetrics().height() + 6)

    def advance(self) -> None:
        head = self.timeline.last
        if head == self._head or self.timeline.frozen:
            return
        before, self._head = self._head, head
        if not self.timeline.sweeping or head - before > self.timeline.width // 2:
            self.update()
            return
        width, ratio = self.timeline.width, self.devicePixelRatioF()
        reach = round(self._label_width() * ratio)
        a, n = (before - reach) % width, head - before + 1 + self.timeline.blank + 2 * reach
        for left, right in ((a, min(a + n, width)), (0, a + n - width)):
            if right > left:
                self.update(int(left / ratio) - 1, 0, int((right - left) / ratio) + 3, self.height())

    def _label_width(self) -> int:
        return self.fontMetrics().horizontalAdvance("00:00:00") + 5

    def step_s(self) -> int:
        """Between two labels, so that they never touch."""
        room = self._label_width() + 10
        pixels = self.timeline.columns_per_s / self.devicePixelRatioF()
        return next((s for s in STEPS_S if s * pixels >= room), STEPS_S[-1])

    def paintEvent(self, event: QPaintEvent | None) -> None:
        assert event is not None
        painter = QPainter(self)
        exposed = event.rect()
        painter.fillRect(exposed, self.theme.colour("panel"))
        if self.clocks is None or self.clocks.now is None:
            return
        ratio = self.devicePixelRatioF()
        for left, right, column in self.timeline.segments():
            box = QRect(round(left / ratio), 0, round((right - left) / ratio), self.height())
            if box.intersects(exposed):
                painter.setClipRect(box & exposed)
                self._labels(painter, box, column, ratio, exposed)
        painter.end()

    def _labels(self, painter: QPainter, box: QRect, column: int, ratio: float, exposed: QRect) -> None:
        """Those that reach into what is exposed; a label that the sweep would cut is left out whole."""
        assert self.clocks is not None
        room = self._label_width()
        step, rate, line = self.step_s(), self.timeline.columns_per_s, self.fontMetrics().height()
        first = column + max(0, exposed.left() - room - box.left()) * ratio
        second = int(max(first / rate, self.timeline.start) // step) * step
        while True:
            at = box.left() + round((self.timeline.column(second) - column) / ratio)
            if at > min(box.right(), exposed.right()):
                return
            painter.fillRect(at, 0, 1, 4, self.theme.colour("dim"))
            if box.left() <= at and at + room <= box.right() + 1:
                for k, text in enumerate(self._texts(second)):
                    painter.setPen(self.theme.colour("dim" if k else "text"))
                    painter.drawText(at + 4, (k + 1) * line - (not k), text)
            second += step

    def _texts(self, second: int) -> tuple[str, ...]:
        clock = self.clocks.at(second) if self.clocks is not None else None
        if clock is None or clock.is_replay:
            return (clock_text(second),)
        return wall_text(clock.wall(second)), clock_text(second)
