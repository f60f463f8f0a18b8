"""Annotated recordings through a pipeline, one after another, and the figures of all."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rtbci.errors import RecordingError, about_file
from rtbci.evaluation.batch import Batch, Copies, Source, WholeAnswer
from rtbci.evaluation.cue_answers import Trial
from rtbci.evaluation.evaluation import Evaluation, EvaluationSum, LeftOut
from rtbci.evaluation.outputs import Outputs
from rtbci.evaluation.plan import Case, Plan
from rtbci.evaluation.responses import Scored
from rtbci.evaluation.tagging import Tagged
from rtbci.evaluation.trained_on import TrainedOn
from rtbci.recordings.predictions import digest
from rtbci.text import file_name
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import HERE, Workers, in_order, side_by_side
from rtbci.workers.work import Done, Failed, Report

OnProgress: TypeAlias = Callable[[int, str, float], None]  # (number and name of a recording, its seconds so far)
OnAnswer: TypeAlias = Callable[[Case, dict[str, Scored], Tagged], None]


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation came to: its figures, every answered cue, and what a person should know, a line each."""

    figures: Evaluation
    trials: tuple[Trial, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class CaseJob:
    """A recording to answer, and where all of the answer is kept; None: nowhere."""

    source: Source
    kept: Outputs | None


class CaseTagger:
    """What a process of `answers` does with each job."""

    def __init__(self, batch: Callable[[], Batch]) -> None:
        self._batch = batch()

    def __call__(self, job: CaseJob, report: Report) -> WholeAnswer:
        return self._batch.whole_answer(job.source, job.kept, lambda done_s, _all_s: report(done_s))


def answers(
    planned: Plan,
    batch: Batch,
    *,
    keep: Path | None = None,
    workers: Workers = HERE,
    needs: Needs | None = None,
    on_progress: OnProgress = lambda _number, _name, _s: None,
) -> Generator[WholeAnswer | Failed, None, None]:
    """A pipeline's answer to each recording of a plan, in their order.

    Parameters
    ----------
    planned
        The recordings.
    batch
        The pipeline.
    keep
        Folder for the answers, below which each pipeline has its own; those that are there already are not done again.
    workers
        Who does them.
    needs
        Of a cluster.
    on_progress
        Called with number and name of a recording and its seconds so far.

    Raises
    ------
    RtbciError
        Where the work cannot begin.
    """
    cases = [case for case, _ in planned.cases]
    jobs = [CaseJob(case.recording if workers.here else case.source, _kept(case, batch, keep)) for case in cases]

    def on_report(number: int, seconds: float) -> None:
        on_progress(number, cases[number].recording.path.name, seconds)

    make = partial(CaseTagger, (lambda: batch) if workers.here else batch.again_elsewhere)
    with closing(in_order(side_by_side(make, jobs, workers, on_report=on_report, needs=needs))) as outcomes:
        for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=True)):
            on_report(number, case.recording.duration_s)
            yield outcome.result if isinstance(outcome, Done) else outcome


def _kept(case: Case, batch: Batch, keep: Path | None) -> Outputs | None:
    """Where an answer is kept: by the pipeline, and by where the recording is, for names may be alike."""
    if keep is None:
        return None
    path, member = case.recording.path, getattr(case.source, "member", "")
    place = digest(f"{path.absolute()}\0{member}".encode("utf-8", "surrogateescape"))[:8]
    folder = keep / f"{file_name(batch.pipeline.name, 'pipeline')}-{batch.key}"
    return Outputs(folder, f"{path.stem}-{place}")


def evaluate(
    planned: Plan,
    answers: Iterable[WholeAnswer | Failed],
    failed: Sequence[LeftOut] = (),
    *,
    on_answer: OnAnswer = lambda _case, _scored, _result: None,
) -> Evaluated:
    """Score the answers to the recordings of a plan.

    Parameters
    ----------
    planned
        What is scored.
    answers
        To each recording, in their order: see `answers`.
    failed
        What could not be opened; it is named in the result.
    on_answer
        Called with each recording, what was scored of it, and the answer, before the scores are forgotten.

    Returns
    -------
    Evaluated
        The figures, the answered cues, and what a person should know. A recording that cannot be tagged is among `failed`.

    Raises
    ------
    RecordingError
        If none can be tagged.
    """
    pipeline = planned.pipeline
    total, seen = EvaluationSum(pipeline, planned.label_map), TrainedOn(pipeline.notes)
    lost, warnings, copies, n_done = list(failed), list[str](), Copies(), 0
    for (case, labels), answer in zip(planned.cases, answers, strict=True):
        name, path = case.recording.path.name, str(case.recording.path)
        if isinstance(answer, Failed):
            lost.append(LeftOut(recording=path, reason=about_file(answer.reason, case.recording.path)))
            continue
        on_answer(case, total.add(case.recording, case.subject, labels, answer.result), answer.result)
        n_done += 1
        warnings += [f"{name}: {text}" for text in (*answer.choices, *answer.result.warnings)]
        if text := copies.warning(case.recording.path, answer.content):
            warnings.append(f"{name}: {text}; both count")
        if text := seen.warning(case.recording.path, answer.content, case.subject):
            warnings.append(f"{name}: {text}")
    if not n_done:
        raise RecordingError(lost[-1].reason)
    return Evaluated(total.evaluation(planned.left_out, lost), tuple(total.at_cues.trials), tuple(warnings))
