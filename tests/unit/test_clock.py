"""The clock of a stream's host: what a new measurement changes, and what it does not."""

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
