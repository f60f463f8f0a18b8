"""The operating point: the stated rule on constructed scores, and decisions that are those of the live path."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbci.config import parse
from rtbci.evaluation.curve import Curve, Rule
from rtbci.evaluation.decisions import above_threshold, decide
from rtbci.evaluation.tagging import tag
from rtbci.models import build
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.simulation.eeg import synthesise
from rtbci.stages.decision import DecisionConfig
from rtbci.training.config import CrossvalConfig
from rtbci.training.crossval.config import OperatingPointConfig
from rtbci.training.crossval.operating_point import (
    Answered,
    OperatingPoint,
    operating_points,
    with_point,
)
from rtbci.training.source import Source, Stretch
from rtbci.types import Chunk

HOP_S = 0.5
CONFIG = parse(
    PipelineConfig,
    {
        "name": "tiny",
        "sfreq": 64,
        "classes": ["seizure"],
        "montage": {"channels": ["C3", "C4"]},
        "model": {"kind": "conv_lstm", "filters": 2, "kernel": 32, "hop": 32, "units": [2]},
        "decision": {"smoothing_s": 0, "threshold": 0.5, "release": 0.5, "min_duration_s": 1.0, "merge_s": 1.0},
    },
    "test",
)
SIXTY_S = synthesise(0, 60)


def answered(
    group: str, *peaks: tuple[float, float, float], seizure: tuple[float, float] | None = None, invalid: float = 0.0
) -> Answered:
    """A recording of 60 s; a peak (start, stop, probability) lies on 0.1. The first `invalid` seconds are not valid."""
    times = np.arange(1, 121) * HOP_S
    p = np.full((120, 1), 0.1, np.float32)
    for start, stop, value in peaks:
        p[(times >= start) & (times < stop)] = value
    stretches = () if seizure is None else (Stretch(*seizure, "seizure"),)
    source = Source("x", SIXTY_S, stretches, "background", 1, True, category=group)
    return Answered(source, Chunk(p, times, times > invalid))


def points(*recordings: Answered, **settings: object) -> list[OperatingPoint]:
    wanted = OperatingPointConfig.model_validate({"no_alarm_in": ["quiet*"], **settings})
    return operating_points(recordings, CONFIG, wanted, HOP_S)


def test_the_most_seizures_are_found_that_can_be_without_an_alarm_where_none_is_wanted():
    clear = answered("seizures", (24, 40, 0.7), seizure=(20, 40))
    faint = answered("seizures", (22, 40, 0.5), seizure=(20, 40))
    quiet = answered("quiet background", (30, 33, 0.55))
    best, *rest = points(clear, faint, quiet, thresholds=(0.4, 0.6, 0.8))
    assert best == OperatingPoint(
        threshold=0.6,
        release=0.6,
        min_duration_s=1.0,
        seizures=2,
        found=1,
        median_delay_s=4.5,
        alarms_where_none_is_wanted=0,
        alarms_elsewhere=0,
        known_s=180.0,
    )
    assert [(p.threshold, p.found, p.alarms_where_none_is_wanted) for p in rest] == [(0.8, 0, 0), (0.4, 2, 1)]


def test_a_longer_minimum_duration_is_chosen_where_it_keeps_the_quiet_recordings_quiet():
    clear = answered("seizures", (24, 40, 0.7), seizure=(20, 40))
    faint = answered("seizures", (22, 40, 0.5), seizure=(20, 40))
    quiet = answered("quiet background", (30, 33, 0.55))
    best = points(clear, faint, quiet, thresholds=(0.4, 0.6), min_duration_s=(1.0, 5.0))[0]
    # Decided at the tenth hop: the seizures cross at 24 and 22 s.
    assert (best.threshold, best.min_duration_s, best.found, best.median_delay_s) == (0.4, 5.0, 2, 7.5)


def test_of_points_that_find_as_many_the_one_with_the_least_delay_is_chosen():
    rising = answered("seizures", (21, 30, 0.45), (30, 40, 0.9), seizure=(20, 40))
    best, other = points(rising, answered("quiet"), thresholds=(0.8, 0.4))
    assert (best.threshold, best.median_delay_s) == (0.4, 1.5)
    assert (other.threshold, other.median_delay_s) == (0.8, 10.5)


def test_then_the_fewest_alarms_elsewhere_and_then_the_highest_threshold():
    steep = answered("seizures", (20, 40, 0.9), seizure=(20, 40))
    after = answered("after seizures", (5, 20, 0.35))
    best, second, third = points(steep, after, answered("quiet"), thresholds=(0.3, 0.5, 0.7))
    assert [(p.threshold, p.alarms_elsewhere) for p in (best, second, third)] == [(0.7, 0), (0.5, 0), (0.3, 1)]


def test_where_no_point_is_without_alarms_the_one_with_the_fewest_is_chosen():
    noisy = answered("quiet", (2, 10, 0.99), (110, 115, 0.5))
    twice = answered("quiet", (5, 10, 0.5))
    seizure = answered("seizures", (20, 40, 0.5), seizure=(20, 40))
    best = points(noisy, twice, seizure, thresholds=(0.4, 0.9))[0]
    assert (best.threshold, best.alarms_where_none_is_wanted, best.found) == (0.9, 1, 0)


def test_with_enough_an_odd_quiet_recording_does_not_cost_the_seizures():
    clear = [answered("seizures", (24, 40, 0.7), seizure=(20, 40)) for _ in range(2)]
    faint = [answered("seizures", (22, 40, 0.5), seizure=(20, 40)) for _ in range(2)]
    odd = answered("quiet", (30, 50, 0.95))
    after = answered("after seizures", (5, 20, 0.55))
    of_all = points(*clear, *faint, odd, after, thresholds=(0.3, 0.4, 0.5, 0.6, 0.96))
    assert (of_all[0].threshold, of_all[0].found) == (0.96, 0)
    for enough, threshold, found in ((1.0, 0.5, 4), (0.75, 0.5, 4), (0.5, 0.6, 2)):
        best = points(*clear, *faint, odd, after, thresholds=(0.3, 0.4, 0.5, 0.6, 0.96), enough=enough)[0]
        assert (best.threshold, best.found, best.alarms_where_none_is_wanted) == (threshold, found, 1)


def test_where_enough_is_out_of_reach_the_nearest_to_it_is_chosen():
    unseen = answered("seizures", seizure=(20, 40))
    clear = answered("seizures", (24, 40, 0.7), seizure=(20, 40))
    best = points(unseen, clear, answered("quiet"), thresholds=(0.4, 0.6, 0.8), enough=0.95)[0]
    assert (best.threshold, best.found) == (0.6, 1)


def test_where_a_miss_weighs_so_many_alarms_the_least_sum_is_chosen():
    clear = [answered("seizures", (24, 40, 0.7), seizure=(20, 40)) for _ in range(2)]
    faint = [answered("seizures", (22, 40, 0.5), seizure=(20, 40)) for _ in range(2)]
    after = [answered("after seizures", (5, 20, 0.55)) for _ in range(5)]
    odd = answered("quiet", (30, 50, 0.35))
    for miss_weighs, threshold, found in ((2, 0.6, 2), (3, 0.5, 4)):  # two seizures missed, or five alarms
        best = points(*clear, *faint, *after, odd, thresholds=(0.3, 0.4, 0.5, 0.6), miss_weighs=miss_weighs)[0]
        assert (best.threshold, best.found, best.alarms_where_none_is_wanted) == (threshold, found, 0)
    # An alarm where none is wanted weighs as much as a miss: two of them as two seizures, and the faint ones go.
    loud = [answered("quiet", (30, 50, 0.55)) for _ in range(2)]
    best = points(*clear, *faint, after[0], *loud, thresholds=(0.5, 0.6), miss_weighs=3)[0]
    assert (best.threshold, best.found) == (0.6, 2)


def test_with_a_bound_the_point_is_chosen_that_evaluate_would_choose():
    clear = [answered("seizures", (24, 40, 0.7), seizure=(20, 40)) for _ in range(2)]
    faint = answered("seizures", (22, 40, 0.5), seizure=(20, 40))
    quiet, after = answered("quiet", (30, 33, 0.55)), answered("after seizures", (5, 20, 0.35))
    found = points(*clear, faint, quiet, after, thresholds=(0.3, 0.4, 0.6), at="fa_per_h<=12")
    # Five minutes: one alarm is twelve an hour, whatever its group; of the points that have it, most seizures are found.
    assert [(p.threshold, p.found, p.known_s, p.keeps_bound) for p in found] == [
        (0.4, 3, 300, True), (0.6, 2, 300, True), (0.3, 3, 300, False),
    ]  # fmt: skip
    curve = Curve(points=tuple(p.curve_point() for p in found), area=None, area_fa_per_h=None, low_area=None)
    for rule in ("fa_per_h<=12", "fa_per_h<=6", "sensitivity>=0.9", "precision>=0.7", "f1", "delay_s<=5"):
        best = points(*clear, faint, quiet, after, thresholds=(0.3, 0.4, 0.6), at=rule)[0]
        assert best.threshold == Rule.parse(rule).choose(curve).threshold
        assert best.keeps_bound is True
    nearest = points(*clear, faint, quiet, after, thresholds=(0.3, 0.4), at="fa_per_h<=6")[0]
    assert (nearest.threshold, nearest.keeps_bound) == (0.4, False)


def test_where_the_label_is_unknown_no_hour_counts():
    one = answered("seizures", (24, 40, 0.7), seizure=(20, 40))
    half = Answered(replace(one.source, elsewhere="unknown"), one.scores)
    assert points(half, answered("quiet"), thresholds=(0.5,))[0].known_s == 80


def test_a_bound_that_is_none_is_refused_by_its_key():
    with pytest.raises(ValueError, match="at 'fa<=1': wanted a bound, as fa_per_h<=0.5"):
        OperatingPointConfig(at="fa<=1")


def test_two_rules_at_once_are_refused():
    with pytest.raises(ValueError, match="enough and at are 2 rules"):
        OperatingPointConfig(enough=0.9, at="f1")
    with pytest.raises(ValueError, match="enough and miss_weighs are 2 rules; wanted one of them"):
        OperatingPointConfig(enough=0.9, miss_weighs=3)


def test_release_keeps_its_distance_below_and_never_falls_below_zero():
    apart = CONFIG.model_copy(update={"decision": DecisionConfig(threshold=0.6, release=0.4)})
    wanted = OperatingPointConfig(thresholds=(0.1, 0.9))
    found = {p.threshold: p.release for p in operating_points([answered("x")], apart, wanted, HOP_S)}
    assert found == {0.1: 0.0, 0.9: 0.7}
    equal = CONFIG.model_copy(update={"decision": DecisionConfig(threshold=0.6)})
    point = operating_points([answered("x")], equal, OperatingPointConfig(thresholds=(0.9,)), HOP_S)[0]
    assert with_point(equal, point).decision == DecisionConfig(threshold=0.9, release=None, min_duration_s=2.0)


def test_a_seizure_where_nothing_is_known_is_neither_found_nor_an_alarm():
    one = answered("seizures", (20, 30, 0.9))
    one = replace(one, source=replace(one.source, elsewhere="unknown"))
    best = points(one, thresholds=(0.5,))[0]
    assert (best.seizures, best.found, best.alarms_elsewhere) == (0, 0, 0)


def test_time_above_the_threshold_counts_valid_hops_of_the_smoothed_probability():
    one = answered("x", (1, 10, 0.9), (30, 31, 0.5), invalid=5.0)
    assert np.flatnonzero(above_threshold(one.scores, CONFIG, HOP_S)).tolist() == [*range(10, 19), 59, 60]
    slow = CONFIG.model_copy(update={"decision": CONFIG.decision.model_copy(update={"smoothing_s": 2.0})})
    above = above_threshold(one.scores, slow, HOP_S)
    assert not above[:12].any() and above[12:20].any() and not above[59:].any()


@pytest.mark.parametrize("gap", [None, (20.0, 26.0)])
def test_decisions_on_the_scores_of_a_recording_are_those_of_the_live_path(gap):
    noise = np.random.default_rng(0).normal(0, 20, (64 * 60, 2)).astype(np.float32)
    info = replace(SIXTY_S.info, sfreq=64.0, channels=("C3", "C4"), units=("uV", "uV"), channel_types=())
    recording = replace(SIXTY_S, info=info, n_samples=len(noise), read=lambda a, b: noise[a:b], annotations=())
    if gap is not None:
        stamps = np.arange(len(noise)) / 64
        recording = replace(recording, stamps=stamps + np.where(stamps >= gap[0], gap[1] - gap[0], 0.0))
    torch.manual_seed(1)
    network = build("conv_lstm", n_channels=2, filters=2, kernel=32, hop=32, units=[2])
    with torch.no_grad():
        network.dense.weight.mul_(20)
    middle = float(np.median(tag(Pipeline(CONFIG, network), recording).scores.data))
    decision = CONFIG.decision.model_copy(update={"threshold": middle, "release": middle})
    pipeline = Pipeline(CONFIG.model_copy(update={"decision": decision}), network)
    live = tag(pipeline, recording)
    again = decide(live.scores, pipeline.config, pipeline.hop_s)
    assert len(live.events) > 3
    assert again.events == live.events
    assert [d.time for d in again.decisions] == [d.time for d in live.decisions]


def test_the_section_refuses_what_cannot_be_meant():
    for values, text in (
        ({"folds": 1}, "wanted 0"),
        ({"inner": 1}, "greater than or equal to 2"),
        ({"operating_point": {"thresholds": [0.0]}}, "greater than 0"),
        ({"operating_point": {"no_alarm_in": []}}, "at least 1 item"),
        ({"leave": 1}, "unknown key 'leave'"),
    ):
        with pytest.raises(Exception, match=text):
            parse(CrossvalConfig, values, "x")
