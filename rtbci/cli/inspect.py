"""`rtbci inspect`: describes a pipeline file or a recording, as text or JSON."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

from rich.table import Table
from rich.text import Text as RichText

from rtbci.cli.patients import print_patients
from rtbci.cli.terminal import Terminal
from rtbci.evaluation.chosen_point import stale_scores
from rtbci.pipeline.pipeline import Pipeline, check_rate
from rtbci.recordings.channel_names import canonical
from rtbci.recordings.overrides import StreamOverrides
from rtbci.results import FREE, Json, Result, Text, Texts, print_json
from rtbci.training.crossval.notes import CrossvalNotes, read_notes
from rtbci.types import StreamInfo


class PipelineFacts(Result):
    """A pipeline file."""

    pipeline: Text
    """Its name."""
    file: Text
    """Its path."""
    size_bytes: int
    """Of the file."""
    classes: Texts
    """Classes of its answers."""
    channels: Texts
    """Channels that a stream must have."""
    sfreq: float
    """Sampling rate of the network's input."""
    hop: int
    """Samples between two answers."""
    hop_s: float
    """The same in seconds."""
    causal: bool
    """Whether answers depend on past samples only."""
    model: Json
    """Configuration of the network, and the number of its `parameters`."""
    filters: Json
    """As configured."""
    group_delay_ms: dict[str, float]
    """By stage and in `total`, for a stream at `--sfreq`."""
    scaling: Json
    """As configured."""
    decision: Json
    """As configured."""
    gaps: Json
    """As configured."""
    crossval: CrossvalNotes | None
    """null where its notes hold none that can be read."""
    stale: Text | None
    """Why the scores in the notes are not of the pipeline as it is now; null where they are."""
    notes: Annotated[Json, FREE]
    """How and on what it was trained; any JSON."""


class RecordingFacts(Result):
    """A recording."""

    recording: Text
    """Its path."""
    format: str
    """Of the file."""
    start: str | None
    """Date and time, ISO 8601; null if the file names none."""
    duration_s: float
    """Length."""
    n_samples: int
    """Of each channel."""
    sfreq: float
    """Rate."""
    channels: Texts
    """Names in the file."""
    understood_as: Texts
    """The same in standard notation."""
    units: Texts
    """Of the channels, without repetition; empty text: the file names none."""
    annotations: dict[Text, int]
    """Number of annotations, by label."""
    warnings: Texts
    """Irregularities of the file, one line each."""


def inspect_file(
    path: Path, sfreq: float | None, *, stream: str | None = None, told: StreamOverrides | None = None, json: bool
) -> None:
    """Print a description of the file. Raises RecordingError or PipelineFileError if it cannot be read."""
    facts = pipeline_facts(path, sfreq) if path.suffix == ".rtbci" else recording_facts(path, stream, told)
    if json:
        return print_json(facts, facts.warnings if isinstance(facts, RecordingFacts) else ())
    console, shown = Terminal(), facts.plain()
    shown.pop("crossval", None)
    stale = shown.pop("stale", None)
    notes = shown.pop("notes", {})
    table = Table.grid(padding=(0, 3))
    for name, value in (shown | _readable(notes)).items():
        table.add_row(RichText(name.replace("_", " "), "bold"), _text(value))
    console.print(table)
    if isinstance(facts, PipelineFacts) and facts.crossval is not None:
        print_patients(facts.crossval, console, stale=bool(stale))
    if stale:
        Terminal(stderr=True).print(f"warning: {stale}", soft_wrap=True)


def _readable(notes: dict[str, Any]) -> dict[str, Any]:
    """The most useful of a pipeline's notes; the JSON has all of them."""
    sources: dict[str, int] = {}
    for one in filter(None, map(_table, _list(notes.get("trained_on")))):
        source = f"{one.get('source') or 'unnamed'} ({one.get('licence') or 'no licence named'})"
        sources[source] = sources.get(source, 0) + 1
    shown: dict[str, Any] = {}
    if sources:
        shown["trained_on"] = [f"{n} recordings: {source}" for source, n in sources.items()]
    shown |= {key: notes[key] for key in ("synthetic", "commit") if notes.get(key)}
    if start := _table(notes.get("started_from")):
        shown["trained further"] = f"from {start.get('pipeline')} ({start.get('file')}), layers: {start.get('layers')}"
    if chosen := _table(notes.get("operating_point")):
        shown["threshold"] = f"chosen by {chosen.get('rule')} on {len(_list(chosen.get('chosen_on')))} recordings"
    if adapted := [_table(one) for one in _list(notes.get("adapted"))]:
        shown["adapted"] = [
            f"{one.get('level')}: to {len(_list(one.get('recordings')))} recordings, loss on what was kept back "
            f"{_table(one.get('before')).get('loss')} before and {_table(one.get('after')).get('loss')} now"
            for one in adapted
        ]
    scores = _table(notes.get("scores"))
    crossed = _table(scores.get("cross_validated"))
    for name, part in {**scores, **crossed}.items():
        if isinstance(part, dict) and {"n_recordings", "n_trials"} & part.keys():
            shown[f"scores, {'cross-validated' if name in crossed else 'held out'}, {name}"] = part
    return shown


def _table(value: Any) -> dict[str, Any]:
    """`value` if it is a table; notes are JSON of any shape."""
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{k}: {_inline(v)}" for k, v in value.items())
    if isinstance(value, list) and any(": " in str(v) for v in value):
        return "\n".join(map(str, value))
    return _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else jsonlib.dumps(value)


def pipeline_facts(path: Path, sfreq: float | None) -> PipelineFacts:
    """Config, delays and how it was trained; `sfreq`: rate at which the delays are computed (by default the pipeline's)."""
    pipeline = Pipeline.load(path)
    config = pipeline.config
    if sfreq is not None:
        check_rate(config, StreamInfo("--sfreq", sfreq, pipeline.channels))
    delay = pipeline.filter_delay_s(sfreq if sfreq is not None else pipeline.sfreq)
    return PipelineFacts(
        pipeline=pipeline.name,
        file=str(path),
        size_bytes=path.stat().st_size,
        classes=pipeline.classes,
        channels=pipeline.channels,
        sfreq=pipeline.sfreq,
        hop=pipeline.hop,
        hop_s=pipeline.hop_s,
        causal=pipeline.causal,
        model=config.model.model_dump(mode="json") | {"parameters": _n_parameters(pipeline)},
        filters=config.filters.model_dump(mode="json"),
        group_delay_ms={name: round(1e3 * value, 2) for name, value in delay.items()},
        scaling=config.scaling.model_dump(mode="json"),
        decision=config.decision.model_dump(mode="json"),
        gaps=config.gaps.model_dump(mode="json"),
        crossval=read_notes(pipeline.notes),
        stale=stale_scores(pipeline) or None,
        notes=pipeline.notes,
    )


def _n_parameters(pipeline: Pipeline) -> int:
    """Number of trained parameters; in a loaded, frozen network, constant zero biases are recognised by name."""
    return sum(p.numel() for name, p in pipeline.network.named_parameters() if "bias_hh" not in name)


def recording_facts(path: Path, stream: str | None = None, told: StreamOverrides | None = None) -> RecordingFacts:
    """Format, rate, length, channels as named and in standard notation, annotations and irregularities."""
    from rtbci.recordings.open import open_recording

    recording = open_recording(path, stream=stream, told=told)
    labels: dict[str, int] = {}
    for event in recording.annotations:
        labels[event.label] = labels.get(event.label, 0) + 1
    return RecordingFacts(
        recording=str(path),
        format=recording.format,
        start=recording.start.isoformat() if recording.start else None,
        duration_s=recording.duration_s,
        n_samples=recording.n_samples,
        sfreq=recording.info.sfreq,
        channels=recording.info.channels,
        understood_as=tuple(canonical(c) for c in recording.info.channels),
        units=tuple(sorted(set(recording.info.units))),
        annotations=labels,
        warnings=recording.warnings,
    )
