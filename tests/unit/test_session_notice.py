"""What a window says when an engine or its stream ends, what it offers, and by what two windows are told apart."""

from pathlib import Path
from typing import Any

import pytest

from rtbci.dashboard.model.identity import Identity
from rtbci.dashboard.model.notice import Notice, NoticeBoard, Step, written_folder
from rtbci.dashboard.model.session_menu import Session, closing_question, menu_items, restart_question
from rtbci.monitor.messages import (
    ConnectedLine,
    EngineState,
    ErrorLine,
    LostLine,
    RecordingState,
    RefusedLine,
    ReplayState,
    StreamState,
    WarningLine,
)
from rtbci.monitor.window_messages import SessionEnded

STREAM = StreamState(name="Bed-1", hostname="lab", channels=2, sfreq=256.0, speed=1.0)
LIVE = Session("Bed-1", "seizure", is_running=True, can_start=True)


def board(can_start: bool = True) -> NoticeBoard:
    made = NoticeBoard()
    made.can_start = can_start
    return made


def lost(silent_s: float, **more: Any) -> EngineState:
    return EngineState(state="lost", silent_s=silent_s, stream=STREAM, **more)


def test_while_all_is_well_there_is_nothing_to_say() -> None:
    assert board().notice(EngineState(state="running")) is None


@pytest.mark.parametrize(
    ("reason", "steps"),
    [
        ("the unit is missing: say it with --unit", ("unit", "stream", "end")),
        ("has 2 channels, wanted 18", ("stream", "end")),
    ],
)
def test_a_refused_stream_is_told_while_it_is_waited_for_with_what_helps(reason: str, steps: tuple[Step, ...]) -> None:
    made = board()
    made.take(RefusedLine(reason=reason))
    notice = made.notice(EngineState(state="waiting"))
    assert notice == Notice(
        f"A stream was refused: {reason}", ("The engine waits for one that fits.",), "bad", steps
    )  # fmt: skip
    made.take(ConnectedLine(stream="Bed-1", host="lab", sfreq=256.0, channels=2))
    assert made.notice(EngineState(state="waiting")) is None


def test_a_loss_is_told_once_it_lasts_and_gone_when_the_stream_is_back() -> None:
    made = board()
    made.take(LostLine(reason="the connection was closed"))
    assert made.notice(lost(4.0)) is None
    notice = made.notice(lost(6.0))
    assert notice is not None
    assert (notice.text, notice.tone) == ("The stream is lost: the connection was closed", "bad")
    assert notice.steps == ("stream", "end")
    assert made.notice(EngineState(state="running")) is None


def test_a_replay_that_has_come_to_its_end_is_no_fault() -> None:
    made = board(can_start=False)
    position = {"start_s": 0.0, "end_s": 60.0, "speed": 1.0, "paused": False, "move": 0}
    assert (
        made.notice(EngineState(state="running", replay=ReplayState(recorded_s=59.5, loop=False, **position))) is None
    )
    notice = made.notice(lost(6.0))
    assert notice is not None
    assert (notice.tone, notice.steps) == ("plain", ("end",))
    assert notice.text.startswith("The replay has ended")
    made.notice(EngineState(state="running", replay=ReplayState(recorded_s=30.0, loop=False, **position)))
    again = made.notice(lost(6.0))
    assert again is not None
    assert again.tone == "bad"


def test_values_that_are_no_eeg_in_their_unit_offer_to_say_it_until_that_is_dismissed() -> None:
    made = board()
    made.take(WarningLine(text="values are too small for an EEG: 2e-05 µV rms; --unit says the unit"))
    notice = made.notice(EngineState(state="running"))
    assert notice is not None
    assert (notice.text[:20], notice.steps) == ("values are too small", ("unit", "dismiss"))
    made.dismiss()
    assert made.notice(EngineState(state="running")) is None
    made.take(WarningLine(text="unit '-6' is taken as 10^-6 V (--unit says another)"))
    assert made.notice(EngineState(state="running")) is None


def test_an_end_says_why_what_was_written_and_what_can_be_done() -> None:
    made = board()
    made.ended = SessionEnded(text="the engine died (exit code -9)", offers=("again", "stream"))
    state = EngineState(recording=RecordingState(file="/rec/a.xdf"), events_file="/rec/e.tsv")
    assert made.notice(state) == Notice(
        "the engine died (exit code -9)", ("written: /rec/a.xdf", "written: /rec/e.tsv"), "bad",
        ("again", "stream", "folder"),
    )  # fmt: skip
    made.can_start = False
    notice = made.notice(EngineState())
    assert notice is not None
    assert notice.steps == ()


def test_a_result_is_good_and_an_end_that_was_asked_for_is_plain() -> None:
    made = board()
    for ended, tone in (
        (SessionEnded(text="1 of 1 seizures found", is_good=True, is_failure=False), "good"),
        (SessionEnded(text="The session has ended", is_failure=False), "plain"),
    ):
        made.ended = ended
        notice = made.notice(EngineState())
        assert notice is not None
        assert notice.tone == tone


def test_without_a_command_behind_the_window_the_engine_s_own_reason_is_shown() -> None:
    made = board(can_start=False)
    made.take(ErrorLine(text="no stream within 60 s"))
    assert made.notice(EngineState(state="waiting")) == Notice("no stream within 60 s")
    made.clear()
    assert made.notice(EngineState(state="waiting")) is None


def test_the_folder_is_that_of_the_recording_then_of_the_table(tmp_path: Path) -> None:
    state = EngineState(events_file=str(tmp_path / "t" / "events.tsv"))
    assert written_folder(EngineState()) == ""
    assert written_folder(state) == str(tmp_path / "t")
    assert written_folder(state | EngineState(recording=RecordingState(file=str(tmp_path / "r" / "a.xdf")))) == str(
        tmp_path / "r"
    )


def reasons(session: Session, state: EngineState) -> dict[str, str]:
    return {item.action: item.why_not for item in menu_items(session, state)}


def test_what_cannot_be_done_says_why() -> None:
    assert reasons(Session(), EngineState()) == {
        "record": "no engine runs",
        "folder": "nothing is written",
        "stream": "this window cannot start engines: `rtbci dashboard` opens one that can",
        "unit": "this window cannot start engines: `rtbci dashboard` opens one that can",
        "again": "this window cannot start engines: `rtbci dashboard` opens one that can",
        "engines": "this window cannot start engines: `rtbci dashboard` opens one that can",
        "end": "no engine runs",
    }
    waiting = reasons(LIVE, EngineState(state="waiting"))
    assert {action for action, why in waiting.items() if why} == {"record", "folder"}
    assert waiting["record"] == "no stream yet"
    assert not any(reasons(Session("Bed-1", "p", True, True, folder="/rec"), EngineState(stream=STREAM)).values())


def test_a_recording_that_is_on_or_in_trouble_can_be_stopped() -> None:
    for recording in (RecordingState(on=True), RecordingState(alarm="the disk is full")):
        assert menu_items(LIVE, EngineState(stream=STREAM, recording=recording))[0].action == "stop_recording"
    assert menu_items(LIVE, EngineState(stream=STREAM))[0].label == "Start recording …"


def test_what_goes_on_is_said_before_the_window_closes() -> None:
    assert closing_question(LIVE, EngineState()) == (
        "The engine goes on tagging Bed-1 without this window; `rtbci dashboard` opens another."
    )
    theirs = Session("Bed-1", "seizure", is_running=True, can_start=True, owner=42)
    assert closing_question(theirs, EngineState(recording=RecordingState(on=True))) == (
        "The engine goes on tagging and recording Bed-1 without this window; `rtbci dashboard` opens another. "
        "It belongs to another command (process 42)."
    )
    assert restart_question(LIVE).startswith("The session on Bed-1 ends, in order")


def test_two_patients_have_two_titles_and_colours_and_one_has_the_same_at_every_start() -> None:
    one, other = Identity("Bed-1", "seizure"), Identity("Bed-2", "seizure")
    assert (one.title, other.title) == ("Bed-1 · seizure · rtbci", "Bed-2 · seizure · rtbci")
    assert one.colour(is_dark=True) != other.colour(is_dark=True)
    assert one.digest == Identity("Bed-1", "seizure").digest
    assert one.digest != Identity("Bed-1", "motor").digest
    assert (Identity().title, Identity().digest) == ("rtbci", "")


@pytest.mark.parametrize("is_dark", [True, False])
def test_no_band_has_the_red_of_an_alarm_or_a_ground_too_light_for_its_name(is_dark: bool) -> None:
    for k in range(200):
        text = Identity(f"patient {k}").colour(is_dark=is_dark)
        red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
        assert not (red > 2 * green and red > 2 * blue)
        assert 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < 0.3
