"""Commands through a pipe, as JSON: nothing that is received is unpickled."""

from __future__ import annotations

from multiprocessing.connection import Connection

from rtbci.monitor.messages import Command, read_command

LARGEST = 1 << 20  # bytes of one command; the usual one has a few dozen


def send(pipe: Connection, what: Command) -> None:
    """Send a command. Raises OSError if the other end is closed."""
    pipe.send_bytes(what.to_json().encode())


def receive(pipe: Connection) -> Command | None:
    """The next command; None if invalid. Raises EOFError or OSError if the other end is closed, or sends too much."""
    return read_command(pipe.recv_bytes(LARGEST))
