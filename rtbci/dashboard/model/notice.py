"""What has to be said when an engine or its stream ends, is refused or is away, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from rtbci.monitor.messages import (
    ConnectedLine,
    EngineState,
    ErrorLine,
    LogLine,
    LostLine,
    ReconnectedLine,
    RefusedLine,
    ReplayState,
    WarningLine,
)
from rtbci.monitor.window_messages import SessionEnded
from rtbci.stages.amplitude import ODD_VALUES
from rtbci.text import one_line

Step: TypeAlias = Literal["again", "stream", "unit", "folder", "end", "dismiss"]
Tone: TypeAlias = Literal["bad", "good", "plain"]

STEPS: dict[Step, str] = {
    "again": "Start again",
    "unit": "Say the unit …",
    "stream": "Choose another stream …",
    "folder": "Show the recording's folder",
    "end": "End the session",
    "dismiss": "Leave it",
}
LOST_S = 5.0  # a shorter loss is said in the header alone
_REPLAY_END_S = 2.0


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence, more lines below it, how it is meant, and the steps that are offered."""

    text: str
    details: tuple[str, ...] = ()
    tone: Tone = "bad"
    steps: tuple[Step, ...] = ()


class NoticeBoard:
    """Follows the log and the state of an engine, and what its command says of its end.

    Attributes
    ----------
    ended
        How the engine has ended; None while it runs.
    can_start
        Whether a command stands behind the window that can start engines.
    """

    def __init__(self) -> None:
        self.ended: SessionEnded | None = None
        self.can_start = False
        self.clear()

    def clear(self) -> None:
        """Another engine is shown."""
        self.ended = None
        self._refused = self._lost = self._error = self._doubt = ""
        self._replay: ReplayState | None = None

    def take(self, line: LogLine) -> None:
        """A line of the engine's log."""
        match line:
            case RefusedLine(reason=reason):
                self._refused = reason
            case LostLine(reason=reason):
                self._lost = reason
            case ConnectedLine() | ReconnectedLine():
                self._refused = self._lost = ""
            case ErrorLine(text=text):
                self._error = text
            case WarningLine(text=text) if text.startswith(ODD_VALUES):
                self._doubt = text

    def dismiss(self) -> None:
        """What was a warning only is not to be said any more."""
        self._doubt = ""

    def notice(self, state: EngineState) -> Notice | None:
        """What is to be said now; None where there is nothing."""
        self._replay = state.replay or self._replay
        if (ended := self.ended) is not None:
            return self._of_end(ended, state)
        if self._error and not self.can_start:
            return Notice(one_line(self._error))
        if state.state == "waiting" and self._refused:
            steps: tuple[Step, ...] = ("unit", "stream") if "--unit" in self._refused else ("stream",)
            return Notice(
                one_line(f"A stream was refused: {self._refused}"), ("The engine waits for one that fits.",),
                steps=self._possible((*steps, "end")),
            )  # fmt: skip
        if state.state == "lost" and state.silent_s > LOST_S:
            return self._of_loss(state)
        if self._doubt:
            return Notice(one_line(self._doubt), (), "bad", (*self._possible(("unit",)), "dismiss"))
        return None

    def _of_end(self, ended: SessionEnded, state: EngineState) -> Notice:
        recording, details = state.recording, list(ended.details)
        files = [path for path in (recording.file if recording is not None else "", state.events_file) if path]
        details += [f"written: {path}" for path in files]
        steps: list[Step] = list(ended.offers) if self.can_start else []
        tone: Tone = "good" if ended.is_good else "bad" if ended.is_failure else "plain"
        return Notice(one_line(ended.text), tuple(details), tone, (*steps, *(("folder",) if files else ())))

    def _of_loss(self, state: EngineState) -> Notice:
        replay = self._replay
        steps = self._possible(("stream", "end"))
        if replay is not None and not replay.loop and replay.end_s - replay.recorded_s < _REPLAY_END_S:
            text = "The replay has ended: what it played is here to be looked at"
            return Notice(text, ("The engine waits for it to begin anew.",), "plain", steps)
        text = one_line(f"The stream is lost: {self._lost or 'nothing comes any more'}")
        return Notice(text, ("The engine waits, and goes on when it is back.",), "bad", steps)

    def _possible(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step for step in steps if self.can_start or step == "end")


def written_folder(state: EngineState) -> str:
    """Where the recording is, or the event table; "" without either."""
    recording = state.recording
    path = (recording.file if recording is not None else "") or state.events_file
    return str(Path(path).absolute().parent) if path else ""
