"""`rtbci bench gui`: what a frame of the dashboard costs, and what the usual way (a curve a channel, setData) costs."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.bench.synthetic_monitor import SyntheticMonitor

FPS = 60


def bench_gui(
    channels: int = 128,
    sfreq: float = 1000.0,
    page_s: float = 10.0,
    seconds: float = 12.0,
    width: int = 1280,
    height: int = 720,
    scroll: bool = False,
) -> dict[str, Any]:
    """A frame is all that the window does for 1/60 s of new data: read, reduce, paint, show. Off screen where there is none."""
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY") and sys.platform.startswith("linux"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PyQt6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication(["rtbci-bench"])
    assert isinstance(app, QApplication)
    with tempfile.TemporaryDirectory(prefix="rtbci-bench-") as folder:
        frames, rss = _window(app, Path(folder), channels, sfreq, page_s, seconds, (width, height), scroll)
    usual = _usual_way(app, channels, sfreq, page_s, (width, height))
    return {
        "channels": channels,
        "sfreq": sfreq,
        "page_s": page_s,
        "width": width,
        "height": height,
        "mode": "scroll" if scroll else "sweep",
        "frames": len(frames),
        "frame_ms": _summary(frames),
        "set_data_ms": _summary(usual),
        "rss_mb": rss,
        "platform": app.platformName(),
    }


def _window(
    app: Any,
    folder: Path,
    channels: int,
    sfreq: float,
    page_s: float,
    seconds: float,
    size: tuple[int, int],
    scroll: bool,
) -> tuple[list[float], float]:
    """(milliseconds of each frame, resident megabytes at the end) of the whole window, at the pace of the data."""
    from rtbci.gui.feed import Feed
    from rtbci.gui.settings import Settings
    from rtbci.gui.window import Window

    fake = SyntheticMonitor(folder, channels, sfreq)
    window = Window(Settings(str(folder / "settings.ini")))
    window.timeline.page_s = page_s
    window.timeline.sweep = not scroll
    window.resize(*size)
    window.show()
    fake.advance(page_s)  # a page that is full
    window.open_feed(Feed(folder), None)
    for _ in range(30):
        window.tick()
        app.processEvents()
    frames = []
    began = time.perf_counter()
    for k in range(round(seconds * FPS)):
        fake.advance(1 / FPS)
        if k % 6 == 0:
            fake.publish(staleness_s=0.01 + 1e-5 * k)
        before = time.perf_counter()
        window.tick()
        app.processEvents()
        frames.append((time.perf_counter() - before) * 1e3)
        time.sleep(max(0.0, began + (k + 1) / FPS - time.perf_counter()))
    window.close()
    fake.close()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    window.deleteLater()
    return frames, round(rss, 1)


def _usual_way(
    app: Any, channels: int, sfreq: float, page_s: float, size: tuple[int, int], n_frames: int = 12
) -> list[float]:
    """Milliseconds of a frame where each channel is a curve that is given all of the page again."""
    import pyqtgraph as pg

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


def _summary(ms: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(ms, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}
