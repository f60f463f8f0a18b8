"""Alarms as sentences: as they stand, in the terminal, and in the log."""

import io
import time

from rich.console import Console

from rtbci.cli.terminal_view import TerminalView
from rtbci.monitor.alerts import AlertLine, AlertState, BurdenState, RunningEvent, SoundLine
from rtbci.monitor.describe import describe
from rtbci.monitor.describe_alerts import alert_text, pause_text, wall_clock
from rtbci.monitor.messages import EngineState

NOW = time.time()
EVENT = AlertState(
    condition="event", label="seizure", presence="on", priority="medium", since=NOW, is_running=True, onset=3.0,
    duration=12.4, confidence=0.973,
)  # fmt: skip
RUNNING = RunningEvent(label="seizure", onset=3.0, duration=640.0, confidence=0.97)
BURDEN = {"seizure": BurdenState(share=0.214, level="frequent")}


def text_of(state: EngineState = EngineState(), **changes: object) -> str:
    return alert_text(state, EVENT.model_copy(update=changes))


def test_an_alarm_says_its_event_and_how_it_stands() -> None:
    since, over = wall_clock(NOW), {"presence": "latched", "is_running": False, "duration": 25.31}
    assert text_of() == "SEIZURE 12 s so far, peak 0.97"
    assert text_of(**over) == f"SEIZURE 25.3 s, peak 0.97 · over, unacknowledged since {since}"
    assert text_of(**over, count=3, is_escalated=True) == (
        f"SEIZURE 25.3 s, peak 0.97 · the last of 3, over, UNACKNOWLEDGED since {since}"
    )
    assert text_of(**over, is_earlier=True).endswith(f" · over, of an EARLIER RUN, unacknowledged since {since}")
    assert text_of(presence="ack", by="anna", acknowledged=NOW) == (
        f"seizure 12 s so far, peak 0.97 · acknowledged by anna, {since}"
    )


def test_rules_say_their_share_of_the_hour_and_the_stretch() -> None:
    state = EngineState(burden=BURDEN, running=(RUNNING,))
    assert text_of(state, condition="burden", level="frequent") == "SEIZURE burden frequent, 21 % of the last hour"
    assert text_of(state, condition="status") == (
        "SEIZURE: possible STATUS EPILEPTICUS, 11 min at a stretch, 21 % of the last hour"
    )


def test_the_end_of_a_pause_is_shown_in_minutes_and_seconds() -> None:
    assert [pause_text(seconds) for seconds in (0.0, 0.4, 59.6, 92.0)] == [
        "", "sound off 0:01", "sound off 1:00", "sound off 1:32",
    ]  # fmt: skip


def test_each_change_is_a_sentence_of_the_log() -> None:
    line = AlertLine(
        change="began", condition="event", label="seizure", presence="on", priority="medium", time=19.2, stamp=1.0
    )
    assert describe(line) == "alarm seizure is on, at 0:00:19.2"
    seen = line.model_copy(update={"change": "acknowledged", "presence": "off", "by": "anna"})
    assert describe(seen) == "alarm seizure acknowledged by anna; it is off"
    status = line.model_copy(update={"change": "escalated", "condition": "status"})
    assert describe(status) == "alarm seizure, possible status epilepticus, was not acknowledged in time"
    assert describe(SoundLine(seconds=300.0, by="anna", stamp=1.0)) == "sound of alarms paused for 5 min by anna"
    assert describe(SoundLine(seconds=0.0, stamp=1.0)) == "sound of alarms on"


def shown(state: EngineState) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(TerminalView("test").render(state))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_terminal_shows_alarms_and_what_is_on_without_one_but_not_what_was_rejected() -> None:
    left = RunningEvent(label="left", onset=1.0, duration=2.0, confidence=0.8)
    page = shown(EngineState(alerts=(EVENT,), running=(RUNNING, left), sound_paused_s=92.0))
    assert "ALARM  SEIZURE 12 s so far, peak 0.97" in page
    assert "now  left 2 s so far, peak 0.80" in page
    assert "now  seizure" not in page
    assert "sound off 1:32" in page
    assert "left" not in shown(EngineState(running=(left.model_copy(update={"is_rejected": True}),)))
