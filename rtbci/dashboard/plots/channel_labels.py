"""The names beside the traces: coloured by region, chosen by a click, and with the fault where a channel is bad."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRect, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from rtbci.dashboard.model.state_text import tool_tip
from rtbci.dashboard.plots.traces import TracePlot
from rtbci.dashboard.theme import Theme
from rtbci.text import one_line

WIDTH = 104
BUTTERFLY = "butterfly: all channels laid over each other"
MARK = 3  # the region's bar


class ChannelLabels(QWidget):
    """One name a lane; where lanes are narrower than a line of text, every so many."""

    selected = pyqtSignal(object)  # a row's name, or None
    soloed = pyqtSignal(str)
    menu_asked = pyqtSignal(str, QPoint)  # a row's name, and where on the screen

    def __init__(self, traces: TracePlot, theme: Theme) -> None:
        super().__init__()
        self._traces, self.theme = traces, theme
        self.quality: dict[str, str] = {}
        self.selection: str | None = None
        self.setFixedWidth(WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        traces.rearranged.connect(self.update)

    def set_quality(self, quality: dict[str, str]) -> None:
        """quality: what is wrong, by a row's name."""
        if quality != self.quality:
            self.quality = quality
            self.update()

    def select(self, name: str | None) -> None:
        self.selection = name
        self.selected.emit(name)
        self.update()

    def toggle(self, name: str) -> None:
        """Select it, or select none where it is selected."""
        self.select(None if name == self.selection else name)

    def step(self, by: int) -> None:
        """Select the next row down, or up."""
        shown = self._traces.shown
        if shown is None:
            return
        at = shown.names.index(self.selection) + by if self.selection in shown.names else (0 if by > 0 else -1)
        self.select(shown.names[at % len(shown)])

    def names_drawn(self) -> list[tuple[int, int]]:
        """(row, y) of the names there is room for."""
        lanes, ratio = self._traces.lanes, self._traces.ratio
        line = self._font().pixelSize() + 2
        drawn: list[tuple[int, int]] = []
        for row, centre in enumerate(lanes.centres.tolist()):
            y = min(max(round(centre / ratio), line // 2), self.height() - line // 2)
            if not drawn or y - drawn[-1][1] >= line:
                drawn.append((row, y))
        return drawn

    def _font(self) -> QFont:
        font = QFont(self.font())
        lane = self._traces.lanes.pitch / self._traces.ratio
        usual = self.fontMetrics().height() * 0.72
        font.setPixelSize(int(min(usual * 1.1, max(9, 0.65 * usual, min(0.85 * lane, lane - 2)))))
        return font

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.theme.colour("panel"))
        traces = self._traces
        if traces.shown is None:
            return
        if traces.butterfly:
            painter.setPen(self.theme.colour("dim"))
            painter.drawText(
                self.rect().adjusted(8, 8, -4, -8),
                Qt.TextFlag.TextWordWrap,
                BUTTERFLY,
            )
            return
        half = max(1, round(traces.lanes.pitch / traces.ratio / 2))
        for row, centre in enumerate(traces.lanes.centres.tolist()):
            y = round(centre / traces.ratio)
            painter.fillRect(self.width() - MARK, y - half, MARK, 2 * half, self._colour(row))
        font = self._font()
        painter.setFont(font)
        for row, y in self.names_drawn():
            self._name(painter, row, y, font.pixelSize())
        painter.end()

    def _colour(self, row: int) -> QColor:
        shown = self._traces.shown
        assert shown is not None
        return self.theme.region(shown.regions[row])

    def _name(self, painter: QPainter, row: int, y: int, size: int) -> None:
        shown = self._traces.shown
        assert shown is not None
        name = shown.names[row]
        box = QRect(8, y - size, self.width() - 16 - MARK, 2 * size)
        if name == self.selection:
            painter.fillRect(QRect(0, y - size + 1, self.width() - MARK, 2 * size - 2), self.theme.colour("accent", 60))
        metrics = painter.fontMetrics()
        note = self.quality.get(name, "")
        if factor := self._traces.factors.get(name, 1.0):
            note = note or (f"×{1 / factor:.2g}" if abs(factor - 1) > 0.01 else "")
        room = box.width() - (metrics.horizontalAdvance(note) + 5 if note else 0)
        painter.setPen(self._colour(row))
        painter.drawText(
            box, Qt.AlignmentFlag.AlignVCenter, metrics.elidedText(one_line(name), Qt.TextElideMode.ElideRight, room)
        )
        if note:
            painter.setPen(self.theme.colour("bad" if name in self.quality else "dim"))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, note)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if (name := self._under(event)) is None:
            return
        if event.button() == Qt.MouseButton.RightButton:
            self.menu_asked.emit(name, event.globalPosition().toPoint())
        else:
            self.toggle(name)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        assert event is not None
        if event.angleDelta().y():
            self._traces.page_rows(-1 if event.angleDelta().y() > 0 else 1)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if (name := self._under(event)) is not None:
            self.soloed.emit(name)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if (name := self._under(event)) is not None:
            note = self.quality.get(name, "")
            about = one_line(f"{name}: {note}" if note else name)
            QToolTip.showText(event.globalPosition().toPoint(), tool_tip(about), self)

    def _under(self, event: QMouseEvent) -> str | None:
        shown = self._traces.shown
        row = self._traces.row_at(event.position().y() * self._traces.ratio)
        return None if shown is None or row is None else shown.names[row]
