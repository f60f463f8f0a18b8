"""Alarms of a live engine: session messages and commands in, changes of alarms out; kept for the next run."""

from __future__ import annotations

import time

from pylsl import local_clock

from rtbci.engine.alerts.alert import Moment
from rtbci.engine.alerts.board import AlertBoard
from rtbci.engine.alerts.conditions import ConditionChanged, Conditions, event_key
from rtbci.engine.alerts.config import AlarmConfig
from rtbci.engine.alerts.store import AlertStore
from rtbci.monitor.alerts import Acknowledge, AlertState, BurdenState, PauseSound, SoundLine
from rtbci.monitor.messages import WarningLine
from rtbci.stages.burden import level_of
from rtbci.text import one_line
from rtbci.types import AlertChanged, Event, OperatorVerdict, Scores, SessionInfo, Signals

RETRY_S = 5.0  # of a disk that did not take them
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
        self._is_recalled = False  # what an earlier run left
        self._is_kept = True  # what waits is on the disk
        self._keep_at = 0.0

    @property
    def trouble(self) -> str:
        """Why an alarm would not outlive the engine at present."""
        return self._store.trouble if self._store is not None else ""

    def keep(self) -> None:
        """Write what waits to the disk, where it has changed; after it was shown, for a disk may be slow."""
        if self._is_kept or self._store is None or time.monotonic() < self._keep_at:
            return
        self._store.save(self._board.waiting())
        self._is_kept = not self._store.trouble
        self._keep_at = time.monotonic() + (0.0 if self._is_kept else RETRY_S)

    def begin(self, session: SessionInfo, number: int) -> None:
        """The engine has a stream: by the first one it is known what an earlier run left, of which its first samples tell."""
        if self._store is None and self._labels and self._config.remember_s:
            self._store = AlertStore(session, number)

    def sought(self) -> list[AlertMessage]:
        """The replay went to another place: burden and status begin anew."""
        return self._taken(self._conditions.reset())

    def take(self, message: object) -> list[AlertMessage]:
        """A message of the session, or a person's verdict."""
        if isinstance(message, OperatorVerdict):
            return self._review(message)
        if isinstance(message, Scores) and len(message.at_s):
            self._time = float(message.at_s[-1])
        recalled = self._recall() if isinstance(message, Signals) and not self._is_recalled else []
        return recalled + self._taken(self._conditions.take(message))

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

    def _recall(self) -> list[AlertMessage]:
        self._is_recalled = True
        if self._store is None:
            return []
        now = self._now()
        earlier, told = self._store.load(now.wall - self._config.remember_s)
        for _, cause in earlier:
            cause.stamp = now.stamp
        return [*([WarningLine(text=told)] if told else []), *self._board.recall(earlier, now)]

    def _taken(self, found: list[ConditionChanged]) -> list[AlertMessage]:
        changes: list[AlertMessage] = []
        for one in found:
            self._is_kept = False
            changes += self._board.take(one, Moment(one.time, local_clock(), time.time()))
        return changes

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
