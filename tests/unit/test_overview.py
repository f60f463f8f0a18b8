"""The overview of a session: bins of a fixed number, whatever its length, and which part of it is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.overview_bins import N_BINS, OverviewBins, OverviewFeed
from rtbci.dashboard.model.overview_view import OverviewView


def fill(bins: OverviewBins, start: float, stop: float, value: float) -> None:
    x = np.arange(start, stop, 0.5)
    bins.see(start, stop)
    bins.add(x, np.full((len(x), 1), value, np.float32), np.ones(len(x), np.bool_))


def at(bins: OverviewBins, x: float) -> tuple[float, bool, bool]:
    k = bins.between(x, x + 1e-6).start
    return round(float(bins.top[k, 0]), 3), bool(bins.seen[k]), bool(bins.lost[k])


def test_bins_hold_the_largest_and_know_what_was_not_seen_or_lost() -> None:
    bins = OverviewBins(1)
    fill(bins, 0.0, 10.0, 0.2)
    bins.add(np.array([3.1, 3.2]), np.array([[0.9], [0.4]], np.float32), np.array([True, True]))
    bins.add(np.array([5.1]), np.array([[1.0]], np.float32), np.array([False]))
    bins.lose(10.5, 11.5)
    assert [at(bins, x) for x in (1.0, 3.1, 5.0)] == [(0.2, True, False), (0.9, True, False), (0.2, True, False)]
    assert at(bins, 11.0)[1:] == (False, True)
    assert at(bins, 20.0)[1:] == (False, False)


def test_a_day_costs_as_many_bins_as_a_minute() -> None:
    bins = OverviewBins(2)
    for hour in range(30):
        bins.see(hour * 3600.0, hour * 3600.0 + 3599)
        bins.add(np.array([hour * 3600.0]), np.array([[hour / 30, 0.5]], np.float32), np.array([True]))
    assert bins.top.shape == (N_BINS, 2)
    assert 24 * 3600 / bins.bin_s > 1000
    assert np.nanmax(bins.top[:, 0]) == pytest.approx(29 / 30)
    assert bins.seen[bins.between(0, 30 * 3600 - 60)].all()


def test_a_replay_that_comes_again_to_a_place_replaces_what_was_there_and_nothing_else() -> None:
    bins = OverviewBins(1, 0.0, 600.0)
    bins.begin_run()
    fill(bins, 0.0, 100.0, 0.9)
    bins.begin_run()
    fill(bins, 40.0, 60.0, 0.1)
    assert [at(bins, x)[0] for x in (20.0, 50.0, 80.0)] == [0.9, 0.1, 0.9]


def test_what_lies_before_the_start_has_room_too() -> None:
    bins = OverviewBins(1, 100.0)
    fill(bins, 100.0, 110.0, 0.5)
    bins.begin_run()
    fill(bins, 20.0, 30.0, 0.7)
    assert [at(bins, x)[0] for x in (25.0, 105.0)] == [0.7, 0.5]
    assert bins.start_x <= 20.0


def test_absurd_times_are_no_part_of_a_session() -> None:
    bins = OverviewBins(1)
    fill(bins, 0.0, 10.0, 0.5)
    for from_x, to_x in ((0.0, np.inf), (np.nan, 5.0), (-1e12, 0.0)):
        bins.see(from_x, to_x)
        bins.lose(from_x, to_x)
    bins.add(np.array([np.nan, 1e300]), np.ones((2, 1), np.float32), np.array([True, True]))
    assert (bins.bin_s, at(bins, 5.0)) == (0.25, (0.5, True, False))


def test_the_bins_follow_the_histories_run_by_run() -> None:
    signals, scores, feed = History(1, 4.0), History(1, 2.0), OverviewFeed()
    for start in (0.0, 100.0):
        for history in (signals, scores):
            history.begin_run()
        feed.begin_run(scores, 0.0, 200.0)
        for history in (signals, scores):
            x = start + np.arange(0, 10, 1 / history.sfreq)
            history.append(x, np.full((len(x), 1), 0.6, np.float32), np.ones(len(x), np.bool_))
        assert feed.advance(signals)
        assert not feed.advance(signals)
    assert feed.bins is not None
    assert [at(feed.bins, x) for x in (5.0, 105.0)] == [(pytest.approx(0.6), True, False)] * 2
    assert at(feed.bins, 50.0)[1:] == (False, False)


def test_the_whole_of_a_session_is_shown_and_stands_still_while_it_grows() -> None:
    view = OverviewView()
    assert view.follow(0.0, 600.0, 30.0, 30.0)
    assert (view.start, view.stop) == (0.0, 600.0)
    live = OverviewView()
    stops = []
    for latest in range(0, 3600, 10):
        live.follow(0.0, None, latest, latest)
        assert live.stop >= max(60.0, latest)
        stops.append(live.stop)
    assert len(set(stops)) == 25


def test_a_zoomed_view_keeps_the_moment_under_the_pointer_and_follows_the_stream() -> None:
    view = OverviewView()
    view.follow(0.0, None, 3000.0, 3000.0)
    x = view.x_at(250.0, 1000)
    view.zoom(x, 0.1)
    assert view.pixel(x, 1000) == pytest.approx(250.0)
    view.zoom(x, 1e-9)
    assert view.span == 20.0
    view.show_whole()
    view.zoom(3000.0, 0.05)
    span = view.span
    assert view.follow(0.0, None, 3300.0, 3300.0)
    assert view.start < 3300.0 < view.stop
    assert view.span == pytest.approx(span)
    view.zoom(3000.0, 1e9)
    assert (view.start, view.stop) == view._whole
