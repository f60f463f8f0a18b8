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
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from rtbci.config import LARGEST
from rtbci.text import json_text

_READ = "read"  # the context of a validation: another process wrote this
_ALWAYS = ("kind", "wall", "do")  # keys that are written though nobody set them


def within(least: float, most: float) -> AfterValidator:
    """Bounds of a number that another process wrote."""

    def check(value: float, info: ValidationInfo) -> float:
        if info.context == _READ and not least <= value <= most:
            raise ValueError(f"is not from {least:g} to {most:g}")
        return value

    return AfterValidator(check)


def _utf8(value: object) -> object:
    """Broken surrogates, of file names and of foreign streams, have no UTF-8: they become visible escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_utf8)]
Texts = tuple[Text, ...]
Number = Annotated[float, within(-LARGEST, LARGEST)]
Whole = Annotated[int, within(-LARGEST, LARGEST)]
Count = Annotated[int, within(0, LARGEST)]
Rate = Annotated[float, within(1e-3, 1e6)]
Pace = Annotated[float, within(0, 1e6)]
Share = Annotated[float, within(0, 1)]
Span = Annotated[float, within(-1e8, 1e8)]  # tenths of these seconds are the steps of a slider
Moment = Annotated[float, within(-1e10, 1e10)]  # seconds of any clock
Wall = Annotated[float, within(0, 1e11)]


Verdict: TypeAlias = Literal["", "confirmed", "rejected"]


class Message(BaseModel):
    """The ground of all of them."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, use_attribute_docstrings=True)

    @model_serializer(mode="wrap")
    def _what_was_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        names = {info.serialization_alias or name: name for name, info in type(self).model_fields.items()}
        given = self.model_fields_set.union(_ALWAYS)
        return {key: value for key, value in dump(self).items() if names.get(key, key) in given}

    def plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self) -> str:
        """One line of JSON."""
        return json_text(self.plain())


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
    source_id: Text = ""
    hostname: Text
    channels: Count
    sfreq: Rate
    """Hz"""
    speed: Pace
    """Seconds of the stream a second; 0: a replay that is not paced."""


class ArmingState(Message):
    """The stream that the engine has found, and will take up when a recorder is ready."""

    name: Text = ""
    source_id: Text = ""


class LatencyMs(Message):
    """From the time stamp of a sample to its published probability, ms; null before the first answer."""

    p50: Number | None = None
    p99: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        if len({value is None for value in (self.p50, self.p99, self.max)}) > 1:
            raise ValueError("some are null")
        return self


class SampleCounts(Message):
    """Every sample accounted for: the recording = received - extra + filled + lost."""

    received: Count = 0
    extra: Count = 0
    """Came twice or too late, and were left out."""
    filled: Count = 0
    """Interpolated, and marked invalid."""
    lost: Count = 0
    gaps: Count = 0
    reconnects: Count = 0
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
    size_bytes: Number = 0
    """Of the newest file."""
    free_bytes: Number = 0
    """On the disk."""
    seconds: Number = 0.0
    """How long the newest file has been taking samples."""
    hours_left: Number | None = None
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
    auroc: Share | None = None
    """Of held-out recordings with so many channels masked; only where training measured it."""
    auroc_whole: Share | None = None
    """The same with no channel masked."""
    words: Text
    """What that means, in a line; empty where all is well."""


class ReplayState(Message):
    """Where a replay that can be moved is, in seconds of its recording."""

    recorded_s: Span
    start_s: Span
    end_s: Span
    speed: Pace
    """Seconds of the recording a second; 0: not paced."""
    paused: bool
    loop: bool
    move: Whole
    """Counts the moves."""


class EngineState(Message):
    """What an engine says of itself ten times a second.

    Keys from `stream` to `replay` are there once a stream was found.
    """

    state: Text = "starting"
    """`waiting`, `arming`, `running`, `paused`, `stale`, `lost` or `stopped`."""
    pipeline: Text = ""
    classes: Texts = ()
    query: dict[Text, Text] = {}
    """What the stream is looked for by."""
    life: Count = 0
    """Number of the shared rings in use; the stream began anew as often."""
    waiting_s: Number = 0.0
    """How long no stream was found yet."""
    wait_s: Number | None = None
    """How long the first stream may take; null: for ever."""
    silent_s: Number = 0.0
    """Since samples last came."""
    probability: dict[Text, Share] = {}
    """The newest answer, by class."""
    latency_ms: LatencyMs = LatencyMs()
    samples: SampleCounts = SampleCounts()
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
    rate_hz: Number | None = None
    """Samples a second over the last 5 s; null while too few came."""
    recording_s: Number = 0.0
    """Seconds of the stream so far, lost samples included."""
    staleness_s: Number = 0.0
    """Age of the newest processed sample."""
    jitter_ms: Number = 0.0
    """Of the time stamps."""
    device: Text = ""
    """What the network runs on."""
    stage_us: dict[Text, Number] = {}
    """Time that each stage took for the last chunk, µs."""
    threshold: Number = 0.5
    """Of the decision."""
    smoothed: dict[Text, Share] = {}
    """The smoothed probability that the decision compares, by class."""
    filter_delay_s: Number = 0.0
    """Group delay of the filters; not part of the latency."""
    recording: RecordingState | None = None
    """Null where nothing is recorded."""
    clock_offset_s: Number = 0.0
    """Of the clock of the stream's host against the local one."""
    clock_age_s: Number | None = None
    """How old the measurement of the offset is; null before the first."""
    quality: dict[Text, Text] = {}
    """What is wrong, by bad channel."""
    trust: TrustState | None = None
    newest_stamp: Number | None = None
    """Time stamp of the newest sample, s."""
    replay: ReplayState | None = None
    """Null for a stream that is no replay, or one that cannot be moved."""
    engine_silent_s: Number | None = None
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
    wall: Wall = Field(default_factory=time.time)
    """When, in seconds since 1970."""


class ConnectedLine(Line):
    """A stream was found and is taken up afresh."""

    kind: Literal["connected"] = "connected"
    stream: Text
    host: Text
    sfreq: Number
    channels: Whole


class ReconnectedLine(Line):
    """The stream is back and goes on."""

    kind: Literal["reconnected"] = "reconnected"
    stream: Text
    host: Text


class LostLine(Line):
    """The stream is gone."""

    kind: Literal["lost"] = "lost"
    reason: Text


class RefusedLine(Line):
    """A stream came that does not fit."""

    kind: Literal["refused"] = "refused"
    reason: Text


class GapLine(Line):
    """Samples are missing, came twice or too late."""

    kind: Literal["gap"] = "gap"
    start: Number
    """Time stamp of the last sample before it, s."""
    end: Number
    """Time stamp of the first sample after it, s."""
    n_missing: Whole
    cause: Text
    filled: bool
    """Interpolated and marked invalid; else every stage started afresh."""
    n_extra: Whole = 0
    """Samples that were left out."""


class DetectionLine(Line):
    """What onset and event have in common."""

    time: Number
    """When it was decided, seconds of the recording."""
    stamp: Number
    """Time stamp of the newest sample then, s."""
    onset: Number
    """Seconds of the recording."""
    duration: Number
    """s"""
    label: Text
    confidence: Number
    channels: Texts


class OnsetLine(DetectionLine):
    """An event has begun; `duration` is so far."""

    kind: Literal["onset"] = "onset"


class EventLine(DetectionLine):
    """An event is over."""

    kind: Literal["event"] = "event"


class ClockLine(Line):
    """The clock of the stream's host jumped."""

    kind: Literal["clock"] = "clock"
    by_s: Number
    offset_s: Number
    """Against the local clock, since then."""


class CueLine(Line):
    """What the window behind a cue gave."""

    kind: Literal["cue"] = "cue"
    cue: Text
    cue_stamp: Number = 0.0
    """Time stamp of the cue, s."""
    valid: bool
    probabilities: dict[Text, Number] | None = None
    """By class; not there where the window was cut by a gap."""


class AnnotationLine(Line):
    """A person noted something."""

    kind: Literal["annotation"] = "annotation"
    label: Text
    onset: Number
    """Seconds of the recording."""
    duration: Number
    """s"""
    stamp: Number
    """Of the local clock, s."""


class ReviewLine(Line):
    """A person judged an event."""

    kind: Literal["review"] = "review"
    label: Text
    onset: Number
    """Of the event, seconds of the recording."""
    verdict: Verdict
    """`confirmed`, `rejected`, or empty: open again."""
    note: Text


class ThresholdLine(Line):
    """A person moved the threshold of the decision."""

    kind: Literal["threshold"] = "threshold"
    value: Number


class SeekLine(Line):
    """The replay went elsewhere; every stage started afresh."""

    kind: Literal["seek"] = "seek"
    from_s: Number = Field(validation_alias="from", serialization_alias="from")
    """Seconds of the recording."""
    to_s: Number = Field(validation_alias="to", serialization_alias="to")
    """Seconds of the recording."""


class MoveLine(Line):
    """The replay goes on after a pause, or at another speed."""

    kind: Literal["move"] = "move"
    until: Number
    """Time stamp at which it stood still, s."""
    since: Number
    """Time stamp from which it goes on, s."""
    speed: Pace
    recorded_s: Number
    """Seconds of the recording."""


class PauseLine(Line):
    """The replay is paused."""

    kind: Literal["pause"] = "pause"
    recorded_s: Number
    """Seconds of the recording."""


class StaleLine(Line):
    """Answers have become old."""

    kind: Literal["stale"] = "stale"
    age_s: Number
    """Of the newest sample."""
    seconds: Number


class CaughtUpLine(Line):
    """Answers are new again."""

    kind: Literal["caught_up"] = "caught_up"
    age_s: Number
    """Of the oldest newest sample meanwhile."""
    seconds: Number
    """How long answers were old."""


class StalledLine(Line):
    """The engine stood still."""

    kind: Literal["stalled"] = "stalled"
    seconds: Number


class AlarmLine(Line):
    """Something that a person must see to."""

    kind: Literal["alarm"] = "alarm"
    text: Text


class WarningLine(Line):
    """Something that a person should know."""

    kind: Literal["warning"] = "warning"
    text: Text = ""


class ErrorLine(Line):
    """Why the engine ended."""

    kind: Literal["error"] = "error"
    text: Text


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


class Go(Message):
    """The recorder is ready: take up the stream."""

    do: Literal["go"] = "go"


class SetThreshold(Message):
    """Of the decision."""

    do: Literal["threshold"] = "threshold"
    value: Share


class TellRecording(Message):
    """What the recorder beside the engine does, so that every front end sees it."""

    do: Literal["recording"] = "recording"
    state: RecordingState | None


class ReplaySay(Message):
    """A line of the replay's own commands, for the replay that the engine reads."""

    do: Literal["replay"] = "replay"
    say: Text


class Annotate(Message):
    """Note something."""

    do: Literal["annotate"] = "annotate"
    label: Text
    onset: Moment
    """Seconds of the recording."""
    stamp: Moment
    """Of the local clock, s."""
    duration: Annotated[float, within(0, 1e10)] = 0.0
    """s"""


class Review(Message):
    """Judge an event."""

    do: Literal["review"] = "review"
    label: Text
    onset: Moment
    """Of the event, seconds of the recording."""
    verdict: Verdict = ""
    note: Text = ""


Command: TypeAlias = Annotated[
    Stop | Go | SetThreshold | TellRecording | ReplaySay | Annotate | Review, Field(discriminator="do")
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
