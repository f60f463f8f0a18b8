"""The clock of a stream's host: what a new measurement changes, and what it does not."""

import numpy as np
import pytest

from rtbci.lsl.clock import HostClock


def known(offset_s: float = 5.0, uncertainty_s: float = 1e-4) -> HostClock:
    clock = HostClock()
    clock.add(offset_s, uncertainty_s, 100.0)
    assert clock.pop_jump_s() == 0
    return clock


def test_an_equally_certain_measurement_is_followed() -> None:
    clock = known()
    clock.add(5.0002, 1e-4, 102.0)
    assert (clock.offset_s, clock.uncertainty_s) == (5.0002, 1e-4)


def test_a_worse_measurement_that_agrees_within_its_own_error_changes_nothing() -> None:
    clock = known()
    clock.add(4.966, 0.035, 102.0)  # as measured when a link had just come back
    assert clock.offset_s == 5.0
    assert clock.uncertainty_s == pytest.approx(1e-4 + 2e-4)


def test_a_clock_that_has_not_been_measured_for_long_takes_what_comes() -> None:
    clock = known()
    clock.add(5.03, 0.05, 100.0 + 600)
    assert clock.offset_s == 5.03


def test_a_clock_that_was_reset_is_believed_at_once_and_told_once() -> None:
    clock = known()
    clock.add(-3595.0, 0.01, 102.0)
    assert clock.offset_s == -3595.0
    assert clock.pop_jump_s() == pytest.approx(-3600)
    assert clock.pop_jump_s() == 0


def test_a_second_inlet_begins_with_what_the_first_one_knew() -> None:
    again = HostClock(known())
    assert (again.offset_s, again.known) == (5.0, True)


def test_an_offset_that_was_assumed_gives_way_to_the_first_measurement() -> None:
    clock = HostClock()
    clock.assume(7.0)
    assert clock.known
    assert clock.age_s is None
    clock.add(5.0, 0.1, 100.0)
    assert clock.offset_s == 5.0
    assert clock.pop_jump_s() == -2.0


def test_a_small_change_of_the_offset_is_followed_slowly_so_that_a_grid_of_stamps_stays_one() -> None:
    clock, grid = known(), 100 + np.arange(5000) / 250
    clock.on_local_clock(grid[:10])
    clock.add(5.0002, 1e-4, 102.0)
    local = np.concatenate([clock.on_local_clock(part) for part in np.split(grid[10:], [10, 11, 700])])
    np.testing.assert_allclose(np.diff(local), 1 / 250, rtol=0, atol=1.01 * HostClock.SLEW / 250)
    np.testing.assert_allclose(local[2500:] - grid[2510:], 5.0002, rtol=0, atol=1e-12)
    assert clock.applied_s == 5.0002


def test_a_large_change_of_the_offset_and_the_first_samples_are_put_right_at_once() -> None:
    clock, grid = known(), 100 + np.arange(50) / 250
    np.testing.assert_array_equal(clock.on_local_clock(grid), grid + 5.0)
    clock.add(5.03, 1e-4, 102.0)
    np.testing.assert_array_equal(clock.on_local_clock(grid + 1), grid + 1 + 5.03)
    again = HostClock(clock)
    again.add(5.0302, 1e-4, 104.0)
    np.testing.assert_array_equal(again.on_local_clock(grid + 2), grid + 2 + 5.0302)


def test_stamps_that_are_no_numbers_leave_the_clock_as_it_is() -> None:
    clock = known()
    clock.on_local_clock(np.array([100.0]))
    clock.add(5.0001, 1e-4, 102.0)
    np.testing.assert_array_equal(clock.on_local_clock(np.array([np.nan])), [np.nan])
    assert clock.applied_s == 5.0
    assert clock.on_local_clock(np.array([100.01]))[0] == 100.01 + (5.0 + 1e-6)


def test_a_loss_is_a_step_of_whole_periods_while_the_offset_is_followed() -> None:
    clock, grid = known(), 100 + np.arange(1000) / 250
    clock.on_local_clock(grid[:10])
    clock.add(5.0002, 1e-4, 102.0)
    kept = np.delete(grid, np.arange(100, 850))
    local = np.concatenate([clock.on_local_clock(part) for part in np.split(kept[10:], [10, 90, 91])])
    np.testing.assert_allclose(np.diff(local), np.diff(kept[10:]), rtol=0, atol=1.01e-6)
