"""Offline answers: a recording through the stages of the live path, at full speed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.file_clock import FileClock
from rtbci.evaluation.live_again import LiveAgain
from rtbci.evaluation.outputs import Outputs
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamMessage, StreamSession, Tally
from rtbci.pipeline.trends import COLUMN_NAMES
from rtbci.provenance import kernels
from rtbci.recordings.event_table import table_text
from rtbci.recordings.recording import Recording
from rtbci.stages.cue_labels import CueAccount
from rtbci.stages.cues import CueAnswer, table
from rtbci.text import one_line
from rtbci.types import Chunk, Detection, Event, Scores, TrendRows

PIECE_S = 30.0


@dataclass(frozen=True)
class Tagged:
    """A pipeline's answer to a recording; times in seconds from its start, on the clock of the file (its stamps).

    Attributes
    ----------
    scores
        Probabilities (n_hops, n_classes).
    events
        Detected events.
    decisions
        The decision that confirmed each event, in the same order.
    classes
        Columns of the scores.
    answers
        To the annotations that are cues, where the pipeline has cues.
    warnings
        What was lost on the way, and where live answers may differ, one line each.
    trends
        Rows of the trends; None where they were not asked for, or no row is complete.
    """

    scores: Chunk
    events: tuple[Event, ...]
    decisions: tuple[Detection, ...]
    classes: tuple[str, ...]
    answers: tuple[CueAnswer, ...] = ()
    warnings: tuple[str, ...] = ()
    trends: TrendRows | None = None

    @property
    def confirmed(self) -> tuple[float, ...]:
        """When events were decided, in order of time; `decisions` says which is whose."""
        return tuple(sorted(decision.time for decision in self.decisions))

    def of_class(self, label: str) -> tuple[tuple[Event, ...], tuple[float, ...]]:
        """The events of a class, and when each of them was decided."""
        own = [(e, d.time) for e, d in zip(self.events, self.decisions, strict=True) if e.label == label]
        return tuple(event for event, _ in own), tuple(when for _, when in own)


def tag(
    pipeline: Pipeline,
    recording: Recording,
    *,
    device: str = "cpu",
    progress: Callable[[float], None] | None = None,
    trends: bool = False,
) -> Tagged:
    """Run a pipeline on a recording, as it would run live.

    Parameters
    ----------
    pipeline
        The result of training.
    recording
        The recording.
    device
        "cpu", "cuda", or "auto" (the faster of both, measured).
    progress
        Called with the seconds done.
    trends
        Whether the rows of the trends are computed as well.

    Returns
    -------
    Tagged
        Scores, events and answers at cues.

    Raises
    ------
    StreamMismatch
        If the recording does not fit the pipeline.
    RecordingError
        If the file cannot be read to its end, or its rate is certainly not the one that its header says.
    """
    recording.require_fit()
    config = pipeline.config.cues
    account = CueAccount(config.labels if config is not None else (), "annotation")
    scores = [Chunk.empty(len(pipeline.classes))]
    clock, sessions = FileClock(recording.is_live), list[StreamSession]()
    again = None
    if recording.live is not None:
        again = LiveAgain(pipeline, recording, clock, account, device, progress, trends=trends)
    rows: list[TrendRows] = []
    found: list[Detection] = []
    answers: list[CueAnswer] = []
    messages = (
        again.messages()
        if again is not None
        else _messages(pipeline, recording, sessions, account, device, progress, trends)
    )
    for message in messages:
        clock.on(message)
        if isinstance(message, Scores):
            scores.append(message.chunk)
        elif isinstance(message, Detection):
            found.append(message)
        elif isinstance(message, CueAnswer):
            answers.append(message)
        elif isinstance(message, TrendRows):
            rows.append(message)
    if again is not None:
        sessions = again.sessions
    joined, found = Chunk.join(scores), clock.on_file(found)
    events, decisions = events_of(found)
    warnings = (
        *(again.warnings if again is not None else ()),
        *(account.news() if config is not None else ()),
        *_lost(sessions),
        *filter(None, [session.quality.amplitude.words for session in sessions]),
        *_computed_otherwise(recording),
        *_decided_otherwise(recording, pipeline.config.decision.threshold),
    )
    scored = Chunk(joined.data, clock.times, joined.valid)
    joined_rows = TrendRows.join(rows) if rows else None
    return Tagged(scored, events, decisions, pipeline.classes, tuple(answers), warnings, joined_rows)


def events_of(found: Collection[Detection]) -> tuple[tuple[Event, ...], tuple[Detection, ...]]:
    """The events that are over, and the decision that confirmed each.

    An event keeps its onset from its confirmation to its end, and a label has one event at a time. What was confirmed in
    another file has its end only, which is its decision then.
    """
    closed = [d for d in found if d.closed]
    confirming = {(d.event.label, d.event.onset): d for d in found if not d.closed}
    decisions = tuple(confirming.get((d.event.label, d.event.onset), d) for d in closed)
    return tuple(d.event for d in closed), decisions


def _lost(sessions: list[StreamSession]) -> tuple[str, ...]:
    """What the gap guard found; one tally is that of all."""
    tally = sessions[0].tally if sessions else Tally()
    if not tally.gaps:
        return ()
    counts = (tally.lost, "missing"), (tally.filled, "missing and filled in"), (tally.extra, "twice or too late")
    parts = [f"{n} samples {what}" for n, what in counts if n]
    number = f"{tally.gaps} gaps" if tally.gaps > 1 else "a gap"
    return (f"{number} in its time stamps: {', '.join(parts) or 'its clock was set'}",)


def _computed_otherwise(recording: Recording) -> tuple[str, ...]:
    """A line where an engine ran on it with other kernels than this machine's."""
    if all(one == kernels() for one in recording.kernels):
        return ()
    live = " and with ".join(one_line(one) for one in recording.kernels[:3])
    return (
        f"live answers to it were computed with {live}; here with {kernels()}: their last bits may differ from those of tag",
    )


def _decided_otherwise(recording: Recording, threshold: float) -> tuple[str, ...]:
    """A line where an engine on it decided with another threshold, or with several."""
    if not recording.thresholds or recording.thresholds == (threshold,):
        return ()
    if len(recording.thresholds) == 1:
        (live,) = recording.thresholds
        return (
            f"live, its events were decided with the threshold {live:g}, here with {threshold:g}; --threshold {live:g} decides "
            "as then",
        )
    shown = ", ".join(f"{one:g}" for one in recording.thresholds[:6])
    return (f"live, the threshold was changed ({shown}), and here it is {threshold:g}: its events may differ",)


def _messages(
    pipeline: Pipeline,
    recording: Recording,
    sessions: list[StreamSession],
    account: CueAccount,
    device: str,
    progress: Callable[[float], None] | None,
    trends: bool,
) -> Iterator[StreamMessage]:
    stamped = recording.stamps is not None
    session = StreamSession(pipeline, recording.info, device=device, stamped=stamped, offline=True, trends=trends)
    sessions.append(session)
    for annotation in recording.annotations:
        account.add(annotation.label, session.cue(annotation.onset, annotation.label))
    for chunk in recording.chunks(max(1, round(PIECE_S * recording.info.sfreq))):
        yield from session.samples(chunk)
        if progress:
            progress(session.recording_s)
    yield from session.close()


def write_tagged(result: Tagged, recording: Recording, folder: Path) -> tuple[Path, Path]:
    """Write `NAME_events.tsv` (SzCORE) and `NAME_scores.npz`, and `NAME_cues.tsv` where cues were answered.

    In the folder of the recording the first is named `NAME_detections.tsv`, which nothing reads as an expert's table;
    the answer to a recording of a BIDS tree goes to its place in a tree below `folder`.

    Parameters
    ----------
    result, recording
        The answer, and what was tagged.
    folder
        Where to write.

    Returns
    -------
    events, scores
        Paths of these two files; the second holds times, probabilities, valid and classes, and where they were asked for
        trends (n_rows, n_columns), trend_times (s of the recording at which each row ends) and trend_columns.

    Raises
    ------
    ConfigError
        If a file of that name exists that `tag` did not write, or that was edited since.
    OSError
        If they cannot be written.
    """
    outputs = Outputs.of(recording.path, folder)
    write_answer(result, recording, outputs)
    return outputs.events, outputs.scores


def write_answer(
    result: Tagged,
    recording: Recording,
    outputs: Outputs,
    made_from: Mapping[str, str] | None = None,
    more: Mapping[str, npt.NDArray[np.generic]] | None = None,
) -> None:
    """Write the files of `write_tagged` where `outputs` says; `made_from` is kept with them, and `more` with the scores."""
    tables = {outputs.events: table_text(result.events, recording.start, recording.duration_s)}
    if result.answers:
        tables[outputs.cues] = table(result.answers, result.classes)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "times": result.scores.times,
        "probabilities": result.scores.data,
        "valid": result.scores.valid,
        "classes": np.array(result.classes),
    }
    if result.trends is not None:
        arrays |= {
            "trends": result.trends.chunk.data,
            "trend_times": result.trends.at_s,
            "trend_columns": np.array(COLUMN_NAMES),
        }
    outputs.write(arrays | dict(more or {}), tables, made_from)
