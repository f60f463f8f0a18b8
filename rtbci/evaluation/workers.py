"""Work on many files in several processes: each file's failure is its own, that of its process too."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeAlias

from rtbci.errors import RtbciError, error_text
from rtbci.plugins import named, plugin

Make: TypeAlias = Callable[[], Callable[[Any], Any]]  # makes, in a process, what does the work; it is pickled


@dataclass(frozen=True)
class Failed:
    """Why a job came to nothing, in one line."""

    reason: str


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: int


def side_by_side(make: Make, jobs: Sequence[Any], n_processes: int) -> Iterator[Any | Failed]:
    """Do jobs in several processes.

    Parameters
    ----------
    make
        Called once in each process; what it returns is called with each job. Jobs and results are pickled.
    jobs
        What to do.
    n_processes
        At once.

    Yields
    ------
    object
        The result of each job, in their order; `Failed` where a file could not be read, or the process was ended.

    Raises
    ------
    RtbciError
        If `make` raises it, as for a pipeline that cannot be loaded.
    RuntimeError
        For a mistake of ours, with its traceback.
    """
    done: dict[int, Any] = {}
    workers: list[_Worker] = []
    started: list[BaseProcess] = []
    next_job = yielded = 0
    try:
        while yielded < len(jobs):
            while next_job < len(jobs) and len(workers) < n_processes:
                workers.append(_start(make, jobs, next_job))
                started.append(workers[-1].process)
                next_job += 1
            ready = wait([worker.pipe for worker in workers])
            for worker in [one for one in workers if one.pipe in ready]:
                done[worker.job] = _result(worker)
                if isinstance(done[worker.job], _Ended):
                    done[worker.job] = Failed(done[worker.job].reason)
                    workers.remove(worker)
                elif next_job < len(jobs) and _handed_over(worker, next_job, jobs[next_job]):
                    next_job += 1
                else:
                    workers.remove(worker)
                    worker.pipe.close()  # it ends by itself
            while yielded in done:
                yield done.pop(yielded)
                yielded += 1
    finally:
        for process in started:
            process.kill()  # whatever was asked of it is done, or not wanted any more
            process.join()


def _handed_over(worker: _Worker, number: int, job: Any) -> bool:
    """Whether a process took its next job; one that has ended since did not."""
    try:
        worker.pipe.send(job)
    except OSError:
        return False
    worker.job = number
    return True


@dataclass(frozen=True)
class _Ended:
    reason: str


def _start(make: Make, jobs: Sequence[Any], job: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(make, named(), theirs), daemon=True)
    process.start()
    theirs.close()
    ours.send(jobs[job])
    return _Worker(process, ours, job)


def _result(worker: _Worker) -> Any:
    try:
        what, value = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        return _Ended(f"its process was ended (exit code {worker.process.exitcode}), perhaps for want of memory")
    if what == "done":
        return value
    if what == "failed":
        return Failed(value)
    if what == "mistake":
        raise RtbciError(value)
    raise RuntimeError(value)


def _work(make: Make, plugins: tuple[str, ...], pipe: Connection) -> None:
    """The process: job after job, until there is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its children
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    try:
        for one in plugins:
            plugin(one)
        work = make()
    except (RtbciError, OSError) as error:
        pipe.send(("mistake", error_text(error)))
        return
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("done", work(job)))
        except (RtbciError, OSError) as error:
            pipe.send(("failed", error_text(error)))
        except Exception:
            pipe.send(("bug", traceback.format_exc()))


def end_with_the_parent() -> None:
    """Wait for the end of the process that started this one, whatever ends it, and end, too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
