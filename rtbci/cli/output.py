"""Output of a live command: a full disk, a stopped reader or a closed terminal costs text, never time."""

from __future__ import annotations

import atexit
import io
import os
import sys
import threading
import time
from collections import deque
from typing import TextIO

MOST_WAITING = 1000  # writes; beyond that the oldest are dropped, for the newest state is what counts
BLOCKED_S = 2.0  # without taking a byte
RETRY_S = 0.5
DRAIN_S = 0.2  # at the end, for a reader that takes nothing
_START_S = 1.0  # at the end, for a thread that has not come to write yet


class Output(io.TextIOBase):
    """A text stream whose `write` never waits and never fails: a thread of its own does the writing.

    What cannot be written is tried again, so that no line is written in part; what waits too long is dropped.

    Parameters
    ----------
    stream
        The stream to write to.
    name
        Of the stream, for `trouble`.
    is_closed
        It was closed before the program started.
    """

    def __init__(self, stream: TextIO, name: str, *, is_closed: bool = False) -> None:
        self.name = name
        self.n_dropped = 0  # writes, in the trouble that is or was the last
        self._stream = stream
        self._raw = getattr(getattr(stream, "buffer", None), "raw", None)
        self._part = ""  # not flushed yet
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._is_late = False  # something was dropped, and what waits is not written yet
        self._busy_since: float | None = None  # when the thread began to write, or last wrote a byte
        self._error = "is closed" if is_closed else ""
        self._is_closed = is_closed
        threading.Thread(target=self._run, name=f"writes {name}", daemon=True).start()

    @property
    def trouble(self) -> str:
        """Why nothing is written at present; empty while all is well."""
        with self._changed:
            why = self._why()
        lost = f"; {self.n_dropped} writes to it were dropped" if self.n_dropped else ""
        return f"{self.name} {why}{lost}; live work goes on" if why else ""

    @property
    def recovered(self) -> str:
        """What to report when the trouble is over."""
        lost = f", without {self.n_dropped} writes that were dropped" if self.n_dropped else ""
        return f"{self.name} is written again{lost}"

    def write(self, text: str) -> int:
        """Queue a text, which is written as a whole once it ends in a newline or is flushed."""
        with self._changed:
            self._part += text
            if text.endswith("\n"):
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Let what was given be written, without waiting for it."""
        with self._changed:
            text, self._part = self._part, ""
            if not text or self._is_closed:
                return
            if not self._why():
                self.n_dropped = 0
            while len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self.n_dropped += 1
                self._is_late = True
            self._waiting.append(text)
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until everything is written; a stream that takes nothing is waited for DRAIN_S at most."""
        self.flush()
        deadline = time.monotonic() + _START_S
        with self._changed:
            while self._waiting or self._busy_since is not None:
                if self._error or self._is_blocked(DRAIN_S) or time.monotonic() > deadline:
                    return
                self._changed.wait(0.02)

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's file descriptor."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """True."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's encoding."""
        return self._stream.encoding or "utf-8"

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_late = self._is_late and bool(self._waiting)
                while not self._waiting:
                    self._changed.wait()
                text = self._waiting.popleft()
                self._busy_since = time.monotonic()
            self._write_whole(text.encode(self.encoding, "backslashreplace"))
            with self._changed:
                self._busy_since, self._error = None, ""
                self._changed.notify_all()

    def _write_whole(self, content: bytes) -> None:
        """Until all of it is written, however long that takes."""
        while content:
            try:
                n_written = self._write_some(content)
            except (OSError, ValueError) as error:
                with self._changed:
                    self._error = _reason(error)
                    self._changed.notify_all()
                time.sleep(RETRY_S)
                continue
            if n_written is None:  # the descriptor is non-blocking: a program that shares it has made it so
                time.sleep(0.02)
                continue
            content = content[n_written:]
            with self._changed:
                self._busy_since, self._error = time.monotonic(), ""

    def _write_some(self, content: bytes) -> int | None:
        if self._raw is not None:
            written: int | None = self._raw.write(content)
            return written
        self._stream.write(content.decode(self.encoding))  # a stream without a file behind it
        self._stream.flush()
        return len(content)

    def _why(self) -> str:
        if self._error:
            return self._error
        if self._is_blocked(BLOCKED_S):
            return "is blocked, its reader takes nothing"
        return "is read too slowly" if self._is_late else ""

    def _is_blocked(self, after_s: float) -> bool:
        return self._busy_since is not None and time.monotonic() - self._busy_since > after_s


def never_wait_for_output() -> None:
    """From here to the end of the process, nothing waits for standard output or standard error."""
    for key, name in (("stdout", "standard output"), ("stderr", "standard error")):
        stream = getattr(sys, key)
        if isinstance(stream, Output):
            continue
        is_closed = stream is None  # Python's way of saying so
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        output = Output(stream, name, is_closed=is_closed)
        setattr(sys, key, output)
        atexit.register(output.drain)


def outputs() -> list[Output]:
    """Standard output and standard error, where nothing waits for them."""
    return [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, Output)]


def keep_standard_descriptors() -> None:
    """Occupy descriptors 0 to 2 where they are closed: the next file that is opened would be taken for the terminal."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, BrokenPipeError):
        return "was closed by its reader"
    text = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot be written: {text}"
