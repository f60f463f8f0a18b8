"""A replay at a real terminal: single keys, lines of standard input, and a terminal that is afterwards as it was."""

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rtbci.bundled import RECORDING

Wait = Callable[..., None]
REPLAY = (sys.executable, "-c", "from rtbci.cli.app import main; main()", "replay", str(RECORDING))


class Terminal:
    """A terminal of its own, and what came up on it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.seen = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """The terminal's foreground job."""
        code = (
            "import fcntl,os,sys,termios;os.setsid();fcntl.ioctl(0,termios.TIOCSCTTY,0);"
            "os.tcsetpgrp(0,os.getpgrp());os.execvp(sys.argv[1],sys.argv[1:])"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *command], stdin=self.theirs, stdout=self.theirs, stderr=self.theirs
        )
        return self._process

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def look(self) -> str:
        while select.select([self.ours], [], [], 0)[0]:
            self.seen += os.read(self.ours, 65536).decode("utf-8", "replace")
        return self.seen

    def line(self) -> str:
        """The line that is written over, as it was last."""
        return self.look().rsplit("\x1b[K", 1)[-1]

    def seconds(self) -> float:
        found = re.search(r"(\d+):(\d\d):(\d\d\.\d) of", self.line())
        return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else -1.0

    @property
    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.theirs) == self.before

    def close(self) -> None:
        if self._process is not None:
            for pid in children(self._process.pid):
                os.kill(pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait(10)
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def name() -> str:
    return f"keys-{uuid.uuid4().hex[:8]}"


def test_keys_pause_seek_change_the_speed_and_end_it(terminal: Terminal, name: str, wait_until: Wait) -> None:
    process = terminal.start(*REPLAY, "--name", name)
    wait_until(lambda: "space pause" in terminal.look())
    wait_until(lambda: not terminal.is_as_before)
    terminal.type(" ")
    wait_until(lambda: "× 1  paused" in terminal.line())
    here = terminal.seconds()
    terminal.type("\x1b[C\x1b[C\x1b[D\x1bOC")  # on, on, back, on
    wait_until(lambda: terminal.seconds() == pytest.approx(here + 20, abs=0.05))
    terminal.type("\x1b[A\x1b[A")
    wait_until(lambda: terminal.seconds() == pytest.approx(82.0))  # two minutes on are beyond the end
    terminal.type("\x1b[5~")
    wait_until(lambda: terminal.seconds() == pytest.approx(22.0))
    terminal.type("++x-")  # x is no key
    wait_until(lambda: "× 2  paused" in terminal.line())
    terminal.type("q")
    assert process.wait(10) == 0
    assert terminal.is_as_before
    assert "samples sent" in terminal.look()


@pytest.mark.parametrize("end", ["\x03", signal.SIGTERM])
def test_however_it_ends_the_terminal_is_as_it_was(
    end: str | signal.Signals, terminal: Terminal, name: str, wait_until: Wait
) -> None:
    process = terminal.start(*REPLAY, "--name", name)
    wait_until(lambda: "space pause" in terminal.look())
    wait_until(lambda: not terminal.is_as_before)
    if isinstance(end, str):
        terminal.type(end)
    else:
        process.send_signal(end)
    assert process.wait(10) == 0
    assert terminal.is_as_before


def test_ctrl_z_gives_the_terminal_back_and_in_the_background_it_is_never_stopped(
    terminal: Terminal, name: str, wait_until: Wait
) -> None:
    shell = terminal.start("bash", "--norc", "-i")
    terminal.type("PS1='ready> '\n")
    wait_until(lambda: terminal.look().endswith("ready> "))
    terminal.type(shlex.join([*REPLAY, "--name", name]) + "\n")
    wait_until(lambda: "space pause" in terminal.look())
    terminal.type("\x1a")
    wait_until(lambda: "Stopped" in terminal.look())
    terminal.type("bg\n")
    (child,) = children(shell.pid)
    wait_until(lambda: state(child) in "SR")
    terminal.type("stty tostop; echo typed | tr a-z A-Z\n")  # a shell's line comes to the shell, and whole
    wait_until(lambda: "TYPED" in terminal.look())
    until = time.monotonic() + 1
    while time.monotonic() < until:
        assert state(child) in "SR"
        time.sleep(0.05)
    terminal.type("stty -tostop; fg\n")
    wait_until(lambda: "space pause" in terminal.look().rsplit("fg", 1)[-1])
    terminal.type(" ")
    wait_until(lambda: "paused" in terminal.line())
    terminal.type("q")
    wait_until(lambda: state(child) in "Z-")
    terminal.type("exit\n")
    shell.wait(10)


def children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def state(pid: int) -> str:
    """As ps says it; - where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "-"


def test_lines_of_standard_input_are_obeyed_and_a_wrong_one_is_said(name: str) -> None:
    command = subprocess.Popen(
        [*REPLAY, "--name", name, "--stdin"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # The end of the input is not the end of the replay.
    _, said = command.communicate("pause\nseek 60\nfaster\nspeed nan\nseek 70\nspeed 32\nresume\n", timeout=20)
    assert command.returncode == 0
    assert "'faster' is not understood; wanted pause, resume, " in said
    assert "'speed nan' is not understood" in said
    assert "Traceback" not in said
    assert re.search(r"\n(30\d\d|31\d\d) samples sent\n", said)  # the last 12 s, and what went out before the pause


def test_without_being_asked_standard_input_is_not_read(name: str) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"quit\n")
    command = subprocess.run(
        [*REPLAY, "--name", name, "--speed", "64", "--seconds", "16"], stdin=ours, capture_output=True, timeout=30
    )
    assert command.returncode == 0
    assert os.read(ours, 10) == b"quit\n"
    os.close(ours)
    os.close(theirs)
