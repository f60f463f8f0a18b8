import numpy as np
import pytest

from rtbci.stages.decision import Decision, DecisionConfig
from rtbci.types import Chunk

HOP_S = 0.5


def decide(p: list[float], valid: list[bool] | None = None, **config: float) -> list[tuple[float, float, float]]:
    """(onset, duration, when confirmed) of each event."""
    settings = {"smoothing_s": 0.0, "threshold": 0.7, "release": 0.4, "min_duration_s": 1.0, "merge_s": 1.0, **config}
    decision = Decision(DecisionConfig(**settings), ("seizure",), HOP_S)
    times = np.arange(1, len(p) + 1) * HOP_S
    scores = Chunk(np.array(p)[:, None], times, None if valid is None else np.array(valid))
    found = decision.process(scores) + decision.flush()
    confirmed = [d.time for d in found if not d.closed]
    closed = [d.event for d in found if d.closed]
    assert len(confirmed) == len(closed)
    return [(e.onset, e.duration, when) for e, when in zip(closed, confirmed, strict=True)]


def test_an_event_lasts_from_threshold_to_the_last_hop_above_release() -> None:
    assert decide([0, 0.8, 0.5, 0.5, 0.3, 0, 0, 0]) == [(1.0, 1.0, 1.5)]


def test_a_short_burst_is_no_event() -> None:
    assert decide([0, 0.9, 0, 0, 0]) == []


def test_nothing_below_the_threshold_begins_an_event() -> None:
    assert decide([0.69] * 20) == []


def test_a_lull_no_longer_than_merge_is_bridged() -> None:
    assert decide([0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0, 0, 0]) == [(0.5, 2.5, 1.0)]
    assert decide([0.9, 0.9, 0, 0, 0, 0.9, 0.9, 0, 0, 0]) == [(0.5, 0.5, 1.0), (3.0, 0.5, 3.5)]


def test_an_event_that_is_open_at_the_end_is_closed_by_flush() -> None:
    assert decide([0, 0.9, 0.9, 0.9]) == [(1.0, 1.0, 1.5)]


def test_invalid_hops_neither_begin_nor_end_an_event() -> None:
    assert decide([1, 1, 1, 0, 0], [False] * 3 + [True] * 2) == []
    assert decide([0.9, 0.9, 0, 0, 0, 0, 0.9, 0, 0, 0], [True] * 2 + [False] * 4 + [True] * 4) == [(0.5, 3.0, 1.0)]


def test_smoothing_is_an_exponential_average_with_its_time_constant() -> None:
    decision = Decision(DecisionConfig(smoothing_s=2.0), ("seizure",), HOP_S)
    decision.process(Chunk(np.ones((4, 1)), np.arange(4) * HOP_S))
    assert decision.smoothed[0] == pytest.approx(1 - np.exp(-1))


def test_confidence_is_the_peak_of_the_smoothed_probability() -> None:
    decision = Decision(DecisionConfig(smoothing_s=0.0, min_duration_s=0.0), ("seizure",), HOP_S)
    decision.process(Chunk(np.array([[0.6], [0.9], [0.7]]), np.arange(3) * HOP_S))
    assert decision.flush()[0].event.confidence == pytest.approx(0.9, abs=1e-6)


def test_each_class_that_is_not_background_has_its_own_events() -> None:
    decision = Decision(DecisionConfig(smoothing_s=0, min_duration_s=0), ("background", "left", "right"), HOP_S)
    p = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    decision.process(Chunk(p, np.arange(3) * HOP_S))
    assert sorted(d.event.label for d in decision.flush() if d.closed) == ["left", "right"]


def test_a_threshold_that_is_moved_decides_from_the_next_hop_on() -> None:
    decision = Decision(DecisionConfig(smoothing_s=0, min_duration_s=0, threshold=0.9), ("seizure",), HOP_S)
    quiet = Chunk(np.full((2, 1), 0.5), np.arange(2) * HOP_S)
    assert decision.process(quiet) == []
    decision.set_threshold(0.4)
    assert len(decision.process(quiet)) == 1


def test_a_threshold_that_is_put_back_puts_the_release_back() -> None:
    decision = Decision(DecisionConfig(threshold=0.6, release=0.4), ("seizure",), HOP_S)
    for threshold, release in ((0.1, 0.0), (0.9, 0.7), (0.6, 0.4)):
        decision.set_threshold(threshold)
        assert decision.release == pytest.approx(release)
