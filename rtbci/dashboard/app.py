"""Starts the dashboard: on an engine that runs already, or empty, with one of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication, QDialog

from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.stream_picker import StreamPicker
from rtbci.dashboard.window import Window
from rtbci.lsl.config import quiet_lsl
from rtbci.monitor.command_server import CommandClient
from rtbci.recordings.overrides import StreamOverrides

if TYPE_CHECKING:
    from rtbci.engine.process import EngineProcess


def has_display() -> bool:
    """Qt ends the whole process where it finds none; so ask first."""
    if not sys.platform.startswith("linux"):
        return True
    wanted = os.environ.get("QT_QPA_PLATFORM", "")
    return bool(wanted or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def dashboard_main(folder: str, title: str) -> None:
    """The dashboard's process, for an engine that another process started and owns. folder: the engine's monitor."""
    # Ctrl-Z reaches the whole terminal group; it suspends the command, not this window.
    if hasattr(signal, "SIGTSTP"):
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    quiet_lsl()
    sys.exit(run_dashboard(Path(folder), title))


def run_dashboard(
    folder: Path | None = None,
    title: str = "rtbci",
    settings: Settings | None = None,
    told: StreamOverrides | None = None,
) -> int:
    """Open the window and stay until it is closed.

    Parameters
    ----------
    folder
        The monitor of an engine to watch; None opens the dashboard empty, with pickers for stream and pipeline.
    title
        Of the window.
    settings
        The user's own by default.
    told
        What a person says of the streams that are chosen in the window.

    Returns
    -------
    int
        The exit code.
    """
    app = QApplication.instance() or QApplication([title])
    assert isinstance(app, QApplication)
    app.setApplicationName("rtbci")
    app.setStyle("Fusion")
    window = Window(settings or Settings(), title)
    launcher: EngineLauncher | None = None
    if folder is not None:
        watch(window, folder)
    else:
        launcher = EngineLauncher(window, told)
    _quit_on_signals(window)
    # What lives now lives to the end: the collector need not look at it in the middle of a frame.
    gc.collect()
    gc.freeze()
    window.show()
    window.start()
    if launcher is not None:
        QTimer.singleShot(0, launcher.choose)
    return app.exec()


def watch(window: Window, folder: Path) -> None:
    """Show the engine of a monitor's folder, and give it the window's commands: without any process between the two."""
    window.open_feed(Feed(folder), CommandClient(folder))


def _quit_on_signals(window: Window) -> None:
    # The frame timer lets Python look at its signals often enough.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: window.close())


class EngineLauncher:
    """Starts, and ends, the engine of a dashboard that was opened empty."""

    def __init__(self, window: Window, told: StreamOverrides | None = None) -> None:
        self._window = window
        self._told = told or StreamOverrides()
        self.engine: EngineProcess | None = None
        window.stream_wanted.connect(self.choose)
        window.closed.connect(self.stop)

    def choose(self) -> None:
        """Ask the user for a stream and a pipeline, and start an engine on them."""
        picker = StreamPicker(self._window.settings, self._window)
        if picker.exec() == QDialog.DialogCode.Accepted:
            self.start(picker.query, picker.pipeline)

    def start(self, query: dict[str, str], pipeline: str, events: str = "") -> None:
        """Watch this stream through this pipeline, in place of what was."""
        from rtbci.engine.process import EngineProcess
        from rtbci.engine.session import EngineSpec

        self.stop()
        self._window.settings.remember("pipelines", pipeline)
        spec = EngineSpec(pipeline=pipeline, query=query, events=events, overrides=self._told)
        self.engine = EngineProcess(spec)
        self._window.ended = self._why_ended
        watch(self._window, self.engine.folder)

    def stop(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def _why_ended(self) -> str | None:
        if self.engine is None or self.engine.alive:
            return None
        return str(self.engine.error(self._window.model.errors) or "The engine has stopped")
