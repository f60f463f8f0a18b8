"""Trends from the engine's memory to what the dashboard shows of a day."""

import errno
from pathlib import Path

import numpy as np
import pytest
from cutting import INFO, make_pipeline

from rtbci.bench.synthetic_monitor import SyntheticMonitor
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.trend_history import TrendHistory, semilog
from rtbci.monitor.layout import read_layout
from rtbci.monitor.sink import MonitorSink
from rtbci.monitor.trend_ring import append_trends, create_trend_ring, open_trend_ring
from rtbci.pipeline.stream import StreamSession
from rtbci.pipeline.trends import BURDEN, N_COLUMNS, PROBABILITY
from rtbci.stages.trends import LEFT
from rtbci.types import Chunk, TrendRows

NONE = Path("/nowhere")


def a_row(value: float, n: int = 1) -> np.ndarray:
    return np.full((n, N_COLUMNS), value, np.float32)


def message(at_s: np.ndarray, stamp: float = 0.0) -> TrendRows:
    return TrendRows(Chunk(a_row(1.0, len(at_s)) * at_s[:, None], at_s + stamp), at_s)


def test_a_window_that_is_opened_later_has_the_whole_day(tmp_path: Path) -> None:
    fake = SyntheticMonitor(tmp_path, 8)
    fake.trend(np.arange(10.0, 30 * 3600, 10.0))
    fake.advance(1.0)
    feed = Feed(tmp_path)
    feed.poll()
    assert feed.trends.n_read == 30 * 360 - 1
    assert (feed.trends.newest_s, feed.trends.oldest_s) == (30 * 3600 - 10.0, 6 * 3600 - 10.0)
    view = feed.trends.view(24.0)
    assert (len(view.values), view.step) == (1440, 60.0)
    assert np.isfinite(view.values[1:-1]).all() and view.shades[1:-1].all()
    fake.trend(np.array([30 * 3600.0]))
    feed._status_due = 0.0
    feed.poll()
    assert feed.trends.newest_s == 30 * 3600
    fake.close()


def test_columns_of_a_day_are_means_of_six_rows_and_the_highest_probability() -> None:
    history = TrendHistory(NONE)
    x = np.arange(10.0, 601.0, 10.0)
    data = a_row(1.0, 60) * np.arange(60, dtype=np.float32)[:, None]
    data[:6, BURDEN] = np.nan
    data[7, BURDEN] = np.nan
    for k in range(60):  # one by one, as live
        history.add(x[k : k + 1], data[k : k + 1])
    view = history.view(24.0)
    assert (view.start, view.edges[10]) == (0.0, 600.0)
    np.testing.assert_array_equal(view.values[:10, 0], 6 * np.arange(10) + 2.5)
    np.testing.assert_array_equal(view.values[:10, PROBABILITY], 6 * np.arange(10) + 5)
    np.testing.assert_allclose(view.values[:2, BURDEN], (np.nan, (6 + 8 + 9 + 10 + 11) / 5))
    assert np.isnan(view.values[10:]).all() and not view.shades[10:].any()
    at_once = TrendHistory(NONE)
    at_once.add(x, data)
    np.testing.assert_array_equal(at_once.view(24.0).values, view.values)


def test_rows_behind_a_seek_replace_those_of_the_same_time_and_a_gap_stays_open() -> None:
    history = TrendHistory(NONE)
    history.add(np.array([10.0, 20.0, 30.0, 65.0]), a_row(1.0, 4))
    history.add(np.array([20.0]), a_row(2.0))
    found = history.view(1.0).values[:8, LEFT.start]
    np.testing.assert_array_equal(found, [1, 2, 1, np.nan, np.nan, np.nan, 1, np.nan])
    assert history.newest_s == 65.0
    history.add(np.array([np.nan, 1e300]), a_row(5.0, 2))
    assert history.newest_s == 65.0


def test_rows_a_little_longer_than_ten_seconds_leave_nothing_out() -> None:
    history = TrendHistory(NONE)
    row_s = 10.0225
    history.add(row_s * np.arange(1, 1001), a_row(1.0, 1000), row_s)
    assert np.isfinite(history.view(1.0).values[:, 0]).all()


def test_colours_are_decibels_of_the_power_and_what_is_not_known_has_none() -> None:
    history = TrendHistory(NONE)
    data = a_row(1.0)
    data[0, :5] = 0.1, 10.0, 1000.0, 1e9, np.nan
    history.add(np.array([10.0]), data)
    assert history.view(0.25).shades[0, :5].tolist() == [1, 128, 255, 255, 0]


def test_the_axis_of_the_aeeg_is_linear_to_10_and_logarithmic_to_100() -> None:
    np.testing.assert_allclose(semilog(np.array([0, 5, 10, 100, np.nan], np.float32)), [0, 0.5, 1, 2, np.nan])


def test_one_ring_holds_the_rows_of_all_streams_in_seconds_of_the_recording(tmp_path: Path) -> None:
    pipeline = make_pipeline()
    sink = MonitorSink(tmp_path, pipeline)
    about = StreamSession(pipeline, INFO, trends=True).about
    sink.begin(about)
    sink.on(message(np.array([10.0, 20.0]), stamp=500.0))
    sink.begin(about)
    sink.on(message(np.array([40.0]), stamp=9000.0))
    ring = open_trend_ring(tmp_path)
    assert ring is not None
    rows, _, _ = ring.since(0)
    assert rows.times.tolist() == [10.0, 20.0, 40.0]
    layout = read_layout(tmp_path, 2)
    assert layout is not None and layout.trends is not None
    assert (layout.trends.left, layout.trends.right) == (INFO.channels, ())
    sink.close()


def test_without_memory_for_the_trends_all_else_goes_on_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pipeline = make_pipeline()
    sink = MonitorSink(tmp_path, pipeline)
    about = StreamSession(pipeline, INFO, trends=True).about
    with monkeypatch.context() as patched:
        patched.setattr("rtbci.monitor.sink.create_trend_ring", full)
        sink.begin(about)
    assert sink.trouble == f"{tmp_path}: No space left on device; the dashboard shows no trends, the engine continues"
    sink.on(message(np.array([10.0])))
    assert open_trend_ring(tmp_path) is None
    sink.begin(about)
    assert not sink.trouble and open_trend_ring(tmp_path) is not None
    sink.close()


def test_a_ring_of_another_version_is_left_alone(tmp_path: Path) -> None:
    ring = create_trend_ring(tmp_path)
    append_trends(ring, message(np.array([10.0])))
    assert open_trend_ring(tmp_path) is not None
    (tmp_path / "trends").write_bytes(b"no ring")
    assert open_trend_ring(tmp_path) is None
