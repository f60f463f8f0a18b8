"""`rtbci select --by-patient`: a tagger's config in; a table of methods, of subjects and of derivations out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from rtbci.cli.crossval import Display
from rtbci.cli.terminal import Terminal
from rtbci.evaluation.intervals import Interval
from rtbci.results import print_json
from rtbci.training.config import read_train_config
from rtbci.training.crossval.results import GroupTotals
from rtbci.training.electrode_selection.by_patient.folder import SUBJECTS, SUMMARY
from rtbci.training.electrode_selection.by_patient.results import ElectrodesReport, MethodRow, SetResult
from rtbci.training.electrode_selection.by_patient.run import select_by_patient
from rtbci.training.electrode_selection.by_patient.watch import ElectrodesWatch

PLAIN_WIDTH = 150  # where there is no terminal


def select_by_patient_from_file(
    config: Path,
    ks: list[int],
    out: Path,
    settings: list[str],
    *,
    jobs: int | None = None,
    cluster: str = "",
    json: bool,
    datasets: Sequence[str] = (),
) -> None:
    """Select and compare as a TOML file says, `settings` over it."""
    console = Terminal(stderr=True)
    parsed = read_train_config(config, settings, datasets)
    display = ElectrodesDisplay(console)
    with display.until_interrupted(out):
        report = select_by_patient(parsed, ks, out, jobs=jobs, cluster=cluster, watch=display)
    if json:
        return print_json(report, display.warnings)
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    console.print(methods_table(report.rows))
    for line in stability(report):
        console.print(line, soft_wrap=True)
    folder = Path(report.folder)
    console.print(f"by subject: {folder / SUBJECTS}; all figures: {folder / SUMMARY}", soft_wrap=True)


class ElectrodesDisplay(Display, ElectrodesWatch):
    """A bar for each fold under way; a line for each that is finished, and without a terminal one a minute."""

    def fold_finished(self, fold: str, sets: Sequence[SetResult], seconds: float) -> None:
        """Say what came of the sets of a fold."""
        self._done(fold, f"fold {fold}: AUROC {', '.join(map(_figure, sets))}", seconds)


def _figure(one: SetResult) -> str:
    aurocs = [row.auroc for row in one.subjects if row.tested and row.auroc is not None]
    return f"{one.method} (K = {one.k}) " + (f"{sum(aurocs) / len(aurocs):.3f}" if aurocs else "-")


def methods_table(rows: Sequence[MethodRow]) -> Table:
    """A row a method and K; alarms: in the recordings of tested subjects, and in those of each group with any."""
    table = Table(
        "method", "K", "AUROC, mean over subjects", "lowest", "seizures found", "median delay", "alarms", "one dropped",
        "worst dropped",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.method,
            str(row.k),
            _interval(row.auroc),
            "-" if row.worst is None else f"{row.worst.auroc:.3f} {row.worst.subject}",
            f"{row.found} of {row.seizures}",
            "-" if row.median_delay_s is None else f"{row.median_delay_s:.1f} s",
            _alarms(row.groups),
            _mean(row.one_dropped),
            _mean(row.one_dropped_worst),
        )
    return table


def _alarms(groups: dict[str, GroupTotals]) -> str:
    return ", ".join(f"{group.alarms} {name}" for name, group in groups.items() if group.alarms) or "0"


def _mean(one: Interval) -> str:
    return "-" if one.mean is None else f"{one.mean:.3f}"


def _interval(one: Interval) -> str:
    if one.mean is None or one.low is None or one.high is None:
        return "-"
    return f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})"


def stability(report: ElectrodesReport, most: int = 10) -> list[str]:
    """Which derivations the folds chose, for each method whose choice depends on the fold."""
    lines = []
    for row in report.rows:
        if any(n < row.folds for n in row.chosen.values()):
            named = [f"{name} {n}" for name, n in row.chosen.items()]
            more = f", {len(named) - most} more" if len(named) > most else ""
            lines.append(
                f"{row.method}, K = {row.k}, chosen in how many of {row.folds} folds: {', '.join(named[:most])}{more}"
            )
    return lines
