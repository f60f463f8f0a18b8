"""Replays and engines in threads of ours, for the tests of what goes between them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from heard import Heard

from rtbci.bundled import RECORDING
from rtbci.engine.engine import Engine
from rtbci.engine.session import EngineSpec
from rtbci.monitor.messages import Command, EngineState, ReplayCommand
from rtbci.pipeline.pipeline import Pipeline
from rtbci.replay.playback import Playback
from rtbci.replay.replay import Replay

Wait = Callable[..., None]
SFREQ = 256


class Live:
    """An engine on a replay, and what it said."""

    def __init__(self, pipeline: Pipeline, name: str, wait_until: Wait) -> None:
        self.heard = Heard()
        self.engine = Engine(pipeline, EngineSpec("", {"name": name}), sinks=[self.heard])
        self._wait_until = wait_until
        self._asked: list[Command] = []

    def run(self) -> None:
        self.engine.run(lambda: [self.engine.command(self._asked.pop(0)) for _ in list(self._asked)] and None)

    def await_received(self, seconds: float) -> None:
        self._wait_until(lambda: self.engine.tally.received >= seconds * SFREQ)

    def say(self, said: str) -> EngineState:
        """To the replay; returns the engine's state when it has followed."""
        self._wait_until(lambda: self.engine.state().replay)
        before = self.engine.state().replay.move
        self._asked.append(ReplayCommand(line=said))

        def followed() -> bool:
            """The position is known a moment before the engine is told of the move: we are another thread."""
            state = self.engine.state()
            is_told = self.engine.staleness.is_paused == state.replay.paused
            return state.replay.move > before and state.stream.speed == state.replay.speed and is_told

        self._wait_until(followed)
        return self.engine.state()

    def kinds(self) -> list[str]:
        return [one.kind for one in self.heard.lines]

    @property
    def events(self) -> list[tuple[float, float, str]]:
        return [(d.event.onset, d.event.duration, d.event.label) for d in self.heard.detections if d.closed]


@contextmanager
def played(name: str, *lines: str, **options: Any) -> Iterator[Playback]:
    """A replay in a thread of ours; lines: what it is told before it begins."""
    playback = Replay([RECORDING], **{"name": name, **options}).playback()
    for one in lines:
        playback.transport.obey(one)
    sender = threading.Thread(target=playback.play)
    sender.start()
    try:
        yield playback
    finally:
        playback.stop.set()
        sender.join(10)
        playback.close()
        assert not sender.is_alive()


@contextmanager
def live(pipeline: Pipeline, name: str, wait_until: Wait) -> Iterator[Live]:
    """An engine in a thread of ours."""
    running = Live(pipeline, name, wait_until)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield running
    finally:
        running.engine.stop()
        thread.join(10)
        assert not thread.is_alive()
