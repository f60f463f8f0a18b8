"""Lines of an engine's log as sentences."""

from __future__ import annotations

from typing import TypeAlias

from rtbci.monitor.alerts import AlertLine, SoundLine
from rtbci.monitor.describe_alerts import describe_alert
from rtbci.monitor.messages import (
    AlarmLine,
    AnnotationLine,
    CaughtUpLine,
    ClockLine,
    ConnectedLine,
    CueLine,
    ErrorLine,
    EventLine,
    GapLine,
    LogLine,
    LostLine,
    MoveLine,
    OnsetLine,
    OtherLine,
    PauseLine,
    ReconnectedLine,
    RefusedLine,
    ReviewLine,
    SeekLine,
    StaleLine,
    StalledLine,
    ThresholdLine,
    WarningLine,
)
from rtbci.text import one_line, tenths_text

StreamLine: TypeAlias = (
    ConnectedLine | ReconnectedLine | LostLine | RefusedLine | ClockLine | StaleLine | CaughtUpLine | StalledLine
)


def describe(line: LogLine) -> str:
    """One line of the engine's log as a sentence on one line; "" for an error, with which the command itself ends."""
    return one_line(_sentence(line))


def _sentence(line: LogLine) -> str:
    match line:
        case ErrorLine():
            return ""
        case OnsetLine():
            # Its duration and peak are those of a moment that is past: they are shown where they run.
            return f"{line.label} at {tenths_text(line.onset)} has begun"
        case EventLine():
            return f"{line.label} at {tenths_text(line.onset)} for {line.duration:.1f} s, peak {line.confidence:.2f}"
        case AlertLine() | SoundLine():
            return describe_alert(line)
        case GapLine():
            return _gap(line)
        case CueLine():
            answer = ", ".join(f"{name} {value:.2f}" for name, value in (line.probabilities or {}).items())
            return f"cue {line.cue}: {answer or 'missed, its window is cut by a gap'}"
        case AnnotationLine():
            return f"note at {tenths_text(line.onset)}: {line.label}"
        case ReviewLine():
            return f"{line.label} at {tenths_text(line.onset)}: {line.verdict or 'open again'} {line.note}".rstrip()
        case ThresholdLine():
            return f"threshold set to {line.value:.2f}"
        case SeekLine() | MoveLine() | PauseLine():
            return _replay(line)
        case AlarmLine() | WarningLine() | OtherLine():
            return line.text
    return _stream(line)


def _gap(line: GapLine) -> str:
    if line.n_extra:
        return f"{line.n_extra} samples discarded: {line.cause}"
    if not line.n_missing:
        return f"no sample missing: {line.cause}"
    what = "filled in" if line.filled else "every stage is reset"
    return f"gap: {line.n_missing} samples missing ({line.cause}), {what}"


def _replay(line: SeekLine | MoveLine | PauseLine) -> str:
    match line:
        case SeekLine():
            return f"the replay moved from {tenths_text(line.from_s)} to {tenths_text(line.to_s)}; every stage is reset"
        case PauseLine():
            return f"the replay is paused at {tenths_text(line.recorded_s)}"
        case MoveLine():
            speed = f"× {line.speed:g}" if line.speed else "unpaced"
            return f"the replay continues at {tenths_text(line.recorded_s)}, {speed}"


def _stream(line: StreamLine) -> str:
    match line:
        case ConnectedLine():
            return f"connected to {line.stream} on {line.host}: {line.channels} channels, {line.sfreq:g} Hz"
        case ReconnectedLine():
            return f"{line.stream} is back, from {line.host}"
        case LostLine() | RefusedLine():
            return f"stream {line.kind}: {line.reason}"
        case ClockLine():
            return f"the clock of the stream's host jumped by {line.by_s:+.3f} s; time stamps are corrected"
        case StaleLine():
            return f"stale: the newest sample is {line.age_s:.1f} s old"
        case CaughtUpLine():
            return f"caught up after {line.seconds:.1f} s; samples were up to {line.age_s:.1f} s old"
        case StalledLine():
            return f"the engine was blocked for {line.seconds:.1f} s"
