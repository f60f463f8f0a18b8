"""What rings an alarm besides an event, and when an alarm becomes more pressing; `rtbci run --alarm KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rtbci.config import DAY_S, Probability, Seconds, Strict, override, parse


class AlarmConfig(Strict):
    """The rules of a ward, not of a pipeline; which classes alarm at all, the pipeline says (`decision.alarms`).

    Attributes
    ----------
    escalate_s
        How long an alarm may wait for its acknowledgement before it becomes one of high priority; 0: for ever.
    burden
        The class of ACNS 2021 from which the seizure burden of the last hour is an alarm, and each higher one again.
    status_stretch_s
        A seizure that lasts as long is an alarm of status epilepticus; 0: none is.
    status_share
        So is this share of the last hour; 0: none is.
    remember_s
        How old an alarm of an earlier run may be that is shown again because nobody has acknowledged it; 0: none is.
    """

    escalate_s: Seconds = 120.0
    burden: Literal["frequent", "abundant", "continuous", "off"] = "frequent"
    status_stretch_s: Seconds = 600.0
    status_share: Probability = 0.2
    remember_s: Seconds = DAY_S


def alarm_config(settings: Sequence[str]) -> AlarmConfig:
    """From `--alarm KEY=VALUE` …; raises ConfigError for a key or a value that is none."""
    return parse(AlarmConfig, override({}, list(settings), "--alarm"), "--alarm")
