"""The live loop: one thread from the inlet to the outlets, and the state that tells how it fares."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pylsl import local_clock

from rtbci.decisions import Detection
from rtbci.electrodes import Electrodes
from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.hold import Hold
from rtbci.moves import follow
from rtbci.pipeline import Pipeline, check_rate
from rtbci.plain import one_line
from rtbci.quality import Quality
from rtbci.sinks.events import EventLog
from rtbci.sinks.layout import layout_of, write_layout
from rtbci.sinks.monitor import MonitorWriter
from rtbci.sinks.notes import take_note
from rtbci.sinks.outlets import Outlets
from rtbci.sinks.shapes import Number
from rtbci.sources.control import Moved
from rtbci.sources.discovery import predicate
from rtbci.sources.lsl import ClockJumped, Connected, Item, Lost, LslSource
from rtbci.sources.markers import MarkerSource
from rtbci.staleness import Staleness
from rtbci.status import Latency, Session, Tally, state_of
from rtbci.timing import CLOCK_FORWARD, GapGuard
from rtbci.types import Chunk, Event, Gap, StreamInfo

STATUS_EVERY_S = 0.1
STALLED_S = 1.0  # a turn of the loop that takes longer is told


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine is to do; it crosses into the engine's process. wait_s: how long the first stream may take."""

    pipeline: str
    query: dict[str, str]
    monitor: str = ""
    events: str = ""
    device: str = "cpu"
    wait_s: float | None = None
    unit: str = ""
    cues: dict[str, str] = field(default_factory=dict)  # the marker stream whose cues are answered
    hold: bool = False  # name the stream and wait for {"do": "go"}, so that a recorder starts before the first sample


class Engine:
    """Reads one LSL stream, answers through a pipeline, and never stops for a stream that is away."""

    def __init__(self, pipeline: Pipeline, spec: EngineSpec, on_scores: Callable[[Chunk], None] | None = None) -> None:
        """on_scores: called with every answer (its times are the stream's stamps), after it was published."""
        self.pipeline = pipeline
        self.spec = spec
        self.source = LslSource(spec.query, self._accept)
        self.markers = MarkerSource(spec.cues) if spec.cues else None
        self.monitor = MonitorWriter(Path(spec.monitor)) if spec.monitor else None
        self.tally = Tally()
        self.latency = Latency()
        self.detections: deque[Detection] = deque(maxlen=4096)  # the last of them; the event table holds all
        self.n_events = 0
        self.stopping = False
        self.hold = Hold()
        self._on_scores = on_scores
        self._poll: Callable[[], None] = lambda: None
        self._event_log: EventLog | None = None
        self.outlets: Outlets | None = None
        self.session: Session | None = None
        self.life = 0
        self.began = time.monotonic()
        self._status_due = 0.0
        self.newest_stamp = 0.0
        self.furthest_s = 0.0  # seconds of the recording, before a replay was sent elsewhere
        self.staleness = Staleness()
        self.probability: list[float] = []
        self._cue_trouble = ""
        self.alarm = ""  # what is wrong with the disk at present
        self.recording: dict[str, Any] | None = None  # the recorder's state, as the front end tells it
        self._warm_up()

    # -- life ---------------------------------------------------------------------------------------------

    def run(self, poll: Callable[[], None] | None = None) -> None:
        """Until `stop`. poll: called about ten times a second. Raises StreamNotFound, StreamMismatch at the start only."""
        self._poll = poll or self._poll
        turn = time.monotonic()
        try:
            while not self.stopping:
                items = self.source.read(0.02)
                self._mind_age()  # before old samples are answered
                for item in items:
                    self._handle(item)
                now = time.monotonic()
                if now - turn > STALLED_S and self.session is not None:
                    self._log("stalled", seconds=round(now - turn, 2))
                turn = now
                if now >= self._status_due:
                    self._status_due = now + STATUS_EVERY_S
                    self._give_up_waiting(now)
                    self._turn()
        finally:
            self.close()

    def _turn(self) -> None:
        self._poll()
        self._mind_disk()
        if self.markers is not None and self.markers.trouble != self._cue_trouble:
            self._cue_trouble = self.markers.trouble
            self._log("warning", text=f"cues: {self._cue_trouble or 'are back'}")
        self._publish_status()

    def _mind_age(self) -> None:
        """Tell everybody when the answers become old, and when they are new again."""
        turn = self.staleness.look(local_clock())
        if turn is not None:
            about = {"age_s": round(turn.age_s, 3), "seconds": round(turn.seconds, 3)}
            self._log(turn.kind, **about)
            self._status_due = 0.0
            if self.outlets is not None:
                self.outlets.marker({"label": "rtbci", "state": turn.kind, **about}, local_clock())

    def _mind_disk(self) -> None:
        """Tell when the event table cannot be written, and when it can again; the work goes on."""
        if self._event_log is None:
            return
        self._event_log.tend()
        if bool(self._event_log.trouble) != bool(self.alarm):
            self._log("alarm", text=self._event_log.trouble or "the event table is written again, and whole")
        self.alarm = self._event_log.trouble

    def stop(self) -> None:
        self.stopping = True

    def close(self) -> None:
        """Decide what is open, finish the event table, release the stream. May be called twice."""
        if self.session is not None:
            for piece in self.session.guard.flush():
                self._piece(piece)
            self._decided(self.session.live.decision.flush(), local_clock())
            self._end_span()
        if self._event_log is not None:
            duration = self.session.next_index / self.session.info.sfreq if self.session else 0.0
            self._event_log.close(max(duration, self.furthest_s))
            if self._event_log.trouble:
                self._log("alarm", text=self._event_log.trouble)
            self._event_log = None
        if self.outlets is not None:
            self.outlets.close()
            self.outlets = None
        self.source.close()
        if self.markers is not None:
            self.markers.close()
            self.markers = None
        self._publish_status()
        if self.monitor is not None:
            self.monitor.close()
            self.monitor = None

    def command(self, what: dict[str, Any]) -> None:
        """One command of a front end: {"do": "stop"} or {"do": "threshold", "value": 0.7}; what is none changes nothing."""
        if what.get("do") == "stop":
            self.stop()
        elif what.get("do") == "go":
            self.hold.release()
        elif what.get("do") == "recording":
            self.recording = what["state"] if isinstance(what.get("state"), dict) else None
        elif what.get("do") == "replay" and self.source.replay is not None:
            self.source.replay.say(one_line(str(what.get("say"))))
        elif what.get("do") == "threshold" and self.session is not None:
            value: Any = what.get("value")
            if value in Number(0, 1):
                self.session.live.decision.set_threshold(float(value))
                self._log("threshold", value=float(value))
        else:
            take_note(what, self._event_log, self.outlets, self._log)

    def _accept(self, info: StreamInfo) -> None:
        """Raises StreamMismatch for a stream that this pipeline cannot take."""
        check_rate(self.pipeline.config, self._with_unit(info))
        self.pipeline.preprocessor(self._with_unit(info))
        if self.spec.hold:
            # The outlets are up and the stream is named: a recorder may begin before the first sample is taken.
            self._bring_up_outlets(info)
            self.hold.wait(info, self._turn, lambda: self.stopping)

    def _bring_up_outlets(self, info: StreamInfo) -> None:
        if self.outlets is None:
            self.outlets = Outlets(info, self.pipeline.name, self.pipeline.classes, 1 / self.pipeline.hop_s)

    def _with_unit(self, info: StreamInfo) -> StreamInfo:
        units = tuple(unit or self.spec.unit for unit in info.units)
        return StreamInfo(info.name, info.sfreq, info.channels, units, info.type, info.source_id)

    def _warm_up(self) -> None:
        """Run once on noise, so that the first real sample does not pay for first calls."""
        config = self.pipeline.config
        info = StreamInfo("warm-up", config.sfreq, self.pipeline.channels, ("uV",) * len(self.pipeline.channels))
        live = self.pipeline.start(info, self.spec.device)
        noise = np.random.default_rng(0).normal(0, 20, (max(self.pipeline.hop, 8), len(info.channels)))
        for k in range(40):
            times = (np.arange(len(noise)) + k * len(noise)) / config.sfreq
            live.decide(live.process(Chunk(noise.astype(np.float32), times)))

    def _give_up_waiting(self, now: float) -> None:
        waited = now - self.began
        if not self.source.connected_once and self.spec.wait_s is not None and waited > self.spec.wait_s:
            raise StreamNotFound(
                f"no stream with {predicate(self.spec.query)} within {self.spec.wait_s:g} s; "
                "`rtbci streams` lists what is on the network"
            )

    # -- what the source brings ---------------------------------------------------------------------------

    def _handle(self, item: Item) -> None:
        if isinstance(item, Chunk):
            self._samples(item)
        elif isinstance(item, Connected):
            self._connected(item)
        elif isinstance(item, Lost):
            self._log("lost", reason=item.reason)
            self._status_due = 0.0
        elif isinstance(item, ClockJumped):
            self._log("clock", by_s=round(item.by_s, 6), offset_s=round(item.offset_s, 6))
        elif isinstance(item, Moved):
            follow(self, item)
        else:
            if self.session is None:
                raise StreamMismatch(item.reason)
            self._log("refused", reason=item.reason)

    def _connected(self, found: Connected) -> None:
        info = self._with_unit(found.info)
        self.staleness.begin(local_clock())
        if self.source.replay is not None and self.source.replay.is_paused:
            self.staleness.stand_still()
        if not found.clock.known:
            self._log("warning", text=f"the clock of {found.hostname} does not answer; stamps are set by arrival")
        again = self.session is not None
        if again:
            self.tally.reconnects += 1
        old = self.session
        if old is not None and (_shape(old.info), old.speed) == (_shape(info), found.speed):
            # Whatever it calls itself now: its first stamp tells the guard how long it was away.
            old.info, old.hostname, old.clock = info, found.hostname, found.clock
            old.guard.connected_anew()
            self._log("reconnected", stream=info.name, host=found.hostname)
            return
        config = self.pipeline.config
        live = self.pipeline.start(info, self.spec.device)
        if old is not None:
            self._decided(old.live.decision.flush(), local_clock())
            self._end_span()
        guard = GapGuard(config.gaps, info.sfreq, found.speed or 1)
        delay_s = self.pipeline.filter_delay_s(info.sfreq)["total"]
        electrodes = live.find(Electrodes)  # judges for itself, where the pipeline masks what is bad
        quality = Quality(info) if electrodes is None else electrodes.quality
        self.session = Session(info, found.speed, guard, live, found.hostname, round(delay_s, 4), found.clock, quality)
        if old is not None:
            self.session.next_index = round(old.next_index * info.sfreq / old.info.sfreq)
            self.session.away_since = self.newest_stamp
        self._open_rings(self.session)
        self._bring_up_outlets(info)
        if self.spec.events and self._event_log is None:
            self._event_log = EventLog(self.spec.events, datetime.now().replace(microsecond=0))
        silent = [c for c, unit in zip(found.info.channels, found.info.units, strict=True) if not unit]
        if silent and not self.spec.unit:
            self._log("warning", text=f"{len(silent)} channels name no unit; taken as microvolts")
        self._log("connected", stream=info.name, host=found.hostname, sfreq=info.sfreq, channels=len(info.channels))

    def _open_rings(self, session: Session) -> None:
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
            self._log(
                "alarm", text=f"{self.monitor.folder}: {error.strerror}; a dashboard shows no signals, work goes on"
            )

    def _samples(self, chunk: Chunk) -> None:
        assert self.session is not None
        self.tally.received += len(chunk)
        self.session.arrivals.append((self.source.pulled_at, len(chunk)))
        if not self.session.begun:
            self._begin_session(self.session, float(chunk.times[0]))
        self.newest_stamp = float(chunk.times[-1])
        self._note_age(self.session, len(chunk))
        for piece in self.session.guard.process(chunk, self.source.pulled_at if self.session.speed else None):
            self._piece(piece)
        if self.monitor is not None and self.monitor.rings is not None:
            self.monitor.rings.signals.append(chunk)

    def _note_age(self, session: Session, n_samples: int) -> None:
        """Unpaced stamps are no times: there, samples are as old as their arrival."""
        arrived = self.source.pulled_at
        lasts_s = n_samples / (session.info.sfreq * session.speed) if session.speed else 0.0
        self.staleness.took(self.newest_stamp if session.speed else arrived, arrived, lasts_s)
        if lag_s := self.staleness.strange_lag_s():
            side = f"{lag_s:.1f} s behind" if lag_s > 0 else f"{-lag_s:.1f} s ahead of"
            self._log("warning", text=f"stamps are {side} this machine's clock; ages count from there")

    def _begin_session(self, session: Session, stamp: float) -> None:
        """Its first sample is here: account for the time since the stream's last life, and tell where this one begins."""
        session.begun = True
        if session.away_since is not None:
            n_missing = round((stamp - session.away_since) * session.info.sfreq * (session.speed or 1)) - 1
            self._piece(Gap(session.away_since, stamp, max(0, n_missing), "the stream was away"))
        if self.outlets is not None:
            self.outlets.span("begin", stamp, speed=session.speed or 1.0)

    def _end_span(self) -> None:
        if self.outlets is not None and self.session is not None and self.session.begun:
            self.session.begun = False
            self.outlets.span("end", self.newest_stamp)

    def _piece(self, piece: Chunk | Gap) -> None:
        assert self.session is not None
        if isinstance(piece, Chunk):
            self._answer(piece)
            return
        self._log("gap", **asdict(piece))
        if piece.n_missing and self.outlets is not None:
            self.outlets.span("gap", piece.end, start=piece.start, end=piece.end)
        if piece.cause == CLOCK_FORWARD and self.outlets is not None:
            # Without it a recording of the stream would read as a loss.
            speed = self.session.speed or 1.0
            until = piece.start + 1 / (self.session.info.sfreq * speed)
            self.outlets.span("move", piece.end, until=until, speed=speed)
        self.tally.gaps += 1
        self.tally.extra += piece.n_extra
        if not piece.n_missing and not piece.n_extra:
            self.staleness.begin(piece.end)  # the clock was reset
        if piece.filled:
            self.tally.filled += piece.n_missing
            return
        self.tally.lost += piece.n_missing
        self.session.next_index += piece.n_missing
        self._decided(self.session.live.decision.flush(), piece.start)
        self.session.live.reset()

    def _answer(self, chunk: Chunk) -> None:
        """Samples on the grid to a published answer; all else comes after."""
        session = self.session
        assert session is not None and self.outlets is not None
        for cue in self.markers.read() if self.markers is not None else ():
            session.live.cue(cue.time, cue.text)
        scores = session.live.process(chunk)
        if len(scores):
            self.outlets.scores(scores)
            since = float(scores.times[-1]) if session.speed else self.source.pulled_at
            self.latency.add((local_clock() - since) * 1e3)
            self._decide(scores, chunk)
        if self.markers is not None:
            self._answer_cues(session)
        session.next_index += len(chunk)
        if session.live.find(Electrodes) is None:
            session.quality.process(chunk)
        if self.monitor is not None and self.monitor.rings is not None:
            self.monitor.rings.model.append(session.live.seen)
            self.monitor.rings.scores.append(scores)
        if self._on_scores is not None and len(scores):
            self._on_scores(scores)

    def _answer_cues(self, session: Session) -> None:
        """Publish what the windows behind the cues gave, each on the events outlet."""
        assert self.outlets is not None
        for answer in session.live.answers():
            about: dict[str, Any] = {"cue": answer.cue.text, "cue_stamp": answer.cue.time, "valid": answer.valid}
            if answer.probabilities:
                about["probabilities"] = dict(zip(self.pipeline.classes, answer.probabilities, strict=True))
            self.outlets.marker(about, answer.time if np.isfinite(answer.time) else answer.cue.time)
            self._log("cue", **about)

    def _decide(self, scores: Chunk, chunk: Chunk) -> None:
        """Decide in seconds of the recording, so that the events are those of the file to the bit."""
        session = self.session
        assert session is not None
        index = np.searchsorted(chunk.times, scores.times).astype(np.float64) + session.next_index
        found = session.live.decide(Chunk(scores.data, index / session.info.sfreq, scores.valid))
        self.probability = scores.data[-1].tolist()
        self.tally.invalid_hops += int(len(scores) - np.count_nonzero(scores.valid))
        if found:
            self._decided(found, float(scores.times[-1]))

    def _decided(self, found: list[Detection], stamp: float) -> None:
        for detection in found:
            self.detections.append(detection)
            self.n_events += detection.closed
            if self.outlets is not None:
                self.outlets.detection(detection, stamp)
            if detection.closed and self._event_log is not None:
                self._event_log.add(detection.event)
            kind = "event" if detection.closed else "onset"
            self._log(kind, time=detection.time, stamp=stamp, **_plain(detection.event))

    # -- what the others see --------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The state, in plain JSON: what a front end shows and `--json` prints."""
        return state_of(self)

    def _publish_status(self) -> None:
        if self.monitor is not None:
            self.monitor.status(self.state())

    def _log(self, kind: str, **what: Any) -> None:
        if self.monitor is not None:
            self.monitor.log(kind, **what)


def _shape(info: StreamInfo) -> tuple[object, ...]:
    return info.sfreq, info.channels, info.units


def _plain(event: Event) -> dict[str, Any]:
    return {
        "onset": event.onset,
        "duration": event.duration,
        "label": event.label,
        "confidence": round(event.confidence, 6),
        "channels": list(event.channels),
    }
