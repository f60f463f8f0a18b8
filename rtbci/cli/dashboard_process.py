"""The dashboard in a process of its own; the one that starts it does not load Qt."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

from rtbci.recordings.overrides import StreamOverrides

CLOSE_S = 0.8


def _main(folder: str, title: str) -> None:
    from rtbci.dashboard.app import dashboard_main

    dashboard_main(folder, title)


class DashboardProcess:
    """A dashboard for the engine of a monitor folder; if it hangs or crashes, nothing else is affected."""

    def __init__(self, folder: Path, title: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=_main, args=(str(folder), title), name="rtbci-dashboard")
        self.process.start()
        self._close_by: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return not self.alive and self.process.exitcode not in (0, None)

    def ask_to_close(self) -> None:
        """Ask the process to end, without waiting for it; one that hangs has CLOSE_S from then on."""
        if self._close_by is None:
            self._close_by = time.monotonic() + CLOSE_S
            self.process.terminate()

    def close(self) -> None:
        """End the process, if it still runs."""
        self.ask_to_close()
        self.process.join(max(0.0, (self._close_by or 0.0) - time.monotonic()))
        if self.alive:
            self.process.kill()
            self.process.join(1.0)


def open_empty(folder: Path | None = None, told: StreamOverrides | None = None) -> int:
    """`rtbci dashboard`: a window with pickers for stream and pipeline, and an engine of its own; returns the exit code."""
    from rtbci.dashboard.app import run_dashboard

    return run_dashboard(folder, told=told)
