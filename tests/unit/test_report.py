"""The report: it says what the evaluation says, loads nothing, runs no stranger's markup, and replaces nothing else."""

import re
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import mistake_here, rtbci_here
from test_evaluate import recording

from rtbci.bundled import PIPELINE
from rtbci.evaluation.batch import Batch
from rtbci.evaluation.evaluate import answers, evaluate
from rtbci.evaluation.plan import Opened, plan
from rtbci.pipeline.pipeline import Pipeline
from rtbci.report.contents import Contents
from rtbci.report.html import page
from rtbci.report.pdf import pdf
from rtbci.report.strips import FALSE_ALARM, FOUND, MISSED, StripCollector


def contents(path: Path, threshold: float | None = None) -> Contents:
    batch = Batch(PIPELINE, threshold=threshold)
    strips = StripCollector(batch.pipeline)
    planned = plan(batch.pipeline, Opened.of([path]), [])
    found = evaluate(planned, answers(planned, batch), on_answer=strips)
    return Contents(batch.pipeline, found.figures, strips.strips, 0, found.warnings)


def test_a_strip_shows_what_is_there_around_each_event_and_false_alarm(tmp_path):
    (found,) = contents(recording(tmp_path)).strips
    assert (found.kind, found.onset, found.stop) == (FOUND, 42.0, 82.0)
    assert found.truth == ((42.0, 82.0),)
    assert found.times[0] == pytest.approx(22.0, abs=0.02)
    assert found.signals.shape == (len(found.times), len(Pipeline.load(PIPELINE).channels))
    assert 5 < np.abs(found.signals).mean() < 500  # µV
    (alarm,) = contents(recording(tmp_path, "b", "")).strips
    assert (alarm.kind, alarm.truth) == (FALSE_ALARM, ())
    (missed,) = contents(recording(tmp_path, "c"), 1.0).strips
    assert (missed.kind, missed.alarms) == (MISSED, ())


def test_the_page_says_what_the_evaluation_says_and_loads_nothing(tmp_path):
    text = page(contents(recording(tmp_path)))
    assert "seizure_demo on 1 recording of 1 subject" in text
    assert "<td>1 of 1</td>" in text
    assert "threshold 0.65" in text
    assert "no rates to expect" in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    assert text.count("data:image/png;base64,") == 4  # curve, calibration, montage and one strip


def test_names_of_strangers_are_text_and_no_markup(tmp_path):
    one = contents(recording(tmp_path))
    strips = [replace(one.strips[0], recording="<script>alert(1)</script>.edf", subject="$x_{1}$")]
    hostile = replace(one, strips=strips, warnings=["<img src=http://x>"])
    text = page(hostile)
    assert "<script" not in text
    assert "<img src=http" not in text
    assert "&lt;script&gt;" in text
    assert pdf(hostile).startswith(b"%PDF")


def test_the_pdf_has_every_part(tmp_path):
    written = pdf(contents(recording(tmp_path)))
    assert written.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", written)) >= 5


def test_the_command_writes_both_and_replaces_only_a_report(tmp_path):
    path, html, out = recording(tmp_path), tmp_path / "r.html", tmp_path / "r.pdf"
    for _ in range(2):
        done = rtbci_here("evaluate", "demo", path, "--report", html, "--report", out)
        assert done.returncode == 0, done.stderr
    assert html.read_text().startswith("<!doctype html>")
    assert out.read_bytes().startswith(b"%PDF")
    assert stat.S_IMODE(html.stat().st_mode) == 0o600  # of patients
    html.write_text("my notes")
    assert "is something else than a report" in mistake_here("evaluate", "demo", path, "--report", html)
    assert html.read_text() == "my notes"
    assert "ends in .html or .pdf" in mistake_here("evaluate", "demo", path, "--report", tmp_path / "r.doc")
    assert "there is no folder" in mistake_here("evaluate", "demo", path, "--report", tmp_path / "no" / "r.html")


def test_the_probability_of_a_strip_is_what_the_decision_compares(tmp_path):
    (strip,) = contents(recording(tmp_path)).strips
    at_onset = strip.probability[strip.score_times >= strip.alarms[0][0]][0]
    assert at_onset >= strip.threshold > strip.probability[strip.score_times < strip.alarms[0][0]].max()
