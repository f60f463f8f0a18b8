"""A sink that keeps all it is told."""

from rtbci.monitor.messages import LogLine
from rtbci.monitor.sink import line_of
from rtbci.types import Chunk, Detection, Scores, SessionInfo


class Heard:
    trouble = recovered = ""

    def __init__(self) -> None:
        self.sessions: list[SessionInfo] = []
        self.messages: list[object] = []

    def begin(self, session: SessionInfo) -> None:
        self.sessions.append(session)

    def on(self, message: object) -> None:
        self.messages.append(message)

    def tend(self) -> None: ...

    def close(self) -> None: ...

    @property
    def scores(self) -> list[Chunk]:
        return [message.chunk for message in self.messages if isinstance(message, Scores)]

    @property
    def lines(self) -> list[LogLine]:
        lines = (line_of(message, self.sessions[-1].classes if self.sessions else ()) for message in self.messages)
        return [line for line in lines if line is not None]

    @property
    def detections(self) -> list[Detection]:
        return [message for message in self.messages if isinstance(message, Detection)]
