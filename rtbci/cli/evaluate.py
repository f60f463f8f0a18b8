"""`rtbci evaluate`: scores a pipeline on annotated recordings, as text, tables or JSON; two of them side by side."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.progress import Progress, TimeRemainingColumn

from rtbci.cli.evaluation_files import EvaluationReport, ReportFolder, check_report, write_report
from rtbci.cli.evaluation_text import print_evaluation
from rtbci.cli.terminal import Terminal
from rtbci.datasets.named import one_by_one_line, open_named
from rtbci.errors import ConfigError
from rtbci.evaluation.chosen_point import ChosenPoint, with_point
from rtbci.evaluation.comparison import compare
from rtbci.evaluation.curve import Rule
from rtbci.evaluation.evaluate import CaseTagger, OnProgress, answers, evaluate
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
    warnings.add(filter(None, [one_by_one_line(datasets, n_processes)]))
    results = []
    strips = StripCollector(pipeline) if reports else None
    with progress(plans, quiet=json) as advance, _told_of_interruption():
        for planned, file, at_threshold in zip(plans, (pipeline_path, against), (threshold, None), strict=False):
            cut = strips if strips is not None and planned is plans[0] else _nothing
            make = partial(CaseTagger, str(file), at_threshold, device, stream, told)
            given = answers(planned, device=device, on_progress=advance, make=make, n_processes=n_processes)
            results.append(evaluate(planned, given, opened.failed, on_answer=cut))
            warnings.add(results[-1].warnings)
    first = results[0].figures
    if other is not None:
        warnings.add(_not_alike(first, results[1].figures))
    chosen, unkept = _chosen(pipeline, rule, first, save) if rule is not None else (None, "")
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
        print_evaluation(report, pipeline_path, against)
    lost = dict.fromkeys(one.reason for result in results for one in result.figures.failed)
    for line in (*(f"not scored: {reason}" for reason in lost), *filter(None, [unkept])):
        Terminal(stderr=True).print(f"error: {line}", soft_wrap=True)
    return 2 if lost or unkept else 0


def _nothing(*_: object) -> None:
    """Where no report is wanted."""


@contextmanager
def _told_of_interruption() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        Terminal(stderr=True).print("interrupted: nothing is scored, and nothing is written")
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
