"""What runs on the nodes of a cluster: a job in a task of its own, and the mailbox for what it tells of its progress."""

from __future__ import annotations

import os
import pickle
import platform
import time
import traceback
from dataclasses import dataclass
from typing import Any

from rtbci.workers.needs import Wanted, lacking
from rtbci.workers.work import Bug, Mistake, Work, attempt, ready

REPORT_EVERY_S = 0.5


@dataclass(frozen=True)
class Run:
    """What all jobs of a command have in common; `make` is pickled, for it needs the folder and the plug-ins."""

    key: str
    wanted: Wanted
    plugins: tuple[str, ...]
    make: bytes


class Mailbox:
    """A Ray actor: keeps what tasks tell until it is fetched."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, str, Any]] = []

    def put(self, job: int, host: str, what: Any) -> None:
        """Progress of a job on a machine; None: it has begun."""
        self._kept.append((job, host, what))

    def take(self) -> list[tuple[int, str, Any]]:
        """What has come since."""
        taken, self._kept = self._kept, []
        return taken


_made: dict[str, Work | Mistake] = {}  # of this process, by the key of the run


def do(run: Run, number: int, job: bytes, mailbox: Any) -> bytes:
    """A task: the pickled outcome of a pickled job."""
    host = platform.node()
    mailbox.put.remote(number, host, None)
    if run.key not in _made:
        _made.clear()
        _made[run.key] = _make(run, host)
    work = _made[run.key]
    if isinstance(work, Mistake):
        return pickle.dumps(work)
    try:
        return pickle.dumps(attempt(work, pickle.loads(job), _Progress(number, host, mailbox)))
    except Exception:  # a job or a result that cannot be pickled
        return pickle.dumps(Bug(traceback.format_exc()))


def _make(run: Run, host: str) -> Work | Mistake:
    if lacks := lacking(run.wanted):  # as of a node that came late
        return Mistake(f"node {host}: {lacks}")
    os.chdir(run.wanted["cwd"])
    return ready(lambda: pickle.loads(run.make)(), run.plugins)


class _Progress:
    """Passes on now and then what a job tells."""

    def __init__(self, number: int, host: str, mailbox: Any) -> None:
        self._number, self._host, self._mailbox = number, host, mailbox
        self._told_at = 0.0

    def __call__(self, what: Any) -> None:
        if time.monotonic() - self._told_at >= REPORT_EVERY_S:
            self._told_at = time.monotonic()
            self._mailbox.put.remote(self._number, self._host, what)
