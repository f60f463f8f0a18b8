"""Conditions of alarms, from the messages of a session: causal, and however the session is cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rtbci.engine.alerts.config import AlarmConfig
from rtbci.monitor.alerts import Condition
from rtbci.stages.burden import LEVELS, SeizureBurden, level_of
from rtbci.types import Detection, Event, Scores

EVENT: Final = "event"
BURDEN: Final = "burden"
STATUS: Final = "status"


@dataclass(frozen=True, slots=True)
class ConditionChanged:
    """A condition became present, or is no longer; or a burden has reached another level.

    key: of an event its onset, as `event_key` has it, else 0. time: seconds of the recording. is_rejected: it is so
    because a person has rejected an event.
    """

    condition: Condition
    label: str
    present: bool
    time: float
    key: float = 0.0
    level: str = ""
    event: Event | None = None
    is_rejected: bool = False


def event_key(onset: float) -> float:
    """By which an event of a class is known: what has crossed as text is the same event."""
    return round(onset, 6)


class Conditions:
    """Watches the events of the classes that alarm, the burden of each, and the rule of status epilepticus.

    Parameters
    ----------
    labels
        The classes.
    config
        The rules.
    """

    def __init__(self, labels: Sequence[str], config: AlarmConfig) -> None:
        self._config = config
        self._least = LEVELS.get(config.burden)  # of a burden that alarms; None: none does
        self._labels = tuple(labels)
        self._begin()

    def reset(self) -> list[ConditionChanged]:
        """The recording goes on at another of its seconds: what lay within the last hour is no longer known."""
        ends = [ConditionChanged(BURDEN, label, False, self._now) for label, level in self._levels.items() if level]
        ends += [ConditionChanged(STATUS, label, False, self._now) for label, has in self._has_status.items() if has]
        self._begin()
        return ends

    def _begin(self) -> None:
        self._burdens = {label: SeizureBurden() for label in self._labels}
        self._levels = dict.fromkeys(self._labels, "")  # of the burdens that alarm
        self._has_status = dict.fromkeys(self._labels, False)
        self._hops: list[float] = []  # seconds of the recording of answers not yet looked at
        self._found: list[Detection] = []  # likewise
        self._now = 0.0

    def take(self, message: object) -> list[ConditionChanged]:
        """One message of the session. Answers wait for the decisions on them, which come next."""
        if isinstance(message, Detection):
            if message.event.label in self._burdens:
                self._found.append(message)
            return []
        changes = list(self._settle()) if self._hops or self._found else []
        if isinstance(message, Scores):
            self._hops = message.at_s.tolist()
        return changes

    def reject(self, label: str, onset: float, *, is_rejected: bool) -> list[ConditionChanged]:
        """A person says that an event was none, or takes that back."""
        if label not in self._burdens:
            return []
        self._burdens[label].reject(event_key(onset), is_rejected=is_rejected)
        return [replace(change, is_rejected=is_rejected) for change in self._rules(label)]

    def share(self, label: str) -> float:
        """Of the last hour, of a class."""
        return self._burdens[label].share(self._now)

    def _settle(self) -> Iterator[ConditionChanged]:
        """Look at each answer in turn, with the decisions that were taken on it."""
        hops, self._hops = self._hops, []
        found, self._found = self._found, []
        for self._now in hops:
            while found and found[0].time <= self._now:
                yield self._decided(found.pop(0))
            yield from self._all_rules()
        for detection in found:  # the stream ended, or a gap has closed it
            yield self._decided(detection)
        yield from self._all_rules()

    def _decided(self, found: Detection) -> ConditionChanged:
        event, key = found.event, event_key(found.event.onset)
        if found.closed:
            self._burdens[event.label].end(key, event.duration)
        else:
            self._burdens[event.label].begin(key)
        return ConditionChanged(EVENT, event.label, not found.closed, self._now, key, event=event)

    def _all_rules(self) -> Iterator[ConditionChanged]:
        for label, burden in self._burdens.items():
            burden.forget(self._now)
            if burden or self._levels[label] or self._has_status[label]:
                yield from self._rules(label)

    def _rules(self, label: str) -> Iterator[ConditionChanged]:
        burden, config = self._burdens[label], self._config
        share = burden.share(self._now)
        level = level_of(share) if self._least is not None and share >= self._least else ""
        if level != self._levels[label]:
            self._levels[label] = level
            yield ConditionChanged(BURDEN, label, bool(level), self._now, level=level)
        is_long = 0 < config.status_stretch_s <= burden.stretch_s(self._now)
        has_status = is_long or 0 < config.status_share <= share
        if has_status != self._has_status[label]:
            self._has_status[label] = has_status
            yield ConditionChanged(STATUS, label, has_status, self._now)
