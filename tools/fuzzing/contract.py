"""What each parser of ours promises of any bytes: a value or one of our errors, soon, in little memory, and no deed beside."""

from __future__ import annotations

import atexit
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbci.errors import RtbciError

LIMIT_S = 2.0
LIMIT_BYTES = 64 << 20  # by which one input may raise the process's memory
LONGEST_LINE = 2000  # characters of an error

SCRATCH = Path(tempfile.mkdtemp(prefix="rtbci-fuzz-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)


class Fault(Exception):
    """A promise that was broken; `key` tells one fault from another."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True)
class Target:
    """One parser. run: takes any bytes; seeds: whole inputs to begin with; words: what these are made of.

    tree: JSON, mutated node by node. limit_s, limit_bytes: of one input.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    tree: bool = False
    words: tuple[bytes, ...] = ()
    limit_s: float = LIMIT_S
    limit_bytes: int = LIMIT_BYTES


def check(target: Target, data: bytes) -> None:
    """Run one input. Raises Fault where the promise is broken."""
    began, worked, held = time.perf_counter(), time.process_time(), _peak_bytes()
    with _watched() as deeds, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _hurried(2 * target.limit_s):
                target.run(data)
        except _TooLong as error:
            raise Fault(f"hang {_where(error)}", f"{_where(error)}: no end after {2 * target.limit_s:g} s") from error
        except RtbciError as error:
            _check_words(str(error))
        except (Exception, RecursionError) as error:
            where = _where(error)
            raise Fault(
                f"{type(error).__name__} {where}", f"{where}: {type(error).__name__}: {error!s:.300}"
            ) from error
    # A busy machine makes anything wait; a parser that waits by itself waits for long.
    took = max(time.process_time() - worked, (time.perf_counter() - began) / 10)
    more = _peak_bytes() - held
    if deeds:
        raise Fault(f"deed {deeds[0][:40]}", f"did more than to read: {'; '.join(deeds[:3])}")
    if took > target.limit_s:
        raise Fault("slow", f"took {took:.1f} s for {len(data)} bytes")
    if more > target.limit_bytes:
        raise Fault("memory", f"took {more >> 20} MiB for {len(data)} bytes")


def scratch(name: str, data: bytes) -> Path:
    """A file of these bytes, in the one folder that may be written to."""
    path = SCRATCH / name
    path.write_bytes(data)
    return path


def _check_words(text: str) -> None:
    if not text.strip() or len(text.splitlines()) != 1:
        raise Fault("words lines", f"an error of {len(text.splitlines())} lines: {text!r:.200}")
    if len(text) > LONGEST_LINE:
        raise Fault("words length", f"an error of {len(text)} characters: {text!r:.200}")
    if not text.isprintable():
        raise Fault("words control", f"an error with control characters: {text!r:.200}")


class _TooLong(BaseException):
    """No `except Exception` of the code that hangs takes it."""


@contextmanager
def _hurried(seconds: float) -> Iterator[None]:
    """Ends what has used so much processor time; libFuzzer has SIGALRM for itself."""

    def end(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _where(error: BaseException) -> str:
    """The last line of ours that the error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f"{os.sep}rtbci{os.sep}" in f.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _peak_bytes() -> int:
    try:
        with open("/proc/self/status", "rb", buffering=4096) as file:
            return int(file.read().split(b"VmHWM:")[1].split()[0]) << 10
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


_deeds: list[str] | None = None
_RUNS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pickle.find_class", "socket.connect")
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "os.link", "os.symlink")


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _deeds is None:
        return
    if event in _RUNS:
        _deeds.append(f"{event} {arguments!r:.100}")
    elif event in _CHANGES or (event == "open" and _writes(arguments)):
        path = arguments[0]
        inside = isinstance(path, int) or os.fsdecode(path).startswith((str(SCRATCH), "/dev/null"))  # type: ignore[arg-type]
        if not inside and "torchinductor" not in str(path):  # a cache of torch's, made once
            _deeds.append(f"{event} {path!r:.100}")


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@contextmanager
def _watched() -> Iterator[list[str]]:
    """What is written outside of the scratch folder, run, or connected to, meanwhile."""
    global _deeds
    _deeds = deeds = []
    try:
        yield deeds
    finally:
        _deeds = None


sys.addaudithook(_audit)


TARGETS: dict[str, Target] = {}
MIB = 1 << 20


def target(
    seeds: Callable[[], Iterable[bytes]], **more: Any
) -> Callable[[Callable[[bytes], object]], Callable[[bytes], object]]:
    """Under the function's name."""

    def add(run: Callable[[bytes], object]) -> Callable[[bytes], object]:
        TARGETS[run.__name__] = Target(run, seeds, **more)
        return run

    return add
