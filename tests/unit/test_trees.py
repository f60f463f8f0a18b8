"""The baseline of boosted trees: features of known signals, and answers at the hops that a network would answer."""

from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest
from crossval_kit import config_of, write_patients
from cutting import INFO, eeg, make_pipeline
from cutting import SFREQ as STREAM_HZ

from rtbci.errors import ConfigError
from rtbci.evaluation.tagging import tag
from rtbci.models import from_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.recording import Recording
from rtbci.recordings.stamps import Segments
from rtbci.simulation.eeg import synthesise
from rtbci.stages.gap_guard import GapConfig
from rtbci.stages.scaling import NoScaling
from rtbci.training.crossval.fold import data_of
from rtbci.training.crossval.run import crossval, prepared
from rtbci.training.crossval.trees import BANDS_HZ, Described, Forest, bare_pipeline, describe, features_of
from rtbci.training.examples import find_sources
from rtbci.training.source import Source

SFREQ, HOP = 128.0, 32
SECONDS = np.arange(4 * 128) / 128
MEAN, MOST, SD, MEDIAN = (slice(11 * i, 11 * (i + 1)) for i in range(4))


@pytest.mark.parametrize("hz", [3, 9, 20, 34])
def test_the_power_of_a_sine_is_in_its_band_and_is_half_the_square_of_its_amplitude(hz):
    x = np.stack([10 * np.sin(2 * np.pi * hz * SECONDS)] * 2, 1).astype(np.float32)
    last = features_of(x, HOP, SFREQ)[-1]
    band = next(i for i, (low, high) in enumerate(BANDS_HZ) if low <= hz < high)
    assert np.exp(last[MEAN][band]) == pytest.approx(50, rel=0.02)
    others = [i for i, (low, high) in enumerate(BANDS_HZ) if high <= hz - 1 or low >= hz + 1]
    assert all(np.exp(last[MEAN][i]) < 0.1 for i in others)
    np.testing.assert_allclose(last[SD], 0, atol=1e-6)


def test_the_line_length_of_a_ramp_is_its_step_and_pooling_is_over_channels():
    steps = np.array([1.0, 2.0, 8.0])
    x = (np.arange(512)[:, None] * steps).astype(np.float32)
    last = features_of(x, HOP, SFREQ)[-1]
    lengths = np.log(steps**2 + 1e-3)
    for part, expected in ((MEAN, lengths.mean()), (MOST, lengths[2]), (SD, lengths.std()), (MEDIAN, lengths[1])):
        assert last[part][10] == pytest.approx(expected, rel=1e-5)


def test_features_do_not_depend_on_later_samples():
    x = np.random.default_rng(0).normal(size=(20 * HOP, 3)).astype(np.float32)
    whole = features_of(x, HOP, SFREQ)
    assert whole.shape == (20, 44)
    for n in (1, 7, 19):
        np.testing.assert_array_equal(features_of(x[: n * HOP], HOP, SFREQ), whole[:n])
    assert features_of(x[:0], HOP, SFREQ).shape == (0, 44)


def described(subject: str, n: int, shift: float) -> Described:
    """Hops in which the class holds where the first feature is above `shift`."""
    source = Source(subject, synthesise(0, 10.0), (), "background", 1, False, subject=subject)
    features = np.random.default_rng(n).normal(size=(n, 44)).astype(np.float32)
    y = (features[:, :1] > shift).astype(np.float32)
    return Described(source, np.arange(n) / 4, np.ones(n, np.bool_), features, y, np.ones(n, np.bool_))


def test_the_trees_learn_what_can_be_learned_and_a_seed_gives_the_same_trees():
    first, again = (Forest([described("anna", 900, 0.0), described("bert", 600, 0.0)], seed=1) for _ in range(2))
    new = described("carl", 300, 0.0)
    answer = first.answer(new)
    assert np.mean((answer.data > 0.5) == (new.y > 0.5)) > 0.97
    np.testing.assert_array_equal(answer.data, again.answer(new).data)


def test_hops_whose_label_is_not_known_teach_nothing():
    right, wrong = described("anna", 900, 0.0), described("bert", 900, 0.0)
    wrong.y[:] = 1 - wrong.y
    wrong.known[:] = False
    new = described("carl", 300, 0.0)
    np.testing.assert_array_equal(Forest([right, wrong], 0).answer(new).data, Forest([right], 0).answer(new).data)


def recording_of(n: int, *gaps: tuple[int, float]) -> Recording:
    """A stream in which, from each sample on, so many more seconds have passed."""
    data, firsts, onsets = eeg(n).data, [0], [0.0]
    for first, missing_s in gaps:
        onsets.append(onsets[-1] + (first - firsts[-1]) / STREAM_HZ + missing_s)
        firsts.append(first)
    stamps = Segments(tuple(firsts), tuple(onsets), n, STREAM_HZ)
    return Recording(Path("a.edf"), "EDF", INFO, n, lambda a, b: data[a:b], stamps=stamps)


@pytest.mark.parametrize("warmup_s", [0.0, 2.0])
@pytest.mark.parametrize("gaps", [(), ((1001, 20 / STREAM_HZ), (3003, 100.0))])
def test_trees_answer_the_hops_that_a_network_answers_and_trust_the_same_ones(gaps, warmup_s):
    pipeline = make_pipeline(scaling=NoScaling(), gaps=GapConfig(warmup_s=warmup_s))
    recording = recording_of(6000, *gaps)
    live = tag(pipeline, recording).scores
    got = describe(pipeline, Source("a", recording, (), "background", 1, False))
    np.testing.assert_array_equal(got.times, live.times)
    np.testing.assert_array_equal(got.valid, live.valid)
    np.testing.assert_array_equal(got.known, live.valid)
    assert got.valid.any() and got.valid.all() == (not gaps and not warmup_s)


def test_windows_do_not_reach_over_a_gap():
    pipeline = make_pipeline(scaling=NoScaling())
    recording = recording_of(6000, (3003, 100.0))
    late = describe(pipeline, Source("a", recording, (), "background", 1, False))
    data = recording.read(3003, 6000)
    alone = replace(recording, stamps=None, n_samples=len(data), read=lambda a, b: data[a:b])
    want = describe(pipeline, Source("b", alone, (), "background", 1, False)).features
    np.testing.assert_array_equal(late.features[-len(want) :], want)


def test_where_the_network_has_too_many_bad_channels_to_answer_the_trees_have_none_either(tmp_path):
    write_patients(tmp_path)
    noise = np.random.default_rng(0).normal(0, 10, (40 * 64, 2))
    noise[20 * 64 :] = 0
    signals = [
        edfio.EdfSignal(x, 64, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for x, name in zip(noise.T, ("C3", "C4"), strict=True)
    ]
    edfio.Edf(signals).write(tmp_path / "qa_rest.edf")
    config, _ = prepared(config_of(tmp_path, "augment.channel_dropout=0.4"))
    source = next(one for one in find_sources(config) if one.name == "qa_rest.edf")
    sized = data_of(config, find_sources(config), frozenset()).pipeline_config
    live = tag(Pipeline(sized, from_config(sized.model)), source.recording).scores
    assert live.valid[:100].all() and not live.valid[-50:].any()
    np.testing.assert_array_equal(describe(bare_pipeline(config), source).valid, live.valid)


def test_a_recording_without_a_whole_hop_has_an_empty_answer():
    right = described("anna", 900, 0.0)
    none = replace(right, times=right.times[:0], valid=right.valid[:0], features=right.features[:0])
    assert Forest([right], 0).answer(none).data.shape == (0, 1)


def test_labels_of_one_kind_alone_are_refused_in_one_line(tmp_path):
    write_patients(tmp_path)
    config = config_of(tmp_path, "crossval.baseline=true", "crossval.operating_point.no_alarm_in=['*']")
    group = config.data.recordings[0].model_copy(update={"elsewhere": "unknown"})
    data = config.data.model_copy(update={"recordings": (group,)})
    with pytest.raises(
        ConfigError, match="^'seizure' holds at every known hop of the recordings of a fit, and boosted"
    ):
        crossval(config.model_copy(update={"data": data}), tmp_path / "out")
