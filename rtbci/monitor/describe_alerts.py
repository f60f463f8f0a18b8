"""Alarms as text: as they stand, and their lines in the log."""

from __future__ import annotations

from datetime import datetime

from rtbci.monitor.alerts import AlertLine, AlertState, BurdenState, RunningEvent, SoundLine
from rtbci.monitor.messages import EngineState
from rtbci.text import one_line, tenths_text

_PRESENCES = {"on": "is on", "latched": "is over, and not acknowledged", "ack": "is on, acknowledged", "off": "is off"}
_CHANGES = {
    "escalated": "was not acknowledged in time",
    "recalled": "of an earlier run was never acknowledged",
    "restored": "is back: the rejection was withdrawn",
}


def alert_text(state: EngineState, alert: AlertState) -> str:
    """One alarm as a sentence, with the one duration and the one peak of its event."""
    return one_line(" · ".join(part for part in (_what(state, alert), _standing(alert)) if part))


def _what(state: EngineState, alert: AlertState) -> str:
    label = alert.label if alert.presence == "ack" else alert.label.upper()
    if alert.condition == "event":
        return f"{label} {event_text(alert.duration, alert.confidence, is_running=alert.is_running)}"
    burden = state.burden.get(alert.label, BurdenState(share=0.0, level=""))
    share = f", {100 * burden.share:.0f} % of the last hour" if burden.share >= 0.01 else ""
    if alert.condition == "burden":
        return f"{label} burden {alert.level}{share}"
    running = next((event.duration for event in state.running if event.label == alert.label), 0.0)
    stretch = f", {running / 60:.0f} min at a stretch" if running >= 60 else ""
    return f"{label}: possible STATUS EPILEPTICUS{stretch}{share}"


def running_text(event: RunningEvent) -> str:
    """An event that is on, whatever its class."""
    return one_line(f"{event.label} {event_text(event.duration, event.confidence, is_running=True)}")


def event_text(duration: float, peak: float, *, is_running: bool) -> str:
    """Duration and peak of an event, in the same words wherever it is shown."""
    return f"{duration:.0f} s so far, peak {peak:.2f}" if is_running else f"{duration:.1f} s, peak {peak:.2f}"


def _standing(alert: AlertState) -> str:
    if alert.presence == "ack":
        return f"acknowledged by {alert.by}, {wall_clock(alert.acknowledged)}"
    more = f"the last of {alert.count}" if alert.condition == "event" and alert.count > 1 else ""
    run = "of an EARLIER RUN" if alert.is_earlier else ""
    over = "over" if alert.presence == "latched" else ""
    waits = "UNACKNOWLEDGED" if alert.is_escalated else "unacknowledged" if over else ""
    since = f"{waits} since {wall_clock(alert.since)}" if waits else ""
    return ", ".join(part for part in (more, over, run, since) if part)


def pause_text(seconds: float) -> str:
    """That the sound is paused, and how many minutes and seconds are left; "" where it is on."""
    left = max(1, round(seconds))
    return f"sound off {left // 60}:{left % 60:02d}" if seconds > 0 else ""


def wall_clock(wall: float) -> str:
    """A moment of today as a time, of another day with its date."""
    when = datetime.fromtimestamp(wall)
    return when.strftime("%H:%M" if when.date() == datetime.now().date() else "%d %b %H:%M")


def describe_alert(line: AlertLine | SoundLine) -> str:
    """A line of the log as a sentence."""
    by = f" by {line.by}" if line.by else ""
    if isinstance(line, SoundLine):
        return (
            f"sound of alarms paused for {line.seconds / 60:g} min{by}" if line.seconds else f"sound of alarms on{by}"
        )
    rules = {"event": "", "burden": f" burden {line.level}".rstrip(), "status": ", possible status epilepticus,"}
    what = f"alarm {line.label}{rules[line.condition]}"
    if line.change in _CHANGES:
        return f"{what} {_CHANGES[line.change]}"
    if line.change in ("acknowledged", "rejected"):
        return f"{what} {line.change}{by}; it {_PRESENCES[line.presence].partition(',')[0]}"
    return f"{what} {_PRESENCES[line.presence]}, at {tenths_text(line.time)}"
