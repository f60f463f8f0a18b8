"""Sinks take the messages of a live session: the LSL outlets, the shared memory, the event table and a user's own."""

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
    """The interface of a sink; any class with these members is one."""

    @property
    def trouble(self) -> str:
        """What is wrong at present, in one line; "" if nothing is. It is shown as an alarm."""

    @property
    def recovered(self) -> str:
        """What to report when the trouble is over, in one line."""

    def begin(self, session: SessionInfo) -> None:
        """A stream begins, or continues at another position or speed; called any number of times."""

    def on(self, message: SinkMessage) -> None:
        """Take one message; a sink ignores those that it has no use for."""

    def tend(self) -> None:
        """Called about ten times a second, with or without messages."""

    def close(self) -> None:
        """The session has ended."""


class Sinks:
    """Passes everything to each sink, in the order of the list."""

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
        """What has newly gone wrong or recovered, one line each."""
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
        """Close every sink. May be called twice."""
        while self._sinks:
            self._sinks.pop(0).close()
