"""Sink: a rotating log of JSON lines (`--log FILE`): the lines of the engine's log, and its state once a minute.

It runs in the process of the command, not in the engine's, so that a slow disk delays no answer.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from rtbci.errors import ConfigError
from rtbci.files import open_private
from rtbci.monitor.message import Line
from rtbci.monitor.messages import EngineState, LogLine, StateLine
from rtbci.text import json_text
from rtbci.types import SessionInfo

MAX_BYTES = 10_000_000
KEEP = 9  # old files: FILE.1 is the newest
STATE_EVERY_S = 60.0
_RETRY_S = 5.0
_LOOK_EVERY_S = 1.0  # whether the file is still there
_BEGINS = b'\n{"kind": "'


# Not logging's RotatingFileHandler: a line that a full disk refuses stays in its stream's buffer and may be written after
# the handler has reported the failure, so that lost lines could not be counted, nor a cut line be completed.
class Journal:
    """Appends lines to a file; a full one becomes FILE.1, and so on up to `keep`.

    While the disk is full, or the folder is gone, lines are lost; the next line that is written reports how many
    (`lost_before`). A file that is moved away or removed is started anew.
    """

    recovered = "the log is written again"

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        """Raises OSError if the file cannot be opened, ConfigError if it exists and is not such a log."""
        check_log(path)
        self.path = path
        self.n_lost = 0
        self._max_bytes = max_bytes
        self._keep = keep
        self._file: IO[bytes] | None = open_private(path, "ab")
        self._size = self._file.tell()
        self._is_cut = _ends_in_cut_line(path)  # whether the last line was written in part
        self._why = ""  # lines are lost at present
        self._retry_at = 0.0
        self._look_at = 0.0
        self._state: EngineState | None = None  # the newest
        self._state_due = 0.0

    def write(self, line: LogLine | StateLine) -> None:
        """Append a line; never raises for an error of the disk."""
        if self._why and time.monotonic() < self._retry_at:
            self.n_lost += 1
            return
        lost = {"lost_before": self.n_lost} if self.n_lost else {}
        try:
            self._append(json_text(line.plain() | lost).encode() + b"\n")
        except OSError as error:
            self.n_lost += 1
            self._give_up_for_now(error)
        else:
            self.n_lost, self._why = 0, ""

    @property
    def trouble(self) -> str:
        """Why lines are lost at present, and how many; "" while all is well."""
        return f"the log is not written: {self._why}; {self.n_lost} lines are lost ({self.path})" if self._why else ""

    def begin(self, session: SessionInfo) -> None:
        """Nothing to do: the engine's log has a line for it."""

    def on(self, message: object) -> None:
        """Append a line of the engine's log; or the state, if the last one is a minute old."""
        if isinstance(message, Line):
            self.write(cast(LogLine, message))
        elif isinstance(message, EngineState):
            self._state = message
            if time.monotonic() >= self._state_due:
                self._write_state()

    def tend(self) -> None:
        """Look whether the file is still there; while it cannot be written, try again with the newest state."""
        now = time.monotonic()
        if self._why and now >= self._retry_at:
            self._write_state()
        elif not self._why and now >= self._look_at:
            self._look_at = now + _LOOK_EVERY_S
            try:
                self._open()
            except OSError as error:
                self._give_up_for_now(error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_state(self) -> None:
        self._state_due = time.monotonic() + STATE_EVERY_S
        self.write(StateLine(state=self._state or EngineState()))

    def _open(self) -> None:
        """The file of that name, which may not be the one that was opened. Raises OSError."""
        if self._file is not None and not self._is_there(self._file):
            self.close()
        if self._file is None:
            self._file = open_private(self.path, "ab")
            self._size = self._file.tell()
            self._is_cut = self._is_cut and self._size > 0

    def _is_there(self, file: IO[bytes]) -> bool:
        try:
            named, opened = os.stat(self.path), os.fstat(file.fileno())
        except OSError:  # it is gone, or its folder
            return False
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def _append(self, line: bytes) -> None:
        self._open()
        if self._size and self._size + len(line) > self._max_bytes:
            self._rotate()
        assert self._file is not None
        if self._is_cut:
            line = b"\n" + line
        written = self._file.write(line)
        self._size += written
        self._is_cut = written < len(line)
        if self._is_cut:
            raise OSError("only a part of the line was written")

    def _rotate(self) -> None:
        mode = stat.S_IMODE(os.stat(self.path).st_mode)
        self.close()
        for n in range(self._keep, 0, -1):
            old = self.path if n == 1 else self._old(n - 1)
            if old.exists():
                os.replace(old, self._old(n))
        self._file = open_private(self.path, "ab")
        with suppress(OSError):
            os.chmod(self.path, mode)  # a group that may read the log may read on
        self._size, self._is_cut = self._file.tell(), False

    def _old(self, n: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{n}")

    def _give_up_for_now(self, error: OSError) -> None:
        self.close()
        self._why = error.strerror or str(error)
        self._retry_at = time.monotonic() + _RETRY_S


def check_log(path: Path) -> None:
    """Refuse any other file: a mistyped path must not add lines to a recording or a table."""
    if path.is_fifo() or path.is_socket() or path.is_dir():
        raise ConfigError(f"--log {path}: is a folder, a FIFO or a socket; wanted a file")
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = b"\n" + file.read(2**16)
    # An empty file is a log, too, and one whose first line was cut short.
    if not _BEGINS.startswith(head) and _BEGINS not in head:
        raise ConfigError(f"--log {path}: is no log of rtbci; name another file, or move it away")


def _ends_in_cut_line(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) not in (b"", b"\n")
