import numpy as np
import pytest
import torch

import rtbci.models
from rtbci.errors import ConfigError
from rtbci.models.shared_conv_lstm import SharedConvLSTM, gabor_bank
from rtbci.models.step import make_step

SIZES = {"filters": 6, "waves": 4, "features": 5, "units": (7,)}


@pytest.fixture
def network() -> SharedConvLSTM:
    torch.manual_seed(0)
    return rtbci.models.build("shared_conv_lstm", n_channels=4, **SIZES).eval()


def signal(n_hops: int = 6) -> torch.Tensor:
    return 20 * torch.randn(1, n_hops * 32, 4, generator=torch.Generator().manual_seed(1))


def test_no_weight_depends_on_the_number_of_channels(network):
    wide = rtbci.models.build("shared_conv_lstm", n_channels=64, **SIZES)
    assert {k: v.shape for k, v in wide.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}


def test_the_order_of_the_channels_does_not_matter(network):
    x = signal()
    torch.testing.assert_close(network(x[..., [2, 0, 3, 1]])[0], network(x)[0], atol=1e-5, rtol=1e-5)


def test_silence_in_every_channel_is_answered(network):
    logits, _ = network(torch.zeros(1, 64, 4))
    assert torch.isfinite(logits).all()
    step = make_step(network)
    np.testing.assert_allclose(
        step(np.zeros((64, 4), np.float32), step.initial_state())[0], logits[0].detach(), atol=1e-5
    )


def test_the_running_mean_is_the_mean_of_all_hops_until_its_time_constant():
    torch.manual_seed(0)
    network = rtbci.models.build("shared_conv_lstm", n_channels=2, baseline_hops=3, **SIZES).eval()
    features = torch.arange(5.0).expand(1, 2, 10, 5)  # (batch, channels, n_features, hops)
    running, mean, n_hops = network._running_mean(features, torch.zeros(1, 2, 10), torch.zeros(1, 1))
    expected = torch.tensor([0, 0.5, 1, 1 + 2 / 3, 1 + 2 / 3 + 7 / 9])
    torch.testing.assert_close(running[0, :, 1, 3], expected)
    torch.testing.assert_close(mean, running[:, -1])
    assert n_hops.item() == 5


def test_the_bank_begins_as_sines_of_norm_one_from_the_lowest_to_the_highest_frequency():
    bank = gabor_bank(8, 128)
    np.testing.assert_allclose(np.linalg.norm(bank, axis=1), 1, rtol=1e-6)
    peaks = np.abs(np.fft.rfft(bank, 1280, axis=1)).argmax(axis=1) / 1280 * 128  # Hz at 128 Hz
    np.testing.assert_allclose(peaks[2::2], np.geomspace(1.5, 28, 4)[1:], atol=0.3)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"kernel": 2, "stride": 4}, "kernel .2. must be at least stride .4."),
        ({"hop": 30, "stride": 4}, "hop .30. must be a multiple of stride .4."),
    ],
)
def test_sizes_that_would_skip_samples_are_refused(sizes, said):
    with pytest.raises(ConfigError, match=said):
        rtbci.models.build("shared_conv_lstm", n_channels=2, **sizes)
