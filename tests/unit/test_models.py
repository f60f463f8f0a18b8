import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import rtbci.models
from rtbci.errors import ConfigError
from rtbci.models.gumbel_selector import ElectrodeSelector, SelectionNet, tau_at, temperature_at
from rtbci.models.lstm import lstm_layer
from rtbci.models.network import Network, count_parameters
from rtbci.training.threads import divisible, in_parts

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT.parent / "shared" / "reference"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the originals' outputs are not in ../shared")

ORIGINALS = [
    ("stacked_lstm", {"n_channels": 32}, 542_854),
    ("channel_lstm", {"n_channels": 32}, 132_614),
    ("small_lstm", {"n_channels": 28}, 2_732),
    ("conv_lstm", {"n_channels": 16}, 12_481),
    ("conv_lstm", {"n_channels": 16, "padding": "same"}, 12_481),
    ("conv_pool_lstm", {"n_channels": 16}, 25_648),
    ("spatial_conv_lstm", {"n_channels": 16}, 17_609),
    ("lstm_tagger", {"n_channels": 22}, 13_681),
    ("lstm_tagger", {"n_channels": 22, "bidirectional": True}, 27_361),
    ("msfbcnn", {"n_channels": 44}, 22_044),
    ("selection", {"n_channels": 44, "n_select": 5}, 22_044 - 39 * 400 + 44 * 5),
]

CAUSAL_TAGGERS = [
    ("conv_lstm", {"n_channels": 3, "filters": 5, "kernel": 8, "units": (6,)}),
    ("conv_lstm", {"n_channels": 3, "filters": 5, "kernel": 9, "units": (6, 4), "hop": 4, "n_classes": 2}),
    ("conv_lstm", {"n_channels": 3, "filters": 5, "kernel": 4, "units": (6,), "hop": 4}),
    ("spatial_conv_lstm", {"n_channels": 6, "filters": 2, "kernel": 3, "units": (5,)}),
    ("shared_conv_lstm", {"n_channels": 4, "units": (5,), "baseline_hops": 5}),
    (
        "shared_conv_lstm",
        {"n_channels": 4, "kernel": 8, "stride": 2, "hop": 6, "span": 3, "units": (5,), "n_classes": 2},
    ),
    ("lstm_tagger", {"n_channels": 3, "units": (7, 5, 6)}),
    ("lstm_tagger", {"n_channels": 3, "units": (7,), "hop": 3, "n_classes": 4}),
    ("selection", {"n_channels": 9, "n_select": 3, "network": {"kind": "conv_lstm", "hop": 2}}),
]


def build(kind: str, sizes: dict) -> Network:
    torch.manual_seed(1)
    return rtbci.models.build(kind, **sizes).eval()


def signal(network: Network, n_hops: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, n_hops * network.hop, network.n_channels, generator=torch.manual_seed(2))


@pytest.fixture(params=CAUSAL_TAGGERS, ids=lambda case: f"{case[0]}-hop{case[1].get('hop', 1)}")
def tagger(request: pytest.FixtureRequest) -> Network:
    return build(*request.param)


@pytest.mark.parametrize(("kind", "sizes", "count"), ORIGINALS)
def test_parameters_are_counted_as_in_the_original(kind, sizes, count):
    assert count_parameters(build(kind, sizes)) == count


@needs_reference
@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.npz")), ids=lambda path: path.stem)
def test_reference_weights_give_the_reference_output(path, check_reference):
    finding = check_reference.check(check_reference.Reference.read(path))
    assert finding.error <= 1e-5


@needs_reference
def test_the_reference_tool_passes_the_originals_and_counts_them(check_reference, capsys):
    assert check_reference.main([str(REFERENCE)]) == 0
    assert capsys.readouterr().out.count(" ok ") == len(list(REFERENCE.glob("*.npz")))


@needs_reference
@pytest.mark.parametrize(("key", "change"), [("params", 1), ("y", 1e-3)])
def test_the_reference_tool_fails_on_a_wrong_count_or_output(check_reference, tmp_path, key, change):
    arrays = dict(np.load(REFERENCE / "bci2_lstm.npz"))
    arrays[key] = arrays[key] + change
    np.savez(tmp_path / "bci2_lstm.npz", **arrays)
    assert check_reference.main([str(tmp_path)]) == 1


def test_the_reference_tool_says_in_one_line_what_it_cannot_read(check_reference, tmp_path, capsys):
    assert check_reference.main([str(tmp_path / "nowhere")]) == 2
    (tmp_path / "msfbcnn.npz").write_bytes(b"not a zip")
    assert check_reference.main([str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.fixture
def check_reference(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return __import__("check_reference")


def test_importing_the_models_does_not_load_torch():
    code = "import sys, rtbci.models; rtbci.models.model_config('conv_lstm'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("kind", "sizes", "said"),
    [
        ("conv_lsmt", {}, "did you mean 'conv_lstm'"),
        ("conv_lstm", {"kernal": 8}, "did you mean 'kernel'"),
        ("conv_lstm", {"n_channels": 4, "kernel": 2, "hop": 4}, "kernel .2. must be at least hop .4."),
        ("conv_lstm", {}, "n_channels is not set"),
        ("selection", {"n_channels": 3, "n_select": 4}, "n_select .4. must be at most n_channels .3."),
        ("selection", {"network": {"kind": "msfbcnn", "filtrs": 2}}, "did you mean 'filters'"),
    ],
)
def test_a_wrong_kind_or_size_names_the_right_one(kind, sizes, said):
    with pytest.raises(ConfigError, match=said):
        rtbci.models.build(kind, **sizes)


def test_a_config_completed_by_model_copy_is_checked_before_it_is_built():
    config = rtbci.models.model_config("conv_lstm")
    assert rtbci.models.from_config(config.model_copy(update={"n_channels": 4})).n_channels == 4
    with pytest.raises(ConfigError, match="n_channels"):
        rtbci.models.from_config(config.model_copy(update={"n_channels": -4}))


def test_logits_do_not_depend_on_the_cutting(tagger):
    n_hops = 60
    x = signal(tagger, n_hops)
    whole, last = tagger(x)
    assert whole.shape == (2, n_hops, tagger.n_classes)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        cuts = np.sort(rng.choice(np.arange(1, n_hops), rng.integers(1, n_hops), replace=False)) * tagger.hop
        state, parts = tagger.initial_state(2), []
        for piece in torch.tensor_split(x, torch.from_numpy(cuts), 1):
            logits, state = tagger(piece, state)
            parts.append(logits)
        torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-5, atol=1e-6)
        for ours, want in zip(state, last, strict=True):
            torch.testing.assert_close(ours, want, rtol=1e-5, atol=1e-6)


def test_the_future_does_not_change_the_past(tagger):
    x = signal(tagger, 40)
    changed = x.clone()
    changed[:, 25 * tagger.hop :] += 5
    before, after = tagger(x)[0], tagger(changed)[0]
    torch.testing.assert_close(after[:, :25], before[:, :25], rtol=0, atol=1e-6)
    assert not torch.allclose(after[:, 25:], before[:, 25:])


def test_a_row_of_the_state_set_to_zero_begins_that_row_afresh(tagger):
    x = signal(tagger, 20)
    _, state = tagger(signal(tagger, 30) + 1)
    keep = torch.tensor([1.0, 0.0])
    masked = tuple(s * keep.view(-1, *[1] * (s.ndim - 1)) for s in state)
    logits = tagger(x, masked)[0]
    torch.testing.assert_close(logits[0], tagger(x, state)[0][0])
    torch.testing.assert_close(logits[1], tagger(x)[0][1])


@pytest.mark.parametrize(("kernel", "hop", "lookahead"), [(8, 1, 4), (7, 1, 3), (8, 4, 1), (4, 4, 0)])
def test_same_padding_sees_as_far_ahead_as_it_says(kernel, hop, lookahead):
    sizes = {"n_channels": 2, "kernel": kernel, "hop": hop, "padding": "same"}
    network = build("conv_lstm", sizes)
    assert (network.causal, network.lookahead) == (False, lookahead)
    x = signal(network, 20)
    changed = x.clone()
    changed[:, 40 if hop == 4 else 10] += 5
    moved = (network(changed)[0] != network(x)[0]).any(0).any(-1).nonzero()[0].item()
    sees = (moved + 1) * hop - 1 + lookahead  # the newest sample that the first changed output has seen
    assert 0 <= sees - (40 if hop == 4 else 10) < hop


@pytest.mark.parametrize(
    ("kind", "sizes"), [case[:2] for case in ORIGINALS if case[0] in ("stacked_lstm", "small_lstm")]
)
def test_a_carried_state_gives_the_last_step_of_the_whole(kind, sizes):
    network = build(kind, sizes)
    x = torch.randn(2, 30, network.n_channels)
    state = None
    for sample in x.split(1, 1):
        logits, state = network(sample, state)
    torch.testing.assert_close(logits, network(x)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("units", [1, 3])
def test_the_channel_lstm_is_the_loop_over_channels(units):
    n_channels = 5
    network = build("channel_lstm", {"n_channels": n_channels, "channel_units": units, "units": (4,)})
    x = torch.randn(3, 20, n_channels)
    state = None
    together = []
    for piece in x.split([7, 1, 12], 1):
        z, state = network.channels(piece, state)
        together.append(z)
    torch.testing.assert_close(torch.cat(together, 1), loop_over_channels(network.channels, x), rtol=1e-5, atol=1e-6)


def loop_over_channels(channels, x):
    outputs = []
    for i in range(channels.n_channels):
        lstm = lstm_layer(1, channels.units)
        with torch.no_grad():
            lstm.weight_ih_l0.copy_(channels.kernel[i].reshape(-1, 1))
            lstm.weight_hh_l0.copy_(channels.recurrent[i].reshape(-1, channels.units))
            lstm.bias_ih_l0.copy_(channels.bias[i].reshape(-1))
        outputs.append(lstm(x[..., i : i + 1])[0])
    return torch.cat(outputs, -1)


def test_no_gradient_leaks_between_channels():
    network = build("channel_lstm", {"n_channels": 4, "units": (3,)})
    network.channels(torch.randn(2, 10, 4))[0][..., 2].sum().backward()
    touched = [p.grad.flatten(1).any(1).tolist() for p in network.channels.parameters()]
    assert touched == [[False, False, True, False]] * 3


@pytest.mark.parametrize("kind", ["channel_lstm", "conv_lstm"])
def test_a_batch_in_parts_has_the_gradients_and_the_state_of_the_whole(kind):
    network = build(kind, {"n_channels": 3, "units": (6,)}).train()
    x = torch.randn(5, 12, 3)
    _, state = network(torch.randn(5, 8, 3))
    state = tuple(s.detach() for s in state)
    answers = [network(x, state), in_parts(network, x, state, 2), in_parts(network, x, state, 2)]
    gradients = []
    for logits, _ in answers:
        network.zero_grad()
        logits.square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.requires_grad])
    torch.testing.assert_close(answers[1], answers[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(gradients[1], gradients[2], strict=True))


def test_only_networks_without_draws_or_batch_norm_are_divisible():
    assert divisible(build("channel_lstm", {"n_channels": 3}))
    assert not divisible(build("conv_lstm", {"n_channels": 3, "dropout": 0.1}))
    assert not divisible(build("msfbcnn", {"n_channels": 3, "dropout": 0.0}))
    assert not divisible(build("selection", {"n_channels": 9, "network": {"kind": "conv_lstm"}}))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing_within_the_true_lengths(bidirectional):
    network = build("lstm_tagger", {"n_channels": 3, "units": (5, 4), "bidirectional": bidirectional})
    x = torch.randn(3, 30, 3)
    lengths = torch.tensor([30, 17, 1])
    logits, _ = network(x, None, lengths=lengths)
    for row, n in enumerate(lengths.tolist()):
        alone, _ = network(x[row : row + 1, :n])
        torch.testing.assert_close(logits[row, :n], alone[0], rtol=1e-5, atol=1e-6)


def test_a_bidirectional_tagger_says_that_it_waits_for_the_end():
    network = build("lstm_tagger", {"n_channels": 2, "bidirectional": True})
    assert not network.causal
    assert network.lookahead > 1e9
    assert network.initial_state(4) == ()


@pytest.mark.parametrize("kind", ["stacked_lstm", "channel_lstm", "small_lstm", "conv_pool_lstm", "msfbcnn"])
def test_epoch_networks_answer_once_an_epoch(kind):
    network = build(kind, {"n_channels": 4})
    logits, _ = network(torch.randn(2, network.window, 4))
    assert logits.shape == (2, network.n_classes)
    assert network.causal


def test_a_dead_electrode_leaves_msfbcnn_finite():
    network = build("msfbcnn", {"n_channels": 4, "window": 200})
    assert network(torch.zeros(1, 200, 4))[0].isfinite().all()


def selector_of(probabilities: list[list[float]]) -> ElectrodeSelector:
    """probabilities[selector][electrode]"""
    selector = ElectrodeSelector(len(probabilities[0]), len(probabilities))
    with torch.no_grad():
        selector.qz_loga.copy_(torch.tensor(probabilities).log().T)
    return selector


def test_selection_in_evaluation_is_the_first_choice_of_each_selector():
    selector = selector_of([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]]).eval()
    x = torch.randn(2, 5, 3)
    assert selector.selected() == (2, 0)
    assert torch.equal(selector(x), x[..., [2, 0]])


def test_selection_in_training_draws_once_an_example():
    torch.manual_seed(0)
    selector = ElectrodeSelector(4, 2)
    x = torch.ones(3, 6, 4).cumsum(-1)
    mixed = selector(x)
    assert mixed.shape == (3, 6, 2)
    torch.testing.assert_close(mixed, mixed[:, :1].expand_as(mixed))  # the same mixture at every time
    assert not torch.allclose(mixed[0], mixed[1])


def test_a_cold_selector_draws_electrodes_as_often_as_its_probabilities_say():
    torch.manual_seed(0)
    selector = selector_of([[0.5, 0.3, 0.2]])
    selector.temperature = 1e-3
    drawn = selector.relaxed(torch.rand(20_000, 3, 1)).argmax(1).flatten()
    torch.testing.assert_close(drawn.bincount() / 20_000, torch.tensor([0.5, 0.3, 0.2]), rtol=0, atol=0.015)


def test_entropy_runs_from_one_to_zero():
    entropy = selector_of([[0.25] * 4, [1.0, 1e-12, 1e-12, 1e-12]]).entropy()
    torch.testing.assert_close(entropy, torch.tensor([1.0, 0.0]))


def test_duplicates_are_penalised_above_tau_only():
    selector = selector_of([[0.9, 0.1], [0.8, 0.2]])
    torch.testing.assert_close(selector.duplicate_penalty(1.1), torch.tensor(0.1 * 0.6))
    assert selector.duplicate_penalty(1.8) == 0


def test_no_electrode_is_chosen_twice_and_the_surest_keeps_it():
    selector = selector_of([[0.6, 0.3, 0.05, 0.05], [0.9, 0.04, 0.05, 0.01], [0.2, 0.5, 0.2, 0.1]])
    assert selector.selected() == (0, 0, 1)
    resolution = selector.resolved()
    assert resolution.electrodes == (2, 0, 1)  # its second choice, 1, is another's first
    assert [(move.selector, move.wanted, move.got) for move in resolution.reassignments] == [(0, 0, 2)]


def test_as_many_electrodes_as_channels_are_all_chosen():
    torch.manual_seed(0)
    assert sorted(ElectrodeSelector(12, 12).resolved().electrodes) == list(range(12))


def test_a_frozen_selector_is_hard_and_resolved_in_training_too():
    network = SelectionNet(4, 2, build("lstm_tagger", {"n_channels": 2}))
    with torch.no_grad():
        network.selection_layer.qz_loga[3] = 9.0
    resolution = network.selection_layer.freeze()
    x = torch.randn(2, 5, 4)
    assert len(set(resolution.electrodes)) == 2
    assert torch.equal(network.train().selection_layer(x), x[..., list(resolution.electrodes)])
    assert not network.selection_layer.qz_loga.requires_grad


def test_temperature_and_tau_fall_exponentially_and_end_at_three_quarters():
    assert temperature_at(0, 100) == 10.0
    assert temperature_at(75, 100) == pytest.approx(0.1)
    assert temperature_at(99, 100) == pytest.approx(0.1)
    assert temperature_at(25, 100) / temperature_at(26, 100) == pytest.approx(100 ** (1 / 75))
    assert (tau_at(0, 100), tau_at(80, 100)) == (3.0, pytest.approx(1.1))
