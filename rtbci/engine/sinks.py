"""Sinks take the messages of a live session: the LSL outlets, the shared memory, the event table and a user's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias, runtime_checkable

from rtbci.monitor.messages import EngineState, LogLine
from rtbci.pipeline.stream import StreamMessage
from rtbci.types import (
    AlertChanged,
    OperatorAnnotation,
    OperatorVerdict,
    SessionInfo,
    StalenessChanged,
    ThresholdChanged,
    TrustChanged,
)

SinkMessage: TypeAlias = (
    StreamMessage
    | StalenessChanged
    | TrustChanged
    | ThresholdChanged
    | OperatorAnnotation
    | OperatorVerdict
    | AlertChanged
    | LogLine
    | EngineState
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


@runtime_checkable
class ClosesSlowly(Protocol):
    """A sink that can begin to close before `close`, which then waits for it."""

    def ask_to_close(self) -> None:
        """Begin to close, without waiting."""


class MayFail(Protocol):
    """A sink, or anything else with a trouble of its own."""

    @property
    def trouble(self) -> str:
        """What is wrong at present, in one line; "" if nothing is."""

    @property
    def recovered(self) -> str:
        """What to report when the trouble is over, in one line."""


class Troubles:
    """What is wrong with several parts, and what of it is news."""

    def __init__(self, parts: Iterable[MayFail]) -> None:
        self._parts = list(parts)
        self._now: dict[int, str] = {}

    def news(self) -> list[str]:
        """What has newly gone wrong or recovered, one line each."""
        lines = []
        for part in self._parts:
            before, now = self._now.get(id(part), ""), part.trouble
            self._now[id(part)] = now
            # A number that grows in it is no news; that it is for good is.
            if bool(now) != bool(before) or (getattr(part, "is_dropped", False) and now != before):
                lines.append(now or part.recovered)
        return lines

    def add(self, part: MayFail) -> None:
        """Look at one more."""
        self._parts.append(part)

    def remove(self, part: MayFail) -> None:
        """Look no more at one."""
        self._parts.remove(part)
        self._now.pop(id(part), None)

    @property
    def text(self) -> str:
        """What was wrong when `news` was last called."""
        return "; ".join(filter(None, self._now.values()))


class Sinks:
    """Passes everything to each sink, in the order of the list."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = list(sinks)
        self._troubles = Troubles(self._sinks)

    def add(self, sink: Sink) -> None:
        """One more, from here on; its `begin` was called."""
        self._sinks.append(sink)
        self._troubles.add(sink)

    def remove(self, sink: Sink) -> None:
        """One less; whoever takes it closes it."""
        self._sinks.remove(sink)
        self._troubles.remove(sink)

    def begin(self, session: SessionInfo) -> None:
        for sink in self._sinks:
            sink.begin(session)

    def send(self, message: SinkMessage) -> None:
        for sink in self._sinks:
            sink.on(message)

    def tend(self) -> list[str]:
        """What has newly gone wrong or recovered, one line each."""
        for sink in self._sinks:
            sink.tend()
        return self._troubles.news()

    @property
    def trouble(self) -> str:
        """What is wrong at present."""
        return self._troubles.text

    def close(self) -> None:
        """Close every sink. May be called twice."""
        for sink in self._sinks:
            if isinstance(sink, ClosesSlowly):
                sink.ask_to_close()  # all at once: together they take as long as the slowest
        while self._sinks:
            self._sinks.pop(0).close()
