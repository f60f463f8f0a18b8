"""`rtbci record`: records one LSL stream, and reports the state of the recorder."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtbci.cli.watch import MOST_WARNINGS
from rtbci.engine.recording import FLUSH_S
from rtbci.lsl.discovery import StreamSearch, check_sizes, find_stream, identity_of, predicate
from rtbci.lsl.recorder import Recorder
from rtbci.results import Result, Text, about, print_line
from rtbci.text import one_line, size_text

_SILENT_S = 2.0  # without an answer to discovery, which queries twice a second


def record_streams(
    query: dict[str, str], out: Path, seconds: float | None, *, json: bool, wait_s: float | None = 60.0
) -> None:
    """Record one stream to `out` until Ctrl-C, SIGTERM or `seconds`. Raises StreamNotFound, StreamMismatch, RecordingError."""
    from rtbci.cli.signals import stopped_by_signal

    recorder = Recorder(out)
    with stopped_by_signal() as asked:
        stream = find_stream(query, wait_s, asked)
        if stream is None:
            return
        check_sizes(stream)
        recorder.start(stream.name(), [predicate(identity_of(stream))])
        presence, progress = _Presence(stream), _Progress(stream.name(), json)
        alarms: list[str] = []
        try:
            while not asked() and (seconds is None or recorder.recorded_s < seconds + FLUSH_S):
                for alarm in recorder.tend() + presence.check():
                    sys.stderr.write(f"\nALARM: {one_line(alarm)}\n")
                    alarms = [*alarms[1 - MOST_WARNINGS :], alarm]
                progress.show(_record_state(recorder, presence), alarms)
                time.sleep(0.1)
        finally:
            closed = recorder.stop()
        progress.show(_record_state(recorder, presence), alarms, last=True)
    if not closed:
        sys.stderr.write("\nLabRecorder is still closing its file, and will finish by itself\n")
    sys.stderr.writelines(f"\n{path}: {size_text(path.stat().st_size)}\n" for path in recorder.files)


class RecordState(Result):
    """The state of the recorder."""

    on: bool
    """Whether samples are being recorded."""
    file: Text | None
    """The newest file."""
    files: int
    """Files so far."""
    size_bytes: int
    """Of the newest file."""
    free_bytes: int
    """On the disk."""
    seconds: float
    """Length of the newest file."""
    hours_left: float | None
    """Until the disk is full at this rate; null while that is unknown."""
    stream_answers: bool
    """Whether the recorded stream answers to discovery."""


class _Presence:
    """Whether the recorded stream answers to discovery: LabRecorder does not report a lost stream, it waits."""

    def __init__(self, stream: Any) -> None:
        self._name, self._identity = stream.name(), identity_of(stream)
        self._search = StreamSearch(self._identity, _SILENT_S)
        self._due = time.monotonic() + _SILENT_S
        self.answers = True

    def check(self) -> list[str]:
        """New alarms."""
        now = time.monotonic()
        if now < self._due:
            return []
        self._due = now + 0.5
        before, self.answers = self.answers, bool(self._search.answering())
        if self.answers == before:
            return []
        if self.answers:
            return [f"{self._name} answers again"]
        if "uid" in self._identity:
            return [f"{self._name} does not answer any more; without a source id it cannot rejoin this recording"]
        return [f"{self._name} does not answer any more; the recording continues when it reconnects"]


def _record_state(recorder: Recorder, presence: _Presence) -> RecordState:
    return RecordState(**asdict(recorder.state()), stream_answers=presence.answers)


class _Progress:
    """Shows the recorder's state: as one line of JSON per second, or on one line of a terminal."""

    def __init__(self, name: str, json: bool) -> None:
        self._name = name
        self._about = about() if json else None
        self._due = 0.0

    def show(self, state: RecordState, alarms: list[str], *, last: bool = False) -> None:
        now = time.monotonic()
        if now < self._due and not last:
            return
        self._due = now + 1.0
        if self._about is not None:
            print_line(state, self._about, alarms)
        elif sys.stderr.isatty():
            sys.stderr.write("\r" + recording_text(self._name, state).ljust(78))
            sys.stderr.flush()


def recording_text(name: str, state: RecordState) -> str:
    """One line of text: `Amp  00:01:05  1.5 MB  20.1 GB free, 310.0 h left`."""
    minutes, seconds = divmod(int(state.seconds), 60)
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}" if state.on else "starting"
    left = "" if state.hours_left is None else f", {state.hours_left:.1f} h left"
    return f"{one_line(name)[:40]}  {clock}  {size_text(state.size_bytes)}  {size_text(state.free_bytes)} free{left}"
