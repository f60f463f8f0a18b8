"""Sink: a rotating log of JSON lines (`--log FILE`): the lines of the engine's log, and its state once a minute.

It runs in the process of the command, not in the engine's, so that a slow disk delays no answer.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO, cast

from rtbci.errors import ConfigError
from rtbci.monitor.messages import EngineState, Line, LogLine, StateLine
from rtbci.text import json_text
from rtbci.types import SessionInfo

MAX_BYTES = 10_000_000
KEEP = 9  # old files: FILE.1 is the newest
STATE_EVERY_S = 60.0
_RETRY_S = 5.0
_BEGINS = b'\n{"kind": "'


# Not logging's RotatingFileHandler: a line that a full disk refuses stays in its stream's buffer and may be written after
# the handler has reported the failure, so that lost lines could not be counted, nor a cut line be completed.
class Journal:
    """Appends lines to a file; a full one becomes FILE.1, and so on up to `keep`.

    While the disk is full, lines are lost; the next line that is written reports how many (`lost_before`).
    """

    recovered = "the log is written again"

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        """Raises OSError if the file cannot be opened, ConfigError if it exists and is not such a log."""
        _check(path)
        self.path = path
        self.n_lost = 0
        self._max_bytes = max_bytes
        self._keep = keep
        self._file: IO[bytes] | None = open(path, "ab", buffering=0)  # noqa: SIM115
        self._size = self._file.tell()
        self._is_cut = _ends_in_cut_line(path)  # whether the last line was written in part
        self._retry_at = 0.0
        self._state_due = 0.0

    def write(self, line: LogLine | StateLine) -> None:
        """Append a line; never raises for an error of the disk."""
        if self._file is None and time.monotonic() < self._retry_at:
            self.n_lost += 1
            return
        lost = {"lost_before": self.n_lost} if self.n_lost else {}
        try:
            self._append(json_text(line.plain() | lost).encode() + b"\n")
        except OSError:
            self.n_lost += 1
            self._give_up_for_now()
        else:
            self.n_lost = 0

    @property
    def trouble(self) -> str:
        """How many lines are lost at present; "" if none."""
        return f"the log is not written: {self.n_lost} lines are lost ({self.path})" if self.n_lost else ""

    def begin(self, session: SessionInfo) -> None:
        """Nothing to do: the engine's log has a line for it."""

    def on(self, message: object) -> None:
        """Append a line of the engine's log; or the state, if the last one is a minute old."""
        if isinstance(message, Line):
            self.write(cast(LogLine, message))
        elif isinstance(message, EngineState) and time.monotonic() >= self._state_due:
            self._state_due = time.monotonic() + STATE_EVERY_S
            self.write(StateLine(state=message))

    def tend(self) -> None:
        """Nothing to do: the next line is the next attempt."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            self._size = self._file.tell()
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
        self.close()
        for n in range(self._keep, 0, -1):
            old = self.path if n == 1 else self._old(n - 1)
            if old.exists():
                os.replace(old, self._old(n))
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        self._size, self._is_cut = self._file.tell(), False

    def _old(self, n: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{n}")

    def _give_up_for_now(self) -> None:
        self.close()
        self._retry_at = time.monotonic() + _RETRY_S


def _check(path: Path) -> None:
    """Refuse any other file: a mistyped path must not add lines to a recording or a table."""
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
