"""The engines of this user that run on this machine, as their monitors' folders tell of them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from rtbci.files import atomic_write
from rtbci.monitor.folder import monitors_in_use
from rtbci.monitor.message import Count, Message, WallTime, read
from rtbci.monitor.messages import EngineState
from rtbci.monitor.shared_memory import MonitorReader
from rtbci.results import Text
from rtbci.text import one_line

_FILE = "engine.json"
_SAME_START_S = 30.0  # a process that began later has got the number of one that ended


class EngineFile(Message):
    """What the process that starts an engine notes of it, for windows that are opened later."""

    pid: Count
    """Of the engine."""
    owner: Count
    """Process id of the command that started it, and with which it ends."""
    began: WallTime
    """When."""
    stream: Text
    """Of its query: the name, or all of it."""
    pipeline: Text
    """File name of the pipeline, without its ending."""


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine that runs, and the newest state that it has written."""

    folder: Path
    about: EngineFile
    state: EngineState

    @property
    def name(self) -> str:
        """Of its stream; of the stream that it waits for, before it is found."""
        return one_line(self.state.stream.name if self.state.stream is not None else self.about.stream)

    @property
    def pipeline(self) -> str:
        return one_line(self.state.pipeline or self.about.pipeline)

    @property
    def text(self) -> str:
        """On one line: stream, pipeline, state, since when, whether it records, and its command's process."""
        recording = self.state.recording
        parts = (
            self.name, self.pipeline, self.state.state, f"since {datetime.fromtimestamp(self.about.began):%a %H:%M}",
            "recording" if recording is not None and recording.on else "", f"process {self.about.owner}",
        )  # fmt: skip
        return " · ".join(filter(None, parts))


def query_text(query: dict[str, str]) -> str:
    """A query as a person calls the stream: its name, or all properties."""
    return query.get("name") or ", ".join(f"{key} {value}" for key, value in query.items())


def note_engine(folder: Path, pid: int, owner: int, query: dict[str, str], pipeline: str) -> None:
    """Write what later windows need to know into the monitor's folder. Raises OSError."""
    about = EngineFile(pid=pid, owner=owner, began=time.time(), stream=query_text(query), pipeline=Path(pipeline).stem)
    atomic_write(folder / _FILE, about.to_json())


def running_engines() -> list[RunningEngine]:
    """Engines of this user, the oldest first."""
    found = [running_engine(folder) for folder in monitors_in_use()]
    return [engine for engine in found if engine is not None]


def running_engine(folder: Path) -> RunningEngine | None:
    """The engine of a monitor's folder; None where it has ended, or there is none."""
    with suppress(OSError):
        about = read(EngineFile, (folder / _FILE).read_bytes())
        if about is not None and is_running(about):
            return RunningEngine(folder, about, MonitorReader(folder).status() or EngineState())
    return None


def is_running(about: EngineFile) -> bool:
    """Whether the engine's process runs."""
    try:
        process = psutil.Process(about.pid)
        is_same = process.create_time() < about.began + _SAME_START_S
        return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
