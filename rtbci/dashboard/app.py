"""Starts the dashboard: a window, and what ties it to the command that has opened it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from PyQt6.QtWidgets import QApplication

from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.session_control import SessionControl
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.window import Window
from rtbci.lsl.config import quiet_lsl
from rtbci.monitor.command_server import CommandClient
from rtbci.monitor.window_messages import WindowPipe


def has_display() -> bool:
    """Qt ends the whole process where it finds none; so ask first."""
    if not sys.platform.startswith("linux"):
        return True
    wanted = os.environ.get("QT_QPA_PLATFORM", "")
    return bool(wanted or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def dashboard_main(pipe: Connection, title: str) -> None:
    """The dashboard's process. pipe: to the command that has opened it, and owns what it shows."""
    # Ctrl-Z reaches the whole terminal group; it suspends the command, not this window.
    if hasattr(signal, "SIGTSTP"):
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    quiet_lsl()
    sys.exit(run_dashboard(WindowPipe(pipe), title))


def run_dashboard(pipe: WindowPipe, title: str = "rtbci", settings: Settings | None = None) -> int:
    """Open the window and stay until it is closed.

    Parameters
    ----------
    pipe
        To the command that says what is shown (rtbci/monitor/window_messages.py).
    title
        Of the window, until it shows something.
    settings
        The user's own by default.

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
    control = SessionControl(window, pipe)
    _quit_on_signals(window)
    control.look()  # where it says already what is shown, the window opens at that session's place
    # What lives now lives to the end: the collector need not look at it in the middle of a frame.
    gc.collect()
    gc.freeze()
    window.show()
    window.start()
    control.opened()
    return app.exec()


def watch(window: Window, folder: Path) -> None:
    """Show the engine of a monitor's folder, and give it the window's commands: without any process between the two."""
    window.open_feed(Feed(folder), CommandClient(folder))


def _quit_on_signals(window: Window) -> None:
    """A signal closes it unasked. The frame timer lets Python look at its signals often enough."""

    def quit_now(*_: object) -> None:
        window.may_close = lambda: True
        window.close()
        QApplication.quit()  # also out of a question that is open

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), quit_now)
