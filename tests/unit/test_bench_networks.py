"""The benchmarks of networks: what they print, and that both sides train the same network."""

import pytest

from rtbci.bench.keras_models import keras_or_none
from rtbci.bench.step import bench_step
from rtbci.bench.train import CASES, bench_train
from rtbci.models import build
from rtbci.models.network import count_parameters


def test_step_has_a_row_for_each_back_end_and_carried_state_beside_the_whole_window():
    rows = bench_step(window_s=1.0, sfreq=100.0, n_calls=3, n_windows=1).rows
    measured = {(row.network, row.backend, row.samples) for row in rows}
    for backend in ("numpy", "torch-cpu"):
        assert {(name, backend, n) for name in ("lstm_tagger 2x64", "conv_lstm") for n in (1, 8, 64)} <= measured
        assert ("shared_conv_lstm", backend, 32) in measured
        assert ("stacked_lstm, carried state", backend, 8) in measured
    assert ("stacked_lstm, whole window again", "torch-cpu", 100) in measured
    assert all(row.us_p50 > 0 for row in rows)


@pytest.mark.skipif(keras_or_none() is not None, reason="with Keras this takes minutes: rtbci bench train")
def test_train_measures_our_loop_where_keras_is_not_installed():
    rows = bench_train(rounds=1, n_batches=1, threads=2).rows
    assert [(row.network, row.samples, row.channels) for row in rows] == [
        ("conv_lstm", 400, 16), ("channel_lstm", 200, 32)
    ]  # fmt: skip
    assert all(row.rtbci_trials_per_s > 0 for row in rows)
    assert "ratio" not in rows[0].plain()


def test_the_keras_networks_are_the_same_networks():
    if keras_or_none() is None:
        pytest.skip("needs Keras: pip install 'rtbci[bench]'")
    from rtbci.bench import keras_models

    for case in CASES:
        model = getattr(keras_models, case.kind)(case.n_samples, case.n_channels)
        assert model.count_params() == count_parameters(build(case.kind, n_channels=case.n_channels))
