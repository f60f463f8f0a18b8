"""What crosses of alarms: each as it stands, the lines of the log about them, and what a person does with them.

The states are those of an HL7 FHIR R6 DeviceAlert: what an alarm is called here is called an alert there.
"""

from __future__ import annotations

import getpass
import platform
from typing import Annotated, Literal, TypeAlias

from rtbci.monitor.message import ClockSeconds, Count, Fraction, Line, Message, Real, WallTime, within
from rtbci.results import Text

Presence: TypeAlias = Literal["on", "latched", "ack", "off"]
Condition: TypeAlias = Literal["event", "burden", "status"]
Priority: TypeAlias = Literal["medium", "high"]
LONGEST_PAUSE_S = 4 * 3600.0
PAUSES_MIN = (2, 5, 15, 60)


def operator() -> str:
    """Who sits here, where no other name is given: user@machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        user = "somebody"
    return f"{user}@{platform.node() or 'this machine'}"


def next_pause_s(left_s: float) -> float:
    """The pause of the sound that a key asks for when so much of one is left: longer each time, and then none (0)."""
    return next((60.0 * minutes for minutes in PAUSES_MIN if 60 * minutes > left_s + 1), 0.0)


class RunningEvent(Message):
    """An event that is on."""

    label: Text
    """Class."""
    onset: Real
    """Seconds of the recording."""
    duration: Real
    """So far."""
    confidence: Fraction
    """Largest smoothed probability so far."""
    is_rejected: bool = False
    """A person says that it is none."""


class AlertState(Message):
    """An alarm that is not off."""

    condition: Condition
    """`event`: an event of the class is on; `burden`: seizures take so much of the last hour; `status`: the rule of status
    epilepticus holds."""
    label: Text
    """Class."""
    presence: Presence
    """`on`: the condition is present; `latched`: it was, and nobody has acknowledged it; `ack`: it is present, and
    acknowledged; `off`."""
    priority: Priority
    """`high`: status epilepticus, a burden of half an hour or more, and what was not acknowledged in time."""
    is_escalated: bool = False
    """It was not acknowledged in time."""
    level: Text = ""
    """Of a burden: its class of ACNS 2021."""
    count: Count = 1
    """Causes that are not acknowledged, as events."""
    since: WallTime = 0.0
    """When the oldest of them began, or the one that is acknowledged."""
    is_earlier: bool = False
    """All of it is of an earlier run of this engine."""
    is_running: bool = False
    """The event is on, and its duration and confidence are those so far."""
    onset: Real = 0.0
    """Of the newest event, seconds of the recording."""
    duration: Real = 0.0
    """Of the newest event: so far, or in total."""
    confidence: Fraction = 0.0
    """Of the newest event: the largest smoothed probability, so far or in total."""
    by: Text = ""
    """Who has acknowledged it; empty: nobody."""
    acknowledged: WallTime = 0.0
    """When."""


class BurdenState(Message):
    """How much of the last hour is seizure."""

    share: Fraction
    """Of 60 min; of a shorter recording, too."""
    level: Text
    """In the classes of ACNS 2021: `continuous` from 0.9, `abundant` from 0.5, `frequent` from 0.1, `occasional` from 0.01,
    `rare`; empty: none."""


class AlertLine(Line):
    """An alarm has changed."""

    kind: Literal["alert"] = "alert"
    change: Text
    """`began`, `raised` (to another level), `ended`, `acknowledged`, `rejected`, `restored` (a verdict was withdrawn),
    `escalated`, or `recalled` (of an earlier run)."""
    condition: Condition
    """As in the state."""
    label: Text
    """Class."""
    presence: Presence
    """From now on."""
    priority: Priority
    """From now on."""
    level: Text = ""
    """Of a burden."""
    by: Text = ""
    """Who did it; empty: nobody."""
    time: Real
    """When, seconds of the recording."""
    stamp: Real
    """When, on the local clock."""


class SoundLine(Line):
    """The sound of all alarms was paused, or is on again."""

    kind: Literal["sound"] = "sound"
    seconds: Real
    """For how long it is paused; 0: it is on again."""
    by: Text = ""
    """Who did it; empty: the pause is over."""
    stamp: Real
    """When, on the local clock."""


class Acknowledge(Message):
    """Acknowledge alarms."""

    do: Literal["acknowledge"] = "acknowledge"
    by: Text
    """Who."""
    condition: Literal["", "event", "burden", "status"] = ""
    """Empty: any."""
    label: Text = ""
    """Empty: any."""


class PauseSound(Message):
    """Pause the sound of all alarms, for every viewer."""

    do: Literal["pause_sound"] = "pause_sound"
    seconds: Annotated[ClockSeconds, within(0, LONGEST_PAUSE_S)]
    """From now on; 0: end the pause."""
    by: Text
    """Who."""
