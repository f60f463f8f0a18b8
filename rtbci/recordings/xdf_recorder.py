"""Recording to XDF from memory: whoever has the samples hands them over and never waits; a process of its own writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rtbci.errors import RecordingError
from rtbci.recordings.xdf_process import Progress, free_bytes, send
from rtbci.recordings.xdf_writer import numbers, stream_header, texts
from rtbci.text import json_text, size_text
from rtbci.types import Times

RESERVE_BYTES = 64 << 20  # kept free, so that the file can be closed and the machine keeps working
MOST_WAITING_BYTES = 64 << 20  # that a disk has not taken yet
BATCH_S = 0.1  # what came in this time is written at once
STALLED_S = 1.5  # in which nothing was taken
START_TIMEOUT_S = 10.0
RETRY_S = 1.0
CLOSE_TIMEOUT_S = 0.6
_MEASURED_S = 5.0  # before this the file size does not show the data rate


@dataclass(frozen=True, slots=True)
class RecorderState:
    """What the recorder does; the keys are documented in RecordingState (rtbci/monitor/messages.py)."""

    on: bool
    file: str | None  # the newest
    files: int  # so far
    size_bytes: int
    free_bytes: int
    seconds: float
    hours_left: float | None


@dataclass(slots=True)
class _Rows:
    """Samples of one stream that were handed over together."""

    stream: int
    stamps: Times | list[float]
    values: npt.NDArray[Any] | list[list[str]]
    size: int


@dataclass(slots=True)
class _Batch:
    """Chunks that are written together; counts: stream, samples, first and last stamp of each."""

    number: int
    counts: list[tuple[int, int, float, float]]
    chunks: bytes
    after_loss: bool  # what was before it is lost: it begins a new file


def check_folder(folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
    """Raises RecordingError for a folder that does not exist, may not be written, or has less than `reserve_bytes` free."""
    if not folder.is_dir():
        is_what = "is no folder; name one" if folder.exists() else "there is no such folder; create it first"
        raise RecordingError(f"{folder}: {is_what}")
    free = free_bytes(folder)
    if free < reserve_bytes:
        raise RecordingError(
            f"{folder}: has {size_text(free)} free, a recording needs at least {size_text(reserve_bytes)}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RecordingError(f"{folder}: may not be written, or its disk is read-only")


class XdfRecorder:
    """Hands samples to a process that writes them to XDF, and keeps what is not in a file yet.

    No method waits for the disk. What the process has not confirmed is kept, up to MOST_WAITING_BYTES: where the process
    dies, or a disk is full, gone or slow, recording goes on with the first sample that is in no file, in a new file where
    the old one cannot be written to. What is dropped beyond that is counted and told.

    Parameters
    ----------
    folder
        Where to record to.
    reserve_bytes
        Disk space to keep free.

    Attributes
    ----------
    files
        So far.
    trouble, recovered
        What is wrong at present, "" if nothing is; what to report when that is over.
    began_at
        time.monotonic() of the first sample.
    preface
        (stream, mark): the first sample of each file but the first, as JSON, so that a reader knows what goes on in it;
        where no sample between the two is lost, with the name of the file before as `continues`.

    Raises
    ------
    RecordingError
        If the folder does not exist, or has less than `reserve_bytes` free.
    """

    def __init__(self, folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        check_folder(folder, reserve_bytes)
        self.folder, self.reserve_bytes = folder, reserve_bytes
        self.files: list[Path] = []
        self.trouble = self.recovered = ""
        self.began_at: float | None = None
        self.preface: tuple[int, dict[str, Any]] | None = None
        self._name = ""
        self._lock = threading.Lock()
        # What was declared, and what was handed over and is in no batch yet.
        self._headers: dict[int, str] = {}
        self._new: list[int] = []
        self._ended: set[int] = set()
        self._signals: set[int] = set()
        self._handed: deque[_Rows] = deque()
        self._handed_bytes = 0
        # What is not confirmed; the first `_n_sent` batches are on their way.
        self._batches: deque[_Batch] = deque()
        self._n_batches = self._n_sent = self._batch_bytes = 0
        self._n_lost, self._is_hole, self._is_under_way = 0, False, False
        self._written_to = ""  # name of the newest file that holds samples
        # What is known of the process and its file.
        self._progress = Progress()
        self._n_opens, self._is_open, self._must_open, self._try_at = 0, False, True, 0.0
        self._moved_at, self._file_began = time.monotonic(), 0.0
        self._why, self._is_told = "", False
        self._closing = threading.Event()
        self._process, self._hearing = self._start()
        self._feeding = threading.Thread(target=self._feed, name="feeds the recorder", daemon=True)
        self._feeding.start()

    # -- for the live thread -------------------------------------------------------------------------------------------

    def name_files(self, name: str) -> None:
        """Set the name of the files to come; before that none is begun."""
        self._name = name

    def stream(self, header: str, signal: bool = False) -> int:
        """Add a stream by its header (xdf_writer); returns its number. signal: whether its lost samples are counted."""
        with self._lock:
            number = len(self._headers) + 1
            self._headers[number] = header
            self._new.append(number)
            if signal:
                self._signals.add(number)
        return number

    def end_stream(self, stream: int) -> None:
        """No more samples of a stream will come: later files do not have it."""
        with self._lock:
            self._ended.add(stream)

    def numbers(self, stream: int, stamps: Times, rows: npt.NDArray[Any]) -> None:
        """Samples (n_samples, n_channels) in the stream's own format; both arrays are copied."""
        self._hand_over(_Rows(stream, stamps.copy(), rows.copy(), rows.nbytes + 9 * len(rows)))

    def texts(self, stream: int, stamps: Sequence[float], rows: Sequence[Sequence[str]]) -> None:
        """Samples of texts."""
        size = sum(len(text) + 14 for row in rows for text in row)
        self._hand_over(_Rows(stream, list(stamps), [list(row) for row in rows], size))

    def tend(self) -> None:
        """See what has become of it; to be called about ten times a second."""
        with self._lock:
            was, self.trouble = self.trouble, self._trouble_now()
            if was and not self.trouble:
                lost, self._n_lost = self._n_lost, 0
                missing = f"; {lost} samples before it are in no file" if lost else ""
                file = self.files[-1].name if self.files else "a new file"
                self.recovered = f"recording goes on in {file}{missing}"

    def state(self) -> RecorderState:
        """The state for viewers and `--json`."""
        with self._lock:
            progress, is_open = self._progress, self._is_open
            seconds = time.monotonic() - self._file_began if is_open else 0.0
            room, size = max(0, progress.free_bytes - self.reserve_bytes), progress.size_bytes
            return RecorderState(
                on=is_open and not self.trouble,
                file=str(self.files[-1]) if self.files else None,
                files=len(self.files),
                size_bytes=size,
                free_bytes=progress.free_bytes,
                seconds=round(seconds, 1),
                hours_left=round(room * seconds / size / 3600, 1) if seconds > _MEASURED_S and size else None,
            )

    def ask_to_close(self) -> None:
        """Begin to end the recording, without waiting: what was handed over is sent."""
        self._closing.set()

    def close(self, wait_s: float = CLOSE_TIMEOUT_S) -> bool:
        """End the recording. Whether the file was ended within `wait_s`; the process goes on by itself. May be repeated."""
        deadline = time.monotonic() + wait_s
        self._closing.set()
        self._feeding.join(wait_s)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.01, deadline - time.monotonic()))
            self._hearing.join(0.1)
            self._close_pipe()
        with self._lock:
            self._is_open = False
            # What the process has been sent it writes, whether we are there or not.
            if any(batch.counts for batch in self._batches) and not self.trouble:
                if self._feeding.is_alive():
                    self.trouble = f"the end of the recording may be missing: {self.folder} is too slow"
                elif self._process.poll() is not None:
                    self.trouble = f"the end of the recording is missing: the recorder died in {self.folder}"
        return self._process.poll() is not None

    def _hand_over(self, rows: _Rows) -> None:
        if not len(rows.stamps):
            return
        with self._lock:
            self.began_at = self.began_at or time.monotonic()
            self._handed.append(rows)
            self._handed_bytes += rows.size
            while self._handed_bytes > MOST_WAITING_BYTES:
                first = self._handed.popleft()
                self._handed_bytes -= first.size
                self._lose([(first.stream, len(first.stamps))])
                self._is_hole = True

    def _lose(self, counts: Iterable[tuple[int, int]]) -> None:
        self._n_lost += sum(n for stream, n in counts if stream in self._signals)
        self._is_under_way = True

    def _trouble_now(self) -> str:
        lost = f"; {self._n_lost} samples are lost so far" if self._n_lost else ""
        if self._why and not (self._is_open and self._is_told):
            self._is_told = True
            return self._why + lost
        self._why = ""
        waits = time.monotonic() - self._moved_at if self._n_sent else 0.0
        if waits > (STALLED_S if self._progress.opens else START_TIMEOUT_S):
            return f"nothing was recorded for {waits:.0f} s: {self.folder} takes nothing{lost}"
        return self.trouble if self._n_lost and self._awaits_file() else ""

    def _awaits_file(self) -> bool:
        is_opening = self._progress.opens < self._n_opens
        return is_opening or self._is_hole or any(batch.after_loss for batch in self._batches)

    # -- the feeding thread --------------------------------------------------------------------------------------------

    def _start(self) -> tuple[subprocess.Popen[bytes], threading.Thread]:
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        # The same code as here, wherever it was imported from.
        code = f"import sys; sys.path[:] = {sys.path!r}; from rtbci.recordings.xdf_process import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, **apart,
        )  # fmt: skip
        assert process.stdout is not None
        hearing = threading.Thread(target=self._hear, args=(process.stdout,), name="hears the recorder", daemon=True)
        hearing.start()
        return process, hearing

    def _feed(self) -> None:
        began, has_retried = time.monotonic(), False
        while True:
            is_closing = self._closing.wait(BATCH_S)
            self._make_batch()
            try:
                self._send_what_is_due(is_closing)
                if is_closing:
                    self._send(("close",))
                    return
            except OSError:
                self._process.kill()
                self._process.wait()
            if self._process.poll() is None:
                continue
            self._hearing.join(RETRY_S)
            self._handle_death()
            if is_closing and has_retried:
                return
            has_retried = is_closing
            if time.monotonic() - began < RETRY_S:
                self._closing.wait(RETRY_S)  # it cannot even start
            began = time.monotonic()
            self._process, self._hearing = self._start()

    def _make_batch(self) -> None:
        with self._lock:
            handed, self._handed, self._handed_bytes = self._handed, deque(), 0
            is_hole, self._is_hole = self._is_hole, False
        counts, chunks = [], []
        for rows in _joined(handed):
            write: Any = texts if isinstance(rows.values, list) else numbers
            chunks.append(write(rows.stream, rows.stamps, rows.values))
            counts.append((rows.stream, len(rows.stamps), float(rows.stamps[0]), float(rows.stamps[-1])))
        with self._lock:
            if chunks or is_hole or not self._batches:  # an empty one shows that the process works
                self._n_batches += 1
                self._batches.append(_Batch(self._n_batches, counts, b"".join(chunks), is_hole))
                self._batch_bytes += len(self._batches[-1].chunks)
            while self._batch_bytes > MOST_WAITING_BYTES and len(self._batches) > self._n_sent + 1:
                first = self._batches[self._n_sent]
                del self._batches[self._n_sent]
                self._batch_bytes -= len(first.chunks)
                self._lose((stream, n) for stream, n, *_ in first.counts)
                self._batches[self._n_sent].after_loss = True

    def _send_what_is_due(self, is_closing: bool) -> None:
        while self._name:
            with self._lock:
                waits = self._must_open and time.monotonic() < self._try_at and not is_closing
                if waits or self._n_sent == len(self._batches):
                    return
                batch = self._batches[self._n_sent]
                opens = self._must_open or batch.after_loss
                continues = "" if batch.after_loss else self._written_to
                self._must_open = batch.after_loss = False
                headers = [(stream, self._headers[stream]) for stream in (self._wanted() if opens else self._new)]
                self._new = []
                if not self._n_sent:
                    self._moved_at = time.monotonic()
                self._n_sent += 1
                self._n_opens += opens
                preface = self.preface if opens and self._is_under_way else None
            if opens:
                self._send(("open", str(self.folder.absolute()), self._name, self.reserve_bytes))
            for stream, header in headers:
                self._send(("header", stream, stream_header(stream, header)))
            if preface is not None:
                stream, mark = preface
                text = json_text({**mark, "continues": continues} if continues else mark)
                stamp = batch.counts[0][2] if batch.counts else 0.0
                self._send(("rows", 0, [(stream, 1, stamp, stamp)], texts(stream, [stamp], [[text]])))
            self._send(("rows", batch.number, batch.counts, batch.chunks))

    def _wanted(self) -> list[int]:
        """The streams of a new file: those that have not ended, or have samples that are in no file."""
        waiting = {stream for batch in self._batches for stream, *_ in batch.counts}
        waiting |= {rows.stream for rows in self._handed}
        return [stream for stream in self._headers if stream not in self._ended or stream in waiting]

    def _send(self, message: tuple[Any, ...]) -> None:
        assert self._process.stdin is not None
        send(self._process.stdin, message)

    def _close_pipe(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def _handle_death(self) -> None:
        self._close_pipe()
        with self._lock:
            keeps = f"; {self.files[-1].name} keeps what was recorded" if self._is_open else ""
            self._stop_for(f"the recorder died (exit code {self._process.returncode}){keeps}, a new file follows", 0.0)
            self._progress, self._n_opens = Progress(free_bytes=self._progress.free_bytes), 0

    def _stop_for(self, why: str, retry_s: float) -> None:
        """What is in no file is sent again, into a new one."""
        self._is_told = self._is_told and bool(self._why)
        self._why = why
        self._n_sent, self._is_open, self._must_open = 0, False, True
        self._try_at = time.monotonic() + retry_s

    # -- the hearing thread --------------------------------------------------------------------------------------------

    def _hear(self, reports: IO[bytes]) -> None:
        with reports:
            for line in reports:
                with suppress(ValueError):  # a line that was cut off
                    self._heard(Progress(**json.loads(line)))

    def _heard(self, progress: Progress) -> None:
        with self._lock:
            self._progress, self._moved_at = progress, time.monotonic()
            while self._batches and self._batches[0].number <= progress.done:
                batch = self._batches.popleft()
                self._batch_bytes -= len(batch.chunks)
                self._n_sent = max(0, self._n_sent - 1)
                if batch.counts:
                    self._is_under_way, self._written_to = True, Path(progress.file).name
            if progress.file and (not self.files or progress.file != str(self.files[-1])):
                self.files.append(Path(progress.file))
                self._file_began = time.monotonic()
            if progress.opens < self._n_opens:
                return  # of the file before
            if not progress.failed:
                self._is_open = bool(progress.file)
            elif not self._must_open:
                self._stop_for(f"recording stopped: {progress.failed}", RETRY_S)


def _joined(handed: Iterable[_Rows]) -> list[_Rows]:
    """The samples of each stream in one piece."""
    by_stream: dict[int, list[_Rows]] = {}
    for rows in handed:
        by_stream.setdefault(rows.stream, []).append(rows)
    joined = []
    for stream, pieces in by_stream.items():
        if isinstance(pieces[0].values, list):
            stamps: Any = [stamp for piece in pieces for stamp in piece.stamps]
            values: Any = [row for piece in pieces for row in piece.values]
        else:
            stamps = np.concatenate([piece.stamps for piece in pieces])
            values = np.concatenate([piece.values for piece in pieces])
        joined.append(_Rows(stream, stamps, values, 0))
    return joined
