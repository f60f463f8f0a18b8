"""Times the window's frames, and those of the usual way: a curve a channel that is given its whole page again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from PyQt6.QtWidgets import QApplication

from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.window import Window
from rtbci.types import Times

FPS = 60


class SyntheticEngine(Protocol):
    """Writes a monitor's shared memory as an engine would, as fast as it is asked to."""

    def advance(self, seconds: float) -> None: ...

    def publish(self, *, staleness_s: float) -> None: ...

    def trend(self, at_s: Times) -> None: ...


def application() -> QApplication:
    """The one there is, or a new one."""
    app = QApplication.instance() or QApplication(["rtbci-bench"])
    assert isinstance(app, QApplication)
    return app


def window_frames_ms(
    fake: SyntheticEngine,
    folder: Path,
    page_s: float,
    seconds: float,
    size: tuple[int, int],
    *,
    scroll: bool,
    trends_h: float = 0.0,
) -> list[float]:
    """Of the finished window, at the pace of the data: read, reduce, paint, show 1/60 s of it.

    Parameters
    ----------
    fake, folder
        The engine, and its monitor.
    page_s, size, scroll
        Of the window.
    seconds
        How long.
    trends_h
        Hours of trends that are shown, with ten times the rows of a live stream; 0: none are.
    """
    app = application()
    window = Window(Settings(str(folder / "settings.ini")))
    window.plots.traces.set_per_page(0)  # every channel, whether or not there is room for its name
    window.model.timeline.page_s = page_s
    window.model.timeline.sweep = not scroll
    window.resize(*size)
    window.show()
    window.trends.setVisible(trends_h > 0)
    if trends_h:
        window.trends.set_hours(trends_h)
        fake.trend(np.arange(10.0, trends_h * 3600 + 1, 10.0))
    fake.advance(page_s)  # a page that is full
    window.open_feed(Feed(folder), None)
    for _ in range(30):
        window.tick()
        app.processEvents()
    frames = []
    began = time.perf_counter()
    for k in range(round(seconds * FPS)):
        fake.advance(1 / FPS)
        if trends_h and k % FPS == 0:
            fake.trend(np.array([trends_h * 3600 + 10.0 * (k // FPS + 1)]))
        if k % 6 == 0:
            fake.publish(staleness_s=0.01 + 1e-5 * k)
        before = time.perf_counter()
        window.tick()
        app.processEvents()
        frames.append((time.perf_counter() - before) * 1e3)
        time.sleep(max(0.0, began + (k + 1) / FPS - time.perf_counter()))
    window.close()
    window.deleteLater()
    return frames


def set_data_frames_ms(
    channels: int, sfreq: float, page_s: float, size: tuple[int, int], n_frames: int = 12
) -> list[float]:
    """Of the usual way."""
    app = application()
    rng = np.random.default_rng(0)
    n = int(page_s * sfreq)
    t = np.arange(n) / sfreq
    data = rng.normal(0, 0.25, (n, channels)).astype(np.float32) + np.arange(channels, dtype=np.float32)
    plot = pg.PlotWidget()
    plot.resize(*size)
    plot.setXRange(0, page_s)
    plot.setYRange(-1, channels)
    curves = [plot.plot() for _ in range(channels)]
    plot.show()
    new = max(1, round(sfreq / FPS))
    frames = []
    for _ in range(n_frames + 2):
        data = np.roll(data, -new, axis=0)
        before = time.perf_counter()
        for k, curve in enumerate(curves):
            curve.setData(t, data[:, k])
        app.processEvents()
        frames.append((time.perf_counter() - before) * 1e3)
    plot.close()
    plot.deleteLater()
    app.processEvents()
    return frames[2:]
