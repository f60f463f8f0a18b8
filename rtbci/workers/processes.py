"""Jobs in several processes of this machine, which end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from rtbci.plugins import named
from rtbci.workers.work import Bug, Done, Failed, Make, Mistake, Outcome, attempt, ready, settled


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: int


@dataclass(frozen=True)
class _Progress:
    what: Any


def in_processes(
    make: Make, jobs: Sequence[Any], n_processes: int, on_report: Callable[[int, Any], None]
) -> Generator[tuple[int, Done | Failed], None, None]:
    """Do jobs in so many processes; number and outcome of each, as they are done. For the rest see `side_by_side`."""
    workers: list[_Worker] = []
    started: list[BaseProcess] = []
    waiting = list(range(len(jobs)))
    try:
        while waiting or workers:
            while waiting and len(workers) < n_processes:
                workers.append(_start(make, jobs, waiting.pop(0)))
                started.append(workers[-1].process)
            said = wait([worker.pipe for worker in workers])
            for worker in [one for one in workers if one.pipe in said]:
                number, outcome = worker.job, _received(worker)
                if isinstance(outcome, _Progress):
                    on_report(number, outcome.what)
                    continue
                done = settled(outcome)
                if isinstance(done, Failed) and done.ended:
                    workers.remove(worker)
                elif waiting and _handed_over(worker, waiting[0], jobs[waiting[0]]):
                    waiting.pop(0)
                else:
                    workers.remove(worker)
                    worker.pipe.close()  # it ends by itself
                yield number, done
    finally:
        for process in started:
            process.kill()  # whatever was asked of it is done, or not wanted any more
        for process in started:
            process.join()


def _handed_over(worker: _Worker, number: int, job: Any) -> bool:
    """Whether a process took its next job; one that has ended since did not."""
    try:
        worker.pipe.send(job)
    except OSError:
        return False
    worker.job = number
    return True


def _start(make: Make, jobs: Sequence[Any], job: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(make, named(), theirs), daemon=True)
    process.start()
    theirs.close()
    ours.send(jobs[job])
    return _Worker(process, ours, job)


def _received(worker: _Worker) -> Outcome | _Progress:
    try:
        received: Outcome | _Progress = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        code = worker.process.exitcode
        return Failed(f"its process was ended (exit code {code}), perhaps for want of memory", ended=True)
    return received


def _work(make: Make, plugins: tuple[str, ...], pipe: Connection) -> None:
    """The process: job after job, until there is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its children
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    work = ready(make, plugins)
    if isinstance(work, Mistake):
        pipe.send(work)
        return
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        outcome = attempt(work, job, lambda what: pipe.send(_Progress(what)))
        try:
            pipe.send(outcome)
        except Exception:  # a result that cannot be pickled
            pipe.send(Bug(traceback.format_exc()))


def _end_with_the_parent() -> None:
    """Wait for the end of the process that started this one, whatever ends it, and end, too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
