"""`rtbci bench gui`: what a frame of the dashboard costs, and what the usual way (a curve a channel, setData) costs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rtbci.results import Result, print_json


class Percentiles(Result):
    """Of all frames."""

    p50: float
    """Median."""
    p95: float
    """95th percentile."""


class GuiReport(Result):
    """Milliseconds that a frame costs, in turn."""

    channels: int
    """How many."""
    sfreq: float
    """Rate of the stream."""
    page_s: float
    """Seconds on the screen."""
    width: int
    """Of the window, pixels."""
    height: int
    """Of the window, pixels."""
    mode: Literal["sweep", "scroll"]
    """How the page moves."""
    platform: str
    """Qt's; `offscreen`: drawn into memory."""
    frame_ms: Percentiles
    """All that the finished window does for 1/60 s of new data."""
    trends_frame_ms: Percentiles
    """The same with the trends of 24 h shown, and a row of them a second."""
    set_data_ms: Percentiles
    """The usual way: a curve a channel, `setData`."""


def bench_gui(
    channels: int = 128,
    sfreq: float = 1000.0,
    page_s: float = 10.0,
    seconds: float = 12.0,
    width: int = 1280,
    height: int = 720,
    scroll: bool = False,
) -> GuiReport:
    """A frame is all that the window does for 1/60 s of new data. Without a display it is drawn into memory."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from rtbci.bench.synthetic_monitor import SyntheticMonitor
    from rtbci.dashboard.frame_times import application, set_data_frames_ms, window_frames_ms

    app, size = application(), (width, height)
    with tempfile.TemporaryDirectory(prefix="rtbci-bench-") as folder:
        fake = SyntheticMonitor(Path(folder), channels, sfreq)
        frames = window_frames_ms(fake, Path(folder), page_s, seconds, size, scroll=scroll)
        with_trends = window_frames_ms(fake, Path(folder), page_s, seconds, size, scroll=scroll, trends_h=24.0)
        fake.close()
    return GuiReport(
        channels=channels,
        sfreq=sfreq,
        page_s=page_s,
        width=width,
        height=height,
        mode="scroll" if scroll else "sweep",
        platform=app.platformName(),
        frame_ms=_summary(frames),
        trends_frame_ms=_summary(with_trends),
        set_data_ms=_summary(set_data_frames_ms(channels, sfreq, page_s, size)),
    )


def _summary(ms: list[float]) -> Percentiles:
    p50, p95 = np.percentile(ms, [50, 95])
    return Percentiles(p50=round(float(p50), 3), p95=round(float(p95), 3))


def gui_report(*, json: bool, **sizes: Any) -> None:
    """Measure and print."""
    from rich.console import Console

    result = bench_gui(**sizes)
    if json:
        return print_json(result)
    frame, trends, usual = result.frame_ms, result.trends_frame_ms, result.set_data_ms
    Console(highlight=False).print(
        f"{result.channels} channels at {result.sfreq:g} Hz, {result.page_s:g} s page, "
        f"{result.width}x{result.height}, {result.platform}\n"
        f"frame     p50 {frame.p50:.2f} ms  p95 {frame.p95:.2f} ms\n"
        f"trends    p50 {trends.p50:.2f} ms  p95 {trends.p95:.2f} ms  (24 h of them shown, a row a second)\n"
        f"setData   p50 {usual.p50:.2f} ms  p95 {usual.p95:.2f} ms"
    )
