"""Recording by LabRecorder, and by rtbci itself, in real processes: every sample, and what is left of each that is killed."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl
import pytest
import pyxdf
from cutting import make_pipeline
from disks import full

import rtbci
from rtbci.bundled import PIPELINE, RECORDING
from rtbci.engine.process import EngineProcess
from rtbci.engine.recording import LiveRecording
from rtbci.engine.session import EngineSpec
from rtbci.errors import RecordingError, StreamNotFound
from rtbci.lsl.discovery import find_stream, predicate
from rtbci.lsl.recorder import Recorder, new_path
from rtbci.monitor.messages import AlarmLine, EngineState, EventLine
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.event_table import read_events
from rtbci.recordings.xdf import open_xdf
from rtbci.replay.faults import Faults
from rtbci.replay.replay import Replay, run_replay
from rtbci.stages.decision import DecisionConfig

SFREQ = 250.0
N_CHANNELS = 4
CLOSED_WITHIN_S = 60.0  # on a machine that is busy with other tests
Wait = Callable[..., None]


def samples(first: int, n: int) -> np.ndarray:
    """What the amplifier sends: each sample's number, in each channel another multiple of it."""
    return np.arange(first, first + n, dtype=np.float32)[:, None] * np.arange(1, N_CHANNELS + 1, dtype=np.float32)


def amplifier(name: str, source_id: str) -> None:
    """Sends until it is killed."""
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", N_CHANNELS, SFREQ, "float32", source_id))
    began, n = pylsl.local_clock(), 0
    while True:
        while began + (n + 10) / SFREQ < pylsl.local_clock():
            outlet.push_chunk(samples(n, 10), [began + (n + k) / SFREQ for k in range(10)])
            n += 10
        time.sleep(0.005)


@contextmanager
def process(target: Callable[..., None], *arguments: object) -> Iterator[multiprocessing.process.BaseProcess]:
    started = multiprocessing.get_context("spawn").Process(target=target, args=arguments, daemon=True)
    started.start()
    try:
        yield started
    finally:
        started.kill()
        started.join(10)


@pytest.fixture
def amp() -> Iterator[str]:
    """The name, and source id, of an amplifier that is sending."""
    name = f"amp-{uuid.uuid4().hex[:8]}"
    with process(amplifier, name, name):
        assert find_stream({"name": name}, 20.0)
        yield name


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path, reserve_bytes=0)
    yield recorder
    recorder.stop(CLOSED_WITHIN_S)


def recorded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(data, stamps as they were sent) of the only stream in a file."""
    (stream,), _ = pyxdf.load_xdf(path, dejitter_timestamps=False, synchronize_clocks=False)
    return stream["time_series"], stream["time_stamps"]


def assert_whole(path: Path, at_least: int) -> None:
    data, stamps = recorded(path)
    assert len(data) >= at_least
    first = int(data[0, 0])
    np.testing.assert_array_equal(data, samples(first, len(data)))
    np.testing.assert_allclose(np.diff(stamps), 1 / SFREQ, atol=1e-9)


def test_every_sample_is_recorded_with_its_stamp_and_reads_back(amp: str, recorder: Recorder, wait_until: Wait) -> None:
    path = recorder.start(amp, [predicate({"name": amp})])
    wait_until(lambda: recorder.recorded_s > 3)
    state = recorder.state()
    assert state.on
    assert state.file == str(path)
    assert state.size_bytes > 0
    assert state.free_bytes > 0
    recorder.stop(CLOSED_WITHIN_S)
    assert not recorder.state().on
    assert_whole(path, 400)
    assert rtbci.open_recording(path).info.sfreq == SFREQ


def test_what_was_written_is_readable_after_the_recorder_was_killed_and_a_new_file_follows(
    amp: str, recorder: Recorder, wait_until: Wait
) -> None:
    first = recorder.start(amp, [predicate({"name": amp})])
    wait_until(lambda: recorder.recorded_s > 3)
    assert recorder._run is not None
    recorder._run.process.kill()
    said: list[str] = []

    def goes_on() -> bool:
        said.extend(recorder.tend())
        return recorder.recorded_s > 2 and recorder.state().files == 2

    wait_until(goes_on)  # LabRecorder searches for a second at a time, and may search often
    recorder.stop(CLOSED_WITHIN_S)
    assert "the recorder died" in said[0]
    assert said[-1] == f"recording goes on in {recorder.files[1].name}"
    assert all("does not answer; the search continues" in line for line in said[1:-1])
    assert_whole(first, 300)
    assert_whole(recorder.files[1], 200)


def record_and_report(name: str, folder: str, pid_file: str) -> None:
    recorder = Recorder(Path(folder), reserve_bytes=0)
    recorder.start(name, [predicate({"name": name})])
    while recorder.recorded_s < 2:
        time.sleep(0.05)
    assert recorder._run is not None
    Path(pid_file).write_text(str(recorder._run.process.pid))
    time.sleep(60)


def test_a_file_is_closed_by_itself_when_the_process_that_began_it_is_killed(
    amp: str, tmp_path: Path, wait_until: Wait
) -> None:
    pid = tmp_path / "pid"
    with process(record_and_report, amp, str(tmp_path), str(pid)) as parent:
        wait_until(lambda: pid.exists() and pid.read_text())
        parent.kill()
        wait_until(lambda: not Path(f"/proc/{pid.read_text()}").exists())
    (path,) = tmp_path.glob("*.xdf")
    assert_whole(path, 200)
    (stream,), _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    assert stream["footer"]["info"]["sample_count"] == [str(len(stream["time_stamps"]))]


def test_a_disk_that_fills_is_said_aloud_and_the_file_is_closed_before(
    amp: str, small_disk: Path, wait_until: Wait
) -> None:
    recorder = Recorder(small_disk, reserve_bytes=200_000)
    path = recorder.start(amp, [predicate({"name": amp})])
    wait_until(lambda: recorder.recorded_s > 2)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(850_000))
    (alarm,) = recorder.tend()
    assert "recording stopped: only" in alarm
    assert f"{path.name} is closed" in alarm
    assert not recorder.state().on
    assert recorder.tend() == []
    wait_until(lambda: not recorder.tend() and not recorder._closing, CLOSED_WITHIN_S)
    assert_whole(path, 200)
    ballast.unlink()
    said: list[str] = []
    wait_until(lambda: said.extend(recorder.tend()) or said)
    assert said == [f"recording goes on in {recorder.files[-1].name}"]
    recorder.stop(CLOSED_WITHIN_S)


def test_a_disk_that_was_filled_at_once_leaves_what_was_written_readable(
    amp: str, small_disk: Path, wait_until: Wait
) -> None:
    recorder = Recorder(small_disk, reserve_bytes=0)
    path = recorder.start(amp, [predicate({"name": amp})])
    wait_until(lambda: recorder.recorded_s > 2)
    with full(small_disk):
        time.sleep(2)
        recorder.stop(CLOSED_WITHIN_S)
    assert_whole(path, 100)


def test_a_recorded_file_is_never_overwritten(tmp_path: Path) -> None:
    paths = [new_path(tmp_path, "a/b:c") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.parent == tmp_path and path.name.startswith("a_b_c_") for path in paths)


def test_no_folder_and_no_room_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no such folder"):
        Recorder(tmp_path / "not there")
    with pytest.raises(RecordingError, match="a recording needs"):
        Recorder(tmp_path, reserve_bytes=1 << 60)


def test_two_streams_that_match_are_not_chosen_from(amp: str, wait_until: Wait) -> None:
    with process(amplifier, amp, "another"):
        wait_until(lambda: len(pylsl.resolve_byprop("name", amp, 2, 1.0)) == 2)
        with pytest.raises(StreamNotFound, match="2 streams match"):
            find_stream({"name": amp}, 20.0)


def rtbci_record(name: str, folder: Path, recorder: str) -> "subprocess.Popen[str]":
    options = ["--stream", f"name={name}", "--out", str(folder), "--recorder", recorder, "--json"]
    command = [sys.executable, "-m", "rtbci.cli", "record", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


both = pytest.mark.parametrize("recorder", ["own", "labrecorder"])


@both
def test_rtbci_record_tells_of_a_stream_that_goes_and_takes_it_up_again(
    recorder: str, tmp_path: Path, wait_until: Wait
) -> None:
    name = f"amp-{uuid.uuid4().hex[:8]}"
    size = 0

    def grown() -> bool:
        return any(p.stat().st_size > size + 10_000 for p in tmp_path.glob("*.xdf"))

    def answers(command: "subprocess.Popen[str]") -> bool:
        assert command.stdout is not None
        return bool(json.loads(command.stdout.readline())["stream_answers"])

    with process(amplifier, name, name):
        command = rtbci_record(name, tmp_path, recorder)
        wait_until(grown)
    wait_until(lambda: not answers(command))
    size = max(p.stat().st_size for p in tmp_path.glob("*.xdf"))
    with process(amplifier, name, name):
        wait_until(lambda: answers(command))
        wait_until(grown)
        command.kill()
        _, err = command.communicate(timeout=10)
    assert f"ALARM: {name} does not answer any more; the recording continues when it reconnects" in err
    assert f"ALARM: {name} answers again" in err


@both
def test_rtbci_record_ends_cleanly_on_sigterm_with_its_file_closed(
    recorder: str, amp: str, tmp_path: Path, wait_until: Wait
) -> None:
    command = rtbci_record(amp, tmp_path, recorder)
    wait_until(lambda: any(p.stat().st_size > 10_000 for p in tmp_path.glob("*.xdf")))
    command.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, err = command.communicate(timeout=10)
    assert time.monotonic() - began < 8
    assert command.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["on"] is False
    assert lines[-1]["file"] in err
    assert_whole(Path(lines[-1]["file"]), 300)


# -- beside an engine ------------------------------------------------------------------------------------


def follow(engine: EngineProcess, recording: LiveRecording, until: Callable[[EngineState], bool]) -> list[str]:
    """What the parent process does while an engine runs; returns the alarms."""
    alarms: list[str] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = engine.reader.status() or EngineState()
        alarms += recording.follow(state)
        if until(state):
            return alarms
        time.sleep(0.05)
    words = [p.name for p in recording.recorder.folder.glob("*.xdf")]
    pytest.fail(f"not within 60 s; {alarms}; {words}; {engine.reader.new_log()}; the last state was {state}")


def wavering(path: Path) -> Pipeline:
    """A pipeline as drawn, whose decisions have much to decide on the bundled recording."""
    pipeline = make_pipeline(decision=DecisionConfig(threshold=0.5, smoothing_s=0.2, min_duration_s=0.2, merge_s=0.2))
    scores = rtbci.tag(pipeline, rtbci.open_recording(RECORDING)).scores
    decision = pipeline.config.decision.model_copy(update={"threshold": float(np.median(scores.data))})
    pipeline = Pipeline(pipeline.config.model_copy(update={"decision": decision}), pipeline.network)
    pipeline.save(path)
    return pipeline


CLOCK_FORWARD = Faults(clock_resets=((45.0, 6.0),))


@pytest.mark.parametrize(
    ("which", "faults", "recorder", "threshold"),
    [
        ("drawn", CLOCK_FORWARD, "own", None),
        ("drawn", CLOCK_FORWARD, "labrecorder", None),
        ("bundled", Faults(), "own", 0.4),
    ],
)
def test_tagging_the_recording_of_a_live_run_gives_the_live_events_again(
    which: str, faults: Faults, recorder: str, threshold: float | None, tmp_path: Path
) -> None:
    if which == "bundled" and not PIPELINE.exists():
        pytest.skip("the bundled pipeline has not been built")
    path = tmp_path / "drawn.rtbci" if which == "drawn" else PIPELINE
    pipeline = wavering(path) if which == "drawn" else Pipeline.load(path)
    name = f"night-{uuid.uuid4().hex[:8]}"
    own = {"record": str(tmp_path)} if recorder == "own" else {"start_gate": True}
    spec = EngineSpec(
        str(path),
        {"name": name},
        events=str(tmp_path / "live.tsv"),
        threshold=threshold,
        **own,  # type: ignore[arg-type]
    )
    # The recorder is the first consumer: the engine joins a stream that is under way.
    replay = Replay([RECORDING], name=name, speed=8.0, wait_for_consumer=True, faults=faults)
    with EngineProcess(spec) as engine, process(run_replay, replay) as sender:
        recording = LiveRecording(tmp_path, engine)  # does nothing without a start gate
        alarms = follow(
            engine,
            recording,
            lambda state: not sender.is_alive() and state.samples.received and state.silent_s > 0.5,
        )
        samples = engine.reader.status().samples
        received = samples.received
        assert samples.lost == samples.filled == 0
        engine.stop()
        recording.stop()
        assert recording.recorder.stop(CLOSED_WITHIN_S)
    assert alarms == []
    (file,) = tmp_path.glob("*.xdf")
    again = rtbci.open_recording(file)
    assert again.n_samples == received
    assert open_xdf(file, name).n_samples >= received
    live = read_events(tmp_path / "live.tsv")
    tagged = rtbci.tag(pipeline.with_threshold(threshold), again).events
    assert len(live) > 0
    if threshold is not None:
        told = [text for text in rtbci.tag(pipeline, again).warnings if "threshold" in text]
        assert told == [
            "live, its events were decided with the threshold 0.4, here with 0.65; --threshold 0.4 decides as then"
        ]
    assert len(again.annotations) == len(rtbci.open_recording(RECORDING).annotations)
    assert [(e.onset, e.duration, e.label) for e in tagged] == [(e.onset, e.duration, e.label) for e in live]


def test_after_a_reconnect_every_sample_that_the_engine_received_is_in_the_file(tmp_path: Path) -> None:
    pipeline = wavering(tmp_path / "drawn.rtbci")
    name = f"night-{uuid.uuid4().hex[:8]}"
    files = {"events": str(tmp_path / "live.tsv"), "record": str(tmp_path)}
    replay = Replay([RECORDING], name=name, speed=8.0, wait_for_consumer=True, faults=Faults(reconnect_at_s=(30.0,)))
    with (
        EngineProcess(EngineSpec(str(tmp_path / "drawn.rtbci"), {"name": name}, **files)) as engine,
        process(run_replay, replay) as sender,
    ):
        recording = LiveRecording(tmp_path, engine)  # does nothing without a start gate
        follow(engine, recording, lambda s: not sender.is_alive() and s.samples.reconnects == 1 and s.silent_s > 0.5)
        received = engine.reader.status().samples.received
        engine.stop()
    (file,) = tmp_path.glob("*.xdf")
    again = rtbci.open_recording(file)
    assert again.n_samples == received
    live = read_events(tmp_path / "live.tsv")
    assert len(live) > 0
    assert [(e.onset, e.duration) for e in rtbci.tag(pipeline, again).events] == [(e.onset, e.duration) for e in live]


def test_a_disk_that_is_full_delays_the_event_table_and_nothing_else(small_disk: Path, wait_until: Wait) -> None:
    wavering(small_disk.parent / "drawn.rtbci")
    name, table = f"night-{uuid.uuid4().hex[:8]}", small_disk / "live.tsv"
    spec = EngineSpec(str(small_disk.parent / "drawn.rtbci"), {"name": name}, events=str(table))
    with (
        EngineProcess(spec) as engine,
        process(run_replay, Replay([RECORDING], name=name, speed=8.0, wait_for_consumer=True)),
    ):
        status = engine.reader.status
        with full(small_disk):
            wait_until(lambda: "No space left on device" in (status() or EngineState()).alarm)
            wait_until(lambda: status().events > 5)
            assert not table.exists()
        wait_until(lambda: status().alarm == "")
        engine.stop()
        log = engine.reader.new_log()
    full_words, well_words = (line.text for line in log if isinstance(line, AlarmLine))
    assert f"({table})" in full_words
    assert well_words == "the event table is written again, and whole"
    happened = [(line.onset, line.duration) for line in log if isinstance(line, EventLine)]
    assert [(e.onset, e.duration) for e in read_events(table)] == happened


@both
def test_the_engine_killed_in_mid_run_loses_nothing_of_the_recording(
    recorder: str, tmp_path: Path, wait_until: Wait
) -> None:
    wavering(tmp_path / "drawn.rtbci")
    name = f"night-{uuid.uuid4().hex[:8]}"
    own = {"record": str(tmp_path)} if recorder == "own" else {"start_gate": True}
    spec = EngineSpec(str(tmp_path / "drawn.rtbci"), {"name": name}, **own)  # type: ignore[arg-type]
    with EngineProcess(spec) as engine, process(run_replay, Replay([RECORDING], name=name, speed=1)):
        recording = LiveRecording(tmp_path, engine)
        follow(engine, recording, lambda state: state.recording_s > 3)
        assert engine.process.pid is not None
        os.kill(engine.process.pid, signal.SIGKILL)
        wait_until(lambda: not engine.alive)
        if recorder == "labrecorder":
            time.sleep(1)
            assert recording.recorder.started
            assert recording.recorder.stop(CLOSED_WITHIN_S)
    (file,) = tmp_path.glob("*.xdf")
    wait_until(lambda: all("was not closed" not in text for text in rtbci.open_recording(file).warnings))
    again, original = rtbci.open_recording(file), rtbci.open_recording(RECORDING)
    data = np.concatenate([chunk.data for chunk in again.chunks(1000)])
    wanted = np.concatenate([chunk.data for chunk in original.chunks(1000)])
    (first,) = np.flatnonzero((wanted[:-8] == data[0]).all(axis=1))[:1]
    assert len(data) > (2.8 if recorder == "own" else 3.5) * 256
    np.testing.assert_array_equal(data, wanted[first : first + len(data)])
