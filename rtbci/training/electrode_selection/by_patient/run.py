"""All sets of all folds, one fold after another or side by side; each set is kept as it is finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from rtbci.errors import ConfigError
from rtbci.models.step import check_device
from rtbci.models.threads import torch_threads
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.claimed import require_folder
from rtbci.training.crossval.jobs import folds_side_by_side, needs_of
from rtbci.training.crossval.parts import window_of
from rtbci.training.crossval.plan import Fold
from rtbci.training.crossval.run import Warnings, sources_and_folds
from rtbci.training.crossval.run import prepared as crossval_prepared
from rtbci.training.crossval.watch import Watch
from rtbci.training.electrode_selection.by_patient.fold import ElectrodesFold
from rtbci.training.electrode_selection.by_patient.folder import ElectrodesFolder, manifest_of
from rtbci.training.electrode_selection.by_patient.results import ElectrodesReport, SetResult
from rtbci.training.electrode_selection.by_patient.totals import choices, method_rows
from rtbci.training.electrode_selection.by_patient.wanted import Wanted, wanted_sets
from rtbci.training.electrode_selection.by_patient.watch import ElectrodesWatch
from rtbci.training.electrode_selection.comparison import with_network_alone
from rtbci.training.learning_curve import EpochFigures
from rtbci.training.source import Source
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import Workers


def select_by_patient(
    config: TrainConfig,
    ks: Sequence[int],
    out: str | Path,
    *,
    jobs: int | None = None,
    cluster: str = "",
    watch: ElectrodesWatch | None = None,
) -> ElectrodesReport:
    """Select derivations without each patient in turn, and compare; with one seed the same, however many processes there are.

    Parameters
    ----------
    config
        The training run of a tagger; `[crossval]` says who is left out, `[electrodes]` what is compared.
    ks
        Numbers of derivations.
    out
        Folder for the results. Sets that are finished there are not done again.
    jobs, cluster
        Who does the folds, each with one thread: see `Workers`.
    watch
        Told what happens.

    Returns
    -------
    ElectrodesReport
        As written to `summary.json`.

    Raises
    ------
    ConfigError, RecordingError, DatasetError
        If config and data do not agree, before the first fold; or if the folder holds other results.
    """
    watch = watch or ElectrodesWatch()
    out, workers = Path(out), Workers(jobs, cluster)
    require_folder(out)
    config, told = prepared(config)
    if not workers.cluster:
        check_device(config.training.device)
    needs = needs_of(config, out, workers, watch)
    wanted, left_out = wanted_sets(config, ks)
    warnings = Warnings(watch, (*told, *left_out))
    with torch_threads(1):
        sources, folds = sources_and_folds(config, warnings.append)
        manifest = manifest_of(config, sources)
        folder = ElectrodesFolder(out, manifest.digest)
        folder.claim(manifest)
        try:
            return _Run(config, wanted, folds, folder, watch, warnings).go(sources, workers, needs)
        finally:
            folder.close()


def prepared(config: TrainConfig) -> tuple[TrainConfig, list[str]]:
    """The config of a tagger without a selector, and a line for what of it is not used. Raises ConfigError."""
    config, told = crossval_prepared(with_network_alone(config))
    if window_of(config) is not None:
        raise ConfigError(
            f"select --by-patient is for taggers, and a {config.pipeline.model.kind} takes trials; leave --by-patient out"
        )
    if config.crossval.baseline:
        raise ConfigError("crossval.baseline: boosted trees have no search; leave it out of a selection")
    if config.sampling is None:
        raise ConfigError("select --by-patient searches and fits on sequences that are drawn; add [sampling]")
    return config, told


class _Run:
    def __init__(
        self,
        config: TrainConfig,
        wanted: Sequence[Wanted],
        folds: Sequence[Fold],
        folder: ElectrodesFolder,
        watch: ElectrodesWatch,
        warnings: list[str],
    ) -> None:
        self.config, self.wanted, self.folds = config, wanted, folds
        self.folder, self.watch, self.warnings = folder, watch, warnings

    def go(self, sources: Sequence[Source], workers: Workers, needs: Needs) -> ElectrodesReport:
        waiting = [fold for fold in self.folds if len(self._finished(fold)) < len(self.wanted)]
        self.watch.planned([f.name for f in self.folds], [f.name for f in self.folds if f not in waiting])
        report = self._written()
        if not workers.here:
            work = partial(_do_named, self.config, self.wanted, self.folder.path, self.folder.digest)
            names = {fold.name: fold for fold in waiting}

            def is_kept(name: str) -> bool:
                return len(self._finished(names[name])) == len(self.wanted)

            with closing(folds_side_by_side(work, [*names], workers, self.watch, needs, is_kept)) as done:
                for name, seconds in done:
                    report = self._after(names[name], seconds)
            return report
        for fold in waiting:
            began = time.monotonic()
            do_fold(self.config, self.wanted, sources, fold, self.folder, self.watch)
            report = self._after(fold, time.monotonic() - began)
        return report

    def _after(self, fold: Fold, seconds: float) -> ElectrodesReport:
        self.watch.fold_finished(fold.name, self._finished(fold), seconds)
        return self._written()

    def _finished(self, fold: Fold) -> list[SetResult]:
        channels = self.config.pipeline.montage.channels
        found = [self.folder.finished(fold.name, one, channels) for one in self.wanted]
        return [result for result in found if result is not None]

    def _written(self) -> ElectrodesReport:
        """Write tables and summary of what is finished."""
        by_fold = [self._finished(fold) for fold in self.folds]
        order = {one.key: number for number, one in enumerate(self.wanted)}
        sets = sorted((result for results in by_fold for result in results), key=lambda result: order[result.key])
        whole = sum(len(results) == len(self.wanted) for results in by_fold)
        report = ElectrodesReport(
            pipeline=self.config.pipeline.name,
            folder=str(self.folder.path),
            complete=whole == len(self.folds),
            folds_finished=whole,
            folds_planned=len(self.folds),
            operating_point=self.config.electrodes.operating_point,
            rows=method_rows(sets, self.config.crossval.seed),
            choices=choices(sets),
            seeds={"crossval": self.config.crossval.seed, "training": self.config.training.seed},
            digest=self.folder.digest,
            files=self.folder.TABLES,
        )
        self.folder.write_tables(sets, report, self.warnings)
        return report


def _do_named(config: TrainConfig, wanted: Sequence[Wanted], path: Path, digest: str, name: str, watch: Watch) -> None:
    """A fold in a process of its own."""
    sources, folds = sources_and_folds(config, lambda _: None)
    fold = next(fold for fold in folds if fold.name == name)
    do_fold(config, wanted, sources, fold, ElectrodesFolder(path, digest), watch)


def do_fold(
    config: TrainConfig,
    wanted: Sequence[Wanted],
    sources: Sequence[Source],
    fold: Fold,
    folder: ElectrodesFolder,
    watch: Watch,
) -> None:
    """Do the sets of a fold that are missing, and keep each. Raises ConfigError where recordings were changed before it."""
    watch.progress(fold.name, "reading recordings", 0, 1, None)
    recordings = ElectrodesFold(config, sources, fold)
    if manifest_of(config, sources).digest != folder.digest:
        raise ConfigError(
            f"recordings were changed before fold {fold.name} began; move them back, or name another --out"
        )
    for one in wanted:
        if folder.finished(fold.name, one, recordings.channels) is None:
            folder.save(one, recordings.result(one, partial(_report, watch, fold.name, one)))


def _report(
    watch: Watch, fold: str, wanted: Wanted, what: str, done: int, total: int, row: EpochFigures | None
) -> None:
    watch.progress(fold, f"{wanted.method}, K = {wanted.k}: {what}", done, total, row)
