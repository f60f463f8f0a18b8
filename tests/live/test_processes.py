"""Each process of a live run killed, suspended and cut off in turn: what can go on does, and every sample is accounted for."""

import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pylsl
import pytest
from cutting import make_pipeline
from live_run import SINK, LiveRun, are_gone, own_terminal, replayed

import rtbci
from rtbci.bundled import PIPELINE, RECORDING
from rtbci.recordings.event_table import read_events, read_table
from rtbci.recordings.table_cells import cells_of

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs the signals of a POSIX system")

Wait = Callable[..., None]
Start = Callable[..., LiveRun]
SECONDS = 60
SAMPLES = 256 * SECONDS
ENDS_S = 2.0
LATE_S = 2.0  # of a machine on which other tests run


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts a run on a replay of SECONDS of the bundled recording, with a small pipeline."""
    with ExitStack() as stack:

        def make(*options: str, pipeline: Path | None = None, seconds: float = SECONDS, **popen: Any) -> LiveRun:
            if pipeline is None:
                pipeline = tmp_path / "small.rtbci"
                make_pipeline().save(pipeline)
            name = f"processes-{os.getpid()}-{request.node.name}"
            stack.enter_context(replayed(RECORDING, name, "--seconds", str(seconds), "--speed", "8"))
            run = LiveRun(tmp_path, pipeline, name, "--wait", "0", *options, **popen)
            stack.callback(run.close)
            return run

        yield make


def is_finished(table: Path) -> bool:
    """Whether every row has the recording's duration, which it gets at the end."""
    rows = cells_of(table, table.read_bytes()).rows
    return bool(rows) and all(row["recordingDuration"] != "n/a" for _, row in rows)


def is_complete(run: LiveRun, n_samples: int = SAMPLES) -> bool:
    return bool(run.state.get("samples", {}).get("received") == n_samples)


def lost(run: LiveRun) -> list[int]:
    return [run.state["samples"][key] for key in ("received", "filled", "lost", "gaps", "extra")]


def test_a_killed_command_leaves_no_process_and_a_finished_table(
    start: Start, wait_until: Wait, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(SINK)
    run = start("--json", "--sink", f"{tmp_path / 'own.py'}:Own")
    wait_until(lambda: run.has_begun)
    others = run.everyone()
    assert len(run.sinks()) == 1
    run.process.kill()
    run.process.wait()
    wait_until(lambda: are_gone(others))
    assert is_finished(run.table)


def test_a_killed_engine_is_told_and_is_no_mistake_of_the_start(start: Start, wait_until: Wait, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SINK)
    run = start("--json", "--sink", f"{tmp_path / 'own.py'}:Own")
    wait_until(lambda: run.has_begun)
    others = run.everyone()
    run.engine().kill()
    code, _ = run.ends()
    assert code == 1
    assert run.errors.read_text().splitlines()[-1] == "error: the engine died (exit code -9)"
    assert [line["text"] for line in run.log("error")] == ["the engine died (exit code -9)"]
    wait_until(lambda: run.state["state"] == "stopped")
    assert run.state["alarm"] == "the engine died (exit code -9)"
    assert read_table(run.table).torn == ""
    wait_until(lambda: are_gone(others))


def test_a_suspended_engine_is_told_and_catches_up(start: Start, wait_until: Wait) -> None:
    run = start("--json")
    wait_until(lambda: run.has_begun)
    engine = run.engine()
    engine.suspend()
    wait_until(lambda: run.state.get("engine_silent_s", 0) >= 3)
    assert run.state["state"] == "stale"
    engine.resume()
    wait_until(lambda: is_complete(run))
    assert lost(run) == [SAMPLES, 0, 0, 0, 0]
    texts = [line["text"] for line in run.log("warning")]
    assert "the engine does not answer" in texts
    assert any(text.startswith("the engine answers again, after ") for text in texts)
    assert run.ends(signal.SIGTERM)[0] == 0


def test_a_suspended_sink_is_dropped_and_costs_no_sample(start: Start, wait_until: Wait, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SINK)
    run = start("--json", "--sink", f"{tmp_path / 'own.py'}:Own")
    wait_until(lambda: run.has_begun)
    run.sinks()[0].suspend()
    dropped = (
        f"sink {tmp_path / 'own.py'}:Own was dropped: it took no message for 5 s; the session continues without it"
    )
    wait_until(lambda: dropped in run.alarms())
    wait_until(lambda: is_complete(run))
    assert lost(run) == [SAMPLES, 0, 0, 0, 0]
    assert run.state["alarm"] == dropped
    assert run.ends(signal.SIGTERM)[0] == 0


def test_output_that_nobody_reads_holds_up_neither_the_work_nor_the_end(start: Start, wait_until: Wait) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4096)
    os.set_blocking(writing, True)
    run = start("--json", stdout=writing, stderr=writing)
    os.close(writing)
    wait_until(lambda: run.has_begun)
    blocked = [f"{name} is blocked, its reader takes nothing; live work goes on" for name in
               ("standard output", "standard error")]  # fmt: skip
    wait_until(lambda: set(blocked) <= set(run.alarms()))
    code, took_s = run.ends(signal.SIGTERM)
    os.close(reading)
    assert (code, took_s < ENDS_S + LATE_S) == (0, True)
    assert is_finished(run.table)


@pytest.mark.parametrize("which", ["full", "closed"])
def test_output_that_is_full_or_closed_ends_nothing(start: Start, wait_until: Wait, which: str) -> None:
    if which == "full":
        with open("/dev/full", "wb") as device:
            run = start("--json", stdout=device)
        why = "cannot be written: No space left on device"
    else:
        reading, writing = os.pipe()
        os.close(reading)
        run = start("--json", stdout=writing)
        os.close(writing)
        why = "was closed by its reader"
    wait_until(lambda: run.alarms() == [f"standard output {why}; live work goes on"])
    wait_until(lambda: run.has_begun)
    assert run.errors.read_text().splitlines()[0] == f"\aALARM: standard output {why}; live work goes on"
    assert run.ends(signal.SIGTERM)[0] == 0
    assert is_finished(run.table)


def test_a_closed_terminal_ends_a_run_in_order(start: Start, wait_until: Wait) -> None:
    ours, options = own_terminal()
    run = start("--headless", **options)
    os.close(options["stdin"])
    threading.Thread(target=_read_until_closed, args=(ours,), daemon=True).start()
    wait_until(lambda: run.has_begun)
    others = run.everyone()
    os.close(ours)
    code, took_s = run.ends()
    assert (code, took_s < ENDS_S + LATE_S) == (0, True)
    assert is_finished(run.table)
    wait_until(lambda: are_gone(others))


def _read_until_closed(terminal: int) -> None:
    with suppress(OSError):
        while os.read(terminal, 1 << 16):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_at_once_ends_a_run_in_order(
    start: Start, wait_until: Wait, number: int, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(SINK.replace("def close(self): pass", "def close(self): open('closed', 'w')"))
    run = start("--json", "--sink", f"{tmp_path / 'own.py'}:Own", start_new_session=True, cwd=tmp_path)
    wait_until(lambda: run.has_begun)
    others = run.everyone()
    os.killpg(run.process.pid, number)
    assert run.ends()[0] == 0
    assert is_finished(run.table)
    assert (tmp_path / "closed").exists()
    wait_until(lambda: are_gone(others))


def test_an_engine_that_a_signal_alone_has_ended_finishes_its_table_and_is_a_failure(
    start: Start, wait_until: Wait
) -> None:
    run = start("--json")
    wait_until(lambda: run.has_begun)
    run.engine().send_signal(signal.SIGHUP)
    assert run.ends()[0] == 1
    assert run.errors.read_text().splitlines()[-1] == "error: a signal has ended the engine, in order"
    assert is_finished(run.table)


def test_a_suspended_engine_ends_in_order_and_one_that_hangs_in_time(start: Start, wait_until: Wait) -> None:
    run = start("--json")
    wait_until(lambda: run.has_begun)
    run.engine().suspend()
    assert run.ends(signal.SIGTERM)[0] == 0
    assert is_finished(run.table)


@pytest.mark.parametrize("seed", [0, 1])
def test_suspending_any_process_at_any_time_changes_no_answer(start: Start, wait_until: Wait, seed: int) -> None:
    """Command or engine, by a seed. The table is that of the file."""
    rng = random.Random(seed)
    recording = rtbci.open_recording(RECORDING)
    run = start("--json", pipeline=PIPELINE, seconds=recording.duration_s)
    wait_until(lambda: run.has_begun)
    command, engine = psutil.Process(run.process.pid), run.engine()
    victims = [rng.choice([command, engine]) for _ in range(4)]
    moments = sorted(rng.uniform(5, recording.duration_s - 5) for _ in victims)
    for victim, moment in zip(victims, moments, strict=True):
        wait_until(lambda moment=moment: run.state.get("recording_s", 0) >= moment)
        victim.suspend()
        woken = threading.Timer(rng.uniform(0.2, 1.5), victim.resume)
        woken.start()
        woken.join()
    wait_until(lambda: is_complete(run, recording.n_samples))
    assert lost(run) == [recording.n_samples, 0, 0, 0, 0]
    assert run.ends(signal.SIGTERM)[0] == 0
    wanted = rtbci.tag(rtbci.Pipeline.load(PIPELINE), recording).events
    assert len(wanted) == 1
    assert read_events(run.table) == wanted


def wrong_stream(name: str, source_id: str) -> pylsl.StreamOutlet:
    return pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 2, 256, "float32", source_id))


def test_doubles_and_streams_that_do_not_fit_are_waited_through_at_boot(tmp_path: Path, wait_until: Wait) -> None:
    name = f"boot-{os.getpid()}"
    wrong, double = wrong_stream(name, "first"), wrong_stream(name, "second")
    pipeline = tmp_path / "small.rtbci"
    make_pipeline().save(pipeline)
    run = LiveRun(tmp_path, pipeline, name, "--wait", "0", "--json")

    def refused() -> list[str]:
        return [line["reason"] for line in run.log("refused")]

    try:
        wait_until(lambda: any(reason.startswith("2 streams match") for reason in refused()))
        del double
        wait_until(lambda: any(reason.startswith(f"stream {name!r}") for reason in refused()))
        assert run.state["state"] == "waiting"
        with replayed(RECORDING, name):
            wait_until(lambda: run.has_begun)
            assert len(set(refused())) == len(refused())
            assert set(run.state["warnings"]) >= {f"stream refused: {reason}" for reason in refused()}
            assert run.errors.read_text().count("warning: stream refused: 2 streams match") == 1
            assert run.ends(signal.SIGTERM)[0] == 0
    finally:
        run.close()
    del wrong


def test_without_a_wait_for_ever_a_stream_that_does_not_fit_is_a_mistake(tmp_path: Path) -> None:
    name = f"mistake-{os.getpid()}"
    wrong = wrong_stream(name, "wrong")
    pipeline = tmp_path / "small.rtbci"
    make_pipeline().save(pipeline)
    run = LiveRun(tmp_path, pipeline, name, "--json", stdout=subprocess.DEVNULL)
    try:
        assert run.ends(within_s=60)[0] == 2
    finally:
        run.close()
    del wrong
