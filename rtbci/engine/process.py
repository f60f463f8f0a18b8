"""The engine in a process of its own, and the handle with which another process starts, watches and stops it."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
import traceback
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci import plugins
from rtbci.engine.session import EngineSpec
from rtbci.engine.threads import one_thread_each
from rtbci.errors import RtbciError
from rtbci.lsl.config import responsive_lsl
from rtbci.monitor import command_pipe
from rtbci.monitor.command_server import CommandServer
from rtbci.monitor.messages import Command, ErrorLine, LogLine, Stop
from rtbci.monitor.shared_memory import MonitorReader, MonitorWriter, monitor_folder, remove_monitor

if TYPE_CHECKING:
    from rtbci.engine.engine import Engine

USER_ERROR = 2
MOST_COMMANDS = 32  # in one poll, of the process that started the engine


def engine_main(spec: EngineSpec, commands: Connection) -> None:
    """Run an engine until a command, SIGTERM, or the end of the process that started it."""
    import torch

    from rtbci.engine.engine import Engine
    from rtbci.pipeline.pipeline import Pipeline

    responsive_lsl()
    torch.set_num_threads(1)
    # Ctrl-C reaches the whole process group; the process that started us decides, and sends a command.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # So does Ctrl-Z; it suspends the viewer, not the engine.
    if hasattr(signal, "SIGTSTP"):
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        for one in spec.plugins:
            plugins.plugin(one)
        with closing(CommandServer(Path(spec.monitor))) as windows:
            engine = Engine(Pipeline.load(spec.pipeline), spec)
            signal.signal(signal.SIGTERM, lambda *_: engine.stop())
            # Objects that exist now stay to the end: exempt them, so that no collection delays a chunk.
            gc.collect()
            gc.freeze()
            engine.run(lambda: _handle_commands(engine, commands, windows))
    except RtbciError as error:
        _log_error(spec, str(error))
        sys.exit(USER_ERROR)
    except Exception:
        _log_error(spec, "the engine failed: " + traceback.format_exc(limit=8))
        raise


def _handle_commands(engine: Engine, commands: Connection, windows: CommandServer) -> None:
    try:
        for _ in range(MOST_COMMANDS):
            if not commands.poll():
                break
            if (what := command_pipe.receive(commands)) is not None:
                engine.command(what)
    except (EOFError, OSError):
        engine.stop()
    for command in windows.poll():
        engine.command(command)


def _log_error(spec: EngineSpec, text: str) -> None:
    writer = MonitorWriter(Path(spec.monitor))
    writer.log(ErrorLine(text=text))
    writer.close()


class EngineProcess:
    """Starts, watches, commands and stops an engine in a process of its own.

    Parameters
    ----------
    spec
        `monitor` is ignored: the folder is made here, and removed by `close`. Where `plugins` is empty, the plug-ins that
        this process has registered are passed on.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self.folder = monitor_folder()
        values = {name: getattr(spec, name) for name in spec.__dataclass_fields__} | {"monitor": str(self.folder)}
        values["plugins"] = spec.plugins or plugins.named()
        self.spec = EngineSpec(**values)
        self.reader = MonitorReader(self.folder)
        context = multiprocessing.get_context("spawn")
        theirs, self._commands = context.Pipe(duplex=False)
        self.process = context.Process(target=engine_main, args=(self.spec, theirs), name="rtbci-engine")
        with one_thread_each():
            self.process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    def command(self, what: Command) -> None:
        """Send a command; it is dropped where the engine has ended."""
        try:
            command_pipe.send(self._commands, what)
        except (BrokenPipeError, OSError):
            return

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the engine: by command, else by SIGTERM, else by SIGKILL, each after `timeout_s`."""
        self.command(Stop())
        self.process.join(timeout_s)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(timeout_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def error(self, log: list[LogLine]) -> str | None:
        """Why the engine ended by itself.

        Parameters
        ----------
        log
            The lines that were read so far.

        Returns
        -------
        str or None
            None while it runs, and where it ended without an error.
        """
        if self.alive or self.process.exitcode == 0:
            return None
        errors = [line.text for line in log if isinstance(line, ErrorLine)]
        return errors[-1] if errors else f"the engine died (exit code {self.process.exitcode})"

    def close(self) -> None:
        """Stop the engine and remove its monitor folder."""
        if self.process.pid is not None and self.alive:
            self.stop()
        self._commands.close()
        remove_monitor(self.folder)

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
