"""The live loop against real streams on the loopback; each process that a test starts, it ends."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
from cutting import make_pipeline
from heard import Heard

import rtbci
from rtbci.bundled import PIPELINE, RECORDING
from rtbci.engine.engine import Engine
from rtbci.engine.process import EngineProcess
from rtbci.engine.session import EngineSpec
from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.lsl.discovery import parse_query
from rtbci.monitor.messages import GapLine, SetThreshold, WarningLine
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.event_table import read_events, read_table
from rtbci.replay.faults import Faults
from rtbci.replay.replay import Replay, run_replay
from rtbci.stages.decision import DecisionConfig
from rtbci.types import Chunk

Wait = Callable[..., None]


def unique(name: str) -> str:
    return f"{name}-{os.getpid()}"


@contextmanager
def replaying(name: str, **options: Any) -> Iterator[multiprocessing.process.BaseProcess]:
    replay = Replay([RECORDING], **{"name": name, "speed": 0.0, "wait_for_consumer": True, **options})
    process = multiprocessing.get_context("spawn").Process(target=run_replay, args=(replay,))
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(10)
        assert not process.is_alive()


@contextmanager
def running(engine: Engine) -> Iterator[None]:
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        yield
    finally:
        engine.stop()
        thread.join(10)
        assert not thread.is_alive()


def wavering() -> Pipeline:
    """A pipeline as drawn, whose decisions have much to decide on the bundled recording."""
    pipeline = make_pipeline(decision=DecisionConfig(threshold=0.5, smoothing_s=0.2, min_duration_s=0.2, merge_s=0.2))
    scores = rtbci.tag(pipeline, rtbci.open_recording(RECORDING)).scores
    decision = pipeline.config.decision.model_copy(update={"threshold": float(np.median(scores.data))})
    return Pipeline(pipeline.config.model_copy(update={"decision": decision}), pipeline.network)


@pytest.mark.parametrize("speed", [0.0, 16.0])
@pytest.mark.parametrize("which", ["drawn", "bundled"])
def test_a_replay_over_lsl_gives_the_answer_of_the_file(
    which: str, speed: float, wait_until: Wait, tmp_path: Path
) -> None:
    if which == "bundled" and not PIPELINE.exists():
        pytest.skip("the bundled pipeline has not been built")
    pipeline = wavering() if which == "drawn" else Pipeline.load(PIPELINE)
    recording = rtbci.open_recording(RECORDING)
    wanted = rtbci.tag(pipeline, recording)
    name = unique(f"law-{which}-{speed:g}")
    heard = Heard()
    spec = EngineSpec("", {"name": name}, events=str(tmp_path / "live.tsv"))
    engine = Engine(pipeline, spec, sinks=[heard])
    with replaying(name, speed=speed, chunk=13), running(engine):
        wait_until(lambda: engine.tally.received == recording.n_samples)
        wait_until(lambda: sum(map(len, heard.scores)) == len(wanted.scores))
    scores = Chunk.join(heard.scores)
    np.testing.assert_array_equal(scores.data, wanted.scores.data)
    np.testing.assert_array_equal(scores.valid, wanted.scores.valid)
    live = read_events(tmp_path / "live.tsv")
    assert [(e.onset, e.duration, e.label) for e in live] == [(e.onset, e.duration, e.label) for e in wanted.events]
    assert len(live) > 0
    assert [d.time for d in heard.detections if not d.closed] == list(wanted.confirmed)
    assert (engine.tally.filled, engine.tally.lost) == (0, 0)


def test_what_is_published_bears_the_stamp_of_the_last_sample_seen(wait_until: Wait) -> None:
    name = unique("stamps")
    pipeline = make_pipeline()
    heard = Heard()
    engine = Engine(pipeline, EngineSpec("", {"name": name}), sinks=[heard])
    values, stamps = [], []
    with replaying(name, speed=4.0), running(engine):
        wait_until(lambda: list_named(f"{name}-small-probability"))
        inlet = pylsl.StreamInlet(list_named(f"{name}-small-probability")[0])
        described = inlet.info(timeout=5)
        inlet.open_stream(timeout=5)

        def listened() -> bool:
            more, when = inlet.pull_chunk(timeout=0.1, max_samples=4096)
            values.extend(more)
            stamps.extend(when)
            return len(stamps) > 100

        wait_until(listened)
        inlet.close_stream()
    scores = Chunk.join(heard.scores)
    assert described.desc().child_value("pipeline") == "small"
    assert described.desc().child("channels").child("channel").child_value("label") == "seizure"
    assert described.channel_count() == 1
    first = int(np.argmin(np.abs(scores.times - stamps[0])))
    np.testing.assert_allclose(stamps, scores.times[first : first + len(stamps)], atol=1e-3)
    np.testing.assert_allclose(values, scores.data[first : first + len(stamps)], rtol=1e-6)


def list_named(name: str) -> list[Any]:
    return pylsl.resolve_byprop("name", name, timeout=2.0)


def test_a_short_gap_is_filled_and_a_long_one_starts_afresh(wait_until: Wait, tmp_path: Path) -> None:
    name = unique("gaps")
    faults = Faults(gaps=((20.0, 0.125), (40.0, 3.0)))
    with (
        replaying(name, speed=8.0, faults=faults),
        EngineProcess(EngineSpec(save(tmp_path, make_pipeline()), {"name": name}, wait_s=30)) as engine,
    ):
        wait_until(lambda: received(engine) == 82 * 256 - 32 - 768)
        state = engine.reader.status()
        engine.stop()
        log = engine.reader.new_log()
    assert (state.samples.filled, state.samples.lost, state.samples.gaps) == (32, 768, 2)
    assert [(line.n_missing, line.filled) for line in log if isinstance(line, GapLine)] == [(32, True), (768, False)]
    assert state.recording_s == pytest.approx(82, abs=0.2)


def received(engine: EngineProcess) -> int:
    state = engine.reader.status()
    return state.samples.received if state is not None else 0


def save(folder: Path, pipeline: Pipeline) -> str:
    pipeline.save(folder / "small.rtbci")
    return str(folder / "small.rtbci")


def test_the_threshold_is_moved_while_it_runs(wait_until: Wait, tmp_path: Path) -> None:
    name = unique("threshold")
    with (
        replaying(name, speed=4.0),
        EngineProcess(EngineSpec(save(tmp_path, make_pipeline()), {"name": name}, wait_s=30)) as engine,
    ):
        wait_until(lambda: received(engine) > 0)
        engine.command(SetThreshold(value=0.8))
        wait_until(lambda: engine.reader.status().threshold == 0.8)
    assert engine.process.exitcode == 0


def test_an_engine_whose_front_end_dies_ends_cleanly_with_its_table_written(wait_until: Wait, tmp_path: Path) -> None:
    name = unique("orphan")
    table = tmp_path / "events.tsv"
    spec = EngineSpec(save(tmp_path, wavering()), {"name": name}, events=str(table), wait_s=30)
    with replaying(name, speed=8.0), EngineProcess(spec) as engine:
        wait_until(lambda: received(engine) > 3000)
        engine._commands.close()  # as when the process that started it dies
        engine.process.join(5)
        assert engine.process.exitcode == 0
    assert "recordingDuration" in table.read_text()
    assert not any(row.endswith("n/a") for row in table.read_text().splitlines())


def test_a_restart_after_a_kill_goes_on_in_the_table_of_the_run_before(tmp_path: Path) -> None:
    name, table = unique("restart"), tmp_path / "events.tsv"
    command = [sys.executable, "-m", "rtbci.cli.app", "run", save(tmp_path, wavering()), "--stream", f"name={name}"]
    kept = b""
    with replaying(name, speed=16.0, loop=True):
        for number in (signal.SIGKILL, signal.SIGTERM):
            run = subprocess.Popen(
                [*command, "--json", "--events", str(table)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
            assert run.stdout is not None
            states = map(json.loads, run.stdout)
            state = next(state for state in states if state["events"] >= 2)
            assert state["events_file"] == str(table)
            if number == signal.SIGKILL:
                os.killpg(run.pid, number)  # the engine's process, too, as in a power cut
            else:
                run.send_signal(number)
            _, said = run.communicate(timeout=30)
            assert "events.tsv" not in said
            assert table.read_bytes().startswith(kept)
            kept = table.read_bytes()
    killed, ended = read_table(table).runs
    assert killed.start is not None and ended.start is not None
    assert killed.start < ended.start
    assert min(len(killed.events), len(ended.events)) >= 2
    ends = [row.split("\t")[-1] for row in table.read_text().splitlines()[1:]]
    assert ends[: len(killed.events)] == ["n/a"] * len(killed.events)
    assert all(float(end) > 0 for end in ends[len(killed.events) :])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.tsv", "small.rtbci"]


def test_an_event_table_that_goes_elsewhere_is_told_in_log_and_state(wait_until: Wait, tmp_path: Path) -> None:
    name, table = unique("elsewhere"), tmp_path / "events.tsv"
    table.write_text("onset\tduration\ttrial_type\n1.5\t2.0\tleft\n")
    spec = EngineSpec(save(tmp_path, make_pipeline()), {"name": name}, events=str(table), wait_s=30)
    with replaying(name, speed=8.0), EngineProcess(spec) as engine:
        wait_until(lambda: received(engine) > 0)
        wait_until(lambda: engine.reader.status().events_file == str(tmp_path / "events-2.tsv"))
        engine.stop()
        log = engine.reader.new_log()
    (said,) = (line.text for line in log if isinstance(line, WarningLine) and "events.tsv" in line.text)
    assert said == (
        f"{table} is not a table with these columns; the events of this run go to {tmp_path / 'events-2.tsv'}"
    )
    assert table.read_text() == "onset\tduration\ttrial_type\n1.5\t2.0\tleft\n"


def test_no_stream_within_the_wait_is_one_clear_line(tmp_path: Path) -> None:
    engine = Engine(make_pipeline(), EngineSpec("", {"name": unique("nobody")}, wait_s=0.5))
    with pytest.raises(StreamNotFound, match=r"no stream with name='nobody-\d+' within 0.5 s; `rtbci streams`"):
        engine.run()


def outlet(name: str, source_id: str, channels: tuple[str, ...], sfreq: float = 200.0, unit: str = "uV") -> Any:
    info = pylsl.StreamInfo(name, "EEG", len(channels), sfreq, "float32", source_id)
    node = info.desc().append_child("channels")
    for label in channels:
        channel = node.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    return pylsl.StreamOutlet(info)


GOOD = ("Fp1", "F7", "T7", "P7", "O1")


def test_two_streams_that_match_are_listed_never_chosen_by_luck() -> None:
    name = unique("twins")
    outlets = [outlet(name, f"{name}-{k}", GOOD) for k in "ab"]
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}, wait_s=10))
    with pytest.raises(StreamNotFound, match="2 streams match .* Choose one by source_id"):
        engine.run()
    del outlets


@pytest.mark.parametrize(
    ("channels", "sfreq", "unit", "says"),
    [
        (("Fp1", "F7", "T7", "P7"), 200.0, "uV", "lacks 1 of the 4 channels that this pipeline needs: P7-O1"),
        (GOOD, 100.0, "uV", "runs at 100 Hz, too slow"),
        (GOOD, 0.0, "uV", "says no rate, and sends no samples to measure it; give it with --sfreq"),
        (GOOD, 200.0, "bananas", "unknown unit 'bananas'"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused_with_what_came(
    channels: tuple[str, ...], sfreq: float, unit: str, says: str
) -> None:
    name = unique("misfit")
    misfit = outlet(name, name, channels, sfreq, unit)
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}, wait_s=30))
    with pytest.raises(StreamMismatch, match=says):
        engine.run()
    del misfit


def test_nan_and_infinite_samples_are_held_marked_and_do_no_lasting_harm(wait_until: Wait) -> None:
    name = unique("nan")
    amplifier = outlet(name, name, GOOD)
    heard = Heard()
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}, wait_s=10), sinks=[heard])
    data = np.random.default_rng(0).normal(0, 20, (2000, 5)).astype(np.float32)
    data[1000:1010, 2] = np.nan
    data[1500, 0] = np.inf
    with running(engine):
        wait_until(lambda: amplifier.have_consumers())
        start = pylsl.local_clock()
        for at in range(0, 2000, 50):
            amplifier.push_chunk(data[at : at + 50], (start + np.arange(at, at + 50) / 200).tolist())
        wait_until(lambda: sum(map(len, heard.scores)) >= 2000 * 128 // 200 // 8)
    scores = Chunk.join(heard.scores)
    assert np.isfinite(scores.data).all()
    cold = round(2.0 / (8 / 128))
    bad = np.flatnonzero(~scores.valid[cold:]) + cold
    assert set(bad.tolist()) == {80, 120}  # the hops (of 12.5 samples) of samples 1000-1009 and 1500


def test_a_query_is_read_as_it_is_written() -> None:
    assert parse_query("name=EEG amp") == {"name": "EEG amp"}
    assert parse_query("type=EEG, source_id=a=b") == {"type": "EEG", "source_id": "a=b"}
    assert parse_query("BioSemi") == {"name": "BioSemi"}
    with pytest.raises(StreamNotFound, match="--stream wants"):
        parse_query("colour=red")


def test_the_state_is_plain_json(wait_until: Wait) -> None:
    name = unique("state")
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}))
    with replaying(name, speed=4.0), running(engine):
        wait_until(lambda: engine.tally.received > 2000)
        state = json.loads(engine.state().to_json())
    assert state["state"] == "running"
    assert state["stream"]["channels"] == 23
    assert state["rate_hz"] == pytest.approx(1024, rel=0.1)
    assert 0 < state["latency_ms"]["p50"] < 1000
    assert set(state["stage_us"]) == {"montage", "resample", "filter", "scale", "frame", "network"}
