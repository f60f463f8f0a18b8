"""Sinks: whoever is told what a live session says, the outlets, the shared memory, the event table and a user's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

from rtbci.monitor.messages import EngineState, LogLine
from rtbci.pipeline.stream import StreamMessage
from rtbci.types import OperatorAnnotation, OperatorVerdict, SessionInfo, StalenessChanged, TrustChanged

SinkMessage: TypeAlias = (
    StreamMessage | StalenessChanged | TrustChanged | OperatorAnnotation | OperatorVerdict | LogLine | EngineState
)


class Sink(Protocol):
    """What a sink has."""

    @property
    def trouble(self) -> str:
        """What is wrong at present, in one line; "" where nothing is. It is shown as an alarm."""

    @property
    def recovered(self) -> str:
        """What to say when the trouble is over, in one line."""

    def begin(self, session: SessionInfo) -> None:
        """A stream begins, or goes on at another place or speed; may come many times."""

    def on(self, message: SinkMessage) -> None:
        """One message; what a sink has no use for it passes over."""

    def tend(self) -> None:
        """About ten times a second, whether or not something happened."""

    def close(self) -> None:
        """The session is over."""


class Sinks:
    """Tells each sink in turn, in the order of the list; none is given back to."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = list(sinks)
        self._troubles: dict[int, str] = {}

    def begin(self, session: SessionInfo) -> None:
        for sink in self._sinks:
            sink.begin(session)

    def send(self, message: SinkMessage) -> None:
        for sink in self._sinks:
            sink.on(message)

    def tend(self) -> list[str]:
        """What newly went wrong, or is well again, each a line."""
        lines = []
        for number, sink in enumerate(self._sinks):
            sink.tend()
            before = self._troubles.get(number, "")
            if sink.trouble != before:
                self._troubles[number] = sink.trouble
                if bool(sink.trouble) != bool(before):
                    lines.append(sink.trouble or sink.recovered)
        return lines

    @property
    def trouble(self) -> str:
        """What is wrong at present."""
        return "; ".join(trouble for trouble in self._troubles.values() if trouble)

    def close(self) -> None:
        """Each, and all of them though one fails. May be called twice."""
        while self._sinks:
            self._sinks.pop(0).close()
