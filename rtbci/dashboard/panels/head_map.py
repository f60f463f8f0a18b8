"""The head from above: which electrodes the pipeline uses, which it was not given, which are bad; a click solos one."""

from __future__ import annotations

import math

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from rtbci.dashboard.model.electrodes import HeadElectrode, electrodes, must_be_named, parts, with_room
from rtbci.dashboard.theme import Theme
from rtbci.monitor.layout import Layout
from rtbci.recordings.electrode_positions import POSITIONS

SMALLEST_TEXT = 8  # pixels
_BESIDE = 0.55  # of a dot's radius, for electrodes that are not chosen


class HeadMap(QWidget):
    """Nose up."""

    clicked = pyqtSignal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.electrodes: list[HeadElectrode] = []
        self.pairs: list[tuple[str, str]] = []
        self._shown: tuple[Layout | None, dict[str, str]] = None, {}
        self._boxes: dict[str, QRectF] = {}  # of the names that are written
        self._text_px = SMALLEST_TEXT
        self.setMouseTracking(True)
        self.setMinimumSize(150, 90)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(220, 210)

    def show_layout(self, layout: Layout | None, quality: dict[str, str]) -> None:
        if (layout, quality) == self._shown:
            return
        self._shown = layout, dict(quality)
        found = electrodes(layout, quality) if layout is not None else []
        pairs = []
        for name in layout.inputs if layout is not None else ():
            ends = parts(name)
            if len(ends) == 2:
                pairs.append((ends[0], ends[1]))
        self.electrodes, self.pairs = found, pairs
        self._place_names()
        self.update()

    # -- geometry ---------------------------------------------------------------------------------------------

    def _radius(self) -> float:
        wide = max((abs(POSITIONS[e.name][0]) for e in self.electrodes), default=1.0)
        return min(self.width() / max(2.25, 1.8 * wide + 0.2), self.height() / 2.27)

    def place(self, name: str) -> QPointF:
        x, y = POSITIONS[name]
        radius = self._radius() * 0.9
        return QPointF(self.width() / 2 + x * radius, self.height() / 2 + 0.05 * radius - y * radius)

    def under(self, at: QPointF) -> str | None:
        """The electrode at a point."""
        near = [
            (math.dist((at.x(), at.y()), (p.x(), p.y())), e.name)
            for e in self.electrodes
            for p in (self.place(e.name),)
        ]
        distance, name = min(near, default=(math.inf, ""))
        return name if distance <= max(8.0, 1.3 * self._dot()) else None

    def _dot(self) -> float:
        crowd = 0.112 if len(self.electrodes) <= 24 else 0.085 if len(self.electrodes) <= 40 else 0.045
        return max(3.0, crowd * self._radius())

    def _place_names(self) -> None:
        """In the largest letters in which every name that matters has room; others where there is room left."""
        needed = must_be_named(self.electrodes)
        largest = max(SMALLEST_TEXT, round(0.95 * self._dot()), round(0.6 * self.fontMetrics().height()))
        boxes, named, pixels = dict[str, QRectF](), set[str](), SMALLEST_TEXT
        for pixels in _falling(largest):
            boxes = {e.name: self._box(e.name, pixels) for e in self.electrodes}
            named = with_room(self.electrodes, {name: box.getCoords() for name, box in boxes.items()})
            if needed <= named:
                break
        self._text_px = pixels
        self._boxes = {name: boxes[name] for name in named}

    def _box(self, name: str, pixels: int) -> QRectF:
        """Round a name, and no smaller than its dot."""
        wide = QFontMetricsF(self._font(pixels)).horizontalAdvance(name)
        box = QRectF(0, 0, max(wide + 0.5 * pixels, 1.5 * pixels), 1.35 * pixels)
        box.moveCenter(self.place(name))
        return box

    def _font(self, pixels: int) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(pixels)
        font.setBold(True)
        return font

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._place_names()

    # -- painting ---------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._outline(painter)
        painter.setPen(QPen(self.theme.colour("accent", 130), max(1.5, 0.02 * self._radius())))
        for first, second in self.pairs:
            painter.drawLine(self.place(first), self.place(second))
        painter.setFont(self._font(self._text_px))
        for electrode in sorted(self.electrodes, key=lambda one: one.rank):  # what matters most lies on top
            self._electrode(painter, electrode)
        painter.end()

    def _outline(self, painter: QPainter) -> None:
        radius = self._radius()
        middle = QPointF(self.width() / 2, self.height() / 2 + 0.045 * radius)
        painter.setPen(QPen(self.theme.colour("line"), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        nose = QPainterPath(middle + QPointF(-0.11 * radius, -0.985 * radius))
        nose.lineTo(middle + QPointF(0, -1.11 * radius))
        nose.lineTo(middle + QPointF(0.11 * radius, -0.985 * radius))
        painter.drawPath(nose)
        for side in (-1, 1):
            ear = QRectF(0, 0, 0.1 * radius, 0.34 * radius)
            ear.moveCenter(middle + QPointF(side * 1.035 * radius, 0))
            painter.drawEllipse(ear)
        painter.setBrush(self.theme.colour("panel"))
        painter.drawEllipse(middle, radius, radius)

    def _electrode(self, painter: QPainter, electrode: HeadElectrode) -> None:
        """Filled where it is used, an outline where it is not; what is wrong is red, and crossed at a corner."""
        is_wrong, used = electrode.rank[0], electrode.weight > 0
        ink = self.theme.colour("bad" if is_wrong else "accent" if used else "dim")
        fill, letters = QColor(ink if used else self.theme.colour("panel")), ink
        if used:
            fill = _blend(ink, self.theme.colour("panel"), 0.35 + 0.65 * min(1.0, electrode.weight))
            letters = self.theme.colour("plot" if electrode.weight > 0.5 else "text")
        painter.setPen(QPen(ink, 1.6 if used or is_wrong else 1.0))
        painter.setBrush(fill)
        box = self._boxes.get(electrode.name)
        if box is None:
            size = self._dot() * (1.0 if used else _BESIDE)
            box = QRectF(0, 0, 2 * size, 2 * size)
            box.moveCenter(self.place(electrode.name))
            painter.drawEllipse(box)
        else:
            painter.drawRoundedRect(box, 0.5 * box.height(), 0.5 * box.height())
            painter.setPen(letters)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, electrode.name)
        if is_wrong:
            self._cross(painter, box)

    def _cross(self, painter: QPainter, box: QRectF) -> None:
        """At the upper right corner, so that the name is read."""
        reach = max(2.5, 0.3 * self._text_px)
        at = box.topRight() + QPointF(0.4 * reach, -0.2 * reach)
        for colour, width in (("panel", 4.0), ("bad", 2.0)):
            painter.setPen(QPen(self.theme.colour(colour), width))
            painter.drawLine(at + QPointF(-reach, -reach), at + QPointF(reach, reach))
            painter.drawLine(at + QPointF(-reach, reach), at + QPointF(reach, -reach))

    # -- the pointer -----------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        name = self.under(event.position())
        if name is None:
            QToolTip.hideText()
            return
        QToolTip.showText(event.globalPosition().toPoint(), self.describe(name), self)

    def describe(self, name: str) -> str:
        """An electrode's tool tip."""
        found = next(e for e in self.electrodes if e.name == name)
        used = f"used, weight {found.weight:.2f}" if found.weight else "not used by this pipeline"
        missing = "" if found.present else ", not in the stream"
        return f"{name}: {used}{missing}" + (f"; {found.fault}" if found.fault else "")

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if (name := self.under(event.position())) is not None:
            self.clicked.emit(name)


def _falling(largest: int) -> list[int]:
    """Sizes of letters, each a seventh smaller than the one before, down to the smallest."""
    sizes = [largest]
    while sizes[-1] > SMALLEST_TEXT:
        sizes.append(max(SMALLEST_TEXT, math.floor(0.86 * sizes[-1])))
    return sizes


def _blend(ink: QColor, ground: QColor, share: float) -> QColor:
    """`share` of the ink on a ground, opaque: lines below do not shine through."""
    mixed = [share * a + (1 - share) * b for a, b in zip(ink.getRgbF()[:3], ground.getRgbF()[:3], strict=True)]
    return QColor.fromRgbF(*mixed)
