"""A folder of this user's own on this machine (0700), for what no other user may read or take."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows; its folders of a user are private by themselves
    fcntl = None  # type: ignore[assignment]


def private_folder() -> Path | None:
    """`rtbci` in the user's folder for state, made where it is missing; None where no folder can be made private."""
    for folder in (_state_folder() / "rtbci", Path(tempfile.gettempdir()) / f"rtbci-{_user()}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_private(folder):
                return folder
        except OSError:
            continue
    return None


def _state_folder() -> Path:
    if named := os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA"):
        return Path(named)
    return Path(os.path.expanduser("~")) / ".local" / "state"


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _is_private(folder: Path) -> bool:
    """Whether it is a folder of ours that nobody else may open."""
    if not hasattr(os, "getuid"):
        return folder.is_dir()
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        return False
    if about.st_mode & 0o077:
        folder.chmod(0o700)
    return True


class NumberedLock:
    """The smallest number from 1 that no running process of this user has taken under a name; freed when we end.

    Parameters
    ----------
    name
        What is counted; letters, digits and signs of a file name.
    """

    MOST = 1000

    def __init__(self, name: str) -> None:
        self.number = 1
        self._handle: int | None = None
        self._path: Path | None = None
        folder = private_folder()
        if folder is None or fcntl is None:
            return
        for number in range(1, self.MOST):
            path = folder / f"{name}-{number}.lock"
            if (handle := _locked(path)) is not None:
                self.number, self._handle, self._path = number, handle, path
                return

    def free(self) -> None:
        """Give the number back."""
        if self._handle is not None and self._path is not None:
            self._path.unlink(missing_ok=True)  # while it is ours, so that nobody's lock is removed
            os.close(self._handle)
        self._handle = self._path = None


def _locked(path: Path) -> int | None:
    """A handle that holds the lock of a file; None where another process holds it."""
    for _ in range(10):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except FileNotFoundError:
            pass  # its holder has just freed it
        except OSError:
            os.close(handle)
            return None
        os.close(handle)
    return None
