"""What the window shows and sounds of the engine's alarms; the engine has the state, so that all viewers show the same."""

from __future__ import annotations

from enum import IntEnum

from rtbci.monitor.alerts import AlertState, RunningEvent
from rtbci.monitor.describe_alerts import alert_text
from rtbci.monitor.messages import EngineState

_SIGNS = {"high": "!!!", "medium": "!!"}  # beside the colour, as IEC 60601-1-8 has them


class Sound(IntEnum):
    """What is heard, from nothing to the most pressing."""

    NONE = 0
    LATCHED = 1
    ON = 2
    HIGH = 3


class AlarmView:
    """One state of the engine, as its alarms look and sound."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    @property
    def waiting(self) -> list[AlertState]:
        """The alarms that nobody has acknowledged."""
        return [alert for alert in self._state.alerts if alert.presence in ("on", "latched")]

    @property
    def is_on(self) -> bool:
        """Whether the condition of one of them is present; otherwise they are latched."""
        return any(alert.presence == "on" for alert in self.waiting)

    @property
    def text(self) -> str:
        """The alarms that wait, the gravest first."""
        return "   ".join(f"{_SIGNS[one.priority]} {alert_text(self._state, one)}" for one in self.waiting)

    @property
    def seen_text(self) -> str:
        """Those that were acknowledged, and whose condition is present."""
        seen = (alert for alert in self._state.alerts if alert.presence == "ack")
        return "   ".join(f"✓ {alert_text(self._state, alert)}" for alert in seen)

    @property
    def decisions(self) -> list[RunningEvent]:
        """What is on and rings no alarm, as in motor imagery."""
        alarming = {*self._state.burden, *(alert.label for alert in self._state.alerts)}
        return [one for one in self._state.running if one.label not in alarming and not one.is_rejected]

    @property
    def sound(self) -> Sound:
        """The most pressing."""
        waiting = self.waiting
        if any(alert.priority == "high" for alert in waiting):
            return Sound.HIGH
        return Sound.ON if self.is_on else Sound.LATCHED if waiting else Sound.NONE
