"""Streams with a wrong rate, no rate, or stamps of another clock, over LSL: refused, measured or put right, and told."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
from cutting import CHANNELS, make_pipeline
from heard import Heard

from rtbci.engine.engine import Engine
from rtbci.engine.session import EngineSpec
from rtbci.monitor.messages import WarningLine
from rtbci.recordings.overrides import StreamOverrides

Wait = Callable[..., None]
Stamp = Callable[[np.ndarray], Any]


def true_stamps(true: np.ndarray) -> np.ndarray:
    return true


@contextmanager
def amplifier(name: str, says: float, sends: float, stamp: Stamp | None = None, chunk: int = 10) -> Iterator[None]:
    """Noise at `sends` Hz. stamp: of the true times of a chunk; None: LSL's own."""
    info = pylsl.StreamInfo(name, "EEG", len(CHANNELS), says, "float32", name)
    channels = info.desc().append_child("channels")
    for label in CHANNELS:
        channels.append_child("channel").append_child_value("label", label).append_child_value("unit", "uV")
    outlet, over = pylsl.StreamOutlet(info), threading.Event()
    noise = np.random.default_rng(0).normal(0, 20, (chunk, len(CHANNELS))).astype(np.float32)

    def send() -> None:
        began, n = pylsl.local_clock(), 0
        while not over.is_set():
            if (left := began + (n + chunk) / sends - pylsl.local_clock()) > 0:
                time.sleep(min(left, 0.01))
                continue
            if stamp is None:
                outlet.push_chunk(noise)
            else:
                outlet.push_chunk(noise, stamp(began + (n + 1 + np.arange(chunk)) / sends).tolist())
            n += chunk

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


@contextmanager
def running(engine: Engine) -> Iterator[list[BaseException]]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            engine.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield failures
    finally:
        engine.stop()
        thread.join(10)
        assert not thread.is_alive()


def unique(name: str) -> str:
    return f"{name}-{os.getpid()}"


def warnings_of(heard: Heard) -> list[str]:
    return [line.text for line in heard.lines if isinstance(line, WarningLine)]


def test_a_stream_at_half_its_rate_is_refused_before_anything_is_answered(tmp_path: Path) -> None:
    name = unique("half")
    make_pipeline().save(tmp_path / "small.rtbci")
    command = ["run", str(tmp_path / "small.rtbci"), "--stream", f"name={name}", "--json", "--wait", "20"]
    events = tmp_path / "events.tsv"
    with amplifier(name, 400, 200, true_stamps):
        done = subprocess.run(
            [sys.executable, "-m", "rtbci.cli.app", *command, "--events", str(events)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: stream {name!r} says 400 Hz, but sends 200 Hz by its stamps and ")
    assert line.endswith("by this machine's clock; its frequencies would be wrong; give its true rate with --sfreq 200")
    assert not any(json.loads(state).get("samples", {}).get("received") for state in done.stdout.splitlines())
    assert not events.exists()


def test_the_rate_that_is_given_wins(wait_until: Wait) -> None:
    name, heard = unique("given"), Heard()
    spec = EngineSpec("", {"name": name}, overrides=StreamOverrides(sfreq=200.0))
    engine = Engine(make_pipeline(), spec, sinks=[heard])
    with amplifier(name, 400, 200), running(engine) as failures:
        wait_until(lambda: engine.tally.received > 800 or failures)
        state = engine.state()
    assert failures == []
    assert state.stream is not None
    assert state.stream.sfreq == 200
    assert (engine.tally.lost, engine.tally.filled, engine.tally.extra) == (0, 0, 0)
    assert warnings_of(heard) == []
    assert heard.sessions[-1].told == {"sfreq": 200.0}


def test_a_stream_without_a_rate_is_measured_and_its_recording_is_told(wait_until: Wait) -> None:
    name, heard = unique("no-rate"), Heard()
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}), sinks=[heard])
    with amplifier(name, 0, 200, true_stamps), running(engine) as failures:
        wait_until(lambda: engine.tally.received > 800 or failures)
    assert failures == []
    assert heard.sessions[-1].stream.sfreq == 200
    assert heard.sessions[-1].told == {"sfreq": 200.0}
    (told,) = warnings_of(heard)
    assert told.startswith(f"stream {name!r} says no rate and sends 200 Hz by its stamps")


@pytest.mark.parametrize(
    ("stamp", "says"),
    [
        (lambda true: true + 1.7e9, "ahead of this machine's clock: they are put on this machine's clock"),
        (lambda true: true * 1e3, "are in milliseconds: they are put on this machine's clock"),
        (lambda true: np.full(len(true), np.nan), "are no numbers: samples are stamped as they arrive"),
        (lambda true: np.full(len(true), 5.0), "stand still: samples are stamped as they arrive"),
    ],
    ids=["another clock", "ms", "NaN", "constant"],
)
def test_stamps_of_another_clock_are_put_right_before_anything_reads_them(
    stamp: Stamp, says: str, wait_until: Wait
) -> None:
    name, heard = unique("clock"), Heard()
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}), sinks=[heard])
    with amplifier(name, 200, 200, stamp), running(engine) as failures:
        wait_until(lambda: engine.tally.received > 1000 or failures)
        now, state = pylsl.local_clock(), engine.state()
    assert failures == []
    (told,) = warnings_of(heard)
    assert told.startswith(f"time stamps of stream {name!r} ")
    assert says in told
    assert (engine.tally.lost, engine.tally.filled, engine.tally.extra) == (0, 0, 0)
    assert state.newest_stamp == pytest.approx(now, abs=1.0)
    assert state.staleness_s < 1
    assert 0 < state.latency_ms.p50 <= state.latency_ms.max < 1000
    assert heard.scores[-1].times[-1] == pytest.approx(now, abs=1.0)


def test_held_samples_count_but_not_as_latency(wait_until: Wait) -> None:
    name, heard = unique("held"), Heard()
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}), sinks=[heard])
    with amplifier(name, 200, 200), running(engine):
        wait_until(lambda: engine.tally.received > 600)
    first = heard.scores[0].times[0]
    assert heard.scores[-1].times[-1] - first > 2.5
    assert engine.latency.max < 900


def test_a_second_stream_with_a_wrong_rate_is_refused_while_the_engine_runs(wait_until: Wait) -> None:
    name, heard = unique("returns"), Heard()
    engine = Engine(make_pipeline(), EngineSpec("", {"name": name}), sinks=[heard])
    with running(engine) as failures:
        with amplifier(name, 200, 200):
            wait_until(lambda: engine.tally.received > 200)
        with amplifier(name, 500, 250, true_stamps):
            wait_until(lambda: any(line.kind == "refused" for line in heard.lines))
    assert failures == []
    (refused,) = [line for line in heard.lines if line.kind == "refused"]
    assert "says 500 Hz, but sends 250 Hz by its stamps" in refused.reason
