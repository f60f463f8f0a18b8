import numpy as np
import pytest

from rtbci.simulation.eeg import synthesise
from rtbci.training.crossval.trees import BANDS_HZ, Described, Forest, features_of
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
