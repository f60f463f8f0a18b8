"""`rtbci evaluate`: scores a pipeline on annotated recordings, as text or JSON."""

from __future__ import annotations

from pathlib import Path

from rtbci.cli.tag import recording_warnings, tagging_progress
from rtbci.cli.terminal import Terminal
from rtbci.errors import RecordingError
from rtbci.evaluation.scoring import Scored, SzcoreScores, is_seizure, score
from rtbci.evaluation.tagging import tag
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.results import Text, print_json


class Evaluation(SzcoreScores):
    """Scores of a pipeline on annotated recordings."""

    recordings: int
    """Number of recordings."""
    hours: float
    """Total length of the recordings."""
    pipeline: Text
    """Its name."""


def evaluate_files(pipeline_path: str, paths: list[Path], labels: list[str], *, device: str, json: bool) -> None:
    """Score a pipeline on annotated recordings. Raises RecordingError if none has annotations."""
    pipeline = Pipeline.load(pipeline_path)
    opened = [open_recording(path) for path in paths]
    if not any(recording.annotations for recording in opened):
        raise RecordingError(
            f"none of the {len(opened)} recordings has an annotation, in the file or in NAME_events.tsv beside it"
        )
    scored: list[Scored] = []
    with tagging_progress(opened, json) as advance:
        for recording in opened:
            result = tag(pipeline, recording, device=device, progress=advance)
            truth = tuple(e for e in recording.annotations if (e.label in labels if labels else is_seizure(e.label)))
            found = tuple(e for e in result.events if labels or is_seizure(e.label))
            scored.append(Scored(truth, found, result.confirmed[: len(found)], recording.duration_s))
    scores = score(scored)
    evaluation = Evaluation(
        event=scores.event,
        sample=scores.sample,
        detection_delay_s=scores.detection_delay_s,
        scorer=scores.scorer,
        recordings=len(opened),
        hours=sum(s.duration_s for s in scored) / 3600,
        pipeline=pipeline.name,
    )
    if json:
        return print_json(evaluation, recording_warnings(opened, pipeline))
    _print_figures(evaluation)


def _print_figures(figures: Evaluation) -> None:
    console = Terminal()
    for name, f in (("event", figures.event), ("sample", figures.sample)):
        console.print(
            f"by {name:6}  sensitivity {_figure_text(f.sensitivity)}  precision {_figure_text(f.precision)}  "
            f"F1 {_figure_text(f.f1)}  false alarms a day {_figure_text(f.false_alarms_per_24h, '.1f')}"
        )
    delay = figures.detection_delay_s
    console.print(f"detection delay  p50 {_figure_text(delay.p50, '.1f')} s  p90 {_figure_text(delay.p90, '.1f')} s")
    scorer = figures.scorer
    console.print(
        f"{figures.recordings} recordings, {figures.hours:.2f} h; scored by {scorer.name} {scorer.version} (SzCORE)"
    )


def _figure_text(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)
