"""A selection by patient: the derivations that carry the signal are found without the patient, and scored beside other sets."""

import json
import multiprocessing
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from crossval_kit import write_recording
from electrodes_kit import CHANNELS, SEIZING, config_of, write_patients
from sklearn.metrics import roc_auc_score

from rtbci.cli.select_by_patient import select_by_patient_from_file
from rtbci.errors import ConfigError
from rtbci.evaluation.tagging import tag
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.config import read_train_config
from rtbci.training.crossval.run import sources_and_folds
from rtbci.training.electrode_selection.by_patient import fold as fold_module
from rtbci.training.electrode_selection.by_patient import run as run_module
from rtbci.training.electrode_selection.by_patient.config import ALL, GUMBEL, INFORMATION, WITHIN
from rtbci.training.electrode_selection.by_patient.derivations import OnDerivations
from rtbci.training.electrode_selection.by_patient.distance import best_close_set, distances
from rtbci.training.electrode_selection.by_patient.fold import ElectrodesFold, scores_without
from rtbci.training.electrode_selection.by_patient.results import SetResult
from rtbci.training.electrode_selection.by_patient.run import prepared, select_by_patient
from rtbci.training.electrode_selection.by_patient.totals import overlap
from rtbci.training.electrode_selection.by_patient.wanted import wanted_sets
from rtbci.training.electrode_selection.by_patient.watch import ElectrodesWatch
from rtbci.training.examples import label_steps, make_example


def quiet(*_: object) -> None: ...


class Told(ElectrodesWatch):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.before: list[str] = []
        self.done: list[str] = []

    def warned(self, line: str) -> None:
        self.lines.append(line)

    def planned(self, folds, finished) -> None:
        self.before = list(finished)

    def fold_finished(self, fold, sets, seconds) -> None:
        self.done.append(fold)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("electrodes") / "data"
    write_patients(root)
    return root


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("electrodes") / "out"
    select_by_patient(config_of(data), [2], out)
    return out


@pytest.fixture(scope="module")
def first_fold(data: Path) -> ElectrodesFold:
    config, _ = prepared(config_of(data))
    sources, folds = sources_and_folds(config, quiet)
    return ElectrodesFold(config, sources, folds[0])


def sets_of(out: Path) -> dict[tuple[str, str], SetResult]:
    """By fold and method."""
    found = [SetResult.model_validate(json.loads(path.read_text())["result"]) for path in out.glob("fold-*.json")]
    return {(one.fold, one.method): one for one in found}


def rows_of(path: Path) -> list[dict[str, str]]:
    head, *lines = (line.split("\t") for line in path.read_text().splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.suffix in {".json", ".tsv"}}


def without_places(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != "summary.json"}


# What is chosen


def test_the_two_derivations_that_carry_the_signal_are_found_without_the_patients_of_the_fold(whole: Path) -> None:
    for fold in ("01", "02"):
        one = sets_of(whole)[fold, GUMBEL]
        assert set(one.derivations) == set(SEIZING)
        assert one.search[-1].entropy < 0.6 < one.search[0].entropy
        assert len(one.probabilities) == 2 and len(one.probabilities[0]) == len(CHANNELS)
        assert set(sets_of(whole)[fold, INFORMATION].derivations) == set(SEIZING)


def test_those_that_lie_close_together_are_within_the_distance_though_better_ones_are_not(whole: Path) -> None:
    far = distances(CHANNELS)
    at = [CHANNELS.index(name) for name in SEIZING]
    assert far[at[0], at[1]] > 9.0
    for fold in ("01", "02"):
        chosen = [CHANNELS.index(name) for name in sets_of(whole)[fold, WITHIN].derivations]
        assert far[np.ix_(chosen, chosen)].max() <= 9.0
        assert len(set(chosen) & set(at)) == 1


def test_distances_are_along_the_scalp_between_the_outermost_electrodes() -> None:
    far = distances(["Cz", "C3-Cz", "T7-C3", "T3-C3"])
    assert far[0, 0] == pytest.approx(0, abs=1e-6)
    assert far[0, 1] == pytest.approx(far[1, 1])
    assert far[0, 2] == pytest.approx(np.pi / 2 * 56.5 / (2 * np.pi), rel=0.1)
    assert far[2, 2] == pytest.approx(far[3, 3])
    assert (far == far.T).all()
    with pytest.raises(ConfigError, match="electrodes.within_cm: where 'X1-Cz' lies is not known"):
        distances(["X1-Cz"])


def test_the_best_close_set_has_the_largest_sum_of_those_that_are_close() -> None:
    rng = np.random.default_rng(0)
    weights = rng.random(9)
    close = rng.random((9, 9)) < 0.7
    close = (close | close.T) | np.eye(9, dtype=bool)
    fitting = [c for c in combinations(range(9), 4) if close[np.ix_(c, c)].all()]
    assert best_close_set(weights, close, 4) == max(fitting, key=lambda c: weights[list(c)].sum())
    assert best_close_set(weights, np.eye(9, dtype=bool), 2) is None


def test_sets_of_other_sizes_and_distances_that_no_set_has_are_told(data: Path) -> None:
    sets, told = wanted_sets(config_of(data), [2, 4])
    assert [one.key for one in sets if one.k == 4] == [(GUMBEL, 4), (INFORMATION, 4), ("random 1", 4)]
    assert told == [
        "electrodes.within_cm: no 4 derivations lie within 9 cm; left out at K = 4",
        "electrodes.sets: not among --k, and left out: frontal (K = 3)",
    ]


# How it is fitted and scored


def test_every_set_is_fitted_to_the_same_sequences_varied_as_a_whole_and_then_cut(data: Path) -> None:
    config, _ = prepared(config_of(data, "augment.mirror=true"))
    sources, folds = sources_and_folds(config, quiet)
    first_fold = ElectrodesFold(config, sources, folds[0])
    cut = OnDerivations(first_fold.data, [1, 4])  # no counterpart of either is there to be mirrored
    for part, batch in zip(cut.training_batches(3), first_fold.data.training_batches(3), strict=True):
        assert torch.equal(part.x, batch.x[..., [1, 4]])
        assert torch.equal(part.y, batch.y)
    assert cut.pipeline_config.selection.channels == ("F4", "P3")
    assert cut.pipeline_config.model.n_channels == 2


def test_the_score_with_one_dropped_is_that_of_the_live_path_with_that_channel_at_zero(
    data: Path, first_fold: ElectrodesFold, tmp_path: Path
) -> None:
    at = [CHANNELS.index(name) for name in SEIZING]
    pipeline = first_fold._fitted(first_fold.data, at, "fit", quiet)
    source = next(one for one in first_fold.left_out if one.name.endswith("_sz.edf"))

    def silent(start: int, stop: int) -> np.ndarray:
        x = source.recording.read(start, stop).copy()
        x[:, at[1]] = 0
        return x

    answer = tag(pipeline, replace(source.recording, read=silent)).scores
    y, known = label_steps(answer.times, source, ("seizure",))
    example = make_example(Pipeline(first_fold.data.pipeline_config, first_fold.data.new_fit().network), source)
    scores, truth = scores_without(pipeline, example, at, 1, answer.valid)
    kept = known & answer.valid
    np.testing.assert_allclose(scores, answer.data[kept], atol=2e-5)
    assert (truth == (y[kept] > 0.5)).all()
    unchanged = tag(pipeline, source.recording).scores
    assert not np.allclose(unchanged.data[kept], scores, atol=0.05)


def test_figures_of_a_subject_are_those_of_its_own_recordings(whole: Path) -> None:
    table = rows_of(whole / "subjects.tsv")
    tested = [row for row in table if row["tested"] == "yes"]
    assert sorted({row["subject"] for row in tested}) == ["pa", "pb", "pc", "pd"]
    methods = [ALL, GUMBEL, WITHIN, "frontal", INFORMATION, "random 1"]
    assert [row["method"] for row in tested if row["subject"] == "pa"] == methods
    for row in tested:
        one = sets_of(whole)[row["fold"], row["method"]]
        lost = one.dropped_of(row["subject"])
        assert len(lost) == one.k
        assert row["one_dropped"] == str(round(sum(lost) / len(lost), 4))
        assert row["one_dropped_worst"] == str(min(lost))
    by = {(row["method"], row["subject"]): float(row["auroc"]) for row in tested}
    # Where the rhythm is, and where it is not.
    assert all(by[GUMBEL, name] > 0.9 for name in ("pa", "pb", "pc", "pd"))
    assert np.mean([by["frontal", name] for name in ("pa", "pb", "pc", "pd")]) < 0.75


def test_the_table_has_means_over_subjects_and_how_often_each_derivation_was_chosen(whole: Path) -> None:
    report = json.loads((whole / "summary.json").read_text())
    assert (report["complete"], report["folds_finished"], report["operating_point"]) == (True, 2, "pipeline")
    subjects = [row for row in rows_of(whole / "subjects.tsv") if row["tested"] == "yes"]
    for row in report["rows"]:
        own = {one["subject"]: float(one["auroc"]) for one in subjects if one["method"] == row["method"]}
        every = {one["subject"]: float(one["auroc"]) for one in subjects if one["method"] == ALL}
        assert row["auroc"]["mean"] == pytest.approx(np.mean(list(own.values())), abs=1e-4)
        assert row["auroc_above_all"]["mean"] == pytest.approx(np.mean([own[s] - every[s] for s in own]), abs=1e-4)
        assert row["worst"]["auroc"] == min(own.values())
        assert (row["seizures"], row["folds"]) == (4, 2)
        assert set(row["groups"]) == {"quiet", "seizures"}
    gumbel = next(row for row in report["rows"] if row["method"] == GUMBEL)
    assert gumbel["chosen"] == dict.fromkeys(sorted(SEIZING, key=CHANNELS.index), 2)
    assert gumbel["overlap"] == 1.0
    chosen = [row for row in rows_of(whole / "derivations.tsv") if row["method"] == GUMBEL]
    assert [(row["derivation"], row["chosen_in"], row["folds"]) for row in chosen] == [
        ("C3", "2", "2"),
        ("P4", "2", "2"),
    ]
    methods = rows_of(whole / "methods.tsv")
    assert [row["method"] for row in methods] == [row["method"] for row in report["rows"]]
    assert methods[1]["auroc"] == str(gumbel["auroc"]["mean"])


def test_overlap_is_the_share_that_two_folds_have_in_common() -> None:
    assert overlap([("a", "b"), ("b", "c"), ("a", "b")]) == round((1 / 3 + 1 / 3 + 1) / 3, 4)
    assert overlap([("a",)]) is None


def test_the_operating_point_of_inner_folds_is_chosen_for_each_set(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    real = fold_module.operating_points

    def watched(answered, *rest):
        seen.append({one.source.subject for one in answered})
        return real(answered, *rest)

    monkeypatch.setattr(fold_module, "operating_points", watched)
    settings = ["electrodes.operating_point=inner", "selection.epochs=1", "training.epochs=1"]
    config, _ = prepared(config_of(data, *settings, "electrodes.sets=[]"))
    sources, folds = sources_and_folds(config, quiet)
    one = ElectrodesFold(config, sources, folds[0]).result(wanted_sets(config, [2])[0][0], quiet)
    assert seen == [{source.subject for source in sources} - folds[0].left_out]
    assert one.threshold in (0.3, 0.7)
    assert one.release == pytest.approx(one.threshold - 0.1)


# Resuming and processes


def test_finished_sets_are_not_done_again_and_the_outcome_is_that_of_one_run(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name, content in contents(whole).items():
        (out / name).write_bytes(content)
    (out / "fold-02_gumbel_k2.json").unlink()
    (out / "fold-02_frontal_k2.json").write_bytes(b"{}")
    done: list[tuple[str, str]] = []
    real = ElectrodesFold.result

    def counted(self, wanted, on_progress):
        done.append((self.fold.name, wanted.method))
        return real(self, wanted, on_progress)

    monkeypatch.setattr(ElectrodesFold, "result", counted)
    told = Told()
    select_by_patient(config_of(data), [2], out, watch=told)
    assert (told.before, told.done) == (["01"], ["02"])
    assert done == [("02", GUMBEL), ("02", "frontal")]
    assert without_places(contents(out)) == without_places(contents(whole))


def test_folds_side_by_side_give_the_same(data: Path, whole: Path, tmp_path: Path) -> None:
    told = Told()
    select_by_patient(config_of(data), [2], tmp_path / "out", jobs=2, watch=told)
    assert sorted(told.done) == ["01", "02"]
    assert without_places(contents(tmp_path / "out")) == without_places(contents(whole))
    assert not multiprocessing.active_children()


def test_more_numbers_and_sets_can_be_added_and_another_recipe_is_refused(
    data: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(data, "electrodes.sets=[]", "selection.random_sets=0")
    told = Told()
    monkeypatch.setattr(run_module, "do_fold", quiet)
    select_by_patient(config, [2], whole, watch=told)
    assert (told.before, told.done) == (["01", "02"], [])
    select_by_patient(config_of(data), [2], whole)
    with pytest.raises(ConfigError, match="training.epochs is 4 there, 5 here"):
        select_by_patient(config_of(data, "training.epochs=5"), [2], whole)
    with pytest.raises(ConfigError, match="electrodes.within_cm is 9.0 there, 8.0 here"):
        select_by_patient(config_of(data, "electrodes.within_cm=8.0"), [2], whole)


# Mistakes


@pytest.mark.parametrize(
    ("settings", "ks", "said"),
    [
        ([], [6], "--k 6: the montage has 6 channels; wanted 1 to 5"),
        ([], [2, 2], "each once"),
        (["pipeline.scaling={kind='running'}"], [2], "would change with the electrodes"),
        (["electrodes.sets=[{name='x', derivations=['T7']}]"], [2], "electrodes.sets, 'x': 'T7' is not in the montage"),
        (["electrodes.sets=[{name='x', derivations=['C3', 'C3']}]"], [2], "C3 is there twice"),
        (["electrodes.sets=[{name='Gumbel', derivations=['C3']}]"], [2], "have rows of their own"),
        (["pipeline.selection.channels=['C3']"], [2], "names the electrodes already"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_before_anything_is_read(data, tmp_path, settings, ks, said) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        select_by_patient(config_of(data, *settings), ks, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_without_sequences_that_are_drawn_it_is_refused(data: Path, tmp_path: Path) -> None:
    text = (data / "few.toml").read_text()
    a, b = text.index("[sampling]"), text.index("[augment]")
    (data / "other.toml").write_text(text[:a] + text[b:])
    with pytest.raises(ConfigError, match=r"on sequences that are drawn; add \[sampling\]"):
        select_by_patient_from_file(data / "other.toml", [2], tmp_path / "out", [], jobs=1, json=False)


def test_the_command_prints_the_table_and_the_report(
    data: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    select_by_patient_from_file(data / "few.toml", [2], whole, [], jobs=1, json=False)
    err = capsys.readouterr().err
    assert "2 folds, 2 of them finished before" in err
    assert "gumbel, close together" in err
    assert "by subject: " in err
    select_by_patient_from_file(data / "few.toml", [2], whole, [], jobs=1, json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["folder"] == str(whole)
    assert len(report["choices"]) == 12


def test_the_auroc_is_of_hops_with_a_valid_score_and_a_known_label(first_fold: ElectrodesFold) -> None:
    at = [CHANNELS.index(name) for name in SEIZING]
    sets, _ = wanted_sets(first_fold.config, [2])
    wanted = next(one for one in sets if one.method == "frontal")
    result = first_fold.result(wanted, quiet)
    pipeline = first_fold._fitted(first_fold.data, wanted.fixed, "fit", quiet)
    source = next(one for one in first_fold.left_out if one.subject in first_fold.fold.tested)
    answer = tag(pipeline, source.recording).scores
    y, known = label_steps(answer.times, source, ("seizure",))
    kept = known & answer.valid
    row = next(row for row in result.subjects if row.subject == source.subject)
    assert row.auroc == round(roc_auc_score(y[kept, 0] > 0.5, answer.data[kept, 0]), 4)
    assert set(at).isdisjoint(wanted.fixed)


def test_a_recording_that_changes_before_a_fold_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_patients(tmp_path / "data")
    real = run_module.ElectrodesFold

    def and_changed(*arguments):
        write_recording(tmp_path / "data" / "qb_rest.edf", 99, None, 20, CHANNELS)
        return real(*arguments)

    monkeypatch.setattr(run_module, "ElectrodesFold", and_changed)
    with pytest.raises(ConfigError, match="recordings were changed before fold 01 began"):
        select_by_patient(config_of(tmp_path / "data"), [2], tmp_path / "out")


def test_the_config_of_the_repository_has_the_tagger_and_the_data_of_the_cross_validation() -> None:
    folder = Path(__file__).parents[2] / "configs"
    few, whole = (read_train_config(folder / f"seizure_{name}.toml") for name in ("electrodes", "crossval"))
    for key in ("data", "augment", "sampling", "crossval"):
        assert getattr(few, key) == getattr(whole, key)
    assert few.pipeline.model_copy(update={"name": whole.pipeline.name}) == whole.pipeline
    of_whole = {key: getattr(whole.training, key) for key in ("epochs", "patience")}
    assert few.training.model_copy(update=of_whole) == whole.training
    sets, told = wanted_sets(few, [2, 4, 8])
    assert [one.method for one in sets if one.k == 8] == [GUMBEL, "hairline", INFORMATION, "random 1", "random 2"]
    assert told == ["electrodes.within_cm: no 8 derivations lie within 12 cm; left out at K = 8"]
