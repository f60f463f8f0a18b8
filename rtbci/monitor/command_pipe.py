"""Commands from one process to another: JSON through a pipe, so that no process runs what another sends."""

from __future__ import annotations

from multiprocessing.connection import Connection

from rtbci.monitor.messages import Command, read_command

LARGEST = 1 << 20  # bytes; a command has a few dozen


def send(pipe: Connection, what: Command) -> None:
    """Raises OSError where the other end is gone."""
    pipe.send_bytes(what.to_json().encode())


def receive(pipe: Connection) -> Command | None:
    """The next command; None for what is none. Raises EOFError or OSError where the other end is gone, or sends too much."""
    return read_command(pipe.recv_bytes(LARGEST))
