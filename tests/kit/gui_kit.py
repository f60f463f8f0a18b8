"""A window without a screen, on a synthetic engine whose time a test moves by hand."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from pathlib import Path
from typing import Any

import numpy as np
from pylsl import local_clock
from PyQt6.QtWidgets import QApplication

from rtbci.bench.synthetic_monitor import SyntheticMonitor
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.window import Window
from rtbci.monitor.messages import Command


class SentCommands:
    """Keeps the commands that the window sends."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def send(self, what: Command) -> None:
        self.commands.append(what)

    def flush(self) -> None:
        """Nothing is ever left over."""

    def close(self) -> None:
        """There is nothing to close."""


class Visit:
    """A synthetic engine, the window that watches it, and the commands that the window sent."""

    def __init__(
        self, qtbot: Any, folder: Path, channels: int = 19, size: tuple[int, int] = (1280, 720), **fake: Any
    ) -> None:
        self.qtbot = qtbot
        self.folder = folder / "monitor"
        self.folder.mkdir()
        self.settings = Settings(str(folder / "settings.ini"))
        self.fake = SyntheticMonitor(self.folder, channels, start=local_clock() - 100, **fake)
        self.port = SentCommands()
        self.sent = self.port.commands
        self.window = self.open(size)

    def close(self) -> None:
        self.fake.close()

    def open(self, size: tuple[int, int] = (1280, 720)) -> Window:
        window = Window(self.settings)
        self.qtbot.addWidget(window)
        window.resize(*size)
        with self.qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        window.open_feed(Feed(self.folder), self.port)
        return window

    def play(self, seconds: float, **how: Any) -> None:
        """Let this much of the stream pass, thirty-two frames a second."""
        for _ in range(round(seconds * 32)):
            self.fake.advance(1 / 32, **how)
            self.window.tick()
            QApplication.processEvents()
        self.look()

    def look(self, **state: Any) -> None:
        """Publish the state and let every panel see it."""
        self.fake.publish(**state)
        assert self.window.model.feed is not None
        self.window.model.feed._status_due = 0.0
        for _ in range(60):
            self.window.tick()
        self.qtbot.wait(1)

    def press(self, key: Any, *modifiers: Any) -> None:
        if modifiers:
            self.qtbot.keyClick(self.window, key, modifiers[0])
        else:
            self.qtbot.keyClick(self.window, key)


def pixels(plot: Any) -> np.ndarray:
    """The image of a plot's traces, painted up to now."""
    plot.grab()
    return plot.raster.pixels.copy()
