import numpy as np
import pytest
import torch

import rtbci.models
from rtbci.models.numpy_step import NumpyStep, has_numpy_step
from rtbci.models.step import HopByHop, TorchStep, make_step, resolve_device

NETWORKS = [
    ("lstm_tagger", {"n_channels": 4, "units": (8, 6, 7), "n_classes": 2}),
    ("lstm_tagger", {"n_channels": 4, "units": (8,), "hop": 3}),
    ("lstm_tagger", {"n_channels": 4, "units": (8,), "hop": 100}),
    ("conv_lstm", {"n_channels": 4, "filters": 6, "units": (8, 5)}),
    ("conv_lstm", {"n_channels": 4, "filters": 6, "units": (8,), "kernel": 9, "hop": 4}),
    ("conv_lstm", {"n_channels": 4, "filters": 6, "units": (8,), "kernel": 4, "hop": 4}),
    ("spatial_conv_lstm", {"n_channels": 6, "filters": 3, "kernel": 3, "units": (8, 5)}),
    (
        "shared_conv_lstm",
        {"n_channels": 5, "filters": 5, "waves": 3, "features": 6, "units": (8, 5), "baseline_hops": 9},
    ),
    ("shared_conv_lstm", {"n_channels": 3, "kernel": 9, "stride": 3, "hop": 6, "span": 1, "units": (4,)}),
]


@pytest.fixture(params=NETWORKS, ids=lambda case: f"{case[0]}-hop{case[1].get('hop', 1)}")
def network(request):
    torch.manual_seed(3)
    network = rtbci.models.build(request.param[0], **request.param[1]).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter) * parameter.requires_grad
    return network


def signal(network, n_hops):
    return np.random.default_rng(4).standard_normal((n_hops * network.hop, network.n_channels)).astype(np.float32)


def run(step, x, cuts):
    state, parts = step.initial_state(), []
    for piece in np.split(x, cuts):
        logits, state = step(piece, state)
        parts.append(logits)
    return np.concatenate(parts)


def some_cuts(seed, n_hops, hop):
    """Ragged, with empty pieces."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(0, n_hops + 1, rng.integers(1, n_hops))) * hop


def hop_by_hop(network):
    return HopByHop(TorchStep(network), network.hop)


@pytest.mark.parametrize("make", [NumpyStep, TorchStep, hop_by_hop])
def test_a_step_is_the_network_however_its_samples_are_cut(network, make):
    n_hops = 120
    x = signal(network, n_hops)
    whole = network(torch.tensor(x)[None])[0][0].detach().numpy()
    for seed in range(5):
        logits = run(make(network), x, some_cuts(seed, n_hops, network.hop))
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [NumpyStep, hop_by_hop])
def test_on_a_cpu_no_cut_changes_a_bit(network, make):
    n_hops = 150
    x = signal(network, n_hops)
    whole = run(make(network), x, [])
    for seed in range(5):
        assert np.array_equal(run(make(network), x, some_cuts(seed, n_hops, network.hop)), whole)


def test_on_a_cpu_no_cut_changes_a_bit_of_a_wide_network():
    """Products of this size are those that BLAS divides among threads, and sums in blocks."""
    torch.manual_seed(6)
    network = rtbci.models.build("conv_lstm", n_channels=18, filters=64, kernel=64, hop=8, units=(96, 64)).eval()
    x = signal(network, 200)
    whole = run(make_step(network), x, [])
    for seed in range(10):
        assert np.array_equal(run(make_step(network), x, some_cuts(seed, 200, network.hop)), whole)


@pytest.mark.parametrize("kind", ["lstm_tagger", "conv_lstm", "spatial_conv_lstm"])
def test_numpy_stays_with_torch_over_a_long_run(kind):
    torch.manual_seed(5)
    network = rtbci.models.build(kind, n_channels=8, units=(16, 16)).eval()
    x = signal(network, 20_000)
    logits = run(NumpyStep(network), x, np.arange(8, len(x), 8))
    whole = network(torch.tensor(x)[None])[0][0].detach().numpy()
    np.testing.assert_allclose(logits, whole, rtol=1e-5, atol=1e-5)


def test_huge_and_tiny_inputs_saturate_without_a_warning(network):
    for scale in (1e6, 1e-42):
        x = signal(network, 50) * np.float32(scale)
        want = network(torch.tensor(x)[None])[0][0].detach().numpy()
        np.testing.assert_allclose(NumpyStep(network)(x, NumpyStep(network).initial_state())[0], want, atol=1e-5)


def test_a_step_leaves_the_state_it_was_given_alone(network):
    step = make_step(network)
    x = signal(network, 5)
    _, state = step(x, step.initial_state())
    before = [array.copy() for array in state]
    first, _ = step(x, state)
    again, _ = step(x, state)
    assert all(np.array_equal(a, b) for a, b in zip(before, state, strict=True))
    assert np.array_equal(first, again)


def test_two_streams_through_one_step_do_not_mix(network):
    step, alone = make_step(network), make_step(network)
    x, other = signal(network, 6), -signal(network, 6)
    first, state = step(x[: 3 * network.hop], step.initial_state())
    step(other, step.initial_state())
    second, _ = step(x[3 * network.hop :], state)
    whole, _ = alone(x, alone.initial_state())
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "sizes", "step"),
    [
        ("lstm_tagger", {}, NumpyStep),
        ("conv_lstm", {}, NumpyStep),
        ("spatial_conv_lstm", {}, NumpyStep),
        ("shared_conv_lstm", {}, NumpyStep),
        ("conv_lstm", {"kernel": 20_000, "filters": 1}, HopByHop),
        ("conv_lstm", {"padding": "same"}, TorchStep),
        ("lstm_tagger", {"bidirectional": True}, TorchStep),
    ],
)
def test_every_tagger_has_a_step(kind, sizes, step):
    network = rtbci.models.build(kind, n_channels=6, **sizes)
    assert isinstance(make_step(network), step)
    assert has_numpy_step(network) == (step is NumpyStep)
    logits, _ = make_step(network)(signal(network, 20), make_step(network).initial_state())
    assert logits.shape == (20, 1)


@pytest.mark.parametrize("kind", ["conv_lstm", "small_lstm"])
def test_the_faster_device_is_one_that_is_there(kind):
    device = resolve_device(rtbci.models.build(kind, n_channels=3), "auto")
    assert device == "cpu" or torch.cuda.is_available()


def test_a_step_leaves_the_shared_network_alone():
    network = rtbci.models.build("spatial_conv_lstm", n_channels=6).train()
    step = TorchStep(network)
    before = step(signal(network, 5), step.initial_state())[0]
    with torch.no_grad():
        network.dense.bias += 1
    assert network.training
    assert np.array_equal(step(signal(network, 5), step.initial_state())[0], before)
