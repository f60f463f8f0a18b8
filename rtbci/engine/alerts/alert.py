"""One alarm as a state machine, in the sense of an HL7 FHIR R6 DeviceAlert; pure: it has no clock and no thread.

References
----------
HL7 FHIR R6, CodeSystem devicealert-presence: on (annunciated, for its condition is present), latched (still annunciated
after that, until a person stops it), ack (stopped by a person while the condition is present), off.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtbci.engine.alerts.conditions import STATUS, ConditionChanged
from rtbci.monitor.alerts import AlertState, Condition, Presence, Priority
from rtbci.stages.burden import LEVELS
from rtbci.types import Event

MOST_CAUSES = 1000  # of one alarm; the oldest are dropped
_PRESSING = ("continuous", "abundant")  # levels of a burden


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened. time: seconds of the recording; stamp: s on a clock that is never set; wall: since 1970."""

    time: float
    stamp: float
    wall: float


@dataclass(slots=True)
class Cause:
    """Why an alarm is: an event, or a rule that holds. wall: when it began; stamp: when this run got to know of it."""

    wall: float
    stamp: float
    event: Event | None = None
    level: str = ""
    is_present: bool = False
    is_acknowledged: bool = False
    is_rejected: bool = False
    is_earlier: bool = False  # of an earlier run

    @property
    def is_waiting(self) -> bool:
        """For its acknowledgement."""
        return not (self.is_acknowledged or self.is_rejected)


@dataclass(slots=True)
class Alert:
    """The alarm of one condition of one class.

    causes: by the onset of an event; 0 for a rule; what an earlier run left, below 0.
    """

    condition: Condition
    label: str
    causes: dict[float, Cause] = field(default_factory=dict)
    is_escalated: bool = False
    by: str = ""
    acknowledged: float = 0.0

    @property
    def presence(self) -> Presence:
        """Follows from its causes; what a person rejected is none."""
        counted = [cause for cause in self.causes.values() if not cause.is_rejected]
        waiting = [cause for cause in counted if cause.is_waiting]
        if waiting:
            return "on" if any(cause.is_present for cause in waiting) else "latched"
        return "ack" if any(cause.is_present for cause in counted) else "off"

    @property
    def priority(self) -> Priority:
        pressing = self.condition == STATUS or self.is_escalated or self.level in _PRESSING
        return "high" if pressing else "medium"

    @property
    def level(self) -> str:
        """The highest of its causes that count."""
        levels = {cause.level for cause in self.causes.values() if not cause.is_rejected}
        return next((name for name in LEVELS if name in levels), "")

    def take(self, change: ConditionChanged, now: Moment) -> None:
        """Its condition has changed."""
        if change.is_rejected and not change.present:
            self.causes.pop(change.key, None)
            return
        cause = self.causes.get(change.key)
        if change.present and (cause is None or _is_above(change.level, cause.level)):
            self.causes[change.key] = cause = Cause(now.wall, now.stamp)
        if cause is None:
            return
        if change.present or change.event is not None:
            cause.event, cause.level = change.event, change.level
        cause.is_present = change.present
        self._forget()

    def acknowledge(self, by: str, now: Moment) -> bool:
        """A person has seen it. False where there was nothing to acknowledge."""
        waiting = [cause for cause in self.causes.values() if cause.is_waiting]
        for cause in waiting:
            cause.is_acknowledged = True
        if waiting:
            self.by, self.acknowledged, self.is_escalated = by, now.wall, False
        self._forget()
        return bool(waiting)

    def reject(self, key: float, *, is_rejected: bool) -> None:
        """A person says that the event was none, or takes that back."""
        if key in self.causes:
            self.causes[key].is_rejected = is_rejected
        if self.presence in ("off", "ack"):
            self.is_escalated = False

    def escalate(self, after_s: float, now: Moment) -> bool:
        """Whether it has waited too long just now."""
        waiting = [cause.stamp for cause in self.causes.values() if cause.is_waiting]
        if not waiting or self.is_escalated or now.stamp - min(waiting) < after_s:
            return False
        self.is_escalated = True
        return True

    def state(self, running: Event | None) -> AlertState:
        """As viewers show it. running: the event of its class that is on."""
        counted = [cause for cause in self.causes.values() if not cause.is_rejected]
        waiting = [cause for cause in counted if cause.is_waiting]
        newest = next((cause for cause in reversed(counted) if cause.event is not None), None)
        shown = AlertState(
            condition=self.condition, label=self.label, presence=self.presence, priority=self.priority,
            is_escalated=self.is_escalated, level=self.level, count=len(waiting),
            since=min((cause.wall for cause in waiting or counted), default=0.0),
            is_earlier=bool(counted) and all(cause.is_earlier for cause in counted),
            by="" if waiting else self.by, acknowledged=0.0 if waiting else self.acknowledged,
        )  # fmt: skip
        if newest is None or newest.event is None:
            return shown
        event, is_on = newest.event, newest.is_present
        if is_on and running is not None and running.onset == event.onset:
            event = running
        told = {"is_running": is_on, "onset": event.onset, "duration": event.duration}
        told |= {"confidence": round(event.confidence, 6)}
        return shown.model_copy(update=told)

    def _forget(self) -> None:
        """What is over and was acknowledged; what was rejected is kept, for that may be taken back."""
        done = [key for key, cause in self.causes.items() if cause.is_acknowledged and not cause.is_present]
        for key in done + list(self.causes)[:-MOST_CAUSES]:
            self.causes.pop(key, None)


def _is_above(level: str, other: str) -> bool:
    """Whether a burden has reached a higher class than before."""
    order = [*LEVELS, ""]
    return level != "" and order.index(level) < order.index(other)
