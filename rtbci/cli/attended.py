"""Sessions under one window that stays: when one ends, the window says why, and asks this command for the next."""

from __future__ import annotations

import time
from typing import Protocol

from rtbci.cli.dashboard_process import DashboardProcess
from rtbci.cli.signals import StopAsked
from rtbci.cli.terminal import Terminal
from rtbci.errors import EngineFailed, RtbciError, error_text
from rtbci.monitor.window_messages import Offer, RequestRefused, SessionEnded, SessionRequest
from rtbci.text import one_line

_LOOK_S = 0.05


class Session(Protocol):
    """What a window shows until it ends."""

    def run(self, dashboard: DashboardProcess | None, stop_asked: StopAsked) -> SessionEnded | None:
        """Follow it until it ends, a signal comes, or the window asks for another; None: there is nothing to say of its end.

        Raises
        ------
        RtbciError, EngineFailed
            Why it ended.
        """

    def next(self, request: SessionRequest) -> Session:
        """The session that is asked for in place of this one. Raises RtbciError where it cannot be."""


def attend(session: Session, title: str, stop_asked: StopAsked) -> int:
    """Run a session under a window, and those that are asked for in it, until the window is closed or a signal comes.

    Parameters
    ----------
    session
        The first.
    title
        Of the window, until it shows something.
    stop_asked
        Whether a signal has come.

    Returns
    -------
    int
        The exit code: that of the last session.
    """
    dashboard = DashboardProcess(title)
    try:
        while True:
            dashboard.check = session.next
            ended, code = _run(session, dashboard, stop_asked)
            following = _next(session, ended, dashboard, stop_asked)
            if following is None:
                return code or _told_of_window(dashboard)
            session = following
    finally:
        dashboard.close()


def _told_of_window(dashboard: DashboardProcess) -> int:
    """Say what has become of a window that nobody has closed; returns the exit code."""
    end = dashboard.take_end()
    if end is None or not end.is_failure:
        return 0
    Terminal(stderr=True).print(f"error: {end.text}; `rtbci dashboard` opens another", soft_wrap=True)
    return 1


def _run(session: Session, dashboard: DashboardProcess, stop_asked: StopAsked) -> tuple[SessionEnded | None, int]:
    try:
        return session.run(dashboard, stop_asked), 0
    except (RtbciError, EngineFailed, OSError) as error:
        stays = dashboard.alive and not stop_asked()
        Terminal(stderr=True).print(f"error: {error_text(error)}", soft_wrap=True)
        if stays:
            Terminal(stderr=True).print("the window stays: go on there, close it, or press Ctrl-C here", soft_wrap=True)
        return failure(error), 1 if isinstance(error, EngineFailed) else 2


def _next(
    session: Session, ended: SessionEnded | None, dashboard: DashboardProcess, stop_asked: StopAsked
) -> Session | None:
    """What is asked for in the window; None where it is closed, or a signal comes."""
    if ended is not None and not dashboard.has_request:
        dashboard.tell(ended)
    while not stop_asked() and not dashboard.stops_engine:
        alive = dashboard.alive
        if (request := dashboard.take_request()) is not None:
            try:
                return session.next(request)
            except (RtbciError, OSError) as error:
                dashboard.tell(RequestRefused(text=error_text(error)))  # it could be when it was asked
        if not alive:
            return None
        time.sleep(_LOOK_S)
    return None


def failure(error: Exception) -> SessionEnded:
    """A failure as the window is told of it, with what may help: the unit where the sentence names its option."""
    text = one_line(error_text(error))
    offers: tuple[Offer, ...] = ("unit", "again", "stream") if "--unit" in text else ("again", "stream")
    return SessionEnded(text=text, offers=offers)
