"""The commands as a user types them: each in a process of its own, or, where that would only cost time, in this one."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from rtbci.errors import RtbciError


def rtbci_command(*arguments: str | Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rtbci.cli.app", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)


def rtbci_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The same without a process: exit code, and what it says."""
    from rtbci.cli.app import app

    words, out, err = [str(one) for one in arguments], io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = app(words, standalone_mode=False)
        except RtbciError as error:
            err.write(f"error: {error}\n")
            code = 2
    return subprocess.CompletedProcess(words, code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def mistake(*arguments: str | Path) -> str:
    done = rtbci_command(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def mistake_here(*arguments: object) -> str:
    """The same without a process."""
    done = rtbci_here(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr
