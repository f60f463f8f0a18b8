"""What a person can do with a session from its window, what cannot be done now and why, and what goes on when it closes."""

from __future__ import annotations

from dataclasses import dataclass

from rtbci.monitor.messages import EngineState
from rtbci.text import one_line


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a window.

    Parameters
    ----------
    name
        Of the stream; "" for none.
    pipeline
        Its name.
    is_running
        Its engine has not ended.
    can_start
        A command stands behind the window that can start engines.
    owner
        Process id of another command that the engine belongs to; 0: of the one that opened the window.
    folder
        Where something was written last; "" for nowhere.
    """

    name: str = ""
    pipeline: str = ""
    is_running: bool = False
    can_start: bool = False
    owner: int = 0
    folder: str = ""

    @property
    def text(self) -> str:
        return one_line("  ·  ".join(filter(None, (self.name, self.pipeline))))


@dataclass(frozen=True, slots=True)
class MenuItem:
    """action: as SessionControl.take has it; why_not: why it cannot be done now, "" where it can."""

    action: str
    text: str
    why_not: str = ""

    @property
    def label(self) -> str:
        return f"{self.text}  ({self.why_not})" if self.why_not else self.text


def menu_items(session: Session, state: EngineState) -> list[MenuItem]:
    """The items of the session's menu, in order."""
    no_engine = "" if session.is_running else "no engine runs"
    nobody = "" if session.can_start else "this window cannot start engines: `rtbci dashboard` opens one that can"
    return [
        _recording_item(session, state),
        MenuItem("folder", "Show the recording's folder", "" if session.folder else "nothing is written"),
        MenuItem("stream", "Choose stream and pipeline …", nobody),
        MenuItem("unit", "Say the unit of the stream …", nobody or ("" if session.name else "no stream is chosen")),
        MenuItem("again", "Start again", nobody or ("" if session.name else "no stream is chosen")),
        MenuItem("engines", "Watch another engine …", nobody),
        MenuItem("end", "End the session", no_engine),
    ]


def _recording_item(session: Session, state: EngineState) -> MenuItem:
    recording = state.recording
    if recording is not None and (recording.on or recording.alarm):
        return MenuItem("stop_recording", "Stop recording", "" if session.is_running else "the session has ended")
    if not session.is_running:
        return MenuItem("record", "Start recording …", "no engine runs")
    return MenuItem("record", "Start recording …", "" if state.stream is not None else "no stream yet")


def stop_recording_question(session: Session) -> str:
    """Asked before a recording is ended."""
    return one_line(f"The recording of {session.name} ends; another can be started, in a new file. The engine goes on.")


def restart_question(session: Session) -> str:
    """Asked before a running engine is replaced by another."""
    return one_line(
        f"The session on {session.name or 'this stream'} ends, in order, and another begins. What it has written stays."
    )


def closing_question(session: Session, state: EngineState) -> str:
    """Asked before the window of a running engine is closed; one line."""
    recording = state.recording
    does = "tagging and recording" if recording is not None and recording.on else "tagging"
    whose = f" It belongs to another command (process {session.owner})." if session.owner else ""
    return one_line(
        f"The engine goes on {does} {session.name or 'its stream'} without this window;"
        f" `rtbci dashboard` opens another.{whose}"
    )
