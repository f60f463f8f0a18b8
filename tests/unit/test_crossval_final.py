"""The final fit of a recipe that was cross-validated: what its folds settle of it, and what its file keeps of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import mistake_here
from crossval_kit import config_of, write_patients, write_recording

from rtbci.cli.inspect import inspect_file
from rtbci.cli.train import train_from_file
from rtbci.errors import ConfigError
from rtbci.evaluation.decisions import decide
from rtbci.models import from_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.bad_channels import MaskConfig
from rtbci.stages.decision import DecisionConfig
from rtbci.training.crossval import run
from rtbci.training.crossval.claimed import Manifest
from rtbci.training.crossval.final import median_epoch, train_final
from rtbci.training.crossval.fold import Fitted, data_of
from rtbci.training.crossval.folder import read_finished
from rtbci.training.crossval.notes import LONGEST_NAME, MOST_GROUPS, MOST_PATIENTS, CrossvalNotes, read_notes, short
from rtbci.training.crossval.operating_point import OperatingPoint, with_point
from rtbci.training.crossval.results import FoldResult
from rtbci.training.crossval.run import crossval, prepared
from rtbci.training.crossval.totals import notes_of_folds, recording_row, subject_row
from rtbci.training.data import with_mask, with_sizes
from rtbci.training.held_out import score_tagged
from rtbci.training.scaling import learn_scaling
from rtbci.training.train import train
from rtbci.types import Chunk

HOP_S = 0.125
EPOCHS = {"pa": 4, "pb": 2, "pc": 1, "pd": 2}
SMOOTH = "pipeline.decision.smoothing_s=0"
# Probabilities during the seizure of 10 s, or from 20 s on for so many seconds; 0.1 otherwise.
IN_SEIZURE = {"pa": 0.9, "pb": 0.9, "pc": 0.5, "pd": 0.3}
AT_REST = {"qa": (0.5, 1.5), "qb": (0.3, 5.0), "qc": (0.1, 1.0)}
POINT = OperatingPoint(
    threshold=0.6, release=0.5, min_duration_s=1.0, seizures=3, found=3, median_delay_s=1.0, alarms_where_none_is_wanted=0,
    alarms_elsewhere=0,
)  # fmt: skip


def scripted_scores(source) -> Chunk:
    """Scores that nobody computed, for a recording of the kit."""
    times = np.arange(1, round(source.recording.duration_s / HOP_S) + 1) * HOP_S
    p = np.full((len(times), 1), 0.1, np.float32)
    for stretch in source.stretches:
        p[(times >= stretch.start) & (times < stretch.stop)] = IN_SEIZURE[source.subject]
    if source.subject in AT_REST:
        value, seconds = AT_REST[source.subject]
        p[(times >= 20) & (times < 20 + seconds)] = value
    return Chunk(p, times)


def scripted_fold(config, sources, fold, on_progress) -> Fitted:
    """A fold that chose what it was told to, with an untrained network and scripted scores."""
    fitted_to = [source for source in sources if source.subject not in fold.left_out]
    learned = learn_scaling(with_mask(with_sizes(config.pipeline), config.augment), fitted_to)
    torch.manual_seed(0)
    pipeline = Pipeline(with_point(learned, POINT), from_config(learned.model))
    answers = []
    for source in sources:
        if source.subject in fold.left_out:
            tagged = decide(scripted_scores(source), pipeline.config, HOP_S)
            answers.append((source, tagged, score_tagged(pipeline.config, source, tagged, HOP_S)))
    rows = [recording_row(fold, pipeline.config, pipeline.hop_s, *answer) for answer in answers]
    subjects = [
        subject_row(subject, fold, [a for a in answers if a[0].subject == subject], rows)
        for subject in (*fold.tested, *fold.others)
    ]
    result = FoldResult(
        fold=fold.name, tested=fold.tested, others=fold.others, inner=tuple(tuple(sorted(part)) for part in fold.inner),
        epoch=EPOCHS[fold.name], curve=(), operating_point=POINT, operating_points=(POINT,), recordings=tuple(rows),
        subjects=tuple(subjects), made_by={"version": "1.0 abc", "kernels": "x"},
    )  # fmt: skip
    scores = [tagged.scores for _, tagged, _ in answers]
    kept = {
        "recordings": np.array([source.name for source, *_ in answers]),
        "hops": np.array([len(one) for one in scores]),
        "times": np.concatenate([one.times for one in scores]),
        "probabilities": np.concatenate([one.data for one in scores]),
        "valid": np.concatenate([one.valid for one in scores]),
    }
    return Fitted(result, pipeline, kept)


def judged(root: Path, out: Path, *settings: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "run_fold", scripted_fold)
        crossval(config_of(root, SMOOTH, *settings), out)
    return out


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("patients")
    write_patients(root)
    return root


@pytest.fixture(scope="module")
def folds(data, tmp_path_factory) -> Path:
    return judged(data, tmp_path_factory.mktemp("judged") / "folds")


def final(root: Path, folds: Path, out: Path, *settings: str) -> tuple[Pipeline, list[str]]:
    told: list[str] = []
    train_final(config_of(root, SMOOTH, *settings), folds, out / "x.rtbci", on_warning=told.append)
    return Pipeline.load(out / "x.rtbci"), told


def without(root: Path, *subjects: str) -> Path:
    """The data of the kit without some subjects, at another place."""
    write_patients(root)
    for name in subjects:
        for path in root.glob(f"{name}_*"):
            path.unlink()
    return root


# The fit


def test_the_fit_is_a_refit_on_all_recordings_for_the_median_of_the_epochs_of_the_folds(data, folds, tmp_path):
    settings = ("data.validation.fraction=0.3", "training.patience=1", "pipeline.name='shipped'")
    pipeline, told = final(data, folds, tmp_path, *settings)
    said = pipeline.notes["training"]
    assert (said["finished"], said["epochs_run"], said["best_epoch"], said["epochs"]) == (True, 2, 2, 4)
    assert told[0] == "data.validation.fraction: not used; every choice is made on folds of [crossval]"
    assert len(pipeline.notes["trained_on"]) == 11
    assert not any(row["held_out"] for row in pipeline.notes["trained_on"])
    config, _ = prepared(config_of(data, SMOOTH))
    again = data_of(config, run.sources_and_folds(config, lambda _: None)[0], frozenset())
    fit = again.new_fit()
    for epoch in range(2):
        fit.run_epoch(again.training_batches(epoch), ())
    for key, weight in pipeline.network.state_dict().items():
        assert torch.equal(weight, fit.candidate.state_dict()[key])


def test_the_median_of_an_even_number_of_folds_is_rounded_down():
    assert [median_epoch([SimpleNamespace(epoch=n) for n in of]) for of in ((1, 2, 4, 9), (7, 3, 4), (5, 6))] == [
        3,
        4,
        5,
    ]


def test_nothing_says_that_the_recipe_was_not_measured(data, folds, tmp_path):
    _, told = final(data, folds, tmp_path)
    assert [line.partition(":")[0] for line in told] == ["recordings of 7 subjects, never split"]


def test_a_fit_that_is_stopped_goes_on_and_has_no_figures_of_the_folds_before_its_end(data, folds, tmp_path):
    config, out = config_of(data, SMOOTH), tmp_path / "x.rtbci"

    def stop(what, done, *_):
        if (what, done) == ("training", 1):
            raise KeyboardInterrupt

    stopped = train_final(config, folds, out, stop)
    assert (stopped.notes["training"]["finished"], "crossval" in stopped.notes) == (False, False)
    train_final(config, folds, out, resume=True)
    (tmp_path / "whole").mkdir()
    final(data, folds, tmp_path / "whole")
    assert out.read_bytes() == (tmp_path / "whole" / "x.rtbci").read_bytes()


def test_a_checkpoint_that_is_past_the_epoch_is_refused(data, folds, tmp_path, monkeypatch):
    config, out = config_of(data, SMOOTH), tmp_path / "x.rtbci"

    def stop(what, done, *_):
        if (what, done) == ("training", 2):
            raise KeyboardInterrupt

    train_final(config, folds, out, stop)
    monkeypatch.setattr("rtbci.training.crossval.final.median_epoch", lambda _: 1)
    with pytest.raises(ConfigError, match=r"x.checkpoint: is of 2 epochs, wanted at most 1; train without --resume"):
        train_final(config, folds, out, resume=True)


def test_masked_channels_are_measured_on_what_the_folds_left_out(data, tmp_path):
    dropout = "augment.channel_dropout=0.2"
    folds = judged(data, tmp_path / "folds", dropout)
    pipeline, _ = final(data, folds, tmp_path, dropout)
    assert pipeline.config.mask == MaskConfig(most=1)
    rows = pipeline.notes["scores"]["masked"]
    assert [row["masked"] for row in rows] == [0, 1]
    assert all(0 <= row["held_out_auroc"] <= 1 for row in rows)


def test_folds_that_were_fitted_settle_a_fit_as_scripted_ones_do(data, tmp_path):
    settings = ("crossval.folds=2", "crossval.inner=2")
    report = crossval(config_of(data, *settings), tmp_path / "folds")
    train_final(config_of(data, *settings), tmp_path / "folds", tmp_path / "x.rtbci")
    pipeline = Pipeline.load(tmp_path / "x.rtbci")
    notes = pipeline.notes["crossval"]
    epochs = [fold.epoch for fold in report.folds]
    assert (notes["epochs_of_folds"], notes["epoch"]) == (epochs, sum(epochs) // 2)
    assert (notes["total"]["found"], notes["operating_point"]["found"]) == (4, 4)
    assert notes["total"]["auroc"] == report.auroc.plain()


# The operating point


def test_the_operating_point_is_chosen_by_the_rule_on_the_scores_of_all_folds(data, folds, tmp_path):
    pipeline, _ = final(data, folds, tmp_path)
    # At 0.2 the 5 s of qb alarm, at 0.4 and 1 s the 1.5 s of qa; pd's seizure is at 0.3.
    assert pipeline.config.decision == DecisionConfig(
        smoothing_s=0, threshold=0.4, release=0.3, min_duration_s=2.0, merge_s=2.0
    )
    assert pipeline.notes["crossval"]["operating_point"] == {
        "threshold": 0.4, "release": 0.3, "min_duration_s": 2.0, "seizures": 4, "found": 3, "median_delay_s": 1.875,
        "alarms_where_none_is_wanted": 0, "alarms_elsewhere": 0, "known_s": 360.0,
    }  # fmt: skip


def test_scores_of_subjects_that_the_final_fit_leaves_out_choose_nothing(folds, tmp_path):
    root = without(tmp_path / "data", "pc", "qa")
    write_recording(root / "pe_sz.edf", 30, (5.0, 10.0))
    pipeline, told = final(root, folds, tmp_path)
    # Without pc, a threshold of 0.8 finds as many as 0.4, and as soon.
    decision = pipeline.config.decision
    assert (decision.threshold, decision.release, decision.min_duration_s) == (0.8, 0.7, 1.0)
    assert told[0] == (
        "the data are not those of the folds: subjects not in the final fit: pc, qa; subjects in no fold: pe"
    )
    kept = read_notes(pipeline.notes)
    assert (kept.not_in_final_fit, kept.not_in_folds) == (("pc", "qa"), ("pe",))
    assert (kept.operating_point.seizures, kept.operating_point.found) == (3, 2)
    assert [row.subject for row in kept.rows] == ["pa", "pb", "pc", "pd"]
    assert {row["recording"] for row in pipeline.notes["trained_on"]} >= {"pe_sz.edf"}


def test_recordings_that_are_not_as_the_folds_had_them_choose_nothing_and_are_told(folds, tmp_path):
    root = without(tmp_path / "data")
    write_recording(root / "pc_sz.edf", 77, (20.0, 5.0))
    (root / "pb_post.edf").unlink()
    write_recording(root / "pd_rest.edf", 78, None)
    pipeline, told = final(root, folds, tmp_path)
    assert told[0] == (
        "the data are not those of the folds: recordings not in the final fit, of other subjects: pb_post.edf; recordings in "
        "no fold, of subjects of the folds: pd_rest.edf; recordings that were changed since: pc_sz.edf"
    )
    assert pipeline.config.decision.threshold == 0.8
    assert pipeline.notes["warnings"] == told


def test_the_rule_is_that_of_the_folds_and_another_one_is_told(data, folds, tmp_path):
    pipeline, told = final(data, folds, tmp_path, "crossval.operating_point.thresholds=[0.9]")
    assert pipeline.config.decision.threshold == 0.4
    assert told[0] == "crossval: not used; threshold and duration are chosen by the rule of the folds"


def test_data_on_which_no_threshold_can_be_chosen_are_refused(folds, tmp_path):
    root = without(tmp_path / "data", "qa", "qb", "qc")
    write_recording(root / "qd_rest.edf", 30, None)
    with pytest.raises(ConfigError, match="of the groups quiet, in which .* wants no alarm, the final fit has no rec"):
        final(root, folds, tmp_path)
    root = without(tmp_path / "other")
    for name in ("pa", "pb", "pc", "pd"):
        write_recording(root / f"{name}_sz.edf", 50 + ord(name[1]), (5.0, 5.0))
    with pytest.raises(ConfigError, match="the final fit has no recording of a seizure that a fold of"):
        final(root, folds, tmp_path)


# What is refused


def refused(root: Path, folds: Path, *settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        train_final(config_of(root, SMOOTH, *settings), folds, folds.parent / "never.rtbci")
    assert not (folds.parent / "never.rtbci").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_recipe_is_refused_with_the_keys_that_differ(data, folds):
    other = ("training.lr=0.01", "augment.mirror=true", "pipeline.model.units=[8]", "training.seed=3")
    assert refused(data, folds, *other) == (
        f"{folds}: judged another recipe: augment.mirror is False there, True here, pipeline.model.units is [6] there, [8] "
        "here, training.lr is 0.05 there, 0.01 here, training.seed is 0 there, 3 here"
    )
    assert refused(data, folds, "pipeline.model={kind='lstm_tagger', hop=8, units=[6]}").startswith(
        f"{folds}: judged another recipe: pipeline.model."
    )


def test_what_cannot_matter_to_the_fit_may_differ(data, folds, tmp_path):
    one, _ = final(data, folds, tmp_path)
    settings = ("training.threads=2", "training.device='auto'", "training.patience=3", "pipeline.name='other'")
    two, _ = final(data, folds, tmp_path, *settings)
    assert two.config == one.config.model_copy(update={"name": "other"})


def test_a_folder_that_lacks_folds_is_refused_with_what_to_do(data, folds, tmp_path):
    some = tmp_path / "some"
    shutil.copytree(folds, some)
    (some / "fold-pb.json").unlink()
    (some / "fold-pc_scores.npz").write_bytes(b"")
    shares = [json.loads((folds / f"fold-{name}.json").read_text())["result"]["others"] for name in ("pb", "pc")]
    missing = sorted(["pb", "pc", *shares[0], *shares[1]])
    assert refused(data, some) == (
        f"{some}: folds are missing: none that is finished has answered {', '.join(missing)}; fold pc is not as it was "
        "written; the same `rtbci crossval` goes on from there"
    )
    for name in ("pa", "pc", "pd"):
        (some / f"fold-{name}.json").unlink()
    assert refused(data, some) == f"{some}: no fold is finished; the same `rtbci crossval` goes on from there"


def test_a_folder_of_something_else_is_refused(data, folds, tmp_path):
    assert refused(data, tmp_path).startswith(f"{tmp_path}: holds no cross-validation; `rtbci crossval CONFIG --out")
    file = tmp_path / "crossval.json"
    for text in ("{", "[]", '{"kind": "rtbci-crossval"}'):
        file.write_text(text)
        assert refused(data, tmp_path) == f"{file}: is not that of a cross-validation, or damaged"
    file.write_text((folds / "crossval.json").read_text().replace('"lr": 0.05', '"lr": 0.5'))
    assert refused(data, tmp_path) == f"{file}: is not as it was written"


def test_a_folder_of_an_older_version_lacks_keys_which_have_their_defaults(data):
    config, _ = prepared(config_of(data))
    manifest = Manifest.of(config, [])
    older = json.loads(json.dumps(manifest.config))
    del older["training"]["focal_gamma"], older["augment"]["invert"]
    same = replace(manifest, config=older).train_config("x")
    assert same.training == config.training and same.augment == config.augment
    older["training"]["gone"] = 1
    with pytest.raises(ConfigError, match=r"^x: unknown key 'training.gone'"):
        replace(manifest, config=older).train_config("x")


def test_mistakes_of_the_command_are_one_line(data, folds, tmp_path):
    words = ("train", data / "crossval.toml", "--out", tmp_path / "x.rtbci", "--crossval")
    assert f"{folds}: judged another recipe: pipeline.decision.smoothing_s is 0" in mistake_here(*words, folds)
    assert "holds no cross-validation" in mistake_here(*words, tmp_path / "nowhere")


# What is kept


def test_the_file_keeps_the_table_by_patient_and_how_its_fit_was_settled(data, folds, tmp_path):
    pipeline, _ = final(data, folds, tmp_path)
    notes = pipeline.notes["crossval"]
    assert notes["rows"][2:] == [
        {"subject": "pc", "seizures": 1, "found": 0, "median_delay_s": None, "auroc": 1.0, "share_above": 0.0,
         "alarms": {"seizures": 0, "after seizures": 0}},
        {"subject": "pd", "seizures": 1, "found": 0, "median_delay_s": None, "auroc": 1.0, "share_above": 0.0,
         "alarms": {"seizures": 0, "after seizures": 0}},
    ]  # fmt: skip
    assert (notes["rows"][0]["found"], notes["rows"][0]["median_delay_s"]) == (1, 0.875)
    summary = json.loads((folds / "summary.json").read_text())
    total = notes["total"]
    assert (total["patients"], total["seizures"], total["found"], total["median_delay_s"]) == (4, 4, 2, 0.875)
    assert (total["sensitivity"], total["auroc"]) == (summary["sensitivity"], summary["auroc"])
    assert total["share_above"] == round(20 / 240, 4)
    assert total["alarms"] == {"after seizures": 0, "seizures": 0}
    assert notes["groups"] == summary["groups"]
    assert notes["rule"] == {
        "thresholds": [0.2, 0.4, 0.6, 0.8], "min_duration_s": [1.0, 2.0], "no_alarm_in": ["quiet"], "enough": None,
        "miss_weighs": None, "at": None,
    }  # fmt: skip
    assert (notes["epoch"], notes["epochs_of_folds"]) == (2, [4, 2, 1, 2])
    assert (notes["seeds"], notes["digest"]) == (summary["seeds"], summary["digest"])
    assert notes["made_by"] == ["1.0 abc"]
    assert json.loads(json.dumps(notes, allow_nan=False)) == notes
    assert read_notes(pipeline.notes).plain() == notes


def test_what_is_kept_is_bounded_whatever_the_number_and_the_names_of_patients_and_groups(data, folds):
    _, done = read_finished(folds)
    names = [f"{n:04d} " + "x" * 300 for n in range(400)]
    row, recording = done[0].subjects[0], done[0].recordings[0]
    many = done[0].model_copy(
        update={
            "subjects": tuple(
                row.model_copy(update={"subject": name, "alarms": dict.fromkeys(names, 1)}) for name in names
            ),
            "recordings": tuple(recording.model_copy(update={"group": name}) for name in names),
        }
    )
    notes = notes_of_folds(
        [many], config_of(data).crossval, seeds={"crossval": 0, "training": 0}, digest="0" * 64, epoch=1, point=POINT,
        not_in_final_fit=names * 3, not_in_folds=["\udcff" * 80],
    )  # fmt: skip
    assert (len(notes.rows), notes.rows_left_out, notes.total.patients) == (MOST_PATIENTS, 200, 400)
    assert len(notes.groups) == len(notes.rows[0].alarms) == MOST_GROUPS
    text = json.dumps(notes.plain(), allow_nan=False)
    assert len(text) < 1 << 20
    assert read_notes({"crossval": json.loads(text)}) == notes


def test_a_long_name_is_cut_and_differs_from_others():
    first, second = short("x" * 100 + "a"), short("x" * 100 + "b")
    assert first != second
    assert {len(first), len(second)} == {LONGEST_NAME}
    assert short("chb01") == "chb01"


def test_notes_of_a_fold_and_of_a_pipeline_without_folds_have_no_table(data, tmp_path):
    assert read_notes(train(config_of(data, "training.epochs=1"), tmp_path / "x.rtbci").notes) is None
    assert read_notes({"crossval": {"fold": "pa", "left_out": ["pa"], "epoch": 1, "seed": 0}}) is None


def test_keys_of_a_later_version_are_passed_over(data, folds, tmp_path):
    pipeline, _ = final(data, folds, tmp_path)
    notes = pipeline.notes["crossval"]
    notes["rows"][0]["later"] = notes["later"] = notes["total"]["later"] = [1]
    assert isinstance(read_notes(pipeline.notes), CrossvalNotes)


# What is shown


def test_the_command_trains_and_inspect_prints_the_table(folds, tmp_path, capsys):
    out, root = tmp_path / "x.rtbci", without(tmp_path / "data", "pd")
    train_from_file(root / "crossval.toml", out, [SMOOTH], resume=False, json=False, crossval=folds)
    told = capsys.readouterr().err.splitlines()
    assert "warning: the data are not those of the folds: subjects not in the final fit: pd" in told
    assert told[-2:] == [
        "threshold 0.4, at least 2 s: chosen on the scores of the folds",
        f"the recipe, cross-validated by patient: 2 of 4 seizures of 4 patients found; `rtbci inspect {out}` prints the table",
    ]
    inspect_file(out, None, json=False)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    first = next(n for n, line in enumerate(lines) if line == "cross-validated, by patient")
    cells = [" ".join(line.split()) for line in lines[first:]]
    assert cells[1:7] == [
        "patient seizures found median delay AUROC time above alarms, after seizures alarms, seizures",
        *("pa 1 of 1 0.9 s 1.000 16.7 % 0 0", "pb 1 of 1 0.9 s 1.000 16.7 % 0 0"),
        *("pc 0 of 1 - 1.000 0.0 % 0 0", "pd 0 of 1 - 1.000 0.0 % 0 0"),
        "all 4 2 of 4 0.9 s 1.000 8.3 % 0 0",
    ]
    assert "not in the fit of this file: pd" in cells
    text = " ".join(cells)
    assert "a fold that never saw that patient" in text and "no rate a day" in text
    inspect_file(out, None, json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["crossval"] == said["notes"]["crossval"]
    assert said["crossval"]["not_in_final_fit"] == ["pd"]


def test_train_says_the_same_as_json(data, folds, tmp_path, capsys):
    train_from_file(
        data / "crossval.toml", tmp_path / "x.rtbci", [SMOOTH], resume=False, json=True, crossval=folds
    )  # fmt: skip
    said = json.loads(capsys.readouterr().out)
    assert said["crossval"]["total"]["found"] == 2
    assert said["training"]["epochs_run"] == 2
