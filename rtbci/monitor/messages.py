"""What crosses between an engine and its viewers: its state, the lines of its log, and commands; frozen models.

A message serialises the fields that were set, and no others. What another process wrote is validated: numbers within
bounds, types strict, keys of a newer engine ignored; what is invalid is dropped. Bounds apply to reading only: a stream
with absurd time stamps must not stop the engine that reports them.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from rtbci.monitor.alerts import Acknowledge, AlertLine, AlertState, BurdenState, PauseSound, RunningEvent, SoundLine
from rtbci.monitor.message import (
    READ,
    ClockSeconds,
    Count,
    Fraction,
    Line,
    Message,
    Rate,
    Real,
    ReplaySeconds,
    Speed,
    Verdict,
    Whole,
    read,
    within,
)
from rtbci.results import Text, Texts

# -- the state -----------------------------------------------------------------------------------------------


class StreamState(Message):
    """The stream that is read."""

    name: Text
    """Its name."""
    source_id: Text = ""
    """Empty if it has none."""
    hostname: Text
    """Host that sends it."""
    channels: Count
    """How many."""
    sfreq: Rate
    """Nominal rate."""
    speed: Speed
    """Recorded seconds per second; 0: an unpaced replay."""


class ArmingState(Message):
    """The stream that the engine has found, and will read as soon as a recorder has started."""

    name: Text = ""
    """Of the stream."""
    source_id: Text = ""
    """Of the stream."""
    type: Text = ""
    """Of the stream."""


class LatencyMs(Message):
    """From the time stamp of a sample to its published probability; null before the first answer."""

    p50: Real | None
    """Median."""
    p99: Real | None
    """99th percentile."""
    max: Real | None
    """Of all."""

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        if len({value is None for value in (self.p50, self.p99, self.max)}) > 1:
            raise ValueError("some are null")
        return self


class SampleCounts(Message):
    """Every sample accounted for: the recording = received - extra + filled + lost."""

    received: Count
    """By the engine."""
    extra: Count = 0
    """Duplicate or late samples, which were discarded."""
    filled: Count
    """Interpolated, and marked invalid."""
    lost: Count
    """Missing, and not interpolated."""
    gaps: Count
    """Of any length."""
    reconnects: Count
    """Reconnections of the stream."""
    invalid_hops: Count = 0
    """Answers that are marked invalid."""


class RecordingState(Message):
    """The recorder beside the engine, or of `rtbci record`."""

    on: bool = False
    """Samples of every stream are being recorded."""
    file: Text | None = None
    """The newest file."""
    files: Count = 0
    """Files so far."""
    size_bytes: Real = 0
    """Of the newest file."""
    free_bytes: Real = 0
    """On the disk."""
    seconds: Real = 0.0
    """Length of the newest file."""
    hours_left: Real | None = None
    """Until the disk is full at this rate; null while that is unknown."""
    alarm: Text = ""
    """What is wrong; empty while all is well."""


class TrustState(Message):
    """How far an answer can be trusted while electrodes are bad, or the stream's rate is not what it says."""

    level: Text
    """`full`; `reduced`: the channels in `masked` are masked, as in training, or the rate is off by 0.5 to 2 %; `none`: so
    many are masked that answers are marked invalid, or the rate is off by more; `untested`: the network was never trained
    with masked channels, and its answers are used as they are."""
    bad: Texts = ()
    """Channels of the stream that the pipeline uses and that are bad."""
    masked: Texts
    """Channels of the network's input that are masked."""
    inputs: Count
    """Channels of the network's input."""
    auroc: Fraction | None = None
    """Of held-out recordings with as many channels masked; only if training measured it."""
    auroc_whole: Fraction | None = None
    """The same with no channel masked."""
    words: Text
    """The same as a sentence; empty while all is well."""


class ReplayState(Message):
    """Position of a replay that can be controlled, in seconds of its recording."""

    recorded_s: ReplaySeconds
    """Present position."""
    start_s: ReplaySeconds
    """Start of what is played."""
    end_s: ReplaySeconds
    """End of what is played."""
    speed: Speed
    """Recorded seconds per second; 0: not paced."""
    paused: bool
    """Whether it is paused."""
    loop: bool
    """Whether it starts again at the end."""
    move: Whole
    """Number of moves (pause, resume, seek, change of speed) so far."""
    offset_s: ReplaySeconds | None = 0.0
    """Seconds of its recording less those that the engine counts from where it joined the replay, until a seek; null until
    they are known."""


class EngineState(Message):
    """The state of an engine, written ten times a second.

    Keys from `stream` to `replay` are present once a stream was found.
    """

    state: Text = "starting"
    """`waiting`, `arming`, `running`, `paused`, `stale`, `lost` or `stopped`."""
    pipeline: Text = ""
    """Its name."""
    classes: Texts = ()
    """Classes of the pipeline."""
    query: dict[Text, Text] = Field(default_factory=dict)
    """LSL properties of the stream."""
    generation: Count = Field(default=0, validation_alias="life", serialization_alias="life")
    """Generation of the shared rings in use: how many times a stream began."""
    waiting_s: Real = 0.0
    """How long the first stream has been searched for."""
    wait_s: Real | None = None
    """Limit of `waiting_s`; null: none."""
    silent_s: Real = 0.0
    """Time since samples last arrived."""
    probability: dict[Text, Fraction] = Field(default_factory=dict)
    """The newest answer, by class."""
    latency_ms: LatencyMs = LatencyMs(p50=None, p99=None, max=None)
    samples: SampleCounts = SampleCounts(received=0, filled=0, lost=0, gaps=0, reconnects=0)
    events: Count = 0
    """Events that are over."""
    running: tuple[RunningEvent, ...] = ()
    """Events that are on, of any class."""
    alerts: tuple[AlertState, ...] = ()
    """The alarms of the signal that are not off: the most pressing first."""
    sound_paused_s: Real = 0.0
    """How long the sound of alarms is still paused, for every viewer."""
    burden: dict[Text, BurdenState] = Field(default_factory=dict)
    """By class that alarms."""
    alarm: Text = ""
    """What is wrong at present with the disk, a sink, the log or the output."""
    events_file: Text = ""
    """Path of the event table; empty before the first stream, and without `--events`."""
    arming: ArmingState | None = None
    """Only while the engine waits for a recorder."""
    outlets: Texts = ()
    """Source ids of the engine's own streams; only while the engine waits for a recorder."""
    stream: StreamState | None = None
    rate_hz: Real | None = None
    """Samples per second over the last 5 s; null while too few have arrived."""
    rate_by_stamps_hz: Real | None = None
    """Samples in a second of their time stamps, over the last 30 s; null while it is not certain."""
    recording_s: Real = 0.0
    """Seconds of the stream so far, lost samples included."""
    staleness_s: Real = 0.0
    """Age of the newest processed sample."""
    jitter_ms: Real = 0.0
    """Of the time stamps."""
    device: Text = ""
    """Device that the network runs on."""
    stage_us: dict[Text, Real] = Field(default_factory=dict)
    """Processing time of the last chunk, by stage."""
    threshold: Real = 0.5
    """Of the decision."""
    release: Real | None = None
    """Smoothed probability at which an event ends."""
    trained_threshold: Real | None = None
    """That of the pipeline file, whatever was set since."""
    smoothed: dict[Text, Fraction] = Field(default_factory=dict)
    """The smoothed probability that the decision compares, by class."""
    filter_delay_s: Real = 0.0
    """Group delay of the filters; not part of the latency."""
    recording: RecordingState | None = None
    """Null if nothing is recorded."""
    clock_offset_s: Real = 0.0
    """Of the clock of the stream's host against the local one."""
    clock_age_s: Real | None = None
    """Age of the measurement of the offset; null before the first."""
    quality: dict[Text, Text] = Field(default_factory=dict)
    """What is wrong, by bad channel."""
    trust: TrustState | None = None
    newest_stamp: Real | None = None
    """Time stamp of the newest sample."""
    replay: ReplayState | None = None
    """Null for a stream that is no replay, or a replay that cannot be controlled."""
    engine_silent_s: Real | None = None
    """Only if the engine has not renewed its state for so long."""

    def __or__(self, more: EngineState) -> EngineState:
        """This state, updated with the fields that are set in `more`."""
        return self.model_copy(update={key: getattr(more, key) for key in more.model_fields_set})


_WITH_STREAM = (
    "latency_ms", "samples", "rate_hz", "recording_s", "staleness_s", "filter_delay_s", "device", "threshold", "smoothed",
)  # fmt: skip


def read_state(content: str | bytes) -> EngineState | None:
    """Parse a state, without the keys that are invalid, and without a stream that is incomplete; None if nothing is left."""
    try:
        state = EngineState.model_validate_json(content, strict=True, context=READ)
    except ValidationError as error:
        unfit = {problem["loc"][0] for problem in error.errors(include_url=False) if problem["loc"]}
        if not unfit:
            return None  # no JSON object
        values = {key: value for key, value in json.loads(content).items() if key not in unfit}
        state = EngineState.model_validate_json(json.dumps(values), strict=True, context=READ)
    if "stream" in state.model_fields_set and not state.model_fields_set.issuperset(_WITH_STREAM):
        rest = {key: getattr(state, key) for key in state.model_fields_set - {"stream"}}
        state = EngineState(**rest)
    return state if state.model_fields_set else None


# -- the log -------------------------------------------------------------------------------------------------


class ConnectedLine(Line):
    """A stream was connected, and a new session began."""

    kind: Literal["connected"] = "connected"
    stream: Text
    """Its name."""
    host: Text
    """Host that sends it."""
    sfreq: Real
    """Nominal rate."""
    channels: Whole
    """How many."""


class ReconnectedLine(Line):
    """The stream was reconnected, and its session continues."""

    kind: Literal["reconnected"] = "reconnected"
    stream: Text
    """Its name."""
    host: Text
    """Host that sends it."""


class LostLine(Line):
    """The stream was lost."""

    kind: Literal["lost"] = "lost"
    reason: Text
    """In words."""


class RefusedLine(Line):
    """A stream was found that does not fit the pipeline or the query."""

    kind: Literal["refused"] = "refused"
    reason: Text
    """What was found and what was expected."""


class GapLine(Line):
    """Samples are missing, duplicate or late."""

    kind: Literal["gap"] = "gap"
    start: Real
    """Time stamp of the last sample before it."""
    end: Real
    """Time stamp of the first sample after it."""
    n_missing: Whole
    """Samples."""
    cause: Text
    """In words."""
    filled: bool
    """Interpolated and marked invalid; otherwise every stage was reset."""
    n_extra: Whole = 0
    """Samples that were discarded."""


class DetectionLine(Line):
    """The fields of onset and event."""

    time: Real
    """When it was decided, seconds of the recording."""
    stamp: Real
    """Time stamp of the newest sample then."""
    onset: Real
    """Seconds of the recording."""
    duration: Real
    """So far, or in total."""
    label: Text
    """Class."""
    confidence: Real
    """Largest smoothed probability, 0 to 1."""
    channels: Texts
    """Channels of the event, if the pipeline names any."""


class OnsetLine(DetectionLine):
    """An event has begun; `duration` is that so far."""

    kind: Literal["onset"] = "onset"


class EventLine(DetectionLine):
    """An event is over."""

    kind: Literal["event"] = "event"


class ClockLine(Line):
    """The clock of the stream's host jumped."""

    kind: Literal["clock"] = "clock"
    by_s: Real
    """How far."""
    offset_s: Real
    """To the local clock, from then on."""


class CueLine(Line):
    """The answer to a cue."""

    kind: Literal["cue"] = "cue"
    cue: Text
    """The cue of the pipeline that the marker is; its own text where every marker is one."""
    cue_stamp: Real = 0.0
    """Time stamp of the cue."""
    valid: bool
    """Whether the answer is valid."""
    probabilities: dict[Text, Real] | None = None
    """By class; absent if a gap has cut the window."""


class AnnotationLine(Line):
    """An operator annotation."""

    kind: Literal["annotation"] = "annotation"
    label: Text
    """Text of the annotation."""
    onset: Real
    """Seconds of the recording."""
    duration: Real
    """0: a point in time."""
    stamp: Real
    """Of the local clock."""


class ReviewLine(Line):
    """An operator's verdict on an event."""

    kind: Literal["review"] = "review"
    label: Text
    """Of the event."""
    onset: Real
    """Of the event, seconds of the recording."""
    verdict: Verdict
    """`confirmed`, `rejected`, or empty: withdrawn."""
    note: Text
    """Free text."""


class ThresholdLine(Line):
    """The threshold of the decision was changed."""

    kind: Literal["threshold"] = "threshold"
    value: Real
    """The new one."""


class SeekLine(Line):
    """The replay was sought to another position; every stage was reset."""

    kind: Literal["seek"] = "seek"
    from_s: Real = Field(validation_alias="from", serialization_alias="from")
    """Seconds of the recording."""
    to_s: Real = Field(validation_alias="to", serialization_alias="to")
    """Seconds of the recording."""
    offset_s: Real = 0.0
    """What had to be added to the engine's seconds before it to have those of the replay's recording."""


class MoveLine(Line):
    """The replay continues after a pause, or at another speed."""

    kind: Literal["move"] = "move"
    until: Real
    """Time stamp at which it was paused."""
    since: Real
    """Time stamp from which it continues."""
    speed: Speed
    """Recorded seconds per second; 0: not paced."""
    recorded_s: Real
    """Seconds of the recording."""


class PauseLine(Line):
    """The replay is paused."""

    kind: Literal["pause"] = "pause"
    recorded_s: Real
    """Seconds of the recording."""


class StaleLine(Line):
    """Answers have become stale; `seconds` is 0."""

    kind: Literal["stale"] = "stale"
    age_s: Real
    """Of the newest sample."""
    seconds: Real
    """How long answers were stale."""


class CaughtUpLine(Line):
    """Answers have caught up."""

    kind: Literal["caught_up"] = "caught_up"
    age_s: Real
    """The largest age of the newest sample meanwhile."""
    seconds: Real
    """How long answers were stale."""


class StalledLine(Line):
    """The engine was blocked."""

    kind: Literal["stalled"] = "stalled"
    seconds: Real
    """How long."""


class AlarmLine(Line):
    """Something that needs attention."""

    kind: Literal["alarm"] = "alarm"
    text: Text
    """In words."""


class WarningLine(Line):
    """Something that may matter."""

    kind: Literal["warning"] = "warning"
    text: Text = ""
    """In words."""


class ErrorLine(Line):
    """Why the engine ended."""

    kind: Literal["error"] = "error"
    text: Text
    """In words."""


class StateLine(Line):
    """Only in the journal (`--log`), once a minute."""

    kind: Literal["state"] = "state"
    state: EngineState


class OtherLine(Line):
    """A line of a newer engine, with whatever keys it has."""

    model_config = ConfigDict(extra="allow")

    text: Text = ""


KnownLine: TypeAlias = Annotated[
    ConnectedLine | ReconnectedLine | LostLine | RefusedLine | GapLine | OnsetLine | EventLine | ClockLine | CueLine
    | AnnotationLine | ReviewLine | ThresholdLine | SeekLine | MoveLine | PauseLine | StaleLine | CaughtUpLine
    | StalledLine | AlertLine | SoundLine | AlarmLine | WarningLine | ErrorLine,
    Field(discriminator="kind"),
]  # fmt: skip
LogLine: TypeAlias = KnownLine | OtherLine
_KNOWN: TypeAdapter[KnownLine] = TypeAdapter(KnownLine)


def line(kind: str, **fields: Any) -> LogLine:
    """Make a line from its fields. Raises pydantic.ValidationError."""
    try:
        return _KNOWN.validate_python({"kind": kind, **fields})
    except ValidationError as error:
        if not _unknown_kind(error):
            raise
        return OtherLine(kind=kind, **fields)


def read_line(content: str | bytes) -> LogLine | None:
    """Parse a line of a log; None if it is invalid."""
    try:
        found: LogLine = _KNOWN.validate_json(content, strict=True, context=READ)
    except ValidationError as error:
        if not _unknown_kind(error):
            return None
        if (other := read(OtherLine, content)) is None:
            return None
        found = other
    return found if "wall" in found.model_fields_set else None


def _unknown_kind(error: ValidationError) -> bool:
    return error.errors(include_url=False)[0]["type"] == "union_tag_invalid"


# -- commands ------------------------------------------------------------------------------------------------


class Stop(Message):
    """Stop the engine."""

    do: Literal["stop"] = "stop"


class OpenStartGate(Message):
    """The recorder has started: read the stream."""

    do: Literal["go"] = "go"


class SetThreshold(Message):
    """Change the threshold of the decision."""

    do: Literal["threshold"] = "threshold"
    value: Fraction
    """The new one."""


class ReportRecording(Message):
    """The state of the recorder, which the engine passes on to every viewer."""

    do: Literal["recording"] = "recording"
    state: RecordingState | None


class StartRecording(Message):
    """Record from here on, by the engine's own recorder."""

    do: Literal["record"] = "record"
    folder: Text
    """Where to."""


class StopRecording(Message):
    """End the recording."""

    do: Literal["stop_recording"] = "stop_recording"


class ReportAlarm(Message):
    """What is wrong with the log or the output of the process that started the engine, for every viewer."""

    do: Literal["alarm"] = "alarm"
    text: Text
    """Empty while all is well."""


class ReplayCommand(Message):
    """A command for the replay that the engine reads."""

    do: Literal["replay"] = "replay"
    line: Text = Field(validation_alias="say", serialization_alias="say")
    """As `seek 120` or `speed 4`."""


class Annotate(Message):
    """Add an operator annotation."""

    do: Literal["annotate"] = "annotate"
    label: Text
    """Text of the annotation."""
    onset: ClockSeconds
    """Seconds of the recording."""
    stamp: ClockSeconds
    """Of the local clock."""
    duration: Annotated[float, within(0, 1e10)] = 0.0
    """0: a point in time."""


class Review(Message):
    """Add a verdict on an event."""

    do: Literal["review"] = "review"
    label: Text
    """Of the event."""
    onset: ClockSeconds
    """Of the event, seconds of the recording."""
    verdict: Verdict = ""
    """Empty: withdrawn."""
    note: Text = ""
    """Free text."""


Command: TypeAlias = Annotated[
    Stop
    | OpenStartGate
    | SetThreshold
    | ReportRecording
    | StartRecording
    | StopRecording
    | ReportAlarm
    | ReplayCommand
    | Annotate
    | Review
    | Acknowledge
    | PauseSound,
    Field(discriminator="do"),
]
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


def command(do: str, **fields: Any) -> Command:
    """Make a command from its fields. Raises pydantic.ValidationError."""
    return _COMMAND.validate_python({"do": do, **fields})


def read_command(content: str | bytes) -> Command | None:
    """Parse a command; None if it is invalid."""
    try:
        return _COMMAND.validate_json(content, strict=True, context=READ)
    except ValidationError:
        return None
