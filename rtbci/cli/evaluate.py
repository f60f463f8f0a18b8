"""`rtbci evaluate`: scores a pipeline on annotated recordings, as text or JSON."""

from __future__ import annotations

from pathlib import Path

from rtbci.cli.tag import answer_warnings, recording_warnings, tagging_progress
from rtbci.cli.terminal import Terminal
from rtbci.errors import RecordingError
from rtbci.evaluation.annotations import Annotations
from rtbci.evaluation.label_map import UNKNOWN, LabelMap
from rtbci.evaluation.scoring import EventScores, Scored, SzcoreScores, is_seizure, score
from rtbci.evaluation.tagging import Tagged, tag
from rtbci.models.step import check_device
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings import listing
from rtbci.recordings.labelling import Labelled, labels_of
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import is_doubtful, limit_of
from rtbci.results import Result, Text, print_json
from rtbci.stages.decision import watched_labels
from rtbci.text import grouped
from rtbci.types import Event

ALL = "all classes"


class ClassScores(EventScores):
    """Of one class."""

    label: Text
    """The class."""
    annotations: dict[Text, int]
    """How many annotations it was scored against, by their text."""


class LeftOut(Result):
    """A recording that was not scored."""

    recording: Text
    """Its path."""
    reason: Text
    """Why."""


class Evaluation(SzcoreScores):
    """Scores of a pipeline on annotated recordings: those of its seizure class, or of all classes where none is."""

    label: Text
    """Class of the figures above; of several, or of `all classes`, counts are pooled, and rates are per class."""
    classes: tuple[ClassScores, ...]
    """Of every class that becomes events and is annotated."""
    annotations: Annotations
    recordings: int
    """Number of recordings that were scored."""
    hours: float
    """Total length of these recordings."""
    left_out: tuple[LeftOut, ...]
    """Recordings that were not scored."""
    pipeline: Text
    """Its name."""


def evaluate_files(
    pipeline_path: str,
    paths: list[Path],
    labels: list[str],
    *,
    stream: str | None = None,
    told: StreamOverrides | None = None,
    device: str,
    json: bool,
) -> None:
    """Score a pipeline on annotated recordings. Raises RecordingError if none has annotations that count."""
    check_device(device)
    pipeline = Pipeline.load(pipeline_path)
    opened = listing.opened(paths, stream, told)
    if not any(recording.is_annotated for recording in opened):
        unread = [f"; {text}" for recording in opened for text in recording.warnings if "was not read" in text]
        raise RecordingError(
            f"none of the {len(opened)} recordings has an annotation, in the file or in NAME_events.tsv beside it"
            f"{''.join(unread)}"
        )
    watched = watched_labels(pipeline.config.decision, pipeline.classes)
    label_map = LabelMap.of(watched, (e.label for recording in opened for e in recording.annotations), labels)
    scored = [recording for recording in opened if is_labelled(recording, label_map)]
    left_out = [recording for recording in opened if not is_labelled(recording, label_map)]
    labels_by_path = {r.path: labels_of(r, label_map.meanings.get) for r in scored}
    found = [f"{path.name}: {text}" for path, one in labels_by_path.items() for text in one.warnings]
    warnings = [*recording_warnings(opened, pipeline), *found, *_account(label_map, labels_by_path, left_out)]
    if not scored or not label_map.classes:
        raise RecordingError(_nothing_counts(label_map, opened))
    console = Terminal(stderr=True)
    for line in grouped(warnings):
        console.print(f"warning: {line}", soft_wrap=True)
    n_told = len(warnings)
    by_class: dict[str, list[Scored]] = {name: [] for name in label_map.classes}
    with tagging_progress(scored, json) as advance:
        for recording in scored:
            result = tag(pipeline, recording, device=device, progress=advance)
            warnings += answer_warnings(recording, result)
            for name, of_class in by_class.items():
                of_class.append(_scored(recording, result, name, labels_by_path[recording.path]))
    for line in grouped(warnings[n_told:]):
        console.print(f"warning: {line}", soft_wrap=True)
    annotations = Annotations.of(labels_by_path.values())
    evaluation = evaluated(pipeline.name, label_map, by_class, scored, left_out, annotations)
    if json:
        return print_json(evaluation, warnings)
    _print_figures(evaluation)


def is_labelled(recording: Recording, label_map: LabelMap) -> bool:
    """Whether the annotations say which classes hold: where not one has a meaning, background is not known either."""
    if not recording.annotations:
        return recording.is_annotated
    said = (e.label in label_map.meanings or limit_of(e.label) is not None for e in recording.annotations)
    return bool(recording.background) or any(said)


def evaluated(
    name: str,
    label_map: LabelMap,
    by_class: dict[str, list[Scored]],
    scored: list[Recording],
    left_out: list[Recording],
    counts: Annotations,
) -> Evaluation:
    """Score each class against its annotations."""
    seizure = [label for label in label_map.classes if is_seizure(label)] or list(label_map.classes)
    label = ALL if len(seizure) == len(label_map.classes) > 1 else ", ".join(seizure)
    pooled = score([one for label in seizure for one in by_class[label]], n_classes=len(seizure))
    annotations = [e for recording in scored for e in recording.annotations]
    rows = []
    for one in label_map.classes:
        scores = pooled if one == label else score(by_class[one])
        figures = {key: getattr(scores, key) for key in EventScores.model_fields}
        rows.append(ClassScores(**figures, label=one, annotations=label_map.counts(annotations, one)))
    return Evaluation(
        **{key: getattr(pooled, key) for key in SzcoreScores.model_fields},
        label=label,
        classes=tuple(rows),
        annotations=counts,
        recordings=len(scored),
        hours=sum(recording.duration_s for recording in scored) / 3600,
        left_out=tuple(LeftOut(recording=str(r.path), reason=_why_left_out(r)) for r in left_out),
        pipeline=name,
    )


def _scored(recording: Recording, result: Tagged, label: str, labels: Labelled) -> Scored:
    pairs = [(e, d.time) for e, d in zip(result.events, result.decisions, strict=True) if e.label == label]
    return Scored(
        truth=tuple(e for e in labels.events if e.label == label),
        found=tuple(event for event, _ in pairs),
        decided=tuple(when for _, when in pairs),
        duration_s=recording.duration_s,
        unknown=(
            *(e for e in labels.events if e.label == UNKNOWN),
            *(Event(start, stop - start, UNKNOWN) for start, stop in labels.unknown),
        ),
    )


def _account(label_map: LabelMap, scored: dict[Path, Labelled], left_out: list[Recording]) -> list[str]:
    """What was decided for the user, a line each: classes, recordings and annotations that are not scored."""
    told = list(label_map.warnings)
    told += [f"{r.path.name}: left out: {_why_left_out(r)}" for r in left_out]
    for name in label_map.unscored:
        told.append(
            f"class {name!r} is not scored: no annotation has that name; name others with --label ANNOTATION={name}"
        )
    others = Annotations.of(scored.values()).other_labels
    if ignored := {label: n for label, n in others.items() if not (is_seizure(label) or is_doubtful(label))}:
        told.append(f"annotations that name no class, and count as background: {_counts_text(ignored)}")
    events = [e for labels in scored.values() for e in labels.events]
    for name in label_map.classes:
        if not any(e.label == name for e in events):
            told.append(
                f"no annotation with known limits counts as {name!r}: its events in known background are false alarms"
            )
    return told


def _why_left_out(recording: Recording) -> str:
    if not recording.annotations:
        return (
            f"it has no annotations; if it holds background throughout, write an empty {recording.path.stem}_events.tsv"
        )
    labels = _counts_text(dict.fromkeys((e.label for e in recording.annotations), 1), with_counts=False)
    return f"none of its annotations names a class or background: {labels}; say what they mean with --label ANNOTATION=CLASS"


def _nothing_counts(label_map: LabelMap, recordings: list[Recording]) -> str:
    ignored = label_map.ignored(e for recording in recordings for e in recording.annotations)
    wanted = " or ".join((*label_map.classes, *label_map.unscored))
    return (
        f"no annotation of the {len(recordings)} recordings names {wanted} or background; there are: "
        f"{_counts_text(ignored)}; say what they mean with --label ANNOTATION=CLASS"
    )


def _counts_text(counts: dict[str, int], *, with_counts: bool = True) -> str:
    shown = [f"{text[:40]!r}" + (f" × {n}" if with_counts else "") for text, n in list(counts.items())[:12]]
    return ", ".join(shown) + (f" and {len(counts) - 12} more" if len(counts) > 12 else "")


def _print_figures(figures: Evaluation) -> None:
    console = Terminal()
    console.print(figures.annotations.line(), soft_wrap=True)
    if len(figures.classes) == 1:
        _print_scores(console, figures)
    for row in figures.classes if len(figures.classes) > 1 else ():
        console.print(f"{row.label}: against {_counts_text(row.annotations) or 'no annotation'}", soft_wrap=True)
        _print_scores(console, row)
    scorer = figures.scorer
    console.print(
        f"{figures.recordings} recordings, {figures.hours:.2f} h; scored by {scorer.name} {scorer.version} (SzCORE)"
    )


def _print_scores(console: Terminal, figures: EventScores) -> None:
    for name, f in (("event", figures.event), ("sample", figures.sample)):
        console.print(
            f"by {name:6}  sensitivity {_figure_text(f.sensitivity)}  precision {_figure_text(f.precision)}  "
            f"F1 {_figure_text(f.f1)}  false alarms a day {_figure_text(f.false_alarms_per_24h, '.1f')}"
        )
    delay = figures.detection_delay_s
    console.print(f"detection delay  p50 {_figure_text(delay.p50, '.1f')} s  p90 {_figure_text(delay.p90, '.1f')} s")
    if figures.already_alarmed:
        console.print(
            f"without a delay: {figures.already_alarmed}, for the alarm had been on for more than 30 s before the onset"
        )


def _figure_text(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)
