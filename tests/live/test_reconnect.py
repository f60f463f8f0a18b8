"""Amplifiers that are killed and return, in real processes: what the engine says within a second, and when it goes on."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pylsl
import pytest
from cutting import CHANNELS, make_pipeline
from promises import BACK_S, SHOWN_S

from rtbci.engine.process import EngineProcess
from rtbci.engine.session import EngineSpec
from rtbci.monitor.messages import EngineState, LogLine

SFREQ = 200.0

Wait = Callable[..., None]


def describe(name: str, source_id: str, sfreq: float, channels: tuple[str, ...], unit: str) -> pylsl.StreamInfo:
    info = pylsl.StreamInfo(name, "EEG", len(channels), sfreq, "float32", source_id)
    described = info.desc().append_child("channels")
    for label in channels:
        channel = described.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    return info


def amplifier(
    up: Any, name: str, source_ids: tuple[str, ...], sfreq: float, channels: tuple[str, ...], unit: str
) -> None:
    """Sends noise, on one stream for each source id, until it is killed. up: set once they are there."""
    outlets = [pylsl.StreamOutlet(describe(name, source_id, sfreq, channels, unit)) for source_id in source_ids]
    noise = np.random.default_rng(0).normal(0, 20, (10, len(channels))).astype(np.float32)
    began, n = pylsl.local_clock(), 0
    up.set()
    while True:
        while began + (n + 10) / sfreq < pylsl.local_clock():
            for outlet in outlets:
                outlet.push_chunk(noise, [began + (n + k) / sfreq for k in range(10)])
            n += 10
        time.sleep(0.005)


class Amplifier:
    """An amplifier's program: begun, killed, begun again."""

    def __init__(self) -> None:
        self.name = f"amp-{uuid.uuid4().hex[:8]}"
        self.processes: list[multiprocessing.process.BaseProcess] = []

    def begin(
        self, *source_ids: str, sfreq: float = SFREQ, channels: tuple[str, ...] = CHANNELS, unit: str = "microvolts"
    ) -> multiprocessing.process.BaseProcess:
        """Returns when its streams are there."""
        ids = tuple(f"{self.name}-{source_id}" for source_id in source_ids or ("one",))
        context = multiprocessing.get_context("spawn")
        up = context.Event()
        process = context.Process(target=amplifier, args=(up, self.name, ids, sfreq, channels, unit), daemon=True)
        process.start()
        self.processes.append(process)
        assert up.wait(30)
        return process

    def kill(self, *processes: multiprocessing.process.BaseProcess) -> None:
        for process in processes or tuple(self.processes):
            process.kill()
            process.join(10)
            self.processes.remove(process)


class Live:
    """An engine in its process, and what it has said in this test."""

    def __init__(self, engine: EngineProcess) -> None:
        self.engine = engine
        self._log: list[LogLine] = []

    def begin(self) -> None:
        self.log("")
        self._log = []
        self.before = self.state().samples

    def state(self) -> EngineState:
        return self.engine.reader.status() or EngineState()

    def word(self) -> str:
        return self.state().state

    def received(self) -> int:
        return self.state().samples.received

    def since(self, key: str) -> int:
        """What the tally grew by in this test."""
        return int(getattr(self.state().samples, key) - getattr(self.before, key))

    def log(self, kind: str) -> list[Any]:
        self._log += self.engine.reader.new_log()
        return [line for line in self._log if line.kind == kind]

    def answers(self, received: int) -> Callable[[], bool]:
        """Whether samples beyond these came, and are not old."""
        return lambda: self.word() == "running" and self.received() > received


@pytest.fixture(scope="module")
def amp() -> Iterator[Amplifier]:
    amplifier = Amplifier()
    yield amplifier
    amplifier.kill()


@pytest.fixture(scope="module")
def engine(amp: Amplifier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    path = tmp_path_factory.mktemp("pipeline") / "small.rtbci"
    make_pipeline().save(path)
    with EngineProcess(EngineSpec(str(path), {"name": amp.name})) as process:
        yield Live(process)


@pytest.fixture
def live(amp: Amplifier, engine: Live, wait_until: Wait) -> Live:
    """The engine, running on the amplifier as it usually is."""
    amp.kill()
    wait_until(lambda: engine.word() in ("waiting", "lost"))
    received = engine.received()
    amp.begin()
    wait_until(engine.answers(received + round(SFREQ)))
    engine.begin()
    return engine


def lose(amp: Amplifier, live: Live, wait_until: Wait) -> int:
    """The amplifier is killed; how many samples were received in its life."""
    amp.kill()
    wait_until(lambda: live.word() == "lost", SHOWN_S)
    return live.received()


@contextmanager
def stopped(pid: int | None) -> Iterator[None]:
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("source_id", ["one", "another"])
def test_work_goes_on_when_a_killed_amplifier_returns(
    amp: Amplifier, live: Live, source_id: str, wait_until: Wait
) -> None:
    received = lose(amp, live, wait_until)
    time.sleep(1)
    assert live.word() == "lost"
    amp.begin(source_id)
    wait_until(live.answers(received), BACK_S)
    wait_until(lambda: live.log("gap") and live.log("caught_up"))
    (lost,) = live.log("lost")
    (gap,) = live.log("gap")
    assert lost.reason
    assert gap.n_missing == pytest.approx((gap.end - gap.start) * SFREQ, abs=2)
    assert [len(live.log(kind)) for kind in ("stale", "reconnected", "caught_up")] == [1, 1, 1]
    assert live.since("reconnects") == 1
    assert live.since("lost") == gap.n_missing
    assert live.state().stream.source_id == f"{amp.name}-{source_id}"


@pytest.mark.parametrize(
    "life",
    [{"channels": CHANNELS[::-1]}, {"sfreq": 256.0}, {"unit": "millivolts"}],
    ids=["another order of channels", "a rate that can be resampled", "another unit"],
)
def test_a_stream_that_returns_otherwise_but_fits_is_taken_afresh(
    amp: Amplifier, live: Live, life: dict[str, Any], wait_until: Wait
) -> None:
    received = lose(amp, live, wait_until)
    amp.begin(**life)
    wait_until(live.answers(received), BACK_S)
    (connected,) = live.log("connected")
    (gap,) = live.log("gap")
    assert connected.sfreq == live.state().stream.sfreq == life.get("sfreq", SFREQ)
    assert gap.cause == "the stream was away"
    assert live.since("lost") == gap.n_missing > 0


@pytest.mark.parametrize(
    ("life", "wanted"),
    [
        ({"channels": CHANNELS[:3]}, ("T7-P7, P7-O1", "it has 3")),
        ({"sfreq": 50.0}, ("50 Hz", "128 Hz")),
        ({"unit": "bananas"}, ("unknown unit 'bananas'",)),
    ],
    ids=["fewer channels", "a rate too low", "an unknown unit"],
)
def test_a_stream_that_does_not_fit_is_refused_with_what_came_until_one_that_fits_is_back(
    amp: Amplifier, live: Live, life: dict[str, Any], wanted: tuple[str, ...], wait_until: Wait
) -> None:
    received = lose(amp, live, wait_until)
    amp.begin(**life)
    wait_until(lambda: live.log("refused"), BACK_S)
    for text in wanted:
        assert text in live.log("refused")[0].reason
    time.sleep(1)
    assert len(live.log("refused")) == 1
    assert live.word() == "lost"
    assert live.received() == received
    amp.kill()
    amp.begin()
    wait_until(live.answers(received), BACK_S)


def test_two_streams_that_match_after_a_loss_are_not_chosen_from_by_luck(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    received = lose(amp, live, wait_until)
    amp.begin("left", "right")
    wait_until(lambda: live.log("refused"), BACK_S)
    assert "2 streams match" in live.log("refused")[0].reason
    assert live.received() == received
    amp.kill()
    amp.begin("left")
    wait_until(live.answers(received), 2 * BACK_S)  # the dead ones are still named for a while


def test_a_stream_that_matched_beside_the_lost_one_does_not_take_its_place(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    (mine,) = amp.processes
    amp.begin("of another patient")
    time.sleep(3)  # long enough to be known
    amp.kill(mine)
    wait_until(lambda: live.log("refused"), BACK_S)
    assert "another one that matches too" in live.log("refused")[0].reason
    assert live.word() == "lost"
    received = live.received()
    amp.begin("one")
    wait_until(live.answers(received), BACK_S)
    assert live.state().stream.source_id == f"{amp.name}-one"


def test_a_connection_that_is_cut_while_the_stream_lives_is_made_again(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    cut_connections(amp)
    wait_until(lambda: live.word() == "lost", SHOWN_S)
    received = live.received()
    wait_until(live.answers(received), BACK_S)
    wait_until(lambda: live.log("gap"))
    wait_until(lambda: live.since("lost") == live.log("gap")[0].n_missing)


def cut_connections(amp: Amplifier) -> None:
    """As a firewall does that has forgotten them."""
    if shutil.which("ss") is None:
        pytest.skip("needs ss (package iproute2) to cut a connection")
    (process,) = amp.processes
    sockets = subprocess.run(["ss", "-tnpH", "state", "established"], capture_output=True, text=True, check=True).stdout
    ports = [line.split()[2].rpartition(":")[2] for line in sockets.splitlines() if f"pid={process.pid}," in line]
    done = [subprocess.run(["ss", "-K", f"sport = :{port}"], capture_output=True, text=True) for port in set(ports)]
    if not done or any(d.returncode or f"{p}" not in d.stdout for p, d in zip(set(ports), done, strict=True)):
        pytest.skip("this kernel does not let a connection be cut")


def test_an_amplifier_that_falls_silent_is_called_stale_within_a_second_and_resumes(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    (process,) = amp.processes
    with stopped(process.pid):
        wait_until(lambda: live.word() == "stale", SHOWN_S)
        time.sleep(2)
        received = live.received()
    wait_until(live.answers(received), BACK_S)
    wait_until(lambda: live.log("caught_up"))
    assert [live.since(key) for key in ("lost", "filled", "reconnects")] == [0, 0, 0]
    assert [len(live.log(kind)) for kind in ("stale", "caught_up", "lost")] == [1, 1, 0]


def test_an_engine_that_was_stopped_tells_how_old_its_answers_are_and_catches_up(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    (found,) = pylsl.resolve_byprop("name", f"{amp.name}-small-events", 1, 10)
    markers = pylsl.StreamInlet(found)
    markers.open_stream(timeout=5)
    with stopped(live.engine.process.pid):
        time.sleep(4)
        before = live.received()
    wait_until(lambda: live.received() > before + 3.5 * SFREQ and live.log("caught_up"))
    assert [live.since(key) for key in ("lost", "filled", "reconnects")] == [0, 0, 0]
    (stalled,), (stale,), (caught_up,) = map(live.log, ("stalled", "stale", "caught_up"))
    assert 3.5 < stalled.seconds < 6
    assert 3.5 < stale.age_s < 6
    assert caught_up.seconds < SHOWN_S
    heard, _ = markers.pull_chunk(timeout=1.0, max_samples=100)
    states = [json.loads(line)["state"] for (line,) in heard]
    assert [state for state in states if state in ("stale", "caught_up")] == ["stale", "caught_up"]
