"""The figures of `rtbci evaluate`: SzCORE's over subjects to the digit, the curve, chance, calibration, burden, comparison."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import mistake_here, rtbci_here
from test_datasets import write_edf
from test_evaluate import recording
from timescoring import scoring
from timescoring.annotations import Annotation

from rtbci.bundled import PIPELINE
from rtbci.errors import ConfigError
from rtbci.evaluation.burden import burden_rows
from rtbci.evaluation.chance import chance
from rtbci.evaluation.chosen_point import stale_scores
from rtbci.evaluation.comparison import FIGURES, Comparison
from rtbci.evaluation.cue_answers import TrialSum, paired
from rtbci.evaluation.curve import Curve, CurvePoint, Rule
from rtbci.evaluation.curve_area import log_area, low_area
from rtbci.evaluation.intervals import interval, spread
from rtbci.evaluation.lengths import length_rows
from rtbci.evaluation.probabilities import calibration
from rtbci.evaluation.responses import Scored
from rtbci.evaluation.scoring import is_too_short, pooled, score
from rtbci.evaluation.trained_on import TrainedOn
from rtbci.evaluation.truth import hop_truth
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.cues import Cue, CueAnswer
from rtbci.types import Event


def events(*spans: tuple[float, float]) -> tuple[Event, ...]:
    return tuple(Event(start, stop - start, "seizure") for start, stop in spans)


def scored(truth=(), found=(), duration_s: float = 600.0, unknown=()) -> Scored:
    found = events(*found)
    return Scored(events(*truth), found, tuple(e.onset + 3 for e in found), duration_s, events(*unknown))


# As SzCORE's own evaluator has it


def mask(spans: list[tuple[float, float]], duration_s: float) -> np.ndarray:
    """As `epilepsy2bids.annotations.Annotations.getMask(1)` makes it of an event table."""
    out = np.zeros(int(duration_s))
    for start, stop in spans:
        out[int(start) : int(stop)] = 1
    return out


def as_the_evaluator(subjects: dict[str, list[tuple[list, list, float]]]) -> dict[str, dict[str, float]]:
    """The published algorithm of `szcore_evaluation.evaluate.evaluate_dataset`, on (truth, found, duration) by subject."""
    out = {}
    for kind, scorer in (("sample", scoring.SampleScoring), ("event", scoring.EventScoring)):
        figures = {name: [] for name in ("sensitivity", "precision", "f1", "fpRate")}
        for recordings in subjects.values():
            parts = [
                scorer(Annotation(mask(truth, s), 1), Annotation(mask(found, s), 1)) for truth, found, s in recordings
            ]
            total = parts[0]
            total.tp, total.fp, total.refTrue, total.numSamples = (
                sum(getattr(part, key) for part in parts) for key in ("tp", "fp", "refTrue", "numSamples")
            )
            total.computeScores()
            for name, values in figures.items():
                values.append(getattr(total, name))
        out[kind] = {name: np.nanmean(values) for name, values in figures.items()}
        out[kind] |= {f"{name}_std": np.nanstd(values) for name, values in figures.items()}
    return out


@pytest.mark.parametrize("seed", range(5))
def test_means_and_deviations_over_subjects_are_those_of_szcores_evaluator_to_the_digit(seed):
    rng = np.random.default_rng(seed)
    subjects = {}
    for subject in "abcd":
        recordings = []
        for _ in range(rng.integers(1, 4)):
            duration_s = round(float(rng.uniform(300, 4000)), 2)
            cuts = np.sort(rng.uniform(0, duration_s, 12)).round(2)
            spans = [(float(a), float(b)) for a, b in cuts.reshape(-1, 2)]
            recordings.append((spans[::2] if subject != "d" else [], spans[1::2] + spans[:1], duration_s))
        subjects[subject] = recordings
    wanted = as_the_evaluator(subjects)
    for kind in ("event", "sample"):
        rows = [
            pooled(getattr(score([scored(truth, found, s)]), kind) for truth, found, s in recordings)
            for recordings in subjects.values()
        ]
        for ours, theirs in (
            ("sensitivity", "sensitivity"), ("precision", "precision"), ("f1", "f1"), ("false_alarms_per_24h", "fpRate")
        ):  # fmt: skip
            one = spread([value for row in rows if (value := getattr(row, ours)) is not None], 0)
            assert one.mean == pytest.approx(wanted[kind][theirs], rel=1e-12)
            assert one.std == pytest.approx(wanted[kind][f"{theirs}_std"], rel=1e-12, abs=1e-15)


def test_an_event_between_two_whole_seconds_is_not_seen_and_known_for_it():
    assert is_too_short(Event(10.2, 0.5, "seizure"))
    assert not is_too_short(Event(10.2, 0.9, "seizure"))
    assert score([scored([(10.2, 10.7)])]).event.counts.true == 0
    assert score([scored([(10.2, 11.1)])]).event.counts.true == 1


def test_the_bootstrap_draws_subjects_and_a_single_one_has_no_width():
    assert (interval([0.5], 0).low, interval([0.5], 0).high) == (0.5, 0.5)
    assert spread([0.0, 1.0], 0).std == 0.5
    wide = interval([0.0, 1.0, 1.0, 1.0], 0)
    assert (wide.mean, wide.low, wide.high, wide.subjects) == (0.75, 0.25, 1.0, 4)


# What is true of a score


def test_the_truth_of_a_score_is_that_of_its_newest_sample():
    hops = hop_truth(np.array([9.9, 10.0, 19.9, 20.0, 55.0]), {"seizure": scored([(10, 20)], unknown=[(50, 60)])})
    assert hops.truth[:, 0].tolist() == [False, True, True, False, False]
    assert hops.known.tolist() == [True, True, True, True, False]
    assert hops.background.tolist() == [True, False, False, True, False]


# The curve, and a point on it


def point(
    threshold: float, found: int, false_alarms: int, hours: float = 10.0, delay_s: float | None = 5.0
) -> CurvePoint:
    return CurvePoint(
        threshold=threshold, seizures=10, found=found, false_alarms=false_alarms, sensitivity=found / 10,
        precision=found / (found + false_alarms) if found + false_alarms else None,
        f1=2 * found / (10 + found + false_alarms), fa_per_h=false_alarms / hours, delay_s=delay_s,
    )  # fmt: skip


POINTS = (point(0.2, 10, 40), point(0.4, 9, 8), point(0.5, 9, 5), point(0.6, 8, 5), point(0.8, 5, 0))
CURVE = Curve(points=POINTS, area=None, area_fa_per_h=None, low_area=None)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        ("fa_per_h<=0.5", 0.5),
        ("fa_per_h <= 0.8", 0.5),  # no more are found at 0.4, with more alarms
        ("fa_per_24h<=0", 0.8),
        ("sensitivity>=0.9", 0.5),
        ("sensitivity>=0.95", 0.2),
        ("precision>=0.6", 0.5),
        ("delay_s<=5", 0.2),
        ("f1", 0.5),
    ],
)
def test_the_best_point_that_keeps_the_bound_is_chosen(rule, threshold):
    assert Rule.parse(rule).choose(CURVE).threshold == threshold


@pytest.mark.parametrize(
    "rule", ["", "fa<=1", "fa_per_h=1", "fa_per_h<=nan", "fa_per_h<=", "<=1", "f1>", "sensitivity>=--1"]
)
def test_a_rule_that_is_none_is_refused(rule):
    with pytest.raises(ConfigError, match="wanted a bound, as fa_per_h<=0.5"):
        Rule.parse(rule)


def test_a_bound_that_no_threshold_keeps_says_what_is_reached():
    with pytest.raises(ConfigError, match=r"no threshold has delay_s <= 3: these recordings reach 5"):
        Rule.parse("delay_s<=3").choose(CURVE)


def test_the_area_is_the_mean_of_the_best_sensitivity_within_each_rate():
    assert low_area([(p.fa_per_h, p.sensitivity) for p in POINTS]) == pytest.approx(0.5 * 0.5 + 0.5 * 0.9)
    assert low_area([(0.0, 0.4)]) == pytest.approx(0.4)
    assert low_area([(1.1, 0.4)]) == 0.0
    assert low_area([]) is None


def test_the_area_of_neuroatlas_is_the_mean_over_the_logarithm_of_the_rates_that_are_reached():
    # A line in log rate: the mean is that of its ends, 0.1 and 100 but for the steps of the grid.
    rates = np.geomspace(0.01, 1000, 400)
    area, (low, high) = log_area([(rate, np.log10(rate) / 4 + 0.5) for rate in rates[::-1]])
    assert (low, high) == (pytest.approx(0.103, abs=0.001), pytest.approx(100))
    assert area == pytest.approx((np.log10(low) + np.log10(high)) / 8 + 0.5, abs=1e-3)
    # Only what is reached counts, and below the threshold with the most false alarms nothing does.
    area, (low, high) = log_area([(0.0, 1.0), (4.0, 0.8), (2.0, 0.8), (0.5, 0.8)])
    assert (area, low > 0.5, high < 4.0) == (pytest.approx(0.8), True, True)
    assert low_area([(0.0, 1.0), (4.0, 0.8), (2.0, 0.8), (0.5, 0.8)]) == pytest.approx(0.4)
    for too_little in ([], [(0.0, 1.0)], [(300.0, 1.0), (200.0, 0.5)], [(0.05, 1.0), (0.0, 0.5)]):
        assert log_area(too_little) is None


# Chance, calibration, burden, lengths


def test_an_alarm_at_random_finds_a_seizure_as_often_as_it_overlaps_it():
    # 10 s of alarm in 10,000 s: it begins within 30 s before to 60 s after the 100 s of the seizure, or up to 10 s earlier.
    found = chance([("a", scored([(5000, 5100)], [(5010, 5020)], 10_000.0))], 0)
    assert found.observed == 1.0
    assert found.sensitivity == pytest.approx(200 / 9990, abs=0.01)
    assert found.p == pytest.approx(found.sensitivity, abs=0.002)


def test_an_alarm_without_end_is_chance():
    found = chance([("a", scored([(100, 200)], [(0, 600)]))], 0)
    assert (found.sensitivity, found.observed, found.p) == (1.0, 1.0, 1.0)


def test_alarms_are_moved_among_the_recordings_of_their_subject_alone():
    quiet, ictal = scored([], [(10, 20)], 300.0), scored([(100, 400)], [], 500.0)
    apart = chance([("a", quiet), ("b", ictal)], 0)
    assert (apart.sensitivity, apart.high) == (0.0, 0.0)
    one = chance([("a", quiet), ("a", ictal)], 0)
    assert one.sensitivity == pytest.approx(400 / (290 + 490), abs=0.05)
    assert chance([("a", quiet)], 0).sensitivity is None


def test_calibration_by_hand():
    p = np.array([[0.15], [0.15], [0.95], [1.0]], np.float32)
    found = calibration(p, np.array([[False], [True], [True], [True]]))
    assert found.brier == pytest.approx((0.15**2 + 0.85**2 + 0.05**2) / 4, abs=1e-6)
    assert [(row.hops, row.observed) for row in found.bins if row.hops] == [(2, 0.5), (2, 1.0)]
    assert found.calibration_error == pytest.approx((2 * 0.35 + 2 * 0.025) / 4, abs=1e-6)
    assert found.prevalence == 0.75
    empty = calibration(np.empty((0, 1), np.float32), np.empty((0, 1), bool))
    assert (empty.hops, empty.brier, empty.auroc) == (0, None, None)


def test_burden_of_windows_of_five_minutes():
    one = scored([(0, 150), (310, 340)], [(0, 140), (310, 345)], 900.0, unknown=[(700, 710)])
    tenth, half, most = burden_rows([one])
    assert (tenth.windows_at_least, tenth.positive_agreement) == (2, 1.0)
    assert (half.windows_at_least, half.positive_agreement) == (1, 0.0)
    assert half.windows_below + half.windows_at_least == 2  # the third has unknown time
    assert (most.windows_at_least, most.positive_agreement, most.positive_agreement_low) == (0, None, None)
    assert tenth.positive_agreement_low == pytest.approx(0.025 ** (1 / 2))  # Clopper and Pearson, all of two


def test_sensitivity_by_length():
    rows = length_rows([(5, False), (9.99, True), (10, True), (500, True)])
    assert [(row.from_s, row.to_s, row.seizures, row.found) for row in rows] == [
        (0, 10, 2, 1), (10, 30, 1, 1), (120, None, 1, 1),
    ]  # fmt: skip


def test_a_comparison_has_a_row_for_each_figure():
    assert (*FIGURES, "trials") == tuple(Comparison.model_fields)


# What a pipeline has seen


def test_a_recording_is_known_by_its_samples_and_of_older_notes_by_its_name():
    notes = {"trained_on": [
        {"recording": "x/new.edf", "content": "ab12", "held_out": False},
        {"recording": "x/chb05_01.edf", "held_out": True},
        3, {"recording": None},
    ]}  # fmt: skip
    seen = TrainedOn(notes)
    assert "was trained on it" in seen.warning(Path("renamed.edf"), "ab12cd", "")
    assert seen.warning(Path("new.edf"), "ff", "") == ""
    assert "chose its epoch" in seen.warning(Path("y/chb05_01.edf"), "ff", "")
    assert "other recordings of this person" in seen.warning(Path("chb05_02.edf"), "ff", "chb05")
    assert TrainedOn({"trained_on": 3}).rows == []


# The command


def report(*arguments: object, code: int = 0) -> dict:
    done = rtbci_here("evaluate", *arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A BIDS-like folder of two patients, a recording without a table and a file that is none."""
    for subject in ("01", "02"):
        folder = tmp_path / "archive" / f"sub-{subject}" / "eeg"
        folder.mkdir(parents=True)
        recording(folder, f"sub-{subject}_task-x_eeg", None)
        (folder / f"sub-{subject}_task-x_events.tsv").write_text("onset\tduration\teventType\n42.0\t40.0\tsz\n")
    recording(tmp_path / "archive", "plain", None)
    (tmp_path / "archive" / "broken.edf").write_bytes(b"no header")
    return tmp_path / "archive"


def test_an_archive_is_scored_by_subject_recording_and_seizure_and_a_broken_file_is_named(archive, tmp_path):
    out = tmp_path / "out"
    found = report("demo", archive, "--out", out, code=2)
    assert (found["recordings"], found["subjects"]) == (2, 2)
    assert [Path(row["recording"]).name for row in found["failed"]] == ["broken.edf"]
    assert [Path(row["recording"]).name for row in found["left_out"]] == ["plain.edf"]
    assert [row["subject"] for row in found["subject_rows"]] == ["sub-01", "sub-02"]
    assert [row["found"] for row in found["seizure_rows"]] == [True, True]
    assert found["by_subject"]["event"]["sensitivity"]["mean"] == 1.0
    assert any("has the same samples as" in line for line in found["warnings"])
    for name, lines in (("recordings.tsv", 3), ("subjects.tsv", 3), ("seizures.tsv", 3)):
        assert len((out / name).read_text().splitlines()) == lines
    assert json.loads((out / "evaluation.json").read_text())["event"] == found["event"]
    again = report("demo", archive, "--out", out, code=2)
    assert again["event"] == found["event"]


def test_a_recording_may_be_said_to_be_background_and_a_pattern_says_whose_it_is(tmp_path):
    ictal, plain = recording(tmp_path, "P1_a"), recording(tmp_path, "P2_b", None)
    found = report("demo", ictal, "--background", plain, "--subject-pattern", r"(P\d)_")
    assert [row["subject"] for row in found["subject_rows"]] == ["P1", "P2"]
    assert found["subject_rows"][1]["alarms"] == 1
    assert "finds no subject in" in mistake_here("evaluate", "demo", ictal, "--subject-pattern", r"(Q\d)_")
    assert "has no group" in mistake_here("evaluate", "demo", ictal, "--subject-pattern", "P1")
    assert "named with --background, and annotated" in mistake_here("evaluate", "demo", plain, "--background", ictal)


def test_other_peoples_tables_are_not_replaced(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "subjects.tsv").write_text("name\tage\n")
    assert "was not written by `rtbci evaluate`" in mistake_here("evaluate", "demo", recording(tmp_path), "--out", out)
    assert (out / "subjects.tsv").read_text() == "name\tage\n"


def test_a_threshold_is_chosen_written_and_marks_the_scores_as_stale(tmp_path):
    path, new = recording(tmp_path), tmp_path / "new.rtbci"
    found = report("demo", path, "--at", "fa_per_h<=0", "--save", new)
    chosen = found["chosen"]
    assert (chosen["rule"], chosen["file"], chosen["chosen_on"]) == ("fa_per_h <= 0", str(new), [str(path)])
    before, after = Pipeline.load(PIPELINE), Pipeline.load(new)
    assert after.config.decision.threshold == chosen["point"]["threshold"] != before.config.decision.threshold
    assert after.config.decision.release == pytest.approx(chosen["point"]["threshold"] - 0.2)
    assert after.notes["operating_point"]["chosen_on"] == [str(path)]
    assert stale_scores(before) == ""
    assert stale_scores(after).startswith("the scores in this file are stale: they were made with threshold 0.65, now")
    assert "are stale" in rtbci_here("inspect", new).stderr
    at_it = report("demo", path, "--threshold", chosen["point"]["threshold"])
    assert at_it["event"] == report(new, path)["event"]
    assert "say --at RULE" in mistake_here("evaluate", "demo", path, "--save", new)


def test_two_pipelines_are_compared_on_the_same_recordings(tmp_path):
    path, strict = recording(tmp_path), tmp_path / "strict.rtbci"
    Pipeline.load(PIPELINE).with_threshold(1.0).save(strict)
    found = report("demo", path, "--against", strict)
    assert found["comparison"]["sensitivity"]["mean"] == 1.0
    assert found["comparison"]["auroc"]["mean"] == 0.0
    assert found["against"]["event"]["sensitivity"] == 0.0
    shown = rtbci_here("evaluate", "demo", path, "--against", strict).stdout
    assert "demo.rtbci minus strict.rtbci, paired by subject" in shown


@pytest.mark.parametrize("command", ["tag", "evaluate"])
def test_a_threshold_that_is_no_probability_is_refused(command, tmp_path):
    rest = ["--out", tmp_path] if command == "tag" else []
    line = mistake_here(command, "demo", recording(tmp_path), *rest, "--threshold", 1.5)
    assert "threshold 1.5: wanted a probability above 0 and at most 1" in line


def test_tag_has_an_answer_for_each_threshold(tmp_path):
    path, out = recording(tmp_path), tmp_path / "out"
    first = json.loads(rtbci_here("tag", "demo", path, "--out", out, "--json").stdout)
    other = json.loads(rtbci_here("tag", "demo", path, "--out", out, "--threshold", 0.99, "--json").stdout)
    assert [len(said["recordings"][0]["events"]) for said in (first, other)] == [1, 0]
    again = json.loads(rtbci_here("tag", "demo", path, "--out", out, "--threshold", 0.99, "--json").stdout)
    assert [said["recordings"][0]["skipped"] for said in (first, other, again)] == [False, False, True]


# Answers at cues


def cue(text: str, *probabilities: float, time: float = 0.0) -> CueAnswer:
    return CueAnswer(Cue(time, text), time + 3, probabilities, True)


def test_answers_at_cues_are_scored_by_subject_and_recording_and_none_vanishes():
    total = TrialSum(("left", "right"))
    meanings = {"T1": "left", "T2": "right"}
    total.add("a", "a1", [cue("T1", 0.9, 0.1), cue("T2", 0.6, 0.4, time=5), cue("T1"), cue("T0", 0.5, 0.5)], meanings)
    total.add("b", "b1", [cue("right", 0.2, 0.8), cue("T1", 0.7, 0.3, time=5)], meanings)
    found = total.scores()
    assert found is not None
    assert (found.trials, found.unanswered, found.unknown, found.accuracy) == (4, 1, 1, 0.75)
    assert found.confusion == ((2, 0), (1, 1))
    assert found.kappa == 0.5
    assert [(row.subject, row.recording, row.accuracy) for row in found.rows] == [
        ("a", None, 0.5), ("b", None, 1.0), ("a", "a1", 0.5), ("b", "b1", 1.0),
    ]  # fmt: skip
    assert TrialSum(("left", "right")).scores() is None


def test_background_means_the_class_of_rest_or_none_of_the_classes():
    for classes, truth in ((("rest", "move"), 0), (("move",), -1)):
        total = TrialSum(classes)
        total.add("a", "a1", [cue("T0", *([0.4] * len(classes)))], {"T0": "background"})
        assert [trial.truth for trial in total.trials] == [truth]


def test_two_pipelines_are_told_apart_by_the_trials_that_only_one_answers_rightly():
    first, other = TrialSum(("left", "right")), TrialSum(("left", "right"))
    for n in range(6):
        first.add("a", "a1", [cue("left", 0.9, 0.1, time=n)], {})
        other.add("a", "a1", [cue("left", 0.1, 0.9, time=n)], {})
    found = paired(first.trials, other.trials)
    assert found is not None
    assert (found.only_first, found.only_other, found.p) == (6, 0, pytest.approx(2 * 0.5**6))
    assert paired(first.trials, []) is None


def test_a_bound_that_is_not_kept_costs_none_of_the_figures(tmp_path):
    new = tmp_path / "new.rtbci"
    done = rtbci_here("evaluate", "demo", recording(tmp_path), "--at", "delay_s<=-300", "--save", new, "--json")
    assert done.returncode == 2
    assert "error: no threshold has delay_s <= -300: these recordings reach" in done.stderr
    assert json.loads(done.stdout)["event"]["counts"]["hit"] == 1
    assert not new.exists()


def test_recordings_that_only_one_of_two_pipelines_takes_are_told(tmp_path):
    whole, other = recording(tmp_path), tmp_path / "few.rtbci"
    bundled = Pipeline.load(PIPELINE)
    montage = bundled.config.montage.model_copy(update={"channels": ("A1-A2", *bundled.config.montage.channels[1:])})
    Pipeline(bundled.config.model_copy(update={"montage": montage}), bundled.network).save(other)
    edf = tmp_path / "d" / "ears.edf"
    edf.parent.mkdir()
    names = ["A1-A2", *bundled.config.montage.channels]
    write_edf(edf, names, seconds=60, sfreq=128)
    (edf.parent / "ears_events.tsv").write_text("onset\tduration\teventType\n10\t20\tsz\n")
    found = report("demo", whole, edf, "--against", other, code=2)
    assert (
        "the comparison is not of the same recordings: only one of the pipelines was scored on a.edf"
        in found["warnings"]
    )
    assert (len(found["rows"]), len(found["against"]["rows"])) == (2, 1)
