"""What crosses between an engine and its front ends: its state, the lines of its log, and commands; frozen models.

A message writes what it was made with and nothing else. What another process wrote is checked when it is read: numbers
within bounds, types strict, keys of a newer engine ignored; what does not fit is dropped. The bounds hold on reading only:
a stream with absurd time stamps must not stop the engine that reports them.
"""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from rtbci.config import LARGEST
from rtbci.results import Result, Text, Texts

_READ = "read"  # the context of a validation: another process wrote this


def within(least: float, most: float) -> AfterValidator:
    """Bounds of a number that another process wrote."""

    def check(value: float, info: ValidationInfo) -> float:
        if info.context == _READ and not least <= value <= most:
            raise ValueError(f"is not from {least:g} to {most:g}")
        return value

    return AfterValidator(check)


Real = Annotated[float, within(-LARGEST, LARGEST)]
Whole = Annotated[int, within(-LARGEST, LARGEST)]
Count = Annotated[int, within(0, LARGEST)]
Rate = Annotated[float, within(1e-3, 1e6)]
Speed = Annotated[float, within(0, 1e6)]
Fraction = Annotated[float, within(0, 1)]
ReplaySeconds = Annotated[float, within(-1e8, 1e8)]  # tenths of these seconds are the steps of a slider
ClockSeconds = Annotated[float, within(-1e10, 1e10)]  # seconds of any clock
WallTime = Annotated[float, within(0, 1e11)]


Verdict: TypeAlias = Literal["", "confirmed", "rejected"]


class Message(Result):
    """The ground of all of them."""

    model_config = ConfigDict(extra="ignore")
    ALWAYS = ("kind", "wall", "do")


Model = TypeVar("Model", bound=Message)


def read(model: type[Model], content: str | bytes) -> Model | None:
    """What another process wrote; None where it does not fit."""
    try:
        return model.model_validate_json(content, strict=True, context=_READ)
    except ValidationError:
        return None


# -- the state -----------------------------------------------------------------------------------------------


class StreamState(Message):
    """The stream that is read."""

    name: Text
    """Its own."""
    source_id: Text = ""
    """Empty where it names none."""
    hostname: Text
    """Machine that sends it."""
    channels: Count
    """How many."""
    sfreq: Rate
    """Nominal rate."""
    speed: Speed
    """Seconds of the stream a second; 0: a replay that is not paced."""


class ArmingState(Message):
    """The stream that the engine has found, and will take up when a recorder is ready."""

    name: Text = ""
    """Of the stream."""
    source_id: Text = ""
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
    """Came twice or too late, and were left out."""
    filled: Count
    """Interpolated, and marked invalid."""
    lost: Count
    """Missing, and not interpolated."""
    gaps: Count
    """Of any length."""
    reconnects: Count
    """Returns of the stream."""
    invalid_hops: Count = 0
    """Answers that are marked invalid."""


class RecordingState(Message):
    """The recorder beside the engine, or of `rtbci record`."""

    on: bool = False
    """Samples are being taken from every stream."""
    file: Text | None = None
    """The newest file."""
    files: Count = 0
    """Files so far."""
    size_bytes: Real = 0
    """Of the newest file."""
    free_bytes: Real = 0
    """On the disk."""
    seconds: Real = 0.0
    """How long the newest file has been taking samples."""
    hours_left: Real | None = None
    """Until the disk is full at this rate; null while that is not known."""
    alarm: Text = ""
    """What is wrong; empty while all is well."""


class TrustState(Message):
    """How far an answer can be trusted while electrodes are bad."""

    level: Text
    """`full`; `reduced`: the channels in `masked` are masked, as in training; `none`: so many are that answers are marked
    invalid; `untested`: the network was never trained without a channel, and its answer goes on as it is."""
    bad: Texts = ()
    """Channels of the stream that the pipeline uses and that are bad."""
    masked: Texts
    """Channels of the network's input that are masked."""
    inputs: Count
    """Channels of the network's input."""
    auroc: Fraction | None = None
    """Of held-out recordings with so many channels masked; only where training measured it."""
    auroc_whole: Fraction | None = None
    """The same with no channel masked."""
    words: Text
    """What that means, in a line; empty where all is well."""


class ReplayState(Message):
    """Where a replay that can be moved is, in seconds of its recording."""

    recorded_s: ReplaySeconds
    """Where it is."""
    start_s: ReplaySeconds
    """Where it began."""
    end_s: ReplaySeconds
    """Where it will end."""
    speed: Speed
    """Seconds of the recording a second; 0: not paced."""
    paused: bool
    """It stands still."""
    loop: bool
    """It begins again at the end."""
    move: Whole
    """Counts the moves."""


class EngineState(Message):
    """What an engine says of itself ten times a second.

    Keys from `stream` to `replay` are there once a stream was found.
    """

    state: Text = "starting"
    """`waiting`, `arming`, `running`, `paused`, `stale`, `lost` or `stopped`."""
    pipeline: Text = ""
    """Its name."""
    classes: Texts = ()
    """What the pipeline tells apart."""
    query: dict[Text, Text] = Field(default_factory=dict)
    """What the stream is looked for by."""
    generation: Count = Field(default=0, validation_alias="life", serialization_alias="life")
    """Number of the shared rings in use; the stream began anew as often."""
    waiting_s: Real = 0.0
    """How long no stream was found yet."""
    wait_s: Real | None = None
    """How long the first stream may take; null: for ever."""
    silent_s: Real = 0.0
    """Since samples last came."""
    probability: dict[Text, Fraction] = Field(default_factory=dict)
    """The newest answer, by class."""
    latency_ms: LatencyMs = LatencyMs(p50=None, p99=None, max=None)
    samples: SampleCounts = SampleCounts(received=0, filled=0, lost=0, gaps=0, reconnects=0)
    events: Count = 0
    """Events that were decided and are over."""
    alarm: Text = ""
    """What is wrong with the disk at present."""
    events_file: Text = ""
    """Where the event table lies; empty before the first stream, and without `--events`."""
    arming: ArmingState | None = None
    """Only while the engine waits for a recorder."""
    outlets: Texts = ()
    """Source ids of the engine's own streams; only while the engine waits for a recorder."""
    stream: StreamState | None = None
    rate_hz: Real | None = None
    """Samples a second over the last 5 s; null while too few came."""
    recording_s: Real = 0.0
    """Seconds of the stream so far, lost samples included."""
    staleness_s: Real = 0.0
    """Age of the newest processed sample."""
    jitter_ms: Real = 0.0
    """Of the time stamps."""
    device: Text = ""
    """What the network runs on."""
    stage_us: dict[Text, Real] = Field(default_factory=dict)
    """That each stage took for the last chunk."""
    threshold: Real = 0.5
    """Of the decision."""
    smoothed: dict[Text, Fraction] = Field(default_factory=dict)
    """The smoothed probability that the decision compares, by class."""
    filter_delay_s: Real = 0.0
    """Group delay of the filters; not part of the latency."""
    recording: RecordingState | None = None
    """Null where nothing is recorded."""
    clock_offset_s: Real = 0.0
    """Of the clock of the stream's host against the local one."""
    clock_age_s: Real | None = None
    """How old the measurement of the offset is; null before the first."""
    quality: dict[Text, Text] = Field(default_factory=dict)
    """What is wrong, by bad channel."""
    trust: TrustState | None = None
    newest_stamp: Real | None = None
    """Time stamp of the newest sample."""
    replay: ReplayState | None = None
    """Null for a stream that is no replay, or one that cannot be moved."""
    engine_silent_s: Real | None = None
    """Only where the engine itself has not renewed its state for so long."""

    def __or__(self, more: EngineState) -> EngineState:
        """This state, and what `more` says."""
        return self.model_copy(update={key: getattr(more, key) for key in more.model_fields_set})


_WITH_STREAM = (
    "latency_ms", "samples", "rate_hz", "recording_s", "staleness_s", "filter_delay_s", "device", "threshold", "smoothed",
)  # fmt: skip


def read_state(content: str | bytes) -> EngineState | None:
    """What of a state fits; a stream only with all that is told of one. None where nothing does."""
    try:
        state = EngineState.model_validate_json(content, strict=True, context=_READ)
    except ValidationError as error:
        unfit = {problem["loc"][0] for problem in error.errors(include_url=False) if problem["loc"]}
        if not unfit:
            return None  # no JSON object
        values = {key: value for key, value in json.loads(content).items() if key not in unfit}
        state = EngineState.model_validate_json(json.dumps(values), strict=True, context=_READ)
    if "stream" in state.model_fields_set and not state.model_fields_set.issuperset(_WITH_STREAM):
        rest = {key: getattr(state, key) for key in state.model_fields_set - {"stream"}}
        state = EngineState(**rest)
    return state if state.model_fields_set else None


# -- the log -------------------------------------------------------------------------------------------------


class Line(Message):
    """Something that happened."""

    kind: str
    wall: WallTime = Field(default_factory=time.time)
    """When, in seconds since 1970."""


class ConnectedLine(Line):
    """A stream was found and is taken up afresh."""

    kind: Literal["connected"] = "connected"
    stream: Text
    """Its name."""
    host: Text
    """Machine that sends it."""
    sfreq: Real
    """Nominal rate."""
    channels: Whole
    """How many."""


class ReconnectedLine(Line):
    """The stream is back and goes on."""

    kind: Literal["reconnected"] = "reconnected"
    stream: Text
    """Its name."""
    host: Text
    """Machine that sends it."""


class LostLine(Line):
    """The stream is gone."""

    kind: Literal["lost"] = "lost"
    reason: Text
    """In words."""


class RefusedLine(Line):
    """A stream came that does not fit."""

    kind: Literal["refused"] = "refused"
    reason: Text
    """What came and what was wanted."""


class GapLine(Line):
    """Samples are missing, came twice or too late."""

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
    """Interpolated and marked invalid; else every stage started afresh."""
    n_extra: Whole = 0
    """Samples that were left out."""


class DetectionLine(Line):
    """What onset and event have in common."""

    time: Real
    """When it was decided, seconds of the recording."""
    stamp: Real
    """Time stamp of the newest sample then."""
    onset: Real
    """Seconds of the recording."""
    duration: Real
    """So far, or in all."""
    label: Text
    """Class."""
    confidence: Real
    """Largest smoothed probability, 0 to 1."""
    channels: Texts
    """Where it is, if the pipeline says so."""


class OnsetLine(DetectionLine):
    """An event has begun; `duration` is so far."""

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
    """Against the local clock, since then."""


class CueLine(Line):
    """What the window behind a cue gave."""

    kind: Literal["cue"] = "cue"
    cue: Text
    """Its text."""
    cue_stamp: Real = 0.0
    """Time stamp of the cue."""
    valid: bool
    """The answer can be trusted."""
    probabilities: dict[Text, Real] | None = None
    """By class; not there where the window was cut by a gap."""


class AnnotationLine(Line):
    """A person noted something."""

    kind: Literal["annotation"] = "annotation"
    label: Text
    """What was noted."""
    onset: Real
    """Seconds of the recording."""
    duration: Real
    """0: a moment."""
    stamp: Real
    """Of the local clock."""


class ReviewLine(Line):
    """A person judged an event."""

    kind: Literal["review"] = "review"
    label: Text
    """Of the event."""
    onset: Real
    """Of the event, seconds of the recording."""
    verdict: Verdict
    """`confirmed`, `rejected`, or empty: open again."""
    note: Text
    """In the person's words."""


class ThresholdLine(Line):
    """A person moved the threshold of the decision."""

    kind: Literal["threshold"] = "threshold"
    value: Real
    """The new one."""


class SeekLine(Line):
    """The replay went elsewhere; every stage started afresh."""

    kind: Literal["seek"] = "seek"
    from_s: Real = Field(validation_alias="from", serialization_alias="from")
    """Seconds of the recording."""
    to_s: Real = Field(validation_alias="to", serialization_alias="to")
    """Seconds of the recording."""


class MoveLine(Line):
    """The replay goes on after a pause, or at another speed."""

    kind: Literal["move"] = "move"
    until: Real
    """Time stamp at which it stood still."""
    since: Real
    """Time stamp from which it goes on."""
    speed: Speed
    """Seconds of the recording a second; 0: not paced."""
    recorded_s: Real
    """Seconds of the recording."""


class PauseLine(Line):
    """The replay is paused."""

    kind: Literal["pause"] = "pause"
    recorded_s: Real
    """Seconds of the recording."""


class StaleLine(Line):
    """Answers have become old; `seconds` is 0."""

    kind: Literal["stale"] = "stale"
    age_s: Real
    """Of the newest sample."""
    seconds: Real
    """How long answers were old."""


class CaughtUpLine(Line):
    """Answers are new again."""

    kind: Literal["caught_up"] = "caught_up"
    age_s: Real
    """Of the oldest newest sample meanwhile."""
    seconds: Real
    """How long answers were old."""


class StalledLine(Line):
    """The engine stood still."""

    kind: Literal["stalled"] = "stalled"
    seconds: Real
    """How long."""


class AlarmLine(Line):
    """Something that a person must see to."""

    kind: Literal["alarm"] = "alarm"
    text: Text
    """In words."""


class WarningLine(Line):
    """Something that a person should know."""

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
    | StalledLine | AlarmLine | WarningLine | ErrorLine,
    Field(discriminator="kind"),
]  # fmt: skip
LogLine: TypeAlias = KnownLine | OtherLine
_KNOWN: TypeAdapter[KnownLine] = TypeAdapter(KnownLine)


def line(kind: str, **fields: Any) -> LogLine:
    """A line from its fields."""
    try:
        return _KNOWN.validate_python({"kind": kind, **fields})
    except ValidationError as error:
        if not _unknown_kind(error):
            raise
        return OtherLine(kind=kind, **fields)


def read_line(content: str | bytes) -> LogLine | None:
    """A line of a log; None for what is none."""
    try:
        found: LogLine = _KNOWN.validate_json(content, strict=True, context=_READ)
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
    """End."""

    do: Literal["stop"] = "stop"


class OpenStartGate(Message):
    """The recorder is ready: take up the stream."""

    do: Literal["go"] = "go"


class SetThreshold(Message):
    """Of the decision."""

    do: Literal["threshold"] = "threshold"
    value: Fraction
    """The new one."""


class ReportRecording(Message):
    """What the recorder beside the engine does, so that every front end sees it."""

    do: Literal["recording"] = "recording"
    state: RecordingState | None


class ReplayCommand(Message):
    """A line of the replay's own commands, for the replay that the engine reads."""

    do: Literal["replay"] = "replay"
    line: Text = Field(validation_alias="say", serialization_alias="say")
    """As `seek 120` or `speed 4`."""


class Annotate(Message):
    """Note something."""

    do: Literal["annotate"] = "annotate"
    label: Text
    """What to note."""
    onset: ClockSeconds
    """Seconds of the recording."""
    stamp: ClockSeconds
    """Of the local clock."""
    duration: Annotated[float, within(0, 1e10)] = 0.0
    """0: a moment."""


class Review(Message):
    """Judge an event."""

    do: Literal["review"] = "review"
    label: Text
    """Of the event."""
    onset: ClockSeconds
    """Of the event, seconds of the recording."""
    verdict: Verdict = ""
    """Empty: open again."""
    note: Text = ""
    """In the person's words."""


Command: TypeAlias = Annotated[
    Stop | OpenStartGate | SetThreshold | ReportRecording | ReplayCommand | Annotate | Review, Field(discriminator="do")
]
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


def command(do: str, **fields: Any) -> Command:
    """A command from its fields."""
    return _COMMAND.validate_python({"do": do, **fields})


def read_command(content: str | bytes) -> Command | None:
    """A command; None for what is none."""
    try:
        return _COMMAND.validate_json(content, strict=True, context=_READ)
    except ValidationError:
        return None
