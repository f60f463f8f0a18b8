"""Local controls of a replay: keys of a terminal, or lines of standard input; and a line that shows its position."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rtbci.cli.terminal_keys import in_foreground, is_terminal, keys_of_terminal, no_job_control_stop
from rtbci.errors import ConfigError
from rtbci.replay.transport import Transport
from rtbci.text import one_line, tenths_text

HINT = "space pause ←→ 10 s ↑↓ 1 min +− speed q end"  # fits into 80 columns
_DRAW_EVERY_S = 0.25
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
    actions = {key: partial(act, transport) for key, act in KEYS.items()}
    keys = keys_of_terminal(actions, over) if not lines else None
    workers = [keys.read] if keys else []
    if lines:
        workers.append(lambda: _read_lines(transport))
    if is_terminal(sys.stderr):
        workers.append(lambda: _draw_position(transport, over, HINT if keys else ""))
    threads = [threading.Thread(target=work, daemon=True) for work in workers]
    with no_job_control_stop(keys):
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
