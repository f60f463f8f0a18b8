"""What a command and the window that it opened say to each other, over a pipe: which engine is shown, how it ended, what next.

The command owns the engine, starts and ends it; the window shows it, and sends its commands straight to the engine
(rtbci/monitor/command_server.py). Neither waits for the other: these messages are few and small, so that a pipe takes all
of them from a process whose partner hangs.
"""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from rtbci.monitor.command_pipe import LARGEST
from rtbci.monitor.message import Count, Message
from rtbci.results import Text, Texts

Offer: TypeAlias = Literal["again", "stream", "unit"]
MOST_MESSAGES = 32  # in one look at the pipe


# -- of the command ------------------------------------------------------------------------------------------


class ShowEngine(Message):
    """Show this engine in place of what was shown."""

    do: Literal["show"] = "show"
    folder: Text
    """Of its monitor."""
    name: Text
    """Of the stream or the recording; empty where only the stream that is found will say."""
    pipeline: Text
    """Its name."""
    owner: Count = 0
    """Process id of another command that the engine belongs to; 0: of the one that opened the window."""


class SessionEnded(Message):
    """The engine that is shown has ended, and why."""

    do: Literal["ended"] = "ended"
    text: Text
    """In the words that the terminal gets."""
    details: Texts = ()
    """More lines: truth beside answer."""
    is_good: bool = False
    """It ended as it should, with this result."""
    is_failure: bool = True
    """It ended for a reason that nobody asked for."""
    offers: tuple[Offer, ...] = ()
    """What the command can do next."""


class RequestRefused(Message):
    """What was asked for cannot be; what runs goes on."""

    do: Literal["refused"] = "refused"
    text: Text
    """Why."""


class ChooseSession(Message):
    """Nothing is shown: let the user choose a running engine, or a stream and a pipeline."""

    do: Literal["choose"] = "choose"
    new: bool = False
    """Not an engine that runs."""


# -- of the window -------------------------------------------------------------------------------------------


class WindowOpened(Message):
    """The window is on the screen."""

    do: Literal["opened"] = "opened"


class StartSession(Message):
    """Start an engine, in place of the one that runs or has ended; what is empty is as it was."""

    do: Literal["start"] = "start"
    query: dict[Text, Text] = Field(default_factory=dict)
    """LSL properties of the stream."""
    pipeline: Text = ""
    """Its path."""
    unit: Text = ""
    """Of the stream's values."""


class AttachTo(Message):
    """Show a running engine of this user."""

    do: Literal["attach"] = "attach"
    folder: Text
    """Of its monitor."""


class WindowCloses(Message):
    """The user has closed the window."""

    do: Literal["closes"] = "closes"
    stops: bool
    """The engine is to end with it."""


FromCommand: TypeAlias = ShowEngine | SessionEnded | RequestRefused | ChooseSession
SessionRequest: TypeAlias = StartSession | AttachTo
FromWindow: TypeAlias = WindowOpened | WindowCloses | SessionRequest
WindowMessage: TypeAlias = Annotated[FromCommand | FromWindow, Field(discriminator="do")]
_MESSAGE: TypeAdapter[WindowMessage] = TypeAdapter(WindowMessage)


class WindowPipe:
    """One end of the pipe between a command and its window.

    Attributes
    ----------
    is_open
        Whether the other process has its end still.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.is_open = True

    def send(self, message: FromCommand | FromWindow) -> None:
        """Send a message; it is dropped where the other process has ended."""
        try:
            self._pipe.send_bytes(message.to_json().encode())
        except OSError:
            self.is_open = False

    def received(self) -> list[FromCommand | FromWindow]:
        """What has come since the last call; what is invalid is dropped."""
        messages: list[FromCommand | FromWindow] = []
        try:
            while self.is_open and len(messages) < MOST_MESSAGES and self._pipe.poll():
                with suppress(ValidationError):
                    messages.append(_MESSAGE.validate_json(self._pipe.recv_bytes(LARGEST), strict=True))
        except (EOFError, OSError):
            self.is_open = False
        return messages

    def close(self) -> None:
        """Close this end."""
        self.is_open = False
        self._pipe.close()
