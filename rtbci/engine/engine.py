"""The live loop: one thread from the inlet to the outlets, and the state that tells how it fares."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from pylsl import local_clock

from rtbci.engine.moves import follow
from rtbci.engine.notes import take_note
from rtbci.engine.publisher import Publisher
from rtbci.engine.session import EngineSpec, Latency, Session, Tally
from rtbci.engine.staleness import Staleness
from rtbci.engine.start_gate import Hold
from rtbci.engine.status import state_of
from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.lsl.discovery import predicate
from rtbci.lsl.marker_source import MarkerSource
from rtbci.lsl.replay_link import Moved
from rtbci.lsl.source import ClockJumped, Connected, Item, Lost, LslSource
from rtbci.monitor.messages import (
    Annotate,
    Command,
    EngineState,
    Go,
    RecordingState,
    ReplaySay,
    Review,
    SetThreshold,
    Stop,
    TellRecording,
)
from rtbci.pipeline.pipeline import Pipeline, check_rate
from rtbci.stages.bad_channels import Electrodes
from rtbci.stages.channel_quality import Quality
from rtbci.stages.gap_guard import GapGuard
from rtbci.text import one_line
from rtbci.types import Chunk, Gap, StreamInfo

STATUS_EVERY_S = 0.1
STALLED_S = 1.0  # a turn of the loop that takes longer is told


class Engine:
    """Reads one LSL stream, answers through a pipeline, and never stops for a stream that is away."""

    def __init__(self, pipeline: Pipeline, spec: EngineSpec, on_scores: Callable[[Chunk], None] | None = None) -> None:
        """on_scores: called with every answer (its times are the stream's stamps), after it was published."""
        self.pipeline = pipeline
        self.spec = spec
        self.source = LslSource(spec.query, self._accept)
        self.markers = MarkerSource(spec.cues) if spec.cues else None
        self.publisher = Publisher(pipeline, spec.monitor, spec.events)
        self.tally = Tally()
        self.latency = Latency()
        self.stopping = False
        self.hold = Hold()
        self._on_scores = on_scores
        self._poll: Callable[[], None] = lambda: None
        self.session: Session | None = None
        self.began = time.monotonic()
        self._status_due = 0.0
        self.newest_stamp = 0.0
        self.furthest_s = 0.0  # seconds of the recording, before a replay was sent elsewhere
        self.staleness = Staleness()
        self.probability: list[float] = []
        self._cue_trouble = ""
        self.recording: RecordingState | None = None  # the recorder's state, as the front end tells it
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
                    self.publisher.log("stalled", seconds=round(now - turn, 2))
                turn = now
                if now >= self._status_due:
                    self._status_due = now + STATUS_EVERY_S
                    self._give_up_waiting(now)
                    self._turn()
        finally:
            self.close()

    def _turn(self) -> None:
        self._poll()
        self.publisher.tend()
        if self.markers is not None and self.markers.trouble != self._cue_trouble:
            self._cue_trouble = self.markers.trouble
            self.publisher.log("warning", text=f"cues: {self._cue_trouble or 'are back'}")
        self.publisher.state(self.state())

    def _mind_age(self) -> None:
        """Tell everybody when the answers become old, and when they are new again."""
        turn = self.staleness.look(local_clock())
        if turn is not None:
            self.publisher.staleness(turn)
            self._status_due = 0.0

    def stop(self) -> None:
        self.stopping = True

    def close(self) -> None:
        """Decide what is open, finish the event table, release the stream. May be called twice."""
        if self.session is not None:
            for piece in self.session.guard.flush():
                self.take(piece)
            self.publisher.decided(self.session.live.decision.flush(), local_clock())
            self.end_span()
        duration_s = self.session.next_index / self.session.info.sfreq if self.session else 0.0
        self.publisher.finish(max(duration_s, self.furthest_s))
        self.source.close()
        if self.markers is not None:
            self.markers.close()
            self.markers = None
        self.publisher.state(self.state())
        self.publisher.close()

    def command(self, what: Command) -> None:
        """One command of a front end."""
        match what:
            case Stop():
                self.stop()
            case Go():
                self.hold.release()
            case TellRecording():
                self.recording = what.state
            case ReplaySay() if self.source.replay is not None:
                self.source.replay.say(one_line(what.say))
            case SetThreshold() if self.session is not None:
                self.session.live.decision.set_threshold(what.value)
                self.publisher.log("threshold", value=what.value)
            case Annotate() | Review():
                take_note(what, self.publisher.table, self.publisher.outlets, self.publisher.log)

    def _accept(self, info: StreamInfo) -> None:
        """Raises StreamMismatch for a stream that this pipeline cannot take."""
        check_rate(self.pipeline.config, self._with_unit(info))
        self.pipeline.preprocessor(self._with_unit(info))
        if self.spec.hold:
            # The outlets are up and the stream is named: a recorder may begin before the first sample is taken.
            self.publisher.bring_up_outlets(info)
            self.hold.wait(info, self._turn, lambda: self.stopping)

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
            self.publisher.log("lost", reason=item.reason)
            self._status_due = 0.0
        elif isinstance(item, ClockJumped):
            self.publisher.log("clock", by_s=round(item.by_s, 6), offset_s=round(item.offset_s, 6))
        elif isinstance(item, Moved):
            follow(self, item)
        else:
            if self.session is None:
                raise StreamMismatch(item.reason)
            self.publisher.log("refused", reason=item.reason)

    def _connected(self, found: Connected) -> None:
        info = self._with_unit(found.info)
        self.staleness.begin(local_clock())
        if self.source.replay is not None and self.source.replay.is_paused:
            self.staleness.stand_still()
        if not found.clock.known:
            self.publisher.log(
                "warning", text=f"the clock of {found.hostname} does not answer; stamps are set by arrival"
            )
        again = self.session is not None
        if again:
            self.tally.reconnects += 1
        old = self.session
        if old is not None and (_shape(old.info), old.speed) == (_shape(info), found.speed):
            # Whatever it calls itself now: its first stamp tells the guard how long it was away.
            old.info, old.hostname, old.clock = info, found.hostname, found.clock
            old.guard.connected_anew()
            self.publisher.log("reconnected", stream=info.name, host=found.hostname)
            return
        config = self.pipeline.config
        live = self.pipeline.start(info, self.spec.device)
        if old is not None:
            self.publisher.decided(old.live.decision.flush(), local_clock())
            self.end_span()
        guard = GapGuard(config.gaps, info.sfreq, found.speed or 1)
        delay_s = self.pipeline.filter_delay_s(info.sfreq)["total"]
        electrodes = live.find(Electrodes)  # judges for itself, where the pipeline masks what is bad
        quality = Quality(info) if electrodes is None else electrodes.quality
        self.session = Session(info, found.speed, guard, live, found.hostname, round(delay_s, 4), found.clock, quality)
        if old is not None:
            self.session.next_index = round(old.next_index * info.sfreq / old.info.sfreq)
            self.session.away_since = self.newest_stamp
        self.publisher.begin(self.session)
        silent = [c for c, unit in zip(found.info.channels, found.info.units, strict=True) if not unit]
        if silent and not self.spec.unit:
            self.publisher.log("warning", text=f"{len(silent)} channels name no unit; taken as microvolts")
        self.publisher.log(
            "connected", stream=info.name, host=found.hostname, sfreq=info.sfreq, channels=len(info.channels)
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
            self.take(piece)
        self.publisher.signals(chunk)

    def _note_age(self, session: Session, n_samples: int) -> None:
        """Unpaced stamps are no times: there, samples are as old as their arrival."""
        arrived = self.source.pulled_at
        lasts_s = n_samples / (session.info.sfreq * session.speed) if session.speed else 0.0
        self.staleness.took(self.newest_stamp if session.speed else arrived, arrived, lasts_s)
        if lag_s := self.staleness.strange_lag_s():
            side = f"{lag_s:.1f} s behind" if lag_s > 0 else f"{-lag_s:.1f} s ahead of"
            self.publisher.log("warning", text=f"stamps are {side} this machine's clock; ages count from there")

    def _begin_session(self, session: Session, stamp: float) -> None:
        """Its first sample is here: account for the time since the stream's last life, and tell where this one begins."""
        session.begun = True
        if session.away_since is not None:
            n_missing = round((stamp - session.away_since) * session.info.sfreq * (session.speed or 1)) - 1
            self.take(Gap(session.away_since, stamp, max(0, n_missing), "the stream was away"))
        self.publisher.span("begin", stamp, speed=session.speed or 1.0)

    def end_span(self) -> None:
        if self.session is not None and self.session.begun:
            self.session.begun = False
            self.publisher.span("end", self.newest_stamp)

    def take(self, piece: Chunk | Gap) -> None:
        assert self.session is not None
        if isinstance(piece, Chunk):
            self._answer(piece)
            return
        self.publisher.gap(piece, self.session)
        self.tally.gaps += 1
        self.tally.extra += piece.n_extra
        if not piece.n_missing and not piece.n_extra:
            self.staleness.begin(piece.end)  # the clock was reset
        if piece.filled:
            self.tally.filled += piece.n_missing
            return
        self.tally.lost += piece.n_missing
        self.session.next_index += piece.n_missing
        self.publisher.decided(self.session.live.decision.flush(), piece.start)
        self.session.live.reset()

    def _answer(self, chunk: Chunk) -> None:
        """Samples on the grid to a published answer; all else comes after."""
        session = self.session
        assert session is not None
        for cue in self.markers.read() if self.markers is not None else ():
            session.live.cue(cue.time, cue.text)
        scores = session.live.process(chunk)
        if len(scores):
            self.publisher.scores(scores)
            since = float(scores.times[-1]) if session.speed else self.source.pulled_at
            self.latency.add((local_clock() - since) * 1e3)
            self._decide(scores, chunk)
        if self.markers is not None:
            for answer in session.live.answers():
                self.publisher.cue(answer)
        session.next_index += len(chunk)
        if session.live.find(Electrodes) is None:
            session.quality.process(chunk)
        self.publisher.shown(session.live.seen, scores)
        if self._on_scores is not None and len(scores):
            self._on_scores(scores)

    def _decide(self, scores: Chunk, chunk: Chunk) -> None:
        """Decide in seconds of the recording, so that the events are those of the file to the bit."""
        session = self.session
        assert session is not None
        index = np.searchsorted(chunk.times, scores.times).astype(np.float64) + session.next_index
        found = session.live.decide(Chunk(scores.data, index / session.info.sfreq, scores.valid))
        self.probability = scores.data[-1].tolist()
        self.tally.invalid_hops += int(len(scores) - np.count_nonzero(scores.valid))
        if found:
            self.publisher.decided(found, float(scores.times[-1]))

    # -- what the others see --------------------------------------------------------------------------------

    def state(self) -> EngineState:
        """What a front end shows and `--json` prints."""
        return state_of(self)


def _shape(info: StreamInfo) -> tuple[object, ...]:
    return info.sfreq, info.channels, info.units
