"""Folds side by side, each in a process of its own, which ends with the one that started it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from rtbci.errors import ConfigError, RtbciError, error_text
from rtbci.evaluation.workers import end_with_the_parent
from rtbci.plugins import named, plugin
from rtbci.training.crossval.watch import Watch
from rtbci.training.learning_curve import EpochFigures

Work = Callable[[str, Watch], None]  # does the fold of a name, and keeps it; it is pickled


@dataclass(frozen=True)
class _Job:
    fold: str
    process: BaseProcess
    reports: Connection
    began: float


def side_by_side(work: Work, folds: Sequence[str], jobs: int, watch: Watch) -> Generator[tuple[str, float], None, None]:
    """Run folds in as many processes as there are jobs.

    Parameters
    ----------
    work
        Called in a process with the name of a fold, and what to tell the progress to.
    folds
        Names of those to do.
    jobs
        Processes at once.
    watch
        Told the progress.

    Yields
    ------
    (str, float)
        A fold that is finished, and the seconds that it took.

    Raises
    ------
    RtbciError
        As the fold did; or where a process was killed. The others are ended then, as on any exception.
    """
    waiting, running = [*folds], list[_Job]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(work, waiting.pop(0)))
            ready = wait([job.reports for job in running])
            for job in [job for job in running if job.reports in ready]:
                if _take(job, watch):
                    running.remove(job)
                    job.process.join()
                    yield job.fold, time.monotonic() - job.began
    finally:
        for job in running:
            job.process.kill()
        for job in running:
            job.process.join()


def _start(work: Work, fold: str) -> _Job:
    context = multiprocessing.get_context("spawn")
    reports, ours = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, fold, named(), ours), name=f"fold {fold}", daemon=True)
    process.start()
    ours.close()
    return _Job(fold, process, reports, time.monotonic())


def _take(job: _Job, watch: Watch) -> bool:
    """Handle one report; whether the fold is finished."""
    try:
        what, *values = job.reports.recv()
    except EOFError:
        job.process.join()
        raise ConfigError(
            f"fold {job.fold}: its process was ended (exit code {job.process.exitcode}), perhaps for want of memory; what "
            "is finished is kept, and the same command goes on from there"
        ) from None
    if what == "progress":
        watch.progress(job.fold, *values)
    elif what == "mistake":
        raise RtbciError(f"fold {job.fold}: {values[0]}")
    elif what == "bug":
        raise RuntimeError(f"fold {job.fold}:\n{values[0]}")
    return bool(what == "finished")


def _work(work: Work, fold: str, plugins: tuple[str, ...], reports: Connection) -> None:
    """The process of one fold."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its children
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    torch.set_num_threads(1)

    class Reporting(Watch):
        def progress(self, fold: str, what: str, done: float, total: float, row: EpochFigures | None) -> None:
            reports.send(("progress", what, done, total, row))

    try:
        for one in plugins:
            plugin(one)
        work(fold, Reporting())
    except (RtbciError, OSError) as error:
        reports.send(("mistake", error_text(error)))
    except Exception:
        reports.send(("bug", traceback.format_exc()))
    else:
        reports.send(("finished",))
