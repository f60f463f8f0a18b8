"""Commands from one process to another: JSON through a pipe, so that no process runs what another sends."""

from __future__ import annotations

import json
from multiprocessing.connection import Connection
from typing import Any

LARGEST = 1 << 20  # bytes; a command has a few dozen


def send(pipe: Connection, what: dict[str, Any]) -> None:
    """Raises OSError where the other end is gone."""
    pipe.send_bytes(json.dumps(what).encode())


def receive(pipe: Connection) -> dict[str, Any]:
    """The next command; {} for what is none. Raises EOFError or OSError where the other end is gone, or sends too much."""
    try:
        what = json.loads(pipe.recv_bytes(LARGEST))
    except (ValueError, RecursionError):
        return {}
    return what if isinstance(what, dict) else {}
