"""`rtbci evaluate`: scores a pipeline on annotated recordings, as text, tables or JSON; two of them side by side."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table

from rtbci.cli.patients import with_interval
from rtbci.cli.terminal import Terminal
from rtbci.datasets.named import open_named
from rtbci.errors import ConfigError
from rtbci.evaluation.chosen_point import ChosenPoint, with_point
from rtbci.evaluation.comparison import FIGURES, Comparison, compare
from rtbci.evaluation.curve import CurvePoint, Rule
from rtbci.evaluation.evaluate import CaseTagger, OnProgress, Opened, Plan, answers, counts_text, evaluate, plan
from rtbci.evaluation.evaluation import Evaluation, SubjectMeans
from rtbci.evaluation.intervals import Spread
from rtbci.evaluation.rows import RecordingRow, SeizureRow, SubjectRow
from rtbci.evaluation.scoring import EventScores
from rtbci.evaluation.tables import cells, columns_of, table
from rtbci.files import atomic_write
from rtbci.models.step import check_device
from rtbci.pipeline.file import check_target
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.overrides import StreamOverrides
from rtbci.report.contents import Contents
from rtbci.report.strips import StripCollector
from rtbci.results import Result, about, print_json
from rtbci.text import grouped, json_text

RECORDINGS, SUBJECTS, SEIZURES, CURVE, SUMMARY = (
    "recordings.tsv", "subjects.tsv", "seizures.tsv", "curve.tsv", "evaluation.json",
)  # fmt: skip
_BEGINNINGS = {".html": b"<!doctype html>", ".pdf": b"%PDF"}
LINE_EVERY_S = 60.0  # where there is no terminal
MOST_SUBJECTS = 40  # in the table on a terminal


class EvaluationReport(Evaluation):
    """What `rtbci evaluate` says."""

    against: Evaluation | None
    """The other pipeline on the same recordings; null without `--against`."""
    comparison: Comparison | None
    chosen: ChosenPoint | None
    """null without `--at`."""


def evaluate_files(
    pipeline_path: str,
    paths: list[Path],
    labels: list[str],
    *,
    stream: str | None = None,
    told: StreamOverrides | None = None,
    device: str,
    json: bool,
    threshold: float | None = None,
    against: str | None = None,
    at: str | None = None,
    save: Path | None = None,
    out: Path | None = None,
    background: Sequence[Path] = (),
    subject_pattern: str = "",
    datasets: Sequence[str] = (),
    reports: Sequence[Path] = (),
    n_processes: int = 1,
) -> int:
    """Score a pipeline on annotated recordings.

    Returns
    -------
    int
        Exit code: 2 where a recording could not be read or tagged.

    Raises
    ------
    RecordingError
        If none has annotations that count.
    ConfigError
        If an option cannot be followed; nothing is written then.
    """
    check_device(device)
    rule = Rule.parse(at) if at is not None else None
    if save is not None:
        if rule is None:
            raise ConfigError("--save writes the pipeline with the threshold that --at chooses; say --at RULE, too")
        check_target(save)
    folder = ReportFolder(out) if out is not None else None
    for path in reports:
        check_report(path)
    pipeline = Pipeline.load(pipeline_path).with_threshold(threshold)
    other = Pipeline.load(against) if against is not None else None
    if not paths and not datasets and not background:
        raise ConfigError("no recording was named; wanted files, folders, or --dataset NAME=FOLDER")
    opened = Opened.of(
        paths,
        stream=stream,
        told=told,
        background=background,
        subject_pattern=subject_pattern,
        datasets=open_named(datasets),
    )
    plans = [plan(one, opened, labels) for one in (pipeline, *([other] if other is not None else []))]
    warnings = _Warnings(line for planned in plans for line in planned.warnings)
    results = []
    strips = StripCollector(pipeline) if reports else None
    with progress(plans, quiet=json) as advance:
        for planned, file, at_threshold in zip(plans, (pipeline_path, against), (threshold, None), strict=False):
            cut = strips if strips is not None and planned is plans[0] else _nothing
            make = partial(CaseTagger, str(file), at_threshold, device, stream, told)
            given = answers(planned, device=device, on_progress=advance, make=make, n_processes=n_processes)
            results.append(evaluate(planned, given, opened.failed, on_answer=cut))
            warnings.add(results[-1].warnings)
    first = results[0].figures
    chosen = _chosen(pipeline, rule, first, save) if rule is not None else None
    report = EvaluationReport(
        **{key: getattr(first, key) for key in Evaluation.model_fields},
        against=results[1].figures if other is not None else None,
        comparison=compare(results[0], results[1]) if other is not None else None,
        chosen=chosen,
    )
    if folder is not None:
        folder.write(report, warnings.lines)
    if strips is not None:
        contents = Contents(
            pipeline,
            first,
            strips.strips,
            sum(strips.left_out.values()),
            grouped(warnings.lines),
            report.against,
            report.comparison,
            chosen,
        )
        for path in reports:
            write_report(path, contents)
    if json:
        print_json(report, warnings.lines)
    else:
        _print(report, pipeline_path, against)
    for lost in report.failed:
        Terminal(stderr=True).print(f"error: not scored: {lost.reason}", soft_wrap=True)
    return 2 if report.failed else 0


def _nothing(*_: object) -> None:
    """Where no report is wanted."""


def check_report(path: Path) -> None:
    """Raise ConfigError for a report that cannot be written, or would replace what is none."""
    beginning = _BEGINNINGS.get(path.suffix.lower())
    if beginning is None:
        raise ConfigError(f"--report {path}: wanted a name that ends in .html or .pdf")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--report {path}: there is no folder {path.absolute().parent}")
    if path.exists() and (not path.is_file() or not path.read_bytes().startswith(beginning)):
        raise ConfigError(f"--report {path}: is something else than a report; name another file")


def write_report(path: Path, contents: Contents) -> None:
    """Write a report as HTML or PDF, by its name."""
    if path.suffix.lower() == ".pdf":
        from rtbci.report.pdf import pdf

        atomic_write(path, pdf(contents))
        return
    from rtbci.report.html import page

    atomic_write(path, page(contents))


def _chosen(pipeline: Pipeline, rule: Rule, evaluation: Evaluation, save: Path | None) -> ChosenPoint:
    point = rule.choose(evaluation.curve)
    names = tuple(row.recording for row in evaluation.rows)
    if save is not None:
        with_point(pipeline, rule, point, names).save(save)
    return ChosenPoint(rule=str(rule), point=point, chosen_on=names, file=None if save is None else str(save))


class _Warnings:
    """Lines that are shown as they come, alike ones together, and kept for the report."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines: list[str] = []
        self.add(lines)

    def add(self, lines: Iterable[str]) -> None:
        fresh = [line for line in dict.fromkeys(lines) if line not in self.lines]
        self.lines += fresh
        console = Terminal(stderr=True)
        for line in grouped(fresh):
            console.print(f"warning: {line}", soft_wrap=True)


@contextmanager
def progress(plans: Sequence[Plan], *, quiet: bool) -> Iterator[OnProgress]:
    """Progress over all recordings of all plans: a bar on a terminal, else a line now and then.

    Yields a function that takes the name of the recording under way and its seconds so far.
    """
    console = Terminal(stderr=True)
    total_s = sum(planned.duration_s for planned in plans)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("tagging", total=total_s)
        past = {"done": 0.0, "last": 0.0, "told": time.monotonic()}
        under_way = [""]
        lines = not quiet and not console.is_terminal

        def advance(name: str, seconds: float) -> None:
            if name != under_way[0] or seconds < past["last"]:
                past["done"] += past["last"]
                under_way[0] = name
            past["last"] = seconds
            done_s = past["done"] + seconds
            bar.update(task, completed=done_s, description=name)
            if lines and time.monotonic() - past["told"] > LINE_EVERY_S:
                past["told"] = time.monotonic()
                console.print(f"{name}: {done_s / 60:.0f} of {total_s / 60:.0f} minutes are tagged", soft_wrap=True)

        yield advance
        bar.update(task, completed=total_s)


class ReportFolder:
    """The folder of `--out`: tables and JSON; other people's files of these names are not replaced.

    Raises
    ------
    ConfigError
        If it is a file, or holds a file of one of these names that `evaluate` did not write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ConfigError(f"--out {path} is a file; wanted a folder")
        for name, header in self._headers().items():
            file = path / name
            if file.exists() and not file.read_bytes().startswith(header.encode()):
                raise ConfigError(f"{file}: was not written by `rtbci evaluate`; name another folder with --out")

    @staticmethod
    def _headers() -> dict[str, str]:
        tables = {name: table(columns, []) for name, (columns, _) in _tables(()).items()}
        return tables | {SUMMARY: '{\n "event": '}

    def write(self, report: EvaluationReport, warnings: Sequence[str]) -> None:
        """Write all tables and the JSON."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name, (columns, rows) in _tables((report,)).items():
            atomic_write(self.path / name, table(columns, [cells(row) for row in rows]))
        atomic_write(self.path / SUMMARY, json_text(report.plain() | about(warnings).plain(), indent=1))


def _tables(reports: Sequence[EvaluationReport]) -> dict[str, tuple[list[str], list[Result]]]:
    """(columns, rows) of each table, by file name."""
    return {
        RECORDINGS: (
            columns_of(RecordingRow, ("subject", "recording"), EventScores.model_fields),
            [row for report in reports for row in report.rows],
        ),
        SUBJECTS: (
            columns_of(SubjectRow, ("subject",), ("event", "sample")),
            [row for report in reports for row in report.subject_rows],
        ),
        SEIZURES: (
            columns_of(SeizureRow, ("subject", "recording", "label")),
            [row for report in reports for row in report.seizure_rows],
        ),
        CURVE: (columns_of(CurvePoint, ("threshold",)), [row for report in reports for row in report.curve.points]),
    }


def _print(report: EvaluationReport, pipeline: str, against: str | None) -> None:
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
    if curve.area is not None:
        yield f"area under event sensitivity from 0 to {curve.up_to_fa_per_h:g} false alarms an hour: {curve.area:.3f}"
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
