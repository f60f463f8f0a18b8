"""The comparison of motor imagery: one fold, one band, one set of channels for all, and figures with their textbook values."""

import shutil
import sys
from pathlib import Path

import edfio
import numpy as np
import pytest
from real_data import find_data

from rtbci.evaluation.tagging import tag
from rtbci.training.config import TrainConfig, read_train_config

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import compare_motor_imagery as tool  # noqa: E402
from compare_motor_imagery import CONFIG, CSP, TANGENT, compare, fitting, joined  # noqa: E402
from paired_scores import Paired, interval, kappa, least_above_chance  # noqa: E402
from trial_baselines import TangentSpace, csp_lda, distance, riemannian_mean, tangent_space_regression  # noqa: E402

CHANNELS = ("FC3", "FC4", "C3", "Cz", "C4", "CP3")
RUNS = ("S001R03", "S001R04", "S001R07", "S001R08")
N_TRIALS = 12  # of a run


def quiet(*_: object) -> None: ...


def write_runs(root: Path, *, labels_are_true: bool = True) -> Path:
    """Four runs of noise with a rest before each cue; after T1 a source of 12 Hz is strong, after T2 weak."""
    (root / "eegmmidb").mkdir()
    mixing = np.array([0.1, -0.5, 0.2, 0.6, 1.0, 0.4])
    for run in RUNS:
        rng = np.random.default_rng(list(run.encode()))
        n = 160 * (8 * N_TRIALS + 4)
        classes = rng.permutation(np.arange(N_TRIALS) % 2)
        source, gain = rng.normal(size=n), np.ones(n)
        source = np.convolve(source, np.hanning(80) * np.sin(2 * np.pi * 12 * np.arange(80) / 160), "same")
        for trial, one in enumerate(classes):
            gain[160 * (8 * trial + 4) : 160 * (8 * trial + 8)] = (3.0, 0.3)[one]
        x = rng.normal(0, 5, (n, len(CHANNELS))) + np.outer(source * gain, mixing)
        told = classes if labels_are_true else shuffled_within(classes, rng)
        notes = [edfio.EdfAnnotation(8 * t, 4, "T0") for t in range(N_TRIALS)]
        notes += [edfio.EdfAnnotation(8 * t + 4, 4, ("T1", "T2")[one]) for t, one in enumerate(told)]
        signals = [
            edfio.EdfSignal(column, 160, label=name, physical_dimension="uV", physical_range=(-500, 500))
            for name, column in zip(CHANNELS, x.T, strict=True)
        ]
        edfio.Edf(signals, annotations=notes).write(root / "eegmmidb" / f"{run}.edf")
    return root


def shuffled_within(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels that say nothing: half of each class has either."""
    told = np.empty_like(classes)
    for one in (0, 1):
        told[classes == one] = rng.permutation(np.arange((classes == one).sum()) % 2)
    return told


def config_of(root: Path, *settings: str, config: Path = CONFIG) -> TrainConfig:
    channels = f"pipeline.montage.channels={list(CHANNELS)}"
    return read_train_config(config, [f"data.root={str(root)!r}", channels, *settings])


def accuracies(config: TrainConfig) -> dict[str, float]:
    _, folds = compare(config, quiet, quiet)
    return {method: float(right.mean()) for method, right in joined(folds).right.items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runs(tmp_path_factory.mktemp("runs"))


# Folds


def test_all_methods_find_two_classes_that_differ_in_the_power_of_one_source(runs: Path) -> None:
    assert accuracies(config_of(runs)) == {"motor_imagery": 1.0, CSP: 1.0, TANGENT: 1.0}


def test_with_shuffled_labels_no_method_is_beyond_chance(tmp_path: Path) -> None:
    least = least_above_chance(0.5, 4 * N_TRIALS) / (4 * N_TRIALS)
    found = accuracies(config_of(write_runs(tmp_path, labels_are_true=False)))
    assert all(1 - least < accuracy < least for accuracy in found.values()), found


@pytest.mark.parametrize("settings", [(), ("data.validation.folds=[]",), ("data.validation={k_fold=4}",)])
def test_each_run_is_left_out_once_and_none_of_its_trials_is_fitted_to(runs: Path, settings: tuple[str, ...]) -> None:
    folds = list(fitting(config_of(runs, "training.epochs=1", *settings), quiet, quiet))
    tested = [example.source.name for fold in folds for example in fold.test]
    assert sorted(tested) == [f"eegmmidb/{run}.edf" for run in RUNS]
    for fold in folds:
        names = {example.source.name for example in fold.training}
        assert len(names) == 3
        assert not names & {example.source.name for example in fold.test}
        assert len(tool.trials_of(fold.data, fold.test)[1]) == N_TRIALS


def test_behind_a_selection_the_baselines_have_the_electrodes_that_it_chose(runs: Path) -> None:
    settings = ("pipeline.model.n_select=2", "selection.epochs=2", "selection.fit_epochs=1")
    _, folds = compare(config_of(runs, *settings, config=CONFIG.with_stem("motor_imagery_gumbel")), quiet, quiet)
    assert [fold.recordings for fold in folds] == [(f"eegmmidb/{run}.edf",) for run in RUNS]
    assert all(len(fold.channels) == 2 and set(fold.channels) < set(CHANNELS) for fold in folds)
    assert [list(fold.predicted) for fold in folds] == [["motor_imagery_gumbel", CSP, TANGENT]] * 4


def test_the_answers_of_the_pipeline_are_those_of_the_live_path_at_the_cues() -> None:
    root = find_data("eegmmidb/S001R03.edf").parents[1]
    fold = next(fitting(read_train_config(CONFIG, [f"data.root={str(root)!r}"]), quiet, quiet))
    (example,) = fold.test
    live = tag(fold.pipeline, example.source.recording).answers
    offline = tool.answers_of(fold)
    assert [answer.cue.text for answer in live] == [("T1", "T2")[label] for label in offline.truth]
    predicted = [int(np.argmax(answer.probabilities)) for answer in live]
    assert predicted == offline.predicted["motor_imagery"].tolist()


# What is printed


def test_the_table_says_whose_trials_they_are_and_what_chance_is(runs: Path, capsys: pytest.CaptureFixture) -> None:
    channels = f"pipeline.montage.channels={list(CHANNELS)}"
    assert tool.main([str(runs), "--set", channels, "--set", "training.epochs=1"]) == 0
    said = capsys.readouterr().out
    assert "8–30 Hz; 6 channels: FC3 FC4 C3 Cz C4 CP3\n" in said
    assert (
        "chance: 0.500 (24 of 48 are of one class); above it, at p < 0.05 one-sided, from 0.646 on (31 of 48)" in said
    )
    assert "this is one subject, S001, with 48 trials: it says nothing of other people" in said


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["{runs}", "--config", "nowhere.toml"], "nowhere.toml"),
        (
            ["{runs}", "--config", "{configs}/conv_lstm.toml"],
            "'conv_lstm' answers at every hop; wanted a network of trials",
        ),
        (["{one}"], "data.validation.folds: no recording matches '*R04.edf'"),
        (["{one}", "--set", "data.validation.folds=[]"], "there is one recording; wanted two or more"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], line: str
) -> None:
    (tmp_path / "eegmmidb").mkdir()
    shutil.copy(runs / "eegmmidb" / "S001R03.edf", tmp_path / "eegmmidb")
    arguments = [word.format(runs=runs, one=tmp_path, configs=CONFIG.parent) for word in arguments]
    assert tool.main([*arguments, "--set", f"pipeline.montage.channels={list(CHANNELS)}"]) == 2
    (error,) = (text for text in capsys.readouterr().err.splitlines() if text.startswith("error: "))
    assert line in error


# Statistics


def test_clopper_and_pearsons_interval_has_its_textbook_values() -> None:
    assert interval(np.zeros(10, bool)) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))
    assert interval(np.ones(10, bool)) == pytest.approx((0.025 ** (1 / 10), 1.0))


def test_mcnemars_test_counts_the_trials_in_which_two_methods_differ() -> None:
    first = np.array([1] * 30 + [1] * 1 + [0] * 8 + [0] * 21, bool)
    second = np.array([1] * 30 + [0] * 1 + [1] * 8 + [0] * 21, bool)
    pair = Paired.of(first, second)
    assert (pair.only_first, pair.only_second) == (1, 8)
    assert pair.p == pytest.approx(2 * (1 + 9) / 2**9)
    assert Paired.of(first, first).p == 1.0


def test_kappa_and_the_bound_of_chance() -> None:
    truth = np.repeat([0, 1], 10)
    assert kappa(truth, truth) == 1.0
    assert kappa(truth, np.where(np.arange(20) % 10 < 7, truth, 1 - truth)) == pytest.approx(0.4)
    assert kappa(np.zeros(5, int), np.zeros(5, int)) is None
    assert least_above_chance(0.5, 20) == 15  # P(X >= 15) = 0.021, P(X >= 14) = 0.058


# Baselines


@pytest.fixture
def matrices() -> np.ndarray:
    a = np.random.default_rng(0).normal(size=(12, 5, 8))
    return a @ a.swapaxes(1, 2)


def test_the_riemannian_mean_moves_with_every_change_of_the_base(matrices: np.ndarray) -> None:
    base = np.random.default_rng(1).normal(size=(5, 5))
    moved = riemannian_mean(base @ matrices @ base.T)
    np.testing.assert_allclose(moved, base @ riemannian_mean(matrices) @ base.T, rtol=1e-6, atol=1e-8)


def test_the_riemannian_mean_of_diagonal_matrices_is_the_geometric_one() -> None:
    diagonals = np.array([[1.0, 8], [4, 2], [2, 4]])
    mean = riemannian_mean(np.stack([np.diag(d) for d in diagonals]))
    np.testing.assert_allclose(mean, np.diag([2.0, 4.0]), atol=1e-9)


def test_the_riemannian_mean_of_two_is_half_way_between_them_and_its_logarithms_add_up_to_zero(
    matrices: np.ndarray,
) -> None:
    a, b = matrices[:2]
    middle = riemannian_mean(matrices[:2])
    assert distance(a, middle) == pytest.approx(distance(b, middle)) == pytest.approx(distance(a, b) / 2)
    np.testing.assert_allclose(TangentSpace().fit(matrices).transform(matrices).mean(0), 0, atol=1e-8)


def test_the_distance_of_known_matrices(matrices: np.ndarray) -> None:
    a, b = matrices[:2]
    base = np.random.default_rng(1).normal(size=(5, 5))
    assert distance(np.eye(3), np.eye(3)) == 0
    assert distance(np.eye(2), np.diag([np.e**3, np.e**4])) == pytest.approx(5)
    assert distance(base @ a @ base.T, base @ b @ base.T) == pytest.approx(distance(a, b))
    assert distance(np.linalg.inv(a), np.linalg.inv(b)) == pytest.approx(distance(a, b))


def test_a_vector_of_the_tangent_space_is_as_long_as_the_matrix_is_far_from_the_mean(matrices: np.ndarray) -> None:
    space = TangentSpace().fit(matrices)
    lengths = np.linalg.norm(space.transform(matrices), axis=1)
    np.testing.assert_allclose(lengths, [distance(space.mean_, one) for one in matrices])


def test_a_mean_that_is_not_reached_is_an_error(matrices: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no Riemannian mean after 1 steps"):
        riemannian_mean(matrices, most=1)


@pytest.mark.parametrize("make", [lambda: csp_lda(2), tangent_space_regression])
def test_the_scale_of_a_channel_changes_no_answer_where_classes_are_plain(make) -> None:
    rng, labels = np.random.default_rng(0), np.arange(40) % 2
    x = rng.normal(size=(40, 200, 2)).astype(np.float32)
    x[labels == 1, :, 0] *= 3
    for scale in (1.0, 100.0):
        unseen = x * np.float32([scale, 1])
        assert make().fit(unseen[:20], labels[:20]).predict(unseen[20:]).tolist() == labels[20:].tolist()
