"""Amplifiers that are killed and return, in real processes: what the engine says within a second, and when it goes on."""

import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
from cutting import CHANNELS, make_pipeline

from rtbci.engine import EngineSpec
from rtbci.session import EngineProcess

SFREQ = 200.0
BACK_S = 4.0  # from the stream's return to samples that are answered, the engine's look for rivals included


def describe(name: str, source_id: str, sfreq: float, channels: tuple[str, ...]) -> pylsl.StreamInfo:
    info = pylsl.StreamInfo(name, "EEG", len(channels), sfreq, "float32", source_id)
    described = info.desc().append_child("channels")
    for label in channels:
        channel = described.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
    return info


def amplifier(name: str, source_ids: tuple[str, ...], sfreq: float, channels: tuple[str, ...]) -> None:
    """Sends noise, on one stream for each source id, until it is killed."""
    outlets = [pylsl.StreamOutlet(describe(name, source_id, sfreq, channels)) for source_id in source_ids]
    noise = np.random.default_rng(0).normal(0, 20, (10, len(channels))).astype(np.float32)
    began, n = pylsl.local_clock(), 0
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

    def begin(self, *source_ids: str, sfreq: float = SFREQ, channels: tuple[str, ...] = CHANNELS) -> None:
        ids = tuple(f"{self.name}-{source_id}" for source_id in source_ids or ("one",))
        process = multiprocessing.get_context("spawn").Process(
            target=amplifier, args=(self.name, ids, sfreq, channels), daemon=True
        )
        process.start()
        self.processes.append(process)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.join(10)
        self.processes = []


class Live:
    """An engine in its process, and what it has said."""

    def __init__(self, engine: EngineProcess) -> None:
        self.engine = engine
        self._log: list[dict[str, Any]] = []

    def state(self) -> dict[str, Any]:
        return self.engine.reader.status()

    def word(self) -> str:
        return str(self.state().get("state"))

    def received(self) -> int:
        return int(self.state().get("samples", {}).get("received", 0))

    def log(self, kind: str) -> list[dict[str, Any]]:
        self._log += self.engine.reader.new_log()
        return [line for line in self._log if line["kind"] == kind]

    def runs_from(self, received: int) -> Callable[[], bool]:
        return lambda: self.word() == "running" and self.received() > received + SFREQ / 2


@pytest.fixture
def amp() -> Iterator[Amplifier]:
    amplifier = Amplifier()
    yield amplifier
    amplifier.kill()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipeline") / "small.rtbci"
    make_pipeline().save(path)
    return path


@pytest.fixture
def live(amp: Amplifier, pipeline: Path, wait_until: Callable[..., None]) -> Iterator[Live]:
    """An engine that runs on the amplifier's first life."""
    amp.begin()
    with EngineProcess(EngineSpec(str(pipeline), {"name": amp.name})) as engine:
        live = Live(engine)
        wait_until(live.runs_from(0), 60)
        yield live


def on_the_network(name: str, n: int = 1) -> None:
    deadline = time.monotonic() + 20
    while len(pylsl.resolve_byprop("name", name, n, 1.5)) < n:
        assert time.monotonic() < deadline


Wait = Callable[..., None]


@pytest.mark.parametrize("source_id", ["one", "another"])
def test_work_goes_on_when_a_killed_amplifier_returns(
    amp: Amplifier, live: Live, source_id: str, wait_until: Wait
) -> None:
    amp.kill()
    wait_until(lambda: live.word() == "lost", 1)
    received = live.received()
    time.sleep(1)
    assert live.word() == "lost"
    amp.begin(source_id)
    on_the_network(amp.name)
    wait_until(live.runs_from(received), BACK_S)
    wait_until(lambda: live.log("gap"), 2)
    (lost,) = live.log("lost")
    (gap,) = live.log("gap")
    assert lost["reason"]
    assert gap["n_missing"] == pytest.approx((gap["end"] - gap["start"]) * SFREQ, abs=2)
    state = live.state()
    assert state["samples"]["reconnects"] == 1
    assert state["samples"]["lost"] == gap["n_missing"]
    assert state["stream"]["source_id"] == f"{amp.name}-{source_id}"


def test_a_stream_that_returns_in_another_order_of_channels_is_taken(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    amp.kill()
    wait_until(lambda: live.word() == "lost", 1)
    received = live.received()
    amp.begin(channels=CHANNELS[::-1])
    on_the_network(amp.name)
    wait_until(live.runs_from(received), BACK_S)
    assert len(live.log("connected")) == 2


def test_a_stream_that_returns_at_a_rate_that_can_be_resampled_is_taken(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    amp.kill()
    wait_until(lambda: live.word() == "lost", 1)
    received = live.received()
    amp.begin(sfreq=256.0)
    on_the_network(amp.name)
    wait_until(live.runs_from(received), BACK_S)
    assert live.state()["stream"]["sfreq"] == 256.0


@pytest.mark.parametrize(
    ("life", "wanted"),
    [
        ({"channels": CHANNELS[:3]}, ("T7-P7, P7-O1", "it has 3")),
        ({"sfreq": 50.0}, ("50 Hz", "128 Hz")),
    ],
    ids=["fewer channels", "a rate too low"],
)
def test_a_stream_that_does_not_fit_is_refused_with_what_came_until_one_that_fits_is_back(
    amp: Amplifier, live: Live, life: dict[str, Any], wanted: tuple[str, ...], wait_until: Wait
) -> None:
    amp.kill()
    wait_until(lambda: live.word() == "lost", 1)
    received = live.received()
    amp.begin(**life)
    on_the_network(amp.name)
    wait_until(lambda: live.log("refused"), BACK_S)
    for text in wanted:
        assert text in live.log("refused")[0]["reason"]
    time.sleep(1)
    assert len(live.log("refused")) == 1
    assert live.word() == "lost"
    assert live.received() == received
    amp.kill()
    amp.begin()
    on_the_network(amp.name)
    wait_until(live.runs_from(received), BACK_S)


def test_two_streams_that_match_after_a_loss_are_not_chosen_from_by_luck(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    amp.kill()
    wait_until(lambda: live.word() == "lost", 1)
    received = live.received()
    amp.begin("left", "right")
    on_the_network(amp.name, 2)
    wait_until(lambda: live.log("refused"), BACK_S)
    assert "2 streams match" in live.log("refused")[0]["reason"]
    assert live.received() == received
    amp.kill()
    amp.begin("left")
    on_the_network(amp.name)
    wait_until(live.runs_from(received), 2 * BACK_S)


def test_an_amplifier_that_falls_silent_is_called_stale_within_a_second_and_resumes(
    amp: Amplifier, live: Live, wait_until: Wait
) -> None:
    (process,) = amp.processes
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: live.word() == "stale", 1.5)
        time.sleep(2)
        received = live.received()
    finally:
        os.kill(process.pid, signal.SIGCONT)
    wait_until(live.runs_from(received), 2)
    assert live.state()["samples"]["lost"] == 0


def test_an_engine_that_was_stopped_catches_up_and_loses_nothing(amp: Amplifier, live: Live, wait_until: Wait) -> None:
    pid = live.engine.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(4)
        before = live.received()
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: live.received() > before + 3.5 * SFREQ and live.state()["staleness_s"] < 0.3, 3)
    state = live.state()
    assert (state["samples"]["lost"], state["samples"]["filled"]) == (0, 0)
    (stalled,) = live.log("stalled")
    assert 3.5 < stalled["seconds"] < 6
