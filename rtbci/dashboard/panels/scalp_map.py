"""A value of each electrode as colours on the head, seen from above, nose up."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QImage, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from rtbci.dashboard.theme import Theme
from rtbci.recordings.channel_names import derivation
from rtbci.recordings.electrode_positions import POSITIONS

FEWEST = 4  # electrodes that a map is made of
GRID = 48
REACH = 1.1  # head radii that are coloured
# Viridis at seven places: it grows lighter evenly, so that it is read without telling hues apart.
_COLOURS = np.array(
    [(68, 1, 84), (70, 51, 127), (54, 92, 141), (39, 127, 142), (31, 161, 135), (110, 206, 88), (253, 231, 37)], float
)


class ScalpMap(QWidget):
    """Between the electrodes, the mean of all weighted by 1 / distance² (Shepard, 1968)."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._places: list[tuple[float, float]] = []
        self._image: QImage | None = None
        self._text = ""
        self.setMinimumSize(110, 110)

    def sizeHint(self) -> QSize:
        return QSize(190, 190)

    def show_values(self, values: dict[str, float], what: str) -> None:
        """values: by a row's name; those of rows that are no single electrode, and NaN, are left out."""
        placed = [(POSITIONS[e], v) for name, v in values.items() if (e := _electrode(name)) and math.isfinite(v)]
        self._places = [at for at, _ in placed]
        if len(placed) < FEWEST:
            self._image, self._text = None, "no map: it needs four electrodes, not pairs of them"
        else:
            found = np.array([value for _, value in placed])
            self._image = _image(np.array(self._places), found)
            self._text = f"{found.min():.3g} to {found.max():.3g}  ({what})"
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        line = self.fontMetrics().height()
        room = QRectF(4, 4, self.width() - 8, self.height() - 2 * line - 12)
        words = QRectF(0, self.height() - 2 * line - 4, self.width(), 2 * line + 4)
        if self._image is None:
            words = QRectF(self.rect())
        else:
            radius = min(room.width(), room.height()) / 2 / REACH
            middle = room.center()
            half = REACH * radius
            painter.drawImage(QRectF(middle.x() - half, middle.y() - half, 2 * half, 2 * half), self._image)
            painter.setPen(QPen(self.theme.colour("dim"), 1.5))
            painter.drawEllipse(middle, radius, radius)
            painter.drawLine(middle + QPointF(0, -1.1 * radius), middle + QPointF(-0.1 * radius, -radius))
            painter.drawLine(middle + QPointF(0, -1.1 * radius), middle + QPointF(0.1 * radius, -radius))
            painter.setPen(QPen(self.theme.colour("window"), 1))
            for x, y in self._places:
                painter.drawEllipse(middle + QPointF(x, -y) * radius, 1.5, 1.5)
        painter.setPen(self.theme.colour("dim"))
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._text)
        painter.end()


def _electrode(name: str) -> str:
    """The electrode that a row is of, "" where it is a pair or has no place; a row against a reference counts."""
    meant = derivation(name.removesuffix(" Lap"))
    if meant.electrode in POSITIONS and meant.reference in ("", "Cz", "A1", "A2"):
        return meant.electrode
    return ""


def _image(places: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> QImage:
    """(n, 2) places in head radii, (n,) values -> a square image, clear outside of the head."""
    axis = np.linspace(-REACH, REACH, GRID)
    x, y = np.meshgrid(axis, -axis)
    squared = (x[..., None] - places[:, 0]) ** 2 + (y[..., None] - places[:, 1]) ** 2
    weights = 1 / (squared + 1e-4)
    field = (weights * values).sum(axis=-1) / weights.sum(axis=-1)
    span = float(np.ptp(values)) or 1.0
    level = np.clip((field - values.min()) / span, 0, 1) * (len(_COLOURS) - 1)
    low = np.minimum(level.astype(int), len(_COLOURS) - 2)
    part = (level - low)[..., None]
    rgb = _COLOURS[low] * (1 - part) + _COLOURS[low + 1] * part
    inside = np.hypot(x, y) <= REACH
    pixels = np.zeros((GRID, GRID, 4), np.uint8)
    pixels[..., :3] = rgb[..., ::-1]
    pixels[..., 3] = np.where(inside, 255, 0)
    return QImage(pixels.tobytes(), GRID, GRID, QImage.Format.Format_ARGB32).copy()
