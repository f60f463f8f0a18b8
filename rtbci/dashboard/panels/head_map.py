"""The head from above: which electrodes the pipeline uses, which it was not given, which are bad; a click solos one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from rtbci.dashboard.theme import Theme
from rtbci.monitor.layout import Layout
from rtbci.recordings.channel_names import derivation
from rtbci.recordings.electrode_positions import POSITIONS

TEXT_IN_DOT = 0.95
SMALLEST_TEXT = 7.5  # pixels; smaller names are shown in the tool tip only


@dataclass(frozen=True, slots=True)
class HeadElectrode:
    """weight: how much the pipeline uses it (0 where it does not); present: the stream carries it."""

    name: str
    weight: float
    present: bool
    fault: str = ""


def electrodes(layout: Layout, quality: dict[str, str]) -> list[HeadElectrode]:
    """Every electrode that the stream carries or the pipeline's montage names, and has a place."""
    weights: dict[str, float] = {}
    for k, name in enumerate(layout.inputs):
        weight = layout.weights[k] if k < len(layout.weights) else 1.0
        for electrode in _of(name):
            weights[electrode] = max(weights.get(electrode, 0.0), weight)
    carried = {e for channel in layout.channels for e in _of(channel)}
    wanted = {e for channel in layout.montage for e in _of(channel)}
    faults = {e: f"{channel} {fault}" for channel, fault in quality.items() for e in _of(channel)}
    return [
        HeadElectrode(name, weights.get(name, 0.0), name in carried, faults.get(name, ""))
        for name in POSITIONS
        if name in carried | wanted
    ]


def _of(channel: str) -> list[str]:
    meant = derivation(channel)
    return [name for name in (meant.electrode, meant.reference) if name in POSITIONS]


class HeadMap(QWidget):
    """Nose up."""

    clicked = pyqtSignal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.electrodes: list[HeadElectrode] = []
        self.pairs: list[tuple[str, str]] = []
        self._shown: tuple[Layout | None, dict[str, str]] = None, {}
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
            ends = _of(name)
            if len(ends) == 2:
                pairs.append((ends[0], ends[1]))
        self.electrodes, self.pairs = found, pairs
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

    # -- painting ---------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._outline(painter)
        painter.setPen(QPen(self.theme.colour("accent", 130), max(1.5, 0.02 * self._radius())))
        for first, second in self.pairs:
            painter.drawLine(self.place(first), self.place(second))
        for electrode in self.electrodes:
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
        at, size = self.place(electrode.name), self._dot()
        used = electrode.weight > 0
        ink = (
            self.theme.colour("bad")
            if electrode.fault
            else self.theme.colour("accent" if used else "dim", 255 if used else 120)
        )
        painter.setPen(QPen(ink, 1.4))
        fill = QColor(ink)
        fill.setAlphaF(0.25 + 0.75 * min(1.0, electrode.weight) if used else 0.0)
        painter.setBrush(fill if used else self.theme.colour("panel"))
        painter.drawEllipse(at, size, size)
        if electrode.fault or (used and not electrode.present):
            painter.setPen(QPen(self.theme.colour("bad"), 2))
            reach = size * 1.15
            painter.drawLine(at + QPointF(-reach, -reach), at + QPointF(reach, reach))
            painter.drawLine(at + QPointF(-reach, reach), at + QPointF(reach, -reach))
        elif size * TEXT_IN_DOT >= SMALLEST_TEXT:
            font = painter.font()
            font.setPixelSize(round(size * TEXT_IN_DOT))
            painter.setFont(font)
            painter.setPen(self.theme.colour("plot") if used and electrode.weight > 0.5 else self.theme.colour("text"))
            box = QRectF(at.x() - 3 * size, at.y() - 2 * size, 6 * size, 4 * size)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, electrode.name)

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


def caption(layout: Layout | None) -> str:
    """How many of the montage's channels the pipeline needs."""
    if layout is None:
        return ""
    n, m = len(layout.inputs), len(layout.montage)
    return f"{n} of {m} channels chosen" if n < m else f"all {m} channels used"
