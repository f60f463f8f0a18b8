"""The live loop: one thread from the inlet to the sinks; it keeps running while the stream is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from pylsl import local_clock

from rtbci.engine.alerts.watch import AlertMessage, AlertWatch
from rtbci.engine.cue_watch import CueWatch
from rtbci.engine.notes import annotation_of, verdict_of
from rtbci.engine.recorder_sink import RecorderSink
from rtbci.engine.recording_switch import RecordingSwitch
from rtbci.engine.replay_offset import ReplayOffset
from rtbci.engine.session import Connection, EngineSpec, Latency
from rtbci.engine.sink_process import SinkProcess
from rtbci.engine.sinks import Sink, SinkMessage, Sinks, Troubles
from rtbci.engine.staleness import Staleness
from rtbci.engine.start_gate import StartGate
from rtbci.engine.status import state_of
from rtbci.engine.trust import TrustWatch
from rtbci.engine.warm_up import warm_up
from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.lsl.border import RawSamples, StreamDoubt
from rtbci.lsl.config import stays_on_this_machine
from rtbci.lsl.discovery import predicate
from rtbci.lsl.outlets import Outlets
from rtbci.lsl.rate_check import RateCheck
from rtbci.lsl.replay_link import ReplayMoved
from rtbci.lsl.source import HostClockJumped, LslSource, SourceItem, StreamConnected, StreamLost
from rtbci.lsl.stamp_correction import lag_text
from rtbci.monitor.alerts import Acknowledge, PauseSound
from rtbci.monitor.messages import (
    AlarmLine,
    Annotate,
    ClockLine,
    Command,
    ConnectedLine,
    EngineState,
    LostLine,
    MoveLine,
    OpenStartGate,
    PauseLine,
    ReconnectedLine,
    RecordingState,
    RefusedLine,
    ReplayCommand,
    ReportAlarm,
    ReportRecording,
    Review,
    SeekLine,
    SetThreshold,
    StalledLine,
    StartRecording,
    Stop,
    StopRecording,
    WarningLine,
)
from rtbci.monitor.sink import MonitorSink
from rtbci.pipeline.pipeline import Pipeline, check_rate
from rtbci.pipeline.stream import StreamSession, Tally, session_info
from rtbci.recordings.description import Description
from rtbci.recordings.event_sink import EventTableSink
from rtbci.recordings.stream_reader import StreamReader, believed
from rtbci.stages.decision import alarm_labels
from rtbci.text import one_line
from rtbci.types import Chunk, Detection, Gap, Scores, ThresholdChanged

STATUS_EVERY_S = 0.1
STALLED_S = 1.0  # an iteration of the loop that takes longer is reported


class Engine:
    """Reads one LSL stream, classifies it with a pipeline, and sends the results to its sinks.

    Parameters
    ----------
    pipeline
        The trained pipeline.
    spec
        Which stream to read, and which outputs to write.
    sinks
        Sinks in addition to those of `spec`; they run in the live thread.
    trained_threshold
        That of the pipeline file; None: the pipeline's.

    Raises
    ------
    PluginError
        If a sink of `spec` cannot be loaded.
    """

    def __init__(
        self, pipeline: Pipeline, spec: EngineSpec, sinks: Sequence[Sink] = (), trained_threshold: float | None = None
    ) -> None:
        self.pipeline = pipeline
        decision = pipeline.config.decision
        self.trained_threshold = decision.threshold if trained_threshold is None else trained_threshold
        self.spec = spec
        self.source = LslSource(spec.query, self._accept, patient=spec.patient, overrides=spec.overrides)
        cues = pipeline.config.cues
        self.cues = CueWatch(spec.cues, cues.labels) if spec.cues and cues is not None else None
        self.recorder = RecorderSink(Path(spec.record)) if spec.record else None
        shares = spec.share_annotations or stays_on_this_machine()
        self.outlets = Outlets(self.recorder, share_annotations=shares)
        self.monitor = MonitorSink(Path(spec.monitor), pipeline) if spec.monitor else None
        self.table = EventTableSink(Path(spec.events)) if spec.events else None
        own = (sink for sink in (self.outlets, self.recorder, self.monitor, self.table) if sink is not None)
        self.sinks = Sinks([*own, *(SinkProcess(name) for name in spec.sinks), *sinks])
        self._recording_switch = RecordingSwitch(self.sinks, self.outlets)
        self._found: StreamConnected | None = None  # the connection as the source gave it
        self.connection: Connection | None = None
        self.gate = StartGate()
        self.staleness = Staleness()
        self.latency = Latency()
        self.tally = Tally()
        self.probability: tuple[float, ...] = ()
        self.n_events = 0
        self.recording: RecordingState | None = None  # of our recorder, or as the process that runs another reports it
        self.reported_alarm = ""  # what is wrong with the log or the output of the process that started this one
        self.began = time.monotonic()
        self.stopping = False
        self.alerts = AlertWatch(alarm_labels(pipeline.config.decision, pipeline.classes), spec.alarms)
        self._alert_troubles = Troubles([self.alerts])
        self._trust = TrustWatch(pipeline.notes)
        self._poll: Callable[[], None] = lambda: None
        self._status_due = 0.0
        self._warm_up()

    # -- the loop ---------------------------------------------------------------------------------------------

    def run(self, poll: Callable[[], None] | None = None) -> None:
        """Run until `stop`, then close.

        Parameters
        ----------
        poll
            Called about ten times a second.

        Raises
        ------
        StreamNotFound, StreamMismatch
            Before the first stream was connected only; afterwards the engine reports and keeps looking.
        """
        self._poll = poll or self._poll
        turn = time.monotonic()
        try:
            while not self.stopping:
                items = self.source.read(0.02)
                self._check_staleness()  # before old samples are classified
                for item in items:
                    self._handle(item)
                now = time.monotonic()
                if now - turn > STALLED_S and self.connection is not None:
                    self._send(StalledLine(seconds=round(now - turn, 2)))
                turn = now
                if now >= self._status_due:
                    self._status_due = now + STATUS_EVERY_S
                    self._check_wait_limit(now)
                    self._tend()
        finally:
            self.close()

    def stop(self) -> None:
        """End `run` after the current iteration."""
        self.stopping = True

    def close(self) -> None:
        """Close open events and the sinks, and release the stream. May be called twice."""
        with ExitStack() as each:  # in reverse order; one that fails does not keep the others from closing
            each.callback(self._close_sinks)
            each.callback(self._close_inputs)
            each.callback(self._close_table)
            if self.connection is not None:
                self._send_all(self.connection.stream.close())

    def _close_table(self) -> None:
        if self.table is not None:
            self.table.close()  # before the log is closed: it reports what a full disk did not take
            self._report_table_notice()
            if self.table.trouble:
                self._send(AlarmLine(text=self.table.trouble))

    def _close_inputs(self) -> None:
        self.source.close()
        if self.cues is not None:
            self.cues.close()
            self.cues = None

    def _close_sinks(self) -> None:
        if self.recorder is not None:
            self.recorder.close()
            if self.recorder.trouble:
                self._send(AlarmLine(text=self.recorder.trouble))
        self._publish_state()
        self.alerts.keep()
        self.sinks.close()
        self._recording_switch.close()
        self.monitor = self.table = None

    def state(self) -> EngineState:
        """The state that viewers show and `--json` prints."""
        return state_of(self)

    def command(self, what: Command) -> None:
        """Carry out a command; one that needs a replay or a stream is ignored where there is none."""
        match what:
            case Stop():
                self.stop()
            case OpenStartGate():
                self.gate.open()
            case ReportRecording(state=state):
                self.recording = state
            case ReportAlarm(text=text):
                self.reported_alarm = text
            case ReplayCommand(line=line) if self.source.replay is not None:
                self.source.replay.send_command(one_line(line))
            case SetThreshold(value=value) if self.connection is not None:
                self.connection.stream.live.decision.set_threshold(value)
                self._send(ThresholdChanged(value, local_clock()))
            case StartRecording(folder=folder):
                self._start_recording(folder)
            case StopRecording():
                self._stop_recording()
            case Annotate():
                self._send(annotation_of(what))
            case Review():
                self._send(verdict_of(what))
            case Acknowledge():
                self._alert(self.alerts.acknowledge(what))
            case PauseSound():
                self._alert(self.alerts.pause_sound(what))
            case _:
                pass  # it needs a replay or a stream, and there is none

    def _start_recording(self, folder: str) -> None:
        is_recorded = self.recorder is not None or (self.recording is not None and self.recording.on)
        if is_recorded or self.connection is None or self._found is None:
            self._send(WarningLine(text="recording is on already" if is_recorded else "no recording without a stream"))
            return
        stream = self.connection.stream
        about = replace(stream.about, threshold=stream.live.decision.threshold)
        self.recorder, told = self._recording_switch.begin(folder, self._found, about, self.tally.received)
        self._send(told)

    def _stop_recording(self) -> None:
        if self.recorder is None:
            self._send(
                WarningLine(text="the engine itself records nothing: a recorder beside it ends with the session")
            )
            return
        self._send(self._recording_switch.end(self.recorder))
        self.recorder = self.recording = None
        self.source.waits_for = lambda _is_replay: False

    def _tend(self) -> None:
        """Housekeeping, about ten times a second."""
        self._poll()
        for trouble in self.sinks.tend():
            self._send(AlarmLine(text=trouble))
        self._alert(self.alerts.tend())
        self._report_table_notice()
        if self.cues is not None and self.connection is not None:
            self.cues.take(self.connection.stream)  # also while no samples come
            for text in self.cues.news():
                self._send(WarningLine(text=text))
        if self.connection is not None:
            if self.source.replay is not None:
                self.connection.place_replay(self.source.replay.position)
            self._check_rate(self.connection)
            if (change := self._trust.changed(self.connection.stream, self.connection.rate.verdict)) is not None:
                self._send(change)
            if odd := self.connection.stream.quality.amplitude.take_words():
                self._send(WarningLine(text=odd))
        self._publish_state()
        self.alerts.keep()
        for trouble in self._alert_troubles.news():
            self._send(AlarmLine(text=trouble))

    def _report_table_notice(self) -> None:
        """Report that the event table is written to another file than the requested one."""
        if self.table is not None and (notice := self.table.take_notice()):
            self._send(WarningLine(text=notice))

    def _check_rate(self, connection: Connection) -> None:
        """Report a rate that is not the one that is believed."""
        if (verdict := connection.rate.check(local_clock())) is not None:
            text = f"stream {connection.stream.info.name!r} is {verdict.words}"
            self._send(AlarmLine(text=text) if verdict.kind == "wrong" else WarningLine(text=text))

    def _publish_state(self) -> None:
        if self.recorder is not None:
            self.recording = self.recorder.state()
        if self.monitor is not None:
            self.monitor.state(self.state())

    def _check_staleness(self) -> None:
        """Report when the answers become stale, and when they have caught up."""
        if self.staleness.is_paused and not self.source.is_paused:
            self.staleness.begin(local_clock())  # a pause that nobody confirms any more is silence
        elif self.source.is_paused and not self.staleness.is_paused:
            self.staleness.pause()
        change = self.staleness.check(local_clock())
        if change is not None:
            self._send(change)
            self._status_due = 0.0

    def _check_wait_limit(self, now: float) -> None:
        waited = now - self.began
        if not self.source.connected_once and self.spec.wait_s is not None and waited > self.spec.wait_s:
            raise StreamNotFound(
                f"no stream with {predicate(self.spec.query)} within {self.spec.wait_s:g} s; "
                "`rtbci streams` lists what is on the network"
            )

    # -- items of the source ---------------------------------------------------------------------------

    def _handle(self, item: SourceItem) -> None:
        match item:
            case RawSamples():
                self._samples(item)
            case StreamDoubt(text=text):
                self._send(WarningLine(text=text))
            case StreamConnected():
                self._connected(item)
            case ReplayMoved():
                self._moved(item)
            case StreamLost(reason=reason):
                self._send(LostLine(reason=reason))
                self._status_due = 0.0
            case HostClockJumped(by_s=by_s, offset_s=offset_s):
                self._send(ClockLine(by_s=round(by_s, 6), offset_s=round(offset_s, 6)))
            case _:
                if self.connection is None and not self.spec.patient:
                    raise StreamMismatch(item.reason)
                self._send(RefusedLine(reason=item.reason))

    def _samples(self, raw: RawSamples) -> None:
        connection = self.connection
        assert connection is not None
        chunk = connection.reader.chunk(raw.rows, raw.stamps)
        stream, arrived = connection.stream, raw.at
        connection.arrivals.append((arrived, len(chunk)))
        n_left_out = stream.n_left_out
        self._update_staleness(stream, chunk, arrived)
        if self.source.replay is not None and len(chunk):
            connection.replay.sample(float(chunk.times[0]) - connection.clock.offset_s, self.source.replay.position)
        # Held samples were late for no fault of the stream, and stamps that jump say nothing of their age.
        is_timed = not raw.held
        known = arrived if stream.speed else None
        n_cues = self._take_cues(stream)
        if self.recorder is not None and (told := self.recorder.samples(raw.rows, chunk.times, known, n_cues)):
            self._send(WarningLine(text=told))
        for message in stream.samples(chunk, known):
            self._send(message)
            if isinstance(message, Scores):
                if is_timed:
                    # The stamps of an unpaced replay are no times: its samples are as old as their arrival.
                    since = float(message.chunk.times[-1]) + self.staleness.lag_s if stream.speed else arrived
                    self.latency.add((local_clock() - min(since, arrived)) * 1e3)
                self.probability = tuple(message.chunk.data[-1].tolist())
            elif isinstance(message, Gap) and not message.n_missing and not message.n_extra:
                self.staleness.begin(message.end)  # the clock was reset
                is_timed = False
        if n_new := len(chunk) - (stream.n_left_out - n_left_out):
            connection.rate.add(n_new, float(chunk.times[-1]), arrived)

    def _take_cues(self, stream: StreamSession) -> int:
        """Pass new markers on; how many the session was told since the chunk before."""
        if self.cues is None:
            return 0
        self.cues.take(stream)
        passed = self.cues.pop_passed()
        if self.recorder is not None:
            self.recorder.cues(self.cues.source, passed)
        return len(passed)

    def _update_staleness(self, stream: StreamSession, chunk: Chunk, arrived: float) -> None:
        newest = float(chunk.times[-1])
        lasts_s = len(chunk) / (stream.info.sfreq * stream.speed) if stream.speed else 0.0
        self.staleness.add(newest if stream.speed else arrived, arrived, lasts_s)
        if lag_s := self.staleness.foreign_lag_s():
            text = (
                f"time stamps are {lag_text(lag_s)} this machine's clock; staleness and latency are measured from there"
            )
            self._send(WarningLine(text=text))

    def _moved(self, moved: ReplayMoved) -> None:
        """A replay was paused, resumed, sought or changed its speed.

        A pause or another speed continues the same recording: nothing is reset, no gap is declared, and the answers are
        those of the file. A seek closes open events, resets every stage, and continues in seconds of the recording.
        """
        connection, position = self.connection, moved.position
        if connection is None:
            return
        stream = connection.stream
        connection.arrivals.clear()
        connection.rate.restart(0.0 if position.paused else position.speed)
        if moved.trusted:
            self.staleness.pause()
            if not position.paused:
                self.staleness.begin(max(local_clock(), position.stamp))
        if position.seek or not moved.exact:
            was_s = stream.recording_s
            self._send_all(stream.seek(position.recorded_s, position.speed))
            self.sinks.begin(stream.about)
            self._alert(self.alerts.sought())
            offset_s = connection.replay.seconds or 0.0
            self._send(SeekLine(from_s=round(was_s, 3), to_s=round(stream.recording_s, 3), offset_s=offset_s))
            connection.replay.sought()
        elif position.paused:
            stream.speed = position.speed
            self._send(PauseLine(recorded_s=position.recorded_s))
        else:
            until = position.stamp - position.stalled_s
            self._send_all(stream.go_on(until, position.stamp, position.speed))
            self._send(
                MoveLine(until=until, since=position.stamp, speed=position.speed, recorded_s=position.recorded_s)
            )

    # -- a new stream -----------------------------------------------------------------------------------

    def _accept(self, described: Description) -> None:
        """Raises StreamMismatch for a stream that this pipeline cannot classify."""
        info = self._reader(described).info
        check_rate(self.pipeline.config, info)
        self.pipeline.preprocessor(info)
        if self.recorder is not None:
            self.source.waits_for = partial(self.recorder.stream.waits, described)
        if self.spec.start_gate:
            # With the outlets up and the stream known, a recorder can start before the first sample is read.
            self.outlets.begin(session_info(self.pipeline, info))
            self.gate.wait(info, self._tend, lambda: self.stopping)

    def _reader(self, described: Description) -> StreamReader:
        return believed(described, self.spec.overrides)

    def _connected(self, found: StreamConnected) -> None:
        reader, old = self._reader(found.described), self.connection
        self._found = found
        info = reader.info
        self.staleness.begin(local_clock())
        if self.source.is_paused:
            self.staleness.pause()
        if self.source.replay is not None and self.source.replay.trouble:
            self._send(WarningLine(text=self.source.replay.trouble))
        if not found.clock.known:
            self._send(
                WarningLine(text=f"the clock of {found.hostname} does not answer; time stamps are set by arrival")
            )
        if self.recorder is not None:
            self.recorder.connected(found)
        if old is not None and old.reader.reads_like(reader) and old.stream.is_like(info, found.speed):
            # Even under another name: from its first stamp the gap guard learns how long it was away.
            old.stream.connected_anew(info)
            self.outlets.reconnected()
            old.hostname, old.clock, old.replay = found.hostname, found.clock, ReplayOffset()
            old.rate.restart(found.speed)
            self._send(ReconnectedLine(stream=info.name, host=found.hostname))
            return
        self._begin(found, reader, old)
        for text in (*reader.warnings, *self.pipeline.choices(info)):
            self._send(WarningLine(text=text))
        channels = len(info.channels)
        self._send(ConnectedLine(stream=info.name, host=found.hostname, sfreq=info.sfreq, channels=channels))

    def _begin(self, found: StreamConnected, reader: StreamReader, old: Connection | None) -> None:
        """Start a session for the first stream, or for one that differs from the one before."""
        info = reader.info
        begins_s, away_since = 0.0, None
        if old is not None:
            self.tally.reconnects += 1
            self._send_all(old.stream.close())
            begins_s, away_since = old.stream.recording_s, old.stream.newest_stamp
        stream = StreamSession(
            self.pipeline, info, device=self.spec.device, speed=found.speed, begins_s=begins_s, away_since=away_since,
            tally=self.tally, told=self.spec.overrides.told() | found.measured, trends=True,
        )  # fmt: skip
        delay_s = round(self.pipeline.filter_delay_s(info.sfreq)["total"], 4)
        rate = RateCheck(info.sfreq, found.speed, has_stamps=found.has_stamps)
        self.connection = Connection(stream, found.hostname, found.clock, delay_s, reader, rate)
        self.sinks.begin(stream.about)
        self.alerts.begin(stream.about, self.outlets.number)
        for notice in self.outlets.take_notices():
            self._send(WarningLine(text=notice))

    def _warm_up(self) -> None:
        warm_up(self.pipeline, self.spec.device)

    # -- messages to the sinks ------------------------------------------------------------------------------------------

    def _send(self, message: SinkMessage) -> None:
        if isinstance(message, Detection):
            self.n_events += message.closed
        self.sinks.send(message)
        self._alert(self.alerts.take(message))

    def _alert(self, changes: Sequence[AlertMessage]) -> None:
        """Changes of alarms: to the sinks, and into the state at once."""
        for change in changes:
            self.sinks.send(change)
            self._status_due = 0.0

    def _send_all(self, messages: Iterable[SinkMessage]) -> None:
        for message in messages:
            self._send(message)
