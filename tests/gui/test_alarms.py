"""Alarms in the window: seen, heard, acknowledged by key and by mouse, paused; and decisions that are none."""

from pathlib import Path
from typing import Any

import pytest
from gui_kit import Visit
from PyQt6.QtCore import Qt

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.alarm_view import Sound
from rtbci.monitor.alerts import Acknowledge, PauseSound, RunningEvent
from rtbci.monitor.layout import write_layout
from rtbci.monitor.messages import ReviewLine

Key = Qt.Key


@pytest.fixture
def here(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    one = Visit(qtbot, tmp_path)
    monkeypatch.setattr(one.window.alarm, "_effects", {False: False, True: False})
    one.play(5)
    yield one
    one.close()


def test_an_alarm_is_seen_and_heard_after_its_event_until_it_is_acknowledged_by_key_or_mouse(here: Visit) -> None:
    header, alarm = here.window.header, here.window.alarm
    assert header.acknowledge.isHidden()
    here.fake.onset(3.0)
    here.look()
    assert header.alarm == "!! SEIZURE 2 s so far, peak 0.80"
    assert (alarm.sound, alarm.rung, header.is_latched) == (Sound.ON, 1, False)
    here.fake.event(3.0, 2.0)
    here.look()
    assert header.alarm.startswith("!! SEIZURE 2.0 s, peak 0.93 · over, unacknowledged since ")
    assert (alarm.sound, header.is_latched) == (Sound.LATCHED, True)
    assert not header.acknowledge.isHidden()
    here.press(Key.Key_G)
    here.qtbot.mouseClick(header.acknowledge, Qt.MouseButton.LeftButton)
    by = here.window.model.operator
    assert "@" in by
    assert here.sent == [Acknowledge(by=by)] * 2
    here.fake.board.acknowledge(by, here.fake.now)
    here.look()
    assert (header.alarm, alarm.sound, header.acknowledge.isHidden()) == ("", Sound.NONE, True)


def test_one_event_has_one_duration_and_one_peak_in_top_line_table_and_news(here: Visit) -> None:
    here.fake.onset(3.0, confidence=0.7)
    here.play(4.0)
    (entry,) = here.window.model.event_log.entries
    assert entry.duration == pytest.approx(6.0)
    assert here.window.header.alarm == "!! SEIZURE 6 s so far, peak 0.70"
    assert "seizure" not in here.window.header.news
    here.fake.event(3.0, 6.5, confidence=0.95)
    here.look()
    assert (entry.duration, entry.peak) == (6.5, 0.95)
    assert "6.5 s, peak 0.95" in here.window.header.alarm


def test_a_rejected_event_takes_its_alarm_away(here: Visit) -> None:
    here.fake.onset(3.0)
    here.look()
    here.fake.board.review("seizure", 3.0, is_rejected=True, now=here.fake.now)
    here.look()
    assert here.window.header.alarm == ""
    assert not here.window.alarm.ringing


def test_an_acknowledged_alarm_whose_event_is_on_stays_in_sight_with_who_and_is_not_heard(here: Visit) -> None:
    here.fake.onset(3.0)
    here.fake.board.acknowledge("anna@bed-3", here.fake.now)
    here.look()
    assert here.window.header.alarm == ""
    assert here.window.header.decision_text.startswith("✓ seizure 2 s so far, peak 0.80 · acknowledged by anna@bed-3")
    assert not here.window.alarm.ringing


def test_another_name_acknowledges_and_is_kept(here: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here.window, "ask_text", lambda *_: " Anna ")
    here.press(Key.Key_G, Qt.KeyboardModifier.ShiftModifier)
    here.press(Key.Key_G)
    assert here.sent == [Acknowledge(by="Anna")] * 2


def test_u_pauses_the_sound_for_every_viewer_and_its_end_is_shown(here: Visit) -> None:
    here.fake.onset(3.0)
    here.look()
    alarm, button = here.window.alarm, here.window.toolbar.buttons["toggle_mute"]
    for minutes in (2, 5, 15, 60, 0):
        here.press(Key.Key_U)
        assert alarm.muted_s == pytest.approx(60 * minutes, abs=2)
        assert here.sent[-1] == PauseSound(seconds=60.0 * minutes, by=here.window.model.operator)
    alarm._asked_until = 0.0
    here.look(sound_paused_s=92.0)  # another viewer
    assert button.text() == "Sound off 1:32"
    rung = alarm.rung
    alarm._ring()
    assert alarm.rung == rung
    here.look(sound_paused_s=0.0)
    assert button.text() == "Sound on"


def test_an_alarm_is_shown_with_the_frame_that_reads_it(here: Visit) -> None:
    here.fake.onset(3.0)
    here.fake.publish()  # as the engine does, when an alarm changes
    here.window.tick()
    assert here.window.header.alarm == "!! SEIZURE 2 s so far, peak 0.80"
    assert here.window.alarm.ringing


def test_a_decision_of_motor_imagery_is_shown_in_the_colour_of_its_class_and_rings_nothing(
    qtbot: Any, tmp_path: Path
) -> None:
    here = Visit(qtbot, tmp_path)
    layout = here.fake.layout.model_copy(update={"labels": ("left",), "classes": ("left",), "alarms": ()})
    write_layout(here.folder, here.fake.state.generation, layout)
    here.play(5)
    left = RunningEvent(label="left", onset=3.0, duration=2.0, confidence=0.8)
    here.look(running=(left,), burden={}, alerts=())
    header, theme = here.window.header, here.window.theme
    assert header.decision == ("left 2 s so far, peak 0.80", theme.of_class(0))
    assert theme.of_class(0) != theme.colour("bad")
    assert here.window.plots.probability.colours() == [theme.of_class(0)]
    assert (header.alarm, here.window.alarm.ringing) == ("", False)
    here.close()


def test_the_shade_of_a_rejected_event_is_no_longer_that_of_an_alarm(here: Visit) -> None:
    here.fake.onset(3.0)
    here.look()
    (entry,) = here.window.model.event_log.entries
    for verdict, kind in (("rejected", kinds.REJECTED), ("confirmed", kinds.EVENT)):
        here.fake.writer.log(ReviewLine(label="seizure", onset=3.0, verdict=verdict, note=""))
        here.look()
        assert entry.mark.kind == kind
