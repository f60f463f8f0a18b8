"""Single keys of a terminal, which has its former settings again afterwards, and whenever another job is in front."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

try:
    import select
    import termios
except ImportError:  # no single keys on Windows
    termios = None  # type: ignore[assignment]

POLL_S = 0.1


def keys_of_terminal(actions: Mapping[str, Callable[[], object]], over: threading.Event) -> Keys | None:
    """What reads the keys of standard input until `over` is set; None where it is no terminal, or has no single keys.

    actions: by key, as the terminal sends it.
    """
    return Keys(actions, over) if termios is not None and is_terminal(sys.stdin) else None


@contextmanager
def pressed(actions: Mapping[str, Callable[[], object]]) -> Iterator[None]:
    """Keys call their actions until the block is left, where standard input is a terminal; from the main thread."""
    over = threading.Event()
    keys = keys_of_terminal(actions, over)
    if keys is None:
        yield
        return
    thread = threading.Thread(target=keys.read, name="reads keys", daemon=True)
    with no_job_control_stop(keys):
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(1.0)
            keys.restore()


class Keys:
    """Reads single keys while this is the terminal's foreground job; otherwise the terminal has its former settings."""

    def __init__(self, actions: Mapping[str, Callable[[], object]], over: threading.Event) -> None:
        self._actions, self._over = actions, over
        self._fd = sys.stdin.fileno()
        self._before: list[object] | None = None  # former settings of the terminal, while ours are set
        self._changing = threading.Lock()

    def read(self) -> None:
        """Read keys until `over` is set."""
        while not self._over.is_set():
            if not in_foreground(self._fd):
                self._before = None  # another job has set them since
                self._over.wait(POLL_S)
                continue
            self.take()
            ready, _, _ = select.select([self._fd], [], [], POLL_S)
            if ready and in_foreground(self._fd):
                self._press()

    def _press(self) -> None:
        try:
            typed = os.read(self._fd, 256).decode("utf-8", "replace")
        except OSError:
            return
        if not typed:  # hung up
            self._over.wait(POLL_S)
        typed = typed.replace("\x1bO", "\x1b[")
        while typed:
            key = next((key for key in self._actions if typed.startswith(key)), typed[0])
            typed = typed[len(key) :]
            if key in self._actions:
                self._actions[key]()

    def take(self) -> None:
        """Set the terminal: keys are read at once and not echoed; Ctrl-C and Ctrl-Z keep their meaning."""
        with self._changing:
            if self._before is not None or self._over.is_set():
                return
            try:
                self._before = termios.tcgetattr(self._fd)
                settings = termios.tcgetattr(self._fd)
                settings[3] &= ~(termios.ICANON | termios.ECHO)
                settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._fd, termios.TCSANOW, settings)
            except termios.error:
                self._before = None

    def restore(self) -> None:
        """Give the terminal its former settings."""
        with self._changing:
            if self._before is not None and in_foreground(self._fd):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._before)  # type: ignore[arg-type]
            self._before = None


@contextmanager
def no_job_control_stop(keys: Keys | None) -> Iterator[None]:
    """Reads and writes in the background do not suspend the process; Ctrl-Z restores the terminal first."""
    if termios is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def suspend(_number: int, _frame: FrameType | None) -> None:
        if keys is not None:
            keys.restore()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Resumed, in the foreground or not: the thread of the keys checks.
        signal.signal(signal.SIGTSTP, suspend)

    wanted = {signal.SIGTTIN: signal.SIG_IGN, signal.SIGTTOU: signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    if keys is not None:
        before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, suspend)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_foreground(fd: int) -> bool:
    """Whether this is the foreground job of the terminal."""
    if termios is None:
        return True
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def is_terminal(stream: object) -> bool:
    """Whether it is one that is open."""
    try:
        return bool(stream is not None and stream.isatty())  # type: ignore[attr-defined]
    except ValueError:  # closed
        return False
