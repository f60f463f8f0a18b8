"""Electrode selection: finds the electrodes that carry the signal, never one twice, and goes live with those alone."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import edfio
import numpy as np
import pytest
import torch
from cutting import CHANNELS, CONSTANT, INFO, PAIRS, assert_same, cut, eeg, make_pipeline, through

import rtbci
from rtbci.cli import select as select_command
from rtbci.cli.select import select_from_file
from rtbci.cli.train import summary
from rtbci.errors import ConfigError, RtbciError, StreamMismatch
from rtbci.models import build
from rtbci.models.gumbel_selector import SelectionNet
from rtbci.pipeline.config import ChosenElectrodes
from rtbci.stages.montage import MontageConfig
from rtbci.training.config import SearchConfig, read_train_config
from rtbci.training.electrode_selection import baselines
from rtbci.training.electrode_selection.comparison import (
    ALL,
    ANEW,
    BACKWARD,
    GUMBEL,
    INFORMATION,
    RANDOM,
    Comparison,
    Score,
    narrowed,
)
from rtbci.training.electrode_selection.search import Selected, evaluate, fit, search, select, sum_of_squares
from rtbci.training.electrode_selection.segments import Segments
from rtbci.training.losses import masked_cross_entropy
from rtbci.training.train import train
from rtbci.types import Chunk, StreamInfo

LOSS = partial(masked_cross_entropy, weights=torch.ones(2))
SMALL = {"window": 40, "kernels": (9, 5), "filters": 3, "pool": 20, "pool_hop": 20, "n_classes": 2, "dropout": 0.0}
QUICK = SearchConfig(epochs=120, fit_epochs=30, selector_lr=0.05, lr=0.02, tau=(1.1, 1.1), fit_patience=30)


def quiet(*_: object) -> None: ...


def power_in(electrodes: tuple[int, ...], n: int = 96, n_channels: int = 6, seed: int = 0) -> Segments:
    """Trials of noise; in those of class 1 each of some electrodes is large in three of four."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    x = rng.normal(size=(n, 40, n_channels)).astype(np.float32)
    for i in np.flatnonzero(labels):
        x[i, :, [e for e in electrodes if rng.random() < 0.75 or len(electrodes) == 1]] *= 2.5
    return Segments.of_trials(x, labels, np.arange(n) // (n // 4), 2)


def selector(n_select: int, n_channels: int = 6) -> SelectionNet:
    torch.manual_seed(0)
    return SelectionNet(n_channels, n_select, build("msfbcnn", n_channels=n_select, **SMALL))


@pytest.fixture(scope="module")
def selected() -> Selected:
    return select(selector(2), power_in((1, 4)), power_in((1, 4), 32, seed=1), LOSS, QUICK, 0, quiet)


# The search


def test_the_electrodes_that_carry_the_signal_are_found(selected: Selected) -> None:
    assert sorted(selected.electrodes) == [1, 4]
    assert selected.converged
    assert sorted(selected.ranking) == list(range(6))
    assert set(selected.ranking[:2]) == {1, 4}


def test_temperature_tau_and_entropy_go_from_undecided_to_decided(selected: Selected) -> None:
    first, last = selected.epochs[0], selected.epochs[-1]
    assert (first.temperature, first.tau) == (10.0, 1.1)
    assert first.entropy > 0.9
    assert last.entropy <= QUICK.converged_entropy
    assert all(
        a.temperature >= b.temperature >= 0.1 for a, b in zip(selected.epochs, selected.epochs[1:], strict=False)
    )


def test_the_same_seed_gives_the_same_search(selected: Selected) -> None:
    again = select(selector(2), power_in((1, 4)), power_in((1, 4), 32, seed=1), LOSS, QUICK, 0, quiet)
    assert again.epochs == selected.epochs
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, selected.network.state_dict()[name])


def test_no_electrode_is_chosen_twice_and_it_is_said_which_selector_gave_way() -> None:
    network, segments = selector(2), power_in((3,), 32)
    with torch.no_grad():
        network.selection_layer.qz_loga[3] = torch.tensor([8.0, 9.0])
        network.selection_layer.qz_loga[5, 0] = 2.0
    found = select(network, segments, segments, LOSS, SearchConfig(epochs=1, fit_epochs=1), 0, quiet)
    assert found.electrodes == (5, 3)
    assert [(m.selector, m.wanted, m.got) for m in found.resolution.reassignments] == [(0, 3, 5)]
    assert found.ranking[:2] == (3, 5)


def test_a_search_that_has_not_decided_does_not_stop_early() -> None:
    segments = power_in((1,), 32)
    epochs, converged = search(selector(1), segments, segments, LOSS, SearchConfig(epochs=15, patience=1), 0, quiet)
    assert (len(epochs), converged) == (15, False)


def test_weight_decay_spares_biases_batch_norm_and_the_selectors_logits() -> None:
    network = selector(2)
    inner = network.network
    wanted = sum(
        float(getattr(inner, name).weight.detach().square().sum()) for name in ("conv1a", "conv1b", "conv2", "fc1")
    )
    assert float(sum_of_squares(network).detach()) == pytest.approx(wanted, rel=1e-5)


def test_a_fit_keeps_the_weights_of_its_best_epoch() -> None:
    torch.manual_seed(0)
    network = build("msfbcnn", n_channels=6, **SMALL)
    segments, other = power_in((1,), 32), power_in((2,), 32, seed=5)
    losses = []
    fitted = fit(
        network, segments, other, LOSS, QUICK, 0, lambda *_: losses.append(evaluate(network, other, LOSS).loss)
    )
    assert evaluate(fitted, other, LOSS).loss == pytest.approx(min(losses), abs=2e-3)


# The baselines


def test_electrodes_are_ranked_by_how_far_the_classes_lie_apart_there() -> None:
    labels = np.arange(400) % 2
    features = np.random.default_rng(0).normal(size=(400, 4)) + np.outer(labels, [0.0, 3.0, 1.0, 2.0])
    assert baselines.by_mutual_information(features, labels, 4) == (1, 3, 2, 0)
    assert len(baselines.by_mutual_information(features[:2], labels[:2], 3)) == 3


def test_the_best_by_mutual_information_come_first() -> None:
    segments = power_in((4,), 200)
    assert baselines.by_mutual_information(segments.log_power(), segments.labels(), 3)[0] == 4


def test_backward_elimination_keeps_what_is_missed_most() -> None:
    segments = power_in((1, 4), 200)
    assert baselines.by_backward_elimination(segments.log_power(), segments.labels(), 2) == (1, 4)


def test_the_left_out_error_is_that_of_leaving_each_out() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(12, 3)), np.arange(12) % 2
    with_mean, y = np.column_stack([x - x.mean(0), np.ones(12)]), labels * 2.0 - 1
    penalty = np.diag([*[baselines.RIDGE * len(x)] * 3, 0.0])
    errors = []
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        weights = np.linalg.solve(with_mean[rest].T @ with_mean[rest] + penalty, with_mean[rest].T @ y[rest])
        errors.append(float((y[i] - with_mean[i] @ weights) ** 2))
    assert baselines.left_out_error(x, labels) == pytest.approx(np.mean(errors))


def test_random_sets_differ_by_seed_and_hold_no_electrode_twice() -> None:
    sets = [baselines.at_random(20, 5, seed) for seed in range(5)]
    assert len(set(sets)) == 5
    assert all(len(set(one)) == 5 for one in sets)
    assert sets[0] == baselines.at_random(20, 5, 0)


# From a config to a pipeline file

CONFIG = """
[pipeline]
name = "chosen"
sfreq = 40
classes = ["left", "right"]
activation = "softmax"
window_hop = 8
montage.channels = ["C3", "Cz", "C4", "Pz"]
filters = { low_hz = 2.0, high_hz = 15.0, order = 2 }
scaling = { kind = "constant" }

[pipeline.model]
kind = "selection"
n_select = 1
network = { kind = "msfbcnn", window = 40, kernels = [9, 5], filters = 3, pool = 20, pool_hop = 20 }

[[data.recordings]]
files = ["*.edf"]
labels = { T1 = "left", T2 = "right" }
elsewhere = "unknown"

[training]
loss = "cross_entropy"

[selection]
epochs = 120
fit_epochs = 20
lr = 0.02
selector_lr = 0.05
random_sets = 2
"""


def write_run(path: Path, seed: int) -> None:
    """Four electrodes at 40 Hz; in trials of T2 the rhythm at C4 is three times as large."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 10, (90 * 40, 4))
    notes = []
    for i in range(21):
        label, onset = ("T1", "T2")[int(rng.integers(2)) if i > 1 else i], 2.0 + 4 * i
        notes.append(edfio.EdfAnnotation(onset, 2.0, label))
        if label == "T2":
            x[round(onset * 40) : round((onset + 2) * 40), 2] *= 3
    signals = [
        edfio.EdfSignal(c, 40, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for c, name in zip(x.T, ("C3", "Cz", "C4", "Pz"), strict=True)
    ]
    edfio.Edf(signals, annotations=notes).write(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        write_run(root / f"run{seed}.edf", seed)
    (root / "select.toml").write_text(CONFIG)
    return root


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    select_from_file(folder / "select.toml", [1, 2], out, [], False)
    return out


def test_select_writes_a_table_a_figure_and_a_pipeline_for_each_k(out: Path) -> None:
    names = [f"chosen_{rest}" for rest in ("k1.rtbci", "k2.rtbci", *(f"selection.{s}" for s in ("json", "png", "tsv")))]
    assert sorted(p.name for p in out.iterdir()) == names
    report = json.loads((out / "chosen_selection.json").read_text())
    methods = [(row["method"], row["k"]) for row in report["rows"]]
    rivals_of = [(m, k) for k in (1, 2) for m in (GUMBEL, ANEW, INFORMATION, BACKWARD, RANDOM)]
    assert methods == [(ALL, 4), *rivals_of]
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in report["rows"])
    assert [row["n_sets"] for row in report["rows"] if row["method"] == RANDOM] == [2, 2]
    table = (out / "chosen_selection.tsv").read_text().splitlines()
    assert len(table) == 1 + len(methods)
    assert table[0].startswith("method\tk\taccuracy\tlow\thigh")
    assert (out / "chosen_selection.png").read_bytes().startswith(b"\x89PNG")


def test_the_electrode_that_carries_the_signal_ends_in_the_pipeline_file(out: Path) -> None:
    pipeline = rtbci.Pipeline.load(out / "chosen_k1.rtbci")
    assert pipeline.channels == ("C4",)
    assert pipeline.config.model.kind == "msfbcnn"
    assert pipeline.config.model.n_channels == 1
    assert len(pipeline.config.scaling.scale_uv) == 1  # type: ignore[union-attr]
    assert pipeline.notes["selection"]["ranking"][0] == "C4"
    report = json.loads((out / "chosen_selection.json").read_text())
    by = {(row["method"], row["k"]): row["accuracy"] for row in report["rows"]}
    assert by[GUMBEL, 1] > 0.85


def test_each_recording_is_tested_on_once_and_never_with_those_that_were_fitted_to(out: Path) -> None:
    report = json.loads((out / "chosen_selection.json").read_text())
    assert [fold["test"] for fold in report["folds"]] == [["run0.edf"], ["run1.edf"], ["run2.edf"]]
    assert all(fold["test"] != fold["held_out"] for fold in report["folds"])


def test_a_pipeline_with_chosen_electrodes_tags_a_recording_that_has_only_these(folder: Path, out: Path) -> None:
    pipeline = rtbci.Pipeline.load(out / "chosen_k1.rtbci")
    whole = rtbci.open_recording(folder / "run0.edf")
    only = replace(
        whole,
        info=StreamInfo("only", 40.0, ("C4",), ("uV",)),
        read=lambda a, b: np.ascontiguousarray(whole.read(a, b)[:, 2:3]),
    )
    assert_same(rtbci.tag(pipeline, only).scores, rtbci.tag(pipeline, whole).scores)


def test_a_config_with_a_selection_is_trained_to_a_pipeline_that_names_its_electrodes(
    folder: Path, tmp_path: Path
) -> None:
    pipeline = train(read_train_config(folder / "select.toml"), tmp_path / "one.rtbci")
    assert pipeline.channels == ("C4",)
    assert rtbci.Pipeline.load(tmp_path / "one.rtbci").channels == ("C4",)
    assert summary(pipeline, Path("one.rtbci"))[0].startswith("one.rtbci: ")


@pytest.mark.parametrize(
    ("settings", "ks", "said"),
    [
        ([], [5], "--k 5: the montage has 4 channels"),
        ([], [2, 2], "each once"),
        (["pipeline.scaling={kind='running'}"], [1], "would change with the electrodes"),
        (["augment.invert=true"], [1], "remove .augment."),
        (["pipeline.selection.channels=['C3']"], [1], "names the electrodes already"),
        (["data.validation.files=['run0.edf', 'run1.edf']"], [1], "to fit to, to stop by and to test on"),
    ],
)
def test_a_mistake_is_reported_in_one_line(
    folder: Path, tmp_path: Path, settings: list[str], ks: list[int], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        select_from_file(folder / "select.toml", ks, tmp_path / "out", settings, True)


@pytest.mark.parametrize("name", ["chosen_k1.rtbci", "chosen_selection.tsv", "chosen_selection.json"])
def test_a_file_of_somebody_else_is_refused_before_the_search(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("of somebody else")
    with pytest.raises(RtbciError, match=f"{name}: (is not a pipeline file|was not written by a selection)"):
        select_from_file(folder / "select.toml", [1], tmp_path, [], True)
    assert (tmp_path / name).read_text() == "of somebody else"


def test_ctrl_c_keeps_what_is_finished(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def second_is_cut_short(bench: Comparison, k: int, told: object) -> tuple[list[Score], list[Selected]]:
        if k == 2:
            raise KeyboardInterrupt
        return [Score(GUMBEL, k, (0.5,), 63)], []

    monkeypatch.setattr(select_command, "scores_with", second_is_cut_short)
    with pytest.raises(KeyboardInterrupt):
        select_from_file(folder / "select.toml", [1, 2], tmp_path, ["selection.epochs=5"], True)
    rows = json.loads((tmp_path / "chosen_selection.json").read_text())["rows"]
    assert {row["k"] for row in rows} == {1, 4}


# Live, with the chosen electrodes alone

CHOSEN = ChosenElectrodes(channels=("T7-P7", "Fp1-F7"))


def test_the_chosen_electrodes_are_enough_in_a_stream() -> None:
    pipeline = make_pipeline(selection=CHOSEN)
    whole = eeg(3000)
    needed = [CHANNELS.index(f"EEG {name}-Ref") for name in ("T3", "T5", "Fp1", "F7")]
    info = StreamInfo("few", INFO.sfreq, tuple(CHANNELS[i] for i in needed), ("uV",) * 4)
    few = Chunk(whole.data[:, needed], whole.times)
    assert_same(pipeline.start(info).process(few), pipeline.start(INFO).process(whole))
    with pytest.raises(StreamMismatch, match="lacks 1 of the 2"):
        pipeline.start(replace(info, channels=info.channels[:3], units=info.units[:3]))


def test_only_the_chosen_electrodes_are_filtered_where_there_is_no_common_average() -> None:
    pipeline = make_pipeline(selection=CHOSEN)
    stages = dict(pipeline.preprocessor(INFO).stages)
    assert "select" not in stages
    assert stages["montage"].process(eeg(10)).data.shape == (10, 2)


def test_a_common_average_is_taken_over_the_whole_montage_before_the_choice() -> None:
    montage = MontageConfig(channels=("Fp1", "F7", "T7", "P7", "O1"), reference="average")
    pipeline = make_pipeline(montage=montage, selection=ChosenElectrodes(channels=("O1", "Fp1")))
    assert pipeline.channels == montage.channels
    assert "select" in dict(pipeline.preprocessor(INFO).stages)
    with pytest.raises(StreamMismatch, match="lacks"):
        pipeline.start(StreamInfo("few", INFO.sfreq, CHANNELS[:2], ("uV",) * 2))


def test_a_pipeline_with_chosen_electrodes_does_not_depend_on_the_cutting() -> None:
    pipeline, whole = make_pipeline(selection=CHOSEN), eeg(4000)
    wanted = pipeline.start(INFO).process(whole)
    for seed in range(10):
        assert_same(through(pipeline.start(INFO), cut(whole, seed)), wanted)


def test_a_narrowed_config_keeps_the_constants_of_its_electrodes_in_their_order() -> None:
    config = make_pipeline(scaling=CONSTANT).config
    narrow = narrowed(config, (2, 0))
    assert narrow.selection is not None
    assert narrow.selection.channels == (PAIRS[2], PAIRS[0])
    assert narrow.scaling.scale_uv == (30.0, 10.0)  # type: ignore[union-attr]
