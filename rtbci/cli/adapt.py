"""`rtbci adapt`: a pipeline and labelled minutes in, a pipeline for this patient or this day out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rtbci.cli.terminal import Terminal
from rtbci.errors import ConfigError
from rtbci.evaluation.label_map import LabelMap
from rtbci.evaluation.trained_on import TrainedOn
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings import listing
from rtbci.recordings.labelling import labels_of
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.results import Text, Texts, print_json
from rtbci.text import grouped
from rtbci.training.adaptation.adapt import Adaptation, KeptBack, Level, adapt
from rtbci.training.data_config import BACKGROUND
from rtbci.training.duplicates import copies_of
from rtbci.training.labels import stretches_of, wants_points
from rtbci.training.source import Source
from rtbci.training.train import check_out


class AdaptReport(Adaptation):
    """A pipeline file that was written, and how it compares with the original."""

    pipeline: Text
    """Path of the file."""
    adapted_from: Text
    """Path of the original, which is as it was."""
    left_out: Texts
    """Recordings without a label that means anything here."""


def adapt_from_files(
    pipeline_path: str,
    paths: list[Path],
    out: Path,
    *,
    background: list[Path],
    labels: list[str],
    level: Level,
    start_s: float | None,
    seed: int,
    stream: str | None,
    told: StreamOverrides | None,
    json: bool,
) -> None:
    """Adapt a pipeline to labelled recordings, and write it. Raises ConfigError, RecordingError, and Worse."""
    original = Path(pipeline_path)
    check_out(out)
    if out.exists() and original.exists() and out.samefile(original):
        raise ConfigError(f"{out}: is the original, which is kept; name another file")
    pipeline = Pipeline.load(original)
    console = Terminal(stderr=True)
    quiet = listing.opened(background, stream, told) if background else []
    opened = list(listing.opened(paths, stream, told))
    sources, left_out, warnings = _sources(pipeline, opened, quiet, labels)
    warnings = [*_recording_warnings([*opened, *quiet], pipeline), *warnings, *_seen_before(pipeline, sources)]
    for line in grouped(warnings):
        console.print(f"warning: {line}", soft_wrap=True)
    if start_s is None:
        start_s = pipeline.config.cues.offset_s if pipeline.config.cues is not None else 0.0

    def show(what: str, done: int, total: int) -> None:
        if not json and done == 0:
            console.print(f"{what} …", soft_wrap=True)

    adapted, report = adapt(pipeline, sources, level, start_s=start_s, seed=seed, on_progress=show)
    known = adapted.notes.get("trained_on")
    adapted.notes["trained_on"] = [
        *(known if isinstance(known, list) else ()),
        *(replace(source, origin="adaptation").noted(held_out=False) for source in sources),
    ]
    adapted.save(out)
    if json:
        facts = {name: getattr(report, name) for name in type(report).model_fields}
        return print_json(
            AdaptReport(**facts, pipeline=str(out), adapted_from=str(original), left_out=tuple(left_out)), warnings
        )
    for line in _summary(report, out):
        console.print(line, soft_wrap=True)


def _sources(
    pipeline: Pipeline, opened: list[Recording], quiet: list[Recording], labels: list[str]
) -> tuple[list[Source], list[str], list[str]]:
    """Labelled recordings in the order given, those that have no label, and what a person should know."""
    classes = tuple(name for name in pipeline.classes if name != BACKGROUND)
    label_map = LabelMap.of(
        classes, (e.label for recording in [*opened, *quiet] for e in recording.annotations), labels
    )
    warnings = list(label_map.warnings)
    sources, left_out = [], []
    for recording in opened:
        found = labels_of(recording, label_map.meanings.get, points=wants_points(pipeline.config))
        warnings += [f"{recording.path.name}: {text}" for text in found.warnings]
        if not recording.is_annotated or not (found.events or found.background):
            left_out.append(recording.path.name)
            continue
        stretches = stretches_of(recording, found, pipeline.config)
        sources.append(Source(recording.path.name, recording, stretches, BACKGROUND, 1, False, labels=found))
    if left_out:
        warnings.append(
            f"left out, for no label in it means anything here: {', '.join(left_out)}; --background names recordings "
            "without an event"
        )
    sources += [_background(pipeline, recording, label_map) for recording in quiet]
    if not sources:
        raise ConfigError(
            "none of the recordings has a label that means anything here; --label ANNOTATION=CLASS names one"
        )
    for first, copy in copies_of(sources):
        raise ConfigError(
            f"{copy.recording.path} has the samples of {first.recording.path}, so that what is kept back would be what it was "
            "adapted to; leave one out"
        )
    return sources, left_out, warnings


def _background(pipeline: Pipeline, recording: Recording, label_map: LabelMap) -> Source:
    """A recording without an event; raises ConfigError where its own annotations say otherwise."""
    if wants_points(pipeline.config):
        raise ConfigError("--background: a network of trials is adapted to labelled trials alone")
    found = labels_of(recording, label_map.meanings.get)
    if found.events:
        event = found.events[0]
        raise ConfigError(
            f"{recording.path}: named with --background, and annotated with {event.label!r} at {event.onset:g} s"
        )
    stretches = stretches_of(recording, found, pipeline.config)
    return Source(recording.path.name, recording, stretches, BACKGROUND, 1, False, labels=found)


def _seen_before(pipeline: Pipeline, sources: Iterable[Source]) -> list[str]:
    """Recordings that the pipeline was trained on: what is kept back of them was seen, too."""
    known = TrainedOn(pipeline.notes)
    seen = [s.name for s in sources if known.find(s.recording.path, s.recording.content) is not None]
    return [
        f"the pipeline was trained on {', '.join(seen)}, so that what is kept back says nothing of new recordings"
    ] if seen else []  # fmt: skip


def _summary(report: Adaptation, out: Path) -> list[str]:
    adapts = ", ".join(f"{amount.adapts:g} {report.unit} of {kind}" for kind, amount in report.amounts.items())
    checks = ", ".join(f"{amount.checks:g} {report.unit} of {kind}" for kind, amount in report.amounts.items())
    return [
        f"{out}: adapted ({report.level}) to {adapts}",
        f"kept back: {checks}; {_figures(report.before)} before, {_figures(report.after)} now",
    ]


def _figures(one: KeptBack) -> str:
    return f"loss {one.loss:.3f}" + ("" if one.auroc is None else f", AUROC {one.auroc:.3f}")


def _recording_warnings(recordings: list[Recording], pipeline: Pipeline) -> list[str]:
    """Irregularities of the recordings, and choices among their channels, each with the name of the file."""
    return [f"{r.path.name}: {text}" for r in recordings for text in (*r.warnings, *pipeline.choices(r.info))]
