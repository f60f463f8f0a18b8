"""Cross-validation from config to tables: nothing of a tested subject is seen before its test; what is done is kept."""

import csv
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from crossval_kit import config_of, write_patients, write_recording

from rtbci.cli.crossval import Display, crossval_from_file
from rtbci.cli.terminal import Terminal
from rtbci.errors import ConfigError, RtbciError
from rtbci.evaluation.intervals import interval
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.crossval import fold as one_fold
from rtbci.training.crossval import run
from rtbci.training.crossval.claimed import Manifest
from rtbci.training.crossval.results import FoldResult
from rtbci.training.crossval.run import crossval, prepared, sources_and_folds
from rtbci.training.crossval.watch import Watch

TWO = ("crossval.folds=2", "crossval.inner=2")


class Heard(Watch):
    def __init__(self) -> None:
        self.done: list[str] = []
        self.before: list[str] = []
        self.lines: list[str] = []
        self.read: list[tuple[int, int]] = []

    def reading(self, done, total):
        self.read.append((done, total))

    def planned(self, folds, finished):
        self.before = list(finished)

    def finished(self, result, seconds):
        self.done.append(result.fold)

    def warned(self, line):
        self.lines.append(line)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("patients")
    write_patients(root)
    return root


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """The folder of a complete run of two folds."""
    out = tmp_path_factory.mktemp("whole") / "out"
    crossval(config_of(data, *TWO), out)
    return out


def digests(folder: Path) -> dict[str, str]:
    """Of everything but the summary, which says where it lies and which machine wrote it."""
    paths = (path for path in folder.iterdir() if path.name != "summary.json")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def results(folder: Path) -> list[FoldResult]:
    found = [json.loads(path.read_text())["result"] for path in sorted(folder.glob("fold-*.json"))]
    return [FoldResult.model_validate(one) for one in found]


# No leak


def test_no_fit_scaling_or_choice_sees_what_is_left_out(data, monkeypatch):
    config, _ = prepared(config_of(data, "training.epochs=1"))
    sources, folds = sources_and_folds(config, lambda _: None)
    of = {source.name: source.subject for source in sources}
    seen: list[tuple[str, set[str], set[str]]] = []

    def spied(name, of_arguments):
        real = getattr(one_fold, name)

        def spy(*arguments):
            seen.append((name, *of_arguments(*arguments[:2])))
            return real(*arguments)

        monkeypatch.setattr(one_fold, name, spy)

    def subjects(found):
        return {source.subject for source in found}

    spied("learn_scaling", lambda _, found: (subjects(found), set()))
    spied("run_epoch", lambda _, d: (subjects(e.source for e in d.training), subjects(e.source for e in d.held_out)))
    spied("tag", lambda _, recording: ({of[recording.path.name]}, set()))
    spied("operating_points", lambda answered, _: (subjects(a.source for a in answered), set()))
    for fold in folds:
        seen.clear()
        one_fold.run_fold(config, sources, fold, lambda *_: None)
        training = set(of.values()) - fold.left_out
        inner = [set(part) for part in fold.inner]
        assert [s[1] for s in seen if s[0] == "learn_scaling"] == [*(training - part for part in inner), training]
        assert [s[1:] for s in seen if s[0] == "run_epoch"] == [
            *((training - part, part) for part in inner), (training, set())
        ]  # fmt: skip
        assert [s[1] for s in seen if s[0] == "operating_points"] == [training]
        tagged = [s[1].pop() for s in seen if s[0] == "tag"]
        n = sum(subject in training for subject in of.values())
        assert set(tagged[:n]) == training and set(tagged[n:]) == fold.left_out and len(tagged) == len(sources)
        names = [s[0] for s in seen]
        assert names.index("operating_points") < len(names) - 1 - names[::-1].index("run_epoch")


def test_other_samples_and_labels_of_a_tested_subject_change_nothing_but_its_scores(tmp_path):
    for root in (tmp_path / "a", tmp_path / "b"):
        write_patients(root)
    write_recording(tmp_path / "b" / "pa_sz.edf", 77, (20.0, 5.0), 30)
    made = []
    for root in (tmp_path / "a", tmp_path / "b"):
        config, _ = prepared(config_of(root))
        sources, folds = sources_and_folds(config, lambda _: None)
        made.append(one_fold.run_fold(config, sources, folds[0], lambda *_: None))
    first, second = made
    assert first.pipeline.config == second.pipeline.config
    assert first.result.curve == second.result.curve
    assert first.result.operating_points == second.result.operating_points
    for key, weight in first.pipeline.network.state_dict().items():
        assert torch.equal(weight, second.pipeline.network.state_dict()[key])
    assert first.result.recordings != second.result.recordings


def test_inner_scores_are_those_of_the_fit_that_did_not_see_the_subject(data, monkeypatch):
    config, _ = prepared(config_of(data, "training.epochs=1"))
    sources, folds = sources_and_folds(config, lambda _: None)
    real, real_scaling = one_fold.tag, one_fold.learn_scaling

    def marked(config, found, preprocessed):
        names = sorted({source.subject for source in found})
        return real_scaling(config, found, preprocessed).model_copy(update={"name": "+".join(names)})

    monkeypatch.setattr(one_fold, "learn_scaling", marked)
    subject_of = {source.name: source.subject for source in sources}
    checked = []

    def tag(pipeline, recording):
        subject = subject_of[recording.path.name]
        assert subject not in pipeline.config.name.split("+")
        checked.append(subject)
        return real(pipeline, recording)

    monkeypatch.setattr(one_fold, "tag", tag)
    one_fold.run_fold(config, sources, folds[0], lambda *_: None)
    assert sorted(checked) == sorted(subject_of.values())


@pytest.mark.parametrize("scaling", ["none", "running"])
def test_fits_share_the_recordings_where_they_are_preprocessed_alike(data, monkeypatch, scaling):
    config, _ = prepared(config_of(data, "training.epochs=1", f"pipeline.scaling={{kind='{scaling}'}}"))
    sources, folds = sources_and_folds(config, lambda _: None)
    made, scalings = Counter(), set()
    real = Pipeline.preprocessor

    def counted(pipeline, info):
        made[info.name] += 1
        scalings.add(pipeline.config.scaling)
        return real(pipeline, info)

    monkeypatch.setattr(Pipeline, "preprocessor", counted)
    monkeypatch.setattr(one_fold, "tag", lambda *_: pytest.fail("only the fits are counted"))
    with pytest.raises(pytest.fail.Exception):
        one_fold.run_fold(config, sources, folds[0], lambda *_: None)
    training = {source.recording.info.name for source in sources if source.subject not in folds[0].left_out}
    assert made == dict.fromkeys(training, len(scalings))
    assert len(scalings) == 1 if scaling == "none" else len(scalings) > 2


# The choice of the epoch


def test_the_epoch_is_that_of_the_lowest_mean_loss_and_the_refit_runs_as_long(data, monkeypatch):
    config, _ = prepared(config_of(data, "training.epochs=6", "training.patience=2"))
    sources, folds = sources_and_folds(config, lambda _: None)
    losses = {1: (3.0, 3.0, 3.0), 2: (2.0, 1.0, 3.0), 3: (1.0, 2.5, 2.6), 4: (9.0, 1.0, 1.0)}
    real = one_fold.run_epoch
    ran: list[tuple[int, int]] = []

    def scripted(fit, of, on_part):
        row = real(fit, of, on_part)
        held = len(ran) % 3
        ran.append((row.epoch, len(of.held_out)))
        if of.held_out:
            object.__setattr__(row, "held_out_loss", losses[row.epoch][held])
        return row

    monkeypatch.setattr(one_fold, "run_epoch", scripted)
    fitted = one_fold.run_fold(config, sources, folds[0], lambda *_: None)
    assert [row.held_out_loss for row in fitted.result.curve] == [
        3.0,
        2.0,
        pytest.approx(6.1 / 3),
        pytest.approx(11 / 3),
    ]
    assert fitted.result.epoch == 2
    assert [epoch for epoch, held in ran if held] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert [epoch for epoch, held in ran if not held] == [1, 2]
    assert fitted.pipeline.notes["training"]["epochs_run"] == 2


def test_the_last_epoch_is_taken_where_that_is_asked_for_whatever_the_losses_are(data, monkeypatch):
    config, _ = prepared(config_of(data, "training.epochs=3", "training.patience=1", "crossval.epoch='last'"))
    sources, folds = sources_and_folds(config, lambda _: None)
    real = one_fold.run_epoch

    def rising(fit, of, on_part):
        row = real(fit, of, on_part)
        object.__setattr__(row, "held_out_loss", float(row.epoch))
        return row

    monkeypatch.setattr(one_fold, "run_epoch", rising)
    fitted = one_fold.run_fold(config, sources, folds[0], lambda *_: None)
    assert [row.held_out_loss for row in fitted.result.curve] == [1.0, 2.0, 3.0]
    assert fitted.result.epoch == fitted.pipeline.notes["training"]["epochs_run"] == 3


def test_the_baseline_answers_the_same_folds_and_is_no_pipeline(data, whole, tmp_path, monkeypatch):
    monkeypatch.setattr("rtbci.training.crossval.trees.N_TREES", 30)
    config = config_of(data, *TWO, "crossval.baseline=true", "pipeline.model.kernel=16", "pipeline.model.hop=16")
    crossval(config, tmp_path / "1")
    network, trees = (rows(folder / "results.tsv") for folder in (whole, tmp_path / "1"))
    same = ("fold", "subject", "tested", "recording", "group", "seizures")
    assert [[row[key] for key in same] for row in trees] == [[row[key] for key in same] for row in network]
    assert [row["found"] for row in trees if row["seizures"] != "0"] == ["1"] * 4  # a rhythm in noise
    assert not list((tmp_path / "1").glob("*.rtbci"))
    heard = Heard()
    crossval(config, tmp_path / "1", watch=heard)
    assert (heard.done, len(heard.before)) == ([], 2)  # nothing is done again


# Tables and files


def test_every_recording_is_tested_once_and_the_tables_say_how(whole):
    recordings = rows(whole / "results.tsv")
    assert list(recordings[0]) == [
        "fold", "subject", "tested", "recording", "group", "seizures", "found", "delays_s", "alarms", "seconds",
        "seconds_above", "background_s", "background_s_above",
    ]  # fmt: skip
    names = [f"p{c}_{kind}.edf" for c in "abcd" for kind in ("sz", "post")] + [f"q{c}_rest.edf" for c in "abc"]
    assert sorted(row["recording"] for row in recordings) == sorted(names)
    by_name = {row["recording"]: row for row in recordings}
    assert by_name["qa_rest.edf"] | {"fold": "", "alarms": "", "seconds_above": "", "background_s_above": ""} == {
        "fold": "", "subject": "qa", "tested": "no", "recording": "qa_rest.edf", "group": "quiet", "seizures": "0",
        "found": "0", "delays_s": "n/a", "alarms": "", "seconds": "40.0", "seconds_above": "", "background_s": "40.0",
        "background_s_above": "",
    }  # fmt: skip
    assert by_name["pb_sz.edf"]["background_s"] == "30.0"
    assert [by_name[f"p{c}_sz.edf"]["seizures"] for c in "abcd"] == ["1"] * 4
    # What the recipe can do: it is the tables that are tested, so the rhythm is easily found.
    assert [by_name[f"p{c}_sz.edf"]["found"] for c in "abcd"] == ["1"] * 4
    assert all(0 < float(by_name[f"p{c}_sz.edf"]["delays_s"]) < 5 for c in "abcd")


def test_the_rows_of_subjects_are_sums_over_their_recordings(whole):
    subjects = rows(whole / "subjects.tsv")
    assert list(subjects[0]) == [
        "subject", "fold", "tested", "recordings", "seizures", "found", "median_delay_s", "auroc", "share_above",
        "background_share_above", "alarms, after seizures", "alarms, quiet", "alarms, seizures",
    ]  # fmt: skip
    recordings = rows(whole / "results.tsv")
    assert sorted(row["subject"] for row in subjects) == ["pa", "pb", "pc", "pd", "qa", "qb", "qc"]
    for row in subjects:
        own = [one for one in recordings if one["subject"] == row["subject"]]
        assert {one["fold"] for one in own} == {row["fold"]}
        for group, kind in (("after seizures", "post"), ("quiet", "rest"), ("seizures", "sz")):
            of = [one for one in own if one["group"] == group]
            assert row[f"alarms, {group}"] == (of[0]["alarms"] if of else "n/a"), kind
        above, seconds = (sum(float(one[key]) for one in own) for key in ("seconds_above", "seconds"))
        assert float(row["share_above"]) == round(above / seconds, 4)
        if row["tested"] == "yes":
            assert row["median_delay_s"] == own[0]["delays_s"]
            assert (row["recordings"], row["seizures"], row["found"]) == ("2", "1", "1")
        else:
            assert (row["recordings"], row["auroc"], row["median_delay_s"]) == ("1", "n/a", "n/a")


def test_the_auroc_of_a_subject_is_that_of_its_kept_scores(whole):
    from sklearn.metrics import roc_auc_score

    for row in rows(whole / "subjects.tsv"):
        if row["tested"] == "no":
            continue
        kept = np.load(whole / f"fold-{row['fold']}_scores.npz")
        of = np.repeat(kept["recordings"], kept["hops"])
        assert len(of) == len(kept["times"]) == len(kept["probabilities"])
        own = np.isin(of, [f"{row['subject']}_sz.edf", f"{row['subject']}_post.edf"]) & kept["valid"] & kept["known"]
        assert row["auroc"] == str(round(roc_auc_score(kept["truth"][own, 0], kept["probabilities"][own, 0]), 4))


def test_the_summary_holds_the_totals_and_every_choice(whole, data):
    report = json.loads((whole / "summary.json").read_text())
    assert (report["complete"], report["folds_finished"], report["folds_planned"]) == (True, 2, 2)
    assert (report["subjects"], report["seizures"], report["found"]) == (4, 4, 4)
    assert report["sensitivity"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "subjects": 4}
    assert report["auroc"]["subjects"] == 4
    subjects = [row for row in rows(whole / "subjects.tsv") if row["tested"] == "yes"]
    aurocs = {row["subject"]: float(row["auroc"]) for row in subjects}
    assert report["worst"]["auroc"] == min(aurocs.values())
    assert report["auroc"]["mean"] == round(float(np.mean(list(aurocs.values()))), 4)
    quiet = report["groups"]["quiet"]
    assert (quiet["recordings"], quiet["seizures"], quiet["seconds"]) == (3, 0, 120.0)
    assert report["event"]["counts"] == {"true": 4, "hit": 4, "false": report["alarms"], "seconds": 240.0}
    assert report["detection_delay_s"]["p50"] == np.median(
        [float(row["delays_s"]) for row in rows(whole / "results.tsv") if row["group"] == "seizures"]
    )
    assert len(report["rows"]) == 11
    assert report["chosen_on"] == {r.fold: sorted(n for part in r.inner for n in part) for r in results(whole)}
    assert report["seeds"] == {"crossval": 0, "training": 0}
    assert report["commit"] == results(whole)[0].made_by["version"].split()[1]
    assert [fold["fold"] for fold in report["folds"]] == ["01", "02"]
    assert report["files"] == [
        "results.tsv", "subjects.tsv", "summary.json",
        "fold-01.rtbci", "fold-01_scores.npz", "fold-02.rtbci", "fold-02_scores.npz",
    ]  # fmt: skip


def test_a_pipeline_of_a_fold_has_its_operating_point_and_says_who_was_left_out(whole):
    for result in results(whole):
        pipeline = Pipeline.load(whole / f"fold-{result.fold}.rtbci")
        point = result.operating_point
        decision = pipeline.config.decision
        assert (decision.threshold, decision.min_duration_s) == (point.threshold, point.min_duration_s)
        assert decision.release == point.release == round(point.threshold - 0.1, 9)
        assert point == result.operating_points[0]
        assert len(result.operating_points) == 8
        assert pipeline.notes["crossval"]["left_out"] == sorted((*result.tested, *result.others))
        trained_on = {one["recording"].partition("_")[0] for one in pipeline.notes["trained_on"]}
        assert trained_on == {"pa", "pb", "pc", "pd", "qa", "qb", "qc"} - {*result.tested, *result.others}


def test_an_interval_is_a_bootstrap_over_subjects():
    one = interval([0.5, 0.7, 0.9], 0)
    assert (one.mean, one.low, one.high, one.subjects) == (0.7, 0.5, 0.9, 3)
    assert interval([0.25], 0).plain() == {"mean": 0.25, "low": 0.25, "high": 0.25, "subjects": 1}
    assert interval([], 0).plain() == {"mean": None, "low": None, "high": None, "subjects": 0}


# Resuming


def test_finished_folds_are_not_done_again_and_the_outcome_is_that_of_one_run(data, whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    real = run.run_fold

    def killed_in_the_second(config, sources, fold, on_progress):
        if fold.name == "02":
            raise KeyboardInterrupt
        return real(config, sources, fold, on_progress)

    monkeypatch.setattr(run, "run_fold", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        crossval(config_of(data, *TWO), out)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["complete"], summary["folds_finished"]) == (False, 1)
    assert {row["fold"] for row in rows(out / "results.tsv")} == {"01"}
    monkeypatch.setattr(run, "run_fold", real)
    heard = Heard()
    assert crossval(config_of(data, *TWO), out, watch=heard).complete
    assert (heard.before, heard.done) == (["01"], ["02"])
    assert digests(out) == digests(whole)
    again = Heard()
    crossval(config_of(data, *TWO), out, watch=again)
    assert (again.before, again.done) == (["01", "02"], [])


@pytest.mark.parametrize("name", ["fold-01.rtbci", "fold-01_scores.npz", "fold-01.json"])
def test_a_fold_whose_files_were_changed_is_done_again_and_that_is_told(data, whole, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    for path in whole.iterdir():
        (out / path.name).write_bytes(path.read_bytes()[:-1] if path.name == name else path.read_bytes())
    heard = Heard()
    crossval(config_of(data, *TWO), out, watch=heard)
    assert heard.done == ["01"]
    assert heard.lines[-1] == "fold 01: its files are not as they were written; it is done again"
    assert digests(out) == digests(whole)


def test_a_folder_of_another_config_or_of_other_data_is_refused(data, whole, tmp_path):
    before = digests(whole)
    with pytest.raises(
        ConfigError, match=r"another config or other data \(training.lr is 0.05 there, 0.01 here\); name"
    ):
        crossval(config_of(data, *TWO, "training.lr=0.01"), whole)
    write_patients(tmp_path / "other")
    write_recording(tmp_path / "other" / "qb_rest.edf", 99, None)
    with pytest.raises(ConfigError, match=r"other data \(qb_rest.edf differs\)"):
        crossval(config_of(tmp_path / "other", *TWO), whole)
    assert digests(whole) == before


def test_folds_of_another_version_are_kept_and_that_is_told(data, whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    for path in whole.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(run, "made_by", lambda: {"version": "9", "kernels": "x"})
    heard = Heard()
    crossval(config_of(data, *TWO), out, watch=heard)
    line = "folds that another version of rtbci made, or another machine, are kept: 01, 02"
    assert (heard.done, heard.lines[-1]) == ([], line)
    assert json.loads((out / "summary.json").read_text())["warnings"][-1] == line


def test_a_recording_that_changes_during_a_fold_spoils_the_fold_and_not_the_folder(tmp_path, monkeypatch):
    write_patients(tmp_path / "data")
    real = run.run_fold

    def and_then_changed(*arguments):
        fitted = real(*arguments)
        write_recording(tmp_path / "data" / "qb_rest.edf", 99, None)
        return fitted

    monkeypatch.setattr(run, "run_fold", and_then_changed)
    with pytest.raises(ConfigError, match="recordings were changed while fold 01 was fitted; its result is not kept"):
        crossval(config_of(tmp_path / "data", *TWO, "training.epochs=1"), tmp_path / "out")
    assert not list((tmp_path / "out").glob("fold-*"))


def test_the_same_data_elsewhere_goes_on(whole, tmp_path):
    write_patients(tmp_path / "moved")
    heard = Heard()
    crossval(config_of(tmp_path / "moved", *TWO), whole, watch=heard)
    assert (heard.before, heard.done) == (["01", "02"], [])


def test_two_runs_never_write_to_one_folder(data, whole, monkeypatch):
    (file := (whole / "crossval.json").open("rb")).fileno()
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)
    with pytest.raises(ConfigError, match="another cross-validation is writing to it"):
        crossval(config_of(data, *TWO), whole)
    file.close()


def test_a_folder_of_a_version_with_fewer_keys_goes_on(data, whole, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    manifest = json.loads((out / "crossval.json").read_text())
    for section, key in (("crossval", "shuffle"), ("training", "layers"), ("pipeline", "cues")):
        manifest["config"][section].pop(key)
    parts = {name: manifest[name] for name in ("config", "recordings")}
    manifest["digest"] = Manifest(**parts).digest
    (out / "crossval.json").write_text(json.dumps(manifest))
    for fold in out.glob("fold-0?.json"):
        content = json.loads(fold.read_text())
        fold.write_text(json.dumps(content | {"digest": manifest["digest"]}))
    heard = Heard()
    crossval(config_of(data, *TWO), out, watch=heard)
    assert (heard.done, heard.before) == ([], ["01", "02"])
    with pytest.raises(ConfigError, match="training.lr is"):
        crossval(config_of(data, *TWO, "training.lr=0.5"), out)


# Processes


def test_folds_side_by_side_with_signals_from_the_disk_give_the_same_to_the_bit(data, whole, tmp_path):
    heard = Heard()
    kept = config_of(data, *TWO, f"data.cache='{tmp_path / 'cache'}'")
    report = crossval(kept, tmp_path / "out", jobs=2, watch=heard)
    n = len(list((tmp_path / "cache").glob("signal-*")))
    assert heard.read == [(done, n) for done in range(n + 1)] and not list((tmp_path / "cache").glob("passing-*"))
    assert sorted(heard.done) == ["01", "02"]
    assert report.complete
    assert digests(tmp_path / "out") == digests(whole)


def test_a_mistake_in_a_process_is_one_line_and_ends_the_others(data, tmp_path):
    with pytest.raises(RtbciError, match=r"^fold 0\d: the weights are beyond all bounds after epoch 1; lower"):
        crossval(config_of(data, *TWO, "training.lr=1e30", "training.clip_norm=1e30"), tmp_path / "out", jobs=2)


def test_a_fold_whose_process_is_killed_is_told_in_one_line_and_the_same_command_goes_on(data, whole, tmp_path):
    class Killer(Heard):
        def progress(self, fold, what, done, total, row):
            if fold == "02":  # the second to be started
                max(multiprocessing.active_children(), key=lambda one: int(one.name.rpartition("-")[2])).kill()

    with pytest.raises(
        RtbciError, match=r"^fold 02: its process was ended \(exit code -9\), perhaps for want of memory"
    ):
        crossval(config_of(data, *TWO), tmp_path / "out", jobs=2, watch=Killer())
    assert not multiprocessing.active_children()
    crossval(config_of(data, *TWO), tmp_path / "out")
    assert digests(tmp_path / "out") == digests(whole)


def test_a_killed_run_loses_the_fold_under_way_alone_and_leaves_no_process(data, whole, tmp_path, wait_until):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rtbci.cli.app", "crossval", data / "crossval.toml", "--out", out, "--jobs", "2"]
    settings = [part for one in (*TWO, "training.epochs=100000", "training.patience=100000") for part in ("--set", one)]
    process = subprocess.Popen([*command, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def children() -> list[int]:
        return [int(pid) for task in Path(f"/proc/{process.pid}/task").glob("*")
                for pid in (task / "children").read_text().split()]  # fmt: skip

    # Two folds, and the process by which Python tidies up.
    wait_until(lambda: (out / "summary.json").exists() and len(children()) == 3)
    started = children()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(_is_running(pid) for pid in started))
    assert not list(out.glob("fold-*"))


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# The command


def test_the_command_tells_each_fold_and_prints_the_report(data, whole, capsys):
    crossval_from_file(data / "crossval.toml", whole, list(TWO), jobs=1, json=True)
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["found"] == 4 and report["folder"] == str(whole)
    assert "2 folds, 2 of them finished before" in err
    assert report["warnings"] and report["warnings"][0].startswith("recordings of 7 subjects, never split")
    crossval_from_file(data / "crossval.toml", whole, list(TWO), jobs=1, json=False)
    err = capsys.readouterr().err
    assert "4 of 4 seizures of 4 subjects found" in err
    assert "│ after seizures" in err


def test_without_a_terminal_there_is_a_line_for_each_fold(data, tmp_path, capsys):
    settings = [*TWO, "training.epochs=1"]
    crossval_from_file(data / "crossval.toml", tmp_path / "out", settings, jobs=1, json=True)
    lines = [line for line in capsys.readouterr().err.splitlines() if " of 2: fold 0" in line]
    assert [line.split(":")[0] for line in lines] == ["1 of 2", "2 of 2"]
    assert all("epoch 1, threshold 0." in line for line in lines)


def test_ctrl_c_says_what_is_kept(data, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_fold", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crossval_from_file(data / "crossval.toml", tmp_path / "out", list(TWO), jobs=1, json=True)
    err = capsys.readouterr().err
    assert f"0 of 2 folds are finished and kept in {tmp_path / 'out'}; the same command goes on" in err


def test_on_a_terminal_each_fold_under_way_has_a_bar(data, tmp_path):
    console = Terminal(force_terminal=True, file=io.StringIO(), width=120)

    class DrawnAtOnce(Display):
        """A terminal that is slow misses no step."""

        def progress(self, *step):
            super().progress(*step)
            self.bar.refresh()

    display = DrawnAtOnce(console)
    with display.bar:
        crossval(config_of(data, *TWO, "training.epochs=1"), tmp_path / "out", watch=display)
        display.bar.refresh()
        assert not display.bar.tasks
    shown = console.file.getvalue()
    assert "fold 02: testing" in shown
    assert "2 of 2: fold 02: " in shown
