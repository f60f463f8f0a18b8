"""The dashboard in a process of its own; the one that starts it does not load Qt."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from rtbci.errors import RtbciError, error_text
from rtbci.monitor.window_messages import (
    AttachTo,
    FromCommand,
    RequestRefused,
    SessionRequest,
    StartSession,
    WindowCloses,
    WindowOpened,
    WindowPipe,
)

CLOSE_S = 0.8
_NOT_OPENED = "the window could not be opened, `rtbci doctor` checks why"


def _main(pipe: Connection, title: str) -> None:
    from rtbci.dashboard.app import dashboard_main

    dashboard_main(pipe, title)


@dataclass(frozen=True, slots=True)
class WindowEnd:
    """text: what has become of it; is_failure: nobody has closed it."""

    text: str
    is_failure: bool = True


class DashboardProcess:
    """A window; if it hangs or crashes, nothing else is affected.

    Attributes
    ----------
    stops_engine
        The user has closed it, and the engine is to end.
    check
        Raises RtbciError for a request that cannot be met; the window is told, and what runs goes on.
    """

    def __init__(self, title: str) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.process = context.Process(target=_main, args=(theirs, title), name="rtbci-dashboard")
        self.process.start()
        theirs.close()
        self._pipe = WindowPipe(ours)
        self._close_by: float | None = None
        self._was_opened = self._was_closed = self._is_end_taken = False
        self._request: SessionRequest | None = None
        self.stops_engine = False
        self.check: Callable[[SessionRequest], object] = lambda _request: None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    def tell(self, message: FromCommand) -> None:
        """Send a message, without waiting."""
        self._pipe.send(message)

    def tend(self) -> None:
        """Hear what the window says; to be called often."""
        for message in self._pipe.received():
            match message:
                case WindowOpened():
                    self._was_opened = True
                case WindowCloses(stops=stops):
                    self._was_closed, self.stops_engine = True, stops
                case StartSession() | AttachTo():
                    self._consider(message)

    def _consider(self, request: SessionRequest) -> None:
        try:
            self.check(request)
        except (RtbciError, OSError) as error:
            self.tell(RequestRefused(text=error_text(error)))
        else:
            self._request = request

    @property
    def has_request(self) -> bool:
        """Whether the user wants another session."""
        self.tend()
        return self._request is not None

    def take_request(self) -> SessionRequest | None:
        """What the user wants, once."""
        self.tend()
        request, self._request = self._request, None
        return request

    def take_end(self) -> WindowEnd | None:
        """How the window ended, once; None while it is there, and where that was taken already."""
        self.tend()
        if self.alive or self._is_end_taken:
            return None
        self._is_end_taken = True
        code = self.process.exitcode or 0
        if code == 0 or self._was_closed:
            return WindowEnd("the window was closed", is_failure=False)
        if code < 0:
            return WindowEnd(f"the window was ended (signal {-code})")
        failed = f"the window has failed (exit code {code})"
        return WindowEnd(failed if self._was_opened else _NOT_OPENED)

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
        self._pipe.close()
