"""`rtbci record`: records LSL streams, and reports the state of the recorder."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtbci.cli.signals import stopped_by_signal
from rtbci.cli.watch import MOST_WARNINGS
from rtbci.engine.recording import FLUSH_S
from rtbci.errors import ConfigError
from rtbci.lsl.discovery import StreamSearch, check_sizes, find_stream, identity_of, no_stream, predicate
from rtbci.lsl.recorded_source import RecordedSource
from rtbci.lsl.recorder import OWN, Recorder, check_recorder
from rtbci.recordings.xdf_recorder import XdfRecorder
from rtbci.results import Result, Text, about, print_line
from rtbci.text import one_line, size_text

_READ_S = 0.05  # longest wait for samples
_CLOSE_S = 1.5
_SILENT_S = 2.0  # without an answer to discovery, which queries twice a second


def record_streams(
    queries: Sequence[dict[str, str]],
    out: Path,
    seconds: float | None,
    *,
    json: bool,
    wait_s: float | None = 60.0,
    recorder: str = OWN,
) -> None:
    """Record streams to `out` until Ctrl-C, SIGTERM or `seconds`; each query selects one.

    Raises
    ------
    StreamNotFound, StreamMismatch, RecordingError, ConfigError
        If a stream is not found or cannot be read, or the folder cannot be recorded to.
    """
    check_recorder(recorder)
    if any(query in queries[:k] for k, query in enumerate(queries)):
        raise ConfigError("two --stream are the same; each selects a stream of its own")
    if recorder == OWN:
        _record(queries, out, seconds, json=json, wait_s=wait_s)
    elif len(queries) > 1:
        raise ConfigError("--recorder labrecorder takes one --stream; the own recorder takes several")
    else:
        _record_with_labrecorder(queries[0], out, seconds, json=json, wait_s=wait_s)


def _record(
    queries: Sequence[dict[str, str]], out: Path, seconds: float | None, *, json: bool, wait_s: float | None
) -> None:
    recorder = XdfRecorder(out)
    sources = [RecordedSource(recorder, query, patient=wait_s is None) for query in queries]
    progress, alarms, began = _Progress(json), list[str](), time.monotonic()
    try:
        with stopped_by_signal() as asked:
            while not asked() and not _is_over(recorder, seconds):
                told = [line for source in sources for line in source.read(_READ_S / len(sources))]
                for alarm in told + _new_alarms(recorder):
                    sys.stderr.write(f"\nALARM: {one_line(alarm)}\n")
                    alarms = [*alarms[1 - MOST_WARNINGS :], alarm]
                late = [source for source in sources if not source.connected_once]
                if late and wait_s is not None and time.monotonic() - began > wait_s:
                    raise no_stream(late[0].query, wait_s)
                progress.show(sources[0].name, _own_state(recorder, sources), alarms)
    finally:
        for source in sources:
            source.close()
        closed = recorder.close(_CLOSE_S)
    progress.show(sources[0].name, _own_state(recorder, sources), alarms, last=True)
    if not closed or recorder.trouble:
        sys.stderr.write(f"\nALARM: {recorder.trouble or 'the file is not closed yet; this goes on by itself'}\n")
    if closed:  # else its disk may hang
        _show_files(recorder.files)


def _is_over(recorder: XdfRecorder, seconds: float | None) -> bool:
    began_at = recorder.began_at
    return seconds is not None and began_at is not None and time.monotonic() - began_at > seconds


def _new_alarms(recorder: XdfRecorder) -> list[str]:
    was = recorder.trouble
    recorder.tend()
    if bool(recorder.trouble) == bool(was):
        return []
    return [recorder.trouble or recorder.recovered]


def _own_state(recorder: XdfRecorder, sources: Sequence[RecordedSource]) -> RecordState:
    answers = all(source.connected for source in sources)
    return RecordState(**asdict(recorder.state()), stream_answers=answers)


def _record_with_labrecorder(
    query: dict[str, str], out: Path, seconds: float | None, *, json: bool, wait_s: float | None
) -> None:
    recorder = Recorder(out)
    with stopped_by_signal() as asked:
        stream = find_stream(query, wait_s, asked)
        if stream is None:
            return
        check_sizes(stream)
        recorder.start(stream.name(), [predicate(identity_of(stream))])
        presence, progress = _Presence(stream), _Progress(json)
        alarms: list[str] = []
        try:
            while not asked() and (seconds is None or recorder.recorded_s < seconds + FLUSH_S):
                for alarm in recorder.tend() + presence.check():
                    sys.stderr.write(f"\nALARM: {one_line(alarm)}\n")
                    alarms = [*alarms[1 - MOST_WARNINGS :], alarm]
                progress.show(stream.name(), _record_state(recorder, presence), alarms)
                time.sleep(0.1)
        finally:
            closed = recorder.stop()
        progress.show(stream.name(), _record_state(recorder, presence), alarms, last=True)
    if not closed:
        sys.stderr.write("\nLabRecorder is still closing its file, and will finish by itself\n")
    _show_files(recorder.files)


def _show_files(files: Sequence[Path]) -> None:
    sizes = [(path, path.stat().st_size) for path in files if path.exists()]
    sys.stderr.writelines(f"\n{path}: {size_text(size)}\n" for path, size in sizes)


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

    def __init__(self, json: bool) -> None:
        self._about = about() if json else None
        self._due = 0.0

    def show(self, name: str, state: RecordState, alarms: list[str], *, last: bool = False) -> None:
        now = time.monotonic()
        if now < self._due and not last:
            return
        self._due = now + 1.0
        if self._about is not None:
            print_line(state, self._about, alarms)
        elif sys.stderr.isatty():
            sys.stderr.write("\r" + recording_text(name, state).ljust(78))
            sys.stderr.flush()


def recording_text(name: str, state: RecordState) -> str:
    """One line of text: `Amp  00:01:05  1.5 MB  20.1 GB free, 310.0 h left`."""
    minutes, seconds = divmod(int(state.seconds), 60)
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}" if state.on else "starting"
    left = "" if state.hours_left is None else f", {state.hours_left:.1f} h left"
    return f"{one_line(name)[:40]}  {clock}  {size_text(state.size_bytes)}  {size_text(state.free_bytes)} free{left}"
