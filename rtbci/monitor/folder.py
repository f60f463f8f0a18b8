"""The folder of a monitor: in shared memory where there is room, of this user alone, and gone with its process."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not POSIX: a killed process leaves its folder among the temporary files
    fcntl = None  # type: ignore[assignment]

LEAST_BYTES = 16 << 20  # of shared memory; containers often have 64 MB
_MEMORY = Path("/dev/shm")
_PREFIX = "rtbci-monitor-"
_OWNER = "owner"  # a file that is locked as long as the process that made the folder runs
_NEW_S = 5.0
# Anybody may make a name of ours in shared memory: nothing is followed, and nothing is waited for, as by opening a FIFO.
_LOOK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_owned: dict[Path, BinaryIO] = {}


def monitor_folder() -> Path:
    """Create a folder for a monitor, in /dev/shm if there is one with enough room; abandoned folders are removed."""
    parents = [Path(tempfile.gettempdir())]
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
        _remove_abandoned(_MEMORY)
        if shutil.disk_usage(_MEMORY).free > LEAST_BYTES:
            parents.insert(0, _MEMORY)
    _remove_abandoned(parents[-1])
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parents[0]))
    except OSError:  # no more names in it, or a quota
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parents[-1]))
    if fcntl is not None:
        owner = open(folder / _OWNER, "xb")  # noqa: SIM115
        fcntl.flock(owner, fcntl.LOCK_EX)
        _owned[folder] = owner
    return folder


def remove_monitor(folder: Path) -> None:
    """Remove the folder; a reader that has mapped its files keeps them."""
    _remove(folder)
    if owner := _owned.pop(folder, None):
        owner.close()


def monitors_in_use() -> list[Path]:
    """The folders of this user whose processes run, the oldest first; none where the system has no locks of files."""
    if fcntl is None:
        return []
    found: list[tuple[float, Path]] = []
    for parent in {_MEMORY, Path(tempfile.gettempdir())}:
        with suppress(OSError), os.scandir(parent) as entries:
            for entry in [entry for entry in entries if entry.name.startswith(_PREFIX)]:
                with suppress(OSError):
                    if _is_in_use(Path(entry.path)):
                        found.append((entry.stat(follow_symlinks=False).st_ctime, Path(entry.path)))
    return [path for _, path in sorted(found)]


def _is_in_use(folder: Path) -> bool:
    """Raises OSError where it is no such folder."""
    opened = os.open(folder, _LOOK | os.O_DIRECTORY)
    try:
        if os.fstat(opened).st_uid != os.geteuid():
            return False
        owner = os.open(_OWNER, _LOOK, dir_fd=opened)
        try:
            about = os.fstat(owner)
            return stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and _is_locked(owner)
        finally:
            os.close(owner)
    finally:
        os.close(opened)


def _is_locked(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of killed processes, whose memory would be lost until the next boot; only those of this user."""
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in [entry for entry in entries if entry.name.startswith(_PREFIX)]:
            with suppress(OSError):
                _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(folder: Path) -> None:
    """Raises OSError where it is no such folder, is in use, or is somebody else's."""
    opened = os.open(folder, _LOOK | os.O_DIRECTORY)
    try:
        if os.fstat(opened).st_uid != os.geteuid():
            return
        try:
            owner = os.open(_OWNER, _LOOK, dir_fd=opened)
        except FileNotFoundError:
            if _is_old(os.fstat(opened)):
                folder.rmdir()  # its process was killed before it made a file; one with content stays
            return
        try:
            about = os.fstat(owner)
            if stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and _is_old(about):
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
        finally:
            os.close(owner)
    finally:
        os.close(opened)


def _is_old(about: os.stat_result) -> bool:
    """A new one may not be locked yet; one of the future is that of a clock that was set."""
    return abs(time.time() - about.st_mtime) > _NEW_S


def _remove(folder: Path) -> None:
    """The owner's file last: where this is interrupted, the next start goes on."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != _OWNER:
                with suppress(OSError):
                    os.unlink(entry.path)
        with suppress(OSError):
            os.unlink(folder / _OWNER)
        os.rmdir(folder)
