"""A TSV file that is only appended to: by one process, in complete rows, and never to another program's table."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rtbci.files import locked, numbered, open_private, sync_folder

MAX_BYTES = 64 * 2**20  # about a million rows; a larger file is something else


class TableFile:
    """An open table: a new one, or an existing one with the same columns, whose rows are left unchanged.

    Where the requested file is something else, has an incomplete row or is locked by another process, a numbered file
    beside it.

    Parameters
    ----------
    asked
        The requested file.
    columns
        Names of the columns.
    clash
        Given the content of a table, why it cannot be continued; empty where it can.

    Attributes
    ----------
    path
        Where the table is.
    why_not
        Why it is not the requested file; empty where it is.
    size
        Bytes of its complete rows.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(self, asked: Path, columns: Sequence[str], clash: Callable[[bytes], str] = lambda _: "") -> None:
        self._header = ("\t".join(columns) + "\n").encode()
        self._clash = clash
        self.size = 0
        self.why_not = ""
        for path in numbered(asked):
            why_not = self._open(path)
            if not why_not:
                self.path = path
                break
            self.why_not = self.why_not or why_not

    @property
    def real_path(self) -> Path:
        """The file written to, where `path` is a symbolic link."""
        return self._real_path

    def append(self, rows: bytes) -> None:
        """Append all rows, or restore the file as it was. Raises OSError."""
        self._file.seek(self.size)
        try:
            if self._file.write(rows) != len(rows):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self.size)
            raise
        self.size += len(rows)

    def head(self, n_bytes: int) -> bytes:
        """The first bytes of the file."""
        self._file.seek(0)
        return self._file.read(n_bytes) or b""

    def is_there(self) -> bool:
        """Whether `path` still refers to this file and its length is unchanged: nobody moved, replaced or edited it."""
        own = os.fstat(self._file.fileno())
        return own.st_size == self.size and self._leads_to(own)

    def close(self) -> None:
        self._file.close()

    def _open(self, path: Path) -> str:
        """Lock the file, new or existing; else why not. Raises OSError where it cannot be written."""
        self._real_path = Path(os.path.realpath(path))
        if self._real_path.exists() and not self._real_path.is_file():
            return "is no file"
        is_new = False
        try:
            self._file = open(self._real_path, "r+b", buffering=0)  # noqa: SIM115
        except PermissionError:
            return "may not be written to"
        except FileNotFoundError:
            try:
                self._file = open_private(self._real_path, "x+b")
            except FileExistsError:  # created since the check
                return "is being written by another process"
            is_new = True
        try:
            if not locked(self._file):
                why_not = "is being written by another process"
            elif not self._leads_to(os.fstat(self._file.fileno())):  # replaced since it was opened
                self._file.close()
                return self._open(path)
            else:
                why_not = self._begin(is_new)
        except OSError:
            if is_new:
                self._real_path.unlink(missing_ok=True)
            self._file.close()
            raise
        if why_not:
            self._file.close()
        return why_not

    def _begin(self, is_new: bool) -> str:
        size = os.fstat(self._file.fileno()).st_size
        if size > MAX_BYTES:
            return "is larger than a table can be"
        content = self._file.read(size) or b""
        if self._header.startswith(content) and content != self._header:  # empty, or interrupted in its header
            self.size = 0
            self.append(self._header)
        elif why_not := self._misfit(content) or self._clash(content):
            return why_not
        else:
            self.size = size
        if is_new:
            sync_folder(self._real_path.parent)
        return ""

    def _misfit(self, content: bytes) -> str:
        if not content.startswith(self._header):
            return "is not a table with these columns"
        if not content.endswith(b"\n"):
            return "ends in the middle of a row"
        if content.count(b"\t") != content.count(b"\n") * self._header.count(b"\t"):
            return "has rows of another length"
        try:
            content.decode()
        except UnicodeDecodeError:
            return "is not UTF-8 text"
        return ""

    def _leads_to(self, own: os.stat_result) -> bool:
        try:
            there = os.stat(self._real_path)
        except OSError:  # it is gone, or its folder
            return False
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)
