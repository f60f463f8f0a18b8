"""The dashboard's process, seen from the one that starts it: Qt stays over there."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

from rtbci.engine.process import EngineProcess
from rtbci.monitor import command_pipe


def _main(folder: str, commands: Connection, title: str) -> None:
    from rtbci.dashboard.app import dashboard_main

    dashboard_main(folder, commands, title)


class DashboardProcess:
    """A window on an engine. It hangs, closes or dies for itself alone."""

    def __init__(self, engine: EngineProcess, title: str) -> None:
        self._engine = engine
        context = multiprocessing.get_context("spawn")
        self._commands, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_main, args=(str(engine.folder), theirs, title), name="rtbci-dashboard")
        self.process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    @property
    def failed(self) -> bool:
        """It ended, and nobody had closed it."""
        return not self.alive and self.process.exitcode not in (0, None)

    def forward(self) -> None:
        """Hand the commands that have come on to the engine."""
        try:
            while self._commands.poll():
                if (what := command_pipe.receive(self._commands)) is not None:
                    self._engine.command(what)
        except (EOFError, OSError):
            return

    def close(self) -> None:
        """End it, if it has not been closed."""
        if self.alive:
            self.process.terminate()
            self.process.join(3)
        if self.alive:
            self.process.kill()
            self.process.join()
        self._commands.close()


def open_empty(folder: Path | None = None) -> int:
    """`rtbci dashboard`: a window with pickers for stream and pipeline, and an engine of its own."""
    from rtbci.dashboard.app import run_dashboard

    return run_dashboard(folder, None)
