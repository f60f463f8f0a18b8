"""Answers on the clock of the file: gaps, a rate that is not the nominal one, and recordings of a live run."""

from pathlib import Path

import numpy as np
import pytest
from cutting import INFO, SFREQ, eeg, make_pipeline

import rtbci
from rtbci.evaluation.tagging import Tagged
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamSession
from rtbci.recordings.event_sink import EventTableSink
from rtbci.recordings.event_table import read_events
from rtbci.recordings.recording import Recording
from rtbci.stages.decision import DecisionConfig
from rtbci.types import Times

N = 12_000


def night(stamps: Times | None, n_samples: int = N, *, is_live: bool = False) -> Recording:
    data = eeg(N).data
    path = Path("night.xdf")
    return Recording(path, "XDF", INFO, n_samples, lambda a, b: data[a:b], stamps=stamps, is_live=is_live)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """As drawn; its decisions have much to decide."""
    drawn = make_pipeline(decision=DecisionConfig(threshold=0.5, smoothing_s=0.2, min_duration_s=0.2, merge_s=0.2))
    scores = rtbci.tag(drawn, night(None)).scores
    decision = drawn.config.decision.model_copy(update={"threshold": float(np.median(scores.data))})
    return Pipeline(drawn.config.model_copy(update={"decision": decision}), drawn.network)


@pytest.fixture(scope="module")
def on_grid(pipeline: Pipeline) -> Tagged:
    result = rtbci.tag(pipeline, night(None))
    assert len(result.events) > 10
    assert result.events[-1].onset > 45
    return result


@pytest.mark.parametrize("rate", [255.8 / 256, 1.0, 1 + 1e-4, 1 + 3e-3])
def test_what_was_found_at_a_sample_has_the_stamp_of_that_sample(
    pipeline: Pipeline, on_grid: Tagged, rate: float
) -> None:
    recording = night(np.arange(N) / SFREQ / rate)
    result = rtbci.tag(pipeline, recording)
    stamps = recording.times()

    def stamp(second: float) -> float:
        return float(stamps[round(second * SFREQ)])

    np.testing.assert_array_equal(result.scores.times, [stamp(t) for t in on_grid.scores.times])
    np.testing.assert_array_equal(result.scores.data, on_grid.scores.data)
    wanted = [(stamp(e.onset), stamp(e.onset + e.duration) - stamp(e.onset), e.label) for e in on_grid.events]
    assert [(e.onset, e.duration, e.label) for e in result.events] == wanted
    assert list(result.confirmed) == [stamp(t) for t in on_grid.confirmed]
    assert result.warnings == ()


def test_a_pause_of_the_file_is_a_gap_and_what_is_found_behind_it_is_behind_it(pipeline: Pipeline) -> None:
    stamps = np.arange(N) / SFREQ
    stamps[N // 2 :] += 300.25
    result = rtbci.tag(pipeline, night(stamps))
    before = rtbci.tag(pipeline, night(None, N // 2))
    after_start = stamps[N // 2]
    first = [e for e in result.events if e.onset < after_start]
    assert [(e.onset, e.label) for e in first] == [(e.onset, e.label) for e in before.events]
    np.testing.assert_allclose([e.duration for e in first], [e.duration for e in before.events], rtol=0, atol=1e-12)
    assert len(result.events) > len(first)
    assert all(t in stamps for t in result.scores.times)
    n_missing = round(300.25 * SFREQ)
    assert result.warnings == (f"a gap in its time stamps: {n_missing} samples missing",)


def test_the_recording_of_a_live_run_keeps_counted_seconds_while_they_agree_with_its_stamps(
    pipeline: Pipeline, on_grid: Tagged
) -> None:
    jitter = np.random.default_rng(0).normal(0, 1e-4, N)
    result = rtbci.tag(pipeline, night(np.arange(N) / SFREQ + jitter, is_live=True))
    assert result.events == on_grid.events
    assert result.confirmed == on_grid.confirmed


def test_the_recording_of_a_live_run_whose_rate_was_off_gives_its_event_table_again_on_the_stamps(
    pipeline: Pipeline, on_grid: Tagged, tmp_path: Path
) -> None:
    stamps = np.arange(N) / SFREQ / 1.004
    stamped = rtbci.tag(pipeline, night(stamps))
    sink, session = EventTableSink(tmp_path / "live.tsv"), StreamSession(pipeline, INFO)
    sink.begin(session.about)
    live = night(stamps + 1000)
    jitter = np.random.default_rng(0).normal(0, 1e-5, N)
    for chunk in live.chunks(33):
        for message in session.samples(chunk):
            sink.on(message)
    for message in session.close():
        sink.on(message)
    sink.close()
    table = read_events(tmp_path / "live.tsv")
    again = rtbci.tag(pipeline, night(stamps + jitter, is_live=True))
    early = [e for e in on_grid.events if e.onset + e.duration < 24]
    assert list(table[: len(early)]) == early
    assert again.events[: len(early)] == tuple(early)
    assert len(table) == len(again.events) == len(stamped.events)
    for one, other, wanted in zip(table, again.events, stamped.events, strict=True):
        assert abs(one.onset - other.onset) < 2e-3
        assert abs(one.onset - wanted.onset) < (2e-3 if wanted.onset > 26 else 0.11)


@pytest.mark.parametrize("shift_s", [-7.0, 3.0])
def test_a_live_clock_that_is_set_moves_no_event_of_the_table(
    pipeline: Pipeline, on_grid: Tagged, tmp_path: Path, shift_s: float
) -> None:
    stamps = 500 + np.arange(N) / SFREQ
    stamps[N // 2 :] += shift_s
    sink, session = EventTableSink(tmp_path / "live.tsv"), StreamSession(pipeline, INFO)
    sink.begin(session.about)
    n_sent = 0
    for chunk in night(stamps).chunks(33):
        n_sent += len(chunk)
        for message in session.samples(chunk, arrived=500 + n_sent / SFREQ):
            sink.on(message)
    for message in session.close():
        sink.on(message)
    sink.close()
    assert read_events(tmp_path / "live.tsv") == on_grid.events
