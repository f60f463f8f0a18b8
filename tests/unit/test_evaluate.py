"""`rtbci evaluate`: each class against its own annotations, and every choice is told."""

import json
from pathlib import Path

import edfio
import numpy as np
import pytest
import torch
from commands import mistake, rtbci_command

from rtbci.bundled import PIPELINE, RECORDING
from rtbci.cli.evaluate import evaluate_files
from rtbci.errors import ConfigError, RecordingError
from rtbci.evaluation.label_map import LabelMap
from rtbci.evaluation.tagging import tag
from rtbci.models import from_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.open import open_recording

HEADER = "onset\tduration\teventType\n"


def with_classes(path: Path, *classes: str, always: str = "") -> str:
    """The bundled pipeline with other names of classes; one more than it has always holds."""
    bundled = Pipeline.load(PIPELINE)
    model = bundled.config.model.model_copy(update={"n_classes": len(classes)})
    config = bundled.config.model_copy(update={"classes": classes, "model": model})
    weights = dict(bundled.network.state_dict())
    rows = [0 if name == always else 1 for name in classes]
    weights["dense.weight"] = torch.cat([weights["dense.weight"] * row for row in rows])
    weights["dense.bias"] = torch.cat([weights["dense.bias"] if row else torch.tensor([9.0]) for row in rows])
    network = from_config(model)
    network.load_state_dict(weights)
    Pipeline(config, network).save(path)
    return str(path)


def recording(
    folder: Path, name: str = "a", rows: str | None = "42.0\t40.0\tsz\n", notes: tuple[str, ...] = ()
) -> Path:
    """The samples of the bundled recording, with a table of these rows, or without one."""
    whole = edfio.read_edf(RECORDING)
    annotations = [edfio.EdfAnnotation(1.0, None, text) for text in notes]
    edfio.Edf(list(whole.signals), annotations=annotations or None).write(folder / f"{name}.edf")
    if rows is not None:
        (folder / f"{name}_events.tsv").write_text(HEADER + rows)
    return folder / f"{name}.edf"


def said(capsys: pytest.CaptureFixture[str], pipeline: str, *paths: Path, labels: tuple[str, ...] = ()) -> dict:
    evaluate_files(pipeline, list(paths), list(labels), device="cpu", json=True)
    return json.loads(capsys.readouterr().out)


def test_each_event_has_its_own_decision_where_classes_alternate(tmp_path):
    pipeline = Pipeline.load(with_classes(tmp_path / "two.rtbci", "artifact", "seizure", always="artifact"))
    alone = tag(Pipeline.load(PIPELINE), open_recording(RECORDING))
    both = tag(pipeline, open_recording(RECORDING))
    for event, decision in zip(both.events, both.decisions, strict=True):
        assert (decision.event.label, decision.event.onset, decision.closed) == (event.label, event.onset, False)
    assert [d.time for d in both.decisions if d.event.label == "seizure"] == [d.time for d in alone.decisions]
    assert both.confirmed == tuple(sorted(d.time for d in both.decisions))
    assert len(both.confirmed) == len(alone.confirmed) + 1


def test_another_class_changes_no_figure_of_the_seizures(tmp_path, capsys):
    two = with_classes(tmp_path / "two.rtbci", "artifact", "seizure", always="artifact")
    path = recording(tmp_path)
    one, other = said(capsys, str(PIPELINE), path), said(capsys, two, path)
    for key in ("event", "sample", "detection_delay_s", "already_alarmed", "label"):
        assert other[key] == one[key]
    assert [row["label"] for row in other["classes"]] == ["seizure"]
    assert "class 'artifact' is not scored: no annotation has that name" in "\n".join(other["warnings"])


def test_each_class_has_a_row_against_its_own_annotations(tmp_path, capsys):
    two = with_classes(tmp_path / "two.rtbci", "artifact", "seizure", always="artifact")
    path = recording(tmp_path, rows="10.0\t20.0\tArtifact\n42.0\t40.0\tsz\n")
    artifact, seizure = said(capsys, two, path)["classes"]
    assert (artifact["label"], artifact["annotations"]) == ("artifact", {"Artifact": 1})
    assert (artifact["already_alarmed"], artifact["sample"]["counts"]["true"]) == (0, 20)
    assert artifact["detection_delay_s"]["p50"] < 0
    assert (seizure["label"], seizure["annotations"]) == ("seizure", {"seizure": 1})
    assert 5 < seizure["detection_delay_s"]["p50"] < 10


def test_a_pipeline_of_one_class_is_scored_against_the_seizures_whatever_its_name_and_says_so(tmp_path, capsys):
    path = recording(tmp_path)
    one, other = (
        said(capsys, str(pipeline), path) for pipeline in (PIPELINE, with_classes(tmp_path / "x.rtbci", "ictus"))
    )
    assert other["event"] == one["event"]
    assert other["event"]["counts"]["hit"] == 1
    assert other["detection_delay_s"] == one["detection_delay_s"]
    assert other["label"] == "ictus"
    assert "'ictus', is scored against the annotated seizures" in "\n".join(other["warnings"])


def test_a_label_may_be_mapped_to_a_class(tmp_path, capsys):
    path = recording(tmp_path, rows="42.0\t40.0\tevent 7\n5.0\t10.0\tsz\n")
    figures = said(capsys, str(PIPELINE), path, labels=("event 7",))
    assert figures["classes"][0]["annotations"] == {"event 7": 1}
    assert figures["event"]["counts"]["hit"] == 1
    line = "a.edf: 'seizure' at 5 s speaks of a seizure and none of the labels covers it; its time is unknown"
    assert line in figures["warnings"]
    assert (figures["annotations"]["used"], figures["annotations"]["other_labels"]) == (1, {"seizure": 1})
    two = with_classes(tmp_path / "two.rtbci", "left", "right", always="right")
    figures = said(capsys, two, path, labels=("event 7=left", "sz=right"))
    assert [row["annotations"] for row in figures["classes"]] == [{"event 7": 1}, {"seizure": 1}]
    assert figures["label"] == "all classes"
    assert figures["event"]["counts"]["true"] == 2


def test_a_recording_without_labels_is_left_out_and_told(tmp_path, capsys):
    paths = [
        recording(tmp_path),
        recording(tmp_path, "plain", None),
        recording(tmp_path, "notes", None, ("Impedances",)),
    ]
    figures = said(capsys, str(PIPELINE), *paths)
    assert figures["recordings"] == 1
    assert [Path(row["recording"]).name for row in figures["left_out"]] == ["plain.edf", "notes.edf"]
    warnings = "\n".join(figures["warnings"])
    assert "plain.edf: left out: it has no annotations" in warnings
    assert "notes.edf: left out: none of its annotations names a class or background: 'Impedances'" in warnings


def test_an_empty_table_says_background_throughout(tmp_path, capsys):
    figures = said(capsys, str(PIPELINE), recording(tmp_path, rows=""), recording(tmp_path, "b"))
    assert figures["recordings"] == 2
    assert figures["event"]["counts"]["false"] == 1
    assert figures["left_out"] == []


def test_a_seizure_without_an_end_is_unknown_and_told(tmp_path, capsys):
    figures = said(capsys, str(PIPELINE), recording(tmp_path, rows="42.0\tn/a\tsz\n"))
    assert figures["event"]["counts"] == {"true": 0, "hit": 0, "false": 0, "seconds": 42.0}
    line = "a.edf: 'seizure' at 42 s has no end: 42 … 82 s is unknown, neither background nor scored"
    assert line in figures["warnings"]
    assert figures["annotations"]["open_ended"] == 1


def test_what_was_chosen_is_told_on_standard_error_too(tmp_path):
    plain = recording(tmp_path, "plain", None)
    done = rtbci_command("evaluate", "demo", recording(tmp_path), plain)
    assert done.returncode == 0
    assert "warning: plain.edf: left out: it has no annotations" in done.stderr
    assert "1 recordings" in done.stdout


def test_labels_of_which_none_counts_are_refused_with_what_helps(tmp_path):
    with pytest.raises(RecordingError, match=r"names seizure or background; there are: 'blink' × 1; .* --label ANN"):
        evaluate_files(str(PIPELINE), [recording(tmp_path, rows="1\t1\tblink\n")], [], device="cpu", json=True)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("szz", "no annotation reads 'szz'; did you mean 'sz'"),
        ("sz=leeft", "'leeft' is no class of events of this pipeline; did you mean 'left'"),
        ("sz", "has the classes left, right; say which one with --label sz=CLASS"),
    ],
)
def test_an_option_that_cannot_be_followed_is_refused(option, line):
    with pytest.raises(ConfigError, match=line):
        LabelMap.of(
            ("left", "right"), ["sz", "left"], [option] if "=" in option or option == "sz" else [f"{option}=left"]
        )


def test_a_seizure_of_which_several_classes_could_be_meant_is_unknown():
    found = LabelMap.of(("fnsz", "gnsz"), ["fnsz", "sz", "bckg", "blink"])
    assert found.meanings == {"fnsz": "fnsz", "sz": "unknown", "bckg": "background"}
    found = LabelMap.of(("sz_foc", "sz_gen"), ["FIA", "absz", "sz", "seizure free"])
    assert found.meanings == {"FIA": "sz_foc", "absz": "sz_gen", "sz": "unknown", "seizure free": "background"}


@pytest.mark.parametrize("command", ["tag", "evaluate", "run"])
def test_a_device_that_is_not_there_is_told_before_anything_is_read(command, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    absent = tmp_path / "absent.edf"
    rest = {"tag": [absent, "--out", tmp_path], "evaluate": [absent], "run": ["--stream", "name=nobody", "--headless"]}
    assert "this machine has no usable CUDA GPU; use cpu or auto" in mistake(
        command, "demo", *rest[command], "--device", "cuda"
    )


def test_the_recordings_of_these_tests_hold_the_bundled_samples(tmp_path):
    ours, bundled = open_recording(recording(tmp_path)), open_recording(RECORDING)
    np.testing.assert_array_equal(ours.read(0, 1000), bundled.read(0, 1000))


@pytest.mark.parametrize(
    "rows",
    [
        "50.0\t32.0\tsz\n42.0\t20.0\tsz\n",
        "46.0\t36.0\tfnsz\n42.0\t40.0\tFIA\n44.0\t38.0\tseizure\n",
        "42.0\tn/a\tSeizure onset\n82.0\tn/a\tSeizure end\n",
        "81.0\t30.0\tsz\n42.0\t39.0\tsz\n",
    ],
)
def test_one_seizure_is_scored_once_however_it_is_marked(tmp_path, capsys, rows):
    one = said(capsys, str(PIPELINE), recording(tmp_path, "one"))
    other = said(capsys, str(PIPELINE), recording(tmp_path, "other", rows))
    for key in ("event", "sample", "detection_delay_s"):
        assert other[key] == one[key]


def test_every_annotation_is_accounted_for(tmp_path, capsys):
    rows = "42.0\t40.0\tsz\n43\t5\tFIA\n90\t5\tsz\n5\t2\teyes open\n8\t2\tseizure free\n"
    figures = said(capsys, str(PIPELINE), recording(tmp_path, rows=rows))
    assert figures["annotations"] == {
        "used": 2, "background": 1, "other_label": 1, "open_ended": 0, "outside": 1, "merged": 1, "cut": 0,
        "other_labels": {"eyes open": 1},
    }  # fmt: skip
    assert figures["event"]["counts"]["true"] == 1
    assert (
        "a.edf: 1 annotation before the start or after the end of the recording, and not used (0 … 82 s)"
        in figures["warnings"]
    )


def test_a_row_of_background_throughout_can_be_scored(tmp_path, capsys):
    figures = said(capsys, str(PIPELINE), recording(tmp_path, rows="0.0\t82.0\tbckg\n"))
    assert figures["event"]["counts"] == {"true": 0, "hit": 0, "false": 1, "seconds": 82.0}
    assert figures["annotations"]["background"] == 1


def test_a_table_that_cannot_be_read_is_named_where_it_is_needed(tmp_path, capsys):
    path = recording(tmp_path, rows="42,0\t40,0\tsz\n")
    with pytest.raises(RecordingError, match="none of the 1 recordings has an annotation.*line 2: onset is '42,0'"):
        said(capsys, str(PIPELINE), path)
