"""The process that writes XDF files: it takes whole chunks from its standard input, and outlives who sends them.

Each message is its length (4 bytes) and a pickle of a tuple: ("open", folder, name, reserve_bytes), ("header", stream,
bytes), ("rows", number, [(stream, n_samples, first, last)], bytes), ("close",). After each message that it has carried
out, a line of JSON (Progress) is on standard output. The end of its input ends the file as "close" does.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rtbci.errors import RecordingError
from rtbci.recordings.xdf_writer import boundary, clock_offset, file_begin, stream_footer
from rtbci.text import file_name, size_text

BOUNDARY_S = 10.0  # as the format wants; what is older is on the disk, also after a power cut
_LOOK_S = 1.0  # from one look at the disk to the next
_LENGTH = struct.Struct("<I")


@dataclass
class Progress:
    """What the process has done.

    opens: how often it was told to open a file; failed: why there is none since; done: number of the newest rows that
    are in a file.
    """

    opens: int = 0
    done: int = 0
    file: str = ""
    size_bytes: int = 0
    free_bytes: int = 0
    failed: str = ""


@dataclass
class _Counted:
    n_samples: int = 0
    first: float = 0.0
    last: float = 0.0


@dataclass
class _File:
    path: Path
    handle: int
    size: int = 0
    streams: dict[int, _Counted] = field(default_factory=dict)
    boundary_due: float = field(default_factory=lambda: time.monotonic() + BOUNDARY_S)
    syncing: threading.Thread | None = None


class XdfFiles:
    """Writes one file after another; a file that cannot be written to is closed where it was whole last."""

    def __init__(self) -> None:
        self.progress = Progress()
        self._file: _File | None = None
        self._folder, self._reserve, self._was_full = Path(), 0, False
        self._look_due = 0.0

    def open(self, folder: str, name: str, reserve_bytes: int) -> None:
        """Begin a new file."""
        self.close()
        self.progress.opens += 1
        self._folder, self._reserve = Path(folder), reserve_bytes
        try:
            if self._free() < self._reserve * (2 if self._was_full else 1):
                raise RecordingError(f"only {size_text(self._free())} free in {self._folder}")
            path = new_path(self._folder, name)
            self._file = _File(path, os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0)))
            self.progress.file, self.progress.failed, self._was_full = str(path), "", False
            self._write(self._file, file_begin(datetime.now().astimezone()))
        except RecordingError as error:
            self.progress.failed = str(error)
        except OSError as error:
            self._fail(_words(error, self._folder))

    def header(self, stream: int, chunk: bytes) -> None:
        """Add a stream to the file."""
        if self._file is not None:
            self._file.streams[stream] = _Counted()
            self._try(chunk)

    def rows(self, number: int, counts: list[tuple[int, int, float, float]], chunks: bytes) -> None:
        """Add samples; without a file they are left to be sent again."""
        if self._file is None:
            return
        new = (row for row in counts if not self._file.streams[row[0]].n_samples)
        if not self._try(b"".join(clock_offset(stream, first) for stream, _, first, _ in new) + chunks):
            return
        self.progress.done = max(number, self.progress.done)
        for stream, n_samples, first, last in counts:
            counted = self._file.streams[stream]
            counted.first = counted.first if counted.n_samples else first
            counted.n_samples, counted.last = counted.n_samples + n_samples, last
        self._look()

    def close(self) -> None:
        """End the file: its footers, and all of it on the disk."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            for stream, counted in file.streams.items():
                self._write(file, stream_footer(stream, counted.n_samples, counted.first, counted.last))
            os.fsync(file.handle)
        except OSError:
            _cut(file)
        with suppress(OSError):
            os.close(file.handle)

    def _try(self, chunk: bytes) -> bool:
        assert self._file is not None
        try:
            self._write(self._file, chunk)
        except OSError as error:
            self._fail(f"{_words(error, self._file.path)}; what is in it is whole")
            return False
        return True

    def _write(self, file: _File, chunk: bytes) -> None:
        """All of it or nothing. Raises OSError."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(file.handle, rest) :]
        file.size += len(chunk)
        self.progress.size_bytes = file.size

    def _fail(self, why: str) -> None:
        self.progress.failed = why
        if self._file is not None:
            _cut(self._file)
            self.close()

    def _look(self) -> None:
        """Whether the file is still there and the disk has room; and a boundary now and then."""
        now, file = time.monotonic(), self._file
        if now < self._look_due or file is None:
            return
        self._look_due = now + _LOOK_S
        try:
            there = os.stat(file.path)
            if there.st_ino != os.fstat(file.handle).st_ino:
                raise FileNotFoundError
            free = self._free()
        except OSError:
            self._fail(f"{file.path} is not there any more")
            return
        if free < self._reserve:
            self._was_full = True
            self._fail(f"only {size_text(free)} free in {self._folder}; {file.path.name} is closed")
        elif now > file.boundary_due and self._try(boundary()):
            file.boundary_due = now + BOUNDARY_S
            if file.syncing is None or not file.syncing.is_alive():
                file.syncing = threading.Thread(target=_sync, args=(os.dup(file.handle),), daemon=True)
                file.syncing.start()

    def _free(self) -> int:
        self.progress.free_bytes = free_bytes(self._folder)
        return self.progress.free_bytes


def new_path(folder: Path, name: str) -> Path:
    """Create `STREAM_YYYYmmdd-HHMMSS.xdf`, readable by its owner; an existing file is never overwritten.

    Raises
    ------
    RecordingError
        If it cannot be created.
    """
    base = f"{file_name(name, 'stream')}_{datetime.now():%Y%m%d-%H%M%S}"
    for n in range(1, 1000):
        path = folder / (f"{base}.xdf" if n == 1 else f"{base}-{n}.xdf")
        try:
            path.touch(0o600, exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise RecordingError(_words(error, folder)) from error
        return path
    raise RecordingError(f"{folder}: has a thousand recordings of the present second")


def free_bytes(folder: Path) -> int:
    """Free space of a folder's disk. Raises OSError."""
    import shutil

    return shutil.disk_usage(folder).free


def _words(error: OSError, path: Path) -> str:
    return f"{path}: cannot be written to: {error.strerror or error}"


def _cut(file: _File) -> None:
    """Back to where the file was whole last."""
    with suppress(OSError):
        os.ftruncate(file.handle, file.size)
        os.lseek(file.handle, 0, os.SEEK_END)


def _sync(handle: int) -> None:
    with suppress(OSError):
        os.fsync(handle)
    os.close(handle)


def send(pipe: IO[bytes], message: tuple[Any, ...]) -> None:
    """Send one message to the process. Raises OSError."""
    packed = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(packed)) + packed)
    pipe.flush()


def _received(pipe: IO[bytes]) -> tuple[Any, ...]:
    """The next message; ("close",) at the end. Safe to unpickle: only who started this process writes to the pipe."""
    head = pipe.read(_LENGTH.size)
    packed = pipe.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
    try:
        message: tuple[Any, ...] = pickle.loads(packed)
    except (EOFError, pickle.UnpicklingError):
        return ("close",)
    return message


def main() -> None:
    """Write what comes, until "close" or the end of standard input."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"):
        if hasattr(signal, name):
            # They reach the whole group or machine; the file is ended when the sender ends, after its last samples.
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    files, messages = XdfFiles(), sys.stdin.buffer
    while True:
        what, *values = _received(messages)
        getattr(files, what)(*values)
        with suppress(OSError):  # the sender has ended
            os.write(1, (json.dumps(asdict(files.progress)) + "\n").encode())
        if what == "close":
            return
