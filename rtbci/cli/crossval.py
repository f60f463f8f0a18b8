"""`rtbci crossval`: a config in; a table by recording and by subject, scores and a pipeline for each fold out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rtbci.cli.crossval_trials import print_trials, trials_line
from rtbci.cli.patients import groups_table, with_interval
from rtbci.cli.terminal import MinuteLines, Terminal
from rtbci.results import print_json
from rtbci.training.config import read_train_config
from rtbci.training.crossval.folder import SUBJECTS, SUMMARY
from rtbci.training.crossval.results import CrossvalReport, FoldChoice, FoldResult
from rtbci.training.crossval.run import crossval
from rtbci.training.crossval.trial_results import TrialCrossvalReport, TrialFoldResult
from rtbci.training.crossval.watch import Watch
from rtbci.training.learning_curve import EpochFigures


def crossval_from_file(
    config: Path,
    out: Path,
    settings: list[str],
    *,
    jobs: int | None = None,
    cluster: str = "",
    json: bool,
    against: Path | None = None,
    datasets: Sequence[str] = (),
) -> None:
    """Cross-validate as a TOML file says, `settings` over it; compare with the results in the folder `against`."""
    console = Terminal(stderr=True)
    parsed = read_train_config(config, settings, datasets)
    display = Display(console)
    with display.until_interrupted(out):
        report = crossval(parsed, out, jobs=jobs, cluster=cluster, watch=display, against=against)
    if json:
        return print_json(report, display.warnings)
    if isinstance(report, TrialCrossvalReport):
        return print_trials(report, against, console)
    console.print(groups_table(report.groups))
    for line in summary(report):
        console.print(line, soft_wrap=True)


class Display(Watch):
    """A bar for each fold under way; a line for each that is finished, and without a terminal one a minute."""

    def __init__(self, console: Terminal) -> None:
        self.warnings: list[str] = []
        self.n_folds = self.n_finished = 0
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.1f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._lines = MinuteLines(console)

    @contextmanager
    def until_interrupted(self, out: Path) -> Iterator[None]:
        """Show the bars; after Ctrl-C, say what is kept."""
        try:
            with self.bar:
                yield
        except KeyboardInterrupt:
            if self.n_folds:
                self._print(
                    f"{self.n_finished} of {self.n_folds} folds are finished and kept in {out}; the same command goes on "
                    "from there"
                )
            raise

    def warned(self, line: str) -> None:
        """Print it, and keep it for `--json`."""
        self.warnings.append(line)
        self._print(f"warning: {line}")

    def planned(self, folds: Sequence[str], finished: Sequence[str]) -> None:
        """What is to be done."""
        self.n_folds, self.n_finished = len(folds), len(finished)
        before = f", {len(finished)} of them finished before" if finished else ""
        self._print(f"{len(folds)} folds{before}")

    def reading(self, done: int, total: int) -> None:
        """Move the bar of what all folds share."""
        self.progress("", "reading recordings", done, total, None)
        if done == total:
            self.bar.remove_task(self._tasks.pop(""))

    def progress(self, fold: str, what: str, done: float, total: float, row: EpochFigures | None) -> None:
        """Move the bar of a fold."""
        figures = "" if row is None else f"loss {row.train_loss:.4f}"
        if row is not None and row.held_out_loss is not None:
            figures += f" · held out {row.held_out_loss:.4f}"
        if fold not in self._tasks:
            self._tasks[fold] = self.bar.add_task("", total=1, figures="")
        task = self._tasks[fold]
        what = f"fold {fold}: {what}" if fold else what
        self.bar.update(task, description=what, completed=done, total=total, figures=figures)
        self._lines.say(f"{what}, {done:.3g} of {total:g}{f', {figures}' if figures else ''}")

    def finished(self, result: FoldChoice, seconds: float) -> None:
        """Say what came of a fold."""
        if isinstance(result, TrialFoldResult):
            self._done(result.fold, trials_line(result), seconds)
        elif isinstance(result, FoldResult):
            self._done(result.fold, fold_line(result), seconds)

    def _done(self, fold: str, line: str, seconds: float) -> None:
        self.n_finished += 1
        if (task := self._tasks.pop(fold, None)) is not None:
            self.bar.remove_task(task)
        self._print(f"{self.n_finished} of {self.n_folds}: {line}; {seconds:.0f} s")

    def _print(self, line: str) -> None:
        self._lines.restart()
        self._console.print(line, soft_wrap=True)


def fold_line(result: FoldResult) -> str:
    """What came of a fold, in one line."""
    tested = [row for row in result.subjects if row.tested]
    others = [row for row in result.subjects if not row.tested]
    aurocs = [row.auroc for row in tested if row.auroc is not None]
    point = result.operating_point
    parts = [
        f"fold {result.fold}: {sum(r.found for r in tested)} of {sum(r.seizures for r in tested)} seizures found",
        f"AUROC {sum(aurocs) / len(aurocs):.3f}" if aurocs else "no AUROC",
        f"{sum(sum(r.alarms.values()) for r in tested)} alarms",
    ]
    if others:
        parts.append(f"{sum(sum(r.alarms.values()) for r in others)} in the recordings of {len(others)} other subjects")
    fitted = f"epoch {result.epoch}" if result.curve else f"{result.epoch} trees"
    parts.append(f"{fitted}, threshold {point.threshold:g}, at least {point.min_duration_s:g} s")
    if point.keeps_bound is False:
        parts.append("the nearest to the bound, which none keeps")
    return ", ".join(parts)


def summary(report: CrossvalReport) -> list[str]:
    """The totals in a few lines."""
    p50 = report.detection_delay_s.p50
    delay = "-" if p50 is None else f"{p50:.1f} s"
    lines = [
        f"{report.found} of {report.seizures} seizures of {report.subjects} subjects found, {delay} after the onset at the "
        f"median, {report.alarms} alarms in their recordings",
        f"mean over subjects: sensitivity {with_interval(report.sensitivity)}, AUROC of samples "
        f"{with_interval(report.auroc)}",
    ]
    if report.worst is not None:
        lines.append(
            f"lowest AUROC: {report.worst.subject}, {report.worst.auroc:.3f}, {report.worst.found} of "
            f"{report.worst.seizures} seizures found"
        )
    folder = Path(report.folder)
    lines.append(f"by subject: {folder / SUBJECTS}; all figures: {folder / SUMMARY}")
    return lines
