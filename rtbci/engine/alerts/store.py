"""Alarms that nobody has acknowledged, kept on the disk: they outlive the engine, however it ended."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from rtbci.config import Strict
from rtbci.engine.alerts.alert import MOST_CAUSES, Cause
from rtbci.engine.alerts.board import Key
from rtbci.errors import error_text
from rtbci.files import atomic_write
from rtbci.lsl.private import private_folder
from rtbci.types import Event, SessionInfo

_MOST_BYTES = 4 << 20
_Real = Annotated[float, Field(ge=-1e12, le=1e12)]


class KeptAlarm(Strict):
    """One cause of an alarm; onset and duration are seconds of its own run's recording."""

    condition: Literal["event", "burden", "status"]
    label: str
    wall: _Real
    level: str = ""
    onset: _Real | None = None
    duration: _Real = 0.0
    confidence: Annotated[float, Field(ge=0, le=1.001)] = 0.0


class KeptAlarms(Strict):
    """The file."""

    kind: Literal["rtbci-alarms"] = "rtbci-alarms"
    stream: str
    pipeline: str
    alarms: Annotated[tuple[KeptAlarm, ...], Field(max_length=8 * MOST_CAUSES)] = ()


class AlertStore:
    """A file of this user's own, for one stream and one pipeline.

    Parameters
    ----------
    session
        Names both.
    number
        Of this engine, among those that run for both (NumberedLock).

    Attributes
    ----------
    trouble
        Why alarms would not outlive the engine at present; "" where all is well.
    """

    def __init__(self, session: SessionInfo, number: int) -> None:
        stream = session.stream
        self._about = KeptAlarms(stream=stream.name, pipeline=session.pipeline)
        digest = hashlib.sha256(f"{stream.source_id or stream.name}\n{session.pipeline}".encode("utf-8", "replace"))
        folder = private_folder()
        self.path = folder / f"alarms-{digest.hexdigest()[:16]}-{number}.json" if folder is not None else None
        self.trouble = "" if folder is not None else "no folder of this user's own: alarms do not outlive the engine"

    def load(self, not_before: float) -> tuple[list[tuple[Key, Cause]], str]:
        """What the runs before left, from a wall time on, and what a person should know of it ("": nothing)."""
        if self.path is None:
            return [], ""
        try:
            with open(self.path, "rb") as file:
                kept = KeptAlarms.model_validate_json(file.read(_MOST_BYTES), strict=True).alarms
        except FileNotFoundError:
            return [], ""
        except (OSError, ValidationError) as error:
            return [], self._set_aside(error_text(error) if isinstance(error, OSError) else "it is damaged")
        recent = [alarm for alarm in kept if alarm.wall >= not_before]
        n_old = len(kept) - len(recent)
        told = f"{n_old} alarms of earlier runs were never acknowledged, and are too old to be shown" if n_old else ""
        return [_cause_of(alarm) for alarm in recent], told

    def save(self, waiting: Iterable[tuple[Key, Cause]]) -> None:
        """Replace what is kept; nothing left is no file. What the disk does not take is in `trouble`."""
        if self.path is None:
            return
        alarms = tuple(_kept(key, cause) for key, cause in waiting)
        try:
            if alarms:
                atomic_write(self.path, self._about.model_copy(update={"alarms": alarms}).model_dump_json())
            else:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            self.trouble = f"alarms that nobody has acknowledged are not kept for the next run: {error_text(error)}"
        else:
            self.trouble = ""

    def _set_aside(self, why: str) -> str:
        assert self.path is not None
        beside = self.path.with_suffix(".damaged")
        with suppress(OSError):
            self.path.replace(beside)
        return f"the alarms of earlier runs cannot be read ({why}): {beside}"


def _kept(key: Key, cause: Cause) -> KeptAlarm:
    condition, label = key
    event = cause.event
    about = {} if event is None else {"onset": event.onset, "duration": event.duration, "confidence": event.confidence}
    return KeptAlarm(condition=condition, label=label, wall=cause.wall, level=cause.level, **about)


def _cause_of(kept: KeptAlarm) -> tuple[Key, Cause]:
    event = None if kept.onset is None else Event(kept.onset, kept.duration, kept.label, kept.confidence)
    return (kept.condition, kept.label), Cause(kept.wall, 0.0, event, kept.level, is_earlier=True)
