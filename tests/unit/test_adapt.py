"""A pipeline adapted to new minutes: better on what was kept back, or not handed out."""

import json

import numpy as np
import pytest
import torch
from commands import mistake_here, rtbci_here
from crossval_kit import CONFIG, config_of, write_recording
from cutting import assert_same, cut
from torch import nn

from rtbci.errors import ConfigError
from rtbci.evaluation.tagging import tag
from rtbci.models import build, from_config, model_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.training.adaptation import adapt as adaptation
from rtbci.training.adaptation.adapt import Worse, adapt
from rtbci.training.adaptation.output_layer import Answers, calibrate, output_layer, refit
from rtbci.training.adaptation.split import kept_back, kinds_of, shares
from rtbci.training.config import TrainConfig
from rtbci.training.data import with_sizes
from rtbci.training.labels import Stretch
from rtbci.training.source import Source
from rtbci.types import Chunk

LEVELS = ("calibration", "last-layer", "all-layers")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Recordings of one patient: seizures are a rhythm of 6 Hz; the last is labelled the other way round."""
    folder = tmp_path_factory.mktemp("patient")
    (folder / "crossval.toml").write_text(CONFIG, "utf-8")
    write_recording(folder / "pa_sz.edf", 1, (10.0, 15.0))
    write_recording(folder / "pb_sz.edf", 2, (5.0, 12.0))
    write_recording(folder / "pa_rest.edf", 3, None)
    write_recording(folder / "pa_post.edf", 4, None, 10)
    return folder


@pytest.fixture(scope="module")
def pipeline(root):
    return drawn(config_of(root))


def drawn(config: TrainConfig, seed: int = 5) -> Pipeline:
    sized = with_sizes(config.pipeline)
    sized = sized.model_copy(update={"scaling": sized.scaling.model_copy(update={"start_uv": 10.0})})
    torch.manual_seed(seed)
    return Pipeline(sized, from_config(sized.model), {"trained_on": [{"recording": "elsewhere.edf"}]})


def source(path, *stretches: tuple[float, float, str]) -> Source:
    return Source(path.name, open_recording(path), tuple(Stretch(*one) for one in stretches), "background", 1, False)


def sources(root):
    return [source(root / "pa_sz.edf", (10, 25, "seizure")), source(root / "pb_sz.edf", (5, 17, "seizure"))]


def test_of_each_kind_the_later_third_is_kept_back():
    y = np.array([0, 1, 1, 0, 0, 1, 0, 0, 0], np.float32)[:, None]
    kinds = kinds_of(y, ("seizure",))
    kept = kept_back(kinds, 1 / 3)
    assert kept.tolist() == [False, False, False, False, False, True, False, True, True]
    assert shares(kinds, kept, 0.25) == {"background": (1.0, 0.5), "seizure": (0.5, 0.25)}


def test_a_class_beside_another_is_a_kind_of_its_own():
    y = np.array([[1, 1], [1, 0], [0, 0]], np.float32)
    assert kinds_of(y, ("left", "tense")) == ["left and tense", "left", "background"]


def answers(logits, y, features=None, *, one_of_all=False) -> Answers:
    logits = torch.as_tensor(logits, dtype=torch.float64)
    features = logits if features is None else torch.as_tensor(features, dtype=torch.float64)
    return Answers(features, logits, torch.as_tensor(y, dtype=torch.float64), one_of_all)


def test_calibration_undoes_a_shift_and_a_scale_and_changes_no_order():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, (4000, 1))
    y = rng.random((4000, 1)) < 1 / (1 + np.exp(-true))
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(0.0)
    seen = 3 * true - 4  # too sure of itself, and of the wrong thing
    calibrate(layer, answers(seen, y), n_independent=4000)
    after = layer(torch.tensor(seen, dtype=torch.float32)).detach().numpy()
    assert np.abs(after - true).max() < 0.6
    assert float(layer.weight.detach()) > 0


def test_with_little_evidence_calibration_stays_near_where_it_was():
    layer = nn.Linear(1, 1)
    before = layer.weight.detach().clone(), layer.bias.detach().clone()
    calibrate(layer, answers([[0.0], [0.1]], [[1.0], [0.0]]), n_independent=0.01)
    assert torch.allclose(layer.weight, before[0], atol=0.02) and torch.allclose(layer.bias, before[1], atol=0.02)


@pytest.mark.parametrize("one_of_all", [False, True])
def test_the_last_layer_learns_a_direction_that_the_original_did_not_look_at(one_of_all):
    rng = np.random.default_rng(1)
    features = rng.normal(0, [1, 3, 0], (2000, 3))  # the third says nothing, ever
    side = features[:, 1] > 0
    y = np.stack([side, ~side], 1) if one_of_all else side[:, None]
    layer = nn.Linear(3, 2 if one_of_all else 1)
    with torch.no_grad():
        layer.weight[:, 1] = 0
    before = layer.weight.detach().clone()
    logits = layer(torch.tensor(features, dtype=torch.float32)).detach()
    given = answers(logits, y, features, one_of_all=one_of_all)
    refit(layer, given, n_independent=2000)
    after = layer(torch.tensor(features, dtype=torch.float32)).detach().double()
    assert float(given.loss(after)) < 0.3 < float(given.loss(given.logits))
    assert torch.allclose(layer.weight[:, 2], before[:, 2], atol=1e-6)


def test_a_rare_class_weighs_as_much_as_the_rest():
    few = answers([[0.0]] * 10, [[1.0]] + [[0.0]] * 9)
    assert float(few.loss(torch.full((10, 1), -3.0, dtype=torch.float64))) == pytest.approx((3.0486 + 0.0486) / 2, 1e-3)


@pytest.mark.parametrize("level", LEVELS)
def test_an_adapted_pipeline_is_better_on_what_was_kept_back_and_the_original_is_as_it_was(root, pipeline, level):
    weights = {key: value.clone() for key, value in pipeline.network.state_dict().items()}
    adapted, report = adapt(pipeline, sources(root), level)
    assert report.after.loss < report.before.loss
    assert report.amounts["seizure"].adapts == pytest.approx(18, abs=0.5)
    assert report.amounts["seizure"].checks == pytest.approx(9, abs=0.5)
    assert all(torch.equal(value, weights[key]) for key, value in pipeline.network.state_dict().items())
    changed = {key for key, value in adapted.network.state_dict().items() if not torch.equal(value, weights[key])}
    assert changed == {"dense.weight", "dense.bias"} if level != "all-layers" else len(changed) > 4
    assert adapted.config == pipeline.config and "adapted" not in pipeline.notes
    again, _ = adapt(pipeline, sources(root), level)
    assert all(torch.equal(v, again.network.state_dict()[k]) for k, v in adapted.network.state_dict().items())


def test_an_adapted_pipeline_answers_the_same_however_a_recording_is_cut(root, pipeline):
    adapted, _ = adapt(pipeline, sources(root), "last-layer")
    recording = open_recording(root / "pb_sz.edf")
    whole = tag(adapted, recording).scores
    live = adapted.start(recording.info)
    pieces = (piece for chunk in recording.chunks(10_000) for piece in cut(chunk, 7))
    got = Chunk.join([live.process(piece) for piece in pieces])
    assert_same(got, whole)


@pytest.mark.parametrize("level", LEVELS)
def test_what_contradicts_itself_is_not_handed_out(root, pipeline, level):
    whole = [(0, 10, "unknown"), (30, 40, "unknown")]
    at_first = [source(root / "pa_sz.edf", (10, 25, "seizure"), *whole)] * 4
    then = [source(root / "pb_sz.edf", (17, 29, "seizure"), *whole)] * 2  # what is no seizure, and the reverse
    with pytest.raises(Worse, match="worse than the original"):
        adapt(drawn(config_of(root), seed=8), [*at_first, *then], level)


def test_too_little_is_told_with_what_there_is(root, pipeline):
    with pytest.raises(
        ConfigError, match=r"2 s or more of two kinds on either side, and there are .*, 2 \+ 1 s of seizure"
    ):
        adapt(pipeline, [source(root / "pa_sz.edf", (10, 13, "seizure"))], "calibration")
    with pytest.raises(ConfigError, match="of background$"):
        adapt(pipeline, [source(root / "pa_rest.edf")], "calibration")
    with pytest.raises(ConfigError, match="no label"):
        adapt(pipeline, [source(root / "pa_rest.edf", (0, 40, "unknown"))], "calibration")


@pytest.mark.parametrize("level", LEVELS)
def test_a_network_of_trials_is_adapted_by_trials(tmp_path, level):
    (tmp_path / "crossval.toml").write_text(CONFIG, "utf-8")
    write_recording(tmp_path / "pa_sz.edf", 1, (0.0, 40.0), 80)
    stretches = [(t, t + 1.0, "left" if t < 40 else "right") for t in np.arange(0, 78, 2.0)]
    config = config_of(tmp_path)
    model = model_config("small_lstm", n_channels=2, n_classes=2, window=64, units=(4,))
    of_trials = config.pipeline.model_copy(
        update={"classes": ("left", "right"), "activation": "softmax", "model": model}
    )
    original = drawn(config.model_copy(update={"pipeline": of_trials}))
    _, report = adapt(original, [source(tmp_path / "pa_sz.edf", *stretches)], level, start_s=0.5)
    assert report.unit == "trials"
    assert {kind: (a.adapts, a.checks) for kind, a in report.amounts.items()} == {"left": (13, 7), "right": (13, 6)}
    assert report.after.loss < report.before.loss


@pytest.mark.parametrize(
    "kind", ["conv_lstm", "msfbcnn", "shared_conv_lstm", "stacked_lstm", "channel_lstm", "covariance"]
)
def test_the_last_layer_is_found_and_gives_the_logits(kind):
    values = {"msfbcnn": {"window": 256}, "covariance": {"window": 256}}.get(kind, {})
    network = build(kind, n_channels=4, n_classes=2, **values).eval()
    layer = output_layer(network)
    given = []
    layer.register_forward_hook(lambda _, __, out: given.append(out))
    with torch.no_grad():
        logits, _ = network(torch.randn(1, 256, 4))
    assert torch.equal(given[-1].reshape(-1, 2), logits.reshape(-1, 2))


def test_the_command_writes_a_pipeline_that_says_what_it_was_adapted_to(root, pipeline, tmp_path):
    pipeline.save(tmp_path / "original.rtbci")
    before = (tmp_path / "original.rtbci").read_bytes()
    done = rtbci_here(
        "adapt", tmp_path / "original.rtbci", root / "pa_sz.edf", root / "pb_sz.edf", "--label", "burst=seizure",
        "--background", root / "pa_rest.edf", "--out", tmp_path / "new.rtbci", "--level", "last-layer", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["after"]["loss"] < report["before"]["loss"]
    assert report["recordings"] == ["pa_sz.edf", "pb_sz.edf", "pa_rest.edf"]
    assert (tmp_path / "original.rtbci").read_bytes() == before
    notes = Pipeline.load(tmp_path / "new.rtbci").notes
    assert notes["adapted"][0]["after"] == report["after"]
    assert [row["recording"] for row in notes["trained_on"]] == ["elsewhere.edf", *report["recordings"]]
    shown = rtbci_here("inspect", tmp_path / "new.rtbci").stdout
    assert "last-layer: to 3 recordings" in shown and f"{report['after']['loss']} now" in " ".join(shown.split())


def test_mistakes_are_one_line_and_nothing_is_written(root, pipeline, tmp_path):
    pipeline.save(tmp_path / "p.rtbci")
    recording = root / "pa_sz.edf"
    assert "is the original" in mistake_here("adapt", tmp_path / "p.rtbci", recording, "--out", tmp_path / "p.rtbci")
    told = mistake_here("adapt", tmp_path / "p.rtbci", root / "pa_rest.edf", "--out", tmp_path / "new.rtbci")
    assert "no label" in told or "has a label" in told
    assert "folder does not exist" in mistake_here(
        "adapt", tmp_path / "p.rtbci", recording, "--out", tmp_path / "no" / "new.rtbci"
    )
    labelled = ("--label", "burst=seizure", "--out", tmp_path / "new.rtbci")
    told = mistake_here("adapt", tmp_path / "p.rtbci", recording, "--background", root / "pb_sz.edf", *labelled)
    assert "pb_sz.edf: named with --background, and annotated with 'seizure' at 5 s" in told
    copy = tmp_path / "under_another_name.edf"
    copy.write_bytes(recording.read_bytes())
    done = rtbci_here("adapt", tmp_path / "p.rtbci", recording, copy, *labelled)
    assert done.returncode == 2 and "what is kept back would be what it was adapted to" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"p.rtbci", copy.name}


def test_a_network_without_a_linear_last_layer_is_adapted_as_a_whole_alone(root, pipeline, monkeypatch):
    def none_there(network):
        raise ConfigError("the last layer is not linear")

    monkeypatch.setattr(adaptation, "output_layer", none_there)
    for level in ("calibration", "last-layer"):
        with pytest.raises(ConfigError, match="not linear"):
            adapt(pipeline, sources(root), level)
    _, report = adapt(pipeline, sources(root), "all-layers")
    assert report.after.loss < report.before.loss
