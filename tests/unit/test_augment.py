import numpy as np
import pytest

from rtbci.training.augment import N_OCTAVES, Augment, equalised
from rtbci.training.config import AugmentConfig

TIMES = np.arange(512)


@pytest.mark.parametrize("octave", [1, 2, 5])
def test_a_sine_at_an_octave_below_the_nyquist_frequency_gets_the_gain_of_that_octave(octave):
    sine = np.sin(np.pi * TIMES / 2**octave)[:, None].astype(np.float32)
    octaves = np.log(np.arange(2.0, 2.0 + N_OCTAVES))
    np.testing.assert_allclose(equalised(sine, octaves), sine * (2 + octave), atol=1e-4)


def test_an_offset_gets_the_gain_of_the_lowest_octave():
    octaves = np.log([1.0, 1.0, 4.0])
    np.testing.assert_allclose(equalised(np.ones((64, 2), np.float32), octaves), 4.0, rtol=1e-6)


def test_no_gain_changes_nothing_and_a_channel_of_zeros_stays_one():
    x = np.random.default_rng(0).normal(size=(101, 3)).astype(np.float32)
    np.testing.assert_allclose(equalised(x, np.zeros(N_OCTAVES)), x, atol=1e-6)
    x[:, 1] = 0
    assert not equalised(x, np.random.default_rng(1).normal(size=N_OCTAVES))[:, 1].any()


def test_a_spectrum_is_drawn_last_so_that_what_was_drawn_before_is_as_it_was():
    x = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
    names = ("C3", "C4", "Fp1", "Fp2")
    config = AugmentConfig(gain_sd=0.3, channel_gain_sd=0.2, channel_dropout=0.1, mirror=True, invert=True)
    plain = Augment(config, names).draw(np.random.default_rng(5))
    varied = Augment(config.model_copy(update={"spectrum_sd": 0.4}), names).draw(np.random.default_rng(5))
    assert np.array_equal(plain.order, varied.order) and np.array_equal(plain.gain, varied.gain)
    assert plain.octaves is None and varied.octaves is not None
    np.testing.assert_array_equal(varied(x), equalised(plain(x), varied.octaves))
