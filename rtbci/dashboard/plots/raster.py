"""Traces in an image: each column is erased and painted by itself, with soft edges, straight into the image's memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PyQt6.QtGui import QColor, QImage

LEVELS = 16  # steps of coverage at a trace's soft edge
_BLOCK = 400_000  # pixels painted at a time: bounds the memory of a full redraw


class Raster:
    """An image of `width` by `height` device pixels whose columns are a ring."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(1, width), max(1, height)
        self.image = QImage(self.width, self.height, QImage.Format.Format_RGB32)
        bits: Any = self.image.bits()
        bits.setsize(self.image.sizeInBytes())
        self.pixels = np.frombuffer(bits, np.uint32).reshape(self.height, self.width)
        self.set_colours(QColor("black"), [QColor("white")])

    def set_colours(self, background: QColor, rows: list[QColor]) -> None:
        """One colour a row; everything is to be painted anew."""
        weight = np.linspace(0, 1, LEVELS + 1)[None, :, None]
        ground = np.array(background.getRgb()[:3], float)[None, None, :]
        ink = np.array([c.getRgb()[:3] for c in rows], float).reshape(-1, 1, 3)
        rgb = np.rint(ground + weight * (ink - ground)).astype(np.uint32)
        self._lut = (0xFF000000 | rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]).astype(np.uint32)
        self._ground = np.uint32(background.rgb())
        self.pixels[:] = self._ground

    def erase(self, first: int, stop: int) -> None:
        """Columns first to stop, counted without end."""
        if stop - first >= self.width:
            self.pixels[:] = self._ground
            return
        a, b = first % self.width, (stop - 1) % self.width + 1
        if stop <= first:
            return
        if a < b:
            self.pixels[:, a:b] = self._ground
        else:
            self.pixels[:, a:] = self._ground
            self.pixels[:, :b] = self._ground

    def paint(
        self,
        columns: npt.NDArray[np.intp],
        top: npt.NDArray[np.float32],
        bottom: npt.NDArray[np.float32],
        floor: npt.NDArray[np.float32],
        ceiling: npt.NDArray[np.float32],
    ) -> None:
        """Spans top < bottom (k, n_rows) in pixels, each row kept between its `floor` (upper) and `ceiling` (lower)."""
        n_rows = max(1, top.shape[1])
        step = max(1, _BLOCK // max(1, self.height * min(n_rows, 8)))
        at = columns % self.width
        for k in range(0, len(at), step):
            self._block(at[k : k + step], top[k : k + step], bottom[k : k + step], floor, ceiling)

    def mark(self, columns: npt.NDArray[np.intp], y: npt.NDArray[np.intp], height: int, colour: QColor) -> None:
        """Short bars down from y, one each column (k,)."""
        rows = np.clip(y[:, None] + np.arange(height), 0, self.height - 1)
        self.pixels[rows, (columns % self.width)[:, None]] = colour.rgb()

    def _block(
        self,
        at: npt.NDArray[np.intp],
        top: npt.NDArray[np.float32],
        bottom: npt.NDArray[np.float32],
        floor: npt.NDArray[np.float32],
        ceiling: npt.NDArray[np.float32],
    ) -> None:
        # NaN compares false: what is no number is not drawn.
        drawn = (bottom > floor) & (top < ceiling) & (bottom > 0) & (top < self.height)
        column, row = np.nonzero(drawn)
        a = np.maximum(top, np.maximum(floor, 0))[drawn]
        b = np.minimum(bottom, np.minimum(ceiling, self.height))[drawn]
        first = np.floor(a).astype(np.int32)
        count = np.maximum(np.ceil(b).astype(np.int32) - first, 1)
        which = np.repeat(np.arange(len(count), dtype=np.int32), count)
        y = np.arange(len(which), dtype=np.int32) + (first - (np.cumsum(count, dtype=np.int32) - count))[which]
        cover = np.minimum(b[which], y + np.float32(1)) - np.maximum(a[which], y)
        level = (np.clip(cover, 0, 1) * LEVELS + np.float32(0.5)).astype(np.int32)
        y = np.minimum(y, self.height - 1)
        where = y * self.width + at[column].astype(np.int32)[which]
        ink = self._lut.ravel()[(row.astype(np.int32) * (LEVELS + 1))[which] + level]
        solid = level == LEVELS
        # Soft edges first, so that where two traces meet neither cuts a hole into the other.
        flat = self.pixels.reshape(-1)
        flat[where[~solid]] = ink[~solid]
        flat[where[solid]] = ink[solid]
