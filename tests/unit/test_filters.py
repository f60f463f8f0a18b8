import numpy as np
import pytest
from scipy import signal

from rtbci.errors import StreamMismatch
from rtbci.stages import filters, scaling
from rtbci.stages.filters import FilterConfig
from rtbci.stages.scaling import RunningScaling
from rtbci.types import Chunk


def tone(hz: float, sfreq: float, seconds: float = 20.0) -> Chunk:
    t = np.arange(round(sfreq * seconds)) / sfreq
    return Chunk(100 * np.sin(2 * np.pi * hz * t)[:, None], t)


def gain(stage: filters.SosFilter | filters.Resampler, hz: float, sfreq: float) -> float:
    out = stage.process(tone(hz, sfreq)).data[:, 0]
    return float(np.sqrt(2 * np.mean(out[len(out) // 2 :] ** 2)) / 100)


def test_an_offset_does_not_ring_in_a_high_pass() -> None:
    sos = filters.design(FilterConfig(low_hz=0.5, high_hz=40), 256)
    out = filters.SosFilter(sos).process(Chunk(np.full((500, 2), 3e5, np.float32), np.arange(500) / 256))
    assert np.abs(out.data).max() < 1e-3


def test_the_pass_band_passes_and_the_stop_band_does_not() -> None:
    config = FilterConfig(low_hz=1, high_hz=40, notch_hz=(50,), notch_harmonics=2)
    for hz, low, high in ((10, 0.99, 1.01), (50, 0, 0.01), (100, 0, 0.01), (0.1, 0, 0.01)):
        assert low <= gain(filters.SosFilter(filters.design(config, 256)), hz, 256) <= high


def test_short_and_long_pieces_are_filtered_alike() -> None:
    sos = filters.design(FilterConfig(low_hz=0.5, high_hz=40, notch_hz=(50, 60)), 256)
    x = np.random.default_rng(0).normal(0, 50, (2000, 3)).astype(np.float32) + 1000
    zi = signal.sosfilt_zi(sos)[:, :, None] * x[0].astype(np.float64)
    wanted, _ = signal.sosfilt(sos, x, axis=0, zi=zi)
    stage, at, out = filters.SosFilter(sos), 0, []
    for n in [1, 8, 32, 33, 500, 3, 31] * 10:
        out.append(stage.process(Chunk(x[at : at + n], np.arange(len(x[at : at + n])))).data)
        at += n
    np.testing.assert_allclose(np.concatenate(out), wanted[: len(np.concatenate(out))], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("fast", "slow"), [(256, 128), (200, 128), (500, 128), (173.61, 128), (160, 128)])
def test_a_tone_keeps_its_amplitude_and_aliases_are_removed(fast: float, slow: float) -> None:
    assert gain(filters.Resampler(fast, slow), 10, fast) == pytest.approx(1, abs=0.01)
    if fast > 1.9 * slow:
        assert gain(filters.Resampler(fast, slow), 0.8 * slow, fast) < 0.01


def test_resampling_equals_scipys_resample_poly_delayed() -> None:
    x = np.random.default_rng(1).normal(0, 1, (4000, 2))
    stage = filters.Resampler(200, 128)
    out = stage.process(Chunk(x, np.arange(4000) / 200)).data
    wanted = signal.resample_poly(x, stage.up, stage.down, axis=0)
    delay = 10 * stage.down / stage.down  # half the filter, in output samples
    n = round(delay)
    assert out[300 : 300 + 2000] == pytest.approx(wanted[300 - n : 2300 - n], abs=2e-3)


def test_a_constant_passes_the_resampler_exactly_from_the_first_sample() -> None:
    for rates in ((256, 128), (200, 128), (200, 256), (173.61, 128)):
        out = filters.Resampler(*rates).process(Chunk(np.full((300, 1), 12345.0), np.arange(300.0)))
        np.testing.assert_array_equal(out.data, np.float32(12345.0))


def test_rates_keep_their_ratio() -> None:
    stage = filters.Resampler(200, 128)
    n = sum(len(stage.process(Chunk(np.zeros((k, 1)), np.arange(k)))) for k in [7] * 20_000)
    assert n == 140_000 * 128 // 200


def test_an_invalid_sample_marks_the_output_that_follows_it() -> None:
    valid = np.ones(10, bool)
    valid[3] = False
    out = filters.Resampler(256, 128).process(Chunk(np.zeros((10, 1)), np.arange(10), valid))
    assert out.times.tolist() == [0, 2, 4, 6, 8]
    assert out.valid.tolist() == [True, True, False, True, True]


def test_an_impossible_ratio_is_refused() -> None:
    with pytest.raises(StreamMismatch, match="no rational resampling"):
        filters.Resampler(1e9, 128.123456789)


def test_running_scaling_follows_the_amplitude_and_forgets_with_its_time_constant() -> None:
    config = RunningScaling(start_uv=10, time_constant_s=30, start_weight_s=0)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 50, (6000, 4)), rng.normal(0, 5, (3000, 4))])
    stage = scaling.RunningScaler(config, 100)
    stage.process(Chunk(x[:6000], np.arange(6000) / 100))
    assert stage.scale_uv == pytest.approx(50, rel=0.05)
    stage.process(Chunk(x[6000:], np.arange(3000) / 100))
    # After one time constant 1 - 1/e of the way is done, on a logarithmic scale.
    assert stage.scale_uv == pytest.approx(5 * (50 / 5) ** np.exp(-1), rel=0.1)


def test_one_dead_channel_does_not_move_the_running_scaling() -> None:
    x = np.random.default_rng(0).normal(0, 50, (3000, 5))
    x[:, 2] = 0
    stage = scaling.RunningScaler(RunningScaling(start_uv=50), 100)
    stage.process(Chunk(x, np.arange(3000) / 100))
    assert stage.scale_uv == pytest.approx(48, rel=0.1)


def test_invalid_stretches_teach_the_running_scaling_nothing() -> None:
    stage = scaling.RunningScaler(RunningScaling(start_uv=50), 100)
    stage.process(Chunk(np.full((1000, 3), 9000.0), np.arange(1000) / 100, np.zeros(1000, bool)))
    assert stage.scale_uv == pytest.approx(50)


def test_the_group_delay_is_that_of_the_filter() -> None:
    sos = filters.design(FilterConfig(low_hz=0.5, high_hz=40), 256)
    b, a = signal.sos2tf(sos)
    freqs = np.array([5.0, 10.0, 20.0, 30.0])
    _, wanted = signal.group_delay((b, a), w=freqs, fs=256)
    np.testing.assert_allclose(filters.group_delay_s(sos, 256, freqs) * 256, wanted, rtol=1e-3)
