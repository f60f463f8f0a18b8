"""Cross-validation of networks of trials: no fit reads a sample of what it is tested on, and the tables say what came of it."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import mistake_here, rtbci_here
from trials_kit import LEFT_RIGHT, PEOPLE, config_of, write_people, write_run

from rtbci.errors import ConfigError
from rtbci.evaluation.tagging import tag
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording
from rtbci.training.crossval.fold import run_fold
from rtbci.training.crossval.run import crossval, prepared, sources_and_folds

OTHER = ("right", "left", "left", "right")
BY_TRIAL = ("crossval.by='trial'", "crossval.folds=3")


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """Three people with two runs of twelve trials each; only read."""
    root = tmp_path_factory.mktemp("people")
    write_people(root, runs=2)
    return root


@pytest.fixture(scope="module")
def within(tmp_path_factory) -> tuple[Path, Path]:
    """One run of each of two people, cross-validated within the run: the data, and the folder of results."""
    root = tmp_path_factory.mktemp("within")
    write_people(root, people=("pa", "pb"))
    crossval(config_of(root, *BY_TRIAL), root / "out")
    return root, root / "out"


def planned(root: Path, *settings: str):
    told: list[str] = []
    return (*sources_and_folds(prepared(config_of(root, *settings))[0], told.append), told)


def mistake(root: Path, *settings: str) -> str:
    """The one line, before anything is fitted or written."""
    with pytest.raises(ConfigError) as caught:
        crossval(config_of(root, *settings), root / "never")
    assert not (root / "never").exists()
    return str(caught.value)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


# What is left out


def test_one_subject_is_left_out_at_a_time(people):
    sources, folds, _ = planned(people)
    assert [fold.tested for fold in folds] == [("pa",), ("pb",), ("pc",)]
    training, left_out = folds[0].sides(sources)
    assert {source.name[:2] for source in training} == {"pb", "pc"}
    assert {source.name for source in left_out} == {"pa_r1.edf", "pa_r2.edf"}


def test_within_a_subject_one_recording_is_left_out_and_others_of_the_same_subject_alone_are_in_the_fit(people):
    for name, seed in (("pa_r3.edf", 1), ("pb_r3.edf", 2), ("pc_r3.edf", 3)):
        write_run(people / name, seed)
    sources, folds, _ = planned(people, "crossval.by='recording'", "crossval.within='subject'")
    assert len(folds) == 9
    for fold in folds:
        training, left_out = fold.sides(sources)
        assert [source.name for source in left_out] == list(fold.tested)
        assert {source.person for source in training} == {left_out[0].person}
        assert len(training) == 2
    for person in PEOPLE:
        (people / f"{person}_r3.edf").unlink()


def test_within_a_recording_parts_are_blocks_in_the_order_of_time(people):
    sources, folds, _ = planned(people, *BY_TRIAL)
    own = [source for source in sources if source.name.startswith("pa_r1")]
    assert [source.name for source in own] == [f"pa_r1.edf, part {n}" for n in (1, 2, 3)]
    onsets = [[s.start for s in source.part_of.stretches] for source in own]
    assert onsets == [[1 + 3.0 * n for n in range(first, first + 4)] for first in (0, 4, 8)]
    fold = next(fold for fold in folds if fold.tested == ("pa_r1.edf, part 2",))
    training, left_out = fold.sides(sources)
    assert [source.name for source in training] == ["pa_r1.edf, part 1", "pa_r1.edf, part 3"]
    assert [source.name for source in left_out] == ["pa_r1.edf, part 2"]
    assert Counter(unit for fold in folds for unit in fold.left_out) == Counter({s.subject for s in sources})


def test_within_a_subject_a_part_of_each_of_its_recordings_is_left_out(people):
    sources, folds, _ = planned(people, *BY_TRIAL, "crossval.within='subject'")
    assert [fold.name for fold in folds] == [f"{who}_part_{n}" for who in PEOPLE for n in (1, 2, 3)]
    _, left_out = folds[1].sides(sources)
    assert [source.name for source in left_out] == ["pa_r1.edf, part 2", "pa_r2.edf, part 2"]


def test_trials_are_dealt_with_as_many_of_each_class_in_each_part_where_that_is_asked_for(people):
    sources, folds, _ = planned(people, *BY_TRIAL, "crossval.shuffle=true")
    for fold in folds:
        _, left_out = fold.sides(sources)
        assert Counter(s.label for source in left_out for s in source.stretches) == {"left": 2, "right": 2}
    blocks = planned(people, *BY_TRIAL)[0]
    assert {s.part_of.stretches for s in sources if s.subject == "pa_r1.edf, part 1"} != {blocks[0].part_of.stretches}


def test_parts_of_a_recording_share_no_sample_and_have_their_trials_inside(people):
    for settings in (BY_TRIAL, (*BY_TRIAL, "crossval.shuffle=true")):
        sources, _, _ = planned(people, *settings)
        whole = open_recording(people / "pa_r1.edf")
        samples = whole.read(0, whole.n_samples)
        own = [source for source in sources if source.name.startswith("pa_r1")]
        parts = [source.recording.read(0, source.recording.n_samples) for source in own]
        assert np.array_equal(np.concatenate(parts), samples)
        for source in own:
            shift = source.part_of.stretches[0].start - source.stretches[0].start
            assert [s.start for s in source.part_of.stretches] == [s.start + shift for s in source.stretches]
            assert source.stretches[-1].start + 1.5 <= source.recording.duration_s


def test_trials_that_reach_into_the_next_part_are_left_out_and_that_is_told(tmp_path):
    write_people(tmp_path)
    for seed, name in enumerate(PEOPLE):
        write_run(tmp_path / f"{name}_r1.edf", seed, spacing_s=0.75)
    sources, _, told = planned(tmp_path, *BY_TRIAL)
    assert [len(source.stretches) for source in sources] == [3, 3, 4] * 3
    assert told[-1] == "6 trials are left out, for their windows reach into the next part"


# No leak


@pytest.mark.parametrize("scaling", ["constant", "running"])
def test_samples_and_labels_of_the_tested_part_change_nothing_but_its_answers(tmp_path, scaling):
    made = []
    for number, root in enumerate((tmp_path / "a", tmp_path / "b")):
        write_people(root)
        if number:
            write_run(root / "pa_r1.edf", 10, loud_s=(12.0, 23.5), labels=(*LEFT_RIGHT[:4], *OTHER, *LEFT_RIGHT[8:]))
        config, _ = prepared(config_of(root, *BY_TRIAL, f"pipeline.scaling={{kind='{scaling}'}}"))
        sources, folds = sources_and_folds(config, lambda _: None)
        fold = next(fold for fold in folds if fold.tested == ("pa_r1.edf, part 2",))
        made.append(run_fold(config, sources, fold, lambda *_: None))
    first, second = made
    assert first.pipeline.config == second.pipeline.config
    assert first.result.curve == second.result.curve
    for key, weight in first.pipeline.network.state_dict().items():
        assert torch.equal(weight, second.pipeline.network.state_dict()[key])
    assert first.scores["onsets_s"].tolist() == second.scores["onsets_s"].tolist() == [13.0, 16.0, 19.0, 22.0]
    assert not np.array_equal(first.scores["probabilities"], second.scores["probabilities"])
    assert (first.scores["truth"].tolist(), second.scores["truth"].tolist()) == ([0, 1, 1, 0], [1, 0, 0, 1])


def test_the_answers_are_those_that_the_pipeline_of_the_fold_gives_at_the_cues_of_the_whole_recording(within):
    root, out = within
    for fold in sorted(out.glob("fold-pb*.rtbci")):
        pipeline = Pipeline.load(fold)
        kept = np.load(fold.with_name(f"{fold.stem}_scores.npz"))
        answers = {one.cue.time: one.probabilities for one in tag(pipeline, open_recording(root / "pb_r1.edf")).answers}
        assert len(kept["onsets_s"]) == 4
        for onset, probabilities in zip(kept["onsets_s"], kept["probabilities"], strict=True):
            assert probabilities == pytest.approx(answers[onset], abs=1e-6)


def test_the_last_epoch_needs_no_inner_fold(tmp_path):
    write_people(tmp_path)
    report = crossval(config_of(tmp_path, "crossval.epoch='last'"), tmp_path / "out")
    assert [fold.epoch for fold in report.folds] == [12, 12, 12]
    assert report.chosen_on == {"pa": (), "pb": (), "pc": ()}
    assert report.trials.trials == 36


# Tables


def test_every_trial_is_answered_once_and_the_tables_count_them(within):
    _, out = within
    report = json.loads((out / "summary.json").read_text())
    assert (report["complete"], report["folds_finished"], report["subjects"]) == (True, 6, 2)
    assert (report["by"], report["within"]) == ("trial", "recording")
    trials = report["trials"]
    assert (trials["trials"], trials["unanswered"], trials["classes"]) == (24, 0, ["left", "right"])
    assert [sum(row) for row in trials["confusion"]] == [12, 12]
    table = rows(out / "results.tsv")
    assert list(table[0]) == [
        "fold", "subject", "tested", "recording", "trials", "correct", "accuracy", "accuracy_low", "accuracy_high",
        "balanced_accuracy", "kappa", "commonest", "confusion",
    ]  # fmt: skip
    assert [(row["fold"], row["recording"], row["trials"]) for row in table] == [
        (f"{who}_r1.edf_part_{n}", f"{who}_r1.edf", "4") for who in ("pa", "pb") for n in (1, 2, 3)
    ]
    correct = sum(int(row["correct"]) for row in table)
    assert trials["accuracy"] == round(correct / 24, 4)
    assert correct >= 22  # a rhythm in noise
    subjects = rows(out / "subjects.tsv")
    assert [row["subject"] for row in subjects] == ["pa", "pb"]
    assert report["accuracy"]["mean"] == pytest.approx(np.mean([float(row["accuracy"]) for row in subjects]), abs=1e-4)
    assert report["chance"] == {"accuracy": 0.5, "above_from": round(17 / 24, 4)}
    assert report["chosen_on"]["pa_r1.edf_part_2"] == ["pa_r1.edf, part 1", "pa_r1.edf, part 3"]


def test_finished_folds_are_kept_who_was_held_out_is_printed_and_another_recipe_is_compared_trial_by_trial(
    within, tmp_path
):
    root, out = within
    config = root / "crossval.toml"
    settings = [word for one in BY_TRIAL for word in ("--set", one)]
    poor = rtbci_here("crossval", config, *settings, "--set", "training.lr=1e-9", "--out", tmp_path / "poor")
    assert "fold pa_r1.edf_part_2: held out pa_r1.edf, part 2; " in poor.stderr
    assert "this says nothing of new subjects" in poor.stderr
    again = rtbci_here("crossval", config, *settings, "--out", out, "--against", tmp_path / "poor", "--json")
    assert "6 folds, 6 of them finished before" in again.stderr
    report = json.loads(again.stdout)
    wrong = sum(int(row["trials"]) - int(row["correct"]) for row in rows(tmp_path / "poor" / "results.tsv"))
    assert report["against"]["only_first"] - report["against"]["only_other"] == wrong - (
        24 - round(24 * report["trials"]["accuracy"])
    )
    assert wrong > 6
    assert report["against"]["p"] < 0.05
    line = mistake_here("train", config, "--crossval", out, "--out", tmp_path / "x.rtbci")
    assert "judged a network of trials, and --crossval settles the final fit of a tagger" in line


def test_a_single_class_is_told_from_trials_of_background(tmp_path):
    write_people(tmp_path)
    one = (
        "pipeline.classes=['left']", "pipeline.activation='sigmoid'", "training.loss='bce'",
        "pipeline.model.n_classes=1", "pipeline.cues={labels=['left'], offset_s=0.5}",
    )  # fmt: skip
    assert mistake(
        tmp_path, *one, "data.recordings=[{files=['*.edf'], subject_pattern='(p.)_', labels={left='left'}}]"
    ).startswith("no recording has a label of 'background', so that no fold can be trained")
    labels = "data.recordings=[{files=['*.edf'], subject_pattern='(p.)_', labels={left='left', right='background'}}]"
    report = crossval(config_of(tmp_path, *one, labels), tmp_path / "out")
    assert report.trials.classes == ("background", "left")
    assert [sum(row) for row in report.trials.confusion] == [18, 18]
    assert report.trials.accuracy > 0.8


# Mistakes


def test_settings_that_leave_nothing_to_train_on_are_refused(people):
    def refused(*settings: str) -> str:
        with pytest.raises(ConfigError) as caught:
            config_of(people, *settings)
        return str(caught.value)

    assert "wants the number of parts that a recording is cut into, as folds = 5" in refused("crossval.by='trial'")
    assert "within = 'subject' leaves nothing to train on where by = 'subject'" in refused("crossval.within='subject'")
    assert 'shuffle: trials are dealt where by = "trial"' in refused("crossval.shuffle=true")


def test_a_recording_with_fewer_trials_than_parts_is_refused(people):
    assert mistake(people, "crossval.by='trial'", "crossval.folds=13").startswith(
        "pa_r1.edf has 12 trials, fewer than the 13 parts of crossval.folds; lower it"
    )


def test_a_subject_that_cannot_be_cross_validated_by_itself_is_left_out_with_a_word(people, tmp_path):
    within_subject = ("crossval.by='recording'", "crossval.within='subject'")
    assert mistake(people, *within_subject).startswith(
        "crossval.inner is 2, but fold pa_r1.edf trains on 1 of the recordings that are tested; nested folds want three"
    )
    assert mistake(people, "crossval.test=['pa']") == (
        'crossval.test: 1 subjects (pa); leaving one out wants at least two; crossval.by = "trial" leaves out parts of each '
        "recording"
    )
    write_people(tmp_path, runs=3)
    (tmp_path / "pc_r2.edf").unlink()
    _, folds, told = planned(tmp_path, *within_subject)
    assert {fold.tested[0][:2] for fold in folds} == {"pa", "pb"}
    assert told[-1].startswith(
        "left out: pc, a problem of its own: crossval.inner is 2, but fold pc_r1.edf trains on 1"
    )


def test_a_class_that_a_fit_would_lack_is_refused(tmp_path):
    write_people(tmp_path)
    for seed, name in enumerate(PEOPLE):
        write_run(tmp_path / f"{name}_r1.edf", seed, ["left"] * 8 + ["right"] * 4)
    assert mistake(tmp_path, *BY_TRIAL) == (
        "fold pa_r1.edf_part_1, inner fold 2, would train on no recording of 'left': only pa_r1.edf, part 1, pa_r1.edf, part 2 "
        "have it; cut fewer parts (crossval.folds), or deal the trials with crossval.shuffle = true"
    )
    assert mistake(tmp_path, "pipeline.model.window=2560").startswith("no trial of left, right lies inside a recording")


def test_a_selection_of_electrodes_and_the_baseline_of_taggers_are_refused(people):
    inner = "{kind='msfbcnn', window=64, pool=30, pool_hop=10, kernels=[5]}"
    assert "a selection of electrodes has a search in each fold, and folds of its own: `rtbci select`" in mistake(
        people, f"pipeline.model={{kind='selection', n_select=1, network={inner}}}"
    )
    assert "crossval.baseline is for taggers" in mistake(people, "crossval.baseline=true")


def test_one_recording_under_two_names_is_refused(tmp_path):
    write_people(tmp_path)
    (tmp_path / "pd_r1.edf").write_bytes((tmp_path / "pa_r1.edf").read_bytes())
    assert "is of subject pd and not pa: one patient under two names" in mistake(tmp_path)
    assert mistake(tmp_path, *BY_TRIAL) == (
        "pd_r1.edf, part 1 has the samples of pa_r1.edf, part 1: one recording under two names; leave one out"
    )
