"""Offline answers: a recording through the very stages of the live path, as fast as it goes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtbci.pipeline.pipeline import LivePipeline, Pipeline
from rtbci.recordings.event_table import write_events
from rtbci.recordings.recording import Recording
from rtbci.stages.cues import Answer, table
from rtbci.stages.decision import Detection
from rtbci.stages.gap_guard import GapGuard
from rtbci.types import Chunk, Event, Gap

PIECE_S = 30.0


@dataclass(frozen=True)
class Tagged:
    """What a pipeline says of a recording; times in seconds from its start. confirmed: when each event was decided.

    answers: to the annotations that are cues, where the pipeline has cues.
    """

    scores: Chunk
    events: tuple[Event, ...]
    confirmed: tuple[float, ...]
    classes: tuple[str, ...]
    answers: tuple[Answer, ...] = ()


def tag(
    pipeline: Pipeline, recording: Recording, *, device: str = "cpu", progress: Callable[[float], None] | None = None
) -> Tagged:
    """Tag a recording. progress: called with the seconds done. Raises StreamMismatch where it does not fit."""
    live = pipeline.start(recording.info, device, offline=True)
    for annotation in recording.annotations:
        live.cue(annotation.onset, annotation.label)
    scores: list[Chunk] = []
    found: list[Detection] = []
    for chunk in _on_a_grid(pipeline, recording, live, found):
        answer = live.process(chunk)
        scores.append(answer)
        found += live.decide(answer)
        if progress and len(chunk):
            progress(float(chunk.times[-1]))
    rest, last = live.flush()
    found += last
    scores += [rest] if len(rest) else []
    closed = tuple(d.event for d in found if d.closed)
    confirmed = tuple(d.time for d in found if not d.closed)
    whole = Chunk.join(scores or [Chunk.empty(len(pipeline.classes))])
    return Tagged(whole, closed, confirmed, pipeline.classes, tuple(live.answers()))


def _on_a_grid(pipeline: Pipeline, recording: Recording, live: LivePipeline, found: list[Detection]) -> Iterator[Chunk]:
    """The recording's samples; where its stamps are real ones, through the gap guard, as live."""
    piece = max(1, round(PIECE_S * recording.info.sfreq))
    if recording.stamps is None:
        yield from recording.chunks(piece)
        return
    guard = GapGuard(pipeline.config.gaps, recording.info.sfreq)
    index = 0
    pieces = [item for chunk in recording.chunks(piece) for item in guard.process(chunk)] + list(guard.flush())
    for item in pieces:
        if isinstance(item, Gap):
            if not item.filled:
                index += item.n_missing
                found += live.decision.flush()
                live.reset()
            continue
        times = np.arange(len(item), dtype=np.float64)
        times = (times + index) / recording.info.sfreq
        index += len(item)
        yield Chunk(item.data, times, item.valid)


def write_tagged(result: Tagged, recording: Recording, folder: Path) -> tuple[Path, Path]:
    """`NAME_events.tsv` (SzCORE) and `NAME_scores.npz` (times, probabilities, valid, classes), each whole or not at all.

    Where cues were answered, `NAME_cues.tsv` beside them.
    """
    events = folder / f"{recording.path.stem}_events.tsv"
    scores = folder / f"{recording.path.stem}_scores.npz"
    if result.answers:
        (folder / f"{recording.path.stem}_cues.tsv").write_text(table(result.answers, result.classes), "utf-8")
    write_events(events, result.events, recording.start, recording.duration_s)
    handle, beside = tempfile.mkstemp(dir=folder, prefix=f".{scores.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(
                file,
                times=result.scores.times,
                probabilities=result.scores.data,
                valid=result.scores.valid,
                classes=np.array(result.classes),
            )
        os.chmod(beside, 0o644)
        os.replace(beside, scores)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside)
    return events, scores
