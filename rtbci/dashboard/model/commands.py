"""What the user asks of the engine."""

from __future__ import annotations

import time
from typing import Protocol

from rtbci.monitor.alerts import Acknowledge, PauseSound
from rtbci.monitor.message import Verdict
from rtbci.monitor.messages import (
    Annotate,
    Command,
    ReplayCommand,
    Review,
    SetThreshold,
    StartRecording,
    Stop,
    StopRecording,
)

THRESHOLD_EVERY_S = 0.1


class CommandPort(Protocol):
    """Where commands go; none of it waits for the engine."""

    def send(self, what: Command) -> object:
        """Hand over one command."""

    def flush(self) -> None:
        """Hand over what is left of earlier ones."""

    def close(self) -> None: ...


class CommandSender:
    """Sends commands and waits for no answer: it comes back in the engine's state and log."""

    def __init__(self, port: CommandPort | None) -> None:
        """port: None where no engine listens."""
        self._port = port
        self._threshold: float | None = None  # asked for, not yet sent
        self._threshold_due = 0.0

    def set_threshold(self, value: float) -> None:
        """A key that is held down asks many times a second; at most ten values a second are sent, and the last one always."""
        self._threshold = value
        self.flush()

    def annotate(self, label: str, onset_s: float, stamp: float, duration_s: float = 0.0) -> None:
        """onset_s: of the recording; stamp: of the local clock."""
        self._send(Annotate(label=label, onset=onset_s, stamp=stamp, duration=duration_s))

    def review(self, label: str, onset_s: float, verdict: Verdict, note: str) -> None:
        self._send(Review(label=label, onset=onset_s, verdict=verdict, note=note))

    def stop(self) -> None:
        """The engine is to end, in order."""
        self._send(Stop())

    def record(self, folder: str) -> None:
        """From here on, to a folder."""
        self._send(StartRecording(folder=folder))

    def stop_recording(self) -> None:
        self._send(StopRecording())

    def acknowledge(self, by: str) -> None:
        """All alarms. by: who."""
        self._send(Acknowledge(by=by))

    def pause_sound(self, seconds: float, by: str) -> None:
        """Of all alarms, for every viewer; 0: no more. by: who."""
        self._send(PauseSound(seconds=seconds, by=by))

    def replay(self, line: str) -> None:
        """A line of rtbci/replay/transport.py's grammar, for the replay that the engine reads."""
        self._send(ReplayCommand(line=line))

    def flush(self) -> None:
        """Send what has waited long enough; to be called at every frame."""
        if self._port is not None:
            self._port.flush()
        now = time.monotonic()
        if self._threshold is not None and now >= self._threshold_due:
            self._send(SetThreshold(value=self._threshold))
            self._threshold, self._threshold_due = None, now + THRESHOLD_EVERY_S

    def close(self) -> None:
        if self._port is not None:
            self._port.close()

    def _send(self, what: Command) -> None:
        if self._port is not None:
            self._port.send(what)
