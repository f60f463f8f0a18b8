"""All that a live engine tells: LSL outlets, event table, monitor. What one of them cannot take stops no other."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pylsl import local_clock

from rtbci.engine.session import Session
from rtbci.engine.staleness import Turn
from rtbci.lsl.outlets import Outlets
from rtbci.monitor.layout import layout_of, write_layout
from rtbci.monitor.messages import EngineState, line
from rtbci.monitor.shared_memory import MonitorWriter
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.event_table import EventLog
from rtbci.stages.cues import Answer
from rtbci.stages.decision import Detection
from rtbci.stages.gap_guard import CLOCK_FORWARD
from rtbci.types import Chunk, Event, Gap, StreamInfo


class Publisher:
    """`outlets` are there from the first stream on, `table` where one was asked for, `monitor` where somebody may watch."""

    def __init__(self, pipeline: Pipeline, monitor: str = "", events: str = "") -> None:
        """monitor: its folder; events: the path of the event table; none where empty."""
        self.pipeline = pipeline
        self.outlets: Outlets | None = None
        self.table: EventLog | None = None
        self.monitor = MonitorWriter(Path(monitor)) if monitor else None
        self.detections: deque[Detection] = deque(maxlen=4096)  # the last of them; the event table holds all
        self.n_events = 0
        self.alarm = ""  # what is wrong with the disk at present
        self.life = 0  # of the rings
        self._events = events

    # -- life ---------------------------------------------------------------------------------------------

    def bring_up_outlets(self, info: StreamInfo) -> None:
        """Once; they stay while the stream is away."""
        if self.outlets is None:
            self.outlets = Outlets(info, self.pipeline.name, self.pipeline.classes, 1 / self.pipeline.hop_s)

    def begin(self, session: Session) -> None:
        """A stream is there: have ready whatever is wanted of its answers."""
        self.open_rings(session)
        self.bring_up_outlets(session.info)
        if self._events and self.table is None:
            self.table = EventLog(self._events, datetime.now().replace(microsecond=0))

    def open_rings(self, session: Session) -> None:
        """Samples that do not follow those before them go to rings of their own."""
        if self.monitor is None:
            return
        begins_s = session.next_index / session.info.sfreq if session.away_since is None else None
        layout = layout_of(session.info, session.speed, self.pipeline, session.live.decision.labels, begins_s)
        try:
            self.life = self.monitor.open_rings(
                session.info.sfreq, len(session.info.channels), self.pipeline.sfreq, self.pipeline.n_inputs,
                self.pipeline.hop_s, len(self.pipeline.classes),
            )  # fmt: skip
            write_layout(self.monitor.folder, self.life, layout)
        except OSError as error:
            self.log(
                "alarm", text=f"{self.monitor.folder}: {error.strerror}; a dashboard shows no signals, work goes on"
            )

    def tend(self) -> None:
        """Tell when the event table cannot be written, and when it can again; the work goes on."""
        if self.table is None:
            return
        self.table.tend()
        if bool(self.table.trouble) != bool(self.alarm):
            self.log("alarm", text=self.table.trouble or "the event table is written again, and whole")
        self.alarm = self.table.trouble

    def finish(self, duration_s: float) -> None:
        """Finish the event table of a recording that long, and take the outlets off the network. May be called twice."""
        if self.table is not None:
            self.table.close(duration_s)
            if self.table.trouble:
                self.log("alarm", text=self.table.trouble)
            self.table = None
        if self.outlets is not None:
            self.outlets.close()
            self.outlets = None

    def close(self) -> None:
        if self.monitor is not None:
            self.monitor.close()
            self.monitor = None

    # -- the stream ---------------------------------------------------------------------------------------

    def signals(self, chunk: Chunk) -> None:
        """Samples as they came."""
        if self.monitor is not None and self.monitor.rings is not None:
            self.monitor.rings.signals.append(chunk)

    def gap(self, gap: Gap, session: Session) -> None:
        self.log("gap", **asdict(gap))
        if self.outlets is None:
            return
        if gap.n_missing:
            self.outlets.span("gap", gap.end, start=gap.start, end=gap.end)
        if gap.cause == CLOCK_FORWARD:
            # Without it a recording of the stream would read as a loss.
            speed = session.speed or 1.0
            until = gap.start + 1 / (session.info.sfreq * speed)
            self.outlets.span("move", gap.end, until=until, speed=speed)

    def span(self, state: str, stamp: float, **about: float) -> None:
        if self.outlets is not None:
            self.outlets.span(state, stamp, **about)

    def staleness(self, turn: Turn) -> None:
        """The answers became old, or new again."""
        about = {"age_s": round(turn.age_s, 3), "seconds": round(turn.seconds, 3)}
        self.log(turn.kind, **about)
        if self.outlets is not None:
            self.outlets.marker({"label": "rtbci", "state": turn.kind, **about}, local_clock())

    # -- the answers --------------------------------------------------------------------------------------

    def scores(self, scores: Chunk) -> None:
        if self.outlets is not None:
            self.outlets.scores(scores)

    def shown(self, seen: Chunk, scores: Chunk) -> None:
        """What the network saw, and what it said, for those who watch."""
        if self.monitor is not None and self.monitor.rings is not None:
            self.monitor.rings.model.append(seen)
            self.monitor.rings.scores.append(scores)

    def cue(self, answer: Answer) -> None:
        """What the window behind a cue gave."""
        about: dict[str, Any] = {"cue": answer.cue.text, "cue_stamp": answer.cue.time, "valid": answer.valid}
        if answer.probabilities:
            about["probabilities"] = dict(zip(self.pipeline.classes, answer.probabilities, strict=True))
        if self.outlets is not None:
            self.outlets.marker(about, answer.time if np.isfinite(answer.time) else answer.cue.time)
        self.log("cue", **about)

    def decided(self, found: list[Detection], stamp: float) -> None:
        for detection in found:
            self.detections.append(detection)
            self.n_events += detection.closed
            if self.outlets is not None:
                self.outlets.detection(detection, stamp)
            if detection.closed and self.table is not None:
                self.table.add(detection.event)
            kind = "event" if detection.closed else "onset"
            self.log(kind, time=detection.time, stamp=stamp, **_plain(detection.event))

    # -- those who watch ----------------------------------------------------------------------------------

    def state(self, state: EngineState) -> None:
        if self.monitor is not None:
            self.monitor.status(state)

    def log(self, kind: str, **what: Any) -> None:
        if self.monitor is not None:
            self.monitor.log(line(kind, **what))


def _plain(event: Event) -> dict[str, Any]:
    return {
        "onset": event.onset,
        "duration": event.duration,
        "label": event.label,
        "confidence": round(event.confidence, 6),
        "channels": list(event.channels),
    }
