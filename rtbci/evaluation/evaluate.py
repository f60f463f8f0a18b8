"""Annotated recordings through a pipeline, one after another, and the figures of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rtbci.errors import RecordingError, RtbciError, about_file, error_text
from rtbci.evaluation.batch import Copies
from rtbci.evaluation.cue_answers import Trial
from rtbci.evaluation.evaluation import Evaluation, EvaluationSum, LeftOut
from rtbci.evaluation.plan import Case, Plan
from rtbci.evaluation.responses import Scored
from rtbci.evaluation.tagging import Tagged, tag
from rtbci.evaluation.trained_on import TrainedOn
from rtbci.evaluation.workers import Failed, Make, side_by_side
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.content import Digesting
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording

OnProgress = Callable[[str, float], None]  # (name of the recording, its seconds so far)
OnAnswer = Callable[[Case, dict[str, Scored], Tagged], None]


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation came to: its figures, every answered cue, and what a person should know, a line each."""

    figures: Evaluation
    trials: tuple[Trial, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class CaseAnswer:
    """A pipeline's answer to a recording, the digest of its samples, and what was chosen among its channels."""

    result: Tagged
    content: str
    choices: tuple[str, ...]


def answer_to(
    pipeline: Pipeline, recording: Recording, device: str, on_progress: Callable[[float], None] | None = None
) -> CaseAnswer:
    """Tag a recording. Raises RtbciError and OSError."""
    digesting, choices = Digesting(recording), pipeline.choices(recording.info)
    result = tag(pipeline, digesting.recording, device=device, progress=on_progress)
    return CaseAnswer(result, digesting.text(), choices)


class CaseTagger:
    """What a process of `answers` does: loads the pipeline, and tags the recording of each path.

    Parameters
    ----------
    pipeline_file, threshold
        The pipeline, and another threshold than its own.
    device, stream, told
        As for `evaluate`, and for `Opened.of`.
    """

    def __init__(
        self,
        pipeline_file: str,
        threshold: float | None,
        device: str,
        stream: str | None,
        told: StreamOverrides | None,
    ) -> None:
        self._pipeline = Pipeline.load(pipeline_file).with_threshold(threshold)
        self._device, self._stream, self._told = device, stream, told

    def __call__(self, path: Path) -> CaseAnswer:
        return answer_to(self._pipeline, open_recording(path, stream=self._stream, told=self._told), self._device)


def answers(
    planned: Plan,
    *,
    device: str = "cpu",
    on_progress: OnProgress = lambda _name, _s: None,
    make: Make | None = None,
    n_processes: int = 1,
) -> Iterator[CaseAnswer | Failed]:
    """A pipeline's answer to each recording of a plan, in their order.

    Parameters
    ----------
    planned
        The recordings.
    device
        "cpu", "cuda", or "auto".
    on_progress
        Called with the name of the recording under way and its seconds so far.
    make, n_processes
        Makes a `CaseTagger` in each of so many processes; None: all in this one.
    """
    apart = [case for case, _ in planned.cases if case.by_path] if make is not None and n_processes > 1 else []
    elsewhere = side_by_side(make, [case.recording.path for case in apart], n_processes) if make and apart else iter(())
    for case, _ in planned.cases:
        name = case.recording.path.name
        if apart and case.by_path:
            yield next(elsewhere)
            on_progress(name, case.recording.duration_s)
            continue
        try:
            yield answer_to(planned.pipeline, case.recording, device, partial(on_progress, name))
        except (RtbciError, OSError) as error:
            yield Failed(error_text(error))


def evaluate(
    planned: Plan,
    answers: Iterable[CaseAnswer | Failed],
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
