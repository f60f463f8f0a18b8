"""`rtbci tag`: tags recordings offline, and prints what was written, as text or JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import Progress, TimeRemainingColumn

from rtbci.cli.terminal import Terminal
from rtbci.errors import ConfigError
from rtbci.evaluation.epochs import check_predictions, is_epochs, predictions_path, tag_epochs
from rtbci.evaluation.outputs import Outputs
from rtbci.evaluation.tagging import Tagged, tag, write_tagged
from rtbci.models.step import check_device
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.results import Result, Text, print_json


class TaggedEvent(Result):
    """An event in seconds of the recording."""

    onset_s: float
    """Onset."""
    duration_s: float
    """Length."""
    label: Text
    """Class."""
    confidence: float
    """Largest smoothed probability, 0 to 1."""


class TaggedRow(Result):
    """A recording."""

    recording: Text
    """Its path."""
    duration_s: float
    """Of the recording."""
    events: tuple[TaggedEvent, ...]
    events_tsv: Text
    """Path of the event table."""
    scores_npz: Text
    """Path of the scores."""
    times_real_time: float
    """Length of the recording over the time that tagging took."""


class TagReport(Result):
    """What was written."""

    pipeline: Text
    """Its name."""
    recordings: tuple[TaggedRow, ...]
    predictions: dict[Text, Text]
    """Of epochs files: path of the table by path of the file."""


def tag_files(pipeline_path: str, paths: list[Path], out: Path, *, device: str, json: bool) -> None:
    """Tag each recording into `out`; stops at the first that cannot be tagged, and keeps what was written."""
    check_device(device)
    pipeline = Pipeline.load(pipeline_path)
    epochs = [path for path in paths if is_epochs(path)]
    opened = [open_recording(path) for path in paths if path not in epochs]
    stems = [path.stem for path in (*epochs, *(recording.path for recording in opened))]
    if twice := {stem for stem in stems if stems.count(stem) > 1}:
        raise ConfigError(f"two files would both be written as {twice.pop()}; tag them into two folders")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file; wanted a folder")
    for epochs_file in epochs:
        check_predictions(predictions_path(epochs_file, out))
    for recording in opened:
        Outputs(out, recording.path.stem).check()
    out.mkdir(parents=True, exist_ok=True)
    rows: list[TaggedRow] = []
    with tagging_progress(opened, json) as advance:
        for recording in opened:
            began = time.perf_counter()
            result = tag(pipeline, recording, device=device, progress=advance)
            events, scores = write_tagged(result, recording, out)
            took = time.perf_counter() - began
            rows.append(_row(recording, result, events, scores, took))
    tables = {str(path): str(tag_epochs(pipeline, path, out, device)) for path in epochs}
    if json:
        report = TagReport(pipeline=pipeline.name, recordings=tuple(rows), predictions=tables)
        return print_json(report, recording_warnings(opened, pipeline))
    console = Terminal()
    for path, table in tables.items():
        console.print(f"{path} -> {table}", soft_wrap=True)
    for row in rows:
        console.print(
            f"{row.recording}: {len(row.events)} events in {row.duration_s:.0f} s "
            f"({row.times_real_time:.0f} times real time) -> {row.events_tsv}",
            soft_wrap=True,
        )  # fmt: skip


def recording_warnings(recordings: list[Recording], pipeline: Pipeline) -> list[str]:
    """Irregularities of the recordings, and choices among their channels, each with the name of the file."""
    return [f"{r.path.name}: {text}" for r in recordings for text in (*r.warnings, *pipeline.choices(r.info))]


def _row(recording: Recording, result: Tagged, events: Path, scores: Path, took_s: float) -> TaggedRow:
    events_found = tuple(
        TaggedEvent(onset_s=e.onset, duration_s=e.duration, label=e.label, confidence=e.confidence)
        for e in result.events
    )
    return TaggedRow(
        recording=str(recording.path),
        duration_s=recording.duration_s,
        events=events_found,
        events_tsv=str(events),
        scores_npz=str(scores),
        times_real_time=recording.duration_s / took_s,
    )


@contextmanager
def tagging_progress(recordings: list[Recording], quiet: bool) -> Iterator[Any]:
    """Show progress over all recordings; yields a function that takes the seconds done of the present one."""
    total = sum(recording.duration_s for recording in recordings)
    console = Terminal(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("tagging", total=total)
        past = {"done": 0.0, "last": 0.0}

        def advance(seconds: float) -> None:
            if seconds < past["last"]:
                past["done"] += past["last"]
            past["last"] = seconds
            bar.update(task, completed=past["done"] + seconds)

        yield advance
        bar.update(task, completed=total)
