"""The engine in a process of its own, and the handle with which another process starts, watches and stops it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci import plugins
from rtbci.engine.session import EngineSpec, write_spec
from rtbci.engine.threads import one_thread_each
from rtbci.errors import RtbciError
from rtbci.lsl.config import responsive_lsl
from rtbci.monitor import command_pipe
from rtbci.monitor.command_server import CommandServer
from rtbci.monitor.folder import monitor_folder, remove_monitor
from rtbci.monitor.messages import Command, ErrorLine, LogLine, Stop
from rtbci.monitor.running import note_engine
from rtbci.monitor.shared_memory import MonitorReader, MonitorWriter
from rtbci.text import plain

if TYPE_CHECKING:
    from rtbci.engine.engine import Engine

USER_ERROR = 2  # exit code of an engine that could not begin; whatever happens later is 1
ENDED_BY_SIGNAL = 143  # exit code of an engine that ended in order, by a signal and no command
MOST_COMMANDS = 32  # in one poll, of the process that started the engine
MOST_UNSENT = 256  # commands to an engine that hangs
STOP_S = 5.0
_BY_SIGNAL = (ENDED_BY_SIGNAL, -15, -1, -3, -9)  # those of a process that was still loading, or was killed by `stop`
_ORDERLY = 0.75  # share of the time to stop, before SIGTERM


def engine_main(spec: EngineSpec, commands: Connection, output: Connection) -> None:
    """Run an engine until a command, a signal, or the end of the process that started it."""
    _say_to(output)
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
    engine: Engine | None = None
    try:
        for one in spec.plugins:
            plugins.plugin(one)
        with closing(CommandServer(Path(spec.monitor))) as windows:
            pipeline = Pipeline.load(spec.pipeline)
            trained = pipeline.config.decision.threshold
            engine = Engine(pipeline.with_threshold(spec.threshold), spec, trained_threshold=trained)
            signalled = _stopped_by_signals(engine)
            # Objects that exist now stay to the end: exempt them, so that no collection delays a chunk.
            gc.collect()
            gc.freeze()
            engine.run(lambda: _handle_commands(engine, commands, windows))
    except RtbciError as error:
        has_answered = engine is not None and bool(engine.probability)
        _log_error(spec, f"the engine failed: {error}" if has_answered else str(error))
        sys.exit(1 if has_answered else USER_ERROR)
    except Exception:
        _log_error(spec, "the engine failed: " + traceback.format_exc(limit=8))
        raise
    if signalled:
        sys.exit(ENDED_BY_SIGNAL)


def _stopped_by_signals(engine: Engine) -> list[int]:
    """SIGTERM, SIGHUP and SIGQUIT end the engine in order. Returns the list of those that did."""
    signalled: list[int] = []

    def stop(number: int, _: object) -> None:
        if not engine.stopping:
            signalled.append(number)
        engine.stop()

    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, stop)
    return signalled


def _say_to(output: Connection) -> None:
    """Warnings of libraries and what a user's sink prints go to the process that started us; a full pipe drops them.

    A terminal or a pipe that nobody reads would hold up the live loop.
    """
    if os.name == "posix":
        os.set_blocking(output.fileno(), False)
        for number in (1, 2):
            os.dup2(output.fileno(), number)


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
    with suppress(OSError):  # the exit code says it too
        writer = MonitorWriter(Path(spec.monitor))
        writer.log(ErrorLine(text=text))
        writer.close()


class EngineProcess:
    """Starts, watches, commands and stops an engine in a process of its own.

    Nothing here waits for an engine that hangs, except `stop`, for as long as it is told.

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
        self.was_killed = False  # by `stop`, before the session was closed
        self._was_stopped = False
        context = multiprocessing.get_context("spawn")
        theirs, self._commands = context.Pipe(duplex=False)
        self._output, output = context.Pipe(duplex=False)
        self.process = context.Process(target=engine_main, args=(self.spec, theirs, output), name="rtbci-engine")
        with one_thread_each():
            self.process.start()
        theirs.close()
        output.close()
        with suppress(OSError):  # without them a window that is opened later does not find it
            note_engine(self.folder, self.process.pid or 0, os.getpid(), spec.query, spec.pipeline)
            write_spec(self.spec)
        self._unsent: queue.Queue[Command | None] = queue.Queue(MOST_UNSENT)
        for work in (self._feed, self._hear):
            threading.Thread(target=work, name=f"engine {work.__name__}", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    def command(self, what: Command) -> None:
        """Send a command; it is dropped where the engine has ended, or has left MOST_UNSENT unread."""
        with suppress(queue.Full):
            self._unsent.put_nowait(what)

    def stop(self, within_s: float = STOP_S, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop the engine: by command, then by SIGTERM, then by SIGKILL.

        Its table has whole rows whenever it is killed; one that ends in order finishes it.

        Parameters
        ----------
        within_s
            How long that may take in all.
        hurry
            Called meanwhile; once True, the engine is killed at once.
        """
        if self.alive:
            self._was_stopped = True
        self.command(Stop())
        with suppress(OSError, TypeError, AttributeError):
            os.kill(self.process.pid, signal.SIGCONT)  # type: ignore[arg-type]  # a suspended one ends in order too
        is_loading = self.reader.status() is None  # it has nothing to close, and reads no command yet
        if is_loading or not self._ends(_ORDERLY * within_s, hurry):
            self.process.terminate()
            if not self._ends((1 - _ORDERLY) * within_s, hurry):
                self.process.kill()
                state = self.reader.status()
                # With this state, everything of the session is closed, and only the process is left.
                self.was_killed = state is None or state.state != "stopped"
                self.process.join(1.0)

    def error(self, log: list[LogLine], *, was_asked: bool = False) -> str | None:
        """Why the engine ended.

        Parameters
        ----------
        log
            The lines that were read so far.
        was_asked
            The same signal may have ended it that has asked this process to end.

        Returns
        -------
        str or None
            None while it runs, and where it ended without an error.
        """
        code = self.process.exitcode
        if self.was_killed:
            return "the engine did not end when it was asked to, and was killed"
        if self.alive or code == 0 or (code in _BY_SIGNAL and (self._was_stopped or was_asked)):
            return None
        errors = [line.text for line in log if isinstance(line, ErrorLine)]
        if code == ENDED_BY_SIGNAL:
            return "a signal has ended the engine, in order"
        return errors[-1] if errors else f"the engine died (exit code {code})"

    def close(self) -> None:
        """Stop the engine and remove its monitor folder."""
        if self.process.pid is not None and self.alive:
            self.stop()
        with suppress(queue.Full):
            self._unsent.put_nowait(None)
        self._commands.close()
        remove_monitor(self.folder)

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ends(self, within_s: float, hurry: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + within_s
        while self.alive and time.monotonic() < deadline and not hurry():
            self.process.join(0.02)
        return not self.alive

    def _feed(self) -> None:
        """Send the commands, in a thread: a pipe that is full may block it."""
        with suppress(OSError, ValueError):  # the engine has ended
            while (what := self._unsent.get()) is not None:
                command_pipe.send(self._commands, what)

    def _hear(self) -> None:
        """Pass on what the engine's libraries and sinks print, in a thread."""
        with self._output, suppress(OSError, ValueError):
            while content := os.read(self._output.fileno(), 1 << 14):
                lines = content.decode(errors="replace").split("\n")
                if sys.stderr is not None:
                    sys.stderr.write("\n".join(map(plain, lines)))
