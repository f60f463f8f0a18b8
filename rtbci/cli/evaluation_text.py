"""The figures of `rtbci evaluate` as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from rtbci.cli.evaluation_files import EvaluationReport
from rtbci.cli.patients import with_interval
from rtbci.cli.terminal import Terminal
from rtbci.evaluation.chosen_point import ChosenPoint
from rtbci.evaluation.comparison import FIGURES, Comparison
from rtbci.evaluation.evaluation import Evaluation, SubjectMeans
from rtbci.evaluation.intervals import Spread
from rtbci.evaluation.plan import counts_text
from rtbci.evaluation.scoring import EventScores

MOST_SUBJECTS = 40  # in the table on a terminal


def print_evaluation(report: EvaluationReport, pipeline: str, against: str | None) -> None:
    """Print a report; pipeline, against: the files, by which the two are named."""
    console = Terminal()
    console.print(report.annotations.line(), soft_wrap=True)
    _print_evaluation(console, report)
    if against is not None and report.against is not None and report.comparison is not None:
        console.print(f"\nagainst {Path(against).name}, on the same recordings", soft_wrap=True)
        _print_evaluation(console, report.against)
        console.print(f"\n{Path(pipeline).name} minus {Path(against).name}, paired by subject", soft_wrap=True)
        console.print(_comparison_table(console, report.comparison))
        if (at := report.comparison.trials) is not None:
            console.print(
                f"at cues, only the first is right in {at.only_first} trials, only the other in {at.only_other}: p {at.p:.3g} "
                "(McNemar's test)",
                soft_wrap=True,
            )
    if report.chosen is not None:
        _print_chosen(console, report.chosen)
    scorer = report.scorer
    console.print(
        f"{report.recordings} recordings, {report.hours:.2f} h, threshold {report.threshold:g}; scored by {scorer.name} "
        f"{scorer.version} (SzCORE)",
        soft_wrap=True,
    )


def _print_evaluation(console: Terminal, figures: Evaluation) -> None:
    if len(figures.classes) == 1:
        _print_scores(console, figures)
    for row in figures.classes if len(figures.classes) > 1 else ():
        console.print(f"{row.label}: against {counts_text(row.annotations) or 'no annotation'}", soft_wrap=True)
        _print_scores(console, row)
    if figures.subjects > 1:
        _print_subjects(console, figures)
    for line in _sentences(figures):
        console.print(line, soft_wrap=True)


def _print_scores(console: Terminal, figures: EventScores) -> None:
    for name, f in (("event", figures.event), ("sample", figures.sample)):
        console.print(
            f"by {name:6}  sensitivity {_figure_text(f.sensitivity)}  precision {_figure_text(f.precision)}  "
            f"F1 {_figure_text(f.f1)}  false alarms a day {_figure_text(f.false_alarms_per_24h, '.1f')}",
            soft_wrap=True,
        )
    delay = figures.detection_delay_s
    console.print(f"detection delay  p50 {_figure_text(delay.p50, '.1f')} s  p90 {_figure_text(delay.p90, '.1f')} s")
    if figures.already_alarmed:
        console.print(
            f"without a delay: {figures.already_alarmed}, for the alarm had been on for more than 30 s before the onset"
        )


def _print_subjects(console: Terminal, figures: Evaluation) -> None:
    shown = Table("subject", "recordings", "hours", "found", "median delay", "false alarms", "in warning", "AUROC")
    shown.box = shown.box if console.is_terminal else None
    for row in figures.subject_rows[:MOST_SUBJECTS]:
        shown.add_row(
            row.subject,
            str(row.recordings),
            f"{row.hours:.2f}",
            f"{row.found} of {row.seizures}",
            "–" if row.median_delay_s is None else f"{row.median_delay_s:.1f} s",
            str(row.alarms),
            "–" if row.share_above is None else f"{100 * row.share_above:.1f} %",
            _figure_text(row.auroc),
        )
    console.print(shown)
    if len(figures.subject_rows) > MOST_SUBJECTS:
        console.print(f"and {len(figures.subject_rows) - MOST_SUBJECTS} more subjects: --out writes them all")
    for name, means in (("event", figures.by_subject.event), ("sample", figures.by_subject.sample)):
        console.print(f"mean over subjects, by {name}: {_means_text(means)}", soft_wrap=True)
    console.print(f"mean over subjects: AUROC of samples {with_interval(figures.by_subject.auroc)}", soft_wrap=True)


def _means_text(means: SubjectMeans) -> str:
    parts = (("sensitivity", means.sensitivity, ".3f"), ("precision", means.precision, ".3f"), ("F1", means.f1, ".3f"))
    texts = [f"{name} {_spread_text(one, form)}" for name, one, form in parts]
    return ", ".join([*texts, f"false alarms a day {_spread_text(means.false_alarms_per_24h, '.1f')}"])


def _spread_text(one: Spread, form: str) -> str:
    if one.mean is None or one.std is None or one.low is None or one.high is None:
        return "–"
    return f"{one.mean:{form}} ± {one.std:{form}} ({one.low:{form}} to {one.high:{form}})"


def _sentences(figures: Evaluation) -> Iterator[str]:
    """Lines beside the scores."""
    by_length = [f"{row.found} of {row.seizures} of {_length_text(row.from_s, row.to_s)}" for row in figures.by_length]
    if by_length:
        yield f"found by length: {', '.join(by_length)}"
    chance = figures.chance
    if chance.sensitivity is not None and chance.p is not None:
        yield (
            f"chance: as many alarms at random find {_figure_text(chance.sensitivity)} ({_figure_text(chance.low)} to "
            f"{_figure_text(chance.high)}) of the events, these find {_figure_text(chance.observed)} (p {chance.p:.3f})"
        )
    curve = figures.curve
    if curve.low_area is not None:
        yield f"event sensitivity, mean over the rates from 0 to 1 false alarm an hour: {curve.low_area:.3f}"
    if curve.area is not None and curve.area_fa_per_h is not None:
        low, high = curve.area_fa_per_h
        yield f"event sensitivity, mean over the logarithm of {low:.2g} to {high:.2g} false alarms an hour: {curve.area:.3f}"
    one = figures.calibration
    if one.brier is not None and one.calibration_error is not None:
        yield (
            f"probabilities: Brier score {one.brier:.4f}, calibration error {one.calibration_error:.4f}, AUROC of all samples "
            f"{_figure_text(one.auroc)}"
        )
    if (at := figures.trials) is not None:
        yield (
            f"answers at cues: accuracy {at.accuracy:.3f} (95 %: {at.accuracy_low:.3f}–{at.accuracy_high:.3f}, Wilson) of "
            f"{at.trials} trials, kappa {_figure_text(at.kappa)}, always the commonest class {at.commonest:.3f}"
        )
    for row in figures.burden:
        if row.windows_at_least:
            yield (
                f"burden of {100 * row.at_least:g} % of five minutes or more: {row.windows_at_least} windows, agreement "
                f"{_figure_text(row.positive_agreement)} (lower 95 % bound {_figure_text(row.positive_agreement_low)})"
            )


def _length_text(from_s: float, to_s: float | None) -> str:
    return f"{from_s:g} s or more" if to_s is None else f"{from_s:g} to {to_s:g} s"


def _comparison_table(console: Terminal, found: Comparison) -> Table:
    shown = Table("difference", "mean over subjects", "95 % interval", "subjects")
    shown.box = shown.box if console.is_terminal else None
    for name in FIGURES:
        one = getattr(found, name)
        if one.mean is not None:
            shown.add_row(
                name.replace("_", " "), f"{one.mean:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}", str(one.subjects)
            )
    return shown


def _print_chosen(console: Terminal, chosen: ChosenPoint) -> None:
    p = chosen.point
    console.print(
        f"\n{chosen.rule}: threshold {p.threshold:g} finds {p.found} of {p.seizures} with {p.false_alarms} false alarms "
        f"({_figure_text(p.fa_per_h, '.3g')} an hour), median delay {_figure_text(p.delay_s, '.1f')} s; chosen on these "
        "recordings, so that new ones do worse",
        soft_wrap=True,
    )
    if chosen.file is not None:
        console.print(f"-> {chosen.file}", soft_wrap=True)


def _figure_text(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)
