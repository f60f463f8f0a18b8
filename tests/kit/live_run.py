"""`rtbci run` on a replay, as processes that a test may kill, suspend and cut off; each that it starts, it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

RTBCI = [sys.executable, "-m", "rtbci.cli.app"]
SINK = """
class Own:
    def begin(self, session): pass
    def on(self, message): pass
    def tend(self): pass
    def close(self): pass
"""


class LiveRun:
    """One run: its process, its engine's, those of its sinks; its lines of JSON, and its log.

    Parameters
    ----------
    folder
        Where its files go: `log`, `events.tsv`.
    pipeline, stream
        As on the command line.
    options
        More options.
    popen
        Of subprocess.Popen; standard output is read here unless it is given.
    """

    def __init__(self, folder: Path, pipeline: Path, stream: str, *options: str, **popen: Any) -> None:
        self.log_file, self.table = folder / "log", folder / "events.tsv"
        command = [*RTBCI, "run", str(pipeline), "--stream", f"name={stream}"]
        files = ["--log", str(self.log_file), "--events", str(self.table)]
        self.errors = folder / "errors"
        with self.errors.open("wb") as errors:
            streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": errors} | popen
            self.process = subprocess.Popen([*command, *files, *options], **streams)
        self.states: list[dict[str, Any]] = []
        self._reader: threading.Thread | None = None
        if self.process.stdout is not None:
            self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
            self._reader.start()

    @property
    def state(self) -> dict[str, Any]:
        return self.states[-1] if self.states else {}

    @property
    def has_begun(self) -> bool:
        """Whether the stream is connected, and its first samples are read."""
        assert self.process.poll() is None, self.errors.read_text()
        return bool(self.log("connected")) and (not self.states or self.state.get("recording_s", 0) > 1)

    def log(self, kind: str) -> list[dict[str, Any]]:
        """The lines of a kind."""
        lines = self.log_file.read_text().split("\n")[:-1] if self.log_file.exists() else []
        return [line for line in map(json.loads, lines) if line["kind"] == kind]

    def alarms(self) -> list[str]:
        return [line["text"] for line in self.log("alarm")]

    def engine(self) -> psutil.Process:
        return self._spawned(psutil.Process(self.process.pid))[0]

    def sinks(self) -> list[psutil.Process]:
        return self._spawned(self.engine())

    def everyone(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def ends(self, number: int | None = None, within_s: float = 15.0) -> tuple[int, float]:
        """Exit code and seconds, after a signal if one is given."""
        began = time.monotonic()
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(within_s), time.monotonic() - began

    def close(self) -> None:
        with suppress(psutil.Error):
            for process in [*self.everyone(), psutil.Process(self.process.pid)]:
                with suppress(psutil.Error):
                    process.kill()
        self.process.wait(10)
        if self._reader is not None:
            self._reader.join(10)

    def _spawned(self, parent: psutil.Process) -> list[psutil.Process]:
        found = [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]
        return sorted(found, key=lambda child: child.create_time())

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                self.states.append(json.loads(line))


@contextmanager
def replayed(recording: Path, name: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`rtbci replay`, which waits for a consumer."""
    process = subprocess.Popen(
        [*RTBCI, "replay", str(recording), "--name", name, "--wait", *options], stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(10)


def are_gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs; a zombie does not."""
    return not any(_runs(process) for process in processes)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def own_terminal() -> tuple[int, dict[str, Any]]:
    """A terminal: its other end, and options of Popen that make it the controlling terminal of a session."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()

    def adopt() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.close(ours)

    return ours, {
        "stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True, "preexec_fn": adopt,
    }  # fmt: skip
