"""Local controls of a replay: keys of a terminal, or lines of standard input; and a line that shows its position."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rtbci.errors import ConfigError
from rtbci.replay.transport import Transport
from rtbci.text import one_line, tenths_text

try:
    import select
    import termios
except ImportError:  # no single keys on Windows
    termios = None  # type: ignore[assignment]

HINT = "space pause ←→ 10 s ↑↓ 1 min +− speed q end"  # fits into 80 columns
_DRAW_EVERY_S = 0.25
_POLL_S = 0.1
_CLEAR = "\r\x1b[K"

KeyAction = Callable[[Transport], None]
KEYS: dict[str, KeyAction] = {
    " ": lambda t: t.obey("toggle"),
    "\x1b[D": lambda t: t.skip(-10),
    "\x1b[C": lambda t: t.skip(10),
    "\x1b[A": lambda t: t.skip(60),
    "\x1b[B": lambda t: t.skip(-60),
    "\x1b[6~": lambda t: t.skip(60),
    "\x1b[5~": lambda t: t.skip(-60),
    "+": lambda t: t.times_speed(2),
    "=": lambda t: t.times_speed(2),
    "-": lambda t: t.times_speed(0.5),
    "q": lambda t: t.stop.set(),
}


@contextmanager
def controls(transport: Transport, *, lines: bool = False) -> Iterator[None]:
    """Control the replay until the block is left; to be entered by the main thread.

    Keys if standard input is a terminal, or its lines with `lines`; the position is shown on standard error if that is a
    terminal.
    """
    over = threading.Event()
    keys = Keys(transport, over) if not lines and termios is not None and _is_terminal(sys.stdin) else None
    workers = [keys.read] if keys else []
    if lines:
        workers.append(lambda: _read_lines(transport))
    if _is_terminal(sys.stderr):
        workers.append(lambda: _draw_position(transport, over, HINT if keys else ""))
    threads = [threading.Thread(target=work, daemon=True) for work in workers]
    with _no_job_control_stop(keys):
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads if not lines else threads[1:]:
                thread.join(1.0)
            if keys:
                keys.restore()


class Keys:
    """Reads single keys while this is the terminal's foreground job; otherwise the terminal has its former settings."""

    def __init__(self, transport: Transport, over: threading.Event) -> None:
        self._transport, self._over = transport, over
        self._fd = sys.stdin.fileno()
        self._before: list[object] | None = None  # former settings of the terminal, while ours are set
        self._changing = threading.Lock()

    def read(self) -> None:
        """Read keys until the replay is over."""
        while not self._over.is_set():
            if not in_foreground(self._fd):
                self._before = None  # another job has set them since
                self._over.wait(_POLL_S)
                continue
            self.take()
            ready, _, _ = select.select([self._fd], [], [], _POLL_S)
            if ready and in_foreground(self._fd):
                self._press()

    def _press(self) -> None:
        try:
            typed = os.read(self._fd, 256).decode("utf-8", "replace")
        except OSError:
            return
        if not typed:  # hung up
            self._over.wait(_POLL_S)
        typed = typed.replace("\x1bO", "\x1b[")
        while typed:
            key = next((key for key in KEYS if typed.startswith(key)), typed[0])
            typed = typed[len(key) :]
            if key in KEYS:
                KEYS[key](self._transport)

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
def _no_job_control_stop(keys: Keys | None) -> Iterator[None]:
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


def _read_lines(transport: Transport) -> None:
    """Take commands until the input ends; an invalid one is reported, and the replay continues."""
    rest = b""
    while True:
        try:
            # Not through Python's buffer: a thread that still reads would hold its lock at the end of the program.
            received = os.read(sys.stdin.fileno(), 4096)
        except OSError:
            return
        *whole, rest = (rest + received).split(b"\n")
        for line in whole if received else [rest]:
            if text := line.decode("utf-8", "replace").strip():
                _obey(transport, text)
        if not received:
            return


def _obey(transport: Transport, text: str) -> None:
    try:
        transport.obey(text)
    except ConfigError as error:
        sys.stderr.write(f"{one_line(str(error))}\n")


def _draw_position(transport: Transport, over: threading.Event, hint: str) -> None:
    """Show the position on one line of the terminal, while this is its foreground job."""
    shown, due = "", 0.0
    while not over.wait(0.05):
        at = transport.recorded(transport.position())
        line = position_line(transport, at)
        changed = line.split("  ")[1:] != shown.split("  ")[1:]  # a command shows at once
        if (changed or time.monotonic() >= due) and in_foreground(sys.stderr.fileno()):
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(_CLEAR + f"{line}  {hint}"[:width])
            sys.stderr.flush()
            shown, due = line, time.monotonic() + _DRAW_EVERY_S
    if in_foreground(sys.stderr.fileno()):
        sys.stderr.write(_CLEAR)
        sys.stderr.flush()


def position_line(transport: Transport, at_s: float) -> str:
    """ "0:01:12.5 of 0:41:00  × 4  paused"; cut where the terminal is narrow."""
    total = tenths_text(transport.start_s + transport.length_s).partition(".")[0]
    speed = f"× {transport.speed:g}" if transport.speed else "unpaced"
    return f"{tenths_text(at_s)} of {total}  {speed}" + ("  paused" if transport.paused else "")


def in_foreground(fd: int) -> bool:
    """Whether this is the foreground job of the terminal."""
    if termios is None:
        return True
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream is not None and stream.isatty())  # type: ignore[attr-defined]
    except ValueError:  # closed
        return False
