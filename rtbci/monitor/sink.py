"""Sink: the shared memory that viewers read: rings of signals, the newest state, and the log."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import cast

from rtbci.monitor.alerts import AlertLine
from rtbci.monitor.layout import layout_of, write_layout
from rtbci.monitor.message import Line
from rtbci.monitor.messages import (
    AnnotationLine,
    CaughtUpLine,
    CueLine,
    EngineState,
    EventLine,
    GapLine,
    LogLine,
    OnsetLine,
    ReviewLine,
    StaleLine,
    ThresholdLine,
)
from rtbci.monitor.shared_memory import MonitorWriter, SharedRing
from rtbci.monitor.trend_ring import append_trends, create_trend_ring
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.cues import CueAnswer
from rtbci.types import (
    AlertChanged,
    Chunk,
    Detection,
    Gap,
    OperatorAnnotation,
    OperatorVerdict,
    Scores,
    Seen,
    SessionInfo,
    Signals,
    StalenessChanged,
    ThresholdChanged,
    TrendRows,
)

_LOOK_EVERY_S = 2.0


class MonitorSink:
    """Writes messages and states to shared memory; no reader can block it. `generation`: of the rings in use.

    Parameters
    ----------
    folder
        The monitor folder.
    pipeline
        Whose answers are written.
    """

    recovered = "viewers find the engine's shared memory again"

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self._writer = MonitorWriter(folder)
        self._pipeline = pipeline
        self.generation = 0
        self._no_rings = ""  # why
        self._trends: SharedRing | None = None
        self._no_trends = ""  # why
        self._is_gone = False
        self._look_at = 0.0

    @property
    def trouble(self) -> str:
        """Why viewers see no signals; the engine goes on all the same."""
        gone = (
            f"{self._writer.folder} was removed: new viewers do not find the engine, which goes on"
            if self._is_gone
            else ""
        )
        return gone or self._no_rings or self._no_trends

    def begin(self, session: SessionInfo) -> None:
        """Open new rings: the samples do not continue those before."""
        self._no_rings = ""
        stream, writer = session.stream, self._writer
        try:
            self.generation = writer.open_rings(
                stream.sfreq,
                len(stream.channels),
                session.sfreq,
                len(session.inputs),
                session.hop_s,
                len(session.classes),
            )
            write_layout(writer.folder, self.generation, layout_of(session, self._pipeline))
        except OSError as error:
            self._no_rings = f"{writer.folder}: {error.strerror}; the dashboard shows no signals, the engine continues"
        self._open_trends()

    def _open_trends(self) -> None:
        """One ring for all streams; tried again at each where there was no room."""
        self._no_trends = ""
        try:
            self._trends = self._trends or create_trend_ring(self._writer.folder)
        except OSError as error:
            folder, why = self._writer.folder, error.strerror
            self._no_trends = f"{folder}: {why}; the dashboard shows no trends, the engine continues"

    def on(self, message: object) -> None:
        """Append chunks to the rings, and other messages to the log."""
        match message:
            case Signals(chunk=chunk):
                self._append("signals", chunk)
            case Seen(chunk=chunk):
                self._append("model", chunk)
            case Scores(chunk=chunk):
                self._append("scores", chunk)
            case TrendRows():
                if self._trends is not None:
                    append_trends(self._trends, message)
            case _:
                if (line := line_of(message, self._pipeline.classes)) is not None:
                    self._writer.log(line)

    def state(self, state: EngineState) -> None:
        """Replace the newest state."""
        self._writer.status(state)

    def tend(self) -> None:
        """Look now and then whether the folder is there: what is in /dev/shm may be removed when its user logs out."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_EVERY_S
            self._is_gone = not self._writer.folder.exists()

    def close(self) -> None:
        """Close the log."""
        self._writer.close()

    def _append(self, ring: str, chunk: Chunk) -> None:
        if self._writer.rings is not None:
            getattr(self._writer.rings, ring).append(chunk)


def line_of(message: object, classes: tuple[str, ...]) -> LogLine | None:
    """A message as a line of the log; None for one that is not logged. classes: the pipeline's."""
    if isinstance(message, Line):
        return cast(LogLine, message)
    match message:
        case Detection():
            return _detection_line(message)
        case AlertChanged():
            return AlertLine.model_validate(asdict(message))
        case Gap():
            return GapLine(**asdict(message))
        case CueAnswer():
            return _cue_line(message, classes)
        case StalenessChanged(kind=kind):
            line = StaleLine if kind == "stale" else CaughtUpLine
            return line(age_s=round(message.age_s, 3), seconds=round(message.seconds, 3))
        case ThresholdChanged(threshold=threshold):
            return ThresholdLine(value=threshold)
        case OperatorAnnotation():
            return AnnotationLine(**asdict(message))
        case OperatorVerdict():
            return ReviewLine(**asdict(message))
    return None


def _cue_line(answer: CueAnswer, classes: tuple[str, ...]) -> CueLine:
    """Without probabilities if there was no answer."""
    cue, valid = answer.cue, answer.valid
    if not answer.probabilities:
        return CueLine(cue=cue.text, cue_stamp=cue.time, valid=valid)
    probabilities = dict(zip(classes, answer.probabilities, strict=True))
    return CueLine(cue=cue.text, cue_stamp=cue.time, valid=valid, probabilities=probabilities)


def _detection_line(found: Detection) -> OnsetLine | EventLine:
    event, line = found.event, EventLine if found.closed else OnsetLine
    return line(
        time=found.time, stamp=found.stamp if math.isfinite(found.stamp) else 0.0, onset=event.onset,
        duration=event.duration, label=event.label, confidence=round(event.confidence, 6), channels=event.channels,
    )  # fmt: skip
