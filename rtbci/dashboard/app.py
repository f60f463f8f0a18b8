"""Starts the dashboard: on an engine that runs already, or empty, with one of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication, QDialog

from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.stream_picker import Picker
from rtbci.dashboard.window import Window
from rtbci.monitor import command_pipe
from rtbci.monitor.messages import command

Send = Callable[[dict[str, Any]], None]


def has_display() -> bool:
    """Qt ends the whole process where it finds none; so ask first."""
    if not sys.platform.startswith("linux"):
        return True
    wanted = os.environ.get("QT_QPA_PLATFORM", "")
    return bool(wanted or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def dashboard_main(folder: str, commands: Connection | None, title: str) -> None:
    """The dashboard's process, for an engine that another process started and owns.

    folder: the engine's monitor. commands: takes a dict for each command; it is closed when the window is.
    """

    def send(what: dict[str, Any]) -> None:
        try:
            assert commands is not None
            command_pipe.send(commands, command(**what))
        except (BrokenPipeError, OSError):
            return  # the engine has ended, and the header says so

    try:
        code = run_dashboard(Path(folder), send if commands is not None else None, title)
    finally:
        if commands is not None:
            commands.close()
    sys.exit(code)


def run_dashboard(
    folder: Path | None = None, send: Send | None = None, title: str = "rtbci", settings: Settings | None = None
) -> int:
    """Open the window and stay until it is closed; returns the exit code.

    folder: the monitor of an engine to watch; None opens the dashboard empty, with pickers for stream and pipeline.
    """
    app = QApplication.instance() or QApplication([title])
    assert isinstance(app, QApplication)
    app.setApplicationName("rtbci")
    app.setStyle("Fusion")
    settings = settings or Settings()
    window: Window = Window(settings, title) if folder is not None else OwnEngine(settings, title)
    if folder is not None:
        window.open_feed(Feed(folder), send)
    _quit_on_signals(window)
    # What lives now lives to the end: the collector need not look at it in the middle of a frame.
    gc.collect()
    gc.freeze()
    window.show()
    window.start()
    if isinstance(window, OwnEngine):
        QTimer.singleShot(0, window.open_picker)
    return app.exec()


def _quit_on_signals(window: Window) -> None:
    # The frame timer lets Python look at its signals often enough.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())


class OwnEngine(Window):
    """A dashboard that starts, and ends, its own engine."""

    def __init__(self, settings: Settings, title: str = "rtbci") -> None:
        super().__init__(settings, title)
        self.engine: Any = None

    def open_picker(self) -> None:
        picker = Picker(self.settings, self)
        if picker.exec() == QDialog.DialogCode.Accepted:
            self.start_engine(picker.query, picker.pipeline)

    def start_engine(self, query: dict[str, str], pipeline: str, events: str = "") -> None:
        """Watch this stream through this pipeline, in place of what was."""
        from rtbci.engine.process import EngineProcess
        from rtbci.engine.session import EngineSpec

        self.stop_engine()
        self.settings.remember("pipelines", pipeline)
        self.engine = EngineProcess(EngineSpec(pipeline=pipeline, query=query, events=events))
        self.ended = self._why_ended
        self.open_feed(Feed(self.engine.folder), lambda what: self.engine.command(command(**what)))

    def _why_ended(self) -> str | None:
        if self.engine is None or self.engine.alive:
            return None
        return str(self.engine.error(self.errors) or "The engine has stopped")

    def stop_engine(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def closeEvent(self, event: Any) -> None:
        super().closeEvent(event)
        self.stop_engine()
