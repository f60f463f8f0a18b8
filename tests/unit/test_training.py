"""Training: batches with carried state, the steps that a loss may see, repeatable runs, and errors of one line."""

import json
import re
from pathlib import Path

import edfio
import numpy as np
import pytest
import torch

from rtbci.cli.train import summary, train_from_file
from rtbci.config import parse
from rtbci.errors import ConfigError, PipelineFileError, RecordingError
from rtbci.evaluation.probabilities import mean_auroc
from rtbci.evaluation.tagging import tag
from rtbci.models import build
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.simulation.eeg import synthesise
from rtbci.training import train as training
from rtbci.training.augment import mirrored
from rtbci.training.batches import Batch, StatefulBatches, TrialBatches
from rtbci.training.checkpoint import checkpoint_path
from rtbci.training.config import TrainConfig, TrainingConfig, read_train_config
from rtbci.training.data import Data
from rtbci.training.examples import Example, Stretch, find_sources, make_example
from rtbci.training.fit import answers, learning_rate, step
from rtbci.training.losses import balance, make_loss, masked_binary, masked_cross_entropy
from rtbci.training.source import Source
from rtbci.training.step_labels import StepLabels, label_steps
from rtbci.training.train import train

CONFIG = """
[pipeline]
name = "tiny"
sfreq = 64
montage.channels = ["C3", "C4"]
filters = { low_hz = 1.0, high_hz = 20.0, order = 2 }
scaling = { kind = "running" }
model = { kind = "conv_lstm", filters = 4, kernel = 8, hop = 8, units = [6] }
decision = { smoothing_s = 0.5, min_duration_s = 1.0 }
gaps.warmup_s = 0.0

[[data.recordings]]
files = ["*.edf"]
labels = { burst = "seizure" }
licence = "none"

[data.validation]
files = ["d.edf"]

[augment]
gain_sd = 0.1
mirror = true

[training]
epochs = 6
rows = 2
bptt_s = 4.0
lr = 0.03

[pipeline.extra]
"""


def write_recording(path: Path, seed: int, bursts: list[tuple[float, float]], seconds: int = 40, text: str = "burst"):
    """Two channels of noise at 64 Hz; a burst (onset, duration) is a rhythm of 6 Hz."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 10, (seconds * 64, 2))
    t = np.arange(len(x)) / 64
    for onset, duration in bursts:
        x[(t >= onset) & (t < onset + duration)] += 40 * np.sin(2 * np.pi * 6 * t[: round(duration * 64), None])
    signals = [
        edfio.EdfSignal(c, 64, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for c, name in zip(x.T, ("C3", "C4"), strict=True)
    ]
    notes = [edfio.EdfAnnotation(onset, duration, text) for onset, duration in bursts]
    edfio.Edf(signals, annotations=notes or None).write(path)


@pytest.fixture
def folder(tmp_path):
    """A folder of four recordings and a config that holds one out."""
    root = tmp_path / "data"
    root.mkdir()
    for seed, name in enumerate("abcd"):
        write_recording(root / f"{name}.edf", seed, [(8.0 + seed, 10.0)])
    (root / "train.toml").write_text(CONFIG.replace("\n[pipeline.extra]\n", ""))
    return root


def config_of(folder: Path, *settings: str) -> TrainConfig:
    return read_train_config(folder / "train.toml", list(settings))


def example(name: str, n_steps: int, hop: int = 2) -> Example:
    """x counts its samples from 100 times the name's letter on, so that a batch shows where each row comes from."""
    x = 100.0 * (ord(name) - ord("a")) + np.arange(n_steps * hop, dtype=np.float32)[:, None]
    source = Source(name, synthesise(0, 10), (), "background", 1, False)
    times = np.arange(hop - 1, n_steps * hop, hop) / 10
    return Example(source, x, times, StepLabels.of(np.ones((n_steps, 1), np.float32), np.ones(n_steps, bool)), hop)


# Stateful batches


def test_rows_carry_each_recording_on_and_begin_the_next_one_fresh():
    batches = list(StatefulBatches([example("a", 5), example("b", 2), example("c", 1)], rows=2, steps=2))
    assert [b.fresh.tolist() for b in batches] == [[True, True], [False, True], [False, True]]
    assert [b.known.tolist() for b in batches] == [
        [[True, True], [True, True]],
        [[True, True], [True, False]],
        [[True, False], [False, False]],
    ]
    assert [b.x[..., 0].tolist() for b in batches] == [
        [[0, 1, 2, 3], [100, 101, 102, 103]],
        [[4, 5, 6, 7], [200, 201, 0, 0]],
        [[8, 9, 0, 0], [0, 0, 0, 0]],
    ]


def test_shuffled_batches_visit_every_recording_as_often_as_it_is_repeated():
    examples = [example("a", 3), example("b", 4), example("c", 2)]
    thrice = Source(**{**vars(examples[2].source), "repeats": 3})
    examples[2] = Example(**{**vars(examples[2]), "source": thrice})
    seen = np.concatenate([b.x[b.known.repeat_interleave(2, 1)].ravel() for b in StatefulBatches(
        examples, rows=2, steps=3, rng=np.random.default_rng(0))])  # fmt: skip
    wanted = [*range(6), *range(100, 108), *(3 * list(range(200, 204)))]
    assert sorted(seen) == sorted(wanted)


def test_a_visit_to_a_long_recording_begins_at_a_random_step_and_has_the_length_asked_for():
    starts = set()
    for seed in range(20):
        (batch,) = StatefulBatches([example("a", 20)], rows=1, steps=4, rng=np.random.default_rng(seed), visit_steps=4)
        x = batch.x[0, :, 0].tolist()
        assert x == list(range(int(x[0]), int(x[0]) + 8))
        starts.add(x[0])
    assert len(starts) > 8


def test_a_row_gives_the_network_the_state_that_it_would_have_alone():
    torch.manual_seed(0)
    network = build("conv_lstm", n_channels=1, filters=3, kernel=4, hop=2, units=[4])
    examples = [example("a", 9), example("b", 4), example("c", 7)]
    state, said = None, []
    for batch in StatefulBatches(examples, rows=2, steps=3):
        logits, state = step(network, batch, state)
        said.append(logits)
    alone = {e.source.name: network(torch.from_numpy(e.x)[None])[0][0] for e in examples}
    # Lane 0: a (three segments), then nothing. Lane 1: b (two segments, the second one shorter), then c.
    torch.testing.assert_close(torch.cat(said, 1)[0, :9], alone["a"])
    torch.testing.assert_close(torch.cat(said, 1)[1, :4], alone["b"])
    torch.testing.assert_close(torch.cat(said, 1)[1, 6:13], alone["c"])


def test_a_fresh_row_forgets_even_a_state_that_is_not_finite():
    network = build("lstm_tagger", n_channels=1, units=[2])
    x, fresh = torch.ones(2, 3, 1), torch.tensor([True, True])
    batch = Batch(x, torch.zeros(2, 3, 1), torch.ones(2, 3, dtype=torch.bool), fresh)
    broken = tuple(torch.full((2, 2), float("nan")) for _ in "hc")
    assert torch.isfinite(step(network, batch, broken)[0]).all()


def test_lanes_without_a_recording_cost_nothing_and_change_nothing():
    torch.manual_seed(0)
    network = build("conv_lstm", n_channels=1, filters=3, kernel=4, hop=2, units=[4])
    examples = [example("a", 12), example("b", 4), example("c", 3)]
    computed: list[int] = []

    def counting(x, state):
        computed.append(len(x))
        return network(x, state)

    parts = [logits for _, logits in answers(counting, StatefulBatches(examples, rows=3, steps=2))]
    assert computed == [3, 3, 1, 1, 1, 1]
    alone = torch.cat([logits for _, logits in answers(network, StatefulBatches(examples[:1], rows=1, steps=2))], 1)
    together = torch.cat([logits[:1] for logits in parts], 1)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_an_epoch_of_visits_shows_every_class_that_the_recordings_have():
    y = np.zeros((500, 1), np.float32)
    y[300:305] = 1
    known = np.ones(500, bool)
    night = Example(**{**vars(example("a", 500)), "labels": StepLabels.of(y, known)})
    for seed in range(20):
        batches = StatefulBatches([night], rows=1, steps=4, rng=np.random.default_rng(seed), visit_steps=20)
        seen = list(batches)
        assert len(seen) == batches.n_batches == 5
        assert max(float(batch.y.max()) for batch in seen) == 1


def test_trials_are_the_windows_after_each_labelled_onset():
    stretches = (
        Stretch(1.0, 2.0, "right"),
        Stretch(0.4, 0.5, "left"),
        Stretch(0.5, 0.6, "rest"),
        Stretch(5, 6, "left"),
    )
    one = example("b", 20, hop=1)
    one = Example(**{**vars(one), "source": Source(**{**vars(one.source), "stretches": stretches})})
    (batch,) = TrialBatches([one], ("left", "right"), window=3, rows=8, start_s=0.2)
    assert batch.x[..., 0].tolist() == [[112, 113, 114], [106, 107, 108]]  # the last one ends after the recording
    assert batch.y[:, 0].tolist() == [[0, 1], [1, 0]]
    assert batch.fresh.all()


# Labels


def test_unknown_wins_over_classes_and_classes_over_background():
    stretches = (Stretch(2, 6, "seizure"), Stretch(0, 3, "background"), Stretch(5, 9, "unknown"))
    source = Source("a", synthesise(0, 10), stretches, "unknown", 1, False)
    y, known = label_steps(np.arange(12.0), source, ("seizure",))
    assert y[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert known.tolist() == [True] * 5 + [False] * 7


def test_background_is_a_class_of_its_own_where_the_pipeline_has_one():
    source = Source("a", synthesise(0, 10), (Stretch(1, 2, "left"),), "background", 1, False)
    y, known = label_steps(np.arange(3.0), source, ("left", "right", "background"))
    assert y.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert known.all()


def test_examples_go_through_the_same_stages_as_a_live_stream(folder):
    config = config_of(folder)
    data = Data.load(config)
    pipeline = Pipeline(data.pipeline_config, build("conv_lstm", n_channels=2, filters=4, kernel=8, hop=8, units=[6]))
    recording = open_recording(folder / "a.edf")
    stages = pipeline.preprocessor(recording.info)
    live = np.concatenate([stages.process(chunk).data for chunk in recording.chunks(7)])
    np.testing.assert_allclose(make_example(pipeline, data.training[0].source).x, live, rtol=1e-5, atol=1e-5)


def test_mirroring_swaps_left_and_right_and_leaves_the_midline():
    assert mirrored(("F7-T7", "Fz-Cz", "F8-T8", "C3", "C4")).tolist() == [2, 1, 0, 4, 3]
    with pytest.raises(ConfigError, match=r"the montage has F7-T7 but not F8-T8"):
        mirrored(("F7-T7", "Fz-Cz"))


# Losses


@pytest.mark.parametrize("kind", ["bce", "focal", "cross_entropy"])
def test_no_gradient_comes_from_what_is_unknown(kind):
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 2, requires_grad=True)
    y = torch.nn.functional.one_hot(torch.randint(2, (2, 5)), 2).float()
    known = torch.tensor([[1, 1, 0, 0, 1], [0, 0, 0, 1, 1]]).bool()
    make = make_loss(TrainingConfig.model_construct(**TrainingConfig(loss=kind).model_dump()), torch.ones(2))
    loss, weight = make(logits, y, known)
    loss.backward()
    assert (logits.grad[~known] == 0).all()
    assert (logits.grad[known] != 0).all()
    assert weight == known.sum() * (1 if kind == "cross_entropy" else 2)


def test_the_losses_have_their_textbook_values():
    logits, y = torch.tensor([[[2.0], [-1.0]]]), torch.tensor([[[1.0], [0.0]]])
    known, p = torch.ones(1, 2).bool(), torch.sigmoid(torch.tensor([2.0, 1.0]))
    binary, weight = masked_binary(logits, y, known, weights=torch.tensor([3.0]))
    torch.testing.assert_close(binary, -3 * p[0].log() - p[1].log())
    assert weight == 4
    focal, _ = masked_binary(logits, y, known, weights=torch.tensor([3.0]), gamma=2.0)
    torch.testing.assert_close(focal, -3 * (1 - p[0]) ** 2 * p[0].log() - (1 - p[1]) ** 2 * p[1].log())
    two = torch.tensor([[[1.0, 0.0]]])
    one_of_all, _ = masked_cross_entropy(
        two, torch.tensor([[[0.0, 1.0]]]), torch.ones(1, 1).bool(), weights=torch.ones(2)
    )
    torch.testing.assert_close(one_of_all, -two.log_softmax(-1)[0, 0, 1])


def test_class_weights_balance_known_steps_within_bounds():
    y = torch.tensor([[1.0, 0], [0, 1], [0, 1], [0, 1], [1, 0]])
    known = torch.tensor([True, True, True, True, False])
    assert balance(y[known].sum(0), int(known.sum()), one_of_all=False).tolist() == pytest.approx([3.0, 1 / 3])
    assert balance(y[known].sum(0), int(known.sum()), one_of_all=True).tolist() == pytest.approx([2.0, 2 / 3])
    rare = torch.zeros(10_000, 1)
    rare[0] = 1
    assert balance(rare.sum(0), 10_000, one_of_all=False).item() == 20


def test_auroc_counts_ties_half_and_is_none_without_both_kinds_of_step_or_with_a_score_that_is_no_number():
    scores, truth = np.array([[0.1], [0.4], [0.4], [0.9]]), np.array([[False], [True], [False], [True]])
    assert mean_auroc(scores, truth) == 3.5 / 4
    assert mean_auroc(scores, np.ones_like(truth)) is None
    assert mean_auroc(np.where(truth, np.nan, scores), truth) is None


def test_the_learning_rate_warms_up_and_falls_like_a_cosine():
    config = TrainingConfig(epochs=12, warmup_epochs=2, lr=1.0)
    rates = [learning_rate(config, epoch) for epoch in range(12)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[7] == pytest.approx(0.505)


# Whole runs


def test_a_training_run_writes_a_pipeline_that_finds_the_bursts_of_a_new_recording(folder, tmp_path):
    train(config_of(folder, "training.epochs=25"), tmp_path / "tiny.rtbci")
    pipeline = Pipeline.load(tmp_path / "tiny.rtbci")
    assert (
        (tmp_path / "tiny_curves.csv")
        .read_text()
        .startswith("epoch,lr,train_loss,held_out_loss,held_out_auroc,shown_seizure\n1,")
    )
    assert (tmp_path / "tiny_curves.png").read_bytes().startswith(b"\x89PNG")
    assert not checkpoint_path(tmp_path / "tiny.rtbci").exists()
    notes = pipeline.notes
    assert [(row["recording"], row["held_out"], row["licence"]) for row in notes["trained_on"]] == [
        ("a.edf", False, "none"), ("b.edf", False, "none"), ("c.edf", False, "none"), ("d.edf", True, "none")
    ]  # fmt: skip
    assert notes["training"]["finished"]
    assert notes["scores"]["real"]["detected"] == 1
    assert notes["scores"]["real"]["sample_auroc"] > 0.95
    write_recording(tmp_path / "new.edf", 99, [(20.0, 8.0)])
    (event,) = tag(pipeline, open_recording(tmp_path / "new.edf")).events
    assert 20 < event.onset < 22
    assert 27 < event.onset + event.duration < 31


def test_the_same_seed_gives_the_same_file_and_another_seed_another(folder, tmp_path):
    one, same, other = (tmp_path / f"{name}.rtbci" for name in ("one", "same", "other"))
    for path, seed in ((one, 1), (same, 1), (other, 2)):
        train(config_of(folder, "training.epochs=2", f"training.seed={seed}"), path)
    assert one.read_bytes() == same.read_bytes()
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_run_that_was_killed_resumes_to_the_same_result(folder, tmp_path, average):
    config = config_of(folder, "training.epochs=5", "pipeline.model.dropout=0.2", f"training.average={average}")
    whole, halves = tmp_path / "whole.rtbci", tmp_path / "halves.rtbci"
    train(config, whole)

    class Killed(BaseException):
        """As a kill: nothing after it runs."""

    def killed_at_3(what, done, total, row):
        if what == "training" and done == 3:
            raise Killed

    with pytest.raises(Killed):
        train(config, halves, killed_at_3)
    assert not halves.exists()
    epochs = []
    train(config, halves, lambda what, done, total, row: epochs.append(done) if row else None, resume=True)
    assert epochs == [4, 5]
    assert halves.read_bytes() == whole.read_bytes()


def test_ctrl_c_saves_the_best_so_far_and_says_that_it_was_stopped(folder, tmp_path):
    def stop_at_2(what, done, total, row):
        if what == "training" and done == 2:
            raise KeyboardInterrupt

    pipeline = train(config_of(folder), tmp_path / "tiny.rtbci", stop_at_2)
    assert not pipeline.notes["training"]["finished"]
    assert Pipeline.load(tmp_path / "tiny.rtbci").notes["training"]["epochs_run"] == 2
    assert checkpoint_path(tmp_path / "tiny.rtbci").exists()


def test_ctrl_c_before_the_first_epoch_writes_nothing(folder, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Fit, "run_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        train(config_of(folder), tmp_path / "tiny.rtbci")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_early_stopping_keeps_the_best_epoch(folder, tmp_path):
    pipeline = train(
        config_of(
            folder, "training.epochs=30", "training.patience=2", "training.lr=0.5", "training.schedule='constant'"
        ),
        tmp_path / "tiny.rtbci",
    )
    said = pipeline.notes["training"]
    assert said["epochs_run"] == said["best_epoch"] + 2 < 30


def test_folds_score_every_recording_by_a_fit_that_never_saw_it(folder, tmp_path):
    settings = ("data.validation={folds=[['a.edf', 'b.edf'], ['[cd].edf']]}", "training.epochs=2")
    fold, left_out = Data.load(config_of(folder, *settings)).fold(("a.edf", "b.edf"))
    assert [source.name for source in left_out] == ["a.edf", "b.edf"]
    assert [source.name for source in fold.sources] == ["c.edf", "d.edf"]
    pipeline = train(config_of(folder, *settings), tmp_path / "tiny.rtbci")
    assert not any(row["held_out"] for row in pipeline.notes["trained_on"])
    scores = pipeline.notes["scores"]["cross_validated"]
    assert [row["recording"] for row in scores["recordings"]] == ["a.edf", "b.edf", "c.edf", "d.edf"]
    assert scores["real"]["labelled"] == 4


def test_a_loss_that_is_no_number_ends_the_training_with_what_to_do(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(training.Fit, "_learn", lambda *_: (float("nan"), {}))
    with pytest.raises(ConfigError, match=r"the loss is not finite after epoch 1; lower training.lr"):
        train(config_of(folder), tmp_path / "tiny.rtbci")


def test_an_epoch_network_is_trained_on_trials(folder, tmp_path):
    for seed, name in enumerate("abcd"):
        text = "left" if seed % 2 else "right"
        write_recording(folder / f"{name}.edf", seed, [(5.0, 2.0), (15.0, 2.0)], text=text)
    pipeline = train(
        config_of(
            folder, "pipeline.classes=['left','right']", "pipeline.activation='softmax'", "training.epochs=2",
            "training.loss='cross_entropy'", "pipeline.model={kind='small_lstm', window=64, units=[4]}",
            "data.recordings=[{files=['*.edf'], labels={left='left', right='right'}, elsewhere='unknown'}]",
        ),
        tmp_path / "tiny.rtbci",
    )  # fmt: skip
    assert pipeline.network.window == 64
    assert pipeline.notes["training"]["epochs_run"] == 2


def test_the_command_trains_from_a_file_and_says_what_came_of_it(folder, tmp_path, capsys):
    out = tmp_path / "tiny.rtbci"
    train_from_file(folder / "train.toml", out, ["training.epochs=2"], resume=False, json=True)
    said = json.loads(capsys.readouterr().out)
    assert {"pipeline", "trained_on", "training", "scores", "machine", "versions", "commit"} <= said.keys()
    first, accounted, second = summary(Pipeline.load(out), out)
    assert first.endswith("tiny.rtbci: 2 epochs, the weights of epoch 2")
    assert accounted.startswith("4 annotations: 4 used, 0 background, ")
    assert said["annotations"]["used"] == 4
    assert second.startswith("held out, real: ")
    assert second.endswith(" in 1 recordings")


# Mistakes


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("training.epoch=3", "unknown key 'training.epoch'; did you mean 'epochs'?"),  # "epoch" is one of crossval
        ("crossval.operating_point.enoug=1", "unknown key 'crossval.operating_point.enoug'; did you mean 'enough'?"),
        ("pipeline.model.hopp=3", "unknown key .*hopp'; did you mean 'hop'?"),
        ("training.lr=-1", "training.lr: "),
        (
            "data.recordings=[{files=['*.edf'], labels={burst='seizur'}}]",
            "'seizur' is not among .*; did you mean 'seizure'?",
        ),
        ("training.loss='cross_entropy'", "'cross_entropy' does not go with pipeline.activation 'sigmoid'"),
        ("data.root='nowhere'", "nowhere is not a folder; name it with --set data.root=FOLDER"),
        ("data.recordings=[]", "names no recordings; add"),
    ],
)
def test_a_config_that_is_wrong_is_reported_in_one_line(folder, setting, line):
    with pytest.raises(ConfigError, match=line) as caught:
        config_of(folder, setting)
    assert "\n" not in str(caught.value)
    assert "train.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("data.recordings=[{files=['*.bdf'], labels={burst='seizure'}}]", "nothing matches '*.bdf' in "),
        ("data.recordings=[{files=['*.edf']}]", "labels nothing; add labels, marked or background_only"),
        ("data.recordings=[{files=['*.edf'], labels={brust='seizure'}}]", "no annotation reads 'brust'; those have 'b"),
        ("data.recordings=[{files=['*.edf'], background_only=true}]", "no training recording has a known step of"),
        ("data.recordings=[{files=['*.edf'], background_only=true}, {files=['a.edf'], background_only=true}]",
         "a.edf is named by two patterns"),
        ("data.validation.files=['e.edf']", "no recording matches 'e.edf'"),
        ("data.validation.files=['*.edf']", "holds out every recording"),
        ("data.validation.folds=[['a.edf'], ['x.edf']]", "data.validation.folds: no recording matches 'x.edf'"),
        ("data.validation.folds=[['a.edf'], ['[ab].edf']]", "data.validation.folds: a.edf is in folds 1 and 2; a recording"),
        ("data.validation.files=['[abc].edf']", None),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_the_config_are_reported_in_one_line(folder, tmp_path, setting, line):
    config = config_of(folder, setting, "training.epochs=1")
    if line is None:  # the counterpart: this one is right
        assert train(config, tmp_path / "tiny.rtbci").notes["scores"]["real"]["n_recordings"] == 3
        return
    with pytest.raises(ConfigError, match=re.escape(line)) as caught:
        train(config, tmp_path / "tiny.rtbci")
    assert "\n" not in str(caught.value)


def test_a_recording_without_annotations_is_refused_with_what_to_do(folder, tmp_path):
    write_recording(folder / "a.edf", 0, [])
    with pytest.raises(
        RecordingError, match=r"a.edf: has no annotations, .* write a_events.tsv beside it, label it with"
    ):
        train(config_of(folder), tmp_path / "tiny.rtbci")
    (folder / "a_events.tsv").write_text("onset\tduration\teventType\n0\t40\tbckg\n")
    assert train(config_of(folder, "training.epochs=1"), tmp_path / "tiny.rtbci").notes["training"]["epochs_run"] == 1


def steps_of(folder: Path, *settings: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels of `a.edf` at each second, and whether they are known."""
    config = config_of(folder, *settings)
    source = find_sources(config)[0]
    y, known = label_steps(np.arange(40.0), source, config.pipeline.classes)
    return y[:, 0], known


def test_a_seizure_without_an_end_is_never_trained_as_background(folder):
    write_recording(folder / "a.edf", 0, [])
    (folder / "a_events.tsv").write_text("onset\tduration\teventType\n8\t5\tburst\n20\tn/a\tburst\n")
    y, known = steps_of(folder)
    assert np.flatnonzero(y).tolist() == [8, 9, 10, 11, 12]
    assert known.tolist() == [True] * 20 + [False] * 20
    data = Data.load(config_of(folder))
    assert data.annotations.open_ended == 1
    assert data.warnings == ["a.edf: 'seizure' at 20 s has no end: 20 … 40 s is unknown, neither background nor scored"]


def test_every_type_of_seizure_is_one_where_the_config_says_seizure(folder):
    write_recording(folder / "a.edf", 0, [])
    rows = "8\t5\tFIA\n20\t5\tsz_gen\n30\t5\tseizure free\n"
    (folder / "a_events.tsv").write_text(f"onset\tduration\teventType\n{rows}")
    y, known = steps_of(folder, "data.recordings=[{files=['*.edf'], labels={seizure='seizure', burst='seizure'}}]")
    assert np.flatnonzero(y).tolist() == [8, 9, 10, 11, 12, 20, 21, 22, 23, 24]
    assert known.all()
    y, known = steps_of(folder, "data.recordings=[{files=['*.edf'], labels={sz_foc='seizure', burst='seizure'}}]")
    assert np.flatnonzero(y).tolist() == [8, 9, 10, 11, 12]
    assert np.flatnonzero(~known).tolist() == [20, 21, 22, 23, 24]


def test_rows_of_background_are_background_where_nothing_else_is_known(folder):
    write_recording(folder / "a.edf", 0, [])
    (folder / "a_events.tsv").write_text("onset\tduration\teventType\n0\t30\tbckg\n10\t5\tburst\n")
    unknown = "data.recordings=[{files=['*.edf'], labels={burst='seizure'}, elsewhere='unknown'}]"
    y, known = steps_of(folder, unknown)
    assert np.flatnonzero(y).tolist() == [10, 11, 12, 13, 14]
    assert known.tolist() == [True] * 30 + [False] * 10
    (folder / "a_events.tsv").write_text("onset\tduration\teventType\n")
    assert steps_of(folder, unknown)[1].all()


def test_a_checkpoint_of_another_config_or_a_damaged_one_is_refused(folder, tmp_path):
    def kill(what, done, *_):
        if what == "training" and done >= 1:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train(config_of(folder), tmp_path / "tiny.rtbci", kill)
    with pytest.raises(ConfigError, match="belongs to another config"):
        train(config_of(folder, "training.seed=9"), tmp_path / "tiny.rtbci", resume=True)
    checkpoint_path(tmp_path / "tiny.rtbci").write_bytes(b"not a checkpoint")
    with pytest.raises(ConfigError, match="not a complete checkpoint"):
        train(config_of(folder), tmp_path / "tiny.rtbci", resume=True)


def test_a_new_run_keeps_the_checkpoint_of_one_that_was_cut_short(folder, tmp_path, capsys):
    out = tmp_path / "tiny.rtbci"

    def kill(what, done, *_):
        if what == "training" and done >= 1:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train(config_of(folder), out, kill)
    kept = checkpoint_path(out).read_bytes()
    train_from_file(folder / "train.toml", out, ["training.epochs=1"], resume=False, json=True)
    assert (tmp_path / "tiny-2.checkpoint").read_bytes() == kept
    assert not checkpoint_path(out).exists()
    said = " ".join(capsys.readouterr().err.split())
    assert "tiny.checkpoint of an unfinished run is kept as tiny-2.checkpoint; `--resume` goes on from one" in said


def test_a_file_that_is_no_pipeline_is_refused_before_the_training_and_a_pipeline_is_replaced(folder, tmp_path):
    recording = folder / "a.edf"
    before = recording.read_bytes()
    with pytest.raises(PipelineFileError, match="a.edf: is not a pipeline file, and is not replaced"):
        train(config_of(folder), recording, lambda *_: pytest.fail("it was begun"))
    with pytest.raises(PipelineFileError, match="data: is not a file"):
        train(config_of(folder), folder)
    assert recording.read_bytes() == before
    train(config_of(folder, "training.epochs=1"), tmp_path / "tiny.rtbci")
    first = (tmp_path / "tiny.rtbci").read_bytes()
    train(config_of(folder, "training.epochs=1", "training.seed=9"), tmp_path / "tiny.rtbci")
    assert (tmp_path / "tiny.rtbci").read_bytes() != first


def test_a_missing_output_folder_is_reported_before_the_training(folder, tmp_path):
    with pytest.raises(ConfigError, match="its folder does not exist"):
        train(config_of(folder), tmp_path / "no" / "tiny.rtbci")


def test_the_configs_of_the_repository_are_whole():
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.toml")):
        values = __import__("tomllib").loads(path.read_text())
        if "training" in values:
            assert parse(TrainConfig, values, path.name).pipeline.name == path.stem
