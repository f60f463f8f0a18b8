"""The image that the traces are painted into."""

from __future__ import annotations

import numpy as np
from PyQt6.QtGui import QColor

from rtbci.dashboard.plots.raster import Raster


def test_a_raster_paints_a_span_solid_with_soft_ends_and_skips_what_is_no_number(qapp):
    raster = Raster(4, 8)
    raster.set_colours(QColor(0, 0, 0), [QColor(255, 255, 255)] * 2)
    edges = np.array([0, 0], np.float32), np.array([8, 8], np.float32)
    raster.paint(np.array([5]), np.array([[1.5, np.nan]], np.float32), np.array([[4.0, np.nan]], np.float32), *edges)
    column = raster.pixels[:, 1] & 0xFF
    assert column.tolist() == [0, 128, 255, 255, 0, 0, 0, 0]
    assert not (raster.pixels[:, [0, 2, 3]] & 0xFFFFFF).any()
    raster.erase(3, 6)
    assert not (raster.pixels & 0xFFFFFF).any()
