"""`rtbci select`: a config in; a pipeline file for each K, a table and a figure out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rtbci.cli.terminal import Terminal
from rtbci.errors import ConfigError
from rtbci.models.step import check_device
from rtbci.models.threads import torch_threads
from rtbci.pipeline.file import check_target
from rtbci.results import print_json
from rtbci.text import file_name
from rtbci.training.config import TrainConfig, read_train_config
from rtbci.training.data import OnProgress, OnWarning
from rtbci.training.electrode_selection.comparison import Comparison, scores_of_all, scores_with
from rtbci.training.electrode_selection.pipeline import pipeline_of
from rtbci.training.electrode_selection.report import (
    NOTE,
    FoldNames,
    MethodRow,
    Search,
    SelectionReport,
    check_report,
    described,
    row_of,
    write_report,
)
from rtbci.training.electrode_selection.search import OnEpoch


def select_from_file(
    config: Path, ks: list[int], out: Path, settings: list[str], json: bool, datasets: Sequence[str] = ()
) -> None:
    """Select electrodes as a TOML file says, and write to the folder `out`.

    What is finished is written after each K, so that Ctrl-C loses only the K that it cuts short.
    """
    parsed = read_train_config(config, settings, datasets)
    check_device(parsed.training.device)
    _check(parsed, ks, out)
    out.mkdir(parents=True, exist_ok=True)
    console = Terminal(stderr=True)
    warnings: list[str] = []

    def warned(line: str) -> None:
        warnings.append(line)
        console.print(f"warning: {line}", soft_wrap=True)

    with _bar(console, quiet=json) as on_progress:
        report = compare(parsed, ks, out, on_progress, warned)
    if json:
        return print_json(report, warnings)
    console.print(_table(report.rows))
    for path in report.files:
        console.print(path, soft_wrap=True)


def compare(
    config: TrainConfig, ks: list[int], out: Path, on_progress: OnProgress, on_warning: OnWarning = lambda _: None
) -> SelectionReport:
    """All electrodes, and for each K every method and a pipeline file; the report as it was written."""
    name = config.pipeline.name
    with torch_threads(config.training.threads):
        comparison = Comparison.load(config, on_progress, on_warning)
        rows = [row_of(scores_of_all(comparison, on_progress))]
        searches: dict[str, Search] = {}
        searches_of_folds: dict[str, tuple[Search, ...]] = {}
        files: list[str] = []
        for k in ks:
            scores, found = scores_with(comparison, k, on_progress)
            chosen = comparison.select(comparison.final_fold(), k, _epochs_of(on_progress, k))
            rows += [row_of(score) for score in scores]
            searches[str(k)] = described(chosen, comparison.channels)
            searches_of_folds[str(k)] = tuple(described(one, comparison.channels) for one in found)
            path = _pipeline_path(out, name, k)
            pipeline_of(comparison, chosen, scores).save(path)
            files.append(str(path))
            report = _report(comparison, rows, searches, searches_of_folds, files)
            written = [str(p) for p in write_report(out, name, report)]
    return report.model_copy(update={"files": (*files, *written)})


def _epochs_of(on_progress: OnProgress, k: int) -> OnEpoch:
    return lambda done, total: on_progress(f"pipeline, K = {k}", done, total, None)


def _check(config: TrainConfig, ks: list[int], out: Path) -> None:
    n_channels = len(config.pipeline.montage.channels)
    for k in ks:
        if not 1 <= k <= n_channels:
            raise ConfigError(f"--k {k}: the montage has {n_channels} channels; wanted 1 to {n_channels}")
    if not ks or len(set(ks)) < len(ks):
        raise ConfigError(f"--k wants numbers, each once; got {', '.join(map(str, ks)) or 'none'}")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file; wanted a folder")
    for k in ks:
        check_target(_pipeline_path(out, config.pipeline.name, k))
    check_report(out, config.pipeline.name)


def _pipeline_path(out: Path, name: str, k: int) -> Path:
    return out / f"{file_name(name, 'pipeline')}_k{k}.rtbci"


def _report(
    comparison: Comparison,
    rows: list[MethodRow],
    searches: dict[str, Search],
    searches_of_folds: dict[str, tuple[Search, ...]],
    files: list[str],
) -> SelectionReport:
    names = [e.source.name for e in comparison.examples]
    counts = [int((comparison.segments.groups == g).sum()) for g in range(len(names))]
    folds = tuple(
        FoldNames(test=tuple(names[g] for g in f.test), held_out=tuple(names[g] for g in f.held_out))
        for f in comparison.folds()
    )
    return SelectionReport(
        pipeline=comparison.config.pipeline.name,
        pieces=dict(zip(names, counts, strict=True)),
        folds=folds,
        converged_entropy=comparison.config.selection.converged_entropy,
        rows=tuple(rows),
        searches=searches,
        searches_of_folds=searches_of_folds,
        files=tuple(files),
        annotations=comparison.data.annotations,
        note=NOTE,
    )


def _table(rows: Iterable[MethodRow]) -> Table:
    table = Table("method", "K", "accuracy", "95 % interval", "range of sets")
    for row in rows:
        spread = f"{row.lowest:.2f} … {row.highest:.2f}" if row.n_sets > 1 else ""
        figures = f"{row.accuracy:.3f}", f"{row.low:.2f} … {row.high:.2f}"
        table.add_row(row.method, str(row.k), *figures, spread)
    return table


@contextmanager
def _bar(console: Terminal, *, quiet: bool) -> Iterator[OnProgress]:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total}")
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda what, done, total, _: bar.update(task, description=what, completed=done, total=total)
