"""Before the first epoch: classes that are not there, whose recordings they are, copies, devices; each refused or told."""

import json
from pathlib import Path

import edfio
import numpy as np
import pytest
import torch
from commands import mistake

from rtbci.cli.evaluate import evaluate_files
from rtbci.cli.train import train_from_file
from rtbci.errors import ConfigError
from rtbci.training.config import TrainConfig, read_train_config
from rtbci.training.data import Data
from rtbci.training.examples import find_sources
from rtbci.training.held_out import score_recording, scores_of
from rtbci.training.subjects import subject_of
from rtbci.training.train import fitted, train

CONFIG = """
[pipeline]
name = "tiny"
sfreq = 64
classes = ["seizure"]
[pipeline.montage]
channels = ["C3", "C4"]
[pipeline.model]
kind = "conv_lstm"
filters = 2
kernel = 8
hop = 8
units = [2]
[data]
[[data.recordings]]
files = ["*.edf"]
labels = { seizure = "seizure", quiet = "background" }
elsewhere = "unknown"
[training]
epochs = 1
"""


def write(path: Path, seed: int, *notes: tuple[float, float, str], seconds: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 10, (2, seconds * 64))
    signals = [
        edfio.EdfSignal(x, 64, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for x, name in zip(noise, ("C3", "C4"), strict=True)
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(*note) for note in notes] or None).write(path)


ONLY_SEIZURES = "data.recordings=[{files=['*.edf'], labels={seizure='seizure'}, elsewhere='unknown'}]"
SEIZURE, QUIET = (5.0, 10.0, "seizure"), (0.0, 5.0, "quiet")


def config_of(root: Path, *settings: str) -> TrainConfig:
    (root / "train.toml").write_text(CONFIG)
    return read_train_config(root / "train.toml", list(settings))


def warnings_of(config: TrainConfig) -> tuple[str, ...]:
    return tuple(Data.load(config).warnings)


# Classes


def test_a_training_that_knows_of_nothing_but_seizures_is_refused_with_what_to_do(tmp_path):
    for seed in range(3):
        write(tmp_path / f"{seed}.edf", seed, SEIZURE)
    with pytest.raises(
        ConfigError, match="would always answer 'seizure'; add recordings with background_only = true, or say"
    ):
        train(
            config_of(tmp_path, ONLY_SEIZURES),
            tmp_path / "x.rtbci",
            lambda what, *_: None if what != "training" else pytest.fail(what),
        )
    assert not (tmp_path / "x.rtbci").exists()
    train(config_of(tmp_path, ONLY_SEIZURES, "data.without_background=true"), tmp_path / "x.rtbci")
    assert (tmp_path / "x.rtbci").exists()


def test_a_second_of_background_is_enough(tmp_path):
    write(tmp_path / "a.edf", 0, SEIZURE, (0.0, 1.0, "quiet"))
    assert len(Data.load(config_of(tmp_path)).training) == 1


def test_a_network_of_trials_needs_trials_of_background_or_of_another_class(tmp_path):
    for seed in range(3):
        write(tmp_path / f"{seed}.edf", seed, (2.0, 3.0, "seizure"))
    trials = ("pipeline.model={kind='small_lstm', window=64, units=[4], n_classes=1}",)
    labels = "data.recordings=[{files=['*.edf'], labels={seizure='seizure'}}]"
    with pytest.raises(ConfigError, match="would always answer 'seizure'"):
        Data.load(config_of(tmp_path, *trials, labels))
    write(tmp_path / "3.edf", 3, (2.0, 3.0, "seizure"), (9.0, 3.0, "quiet"))
    assert len(Data.load(config_of(tmp_path, *trials)).training) == 4


def test_a_validation_that_lacks_a_class_is_told_before_the_first_epoch(tmp_path, capsys):
    write(tmp_path / "a.edf", 0, SEIZURE, QUIET)
    write(tmp_path / "b.edf", 1, QUIET)
    write(tmp_path / "c.edf", 2, SEIZURE)
    without = warnings_of(config_of(tmp_path, "data.validation.files=['b.edf']"))
    assert without == (
        "no held-out recording has a known step of 'seizure': the validation cannot tell whether it is found",
    )
    (only,) = warnings_of(config_of(tmp_path, "data.validation.files=['c.edf']"))
    assert only == (
        "'seizure' holds at every known step of the held-out recordings: the validation cannot tell false alarms"
    )
    (nothing,) = warnings_of(config_of(tmp_path))
    assert nothing.startswith("nothing is held out: the fit runs to its last epoch")
    said: list[str] = []
    pipeline = train(
        config_of(tmp_path, "data.validation.files=['b.edf']"),
        tmp_path / "x.rtbci",
        lambda what, *_: said.append(what),
        on_warning=said.append,
    )
    assert said.index(without[0]) < said.index("training")
    assert pipeline.notes["warnings"] == list(without)
    settings = ["data.validation.files=['b.edf']"]
    train_from_file(tmp_path / "train.toml", tmp_path / "x.rtbci", settings, resume=False, json=True)
    out, err = capsys.readouterr()
    assert json.loads(out)["warnings"] == list(without)
    assert f"warning: {without[0]}" in err


def test_a_validation_of_every_class_is_no_cause_for_a_warning(tmp_path):
    write(tmp_path / "a.edf", 0, SEIZURE, QUIET)
    write(tmp_path / "b.edf", 1, SEIZURE, QUIET)
    assert warnings_of(config_of(tmp_path, "data.validation.files=['b.edf']")) == ()


def test_what_only_synthetic_recordings_have_is_told(tmp_path):
    write(tmp_path / "a.edf", 0, SEIZURE)
    settings = ("data.synthetic={n_recordings=4, duration_s=20.0}", "data.validation.synthetic_fraction=0.5")
    montage = "pipeline.montage.channels=['C3', 'C4']"
    assert "what is not 'seizure' is in synthetic recordings only" in warnings_of(
        config_of(tmp_path, ONLY_SEIZURES, *settings, montage)
    )


def test_a_recording_in_which_nothing_is_known_is_named(tmp_path):
    write(tmp_path / "a.edf", 0, SEIZURE, QUIET)
    write(tmp_path / "b.edf", 1, SEIZURE, QUIET)
    write(tmp_path / "c.edf", 2, (1.0, 2.0, "blink"))
    told = warnings_of(config_of(tmp_path, "data.validation.files=['b.edf']"))
    assert "left out, for no label in them is known: c.edf" in told


# Subjects


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("sub-01/ses-02/eeg/sub-01_ses-02_task-x_eeg.edf", "sub-01"),
        ("chb21/chb21_03.edf", "chb01"),
        ("CHB01_03.edf", "chb01"),
        ("chb17a_03.edf", "chb17"),
        ("S001R03.edf", "S001"),
        ("tuh/aaaaaajy_s001_t000.edf", "aaaaaajy"),
        ("PN00-1.edf", "PN00"),
        ("night.edf", ""),
        ("subject 3.edf", ""),
    ],
)
def test_the_subject_is_in_a_known_name(name, subject):
    assert subject_of(name) == subject


def test_a_path_of_two_subjects_is_refused():
    with pytest.raises(ConfigError, match="its path names sub-01 and sub-02"):
        subject_of("sub-01/sub-02_eeg.edf")


def cohort(root: Path) -> None:
    for seed, name in enumerate(("chb01_03", "chb01_04", "chb21_19", "chb02_16", "chb03_01", "chb05_06")):
        write(root / f"{name}.edf", seed, SEIZURE, QUIET)


@pytest.mark.parametrize("seed", range(6))
def test_a_fraction_never_splits_a_subject_of_recordings(tmp_path, seed):
    cohort(tmp_path)
    settings = ("data.validation={by='subject', fraction=0.5}", f"training.seed={seed}")
    sides: dict[str, set[bool]] = {}
    for source in find_sources(config_of(tmp_path, *settings)):
        sides.setdefault(source.group, set()).add(source.held_out)
    assert sorted(sides) == ["subject chb01", "subject chb02", "subject chb03", "subject chb05"]
    assert sorted(map(sorted, sides.values())) == [[False], [False], [True], [True]]


def test_who_is_whose_is_told_and_chb21_is_chb01(tmp_path):
    cohort(tmp_path)
    told: list[str] = []
    find_sources(config_of(tmp_path, "data.validation={by='subject', fraction=0.5}"), told.append)
    assert told == [
        "recordings of 4 subjects, never split: chb01 × 3 (chb21 is the same person), chb02 × 1, chb03 × 1, chb05 × 1"
    ]


@pytest.mark.parametrize(
    ("validation", "where"),
    [
        ("{by='subject', files=['chb01_03.edf']}", "files"),
        ("{by='subject', folds=[['chb21_19.edf'], ['chb02*']]}", "folds"),
    ],
)
def test_patterns_that_split_a_subject_are_refused(tmp_path, validation, where):
    cohort(tmp_path)
    with pytest.raises(ConfigError, match=f"data.validation.{where} separates chb.*, which are of one subject, chb01"):
        train(config_of(tmp_path, f"data.validation={validation}"), tmp_path / "x.rtbci")


def test_a_subject_on_both_sides_is_told_where_recordings_are_the_unit(tmp_path):
    cohort(tmp_path)
    told: list[str] = []
    find_sources(config_of(tmp_path, "data.validation.files=['chb21_19.edf', 'chb02_16.edf']"), told.append)
    (line,) = told
    assert line.startswith("held-out recordings are of subjects that are trained on, too: chb01; data.validation.by")


def test_a_subject_that_cannot_be_told_is_refused_with_what_to_do(tmp_path):
    for seed, name in enumerate(("P01_a", "P01_b", "P02_a", "P03_a")):
        write(tmp_path / f"{name}.edf", seed, SEIZURE, QUIET)
    by = "data.validation={by='subject', fraction=0.4}"
    with pytest.raises(
        ConfigError, match=r"P01_a.edf: its name does not tell .* set data.recordings.0.subject, or data"
    ):
        find_sources(config_of(tmp_path, by))
    labels = "labels={seizure='seizure', quiet='background'}"
    found = find_sources(
        config_of(tmp_path, by, f"data.recordings=[{{files=['*.edf'], {labels}, subject_pattern='(P..)_'}}]")
    )
    groups = ["subject P01", "subject P01", "subject P02", "subject P03"]
    assert [s.group for s in found] == groups
    with pytest.raises(ConfigError, match=r"subject_pattern: '\(Q..\)_' finds no subject in P01_a.edf"):
        find_sources(
            config_of(tmp_path, by, f"data.recordings=[{{files=['*.edf'], {labels}, subject_pattern='(Q..)_'}}]")
        )
    named = [
        f"{{files=['P0{n}*.edf'], {labels}, subject='{who}'}}" for n, who in ((1, "anna"), (2, "anna"), (3, "ben"))
    ]
    found = find_sources(config_of(tmp_path, by, f"data.recordings=[{', '.join(named)}]"))
    assert [s.group for s in found] == ["subject anna"] * 3 + ["subject ben"]


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("subject='a', subject_pattern='(a)'", "subject and subject_pattern: give one of them"),
        ("subject_pattern='P..'", "wanted a regular expression with one group"),
        ("subject_pattern='(P'", "wanted a regular expression with one group"),
    ],
)
def test_a_config_of_subjects_that_is_wrong_is_told(tmp_path, extra, line):
    with pytest.raises(ConfigError, match=line):
        config_of(tmp_path, f"data.recordings=[{{files=['*.edf'], background_only=true, {extra}}}]")


def test_recordings_have_no_trials_to_split_by(tmp_path):
    cohort(tmp_path)
    with pytest.raises(ConfigError, match="is for datasets of independent trials; for"):
        find_sources(config_of(tmp_path, "data.validation.by='trial'"))


def test_a_subject_in_two_folds_is_told(tmp_path):
    cohort(tmp_path)
    told: list[str] = []
    folds = "data.validation.folds=[['chb01_03.edf', 'chb02*'], ['chb21*', 'chb03*']]"
    find_sources(config_of(tmp_path, folds), told.append)
    (line,) = told
    assert line.startswith(
        "cross-validation tests on recordings of subjects that are trained on, too: chb01; data.valid"
    )


# Copies


@pytest.mark.parametrize("seed", range(4))
def test_a_recording_under_two_names_is_told_and_never_split(tmp_path, seed):
    for name, content in (("a", 0), ("b", 1), ("c", 0), ("d", 2), ("e", 3)):
        write(tmp_path / f"{name}.edf", content, SEIZURE, QUIET)
    told: list[str] = []
    config = config_of(tmp_path, "data.validation.fraction=0.5", f"training.seed={seed}")
    sides = {source.name: source.held_out for source in find_sources(config, told.append)}
    assert sides["a.edf"] == sides["c.edf"]
    assert told[0].startswith("c.edf has the samples of a.edf: one recording under two names; both count")


def test_a_copy_of_what_is_trained_on_is_told_where_it_is_held_out(tmp_path):
    for name, content in (("a", 0), ("b", 1), ("c", 0)):
        write(tmp_path / f"{name}.edf", content, SEIZURE, QUIET)
    told: list[str] = []
    find_sources(config_of(tmp_path, "data.validation.files=['c.edf']"), told.append)
    assert told == [
        "c.edf has the samples of a.edf: one recording under two names; one is trained on and the other held out, so that "
        "the validation flatters; leave one out"
    ]


def test_recordings_that_differ_in_one_sample_are_two(tmp_path):
    write(tmp_path / "a.edf", 0, SEIZURE, QUIET)
    content = bytearray((tmp_path / "a.edf").read_bytes())
    content[-70] ^= 1
    (tmp_path / "b.edf").write_bytes(content)
    told: list[str] = []
    find_sources(config_of(tmp_path), told.append)
    assert told == []


# Devices


@pytest.mark.parametrize("command", ["train", "select"])
def test_a_device_that_is_not_there_is_told_before_data_are_read(tmp_path, command):
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    config_of(tmp_path)  # its folder holds no recording
    out = ("--out", tmp_path / ("x.rtbci" if command == "train" else "out"))
    line = mistake(command, tmp_path / "train.toml", "--set", "training.device=cuda", *out)
    assert "device cuda was asked for, but this machine has no usable CUDA GPU; use cpu or auto" in line


# The same rule of scoring


def test_a_report_of_a_training_has_the_figures_of_evaluate(tmp_path, capsys):
    """One unbroken alarm of 400 s: a hit by overlap, yet a false alarm, without a delay."""
    rows = [(100.0, 40.0, "seizure"), (398.0, 2.0, "seizure")]
    write(tmp_path / "a.edf", 0, *rows, seconds=400)
    config = config_of(tmp_path, "data.recordings=[{files=['*.edf'], labels={seizure='seizure'}}]")
    pipeline = fitted(Data.load(config), lambda *_: None)
    with torch.no_grad():
        pipeline.network.dense.weight.zero_()
        pipeline.network.dense.bias.fill_(9.0)
    pipeline.save(tmp_path / "always.rtbci")
    (source,) = find_sources(config)
    reported = scores_of([score_recording(pipeline, source)])
    figures = reported["real"]["classes"]["seizure"]
    evaluate_files(str(tmp_path / "always.rtbci"), [tmp_path / "a.edf"], [], device="cpu", json=True)
    said = json.loads(capsys.readouterr().out)
    assert figures == {key: said[key] for key in figures}
    assert set(figures) == {"event", "sample", "detection_delay_s", "already_alarmed", "scorer"}
    assert (figures["event"]["counts"]["true"], figures["event"]["counts"]["hit"]) == (2, 2)
    assert figures["already_alarmed"] == 2
    assert reported["recordings"][0]["detection_delay_s"] == [None, None]
    assert figures["sample"]["precision"] < 0.11
