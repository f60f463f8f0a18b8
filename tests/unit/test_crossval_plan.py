"""Who is tested by which fold, and the mistakes that are found before the first fit."""

from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest
from crossval_kit import config_of, write_patients, write_recording

from rtbci.cli.crossval import crossval_from_file
from rtbci.errors import ConfigError
from rtbci.training.config import read_train_config
from rtbci.training.crossval.plan import Fold, matches, plan
from rtbci.training.crossval.run import crossval, prepared, sources_and_folds


@pytest.fixture
def root(tmp_path):
    write_patients(tmp_path / "data")
    return tmp_path / "data"


def folds_of(root, *settings: str) -> list[Fold]:
    return sources_and_folds(prepared(config_of(root, *settings))[0], lambda _: None)[1]


def mistake(root, *settings: str) -> str:
    """The one line, before anything is fitted or written."""
    with pytest.raises(ConfigError) as caught:
        crossval(config_of(root, *settings), root / "out")
    assert not (root / "out").exists()
    return str(caught.value)


def test_each_tested_subject_is_a_fold_and_every_other_subject_is_left_out_by_one_of_them(root):
    folds = folds_of(root)
    assert [fold.name for fold in folds] == ["pa", "pb", "pc", "pd"]
    assert [fold.tested for fold in folds] == [("pa",), ("pb",), ("pc",), ("pd",)]
    assert sorted(name for fold in folds for name in fold.others) == ["qa", "qb", "qc"]
    for fold in folds:
        assert len(fold.inner) == 3
        assert sorted(name for part in fold.inner for name in part) == sorted(
            {"pa", "pb", "pc", "pd", "qa", "qb", "qc"} - fold.left_out
        )
        assert [len({"pa", "pb", "pc", "pd"} & part) for part in fold.inner] == [1, 1, 1]


def test_subjects_are_dealt_to_as_many_folds_as_are_wanted_and_anew_by_another_seed(root):
    two = folds_of(root, "crossval.folds=2", "crossval.inner=2")
    assert [fold.name for fold in two] == ["01", "02"]
    assert sorted(name for fold in two for name in fold.tested) == ["pa", "pb", "pc", "pd"]
    assert two == folds_of(root, "crossval.folds=2", "crossval.inner=2", "training.seed=5")
    dealt = {folds_of(root, "crossval.folds=2", "crossval.inner=2", f"crossval.seed={n}")[0].tested for n in range(9)}
    assert len(dealt) > 2


def test_subjects_of_one_group_are_spread_over_the_folds(root):
    for n in range(5):
        write_recording(root / f"q{n}_rest.edf", 40 + n, None)
        write_recording(root / f"z{n}_post.edf", 50 + n, None)
    for fold in folds_of(root):
        assert len([name for name in fold.others if name[0] == "q"]) == 2
        assert len([name for name in fold.others if name[0] == "z"]) in (1, 2)


def test_names_of_folds_differ_as_file_names(root):
    sources, _ = sources_and_folds(prepared(config_of(root))[0], lambda _: None)
    renamed = {"pa": "p/1", "pb": "p_1"}
    sources = [replace(s, subject=renamed.get(s.subject, s.subject)) for s in sources]
    assert [fold.name for fold in plan(sources, config_of(root))] == ["p_1", "p_1-2", "pc", "pd"]


def test_patterns_that_match_nothing_are_refused(root):
    assert mistake(root, "crossval.test=['chb*']") == (
        "crossval.test: no subject matches 'chb*'; there are pa, pb, pc, pd, qa, qb, qc"
    )
    assert mistake(root, "crossval.operating_point.no_alarm_in=['quite']") == (
        "crossval.operating_point.no_alarm_in: no group matches 'quite'; there are after seizures, quiet, seizures"
    )


def test_too_few_subjects_are_refused(root):
    assert mistake(root, "crossval.test=['pa']").startswith("crossval.test: 1 subjects (pa); leaving one out wants")
    assert mistake(root, "crossval.test=['pa', 'pb']").endswith("nested folds want three tested subjects or more")
    assert mistake(root, "crossval.test=['pa', 'pb', 'pc']").endswith("are tested; lower crossval.inner")
    assert mistake(root, "crossval.folds=5") == "crossval.folds is 5, but only 4 subjects are tested"


def test_synthetic_recordings_alone_are_refused(root):
    only = (
        "data.recordings=[]",
        "data.synthetic={n_recordings=4, duration_s=12.0}",
        *("pipeline.montage.channels=['Fp1-F7']",),
    )
    assert mistake(root, *only) == "crossval tests recordings of subjects, and the config has synthetic ones alone"


def test_a_class_that_a_fit_would_lack_is_refused(root):
    assert mistake(root, "pipeline.classes=['seizure', 'spike']", "pipeline.model.n_classes=2").startswith(
        "no recording has a label of 'spike', so that no fold can be trained; check data.recordings.labels (there are seizure)"
    )
    for seed, name in enumerate(("pb", "pc", "pd")):
        write_recording(root / f"{name}_sz.edf", seed, None)
        (root / f"{name}_sz_events.tsv").write_text("onset\tduration\teventType\n0\t40\tbckg\n")
    assert "would train on no recording of 'seizure': only pa have it" in mistake(root)


def test_a_fold_that_tests_all_quiet_subjects_is_refused(root):
    for name in ("qb", "qc"):
        (root / f"{name}_rest.edf").unlink()
    line = mistake(root)
    assert "no_alarm_in: all recordings of these groups are of subjects that fold" in line
    assert "leaves out (qa)" in line


def test_one_patient_under_two_names_is_refused(root):
    write_recording(root / "chb01_sz.edf", 60, (5.0, 10.0))
    write_recording(root / "chb21_sz.edf", 61, (5.0, 10.0))
    assert mistake(root, "crossval.test=['*']").startswith(
        "chb01 and chb21 are one patient, whom the config has under two names; give their recordings one"
    )


def test_one_recording_under_two_patients_is_refused(root):
    (root / "pe_sz.edf").write_bytes((root / "pb_sz.edf").read_bytes())
    assert mistake(root).startswith(
        "pe_sz.edf has the samples of pb_sz.edf, but is of subject pe and not pb: one patient"
    )


def test_the_config_of_the_repository_holds_no_seizure_for_background():
    config = read_train_config(Path(__file__).parents[2] / "configs" / "seizure_crossval.toml")
    quiet = [pattern for one in config.data.recordings if one.background_only for pattern in one.files]
    seizures = ("vecams/eFig52.edf", "vecams/eFig54.edf", "iiic_irr/B_Other10_SZ10.edf", "iiic_irr/S_SZ6_GRDA6.edf",
                "iiic_irr/D_SZ10_GPD9.edf", "iiic/SZ_sample1.edf", "chbmit_seizures/chb01_03_02986_sz.edf")  # fmt: skip
    assert not [name for name in seizures for pattern in quiet if fnmatch(name, pattern)]
    assert fnmatch("iiic_irr/E_LPD26.edf", "iiic_irr/[EGHJKLNPRT]_*.edf")
    groups = {one.group for one in config.data.recordings}
    assert {"seizures", "after seizures", "periodic discharges"} <= groups
    assert any(matches(group, config.crossval.operating_point.no_alarm_in) for group in groups)


def test_a_tagger_has_no_trials_to_leave_out_or_to_compare(root):
    assert mistake(root, "crossval.by='trial'", "crossval.folds=3") == (
        'crossval.by = "trial" is for networks of trials, and a conv_lstm is a tagger; wanted "subject" or "recording"'
    )
    with pytest.raises(ConfigError, match="--against compares answers to trials, and a conv_lstm is a tagger"):
        crossval(config_of(root), root / "out", against=root)


def test_within_subjects_one_seizure_is_left_out_and_recordings_of_the_same_patient_alone_are_in_the_fit(root):
    within = ("crossval.by='recording'", "crossval.within='subject'", "crossval.inner=2", "crossval.test=['*']")
    for seed in range(2):
        write_recording(root / f"pa_{seed}_sz.edf", 60 + seed, (5.0, 10.0))
    file = root / "crossval.toml"
    file.write_text(file.read_text().replace("(\\w+)_", "(\\w\\w)_"))
    config = prepared(config_of(root, *within, "crossval.operating_point.no_alarm_in=['*']"))[0]
    told: list[str] = []
    sources, folds = sources_and_folds(config, told.append)
    assert [fold.tested for fold in folds] == [("pa_0_sz.edf",), ("pa_1_sz.edf",), ("pa_sz.edf",)]
    for fold in folds:
        training, left_out = fold.sides(sources)
        assert {source.name for source in (*training, *left_out)} == {
            f"pa_{n}.edf" for n in ("sz", "post", "0_sz", "1_sz")
        }
    assert [line.partition(",")[0] for line in told if line.startswith("left out")] == [
        f"left out: {name}" for name in ("pb", "pc", "pd", "qa", "qb", "qc")
    ]


def test_what_train_would_hold_out_is_not_used_and_that_is_told(root):
    config, told = prepared(config_of(root, "data.validation.files=['pa_sz.edf']", "data.validation.fraction=0.2"))
    assert told == ["data.validation.files and fraction: not used; every choice is made on folds of [crossval]"]
    assert config.data.validation.files == ()


def test_folders_of_something_else_are_refused(root, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is a file; wanted a folder"):
        crossval_from_file(root / "crossval.toml", tmp_path / "file", [], jobs=1, json=True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "results.tsv").write_text("mine")
    with pytest.raises(
        ConfigError, match=r"results.tsv: was not written by this cross-validation, and is not replaced"
    ):
        crossval_from_file(root / "crossval.toml", tmp_path / "folder", [], jobs=1, json=True)
    assert (tmp_path / "folder" / "results.tsv").read_text() == "mine"


def test_by_recording_each_recording_with_an_event_is_tested_by_a_fold_that_trains_on_the_others(root):
    folds = folds_of(root, "crossval.by='recording'")
    sources, _ = sources_and_folds(prepared(config_of(root, "crossval.by='recording'"))[0], lambda _: None)
    with_event = {s.name for s in sources if any(part.label == "seizure" for part in s.stretches)}
    assert {name for fold in folds for name in fold.tested} == with_event
    assert all(len(fold.tested) == 1 for fold in folds)
    answered = [name for fold in folds for name in fold.left_out]
    assert sorted(answered) == sorted(s.name for s in sources if s.subject)


def test_by_recording_a_copy_is_refused(root):
    (root / "pe_sz.edf").write_bytes((root / "pa_sz.edf").read_bytes())
    assert mistake(root, "crossval.by='recording'") == (
        "pe_sz.edf has the samples of pa_sz.edf: one recording under two names; leave one out"
    )
