"""Folds side by side; each is kept by whoever does it, and the first that fails ends them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rtbci.errors import ConfigError, RtbciError
from rtbci.models.threads import torch_threads
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.watch import Watch
from rtbci.training.learning_curve import EpochFigures
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import Workers, side_by_side
from rtbci.workers.work import Failed, Report

Work: TypeAlias = Callable[[str, Watch], None]  # does the fold of a name, and keeps it; it is pickled
SHOWN_WITHIN_S = 90.0  # by a network file system, what another machine has written


@dataclass(frozen=True)
class FoldWork:
    """What a process does: each fold that it is given, with one thread."""

    work: Work

    def __call__(self, fold: str, report: Report) -> None:
        with torch_threads(1):
            self.work(fold, _Reporting(report))


class _Reporting(Watch):
    EVERY_S = 0.5  # for batches are many

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reported = ("", 0.0)

    def progress(self, fold: str, what: str, done: float, total: float, row: EpochFigures | None) -> None:
        last, at = self._reported
        if row is not None or what != last or time.monotonic() - at > self.EVERY_S:
            self._reported = (what, time.monotonic())
            self._report((fold, what, done, total, row))


def needs_of(config: TrainConfig, out: Path, workers: Workers, watch: Watch) -> Needs:
    """What folds need of a cluster."""
    root = Path(config.data.root)
    folders = [
        folder for folder in (root, *(root / one.folder for one, _ in config.data.datasets())) if folder.is_dir()
    ]
    return Needs(out, folders, gpu=workers.needs_gpu(config.training.device), on_warning=watch.warned)


def folds_side_by_side(
    work: Work,
    folds: Sequence[str],
    workers: Workers,
    watch: Watch,
    needs: Needs,
    is_kept: Callable[[str], bool],
) -> Generator[tuple[str, float], None, None]:
    """Run folds, several at once.

    Parameters
    ----------
    work
        Called in a process with the name of a fold, and what to tell the progress to.
    folds
        Names of those to do.
    workers
        Who does them.
    watch
        Told the progress.
    needs
        Of a cluster.
    is_kept
        Whether the files of a fold are there.

    Yields
    ------
    (str, float)
        A fold that is finished, and the seconds that it took.

    Raises
    ------
    RtbciError
        As the fold did; or where its process was killed. The others are ended then, as on any exception.
    """
    needs = replace(needs, name=lambda number: f"fold {folds[number]}")
    outcomes = side_by_side(
        partial(FoldWork, work), folds, workers, on_report=lambda _, told: watch.progress(*told), needs=needs
    )
    with closing(outcomes):
        for number, outcome in outcomes:
            fold = folds[number]
            if isinstance(outcome, Failed) and outcome.ended:
                raise ConfigError(
                    f"fold {fold}: {outcome.reason}; what is finished is kept, and the same command goes on from there"
                )
            if isinstance(outcome, Failed):
                raise RtbciError(f"fold {fold}: {outcome.reason}")
            _await(fold, is_kept)
            yield fold, outcome.seconds


def _await(fold: str, is_kept: Callable[[str], bool]) -> None:
    """Wait until the files of a fold are seen here."""
    until = time.monotonic() + SHOWN_WITHIN_S
    while not is_kept(fold):
        if time.monotonic() > until:
            raise ConfigError(
                f"fold {fold}: is finished, but its files are not seen here after {SHOWN_WITHIN_S:.0f} s; once they are, "
                "the same command goes on from there"
            )
        time.sleep(1.0)
