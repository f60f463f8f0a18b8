"""Users' files: replaced completely or not at all, never by two writers at once; a free name where one is taken."""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

PRIVATE, SHARED = 0o600, 0o644  # of new files: what patients are in; what people pass on, less the umask's bits
PRIVATE_FOLDER = 0o700
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_MOST_NUMBERS = 1000


def atomic_write(path: str | Path, content: str | bytes | Callable[[IO[bytes]], object], mode: int = PRIVATE) -> None:
    """Write a file so that, whatever happens, it is there whole or as it was before.

    Written beside under a hidden name, brought to the disk, renamed; then the folder is brought to the disk. A file that
    is replaced hands on its permissions, so that one `chmod` lets a group read it for good. A symbolic link is replaced,
    not what it points to.

    Parameters
    ----------
    path
        The file to write or replace.
    content
        Text (written as UTF-8), bytes, or a function that writes to the open binary file it is given.
    mode
        Of a new file: PRIVATE, for its user alone, or SHARED for what holds nothing of a patient.

    Raises
    ------
    OSError
        Where the disk does not take it, or `path` is a folder, no regular file, or may not be written to. Nothing is left
        beside.
    """
    path = Path(path)
    old_mode = _mode(path)
    beside = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(beside, _NEW, mode), "w+b") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if old_mode is not None:
                os.chmod(beside, old_mode)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError) and error.filename in (None, str(beside)):
            error.filename, error.filename2 = str(path), None  # the name that the caller knows
        raise
    sync_folder(path.parent)


def open_private(path: str | Path, mode: str) -> io.FileIO:
    """Open a file without a buffer, as `open` does; a new one is PRIVATE."""
    return io.FileIO(path, mode, opener=lambda name, flags: os.open(name, flags, PRIVATE))


def make_private_folder(folder: Path) -> None:
    """Make a folder, with those above it, for its user alone; one that is there stays as it is. Raises OSError."""
    for one in (*reversed(folder.parents), folder):
        if not one.is_dir():
            one.mkdir(PRIVATE_FOLDER, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk: without it a power cut may lose a new file. Raises OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # writable, but not readable
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # not supported by some file systems
            raise
    finally:
        os.close(handle)


def locked(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; False where another process holds the lock.

    True, too, where the system or the file system does not support locks.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def numbered(path: Path) -> Iterator[Path]:
    """A path and its alternatives: `night.tsv`, `night-2.tsv`, `night-3.tsv` … Raises FileExistsError after 1000."""
    yield path
    for n in range(2, _MOST_NUMBERS + 1):
        yield path.with_name(f"{path.stem}-{n}{path.suffix}")
    raise FileExistsError(errno.EEXIST, f"{_MOST_NUMBERS} files of this name are taken", str(path))


def free(path: Path) -> Path:
    """The first of `numbered(path)` that does not exist."""
    return next(one for one in numbered(path) if not os.path.lexists(one))


def _mode(path: Path) -> int | None:
    """The permissions of the file to be replaced: renaming onto a file does not check them."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return stat.S_IMODE(mode) & 0o777
