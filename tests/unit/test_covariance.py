"""The covariance network: its readout sees what it says it sees, and whitening is learned, not drawn."""

import numpy as np
import pytest
import torch

from rtbci.errors import ConfigError
from rtbci.models import build
from rtbci.models.covariance import Whitening, log_matrix


def test_the_logarithm_of_a_matrix_is_the_inverse_of_its_exponential():
    a = torch.randn(5, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    symmetric = a + a.mT
    torch.testing.assert_close(log_matrix(torch.matrix_exp(symmetric)), symmetric)


def test_whitening_makes_what_it_has_learned_uncorrelated_with_variance_one():
    x = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) @ torch.tensor(
        [[3.0, 2, 0], [0, 3, 1], [0, 0, 4]]
    )
    layer = Whitening(3)
    for part in x.split(100):
        layer.learn((part.T @ part / 100)[None].expand(7, 3, 3))
    z = layer(x)
    torch.testing.assert_close(z.T @ z / 4000, torch.eye(3), atol=0.05, rtol=0)
    assert layer.n_seen == 40 * 7


def test_the_means_lie_side_by_side_and_end_with_the_window():
    network = build("covariance", n_channels=2, window=12, means=(4, 2), taps=5).eval()
    x = torch.arange(24.0).reshape(1, 12, 2)
    assert network.slow(x).tolist() == [[15.0, 16.0, 21.0, 22.0]]


def test_without_means_the_covariance_alone_is_read_out_and_a_slow_potential_is_not_seen():
    torch.manual_seed(0)
    network = build("covariance", n_channels=3, window=60, means=(), taps=9)
    x = torch.randn(8, 60, 3)
    network(x)
    network.eval()
    assert network.dense.in_features == 6
    assert network.shares.tolist() == [1.0] * 6
    slow = torch.linspace(0, 1, 60)[None, :, None]
    torch.testing.assert_close(network(x + slow)[0], network(x)[0], atol=1e-4, rtol=0)


def test_with_one_tap_nothing_is_filtered_and_unstandardised_features_are_the_logarithm_itself():
    network = build("covariance", n_channels=2, window=40, means=(), taps=1, shrinkage=0.0, standardise=False).eval()
    x = torch.randn(5, 40, 2, generator=torch.Generator().manual_seed(0))
    logarithm = log_matrix((x.mT @ x / 40).double())
    wanted = torch.stack([logarithm[:, 0, 0], 2**0.5 * logarithm[:, 0, 1], logarithm[:, 1, 1]], 1).float()
    torch.testing.assert_close(network.fast(x), wanted)
    torch.testing.assert_close(network(x)[0], network.dense(wanted))


def test_the_fast_part_does_not_see_an_offset_and_grows_with_the_power_of_its_band():
    network = build("covariance", n_channels=2, window=200, taps=21).eval()
    t = torch.arange(200.0)
    x = torch.stack([torch.sin(2 * np.pi * 0.25 * t), torch.cos(2 * np.pi * 0.25 * t)], 1)[None]
    quiet, loud = network.fast(x), network.fast(10 * x)
    torch.testing.assert_close(network.fast(x + 1000), quiet, atol=0.05, rtol=0)
    torch.testing.assert_close(loud - quiet, 2 * np.log(10) * torch.tensor([[1.0, 0, 1]]), atol=0.05, rtol=0)


def test_nothing_is_learned_in_evaluation_and_a_trial_is_answered_alike_alone_and_among_others():
    torch.manual_seed(0)
    network = build("covariance", n_channels=6)
    x = torch.randn(9, 50, 6)
    network(x)
    before = {name: value.clone() for name, value in network.eval().state_dict().items()}
    together = network(x)[0]
    torch.testing.assert_close(torch.cat([network(one)[0] for one in x.split(1)]), together, rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    "sizes", [{"means": (40, 11)}, {"taps": 50}, {"taps": 2}, {"band": (0.4, 0.2)}, {"band": (0.1, 0.5)}]
)
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ConfigError, match=r"means|taps|band"):
        build("covariance", n_channels=2, **sizes)
