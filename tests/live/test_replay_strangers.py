"""A replay among strangers: who has no key commands nothing, holds nothing, and silences no alarm."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pylsl
import pytest
from cutting import make_pipeline
from replay_kit import SFREQ, live, played

from rtbci.lsl.replay_key import VARIABLE
from rtbci.lsl.replay_protocol import ReplayAddress, ReplayPosition
from rtbci.lsl.replay_reports import ReplayReports
from rtbci.lsl.signed_lines import Signer
from rtbci.lsl.source import LslSource
from rtbci.monitor.messages import StaleLine, WarningLine
from rtbci.pipeline.pipeline import Pipeline
from rtbci.replay.playback import Playback

Wait = Callable[..., None]


@pytest.fixture
def name() -> str:
    return f"strangers-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return make_pipeline()


def outlet(kind: str, source_id: str, format: str = "string") -> pylsl.StreamOutlet:
    return pylsl.StreamOutlet(pylsl.StreamInfo("stranger", kind, 1, 0, format, source_id))


def id_of(playback: Playback) -> str:
    return playback.players[0].track.info.source_id


NONSENSE = ("", "[" * 10_000, '{"id":1e999}', "\x1b[2J", "x" * 10**6, "0" * 16 + " 1 " + "0" * 32 + " {}", "null")


class Overheard:
    """All that goes over one of the outlets of a replay and its engine, by the type."""

    def __init__(self, kind: str, source_id: str) -> None:
        found: list[Any] = []
        while not found:
            found = [s for s in pylsl.resolve_byprop("type", kind, 1, 20) if s.source_id().startswith(source_id)]
        self.info = found[0]
        self._inlet = pylsl.StreamInlet(self.info, recover=False)
        self._inlet.open_stream(5)
        self.lines: list[str] = []

    def listen(self) -> list[str]:
        self.lines += [line for (line,) in self._inlet.pull_chunk(timeout=0.0)[0]]
        return self.lines


def test_a_stranger_commands_nothing_by_any_line_on_any_outlet(
    pipeline: Pipeline, name: str, wait_until: Wait, capsys: pytest.CaptureFixture[str]
) -> None:
    with played(name, wait_for_consumer=True) as playback, live(pipeline, name, wait_until) as running:
        running.await_received(1)
        ear = Overheard("rtbci-control", f"{id_of(playback)}-control-")
        running.say("speed 2")
        running.say("pause")
        running.say("resume")
        wait_until(lambda: sum("heard" in line for line in ear.listen()) >= 3)
        seen = ear.info.source_id()
        badge = Signer(b"a key of theirs", "command").badge
        hands = [outlet("rtbci-control", f"{id_of(playback)}-control{end}") for end in ("", "-", f"-{badge}")]
        copy = outlet("rtbci-control", seen)  # the badge of the engine can be seen by all
        wait_until(copy.have_consumers)
        lines = [*ear.lines, "pause", "seek 60", "speed 9", "quit", "heard 99", "", "\x1b[2J", "x" * 10**6]
        for hand in (*hands, copy):
            for line in lines:
                hand.push_sample([line])
        running.await_received(8)
        assert not any(hand.have_consumers() for hand in hands)
        position = running.engine.state().replay
        assert (position.paused, position.speed, position.move) == (False, 2.0, 3)
        assert running.say("speed 4").replay.speed == 4.0  # nor is its own engine kept out
        assert not playback.stop.is_set()
    assert "without the key of this replay is not obeyed" in capsys.readouterr().err


def test_a_stranger_holds_no_move(pipeline: Pipeline, name: str, wait_until: Wait) -> None:
    """Each of the engine's moves is waited for by the engine alone."""
    with played(name, wait_for_consumer=True) as playback, live(pipeline, name, wait_until) as running:
        running.await_received(1)
        copy = outlet("rtbci-control", Overheard("rtbci-control", f"{id_of(playback)}-control-").info.source_id())
        wait_until(copy.have_consumers)
        began = time.monotonic()
        for line in ("pause", "resume", "pause", "resume"):
            running.say(line)
        assert time.monotonic() - began < 4  # the time of two moves that nobody acknowledges


def test_acknowledgements_of_strangers_hold_no_replay(pipeline: Pipeline, name: str, wait_until: Wait) -> None:
    with played(name, speed=0.0, loop=True, chunk=64) as playback, live(pipeline, name, wait_until) as running:
        running.await_received(30)
        ear = Overheard("rtbci-ack", f"{id_of(playback)}-ack-")
        copies = [outlet("rtbci-ack", source_id) for source_id in (ear.info.source_id(), f"{id_of(playback)}-ack")]
        copies.append(outlet("rtbci-ack", f"{id_of(playback)}-ack", "int64"))
        wait_until(copies[0].have_consumers)
        wait_until(ear.listen)
        over = threading.Event()

        def push() -> None:
            while not over.wait(0.02):
                for line in ["0", *ear.lines[:3]]:
                    copies[0].push_sample([line])
                copies[1].push_sample(["0"])
                copies[2].push_sample([0])

        thread = threading.Thread(target=push)
        thread.start()
        try:
            running.await_received(running.engine.tally.received / SFREQ + 600)
        finally:
            over.set()
            thread.join()


@pytest.fixture
def fakes() -> Iterator[Callable[[str], None]]:
    """fakes(source id): outlets that report from now on that the replay is paused, two before it and two after it."""
    over, threads = threading.Event(), []

    def begin(source_id: str) -> None:
        made = [outlet("rtbci-position", f"{source_id}-position") for _ in range(4)]
        signer, rng = Signer(b"a key of theirs", "position"), random.Random(0)

        def push() -> None:
            n = 0
            while not over.wait(0.05):
                n += 1
                made[n % 4].push_sample([rng.choice(NONSENSE)])
                text = ReplayPosition(n, 5.0, 0.0, 82.0, 1.0, True, stamp=pylsl.local_clock()).to_json()
                for k, fake in enumerate(made):
                    fake.push_sample([text if k % 2 else signer.sign(text, fake.get_info().uid())])

        threads.append(threading.Thread(target=push))
        threads[-1].start()

    yield begin
    over.set()
    for thread in threads:
        thread.join()


def test_a_fake_position_moves_nothing_and_silences_no_alarm(
    pipeline: Pipeline, name: str, wait_until: Wait, fakes: Callable[[str], None]
) -> None:
    with played(name, wait_for_consumer=True) as playback:
        fakes(id_of(playback))
        with live(pipeline, name, wait_until) as running:
            running.await_received(2)
            wait_until(lambda: running.engine.state().replay)
            assert running.say("speed 2").replay.move == 1
            running.await_received(6)
            state = running.engine.state()
            assert (state.state, state.replay.paused, state.samples.gaps) == ("running", False, 0)
            playback.players[0].send = lambda packet: None  # type: ignore[method-assign]
            wait_until(lambda: running.engine.state().state == "stale")
        assert not {"pause", "seek"} & set(running.kinds())


def test_outlets_that_report_nothing_keep_no_replay_from_being_heard(wait_until: Wait) -> None:
    """More of them than are listened to at once, and all before the replay's own."""
    key = b"the key of a replay"
    address = ReplayAddress.new(f"rtbci-replay-{uuid.uuid4().hex[:16]}", key)
    silent = [outlet("rtbci-position", address.position_id) for _ in range(6)]
    reports = ReplayReports(address, key)
    wait_until(lambda: reports.read() or sum(one.have_consumers() for one in silent) == 4)
    genuine, signer = outlet("rtbci-position", address.position_id), Signer(key, address.position_purpose)
    position = ReplayPosition(1, 5.0, 0.0, 82.0, 1.0, True)

    def heard() -> list[ReplayPosition]:
        signer.push(genuine, position.to_json())
        time.sleep(0.02)
        return reports.read()

    wait_until(lambda: heard() == [position])
    kept_until = time.monotonic() + 3  # longer than a silent one is listened to
    wait_until(lambda: time.monotonic() > kept_until and heard() == [position])
    reports.close()


def test_a_pause_that_cannot_be_verified_is_told_of_and_ends_in_the_alarm(
    pipeline: Pipeline, name: str, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LslSource, "UNTRUSTED_PAUSE_S", 3.0)
    with played(name, wait_for_consumer=True) as playback:
        monkeypatch.setenv(VARIABLE, "the key of another machine")
        with live(pipeline, name, wait_until) as running:
            running.await_received(2)
            assert running.engine.state().replay is None  # it cannot be controlled
            playback.transport.obey("pause")
            wait_until(lambda: running.engine.state().state == "paused")
            wait_until(lambda: running.engine.state().state == "stale")
            playback.transport.obey("resume")
            wait_until(lambda: running.engine.state().state == "running")
            running.await_received(6)
            assert running.engine.tally.lost == 0
    (stale,) = (line for line in running.heard.lines if isinstance(line, StaleLine))
    assert stale.age_s < 2
    told = [line.text for line in running.heard.lines if isinstance(line, WarningLine)]
    assert any("the key of this replay is not known here" in text and VARIABLE in text for text in told)


def test_a_pause_without_a_heartbeat_is_silence(pipeline: Pipeline, name: str, wait_until: Wait) -> None:
    with played(name, wait_for_consumer=True) as playback, live(pipeline, name, wait_until) as running:
        running.await_received(2)
        assert running.say("pause").state == "paused"
        playback._remote_control.close()
        wait_until(lambda: running.engine.state().state == "stale")


def test_a_consumer_without_the_key_reads_every_sample_of_a_paced_replay(name: str, wait_until: Wait) -> None:
    data: list[Any] = []
    with played(name, speed=16.0, wait_for_consumer=True, duration_s=20):
        (found,) = pylsl.resolve_byprop("name", name, 1, 20)
        inlet = pylsl.StreamInlet(found, recover=False)
        inlet.open_stream(5)
        wait_until(lambda: data.extend(inlet.pull_chunk(timeout=0.1)[0]) or len(data) == 20 * SFREQ)
    assert np.isfinite(data).all()
