"""`rtbci dashboard`: a window on an engine that runs, or on one that is chosen in it."""

from __future__ import annotations

from rtbci.cli.attended import Session, attend
from rtbci.cli.sessions import NoSession, attached
from rtbci.cli.signals import stopped_by_signal
from rtbci.cli.terminal import Terminal
from rtbci.errors import ConfigError
from rtbci.monitor.running import running_engines
from rtbci.recordings.overrides import StreamOverrides


def open_dashboard(told: StreamOverrides, *, new: bool, process: int | None) -> int:
    """Open a window and stay until it is closed; returns the exit code.

    Parameters
    ----------
    told
        What a person says of a stream that is chosen in the window.
    new
        Choose a stream, though an engine runs.
    process
        Process id of the engine to watch, or of its command; None: the one that runs, or a choice of several.

    Raises
    ------
    ConfigError
        If there is no such engine.
    """
    with stopped_by_signal() as stop_asked:
        return attend(_first(told, new=new, process=process), "rtbci", stop_asked)


def _first(told: StreamOverrides, *, new: bool, process: int | None) -> Session:
    if new and process is not None:
        raise ConfigError("--new and --process say two things; wanted one of them")
    engines = [] if new else running_engines()
    if process is not None:
        engines = [engine for engine in engines if process in (engine.about.owner, engine.about.pid)]
        if not engines:
            raise ConfigError(
                f"--process {process}: no engine of yours runs there; `rtbci dashboard --list` lists them"
            )
    return attached(engines[0].folder) if len(engines) == 1 else NoSession(told, new)


def list_running() -> None:
    """Print the engines of this user, one a line."""
    engines, console = running_engines(), Terminal()
    for engine in engines:
        console.print(engine.text, soft_wrap=True)
    if not engines:
        console.print("no engine of yours runs on this machine; `rtbci run` starts one")
