"""What the dashboard measures and filters for the eye."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from rtbci.dashboard.model.display_filter import DisplayFilter, FilteredRows
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.page_cursors import PageCursors
from rtbci.dashboard.model.stretch import measure

SFREQ = 200.0


def history_of(data: np.ndarray, x: np.ndarray | None = None) -> History:
    history = History(data.shape[1], SFREQ, keep_s=60)
    x = np.arange(len(data)) / SFREQ if x is None else x
    history.append(x, data.astype(np.float32), np.ones(len(data), bool))
    return history


def reader(history: History, wanted: DisplayFilter) -> FilteredRows:
    return FilteredRows(history, lambda data: data.copy(), wanted)


def test_rows_are_filtered_alike_however_they_are_asked_for():
    data = np.random.default_rng(0).normal(size=(4000, 3)) * 30 + 5000
    history, wanted = history_of(data), DisplayFilter(1.0, 35.0, 50.0)
    whole = reader(history, wanted).rows(0, 4000)[1]
    piecewise = reader(history, wanted)
    found = [piecewise.rows(a, min(a + 37, 4000))[1] for a in range(0, 4000, 37)]
    np.testing.assert_array_equal(np.concatenate(found), whole)
    start = data[0].astype(np.float32)
    sections = wanted.sections(SFREQ)
    zi = signal.sosfilt_zi(sections)[:, :, None] * start.astype(float)
    np.testing.assert_allclose(whole, signal.sosfilt(sections, data.astype(np.float32), axis=0, zi=zi)[0], atol=1e-3)
    # A page from the middle has settled by its first sample.
    np.testing.assert_allclose(reader(history, wanted).rows(3000, 3200)[1], whole[3000:3200], atol=0.5)


def test_a_filter_starts_anew_behind_a_gap_and_goes_on_over_what_is_no_number():
    data = np.full((2000, 1), 100.0)
    data[1000:] = 900.0
    x = np.arange(2000) / SFREQ
    x[1000:] += 5.0
    data[500:510] = np.nan
    found = reader(history_of(data, x), DisplayFilter(1.0)).rows(0, 2000)[1]
    assert np.isnan(found[500:510]).all()
    rest = np.delete(found, slice(500, 510))
    np.testing.assert_allclose(rest, 0, atol=1e-3)


def test_a_filter_says_what_it_does_and_leaves_out_what_the_rate_does_not_allow():
    assert str(DisplayFilter(0.5, 70.0, 50.0)) == "0.5–70 Hz, notch 50 Hz"
    assert str(DisplayFilter(0.5)) == "above 0.5 Hz"
    assert str(DisplayFilter(0, 35.0)) == "below 35 Hz"
    assert not DisplayFilter().is_on
    assert len(DisplayFilter(0, 100.0).sections(SFREQ)) == 0


def test_a_stretch_has_the_amplitude_and_frequency_of_what_is_in_it():
    t = np.arange(800) / SFREQ
    data = np.stack([20 * np.sin(2 * np.pi * 10 * t) + 300, 5 * np.sin(2 * np.pi * 3 * t), np.full(800, 7.0)], axis=1)
    data[5, 2] = np.nan
    found = measure((0.0, 4.0), (t, data.astype(np.float32), np.ones(800, bool)), SFREQ, ("a", "b", "c"))
    assert found.seconds == found.data_s == 4.0
    assert found.peak_to_peak[:2] == pytest.approx([40, 10], rel=0.01)
    assert found.rms[:2] == pytest.approx([20 / np.sqrt(2), 5 / np.sqrt(2)], rel=0.01)
    assert found.dominant_hz[:2].tolist() == [10.0, 3.0]
    assert np.isnan(found.rms[2])


def test_a_stretch_of_a_few_samples_says_nothing():
    t = np.arange(5) / SFREQ
    found = measure((0.0, 0.025), (t, np.ones((5, 1), np.float32), np.ones(5, bool)), SFREQ, ("a",))
    assert np.isnan(found.rms[0])
    assert found.power.shape == (0, 1)


def test_a_stretch_lies_between_two_cursors_in_either_order():
    cursors = PageCursors()
    assert not cursors.choose_between()
    cursors.put(1, 5.0)
    cursors.put(2, 3.5)
    assert cursors.between_s == -1.5
    assert cursors.choose_between()
    assert cursors.stretch == (3.5, 5.0)
    cursors.clear()
    assert (cursors.at, cursors.stretch) == ({}, None)
