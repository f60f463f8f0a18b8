"""Figures and delays: one rule for `evaluate`, the demonstration and the reports of a training."""

import pytest

from rtbci.evaluation.responses import Scored, detection_delays, detection_responses, united
from rtbci.evaluation.scoring import score
from rtbci.types import Event


def seizure(onset: float, stop: float) -> Event:
    return Event(onset, stop - onset, "seizure")


def scored(truth: list[Event], found: list[Event], decided: list[float], duration_s: float = 600.0, **more) -> Scored:
    return Scored(tuple(truth), tuple(found), tuple(decided), duration_s, **more)


def test_the_delay_counts_from_the_annotated_onset_to_the_decision():
    assert detection_delays(scored([seizure(100, 140)], [seizure(103, 139)], [106.5])) == [6.5]


def test_of_several_events_the_first_decision_counts():
    found = [seizure(130, 139), seizure(103, 110)]
    assert detection_delays(scored([seizure(100, 140)], found, [132.0, 106.0])) == [6.0]


def test_a_decision_shortly_before_the_onset_has_a_negative_delay():
    assert detection_delays(scored([seizure(100, 140)], [seizure(68, 139)], [70.0])) == [-30.0]


def test_an_alarm_that_was_on_long_before_the_onset_has_no_delay_and_is_counted():
    always = scored([seizure(100, 140)], [seizure(0, 600)], [2.0])
    (response,) = detection_responses(always)
    assert (response.delay_s, response.already_alarmed) == (None, True)
    figures = score([always])
    assert figures.already_alarmed == 1
    assert figures.detection_delay_s.p50 is None
    assert figures.event.counts.false == 1  # from 300 s on: SzCORE splits what is longer than 5 minutes
    assert figures.sample.counts.false == 560
    later = scored([seizure(100, 140)], [seizure(0, 101), seizure(110, 130)], [2.0, 112.0])
    assert detection_responses(later)[0].delay_s == 12.0


def test_an_event_that_was_marked_twice_counts_once():
    one = scored([seizure(42, 82)], [seizure(45, 80)], [50.0], 82.0)
    marked = [seizure(50, 82), seizure(42, 62), seizure(44, 60)]
    twice = scored(marked, [seizure(45, 80)], [50.0], 82.0)
    assert score([twice]) == score([one])
    assert detection_delays(twice) == [8.0]


def test_events_are_clipped_to_the_recording():
    assert united([seizure(-5, 3), seizure(90, 120), seizure(101, 130)], 100.0) == [(0.0, 3), (90, 100.0)]
    assert detection_delays(scored([seizure(650, 700)], [seizure(590, 600)], [595.0])) == []


def test_what_is_unknown_is_in_no_figure():
    holes = (Event(100, 500, "unknown"),)
    figures = score([scored([seizure(20, 40)], [seizure(22, 38), seizure(300, 330)], [25.0, 303.0], unknown=holes)])
    assert (figures.event.counts.hit, figures.event.counts.false, figures.event.counts.seconds) == (1, 0, 100.0)
    assert (figures.sample.counts.true, figures.sample.counts.hit, figures.sample.counts.false) == (20, 16, 0)


def test_rates_over_pooled_classes_are_per_class():
    alone = scored([], [seizure(10, 20)], [15.0], 43200.0)
    assert score([alone]).event.false_alarms_per_24h == 2.0
    assert score([alone, alone], n_classes=2).event.false_alarms_per_24h == pytest.approx(4.0)
