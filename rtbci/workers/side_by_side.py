"""Jobs side by side: whoever has many files or folds calls this, and need not know where they are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from rtbci.errors import ConfigError, RtbciError, error_text
from rtbci.workers.needs import Needs
from rtbci.workers.processes import in_processes
from rtbci.workers.work import Done, Failed, Make


@dataclass(frozen=True)
class Workers:
    """Who does the work: this process, several of this machine, or those of a cluster.

    Parameters
    ----------
    jobs
        How many at once. None: one; of a cluster, as many as it has processors (or GPUs, where they are needed).
    cluster
        Address of a Ray cluster: "auto", "HOST:PORT", "ray://HOST:PORT", or "local" for one of this machine alone that
        ends with the work. "": none.

    Raises
    ------
    ConfigError
        For a number below one.
    """

    jobs: int | None = None
    cluster: str = ""

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"--jobs {self.jobs}: wanted 1 or more")

    @property
    def here(self) -> bool:
        """Whether this process does all of it, one job after another."""
        return not self.cluster and (self.jobs or 1) == 1

    def needs_gpu(self, device: str) -> bool:
        """Whether a job on a cluster needs a GPU to itself. Raises ConfigError for a device that a cluster is not asked for."""
        if self.cluster and device not in ("cpu", "cuda"):
            raise ConfigError(f"--cluster: device {device!r}; wanted cpu, or cuda, which gives each job a GPU")
        return bool(self.cluster) and device == "cuda"


HERE = Workers()


def side_by_side(
    make: Make,
    jobs: Sequence[Any],
    workers: Workers,
    *,
    on_report: Callable[[int, Any], None] = lambda _number, _what: None,
    needs: Needs | None = None,
) -> Generator[tuple[int, Done | Failed], None, None]:
    """Do jobs, several at once.

    Parameters
    ----------
    make
        Called once in each process; what it returns is called with each job, and with what to tell progress to. Makers,
        jobs, results and reports are pickled, unless `workers.here`.
    jobs
        What to do.
    workers
        Who does it.
    on_report
        Called with the number of a job and its progress. A cluster passes on two a second.
    needs
        What a cluster must have, and where a person is told of it.

    Yields
    ------
    int, Done | Failed
        Number and outcome of each job, as they are done. Failed: a file could not be read, or the process was ended; on a
        cluster, again and again.

    Raises
    ------
    RtbciError
        If `make` raises it, as for a pipeline that cannot be loaded; or if there is no such cluster, or it lacks what is needed.
    RuntimeError
        For a mistake of ours, with its traceback.

    Whatever ends it, Ctrl-C too, ends the processes of this machine and the tasks on a cluster; the cluster goes on.
    """
    if not jobs:
        return
    if workers.here:
        engine = _one_by_one(make, jobs, on_report)
    elif workers.cluster:
        from rtbci.workers.cluster import on_cluster

        engine = on_cluster(make, jobs, workers.cluster, workers.jobs, on_report, needs or Needs())
    else:
        engine = in_processes(make, jobs, workers.jobs or 1, on_report)
    with closing(engine):
        yield from engine


def in_order(
    outcomes: Generator[tuple[int, Done | Failed], None, None],
) -> Generator[Done | Failed, None, None]:
    """The outcomes in the order of the jobs; those that come too early are kept in memory."""
    early: dict[int, Done | Failed] = {}
    wanted = 0
    with closing(outcomes):
        for number, outcome in outcomes:
            early[number] = outcome
            while wanted in early:
                yield early.pop(wanted)
                wanted += 1


def _one_by_one(
    make: Make, jobs: Sequence[Any], on_report: Callable[[int, Any], None]
) -> Generator[tuple[int, Done | Failed], None, None]:
    """In this process; a mistake of ours keeps its own traceback."""
    work = make()
    for number, job in enumerate(jobs):
        began = time.monotonic()
        try:
            outcome: Done | Failed = Done(work(job, partial(on_report, number)), time.monotonic() - began)
        except (RtbciError, OSError) as error:
            outcome = Failed(error_text(error))
        yield number, outcome
