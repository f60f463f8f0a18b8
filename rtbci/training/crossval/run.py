"""The folds of a cross-validation, one after another or side by side; each is kept as it is finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from rtbci.errors import ConfigError
from rtbci.models.contract import check_before_training
from rtbci.models.step import check_device
from rtbci.models.threads import torch_threads
from rtbci.text import grouped
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.claimed import Manifest, require_folder
from rtbci.training.crossval.config import OperatingPointConfig
from rtbci.training.crossval.fold import made_by, run_fold
from rtbci.training.crossval.folder import Folder, FoldsFolder
from rtbci.training.crossval.jobs import folds_side_by_side, needs_of
from rtbci.training.crossval.parts import window_of
from rtbci.training.crossval.plan import Fold, plan, units_of
from rtbci.training.crossval.results import CrossvalReport, FoldChoice
from rtbci.training.crossval.shared_signals import preprocess_for_all
from rtbci.training.crossval.trial_folder import KeptTrials, TrialFolder
from rtbci.training.crossval.trial_results import TrialCrossvalReport
from rtbci.training.crossval.watch import Watch
from rtbci.training.data import OnWarning, with_mask, with_sizes
from rtbci.training.data_config import ValidationConfig
from rtbci.training.examples import find_sources
from rtbci.training.source import Source
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import Workers

AnyFolder: TypeAlias = FoldsFolder[Any, Any]
Results: TypeAlias = dict[str, FoldChoice | None]


def crossval(
    config: TrainConfig,
    out: str | Path,
    *,
    jobs: int | None = None,
    cluster: str = "",
    watch: Watch | None = None,
    against: Path | None = None,
) -> CrossvalReport | TrialCrossvalReport:
    """Nested cross-validation; with one seed, the same result to the bit, however many processes there are.

    Parameters
    ----------
    config
        The training run.
    out
        Folder for the results. Folds that are finished there are not done again.
    jobs, cluster
        Who does the folds, each with one thread: see `Workers`.
    watch
        Told what happens.
    against
        Folder of another complete cross-validation of trials, to compare with trial by trial.

    Returns
    -------
    CrossvalReport, TrialCrossvalReport
        Of a tagger, or of a network of trials; as written to `summary.json`.

    Raises
    ------
    ConfigError, RecordingError, DatasetError
        If config and data do not agree, before the first fold; or if the folder holds other results.
    """
    watch = watch or Watch()
    out, workers = Path(out), Workers(jobs, cluster)
    require_folder(out)
    config, told = prepared(config)
    if not workers.cluster:
        check_device(config.training.device)
    other = None if against is None else _to_compare(config, against)
    needs = needs_of(config, out, workers, watch)
    warnings = Warnings(watch, told)
    with torch_threads(1):
        sources, folds = sources_and_folds(config, warnings.append)
        manifest = Manifest.of(config, sources).as_written(out / Folder.MANIFEST)
        folder = folder_of(config, out, manifest.digest)
        folder.claim(manifest)
        try:
            report = _run(config, sources, folds, folder, workers, needs, watch, warnings)
        finally:
            folder.close()
    if other is None:
        return report
    return report.model_copy(update={"against": KeptTrials.read(out).paired_with(other)})


def _to_compare(config: TrainConfig, against: Path) -> KeptTrials:
    if window_of(config) is None:
        raise ConfigError(
            f"--against compares answers to trials, and a {config.pipeline.model.kind} is a tagger; `rtbci evaluate --against` "
            "compares two of these"
        )
    return KeptTrials.read(against)


def folder_of(config: TrainConfig, path: Path, digest: str) -> AnyFolder:
    """Where results are written, by what the network answers."""
    return Folder(path, digest) if window_of(config) is None else TrialFolder(path, digest)


class Warnings(list[str]):
    """Lines for the summary; the watch is told each as it is added."""

    def __init__(self, watch: Watch, told: Sequence[str] = ()) -> None:
        super().__init__()
        self._watch = watch
        for line in told:
            self.append(line)

    def append(self, line: str) -> None:
        super().append(line)
        self._watch.warned(line)


def prepared(config: TrainConfig) -> tuple[TrainConfig, list[str]]:
    """The config with what a cross-validation settles itself, and a line for what of it is not used.

    Raises ConfigError where the network is none that can be cross-validated here.
    """
    sized = with_mask(with_sizes(config.pipeline), config.augment)
    check_before_training(sized.model)
    of_trials = window_of(config) is not None
    if config.pipeline.model.kind == "selection":
        raise ConfigError(
            "a selection of electrodes has a search in each fold, and folds of its own: `rtbci select`; crossval takes the "
            "network alone, as pipeline.model"
        )
    if config.crossval.by == "trial" and not of_trials:
        raise ConfigError(
            f'crossval.by = "trial" is for networks of trials, and a {config.pipeline.model.kind} is a tagger; wanted '
            '"subject" or "recording"'
        )
    if of_trials and config.crossval.baseline:
        raise ConfigError("crossval.baseline is for taggers: its features are of hops, and this network takes trials")
    told = []
    if of_trials and config.crossval.operating_point != OperatingPointConfig():
        told.append("crossval.operating_point: not used, for a trial is of its most probable class")
    validation, by_default = config.data.validation, ValidationConfig()
    unused = [
        key for key in ("files", "fraction", "folds", "k_fold") if getattr(validation, key) != getattr(by_default, key)
    ]
    if unused:
        told.append(f"data.validation.{' and '.join(unused)}: not used; every choice is made on folds of [crossval]")
    never_split = ValidationConfig(
        by="subject" if config.crossval.by == "subject" else "recording", synthetic_fraction=0.0
    )
    data = config.data.model_copy(update={"validation": never_split})
    training = config.training.model_copy(update={"threads": 1})
    return config.model_copy(update={"data": data, "training": training}), told


def sources_and_folds(config: TrainConfig, on_warning: OnWarning) -> tuple[list[Source], list[Fold]]:
    """All recordings of a prepared config, and who is tested by which fold. Raises ConfigError."""
    sources = find_sources(config, on_warning)
    for line in grouped(text for source in sources for text in source.warnings):
        on_warning(line)
    units = units_of(sources, config, on_warning)
    return units, plan(units, config, on_warning)


def _run(
    config: TrainConfig,
    sources: list[Source],
    folds: list[Fold],
    folder: AnyFolder,
    workers: Workers,
    needs: Needs,
    watch: Watch,
    warnings: list[str],
) -> CrossvalReport | TrialCrossvalReport:
    results = {fold.name: folder.finished(fold.name) for fold in folds}
    for line in _oddities(results, folder):
        warnings.append(line)
    watch.planned([fold.name for fold in folds], [name for name, result in results.items() if result is not None])
    report = _written(config, folds, results, folder, warnings)
    waiting = [fold for fold in folds if results[fold.name] is None]
    if not workers.here:
        if waiting and not workers.cluster:
            preprocess_for_all(config, sources, watch.reading)
        work = partial(_do_named, config, folder.path, folder.digest)
        names, is_kept = [fold.name for fold in waiting], lambda name: folder.finished(name) is not None
        with closing(folds_side_by_side(work, names, workers, watch, needs, is_kept)) as done:
            for name, seconds in done:
                results[name] = folder.finished(name)
                report = _written(config, folds, results, folder, warnings)
                watch.finished(_there(results[name]), seconds)
        return report
    for fold in waiting:
        began = time.monotonic()
        do_fold(config, sources, fold, folder, watch)
        results[fold.name] = folder.finished(fold.name)
        report = _written(config, folds, results, folder, warnings)
        watch.finished(_there(results[fold.name]), time.monotonic() - began)
    return report


def _oddities(results: Results, folder: AnyFolder) -> list[str]:
    """What is odd about folds that were finished before, a line each."""
    lines = [
        f"fold {name}: its files are not as they were written; it is done again"
        for name, result in results.items()
        if result is None and folder.is_there(name)
    ]
    other = [name for name, result in results.items() if result is not None and result.made_by != made_by()]
    if other:
        lines.append(f"folds that another version of rtbci made, or another machine, are kept: {', '.join(other)}")
    return lines


def _do_named(config: TrainConfig, path: Path, digest: str, name: str, watch: Watch) -> None:
    """A fold in a process of its own."""
    sources, folds = sources_and_folds(config, lambda _: None)
    do_fold(config, sources, next(fold for fold in folds if fold.name == name), folder_of(config, path, digest), watch)


def do_fold(config: TrainConfig, sources: Sequence[Source], fold: Fold, folder: AnyFolder, watch: Watch) -> None:
    """Run a fold and keep it. Raises ConfigError where a recording was changed since the cross-validation began."""
    fitted = run_fold(config, sources, fold, lambda *what: watch.progress(fold.name, *what))
    own = [source for side in fold.sides(sources) for source in side]
    if not folder.began_with(Manifest.of(config, own)):
        raise ConfigError(f"recordings were changed while fold {fold.name} was fitted; its result is not kept")
    folder.save(fitted)


def _there(result: FoldChoice | None) -> FoldChoice:
    assert result is not None, "a fold that was just written can be read"
    return result


def _written(
    config: TrainConfig, folds: Sequence[Fold], results: Results, folder: AnyFolder, warnings: list[str]
) -> CrossvalReport | TrialCrossvalReport:
    """Write tables and summary of what is finished."""
    done = [result for fold in folds if (result := results[fold.name]) is not None]
    report: CrossvalReport | TrialCrossvalReport = folder.report(done, config, len(folds))
    folder.write_tables(done, report, warnings)
    return report
