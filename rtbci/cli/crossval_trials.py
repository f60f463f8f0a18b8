"""What a cross-validation of trials says on a terminal: a line a fold, a table by subject, and the totals."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from rtbci.cli.patients import with_interval
from rtbci.cli.terminal import Terminal
from rtbci.evaluation.cue_answers import TrialScores
from rtbci.text import listing
from rtbci.training.crossval.folder import RESULTS, SUMMARY
from rtbci.training.crossval.trial_folder import subject_rows
from rtbci.training.crossval.trial_results import TrialCrossvalReport, TrialFoldResult

MOST_SUBJECTS = 40  # in the table


def trials_line(result: TrialFoldResult) -> str:
    """What came of a fold, in one line."""
    tested = [row for row in result.recordings if row.tested]
    n = sum(row.trials for row in tested)
    right = f"{sum(row.correct for row in tested)} of {n} trials right" if n else "no trial answered"
    others = f", and {len(result.others)} that are not tested" if result.others else ""
    return f"fold {result.fold}: held out {listing(result.tested, 6)}{others}; {right}, epoch {result.epoch}"


def print_trials(report: TrialCrossvalReport, against: Path | None, console: Terminal) -> None:
    """The table by subject, and the totals in a few lines."""
    if report.trials is not None:
        console.print(_subjects_table(report.trials, console))
    for line in _summary(report, against):
        console.print(line, soft_wrap=True)


def _subjects_table(scores: TrialScores, console: Terminal) -> Table:
    table = Table("subject", "trials", "accuracy", "95 %, Wilson", "kappa", "commonest class")
    table.box = table.box if console.is_terminal else None
    rows = subject_rows(scores)
    for row in rows[:MOST_SUBJECTS]:
        table.add_row(
            row.subject, str(row.trials), f"{row.accuracy:.3f}", f"{row.accuracy_low:.3f}–{row.accuracy_high:.3f}",
            _text(row.kappa), f"{row.commonest:.3f}",
        )  # fmt: skip
    if len(rows) > MOST_SUBJECTS:
        table.add_row(f"and {len(rows) - MOST_SUBJECTS} more")
    return table


def _summary(report: TrialCrossvalReport, against: Path | None) -> list[str]:
    scores, chance = report.trials, report.chance
    if scores is None or chance is None:
        return ["no trial was answered"]
    lines = [
        f"accuracy {scores.accuracy:.3f} (95 %: {scores.accuracy_low:.3f}–{scores.accuracy_high:.3f}, Wilson) of "
        f"{scores.trials} trials, kappa {_text(scores.kappa)}; always the commonest class {chance.accuracy:.3f}, above that at "
        f"p < 0.05 from {chance.above_from:.3f} on",
        f"mean over subjects: accuracy {with_interval(report.accuracy)}, kappa {with_interval(report.kappa)}"
        if report.subjects > 1
        else "one subject: it says nothing of others; trials of one recording are alike, so that the interval is too narrow",
        f"true class by answered class, {listing(scores.classes)}: "
        + "; ".join(" ".join(map(str, row)) for row in scores.confusion),
    ]
    if scores.unanswered:
        lines.append(f"{scores.unanswered} labelled trials have no answer, for samples of their windows are missing")
    if report.worst is not None and report.subjects > 1:
        lines.append(
            f"lowest accuracy: {report.worst.subject}, {report.worst.accuracy:.3f} of {report.worst.trials} trials"
        )
    if report.by != "subject" and report.subjects > 1:
        lines.append("other trials of the same subjects were in the fits: this says nothing of new subjects")
    if report.against is not None:
        lines.append(
            f"only here right: {report.against.only_first} trials, only in {against}: {report.against.only_other}; p "
            f"{report.against.p:.3g} (McNemar's test)"
        )
    folder = Path(report.folder)
    return [*lines, f"by fold and recording: {folder / RESULTS}; all figures: {folder / SUMMARY}"]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
