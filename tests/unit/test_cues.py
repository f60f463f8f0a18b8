"""Cues: each is answered over the window behind it, however the samples are cut and whenever the cue is passed on."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cutting import INFO, SFREQ, cut, eeg, make_pipeline, singles

import rtbci
from rtbci.config import parse
from rtbci.errors import ConfigError
from rtbci.evaluation.tagging import write_tagged
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.live import LivePipeline
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.recording import Recording
from rtbci.stages.cues import Cue, CueAnswer, CueConfig, table
from rtbci.types import Chunk, Event

CUES = [Cue(2.0, "left"), Cue(4.0031, "right"), Cue(4.5, "left"), Cue(11.2, "right")]


def pipeline(**changes: object) -> Pipeline:
    cues = CueConfig(**{"labels": ("left", "right"), "offset_s": 0.5, **changes})
    return make_pipeline("stacked_lstm", sizes={"units": (8,), "window": 128, "n_classes": 1}, cues=cues)


def answers(live: LivePipeline, chunks: object, cues: dict[int, list[Cue]]) -> list[CueAnswer]:
    """cues: those that come before a chunk, by its number."""
    found: list[CueAnswer] = []
    for number, chunk in enumerate(chunks):  # type: ignore[arg-type]
        for cue in cues.get(number, []):
            live.cue(cue.time, cue.text)
        live.process(chunk)
        found += live.answers()
    return found


def assert_equal(got: list[CueAnswer], wanted: list[CueAnswer]) -> None:
    assert [(a.cue, a.time, a.valid) for a in got] == [(a.cue, a.time, a.valid) for a in wanted]
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-5, atol=1e-5)


def test_an_answer_does_not_depend_on_the_cutting_or_on_when_the_cue_is_passed_on() -> None:
    whole = eeg(3000)
    wanted = answers(pipeline().start(INFO), [whole], {0: CUES})
    assert [answer.cue for answer in wanted] == CUES
    for seed in range(10):
        assert_equal(answers(pipeline().start(INFO), cut(whole, seed), {0: CUES}), wanted)
    assert_equal(answers(pipeline().start(INFO), singles(whole), {0: CUES}), wanted)
    late = {int((cue.time + 4.9) * SFREQ): [cue] for cue in CUES[:3]}
    late_answers = answers(pipeline().start(INFO), singles(whole), late)
    assert_equal(late_answers, wanted[:3])


def test_the_window_behind_a_cue_is_the_one_that_training_cuts() -> None:
    whole, pipe = eeg(3000), pipeline()
    found = answers(pipe.start(INFO), [whole], {0: CUES})
    scaled = pipe.preprocessor(INFO).process(whole)
    for answer in found:
        first = int(np.searchsorted(scaled.times, answer.cue.time + 0.5 - 1e-9))
        window = torch.from_numpy(scaled.data[first : first + 128])[None]
        wanted = pipe.network(window)[0].sigmoid().numpy()[0]
        np.testing.assert_allclose(answer.probabilities, wanted, rtol=1e-5, atol=1e-5)
        assert answer.time == scaled.times[first + 127]


def test_what_comes_after_the_window_does_not_change_the_answer() -> None:
    whole = eeg(3000)
    data = whole.data.copy()
    data[int((2.0 + 0.5) * SFREQ) + int(128 / 128 * SFREQ) :] = 500
    wanted = answers(pipeline().start(INFO), [whole], {0: CUES[:1]})
    assert_equal(answers(pipeline().start(INFO), [Chunk(data, whole.times)], {0: CUES[:1]}), wanted)


def test_a_marker_of_another_text_is_no_cue() -> None:
    live = pipeline().start(INFO)
    assert not live.cue(1.0, "blink")
    assert live.cue(1.0, "left")
    assert pipeline(labels=()).start(INFO).cue(1.0, "blink")


def test_a_filled_sample_in_the_window_makes_the_answer_invalid() -> None:
    whole = eeg(3000)
    whole.valid[int(2.9 * SFREQ)] = False
    found = answers(pipeline().start(INFO), [whole], {0: CUES})
    assert [answer.valid for answer in found] == [False, True, True, True]


def test_a_window_with_missing_samples_has_no_answer() -> None:
    whole = eeg(3000)
    live = pipeline().start(INFO)
    before = Cue(-5.0, "left")
    found = answers(live, [whole[:600]], {0: [before, *CUES]})
    live.reset()  # as behind a gap: from 3 s to 4 s nothing came
    found += answers(live, [whole[800:]], {})
    assert [(a.cue, bool(a.probabilities)) for a in found] == [
        (before, False), (CUES[0], False), (CUES[1], True), (CUES[2], True), (CUES[3], True),
    ]  # fmt: skip
    assert math.isnan(found[0].time)


def test_a_cue_that_comes_too_late_has_no_answer() -> None:
    late = {1500: [Cue(0.5, "left")]}
    assert answers(pipeline(keep_s=1.0).start(INFO), singles(eeg(1600)), late)[0].probabilities == ()
    assert answers(pipeline(keep_s=9.0).start(INFO), singles(eeg(1600)), late)[0].probabilities != ()


def recording(whole: Chunk) -> Recording:
    events = tuple(Event(cue.time, 1.0, cue.text) for cue in (*CUES, Cue(14.9, "left"), Cue(6.0, "rest")))
    return Recording(Path("trials.edf"), "EDF", INFO, len(whole), lambda a, b: whole.data[a:b], events)


def test_tagging_answers_the_annotations_that_are_cues(tmp_path: Path) -> None:
    whole = eeg(3000)
    result = rtbci.tag(pipeline(), recording(whole))
    assert_equal(list(result.answers[:4]), answers(pipeline().start(INFO), cut(whole, 3), {0: CUES}))
    assert [answer.cue.time for answer in result.answers[4:]] == [14.9]
    write_tagged(result, recording(whole), tmp_path)
    rows = (tmp_path / "trials_cues.tsv").read_text().splitlines()
    assert rows[0] == "onset\tcue\tvalid\tanswer\tseizure"
    assert rows[1].startswith("2.0000\tleft\ttrue\tn/a\t0.")
    assert rows[5] == "14.9000\tleft\tfalse\tn/a\tn/a"


def test_the_table_names_the_likeliest_class() -> None:
    text = table([CueAnswer(Cue(1.0, "T1"), 2.0, (0.25, 0.75), True)], ("left", "right"))
    assert text.splitlines()[1] == "1.0000\tT1\ttrue\tright\t0.250000\t0.750000"


def test_a_pipeline_without_cues_takes_none() -> None:
    live = make_pipeline().start(INFO)
    assert not live.cue(1.0, "left")
    live.process(eeg(100))
    assert live.answers() == []


def test_cues_survive_the_pipeline_file(tmp_path: Path) -> None:
    pipeline().save(tmp_path / "p.rtbci")
    assert rtbci.Pipeline.load(tmp_path / "p.rtbci").config.cues == pipeline().config.cues


def test_only_a_network_of_windows_answers_at_cues() -> None:
    values = make_pipeline().config.model_dump(mode="json")
    with pytest.raises(ConfigError, match="only a network of windows answers at cues"):
        parse(PipelineConfig, {**values, "cues": {}}, "p")


def test_a_second_stream_of_the_same_pipeline_has_cues_of_its_own() -> None:
    pipe = pipeline()
    one, other = pipe.start(INFO), pipe.start(replace(INFO, name="other"))
    one.cue(1.0, "left")
    other.process(eeg(1000))
    assert other.answers() == []
