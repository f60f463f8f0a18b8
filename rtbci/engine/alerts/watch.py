"""Alarms of a live engine: session messages and commands in, changes of alarms out; kept for the next run."""

from __future__ import annotations

import time

from pylsl import local_clock

from rtbci.engine.alerts.alert import Moment
from rtbci.engine.alerts.board import AlertBoard
from rtbci.engine.alerts.conditions import Conditions, event_key
from rtbci.engine.alerts.config import AlarmConfig
from rtbci.engine.alerts.store import AlertStore
from rtbci.monitor.alerts import Acknowledge, AlertState, BurdenState, PauseSound, SoundLine
from rtbci.monitor.messages import WarningLine
from rtbci.stages.burden import level_of
from rtbci.text import one_line
from rtbci.types import AlertChanged, Event, OperatorVerdict, Scores, SessionInfo

AlertMessage = AlertChanged | SoundLine | WarningLine


class AlertWatch:
    """What the engine asks about alarms; the state machine is `AlertBoard`, the rules are `Conditions`.

    Parameters
    ----------
    labels
        The classes that alarm.
    config
        The rules.
    """

    recovered = "alarms are kept for the next run again"

    def __init__(self, labels: tuple[str, ...], config: AlarmConfig) -> None:
        self._labels, self._config = labels, config
        self._conditions = Conditions(labels, config)
        self._board = AlertBoard(config.escalate_s)
        self._store: AlertStore | None = None
        self._time = 0.0  # seconds of the recording
        self._rejected: set[tuple[str, float]] = set()  # label and key of events
        self._is_kept = True  # what waits is on the disk

    @property
    def trouble(self) -> str:
        """Why an alarm would not outlive the engine at present."""
        return self._store.trouble if self._store is not None else ""

    def keep(self) -> None:
        """Write what waits to the disk, where it has changed; after it was shown, for a disk may be slow."""
        if not self._is_kept and self._store is not None:
            self._store.save(self._board.waiting())
        self._is_kept = True

    def begin(self, session: SessionInfo, number: int) -> list[AlertMessage]:
        """The engine has a stream, the first or another: alarms of an earlier run on the first are recalled."""
        if self._store is not None or not self._labels or not self._config.remember_s:
            return []
        self._store = AlertStore(session, number)
        now = self._now()
        earlier, told = self._store.load(now.wall - self._config.remember_s)
        for _, cause in earlier:
            cause.stamp = now.stamp
        return [*([WarningLine(text=told)] if told else []), *self._board.recall(earlier, now)]

    def sought(self) -> None:
        """The replay went to another place: burden and status begin anew."""
        self._conditions.reset()

    def take(self, message: object) -> list[AlertMessage]:
        """A message of the session, or a person's verdict."""
        if isinstance(message, OperatorVerdict):
            return self._review(message)
        if isinstance(message, Scores) and len(message.at_s):
            self._time = float(message.at_s[-1])
        found = self._conditions.take(message)
        if not found:
            return []
        self._is_kept = False
        changes: list[AlertMessage] = []
        for one in found:
            changes += self._board.take(one, Moment(one.time, local_clock(), time.time()))
        return changes

    def acknowledge(self, what: Acknowledge) -> list[AlertMessage]:
        """The command; without effect where nothing waits."""
        by = one_line(what.by)[:200] or "somebody"
        self._is_kept = False
        return list(self._board.acknowledge(by, self._now(), what.condition, what.label))

    def pause_sound(self, what: PauseSound) -> list[AlertMessage]:
        """The command."""
        now = self._now()
        self._board.pause_sound(what.seconds, now)
        return [SoundLine(seconds=what.seconds, by=one_line(what.by)[:200], stamp=now.stamp)]

    def tend(self) -> list[AlertMessage]:
        """To be called about ten times a second, also while nothing comes."""
        now = self._now()
        changes: list[AlertMessage] = list(self._board.tick(now))
        if self._board.pause_is_over(now.stamp):
            changes.append(SoundLine(seconds=0.0, stamp=now.stamp))
        return changes

    # -- for the state --------------------------------------------------------------------------------------------

    def states(self, running: list[Event]) -> tuple[AlertState, ...]:
        """Of the alarms that are not off. running: the events that are on."""
        return self._board.states(running)

    @property
    def sound_paused_s(self) -> float:
        """How long the sound is still paused."""
        return round(self._board.sound_paused_s(local_clock()), 1)

    def burdens(self) -> dict[str, BurdenState]:
        """Of the last hour, by class that alarms."""
        shares = {label: self._conditions.share(label) for label in self._labels}
        return {label: BurdenState(share=round(share, 4), level=level_of(share)) for label, share in shares.items()}

    def is_rejected(self, event: Event) -> bool:
        """Whether a person has rejected an event."""
        return (event.label, event_key(event.onset)) in self._rejected

    # -- inside ---------------------------------------------------------------------------------------------------

    def _review(self, verdict: OperatorVerdict) -> list[AlertMessage]:
        label, onset, is_rejected, now = verdict.label, verdict.onset, verdict.verdict == "rejected", self._now()
        (self._rejected.add if is_rejected else self._rejected.discard)((label, event_key(onset)))
        if label not in self._labels:
            return []
        self._is_kept = False
        changes: list[AlertMessage] = list(self._board.review(label, onset, is_rejected=is_rejected, now=now))
        for one in self._conditions.reject(label, onset, is_rejected=is_rejected):
            changes += self._board.take(one, now)
        return changes

    def _now(self) -> Moment:
        return Moment(self._time, local_clock(), time.time())
