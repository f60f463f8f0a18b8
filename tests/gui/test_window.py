"""The window, key by key, on a synthetic engine and without a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gui_kit import Visit, pixels
from pylsl import local_clock
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QFontMetrics, QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import QApplication, QInputDialog, QLabel, QMessageBox, QToolTip

from rtbci.dashboard.model.state_text import Fact
from rtbci.dashboard.panels.header import two_lines
from rtbci.dashboard.panels.montage_dialog import MontageDialog
from rtbci.dashboard.panels.row_picker import RowPicker
from rtbci.dashboard.panels.shortcuts_dialog import ShortcutsDialog
from rtbci.dashboard.panels.trace_menu import TraceMenu
from rtbci.dashboard.shortcuts import SHORTCUTS
from rtbci.monitor.messages import Annotate, ReviewLine, SetThreshold
from rtbci.recordings.open import open_recording

Key, Ctrl, Shift = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def visit(qtbot: Any, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    made: list[Visit] = []

    def make(**how: Any) -> Visit:
        made.append(Visit(qtbot, tmp_path, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


# -- painting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sweep", [True, False])
def test_painting_only_what_is_new_gives_the_picture_of_the_whole_page(visit, sweep, monkeypatch):
    here = visit()
    here.window.model.timeline.sweep = sweep
    here.play(5, seizure=True)
    # Once a page the zero of each trace moves; here it stays.
    monkeypatch.setattr(here.window.plots.traces, "prepare", lambda: None)
    here.play(8.7, seizure=True)
    assert here.window.plots.traces._head_column == here.window.model.timeline.last  # painted column by column
    for plot in (here.window.plots.traces, here.window.plots.probability):
        before = pixels(plot)
        plot.redraw()
        after = pixels(plot)
        np.testing.assert_array_equal(before, after)
        assert len(np.unique(after)) > 3


def test_a_frame_updates_only_the_columns_that_are_new(visit, monkeypatch):
    here = visit()
    here.play(12)
    traces = here.window.plots.traces
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(traces, "update", lambda *rect: asked.append(rect))
    here.fake.advance(1 / 30)
    here.window.tick()
    assert asked
    assert sum(rect[2] for rect in asked) < 40


def test_a_gap_stays_empty_and_invalid_answers_are_flagged(visit):
    here = visit()
    here.play(3)
    here.fake.skip(1.0)
    here.play(1, valid=False)
    here.play(1)
    traces, probability = here.window.plots.traces, here.window.plots.probability
    image, line = pixels(traces), here.window.model.timeline
    empty = slice(line.pixel(3.1), line.pixel(3.9))
    assert len(np.unique(image[:, empty])) == 1
    assert probability._invalid[line.pixel(4.5)]
    assert not probability._invalid[line.pixel(5.5)]


def test_nan_samples_do_not_break_the_picture(visit):
    here = visit(channels=8)
    here.fake._table[:, 3] = np.nan
    here.play(2)
    assert len(np.unique(pixels(here.window.plots.traces))) > 3


def test_the_page_moves_on_over_a_lost_stream_and_takes_it_up_again(visit):
    here = visit()
    here.play(5)
    feed = here.window.model.feed
    feed.clock.origin += feed.clock.x(here.window.model.timeline.head) * 0 + 95 - 8  # 8 s of clock for 5 s of data
    here.look(state="lost", silent_s=3.0)
    assert 5 + 7 - 1.5 < here.window.model.timeline.head < feed.clock.x(local_clock())
    assert here.window.header.fact.wrong


def test_the_alarm_rings_while_what_is_shown_is_old(visit):
    here = visit()
    here.play(2)
    for state, staleness_s, rings in (("stale", 1.0, False), ("stale", 3.0, True), ("running", 0.1, False)):
        here.look(state=state, silent_s=staleness_s, staleness_s=staleness_s)
        assert here.window.alarm.ringing == rings


def test_what_is_not_written_rings_and_reddens_the_top_line_until_it_is(visit):
    here = visit()
    here.play(2)
    full, stopped = "the event table is not written: No space left on device", "recording stopped: only 60 MB are free"
    for alarm, recording, words in (
        ("", None, ""),
        (full, None, full),
        (full, {"on": False, "alarm": stopped}, f"{full}   {stopped}"),
        ("", {"on": True, "alarm": ""}, ""),
    ):
        here.look(alarm=alarm, recording=recording)
        assert here.window.header.alarm == words
        assert here.window.alarm.ringing == bool(words)


# -- keys ---------------------------------------------------------------------------------------------------------


def test_every_shortcut_has_its_action_and_no_two_share_a_key(visit):
    actions = visit().window.user_actions
    taken = [key for shortcut in SHORTCUTS for key in shortcut.keys]
    assert len(taken) == len(set(taken))
    assert all(callable(actions.named(shortcut.action)) for shortcut in SHORTCUTS)


def test_space_freezes_and_data_go_on_coming(visit):
    here = visit()
    here.play(4)
    here.press(Key.Key_Space)
    frozen = pixels(here.window.plots.traces)
    before = here.window.model.feed.signals.n
    here.play(2)
    assert here.window.model.feed.signals.n == before + 512
    np.testing.assert_array_equal(pixels(here.window.plots.traces), frozen)
    here.press(Key.Key_Space)
    assert not here.window.model.timeline.frozen


def test_arrows_and_pages_move_through_time(visit):
    here = visit()
    here.play(32)
    line = here.window.model.timeline
    head = line.head
    here.press(Key.Key_Left)
    assert line.end == pytest.approx(head - 1)
    here.press(Key.Key_PageUp)
    assert line.end == pytest.approx(head - 11)
    here.press(Key.Key_PageDown)
    here.press(Key.Key_Right)
    assert line.end is None
    here.press(Key.Key_Home)
    assert line.end == pytest.approx(10, abs=0.1)
    here.press(Key.Key_End)
    assert line.end is None


def test_arrows_and_signs_change_the_sensitivity(visit):
    here = visit()
    traces = here.window.plots.traces
    traces.per_mm = 10.0
    for key, after in (
        (Key.Key_Up, 7.0), (Key.Key_Plus, 5.0), (Key.Key_Down, 7.0), (Key.Key_Minus, 10.0), (Key.Key_Minus, 15.0)
    ):  # fmt: skip
        here.press(key)
        assert traces.per_mm == after
    assert here.window.toolbar.sensitivity.text() == "15 µV/mm"


def test_brackets_change_the_page(visit):
    here = visit()
    for key, page_s in ((Key.Key_BracketRight, 20), (Key.Key_BracketLeft, 10), (Key.Key_BracketLeft, 5)):
        here.press(key)
        assert here.window.model.timeline.page_s == page_s
    assert here.window.toolbar.page.text().startswith("5 s")


def test_m_walks_through_the_montages_that_can_be_derived(visit):
    here = visit()
    here.play(1)
    shown = []
    for _ in range(7):
        here.press(Key.Key_M)
        shown.append((here.window.plots.traces.montage, len(here.window.plots.traces.shown)))
    assert shown == [
        ("As recorded", 19), ("Double banana", 18), ("Transverse", 18), ("Laplacian", 19), ("Common average", 19),
        ("Reference Cz", 18), ("By region", 19),
    ]  # fmt: skip
    ears = next(action for action in here.window.toolbar.montage.menu_.actions() if action.data() == "Ears (A1, A2)")
    assert (ears.isEnabled(), ears.text()) == (False, "Ears (A1, A2) (needs A1 and A2, not in the stream)")


def test_r_shows_what_the_model_sees(visit):
    here = visit(chosen=("C3", "C4"))
    here.play(1)
    here.press(Key.Key_R)
    traces = here.window.plots.traces
    assert traces.shown.names == ("C3", "C4")
    assert traces.unit == "σ"
    here.press(Key.Key_R)
    assert (len(traces.shown), traces.unit) == (19, "µV")


def test_channels_are_chosen_hidden_alone_and_back(visit):
    here = visit()
    here.play(1)
    traces, labels = here.window.plots.traces, here.window.plots.labels
    here.press(Key.Key_Down, Ctrl)
    assert labels.selection == "Fp1"
    here.press(Key.Key_Up, Shift)
    assert traces.factors == {"Fp1": pytest.approx(1 / 1.5)}
    here.press(Key.Key_H)
    assert "Fp1" not in traces.shown.names
    assert labels.selection == "Fp2"
    here.press(Key.Key_O)
    assert traces.shown.names == ("Fp2",)
    here.press(Key.Key_O)
    here.press(Key.Key_H, Shift)
    assert len(traces.shown) == 19


def test_b_lays_all_channels_over_each_other(visit):
    here = visit()
    here.play(1)
    here.press(Key.Key_B)
    lanes = here.window.plots.traces.lanes
    assert len(set(lanes.centres.tolist())) == 1
    here.press(Key.Key_B)
    assert len(set(here.window.plots.traces.lanes.centres.tolist())) == 19


def test_a_annotates_the_moment_of_the_key(visit, monkeypatch):
    here = visit()
    here.play(4)
    monkeypatch.setattr(QInputDialog, "getItem", lambda *a: ("eyes closed", True))
    here.press(Key.Key_A)
    (sent,) = here.sent
    assert isinstance(sent, Annotate)
    assert sent.label == "eyes closed"
    assert sent.onset == pytest.approx(here.fake.seconds, abs=0.01)
    assert sent.stamp == pytest.approx(here.fake.stamp, abs=0.01)


def test_a_on_a_frozen_page_annotates_a_moment_that_it_shows_and_says_which(visit, monkeypatch):
    here = visit()
    here.play(30)
    asked: list[str] = []
    monkeypatch.setattr(QInputDialog, "getItem", lambda *a: (asked.append(a[2]) or "spike", True))
    here.window.model.timeline.freeze(15.0)
    here.press(Key.Key_A)
    here.window.plots.traces.cursor_x = 6.5
    here.press(Key.Key_A)
    assert [c.onset for c in here.sent] == [10.0, 6.5]
    assert asked == ["What is it, at 0:00:10.0?", "What is it, at 0:00:06.5?"]


def test_an_export_that_fails_says_so(visit, monkeypatch, tmp_path):
    here = visit()
    here.play(6)
    here.fake.event(2.0, 3.0)
    here.look()
    told: list[str] = []
    monkeypatch.setattr(here.window, "tell", lambda title, text: told.append(text))
    for path in (tmp_path / "none" / "e.tsv", tmp_path / "e.tsv"):
        monkeypatch.setattr(here.window, "ask_save_path", lambda *a, path=path: path)
        here.press(Key.Key_E, Ctrl)
    missing = tmp_path / "none" / "e.tsv"
    assert told == [f"Nothing was saved: {missing}: No such file or directory. Choose another place."]
    assert here.window.header.news == f"1 row saved in {tmp_path / 'e.tsv'}"


def test_events_are_stepped_through_confirmed_rejected_and_noted(visit, monkeypatch):
    here = visit()
    here.play(30)
    here.fake.event(5.0, 4.0)
    here.fake.event(15.0, 6.0)
    here.look()
    here.press(Key.Key_Period)
    assert here.window.model.timeline.pixel(here.window.model.event_log.entries[1].mark.start) is not None
    here.press(Key.Key_Period)
    here.press(Key.Key_C)
    here.press(Key.Key_X)
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: ("left arm", True))
    here.press(Key.Key_N)
    assert [(c.onset, c.verdict, c.note) for c in here.sent] == [
        (5.0, "confirmed", ""), (5.0, "rejected", ""), (5.0, "", "left arm"),
    ]  # fmt: skip
    here.fake.writer.log(ReviewLine(label="seizure", onset=5.0, verdict="confirmed", note="left arm"))
    here.look()
    assert here.window.model.event_log.entries[0].verdict == "confirmed"


def test_the_threshold_is_dragged_and_moved_by_keys(visit, qtbot):
    here = visit()
    here.play(2)
    probability = here.window.plots.probability

    def drag(at: QPoint, to: QPoint) -> None:
        qtbot.mousePress(probability, Qt.MouseButton.LeftButton, pos=at)
        qtbot.mouseMove(probability, to)
        assert here.sent == []  # not before it is let go
        qtbot.mouseRelease(probability, Qt.MouseButton.LeftButton, pos=to)

    drag(QPoint(200, round(probability.y_of(0.5))), QPoint(200, round(probability.y_of(0.2))))
    assert (here.sent, probability.threshold) == ([], 0.5)  # the line is no handle
    handle = probability.handle().center()
    drag(handle, QPoint(handle.x(), round(probability.y_of(0.7))))
    qtbot.waitUntil(lambda: bool(here.sent), timeout=2000)
    assert isinstance(here.sent[-1], SetThreshold)
    assert here.sent[-1].value == pytest.approx(0.7, abs=0.02)
    here.press(Key.Key_Down, Ctrl | Shift)
    assert probability.threshold == pytest.approx(0.65, abs=0.02)


def test_a_changed_threshold_is_taken_back_by_a_button_that_says_so(visit, qtbot):
    here = visit()
    here.look(threshold=0.6, release=0.4, trained_threshold=0.6)
    probability, undo = here.window.plots.probability, here.window.plots.undo
    assert (probability.release, probability.trained) == (0.4, 0.6)
    assert not undo.isVisible()
    for _ in range(2):
        here.press(Key.Key_Down, Ctrl | Shift)
    assert (probability.threshold, probability.release) == (0.5, pytest.approx(0.3))
    here.look()
    assert undo.text().startswith("Threshold 0.60 → 0.50   Undo")
    qtbot.mouseClick(undo, Qt.MouseButton.LeftButton)
    assert probability.threshold == 0.6
    here.qtbot.wait(120)
    here.look()
    assert here.sent[-1] == SetThreshold(value=0.6)
    assert not undo.isVisible()


def test_what_another_front_end_decides_moves_the_line(visit):
    here = visit()
    here.look(threshold=0.8)
    assert here.window.plots.probability.threshold == 0.8


def test_d_changes_the_theme_and_the_traces_with_it(visit):
    here = visit()
    here.play(1)
    dark = pixels(here.window.plots.traces)[0, -1]
    here.press(Key.Key_D)
    assert here.window.theme.name == "light"
    assert pixels(here.window.plots.traces)[0, -1] != dark


def test_p_f11_and_help(visit, qtbot):
    here = visit()
    here.press(Key.Key_P)
    assert here.window.sidebar.isHidden()
    here.press(Key.Key_F11)
    assert here.window.isFullScreen()
    here.press(Key.Key_F11)
    here.press(Key.Key_F1)
    dialog = here.window.findChild(ShortcutsDialog)
    assert dialog is not None
    words = {label.text() for label in dialog.findChildren(QLabel)}
    assert {shortcut.text for shortcut in SHORTCUTS} <= words


def test_text_grows_with_the_window_and_with_a_key(visit):
    here = visit()
    before = here.window.fontMetrics().height()
    here.press(Key.Key_Plus, Ctrl)
    assert here.window.fontMetrics().height() > before
    here.press(Key.Key_Minus, Ctrl)
    here.window.resize(3840, 2160)
    here.qtbot.wait(1)
    assert here.window.fontMetrics().height() > 1.8 * before


# -- the mouse ----------------------------------------------------------------------------------------------------


def test_the_crosshair_reads_value_and_time(visit, qtbot):
    here = visit()
    here.play(5)
    traces = here.window.plots.traces
    x = 2.0
    row = traces.shown.names.index("C3")
    at = QPoint(here.window.model.timeline.pixel(x), round(float(traces.lanes.centres[row])))
    qtbot.mouseMove(traces, at)
    wanted = here.fake._table[round(x * 256) + 1, here.fake.channels.index("C3")]
    name, value, unit, *_ = here.window.plots.readout.split()
    assert (name, unit) == ("C3", "µV")
    assert float(value) == pytest.approx(float(wanted), abs=8)
    assert here.window.plots.readout.endswith("(0:00:02.0)")


def test_the_probability_is_read_off_the_curve_not_off_the_height_of_the_pointer(visit, qtbot):
    here = visit()
    here.play(5, seizure=True)
    probability, feed = here.window.plots.probability, here.window.model.feed
    pixel = here.window.model.timeline.pixel(2.0)
    x = here.window.model.timeline.x_at(pixel)
    _, data, _ = feed.scores.row_at(x, 0.1)
    for y in (5, probability.height() - 5):
        qtbot.mouseMove(probability, QPoint(pixel, y))
        assert here.window.plots.readout.startswith(f"seizure {data[0, 0]:.2f}  ")


# -- the overview -------------------------------------------------------------------------------------------------


def test_the_box_of_the_overview_is_the_page_and_takes_it_along(visit, qtbot):
    here = visit()
    here.play(60)
    here.fake.event(20.0, 5.0)
    here.look()
    overview, line = here.window.overview, here.window.model.timeline
    overview._paint_due = 0.0
    overview.advance()
    at = lambda x, y=40: QPoint(round(overview.view.pixel(x, overview.width())), y)  # noqa: E731
    qtbot.mouseClick(overview, Qt.MouseButton.LeftButton, pos=at(30.0))
    assert line.page == (pytest.approx(25.0, abs=0.1), pytest.approx(35.0, abs=0.1))
    qtbot.mousePress(overview, Qt.MouseButton.LeftButton, pos=at(32.0))
    qtbot.mouseMove(overview, at(42.0))
    qtbot.mouseRelease(overview, Qt.MouseButton.LeftButton, pos=at(42.0))
    assert line.page[0] == pytest.approx(35.0, abs=0.2)
    strip = overview._strip("event").center().y()
    qtbot.mouseClick(overview, Qt.MouseButton.LeftButton, pos=at(22.0, strip))
    assert line.page == (pytest.approx(17.5), pytest.approx(27.5))
    here.look()
    back = here.window.plots.back_to_live
    assert back.isVisible()
    qtbot.mouseClick(back, Qt.MouseButton.LeftButton)
    here.look()
    assert not line.frozen
    assert not back.isVisible()


def test_a_click_on_the_head_solos_an_electrode(visit, qtbot):
    here = visit(channels=18)
    here.play(1)
    head = here.window.sidebar.head
    qtbot.mouseClick(head, Qt.MouseButton.LeftButton, pos=head.place("T7").toPoint())
    assert here.window.plots.traces.shown.names == ("F7-T7",)
    qtbot.mouseClick(head, Qt.MouseButton.LeftButton, pos=head.place("T7").toPoint())
    assert len(here.window.plots.traces.shown) == 18


def test_the_head_lights_what_was_chosen_and_crosses_what_is_bad(visit):
    here = visit(chosen=("C3", "Cz", "C4"))
    here.play(1)
    here.look(quality={"Cz": "flat"})
    head = here.window.sidebar.head
    assert {e.name for e in head.electrodes if e.weight} == {"C3", "Cz", "C4"}
    assert head.describe("Cz") == "Cz: used, weight 0.70; Cz flat"
    assert head.describe("Fp1") == "Fp1: not used by this pipeline"
    assert here.window.sidebar.head_title.text() == "Electrodes  ·  3 of 19 channels chosen"
    assert here.window.plots.labels.quality == {"Cz": "flat"}


def test_a_click_on_an_event_goes_there(visit):
    here = visit()
    here.play(30)
    here.fake.event(5.0, 4.0)
    here.look()
    table = here.window.sidebar.events
    table.clicked.emit(table.model().index(0, 0))
    assert here.window.model.timeline.end == pytest.approx(here.window.model.event_log.entries[0].mark.start + 7.5)


# -- what comes back, what fails ----------------------------------------------------------------------------------


def test_settings_and_layout_come_back(visit):
    here = visit()
    here.play(1)
    for key in (Key.Key_D, Key.Key_S, Key.Key_BracketRight, Key.Key_M, Key.Key_P, Key.Key_Down):
        here.press(key)
    kept = here.window.plots.traces.per_mm
    here.window.close()
    again = here.open()
    assert (again.theme.name, again.model.timeline.sweep, again.model.timeline.page_s) == ("light", False, 20.0)
    assert (again.plots.traces.montage, again.plots.traces.per_mm) == ("As recorded", kept)
    assert again.sidebar.isHidden()
    again.close()


def test_a_dead_engine_is_said_in_red(visit):
    here = visit()
    here.play(1)
    here.window.model.feed._changed_at -= 10
    for _ in range(6):
        here.window.tick()
    assert here.window.header.fact == Fact("The engine has not answered for 10 s. It has ended or hangs.", True)


def test_a_replay_that_is_sought_keeps_its_history_its_marks_and_its_table(visit):
    here = visit(channels=8)
    here.play(12)
    here.fake.event(5.0, 4.0)
    here.look()
    here.fake.seek(100.0)
    here.play(3)
    model = here.window.model
    assert model.timeline.head == pytest.approx(103.0, abs=0.01)
    assert model.feed.signals.unseen(0.0, 102.9) == [(pytest.approx(12.0, abs=0.01), 100.0)]
    (entry,) = model.event_log.entries
    here.window.user_actions.jump_to(entry)
    assert model.timeline.page == (2.5, 12.5)
    image = pixels(here.window.plots.traces)
    for x, colours in ((8.0, range(3, 100)), (12.3, [1])):
        assert len(np.unique(image[:, model.timeline.column(x) % model.timeline.width])) in colours
    here.fake.seek(4.0)
    here.play(1)
    assert (model.timeline.frozen, model.timeline.head) == (False, pytest.approx(5.0, abs=0.01))
    assert (entry.start_text, entry.length_text) == ("0:00:05.0", "4.0 s")
    model.annotate("note", 102.0)
    model.annotate("note", 4.5)
    assert [c.onset for c in here.sent] == [102.0, 4.5]
    begun = [here.fake.stamp_of[second] for second in (100.0, 4.0)]
    assert [c.stamp for c in here.sent] == [pytest.approx(begun[0] + 2.0), pytest.approx(begun[1] + 0.5)]


def test_a_stream_that_comes_back_with_other_channels_goes_on_on_the_clock(visit):
    here = visit(channels=8)
    here.play(3)
    fake = here.fake
    generation = fake.writer.open_rings(256.0, 8, 256.0, 8, 1 / 32, 1)
    (here.folder / f"layout-{generation}").write_text((here.folder / "layout-1").read_text().replace("Fp1", "Fpz"))
    fake.advance(0.5)
    here.look(generation=generation)
    assert here.window.model.feed.generation == 2
    assert here.window.model.feed.signals.n == 128
    assert here.window.model.timeline.head == pytest.approx(3.5, abs=0.01)


@pytest.mark.parametrize("channels", [8, 32, 128])
@pytest.mark.parametrize("size", [(1280, 720), (3840, 2160)])
def test_no_text_is_cut_off_or_laid_over_another(visit, channels, size):
    here = visit(channels=channels, size=size)
    here.play(1)
    window = here.window
    for label in window.findChildren(QLabel):
        if label.isVisible() and label.wordWrap():
            assert label.heightForWidth(label.width()) <= label.height()
        elif label.isVisible() and label.text():
            assert label.fontMetrics().horizontalAdvance(label.text()) <= label.width() + 1, label.text()
            assert label.fontMetrics().height() <= label.height() + 1, label.text()
    for button in window.toolbar.buttons.values():
        assert button.width() >= button.sizeHint().width(), button.text()
    boxes = [b.geometry() for b in window.toolbar.children() if hasattr(b, "geometry") and b.isVisible()]
    assert not any(a.intersects(b) for a, b in combinations(boxes, 2))
    assert all(window.toolbar.rect().contains(box) for box in boxes)
    ys = [y for _, y in window.plots.labels.names_drawn()]
    line = window.plots.labels._font().pixelSize()
    assert all(b - a >= line for a, b in pairwise(ys))
    assert ys[0] >= line // 2


@pytest.mark.parametrize("size", [(960, 600), (1280, 720), (3840, 2160)])
def test_alarms_of_any_length_stay_within_two_lines_and_the_tool_tip_has_all_of_them(visit, size):
    here = visit(size=size)
    alarm = "; ".join(f"trouble {k}: No space left on device, {k} of 90 events are not in it yet" for k in range(9))
    here.look(alarm=alarm, stream=here.fake.state.stream.model_copy(update={"name": "amp <b>\n" * 9}))
    here.play(0.5)
    header = here.window.header
    font = header.font()
    font.setBold(True)
    metrics = QFontMetrics(font)
    lines = two_lines(header.headline, metrics, header.width() // 2)
    assert len(lines) == 2
    assert header.headline.startswith(lines[0])
    assert lines[1].endswith("…")
    assert all(metrics.horizontalAdvance(line) <= header.width() // 2 for line in lines)
    assert 2 * metrics.height() <= header.height()
    assert escape(alarm) in header.toolTip()
    assert "amp &lt;b&gt; amp" in header.toolTip()
    assert two_lines("Live", metrics, header.width() // 2) == ["Live"]


def test_what_is_wrong_is_bold_and_still_ends_in_the_panel(visit):
    here = visit()
    here.look(quality=dict.fromkeys(("C3", "a channel with a name of forty letters, no less"), "flat"))
    value = here.window.sidebar.state.values["Channels"]
    assert value.text().endswith("…")
    assert value.fontMetrics().horizontalAdvance(value.text()) <= value.width()
    assert value.font().bold()


def test_a_name_of_a_channel_is_text_where_the_mouse_shows_it(visit, qtbot, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda at, text, *_: shown.append(text))
    here = visit(channels=8)
    here.play(0.5)
    labels = here.window.plots.labels
    monkeypatch.setattr(labels, "_under", lambda event: "<img src=x>\n\x1b[2J")
    qtbot.mouseMove(labels, QPoint(5, 5))
    qtbot.mouseMove(labels, QPoint(9, 9))
    qtbot.waitUntil(lambda: bool(shown))
    assert shown[0] == "<qt>&lt;img src=x&gt; \\x1b[2J</qt>"


# -- traces and channels ------------------------------------------------------------------------------------------


def test_a_sensitivity_chosen_by_hand_survives_another_montage_another_view_and_more_data(visit):
    here = visit(channels=19)
    here.play(1)
    traces = here.window.plots.traces
    here.press(Key.Key_Down)
    chosen = traces.per_mm
    here.press(Key.Key_M)
    here.press(Key.Key_R)
    here.press(Key.Key_R)
    here.play(6, seizure=True)
    assert traces.per_mm == chosen
    assert f"·  {chosen:g} µV/mm  ·" in here.window.mode_line.words
    here.press(Key.Key_F, Shift)
    assert "µV/mm auto" in here.window.mode_line.words


def test_auto_that_was_found_within_a_seizure_is_found_again_after_it(visit):
    here = visit()
    traces = here.window.plots.traces
    here.play(5, seizure=True)
    within = traces.per_mm
    here.fake.event(0.0, 5.0)
    here.play(11)
    assert traces.per_mm < within
    assert traces.sensitivity.by_hand == set()


def test_the_heart_has_a_sensitivity_of_its_own(visit):
    here = visit(channels=8)
    traces = here.window.plots.traces
    traces.show_history(None, ("C3", "C4", "ECG"))
    traces.step_kind(-1, "ECG")
    assert traces.sensitivity.per_mm["ECG"] == 15.0
    assert traces.per_mm == 10.0
    assert traces.scales()[0] == pytest.approx(1.5 * traces.scales()[2])


def test_many_channels_are_paged_and_a_click_on_the_mode_shows_all(visit):
    here = visit(channels=128)
    here.play(1)
    traces, labels = here.window.plots.traces, here.window.plots.labels
    n = len(traces.shown)
    assert len(labels.names_drawn()) == n < 128
    assert not here.window.plots.row_bar.isHidden()
    here.press(Key.Key_PageDown, Ctrl)
    assert traces.rows.first == n - 1
    here.look()
    assert f"channels {n}–{n - 1 + len(traces.shown)} of 128" in here.window.mode_line.words
    here.window.mode_line.linkActivated.emit("all_on_page")
    assert len(traces.shown) == 128
    assert here.window.plots.row_bar.isHidden()


def test_the_channel_picker_hides_what_has_no_tick(visit, monkeypatch):
    here = visit()
    here.play(1)

    def untick_fp1(picker: RowPicker) -> int:
        picker.search.setText("fp1")
        picker._tick_listed(on=False)
        return 1

    monkeypatch.setattr(RowPicker, "exec", untick_fp1)
    here.press(Key.Key_V)
    assert len(here.window.plots.traces.shown) == 18
    here.look()
    assert "1 hidden" in here.window.mode_line.words


def test_a_montage_of_ones_own_is_checked_kept_and_comes_back(visit, monkeypatch):
    here = visit()
    here.play(1)

    def write(dialog: MontageDialog) -> int:
        dialog.name.setEditText("Double banana")
        assert "comes with rtbci" in dialog.verdict.text()
        dialog.name.setEditText("Mine")
        dialog.text.setPlainText("C4-C3\n\nXX\nCz")
        assert dialog.verdict.text() == "2 rows; not on this stream: XX."
        dialog._save()
        return 1

    monkeypatch.setattr(MontageDialog, "exec", write)
    here.press(Key.Key_M, Shift)
    assert here.window.plots.traces.shown.names == ("C4-C3", "Cz")
    here.window.close()
    again = here.open()
    assert again.plots.traces.rows.own == {"Mine": ("C4-C3", "XX", "Cz")}
    assert again.plots.traces.montage == "Mine"
    again.close()


def test_a_time_base_in_mm_a_second_holds_at_any_width(visit):
    here = visit()
    here.play(1)
    line = here.window.model.timeline
    here.window.toolbar.page.chosen.emit("30 mm/s")
    assert line.columns_per_s / line.pixels_per_mm == pytest.approx(30)
    here.window.resize(1600, 800)
    here.qtbot.wait(1)
    assert line.columns_per_s / line.pixels_per_mm == pytest.approx(30)
    here.press(Key.Key_BracketLeft)
    assert line.mm_per_s is None


def turn(traces: Any, at: QPoint, notches: float, keys: Any = Qt.KeyboardModifier.NoModifier) -> None:
    place = QPointF(at)
    wheel = QWheelEvent(
        place, traces.mapToGlobal(place), QPoint(), QPoint(0, round(120 * notches)), Qt.MouseButton.NoButton, keys,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(traces, wheel)


def test_the_wheel_turns_the_sensitivity_and_with_ctrl_the_time_base(visit):
    here = visit()
    here.play(1)
    traces, at = here.window.plots.traces, QPoint(100, 100)
    traces.per_mm = 10.0
    turn(traces, at, 1)
    assert traces.per_mm == 7.0
    turn(traces, at, -0.5)
    turn(traces, at, -0.5)
    assert traces.per_mm == 10.0
    turn(traces, at, -1, Ctrl)
    assert here.window.model.timeline.page_s == 20.0


def test_a_drag_measures_a_stretch_and_escape_lets_it_go(visit, qtbot, monkeypatch):
    here = visit()
    here.play(6)
    traces, line, left = here.window.plots.traces, here.window.model.timeline, Qt.MouseButton.LeftButton
    start, stop = line.pixel(2.0), line.pixel(4.0)
    qtbot.mousePress(traces, left, pos=QPoint(start, 60))
    for x in (start + 20, stop):
        qtbot.mouseMove(traces, QPoint(x, 60))
        moved = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(x, 60), traces.mapToGlobal(QPointF(x, 60)), left, left,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(traces, moved)
    qtbot.mouseRelease(traces, left, pos=QPoint(stop, 60))
    assert traces.cursors.stretch == pytest.approx((2.0, 4.0), abs=0.03)
    panel = here.window.trace_controls.stretch.panel
    assert panel.isVisible()
    assert panel.table.rowCount() == 19
    assert panel.heading.text().startswith(f"{traces.cursors.stretch[1] - traces.cursors.stretch[0]:.3f} s, 0:00:0")
    monkeypatch.setattr(QInputDialog, "getItem", lambda *a: ("artefact", True))
    panel.wanted.emit("annotate_stretch")
    assert here.sent[-1].duration == pytest.approx(2.0, abs=0.03)
    panel.wanted.emit("show_stretch")
    assert (line.page_s, line.end) == pytest.approx((2.0, 4.0), abs=0.03)
    panel.reject()
    assert traces.cursors.stretch is None


def test_two_cursors_tell_time_and_value_between_them(visit):
    here = visit()
    here.play(12)
    traces, plots = here.window.plots.traces, here.window.plots
    here.press(Key.Key_1)
    here.press(Key.Key_2)
    here.press(Key.Key_Down, Ctrl)
    first, second = traces.cursors.at[1], traces.cursors.at[2]
    assert plots.between_text.startswith(f"1 to 2: {second - first:+.3f} s")
    values = [traces.value_at(x, 0) for x in (first, second)]
    assert plots.between_text.endswith(f"Fp1 {values[0]:.1f} → {values[1]:.1f}, {values[1] - values[0]:+.1f} µV")
    here.press(Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert traces.cursors.at[2] == pytest.approx(second + 0.1)
    here.press(Key.Key_Escape)
    assert plots.between_text == ""


def test_a_filter_for_the_eye_alters_what_is_drawn_and_says_so(visit):
    here = visit()
    here.play(4)
    traces = here.window.plots.traces
    before = pixels(traces)
    raw = traces.value_at(3.0, 0)
    for _ in range(4):
        here.press(Key.Key_L, Ctrl)
    here.look()
    assert "above 1 Hz, causal, for the eye only" in here.window.mode_line.words
    assert (pixels(traces) != before).any()
    assert traces.value_at(3.0, 0) != raw
    here.play(4.7)
    after = pixels(traces)
    traces.redraw()
    assert (pixels(traces) != after).mean() < 2e-3  # painted column by column or as a whole page
    here.window.close()
    again = here.open()
    assert again.plots.traces.filter.low_hz == 1.0
    again.close()


def test_what_is_cut_at_its_lane_is_marked_and_counted(visit):
    here = visit()
    here.play(2)
    traces = here.window.plots.traces
    traces.per_mm = 1.0
    traces.redraw()
    warn = here.window.theme.colour("warn").rgb()
    assert (pixels(traces) == warn).any()
    here.look()
    assert "19 clipped" in here.window.mode_line.words
    here.window.mode_line.linkActivated.emit("fit")
    traces.per_mm = 100.0
    traces.redraw()
    assert not (pixels(traces) == warn).any()


def test_the_right_button_opens_a_menu_of_channel_moment_and_event(visit):
    here = visit()
    here.play(12)
    here.fake.event(5.0, 4.0)
    here.look()
    controls = here.window.trace_controls
    controls.open_menu("C3", 6.0, QPoint(10, 10))
    menu = here.window.findChild(TraceMenu)
    texts = [action.text().partition("\t")[0] for action in menu.actions() if action.text()]
    assert texts[:2] == ["seizure, 0:00:05", "confirm it"]
    assert {"C3", "hide the chosen channel", "All EEG", "Here", "cursor 1 under the hand"} <= set(texts)
    next(a for a in menu.actions() if a.text().startswith("hide")).trigger()
    assert "C3" not in here.window.plots.traces.shown.names
    next(a for a in menu.actions() if a.text().startswith("cursor 1")).trigger()
    assert here.window.plots.traces.cursors.at == {1: 6.0}
    next(a for a in menu.actions() if a.text().startswith("confirm")).trigger()
    assert here.sent[-1].verdict == "confirmed"
    menu.close()


def test_the_page_is_written_in_three_formats_and_a_failure_is_told(visit, monkeypatch, tmp_path):
    here = visit()
    here.play(12)
    window, told = here.window, []
    monkeypatch.setattr(QMessageBox, "warning", lambda parent, title, text: told.append(text))
    for ending, start in ((".pdf", b"%PDF"), (".png", b"\x89PNG"), (".svg", b"<?xml")):
        path = tmp_path / f"page{ending}"
        monkeypatch.setattr(window, "ask_save_path", lambda *a, path=path: path)
        here.press(Key.Key_S, Ctrl)
        assert path.read_bytes().startswith(start)
        assert window.header.news == f"written: {path}"
    svg = (tmp_path / "page.svg").read_text()
    assert "Fp1" in svg and "on this page (A4)" in svg and "By region" in svg
    for path in (tmp_path / "page.doc", tmp_path / "no" / "page.pdf"):
        monkeypatch.setattr(window, "ask_save_path", lambda *a, path=path: path)
        here.press(Key.Key_S, Ctrl)
    assert told[0].endswith("page.doc: a page is written as .png, .pdf, .svg")
    assert "No such file or directory" in told[1]


def test_a_stretch_is_exported_as_it_was_recorded(visit, monkeypatch, tmp_path):
    here = visit()
    here.play(6)
    path = tmp_path / "stretch.edf"
    monkeypatch.setattr(here.window, "ask_save_path", lambda *a: path)
    here.window.plots.traces.cursors.mark(2.0, 4.0)
    here.press(Key.Key_E, Shift)
    recording = open_recording(path)
    data = np.concatenate([chunk.data for chunk in recording.chunks(512)])
    np.testing.assert_allclose(data, here.fake._table[512:1024], atol=0.01)
    assert here.window.header.news == f"written: {path}, 2 s of 19 channels as recorded"


def test_settings_from_before_keep_their_montage_and_sensitivity(visit):
    here = visit()
    here.window.close()
    for key, value in (("montage", "As recorded"), ("per_mm", 20.0)):
        here.settings.set(key, value)
    here.settings._store.remove("display_montage")
    again = here.open()
    assert (again.plots.traces.montage, again.plots.traces.per_mm) == ("By region", 20.0)
    again.close()
