"""What the dashboard reads of the engine: the monitor into histories, the log into entries and marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rtbci.bench.synthetic_monitor import HOP_S, SyntheticMonitor
from rtbci.dashboard.model.display_clock import DisplayClock, SessionClocks
from rtbci.dashboard.model.event_log import DisplayEventLog, EventEntry
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.time_marks import TimeMark, TimeMarks
from rtbci.monitor.layout import read_layout
from rtbci.monitor.messages import AnnotationLine, EventLine, GapLine, OnsetLine, ReviewLine
from rtbci.recordings.event_table import read_events


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Callable[..., SyntheticMonitor]]:
    made: list[SyntheticMonitor] = []

    def make(channels: int = 8, **how: float) -> SyntheticMonitor:
        made.append(SyntheticMonitor(tmp_path, channels, **how))
        return made[-1]

    yield make
    for fake in made:
        fake.close()


CLOCK = SessionClocks()
CLOCK.now = DisplayClock(origin=1000.0, speed=1.0)
ONSET = OnsetLine(time=12.0, stamp=1012.0, onset=10.0, duration=2.0, label="seizure", confidence=0.8, channels=())
EVENT = EventLine(time=33.0, stamp=1033.0, onset=10.0, duration=20.0, label="seizure", confidence=0.95, channels=())


def test_an_event_is_one_entry_from_its_onset_to_its_end():
    marks = TimeMarks()
    event_log = DisplayEventLog(marks)
    began: list[EventEntry] = []
    event_log.began.subscribe(began.append)
    event_log.take(ONSET, CLOCK)
    assert began == event_log.entries
    assert [e.open for e in event_log.entries] == [True]
    assert next(marks.between(50, 60)).stop == math.inf
    event_log.take(EVENT, CLOCK)
    (entry,) = event_log.entries
    assert (entry.onset, entry.duration, entry.peak, entry.open) == (10.0, 20.0, 0.95, False)
    assert (entry.mark.start, entry.mark.stop) == (10.0, 30.0)
    assert not list(marks.between(31, 60))


def test_annotations_and_verdicts_come_back_from_the_engine():
    event_log = DisplayEventLog(TimeMarks())
    event_log.take(EVENT, CLOCK)
    event_log.take(AnnotationLine(label="eyes closed", onset=5.0, duration=0.0, stamp=1005.0), CLOCK)
    event_log.take(ReviewLine(label="seizure", onset=10.0, verdict="rejected", note="chewing"), CLOCK)
    assert [(e.label, e.annotation, e.verdict, e.note) for e in event_log.entries] == [
        ("seizure", False, "rejected", "chewing"),
        ("eyes closed", True, "", ""),
    ]


def test_a_gap_is_a_mark_on_the_display_s_axis():
    marks = TimeMarks()
    gap = GapLine(start=1003.0, end=1004.0, n_missing=256, cause="samples lost", filled=True)
    DisplayEventLog(marks).take(gap, CLOCK)
    assert list(marks.between(0, 10)) == [TimeMark(3.0, 4.0, "filled")]


def test_the_exported_table_leaves_out_what_was_rejected(tmp_path):
    event_log = DisplayEventLog(TimeMarks())
    event_log.take(EVENT, CLOCK)
    event_log.take(EVENT.model_copy(update={"onset": 50.0}), CLOCK)
    event_log.entries[0].verdict = "rejected"
    event_log.export(tmp_path / "e.tsv", 100.0)
    assert [(e.onset, e.duration, e.label) for e in read_events(tmp_path / "e.tsv")] == [(50.0, 20.0, "seizure")]


def test_a_feed_reads_all_that_was_written_and_knows_the_channels(monitor, tmp_path):
    fake = monitor(19, start=500.0)
    fake.advance(2.0)
    feed = Feed(tmp_path)
    assert feed.poll() == (True, True)
    fake.advance(1.0)
    feed.poll()
    assert feed.layout == read_layout(tmp_path, 1) == fake.layout
    assert feed.signals is not None and feed.scores is not None and feed.clock is not None
    assert feed.signals.n == 3 * 256
    assert feed.scores.n == 3 / HOP_S
    assert feed.signals.newest_x == pytest.approx(3.0 - 1 / 256)
    assert feed.clock.engine_s(feed.signals.newest_x) == pytest.approx(3.0 - 1 / 256)


def test_a_feed_without_names_numbers_the_channels(monitor, tmp_path):
    fake = monitor()
    (tmp_path / "layout-1").unlink()
    fake.advance(1.0)
    feed = Feed(tmp_path)
    feed.poll()
    assert feed.layout is not None
    assert feed.layout.channels[:2] == ("ch1", "ch2")


def test_a_feed_that_was_away_for_too_long_counts_what_it_missed(monitor, tmp_path):
    fake = monitor()
    fake.advance(1.0)
    feed = Feed(tmp_path)
    feed.poll()
    for _ in range(13):
        fake.advance(10.0)
    feed.poll()
    assert feed.missed == 11 * 256 - 256
    assert feed.signals is not None
    assert feed.signals.n == 256 + 120 * 256


def test_an_engine_that_says_nothing_is_dead(monitor, tmp_path):
    fake = monitor()
    feed = Feed(tmp_path)
    feed.poll()
    assert feed.dead_s == 0
    feed._changed_at -= 5
    assert feed.dead_s == pytest.approx(5, abs=0.5)
    fake.publish(state="stopped")
    feed._status_due = 0
    feed.poll()
    assert feed.dead_s == 0


def test_units_are_brought_to_microvolts(monitor, tmp_path):
    fake = monitor()
    text = (tmp_path / "layout-1").read_text().replace('"uV"', '"mV"')
    (tmp_path / "layout-1").write_text(text)
    fake.advance(1.0)
    feed = Feed(tmp_path)
    feed.poll()
    assert feed.signals is not None
    assert fake.writer.rings is not None
    np.testing.assert_allclose(
        feed.signals.rows(0, 256)[1], fake.writer.rings.signals.since(0)[0].data * 1000, rtol=1e-6
    )
