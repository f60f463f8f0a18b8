"""All alarms of an engine: what the conditions of the session and the commands of people make of them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rtbci.engine.alerts.alert import Alert, Cause, Moment
from rtbci.engine.alerts.conditions import BURDEN, EVENT, STATUS, ConditionChanged, event_key
from rtbci.monitor.alerts import AlertState, Condition
from rtbci.types import AlertChanged, Event

_PRESSING = {"on": 0, "latched": 1, "ack": 2}
_GRAVE = (STATUS, BURDEN, EVENT)  # the gravest first
Key = tuple[Condition, str]


class AlertBoard:
    """Keeps the alarms; every method that may change one returns the changes.

    Parameters
    ----------
    escalate_s
        As in AlarmConfig.
    """

    def __init__(self, escalate_s: float) -> None:
        self._escalate_s = escalate_s
        self._alerts: dict[Key, Alert] = {}
        self._paused_until: float | None = None  # of the sound, as a stamp

    # -- what the session says ------------------------------------------------------------------------------------

    def take(self, change: ConditionChanged, now: Moment) -> list[AlertChanged]:
        """A condition has changed."""
        alert = self._alert(change.condition, change.label)
        before, had_it = self._standings(), alert.presence != "off" and change.condition == BURDEN
        alert.take(change, now)
        ended = "rejected" if change.is_rejected else "ended"
        return self._changes(before, now, ended if not change.present else "raised" if had_it else "began")

    def recall(self, earlier: Iterable[tuple[Key, Cause]], now: Moment) -> list[AlertChanged]:
        """Alarms of an earlier run that nobody has acknowledged: they are latched."""
        before = self._standings()
        for (condition, label), cause in earlier:
            self._alert(condition, label).causes[-cause.wall] = cause
        return self._changes(before, now, "recalled")

    def tick(self, now: Moment) -> list[AlertChanged]:
        """Time passes: an alarm that has waited too long becomes more pressing."""
        before = self._standings()
        for alert in self._alerts.values() if self._escalate_s else ():
            alert.escalate(self._escalate_s, now)
        return self._changes(before, now, "escalated")

    # -- what people do -------------------------------------------------------------------------------------------

    def acknowledge(self, by: str, now: Moment, condition: str = "", label: str = "") -> list[AlertChanged]:
        """A person has seen the alarms of a condition and a class; "": of any."""
        before = self._standings()
        for alert in self._alerts.values():
            if condition in ("", alert.condition) and label in ("", alert.label):
                alert.acknowledge(by, now)
        return self._changes(before, now, "acknowledged", by)

    def review(self, label: str, onset: float, *, is_rejected: bool, now: Moment) -> list[AlertChanged]:
        """A person rejected an event, or takes that back."""
        alert, before = self._alert(EVENT, label), self._standings()
        alert.reject(event_key(onset), is_rejected=is_rejected)
        return self._changes(before, now, "rejected" if is_rejected else "restored")

    def pause_sound(self, seconds: float, now: Moment) -> None:
        """Of all alarms, from now on; 0: no more."""
        self._paused_until = now.stamp + seconds if seconds else None

    def sound_paused_s(self, stamp: float) -> float:
        """How long it is still paused."""
        return max(0.0, self._paused_until - stamp) if self._paused_until is not None else 0.0

    def pause_is_over(self, stamp: float) -> bool:
        """Whether a pause has just ended by itself."""
        over = self._paused_until is not None and stamp >= self._paused_until
        if over:
            self._paused_until = None
        return over

    # -- as they stand --------------------------------------------------------------------------------------------

    def states(self, running: Sequence[Event]) -> tuple[AlertState, ...]:
        """Those that are not off: what waits before what was seen, the gravest first."""
        by_label = {event.label: event for event in running}
        states = [alert.state(by_label.get(alert.label)) for alert in self._alerts.values() if alert.presence != "off"]
        return tuple(sorted(states, key=_rank))

    def waiting(self) -> Iterator[tuple[Key, Cause]]:
        """What nobody has acknowledged."""
        for key, alert in self._alerts.items():
            yield from ((key, cause) for cause in alert.causes.values() if cause.is_waiting)

    def _alert(self, condition: Condition, label: str) -> Alert:
        return self._alerts.setdefault((condition, label), Alert(condition, label))

    def _standings(self) -> dict[Key, tuple[str, ...]]:
        return {key: _standing(alert) for key, alert in self._alerts.items()}

    def _changes(
        self, before: dict[Key, tuple[str, ...]], now: Moment, change: str, by: str = ""
    ) -> list[AlertChanged]:
        """One message for each alarm that is another than before. change, by: how it became so."""
        return [
            AlertChanged(
                change, alert.condition, alert.label, alert.presence, alert.priority, alert.level, by,
                now.time, now.stamp, now.wall,
            )
            for key, alert in self._alerts.items()
            if _standing(alert) != before.get(key, _OFF)
        ]  # fmt: skip


def _rank(state: AlertState) -> tuple[bool, int, int]:
    return state.presence == "ack", _GRAVE.index(state.condition), _PRESSING[state.presence]


_OFF = ("off",)


def _standing(alert: Alert) -> tuple[str, ...]:
    presence = alert.presence
    return _OFF if presence == "off" else (presence, alert.priority, alert.level)
