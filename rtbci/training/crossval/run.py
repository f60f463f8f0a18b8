"""The folds of a cross-validation, one after another or side by side; each is kept as it is finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from rtbci.errors import ConfigError
from rtbci.models.contract import check_before_training
from rtbci.models.step import check_device
from rtbci.models.threads import torch_threads
from rtbci.text import grouped
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.claimed import Manifest, require_folder
from rtbci.training.crossval.fold import made_by, preprocess_for_all, run_fold
from rtbci.training.crossval.folder import RESULTS, SUBJECTS, SUMMARY, Folder
from rtbci.training.crossval.jobs import folds_side_by_side, needs_of
from rtbci.training.crossval.plan import Fold, plan, units_of
from rtbci.training.crossval.results import CrossvalReport, FoldResult
from rtbci.training.crossval.totals import summarise
from rtbci.training.crossval.watch import Watch
from rtbci.training.data import OnWarning, with_mask, with_sizes
from rtbci.training.data_config import ValidationConfig
from rtbci.training.examples import find_sources
from rtbci.training.source import Source
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import Workers


def crossval(
    config: TrainConfig,
    out: str | Path,
    *,
    jobs: int | None = None,
    cluster: str = "",
    watch: Watch | None = None,
) -> CrossvalReport:
    """Nested cross-validation by subject; with one seed, the same result to the bit, however many processes there are.

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

    Returns
    -------
    CrossvalReport
        As written to `summary.json`.

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
    needs = needs_of(config, out, workers, watch)
    warnings = Warnings(watch, told)
    with torch_threads(1):
        sources, folds = sources_and_folds(config, warnings.append)
        manifest = Manifest.of(config, sources)
        folder = Folder(out, manifest.digest)
        folder.claim(manifest)
        try:
            return _run(config, sources, folds, folder, workers, needs, watch, warnings)
        finally:
            folder.close()


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
    if getattr(sized.model, "window", None) is not None:
        raise ConfigError(
            f"crossval is for taggers, and a {config.pipeline.model.kind} takes trials; `rtbci train` with "
            "data.validation.k_fold cross-validates these"
        )
    if config.pipeline.model.kind == "selection":
        raise ConfigError("crossval is for taggers; `rtbci select` has folds of its own")
    validation = config.data.validation
    default = ValidationConfig()
    unused = [key for key in ("files", "fraction", "folds") if getattr(validation, key) != getattr(default, key)]
    told = [
        f"data.validation.{' and '.join(unused)}: not used; every choice is made on folds of [crossval]"
    ] if unused else []  # fmt: skip
    never_split = ValidationConfig(by=config.crossval.by, synthetic_fraction=0.0)
    data = config.data.model_copy(update={"validation": never_split})
    training = config.training.model_copy(update={"threads": 1})
    return config.model_copy(update={"data": data, "training": training}), told


def sources_and_folds(config: TrainConfig, on_warning: OnWarning) -> tuple[list[Source], list[Fold]]:
    """All recordings of a prepared config, and who is tested by which fold. Raises ConfigError."""
    sources = units_of(find_sources(config, on_warning), config.crossval)
    for line in grouped(text for source in sources for text in source.warnings):
        on_warning(line)
    return sources, plan(sources, config)


def _run(
    config: TrainConfig,
    sources: list[Source],
    folds: list[Fold],
    folder: Folder,
    workers: Workers,
    needs: Needs,
    watch: Watch,
    warnings: list[str],
) -> CrossvalReport:
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


def _oddities(results: dict[str, FoldResult | None], folder: Folder) -> list[str]:
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
    do_fold(config, sources, next(fold for fold in folds if fold.name == name), Folder(path, digest), watch)


def do_fold(config: TrainConfig, sources: Sequence[Source], fold: Fold, folder: Folder, watch: Watch) -> None:
    """Run a fold and keep it. Raises ConfigError where a recording was changed since the cross-validation began."""
    fitted = run_fold(config, sources, fold, lambda *what: watch.progress(fold.name, *what))
    if Manifest.of(config, sources).digest != folder.digest:
        raise ConfigError(f"recordings were changed while fold {fold.name} was fitted; its result is not kept")
    folder.save(fitted)


def _there(result: FoldResult | None) -> FoldResult:
    assert result is not None, "a fold that was just written can be read"
    return result


def _written(
    config: TrainConfig,
    folds: Sequence[Fold],
    results: dict[str, FoldResult | None],
    folder: Folder,
    warnings: list[str],
) -> CrossvalReport:
    """Write tables and summary of what is finished."""
    done = [result for fold in folds if (result := results[fold.name]) is not None]
    files = [path.name for result in done for path in folder.files(result.fold)]
    report = summarise(
        done,
        pipeline=config.pipeline.name,
        folder=str(folder.path),
        planned=len(folds),
        seeds={"crossval": config.crossval.seed, "training": config.training.seed},
        digest=folder.digest,
        files=(RESULTS, SUBJECTS, SUMMARY, *files),
    )
    folder.write_tables(done, report, warnings)
    return report
