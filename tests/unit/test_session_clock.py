"""One clock of a session: seeks of a replay, late windows, and a history whose runs lie where they were shown."""

from __future__ import annotations

import numpy as np
import pytest

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.display_clock import DisplayClock, SessionClocks
from rtbci.dashboard.model.event_log import DisplayEventLog
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.line_clock import LineClock, on_session_clock
from rtbci.dashboard.model.mark_labels import mark_labels
from rtbci.dashboard.model.stream_annotations import StreamAnnotations, annotations_of
from rtbci.dashboard.model.threshold_change import ThresholdChange
from rtbci.dashboard.model.time_marks import TimeMark, TimeMarks
from rtbci.dashboard.model.timeline import PixelSegment, Timeline
from rtbci.engine.replay_offset import ReplayOffset
from rtbci.lsl.replay_protocol import ReplayPosition
from rtbci.monitor.messages import AnnotationLine, CueLine, EventLine, GapLine, ReviewLine, SeekLine
from rtbci.recordings.event_table import read_events
from rtbci.recordings.vocabulary import is_seizure
from rtbci.stages.cues import Cue


def event(onset: float, duration: float = 5.0, label: str = "seizure") -> EventLine:
    end = onset + duration
    return EventLine(
        time=end, stamp=1000 + end, onset=onset, duration=duration, label=label, confidence=0.9, channels=()
    )


# -- clocks -------------------------------------------------------------------------------------------------------


def test_each_part_of_a_session_has_its_clock_and_the_newest_that_showed_a_moment_counts() -> None:
    clocks = SessionClocks()
    first = DisplayClock(1000.0, 1.0, x_at_origin=120.0, offset_s=120.0)
    clocks.begin(first)
    clocks.newest_x = 150.0
    clocks.begin(DisplayClock(1100.0, 2.0, x_at_origin=300.0))
    clocks.newest_x = 310.0
    assert clocks.x(1010.0) == 130.0
    assert clocks.x(1105.0) == 310.0
    assert clocks.x(1060.0) is None
    assert [clocks.at(x).engine_s(x) for x in (130.0, 310.0)] == [10.0, 310.0]
    assert clocks.at(130.0).stamp(130.0) == 1010.0
    assert clocks.at(200.0) is clocks.now


def test_each_line_has_the_offset_of_its_part_also_in_a_window_that_is_opened_late() -> None:
    lines = [event(10.0), SeekLine(from_s=20.0, to_s=300.0, offset_s=120.0), event(310.0)]
    late, early = LineClock(), LineClock()
    assert late.offsets(lines, begun=0.0) == [120.0, 120.0, 0.0]
    assert early.offsets([], begun=120.0) == []
    assert early.offsets(lines[:1], None) == [120.0]
    assert early.offsets(lines[1:2], None) == [120.0]
    assert early.offsets(lines[2:], None) == [0.0]
    assert on_session_clock(lines[0], 120.0).onset == 130.0
    assert on_session_clock(lines[1], 120.0).from_s == 140.0
    assert on_session_clock(lines[2], 0.0) is lines[2]


def test_an_event_that_is_found_again_after_a_seek_back_stays_one_row_with_its_verdict() -> None:
    marks = TimeMarks()
    log, clocks = DisplayEventLog(marks), SessionClocks()
    log.take(event(10.0), clocks, 120.0)
    log.take(ReviewLine(label="seizure", onset=10.0, verdict="confirmed", note=""), clocks, 120.0)
    log.take(SeekLine(from_s=20.0, to_s=100.0, offset_s=120.0), clocks, 120.0)
    log.take(event(130.3, 6.0), clocks)
    log.take(event(150.0), clocks)
    assert [(e.onset, e.start, e.duration, e.verdict) for e in log.entries] == [
        (130.3, 130.3, 6.0, "confirmed"), (150.0, 150.0, 5.0, ""),
    ]  # fmt: skip
    assert len(marks) == 2


def test_notes_gaps_and_cues_are_placed_by_their_stamps() -> None:
    marks, clocks = TimeMarks(), SessionClocks()
    log = DisplayEventLog(marks)
    lost: list[tuple[float, float]] = []
    log.lost.subscribe(lambda a, b: lost.append((a, b)))
    clocks.begin(DisplayClock(1000.0, 1.0, x_at_origin=120.0, offset_s=120.0))
    clocks.newest_x = 150.0
    clocks.begin(DisplayClock(1100.0, 1.0, x_at_origin=300.0))
    log.take(AnnotationLine(label="spike", onset=12.0, duration=0.0, stamp=1012.0), clocks)
    log.take(CueLine(cue="left", cue_stamp=1101.0, valid=True), clocks)
    log.take(GapLine(start=1102.0, end=1103.0, n_missing=256, cause="samples lost", filled=False), clocks)
    assert list(marks.between(0, 1000)) == [
        TimeMark(132.0, 132.0, kinds.ANNOTATION, "spike"), TimeMark(301.0, 301.0, kinds.RECORDED, "left"),
        TimeMark(302.0, 303.0, kinds.LOST),
    ]  # fmt: skip
    assert lost == [(302.0, 303.0)]


def test_times_read_in_full_tenths_and_a_length_is_that_between_them() -> None:
    log = DisplayEventLog(TimeMarks())
    for onset, duration in ((44.996, 5.0), (45.04, 5.02), (3599.96, 0.0)):
        log.take(event(onset, duration), SessionClocks())
    assert [(e.start_text, e.length_text) for e in log.entries] == [
        ("0:00:45.0", "5.0 s"), ("0:00:45.0", "5.1 s"), ("1:00:00.0", ""),
    ]  # fmt: skip


def test_a_note_that_speaks_of_a_seizure_is_none_in_the_exported_table(tmp_path) -> None:
    log, clocks = DisplayEventLog(TimeMarks()), SessionClocks()
    log.take(event(50.0), clocks)
    for onset, label in ((1.0, "seizure"), (2.0, "Seizure onset"), (3.0, "eyes closed")):
        log.take(AnnotationLine(label=label, onset=onset, duration=0.0, stamp=1.0), clocks)
    assert log.export(tmp_path / "e.tsv", 100.0) == 4
    found = read_events(tmp_path / "e.tsv")
    assert [e.label for e in found] == ["note: seizure", "note: Seizure onset", "eyes closed", "seizure"]
    assert [is_seizure(e.label) for e in found] == [False, False, False, True]


# -- where the engine joined a replay --------------------------------------------------------------------------------


def position(stamp: float, recorded_s: float, move: int = 0, **how: object) -> ReplayPosition:
    values = {"id": move, "recorded_s": recorded_s, "start_s": 0.0, "end_s": 600.0, "speed": 2.0, "paused": False}
    return ReplayPosition(stamp=stamp, **(values | how))  # type: ignore[arg-type]


def test_the_first_report_after_the_first_sample_tells_where_a_replay_was_joined() -> None:
    offset = ReplayOffset()
    before = position(100.0, 0.0)  # it has not begun: it stands still
    offset.sample(105.0, before)
    offset.report(before, 105.2, 0.4)
    assert offset.seconds is None
    offset.report(position(106.0, 62.0), 105.5, 1.0)
    assert offset.seconds == 60.0
    offset.sought()
    assert offset.seconds == 0.0


def test_a_replay_that_is_read_from_its_start_has_no_offset_and_one_that_moves_is_looked_at_again() -> None:
    offset = ReplayOffset()
    offset.sample(105.0, position(100.0, 0.0))
    offset.report(position(106.0, 2.01), 106.0, 2.0)
    assert offset.seconds == 0.0
    moved = ReplayOffset()
    moved.sample(105.0, position(100.0, 0.0))
    slower = position(106.0, 30.0, move=1, speed=1.0)
    moved.report(slower, 105.9, 3.0)
    moved.sample(107.0, slower)
    moved.report(position(108.0, 32.0, move=1, speed=1.0), 108.0, 5.0)
    assert moved.seconds == 27.0


def test_a_loop_that_was_joined_late_is_in_its_first_turn() -> None:
    offset = ReplayOffset()
    offset.sample(105.0, position(100.0, 30.0, end_s=100.0, loop=True))
    offset.report(position(106.0, 32.0, end_s=100.0, loop=True), 106.0, 502.0)
    assert offset.seconds == 30.0


def test_a_replay_that_is_started_again_is_at_its_start_again() -> None:
    clock = DisplayClock(1000.0, 2.0, x_at_origin=40.0, offset_s=40.0)
    again = clock.moved(60.0, -17.0)
    assert (again.x(1010.0), again.engine_s(again.x(1010.0)), again.stamp(3.0)) == (3.0, 20.0, 1010.0)
    assert again.x(1011.0) == 5.0


# -- history --------------------------------------------------------------------------------------------------------


def shown(history: History, start: float, stop: float) -> list[tuple[float, float]]:
    x, data, _ = history.between(start, stop)
    return list(zip(x.tolist(), data[:, 0].tolist(), strict=True))


def run(history: History, start: int, stop: int, value: float) -> None:
    history.begin_run()
    x = np.arange(start, stop, dtype=np.float64)
    history.append(x, np.full((len(x), 1), value, np.float32), np.ones(len(x), np.bool_))


def test_a_run_that_comes_again_to_a_place_replaces_what_was_there_and_leaves_the_rest() -> None:
    history = History(1, 1.0, keep_s=1000)
    run(history, 0, 10, 1)
    run(history, 20, 25, 2)
    run(history, 4, 7, 3)
    assert [value for _, value in shown(history, 0, 30)] == [1] * 4 + [3] * 3 + [1] * 3 + [2] * 5
    assert [x for x, _ in shown(history, 0, 30)] == [*range(10), *range(20, 25)]
    assert (history.newest_x, history.latest_x, history.oldest_x) == (6.0, 24.0, 0.0)
    assert history.unseen(-2, 30) == [(-2, 0.0), (9.0, 20.0), (24.0, 30)]
    assert shown(history, 11, 19) == []


def test_a_history_forgets_its_oldest_rows_whatever_run_they_are_of() -> None:
    history = History(1, 1.0, keep_s=99)  # 100 rows
    run(history, 500, 560, 1)
    run(history, 0, 80, 2)
    assert history.oldest_x == 0.0
    assert shown(history, 500, 600)[0] == (540.0, 1.0)
    for _ in range(3):
        run(history, 0, 80, 3)
    assert shown(history, 500, 600) == []


def test_many_seeks_cost_no_more_than_a_few() -> None:
    history = History(1, 10.0, keep_s=100)
    for k in range(3000):
        run(history, 7 * k % 9000, 7 * k % 9000 + 3, k)
    assert len(history._kept_pieces()) <= 500
    x, _, _ = history.between(0, 10_000)
    assert (np.diff(x) > 0).all()


# -- texts of marks, and what a file says ---------------------------------------------------------------------------


def test_texts_of_marks_have_the_room_up_to_the_next_one_in_their_line() -> None:
    timeline = Timeline()
    timeline.width, timeline.page_s, timeline.head = 100, 10.0, 9.99
    marks = [
        TimeMark(-5.0, 3.0, kinds.RECORDED, "asleep"), TimeMark(4.0, 4.0, kinds.RECORDED, "spike"),
        TimeMark(2.0, 9.0, kinds.EVENT, "seizure"), TimeMark(1.0, 2.0, kinds.LOST),
    ]  # fmt: skip
    labels = mark_labels(timeline, marks, PixelSegment(0, 100, 0))
    assert [(one.mark.text, one.row, one.left, one.room) for one in labels] == [
        ("asleep", 0, 0, 40), ("spike", 0, 40, 60), ("seizure", 1, 20, 80),
    ]  # fmt: skip


DESCRIBED = """<info><desc><annotations>
<annotation><onset>41.0</onset><duration>0.0</duration><label>joint</label></annotation>
<annotation><onset>42.5</onset><duration>40.0</duration><label>seizure\n</label></annotation>
<annotation><onset>x</onset><duration>1</duration><label>broken</label></annotation>
</annotations></desc></info>"""


class HeardMarkers:
    """A marker stream that a test speaks for."""

    def __init__(self, xml: str, cues: list[Cue]) -> None:
        self.connected, self.closed, self._xml, self._cues = True, False, xml, cues

    def read(self) -> list[Cue]:
        cues, self._cues = self._cues, []
        return cues

    def description(self) -> str | None:
        return self._xml

    def close(self) -> None:
        self.closed = True


def test_the_annotations_of_a_file_are_marks_with_their_lengths_and_its_markers_then_say_nothing_new() -> None:
    marks, clocks = TimeMarks(), SessionClocks()
    clocks.begin(DisplayClock(1000.0, 1.0))
    source = HeardMarkers(DESCRIBED, [Cue(1041.0, "joint")])
    reader = StreamAnnotations(marks)
    reader.read_from(source)
    reader.advance(clocks)
    wanted = [TimeMark(41.0, 41.0, kinds.RECORDED, "joint"), TimeMark(42.5, 82.5, kinds.RECORDED, "seizure")]
    assert list(marks.between(0, 100)) == wanted == annotations_of(DESCRIBED)
    assert source.closed


def test_markers_of_a_replay_that_describes_none_are_points_as_they_come() -> None:
    marks, clocks = TimeMarks(), SessionClocks()
    clocks.begin(DisplayClock(1000.0, 1.0, x_at_origin=60.0))
    reader = StreamAnnotations(marks)
    reader.read_from(HeardMarkers("<info><desc/></info>", [Cue(1003.0, "eyes\nclosed")]))
    reader.advance(clocks)
    assert list(marks.between(0, 100)) == [TimeMark(63.0, 63.0, kinds.RECORDED, "eyes closed")]
    assert annotations_of("no description") == []


def test_marks_stay_few_and_gaps_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "MOST", 3)
    marks = TimeMarks()
    for k, kind in enumerate((kinds.EVENT, kinds.LOST, kinds.EVENT, kinds.EVENT)):
        marks.add(TimeMark(k, k, kind))
    assert [mark.start for mark in marks.between(0, 9)] == [0, 2, 3]


# -- the threshold ----------------------------------------------------------------------------------------------------


def test_a_change_of_the_threshold_is_taken_back_to_before_the_first_of_several_for_ten_seconds() -> None:
    now = 100.0
    change = ThresholdChange(lambda: now)
    assert (change.text, change.undo()) == ("", None)
    change.made(0.6, 0.5)
    now = 105.0
    change.made(0.5, 0.24)
    now = 108.0
    assert change.text == "Threshold 0.60 → 0.24   Undo (7 s)"
    assert (change.undo(), change.undo(), change.text) == (0.6, None, "")
    change.made(0.6, 0.3)
    now = 119.0
    assert change.undo() is None
