"""Offline answers: a recording through the very stages of the live path, as fast as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.outputs import Outputs
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamMessage, StreamSession
from rtbci.recordings.event_table import table_text
from rtbci.recordings.recording import Recording
from rtbci.stages.cues import CueAnswer, table
from rtbci.types import Chunk, Detection, Event, Scores

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
    answers: tuple[CueAnswer, ...] = ()


def tag(
    pipeline: Pipeline, recording: Recording, *, device: str = "cpu", progress: Callable[[float], None] | None = None
) -> Tagged:
    """Tag a recording. progress: called with the seconds done. Raises StreamMismatch where it does not fit."""
    session = StreamSession(pipeline, recording.info, device=device, stamped=recording.stamps is not None, offline=True)
    for annotation in recording.annotations:
        session.cue(annotation.onset, annotation.label)
    scores = [Chunk.empty(len(pipeline.classes))]
    found: list[Detection] = []
    answers: list[CueAnswer] = []
    for message in _messages(session, recording, progress):
        if isinstance(message, Scores):
            scores.append(Chunk(message.chunk.data, message.at_s, message.chunk.valid))
        elif isinstance(message, Detection):
            found.append(message)
        elif isinstance(message, CueAnswer):
            answers.append(message)
    closed = tuple(d.event for d in found if d.closed)
    confirmed = tuple(d.time for d in found if not d.closed)
    return Tagged(Chunk.join(scores), closed, confirmed, pipeline.classes, tuple(answers))


def _messages(
    session: StreamSession, recording: Recording, progress: Callable[[float], None] | None
) -> Iterator[StreamMessage]:
    for chunk in recording.chunks(max(1, round(PIECE_S * recording.info.sfreq))):
        yield from session.samples(chunk)
        if progress:
            progress(session.recording_s)
    yield from session.close()


def write_tagged(result: Tagged, recording: Recording, folder: Path) -> tuple[Path, Path]:
    """`NAME_events.tsv` (SzCORE) and `NAME_scores.npz` (times, probabilities, valid, classes), each whole or not at all.

    Where cues were answered, `NAME_cues.tsv` beside them. Raises ConfigError where a file of such a name is there that
    `tag` did not write, or that was changed since.
    """
    outputs = Outputs(folder, recording.path.stem)
    tables = {outputs.events: table_text(result.events, recording.start, recording.duration_s)}
    if result.answers:
        tables[outputs.cues] = table(result.answers, result.classes)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "times": result.scores.times,
        "probabilities": result.scores.data,
        "valid": result.scores.valid,
        "classes": np.array(result.classes),
    }
    outputs.write(arrays, tables)
    return outputs.events, outputs.scores
