"""How old the newest sample is: said when it is too old, whatever clock it was stamped with."""

import pytest

from rtbci.engine.staleness import STALE_S, Staleness

CHUNK_S = 0.05


def flow(staleness: Staleness, begin: float, end: float, lag: float = 0.01) -> list[str]:
    """Chunks that come in time, each looked at as it came; what was said."""
    said = []
    for k in range(round((end - begin) / CHUNK_S)):
        at = begin + k * CHUNK_S
        staleness.add(at - lag, at, CHUNK_S)
        if turn := staleness.check(at):
            said.append(turn.kind)
    return said


def test_samples_that_come_in_time_are_never_stale() -> None:
    assert flow(Staleness(), 100, 110) == []


def test_silence_is_stale_after_the_limit_and_a_chunk_and_well_again_with_the_next_sample() -> None:
    staleness = Staleness()
    flow(staleness, 100, 110)
    newest = 110 - CHUNK_S - 0.01
    assert staleness.check(newest + STALE_S + CHUNK_S - 1e-6) is None
    turn = staleness.check(newest + STALE_S + CHUNK_S + 1e-6)
    assert turn is not None
    assert (turn.kind, turn.age_s) == ("stale", pytest.approx(STALE_S + CHUNK_S, abs=1e-5))
    assert staleness.check(115.0) is None
    staleness.add(119.99, 120.0, 5.0)
    turn = staleness.check(120.0)
    assert turn is not None
    assert (turn.kind, turn.seconds) == ("caught_up", pytest.approx(120 - newest - STALE_S - CHUNK_S, abs=1e-5))
    assert turn.age_s == pytest.approx(115 - newest)


def test_old_samples_that_come_now_are_stale_until_they_are_through() -> None:
    staleness = Staleness()
    flow(staleness, 100, 110)
    staleness.add(112.0, 120.0, 2.0)  # a burst of what was held up
    turn = staleness.check(120.0)
    assert turn is not None
    assert (turn.kind, turn.age_s) == ("stale", pytest.approx(8.0))
    assert staleness.age_s(120.0) == pytest.approx(8.0)
    staleness.add(119.99, 120.1, 8.0)
    turn = staleness.check(120.1)
    assert turn is not None
    assert turn.kind == "caught_up"


def test_a_sender_of_large_chunks_is_not_stale_between_them() -> None:
    staleness = Staleness()
    said = []
    for at in range(100, 130):
        staleness.add(at, at, 1.0)
        said += [staleness.check(at + k / 10) for k in range(10)]
    assert said == [None] * 300


def test_a_stream_that_brings_no_sample_is_stale() -> None:
    staleness = Staleness()
    assert staleness.age_s(5.0) == 0
    staleness.begin(10.0)
    assert staleness.check(10.1) is None
    turn = staleness.check(11.0)
    assert turn is not None
    assert turn.kind == "stale"


@pytest.mark.parametrize("lag", [3600.0, -3600.0])
def test_stamps_of_another_clock_are_told_once_and_their_ages_count_from_there(lag: float) -> None:
    staleness = Staleness()
    assert flow(staleness, 100, 101, lag) == []
    assert staleness.foreign_lag_s() == 0  # too early to say
    assert flow(staleness, 101, 102, lag) == []
    assert staleness.foreign_lag_s() == pytest.approx(lag, abs=0.01)
    assert staleness.foreign_lag_s() == 0
    assert staleness.age_s(102.0) == pytest.approx(CHUNK_S, abs=0.01)
    assert staleness.is_stale(104.0)


@pytest.mark.parametrize("lag", [-0.04, 0.0, 0.6])
def test_a_clock_that_is_measured_is_a_little_off_and_nothing_is_told_of_it(lag: float) -> None:
    staleness = Staleness()
    assert flow(staleness, 100, 105, lag) == []
    assert (staleness.foreign_lag_s(), staleness.lag_s) == (0, 0)


def test_an_engine_that_begins_late_is_behind_and_its_stream_is_of_our_clock() -> None:
    staleness = Staleness()
    staleness.begin(100.0)
    for newest in (105.0, 112.0, 119.0, 126.0, 129.99):  # 30 s in five looks
        staleness.add(newest, 130.0, 6.0)
    assert staleness.lag_s == 0
    flow(staleness, 130.05, 132)
    assert staleness.foreign_lag_s() == 0


def test_a_clock_that_was_reset_is_not_stale_for_ever() -> None:
    staleness = Staleness()
    flow(staleness, 100, 110)
    staleness.add(50.0, 110.0, CHUNK_S)
    assert staleness.is_stale(110.0)
    staleness.begin(110.0)
    staleness.add(50.05, 110.05, CHUNK_S)
    assert not staleness.is_stale(110.05)
    assert staleness.is_stale(111.1)
