"""Commands over a socket in the engine's monitor folder: lines of JSON, from any process of the same user."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rtbci.monitor.messages import Command, read_command

MOST_CLIENTS = 16
MOST_LINE_BYTES = 1 << 16  # the usual command has a few dozen
MOST_COMMANDS = 32  # of one client, in one poll
_READ_BYTES = 1 << 14  # of one client in one poll
_HANDSHAKE_S = 2.0  # a client that has not sent the key by then is disconnected
_RETRY_S = 0.5
_SOCKET, _PORT, _KEY = "commands.sock", "commands.port", "commands.key"


class CommandServer:
    """The engine's side: `poll` never waits, and does a bounded amount of work, whatever its clients do.

    The handshake of a client is the key in the folder, which only its user can read. A client that floods is read at the
    rate of the polls (back-pressure); one that sends no key, or a line without end, is disconnected; one that hangs or
    dies costs nothing.

    Parameters
    ----------
    folder
        The engine's monitor folder.

    Raises
    ------
    OSError
        If no socket can be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = secrets.token_hex(32).encode()
        self._clients: list[ClientConnection] = []
        (folder / _KEY).unlink(missing_ok=True)
        with open(os.open(folder / _KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(self._key)
        self._listener = _listen(folder)
        self._listener.setblocking(False)

    def poll(self) -> Iterator[Command]:
        """The commands that have arrived since the last poll."""
        self._accept()
        for client in list(self._clients):
            yield from client.commands(self._key)
            if client.closed:
                self._clients.remove(client)

    def close(self) -> None:
        """Disconnect every client, and remove socket and key."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        self._listener.close()
        for name in (_SOCKET, _PORT, _KEY):
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)

    def _accept(self) -> None:
        for _ in range(MOST_CLIENTS):
            try:
                connection, _ = self._listener.accept()
            except OSError:  # no client is waiting
                return
            if len(self._clients) < MOST_CLIENTS:
                self._clients.append(ClientConnection(connection))
            else:
                connection.close()


class ClientConnection:
    """The connection of one client, on the engine's side."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._received = b""
        self._known = False
        self._handshake_due = time.monotonic() + _HANDSHAKE_S
        self.closed = False

    def commands(self, key: bytes) -> Iterator[Command]:
        """The commands that have arrived, once the handshake is done."""
        self._read()
        for _ in range(MOST_COMMANDS):
            line, end, rest = self._received.partition(b"\n")
            if not end:
                break
            self._received = rest
            if not self._known:
                self._known = hmac.compare_digest(line, key)
                if not self._known:
                    self.close()
                    return
            elif (what := read_command(line)) is not None:
                yield what
        if len(self._received) > MOST_LINE_BYTES or not (self._known or time.monotonic() < self._handshake_due):
            self.close()

    def close(self) -> None:
        """Disconnect."""
        self.closed = True
        self._connection.close()

    def _read(self) -> None:
        if b"\n" in self._received:  # commands of the last poll are still unread
            return
        try:
            received = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        self._received += received
        if not received:
            self.close()


class CommandClient:
    """A viewer's side: connects and reconnects to the engine of a monitor folder, and never waits for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: socket.socket | None = None
        self._unsent = b""
        self._retry_at = 0.0

    def send(self, what: Command) -> bool:
        """Send a command. False if no engine is connected, or one that hangs has left too many commands unread."""
        if self._connection is None:
            self._connect()
        if self._connection is None or len(self._unsent) > MOST_LINE_BYTES:
            return False
        self._unsent += what.to_json().encode() + b"\n"
        self.flush()
        return self._connection is not None

    def flush(self) -> None:
        """Send what is still queued; to be called now and then."""
        if self._connection is None or not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def close(self) -> None:
        """Disconnect, and drop what was not sent."""
        self._unsent = b""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        if time.monotonic() < self._retry_at:
            return
        self._retry_at = time.monotonic() + _RETRY_S
        try:
            key = (self._folder / _KEY).read_bytes()
            self._connection = _connect_to(self._folder)
            self._connection.setblocking(False)
            self._unsent = key + b"\n"
        except (OSError, ValueError):
            self.close()


def _listen(folder: Path) -> socket.socket:
    """A Unix socket in the folder; a port on the loopback where the system has none, or the path is too long."""
    if hasattr(socket, "AF_UNIX"):
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(folder / _SOCKET))
            listener.listen(MOST_CLIENTS)
            return listener
        except OSError:
            listener.close()
    listener = socket.create_server(("127.0.0.1", 0), backlog=MOST_CLIENTS)
    (folder / _PORT).write_text(str(listener.getsockname()[1]))
    return listener


def _connect_to(folder: Path) -> socket.socket:
    if (folder / _PORT).exists():
        return socket.create_connection(("127.0.0.1", int((folder / _PORT).read_text())), timeout=0.2)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)  # a full queue of connections is an error, not a wait
        connection.connect(str(folder / _SOCKET))
    except OSError:
        connection.close()
        raise
    return connection
