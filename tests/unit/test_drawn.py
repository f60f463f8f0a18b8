from dataclasses import replace

import numpy as np
import pytest
from electrodes_kit import config_of, write_patients

from rtbci.errors import ConfigError
from rtbci.simulation.eeg import synthesise
from rtbci.training.drawn import DrawnBatches
from rtbci.training.electrode_selection.comparison import without_selector
from rtbci.training.examples import Example, find_sources
from rtbci.training.sampling import SamplingConfig
from rtbci.training.source import Source
from rtbci.training.splits import require_groups
from rtbci.training.step_labels import StepLabels

STEP_S, HOP = 0.5, 2
PLAIN = {"duration_s": 4.0, "sequences": 40, "lead_in": 0.0, "from_the_start": 1.0, "crossfade_s": 0.0}


def example(name, group, subject, value, truth):
    """A recording of one value, with a label at each step of 0.5 s."""
    source = Source(name, synthesise(0, 10.0), (), "background", 1, False, subject=subject, category=group)
    y = np.array(truth, np.float32)[:, None]
    x = np.full((len(y) * HOP, 1), value, np.float32)
    times = np.arange(HOP - 1, len(x), HOP) / 4
    return Example(source, x, times, StepLabels.of(y, np.ones(len(y), np.bool_)), HOP)


SEIZURE = example("sz", "seizures", "anna", 1, [0] * 4 + [1] * 6)
BEFORE = example("quiet", "quiet", "bert", 2, [0] * 20)
AFTER = example("post", "after", "anna", 3, [0] * 20)


def drawn(examples, seed=0, rows=8, **changes):
    config = SamplingConfig(**{**PLAIN, **changes})
    batches = DrawnBatches(examples, config, rows, STEP_S, np.random.default_rng(seed))
    parts = [(b.x.numpy()[..., 0], b.y.numpy()[..., 0], b.known.numpy(), b.fresh.numpy()) for b in batches]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def test_groups_are_drawn_by_their_shares_and_each_sequence_is_fresh():
    x, _, known, fresh = drawn([SEIZURE, BEFORE, AFTER], sequences=4000, shares={"sei*": 3, "quiet": 1})
    assert len(x) == 4000 and fresh.all() and known[x[:, 0] == 2].all()
    assert set(x[:, 0]) == {1, 2}  # of "after" nothing
    assert np.mean(x[:, 0] == 1) == pytest.approx(0.75, abs=0.03)


def test_a_recording_belongs_to_the_first_pattern_that_matches():
    x, *_ = drawn([SEIZURE, BEFORE], sequences=4000, shares={"quiet": 1, "*": 1})
    assert np.mean(x[:, 0] == 1) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("exponent", "share"), [(0.0, 1 / 2), (0.5, 2 / 3), (1.0, 4 / 5)])
def test_a_subject_with_many_recordings_weighs_by_the_exponent(exponent, share):
    many = [example(f"s{i}", "seizures", "anna", 1, [1] * 8) for i in range(4)]
    one = example("t", "seizures", "carl", 5, [1] * 8)
    x, *_ = drawn([*many, one], sequences=4000, shares={"*": 1}, subject_exponent=exponent)
    assert np.mean(x[:, 0] == 1) == pytest.approx(share, abs=0.03)


def test_one_that_begins_at_the_start_holds_the_onset_wherever_it_is():
    long = example("sz", "seizures", "anna", 1, [0] * 100 + [1] * 100)
    _, y, *_ = drawn([long], sequences=500, shares={"*": 1})
    onsets = y.argmax(axis=1)
    assert y.any(axis=1).all() and set(onsets) == set(range(5))  # up to half of the sequence before it


def test_background_begins_anywhere_though_sequences_with_a_class_begin_before_it():
    rising = Example(BEFORE.source, np.arange(40, dtype=np.float32)[:, None], *(
        getattr(BEFORE, name) for name in ("times", "labels", "hop")))  # fmt: skip
    x, *_ = drawn([rising], sequences=500, shares={"*": 1})
    assert set(x[:, 0]) == set(range(0, 25, HOP))  # 20 steps, of which a sequence has 8


def test_where_a_recording_ends_early_the_rest_is_unknown():
    short = example("sz", "seizures", "anna", 1, [1, 1, 1])
    x, y, known, _ = drawn([short], shares={"*": 1})
    assert (known == ([True] * 3 + [False] * 5)).all()
    assert (x == [1] * 6 + [0] * 10).all() and (y == [1] * 3 + [0] * 5).all()


def test_background_of_the_same_subject_or_of_a_named_group_stands_before_the_onset():
    x, y, known, _ = drawn(
        [SEIZURE, BEFORE, AFTER],
        sequences=2000,
        shares={"seizures": 1},
        lead_in=1.0,
        lead_in_from=["quiet"],
        lead_in_s=(1, 2),
    )
    assert known.all() and set(x[:, 0]) == {2, 3}
    assert np.mean(x[:, 0] == 3) == pytest.approx(0.5, abs=0.05)
    assert set((x != 1).sum(axis=1) // HOP) == {2, 3, 4}  # 1 to 2 s
    assert (y[x[:, ::HOP] != 1] == 0).all() and y.any(axis=1).all()


def test_two_recordings_are_cross_faded_at_equal_power():
    x, *_ = drawn(
        [SEIZURE, BEFORE],
        shares={"seizures": 1},
        lead_in=1.0,
        lead_in_from=["quiet"],
        lead_in_s=(1, 1),
        crossfade_s=1.0,
    )
    share = np.array([0, 1 / 3, 2 / 3, 1])
    expected = [2, 2, 2, 2, *(np.sqrt(share) * 1 + np.sqrt(1 - share) * 2), *[1] * 8]
    np.testing.assert_allclose(x, np.tile(expected, (40, 1)), rtol=1e-6)


def test_the_first_seconds_of_a_class_count_as_little_as_they_are_told_to():
    _, y, known, _ = drawn([SEIZURE], shares={"*": 1}, onset_s=1.0, onset_weight=0.25)
    for labels, weights in zip(y, known, strict=True):
        onset = int(labels.argmax())
        expected = np.where(np.arange(8) < onset + 6, 1.0, 0.0)  # six steps of seizure, and the recording ends
        expected[onset : onset + 2] = 0.25
        np.testing.assert_array_equal(weights, expected)


def test_a_seed_decides_everything():
    settings = {"shares": {"*": 1}, "lead_in": 0.5, "from_the_start": 0.5}
    first, again = (drawn([SEIZURE, BEFORE, AFTER], seed=3, **settings) for _ in range(2))
    other = drawn([SEIZURE, BEFORE, AFTER], seed=4, **settings)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_pattern_without_a_group_is_refused_and_the_groups_are_named():
    with pytest.raises(
        ConfigError, match=r"sampling\.shares: no group of recordings matches 'seisures'; there are quiet, seizures"
    ):
        require_groups([SEIZURE.source, BEFORE.source], ["seisures"], "sampling.shares")
    with pytest.raises(ConfigError, match="matches no recording with a known label"):
        drawn([BEFORE], shares={"seizures": 1})


def test_what_says_nothing_beside_drawn_sequences_is_told(tmp_path):
    write_patients(tmp_path)
    told: list[str] = []
    find_sources(config_of(tmp_path), told.append)
    assert not any("not used" in line for line in told)
    find_sources(config_of(tmp_path, "training.visit_s=20.0"), told.append)
    assert told[-1] == "training.visit_s: not used, for [sampling] says what is drawn, and how often"


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            "sampling.shares={nobody=1}",
            r"sampling\.shares: no group of recordings matches 'nobody'; there are quiet, seizures",
        ),
        ("sampling.lead_in_from=['x']", r"sampling\.lead_in_from: no group of recordings matches 'x'"),
    ],
)
def test_a_group_that_is_not_there_is_one_line_before_anything_is_read(tmp_path, setting, line):
    write_patients(tmp_path)
    with pytest.raises(ConfigError, match=line):
        find_sources(config_of(tmp_path, setting))


def test_where_sequences_cannot_be_drawn_sampling_is_refused(tmp_path):
    write_patients(tmp_path)
    with pytest.raises(ConfigError, match="sampling is for taggers, and a msfbcnn takes trials"):
        config_of(
            tmp_path, "pipeline.model={kind='msfbcnn', n_classes=1, window=64, pool=20, pool_hop=10, kernels=[9]}"
        )
    plain = config_of(tmp_path, "augment.gain_sd=0.0")
    with pytest.raises(ConfigError, match="remove .sampling., or select --by-patient"):
        without_selector(plain)


def test_each_seizure_of_a_night_is_shown_alike():
    night = example("night", "seizures", "anna", 1, ([0] * 130 + [1] * 20) * 3)
    marked = replace(night, x=np.repeat(np.arange(night.n_steps), HOP).astype(np.float32)[:, None])
    x, y, *_ = drawn([marked], sequences=900, shares={"*": 1})
    onsets = [row[np.flatnonzero(np.diff(label, prepend=0) > 0)[0] * HOP] for row, label in zip(x, y, strict=True)]
    counts = [onsets.count(float(at)) for at in (130, 280, 430)]
    assert sum(counts) == 900
    assert min(counts) > 250


def test_the_hours_before_a_seizure_are_background_too():
    night = example("night", "seizures", "anna", 1, [0] * 400 + [1] * 20 + [0] * 100)
    marked = replace(night, x=np.repeat(np.arange(night.n_steps), HOP).astype(np.float32)[:, None])
    x, *_ = drawn([marked], sequences=900, shares={"*": 1}, from_the_start=0.0)
    starts = x[:, 0]
    assert starts.min() < 20
    assert np.mean(starts < 400) == pytest.approx(400 / 513, abs=0.05)


def test_a_class_that_was_not_drawn_is_in_the_last_sequences_of_the_epoch():
    quiet = [example(f"q{i}", "all", f"p{i}", 0, [0] * 40) for i in range(200)]
    rare = example("rare", "all", "anna", 1, [0] * 20 + [1] * 6 + [0] * 20)
    for seed in range(20):
        _, y, known, _ = drawn([*quiet, rare], seed, sequences=12, rows=5, shares={"*": 1})
        assert (y[known > 0] > 0.5).any()
        assert (y[:-1].any(axis=1).sum() == 0) == (y[-1].max() > 0.5)  # only where the draw left it out


def test_an_epoch_in_which_every_class_was_drawn_is_as_it_was_drawn():
    quiet = example("quiet", "all", "bert", 0, [0] * 40)
    first = drawn([SEIZURE, quiet], 3, sequences=40, shares={"*": 1})
    longer = drawn([SEIZURE, quiet], 3, sequences=400, shares={"*": 1})
    for one, other in zip(first, longer, strict=True):
        np.testing.assert_array_equal(one, other[:40])
