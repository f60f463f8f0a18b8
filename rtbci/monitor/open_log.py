"""The log of a monitor while it is read: a file that its writer appends to, rotates, or loses."""

from __future__ import annotations

import os
from pathlib import Path

from rtbci.monitor.messages import LogLine, read_line

READ_BYTES = 4 << 20  # in one call


class OpenLog:
    """One file of lines, kept open: its content stays readable when it is renamed or removed. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self._read = 0  # bytes

    def read(self) -> tuple[list[LogLine], bool]:
        """The lines that were completed since the last call, and whether that is all there is."""
        os.lseek(self._file, self._read, os.SEEK_SET)
        content = os.read(self._file, READ_BYTES)
        whole = content[: content.rfind(b"\n") + 1]
        is_full = len(content) == READ_BYTES
        # A line longer than a whole read is skipped.
        self._read += len(whole) or (len(content) if is_full else 0)
        return [line for line in map(read_line, whole.splitlines()) if line is not None], not is_full

    def was_rotated(self) -> bool:
        """Whether another file has its name."""
        try:
            return os.stat(self._path).st_ino != os.fstat(self._file).st_ino
        except OSError:  # removed, perhaps with its folder
            return False

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)
