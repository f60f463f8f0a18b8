"""`rtbci evaluate`: scores a pipeline on annotated recordings, as text, tables or JSON; two of them side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from rich.progress import Progress, TimeRemainingColumn

from rtbci.cli.evaluation_files import ANSWERS, EvaluationReport, ReportFolder, check_report, write_report
from rtbci.cli.evaluation_text import print_evaluation
from rtbci.cli.terminal import Terminal
from rtbci.datasets.named import open_named
from rtbci.errors import ConfigError
from rtbci.evaluation.batch import Batch
from rtbci.evaluation.chosen_point import ChosenPoint, with_point
from rtbci.evaluation.comparison import compare
from rtbci.evaluation.curve import Rule
from rtbci.evaluation.evaluate import answers, evaluate
from rtbci.evaluation.evaluation import Evaluation
from rtbci.evaluation.plan import MOST_SHOWN, Opened, Plan, plan
from rtbci.models.step import check_device
from rtbci.pipeline.file import check_target
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.overrides import StreamOverrides
from rtbci.report.contents import Contents
from rtbci.report.strips import StripCollector
from rtbci.results import print_json
from rtbci.text import grouped, listing
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import HERE, Workers

LINE_EVERY_S = 60.0  # where there is no terminal


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
    workers: Workers = HERE,
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
    if not workers.cluster:
        check_device(device)
    gpu = workers.needs_gpu(device)
    rule = Rule.parse(at) if at is not None else None
    if save is not None:
        if rule is None:
            raise ConfigError("--save writes the pipeline with the threshold that --at chooses; say --at RULE, too")
        check_target(save)
    folder = ReportFolder(out) if out is not None else None
    for path in reports:
        check_report(path)
    batch = Batch(pipeline_path, device=device, stream=stream, told=told, threshold=threshold)
    others = [Batch(against, device=device, stream=stream, told=told)] if against is not None else []
    pipeline = batch.pipeline
    if not paths and not datasets and not background:
        raise ConfigError("no recording was named; wanted files, folders, or --dataset NAME=FOLDER")
    named = open_named(datasets)
    opened = Opened.of(
        paths,
        stream=stream,
        told=told,
        background=background,
        subject_pattern=subject_pattern,
        datasets=named,
    )
    plans = [plan(one.pipeline, opened, labels) for one in (batch, *others)]
    warnings = _Warnings(line for planned in plans for line in planned.warnings)
    keep = out / ANSWERS if out is not None else None
    folders = {case.recording.path.parent for case in opened.cases} | {one.folder for one in named}
    results = []
    strips = StripCollector(pipeline) if reports else None
    with progress(plans, quiet=json) as advance, _told_of_interruption(keep):
        for number, (planned, one) in enumerate(zip(plans, (batch, *others), strict=True)):
            cut = strips if strips is not None and number == 0 else _nothing
            needs = Needs(
                keep,
                [*folders],
                [Path(against if number and against is not None else pipeline_path)],
                gpu,
                _named_cases(planned),
                lambda line: warnings.add([line]),
            )
            given = answers(planned, one, keep=keep, workers=workers, needs=needs, on_progress=partial(advance, number))
            with closing(given):
                results.append(evaluate(planned, given, opened.failed, on_answer=cut))
            warnings.add(results[-1].warnings)
    first = results[0].figures
    if others:
        warnings.add(_not_alike(first, results[1].figures))
    chosen, unkept = _chosen(pipeline, rule, first, save) if rule is not None else (None, "")
    report = EvaluationReport(
        **{key: getattr(first, key) for key in Evaluation.model_fields},
        against=results[1].figures if others else None,
        comparison=compare(results[0], results[1]) if others else None,
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
        print_evaluation(report, pipeline_path, against)
    lost = dict.fromkeys(one.reason for result in results for one in result.figures.failed)
    for line in (*(f"not scored: {reason}" for reason in lost), *filter(None, [unkept])):
        Terminal(stderr=True).print(f"error: {line}", soft_wrap=True)
    return 2 if lost or unkept else 0


def _nothing(*_: object) -> None:
    """Where no report is wanted."""


def _named_cases(planned: Plan) -> Callable[[int], str]:
    return lambda number: planned.cases[number][0].recording.path.name


@contextmanager
def _told_of_interruption(keep: Path | None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        line = "interrupted: nothing is scored, and nothing is written; with --out, finished answers are kept"
        if keep is not None:
            line = f"interrupted: nothing is scored; finished answers are kept in {keep}, and the same command goes on"
        Terminal(stderr=True).print(line, soft_wrap=True)
        raise


def _not_alike(first: Evaluation, other: Evaluation) -> list[str]:
    """A line where the two pipelines were not scored on the same recordings."""
    one, two = ({row.recording for row in figures.rows} for figures in (first, other))
    if one == two:
        return []
    apart = sorted(Path(name).name for name in one ^ two)
    return [
        f"the comparison is not of the same recordings: only one of the pipelines was scored on {listing(apart[:MOST_SHOWN])}"
        f"{' …' if len(apart) > MOST_SHOWN else ''}"
    ]


def _chosen(
    pipeline: Pipeline, rule: Rule, evaluation: Evaluation, save: Path | None
) -> tuple[ChosenPoint | None, str]:
    """The point that a rule chooses, or why no threshold keeps it."""
    try:
        point = rule.choose(evaluation.curve)
    except ConfigError as error:
        return None, str(error)
    names = tuple(row.recording for row in evaluation.rows)
    if save is not None:
        with_point(pipeline, rule, point, names).save(save)
    return ChosenPoint(rule=str(rule), point=point, chosen_on=names, file=None if save is None else str(save)), ""


class _Warnings:
    """Lines that are shown as they come, alike ones together, and kept for the report."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines: list[str] = []
        self.add(lines)

    def add(self, lines: Iterable[str]) -> None:
        known = set(self.lines)
        fresh = [line for line in dict.fromkeys(lines) if line not in known]
        self.lines += fresh
        console = Terminal(stderr=True)
        for line in grouped(fresh):
            console.print(f"warning: {line}", soft_wrap=True)


OnPlanProgress = Callable[[int, int, str, float], None]  # (number of the plan, and as `OnProgress`)


@contextmanager
def progress(plans: Sequence[Plan], *, quiet: bool) -> Iterator[OnPlanProgress]:
    """Progress over all recordings of all plans: a bar on a terminal, else a line now and then."""
    console = Terminal(stderr=True)
    total_s = sum(planned.duration_s for planned in plans)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("tagging", total=total_s)
        seconds_of: dict[tuple[int, int], float] = {}
        told_at = time.monotonic()
        lines = not quiet and not console.is_terminal

        def advance(plan: int, number: int, name: str, seconds: float) -> None:
            nonlocal told_at
            bar.update(task, advance=seconds - seconds_of.get((plan, number), 0.0), description=name)
            seconds_of[plan, number] = seconds
            if lines and time.monotonic() - told_at > LINE_EVERY_S:
                told_at, done_s = time.monotonic(), sum(seconds_of.values())
                console.print(f"{name}: {done_s / 60:.0f} of {total_s / 60:.0f} minutes are tagged", soft_wrap=True)

        yield advance
        bar.update(task, completed=total_s)
