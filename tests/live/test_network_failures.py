"""A replay on one host, an engine on another, and a network between them that fails: what is said, and when it goes on."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting import make_pipeline
from network import Network, network
from promises import BACK_S, SHOWN_S

from rtbci.bundled import RECORDING

SFREQ = 256.0
RTBCI = [sys.executable, "-m", "rtbci.cli.app"]

Wait = Callable[..., None]


class Bench:
    """`rtbci replay` on host a and `rtbci run --json --log` on host b, by what they write."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self._out, self._journal = folder / "states", folder / "journal"
        make_pipeline().save(folder / "small.rtbci")
        self.replay(0)
        command = ["run", str(folder / "small.rtbci"), "--stream", "name=far", "--json", "--log", str(self._journal)]
        with self._out.open("wb") as out:
            self._engine = network.start(1, [*RTBCI, *command], out)

    def replay(self, host: int, boot_s: int = 0) -> None:
        command = ["replay", str(RECORDING), "--name", "far", "--loop"]
        self._sender = self.network.start(host, [*RTBCI, *command], boot_s=boot_s)

    def kill_replay(self) -> None:
        self._sender.kill()
        self._sender.wait(10)

    def state(self) -> dict[str, Any]:
        """The newest line that was printed."""
        whole = self._out.read_text().rpartition("\n")[0]
        state: dict[str, Any] = json.loads(whole.rpartition("\n")[2] or "{}")
        return state

    def word(self) -> str:
        return str(self.state().get("state"))

    def log(self, kind: str, since: float) -> list[dict[str, Any]]:
        """Lines of the journal, from a moment on."""
        lines = map(json.loads, self._journal.read_text().splitlines())
        return [line for line in lines if line["kind"] == kind and line["wall"] >= since]

    def received(self) -> int:
        return int(self.state().get("samples", {}).get("received", 0))

    def samples(self) -> tuple[float, float]:
        """(accounted for, by the stamps), from one line of state."""
        state = self.state()
        tally = state["samples"]
        return tally["received"] - tally["extra"] + tally["filled"] + tally["lost"], state["newest_stamp"] * SFREQ


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("network")
    for hosts in network(folder):
        yield Bench(hosts, folder)


class Pauses:
    """For how long the machine let this process do nothing, and so the others too: a virtual one stands still at times."""

    def __init__(self) -> None:
        self.s = 0.0
        self._last = time.monotonic()

    def tick(self) -> None:
        """To be called every few milliseconds."""
        now = time.monotonic()
        self.s += max(0.0, now - self._last - 0.1)
        self._last = now


class Failure:
    """What the engine says of one failure, in seconds from when it began and from when it was over."""

    def __init__(self, bench: Bench, wait_until: Wait) -> None:
        self._bench, self._wait = bench, wait_until
        wait_until(lambda: bench.word() == "running" and bench.received() > SFREQ)
        self._before = bench.samples()
        self.began = time.time()

    def shown_s(self, word: str) -> float:
        pauses = Pauses()
        self._wait(lambda: pauses.tick() or self._bench.word() == word, 5)
        return time.time() - self.began - pauses.s

    def is_over(self) -> None:
        self.over = time.time()

    def back_s(self) -> float:
        """When new samples were answered; then everything since before the failure is accounted for."""
        pauses = Pauses()
        self._wait(lambda: pauses.tick() or self._bench.log("caught_up", self.over - 0.1), 20)
        back = self._bench.log("caught_up", self.over - 0.1)[-1]["wall"] - self.over - pauses.s
        n = self._bench.received() + SFREQ  # by then the gap guard has judged
        self._wait(lambda: self._bench.received() > n, 5)
        accounted, stamped = self._bench.samples()
        assert accounted - self._before[0] == pytest.approx(stamped - self._before[1], abs=1.5)
        return float(back)

    def log(self, kind: str) -> list[dict[str, Any]]:
        return self._bench.log(kind, self.began)


def test_a_cable_that_is_out_is_shown_within_a_second_and_forgotten_two_after_it_is_in_again(
    bench: Bench, wait_until: Wait
) -> None:
    failure = Failure(bench, wait_until)
    with bench.network.unplugged(0):
        assert failure.shown_s("stale") < SHOWN_S
        time.sleep(max(0.0, failure.began + 5 - time.time()))
        failure.is_over()
    assert failure.back_s() < BACK_S
    assert failure.log("stale")[0]["age_s"] < SHOWN_S
    assert 4.5 < max(line["age_s"] for line in failure.log("caught_up")) < 5 + BACK_S


@pytest.mark.parametrize("seconds", [5, 8])
def test_a_network_that_drops_packets_is_not_left_to_tcp(bench: Bench, seconds: int, wait_until: Wait) -> None:
    """TCP waits as long again as it has waited: after 8 s some 5 s more, after 10 min two minutes."""
    failure = Failure(bench, wait_until)
    with bench.network.dropping():
        assert failure.shown_s("stale") < SHOWN_S
        time.sleep(max(0.0, failure.began + seconds - time.time()))
        failure.is_over()
    assert failure.back_s() < BACK_S
    lost = sum(gap["n_missing"] for gap in failure.log("gap"))
    if seconds > 5 or failure.log("lost"):  # or else TCP was as quick, and brought it all
        assert "connection hung" in failure.log("lost")[0]["reason"]
        assert lost == pytest.approx(SFREQ * seconds, abs=SFREQ * BACK_S)
    else:
        assert lost == 0


def test_a_host_whose_clock_was_reset_loses_the_time_it_was_away_and_no_more(bench: Bench, wait_until: Wait) -> None:
    failure = Failure(bench, wait_until)
    bench.kill_replay()
    assert failure.shown_s("lost") < SHOWN_S
    bench.replay(0, boot_s=36_000)
    failure.is_over()
    failure.back_s()  # the accounts are right although the stamps were set back by ten hours
    away = failure.log("caught_up")[-1]["age_s"]
    assert sum(gap["n_missing"] for gap in failure.log("gap")) == pytest.approx(away * SFREQ, abs=0.2 * SFREQ)
    state = bench.state()
    assert state["clock_offset_s"] == pytest.approx(-36_000, abs=0.01)
    assert state["clock_age_s"] < 5


def test_the_stream_goes_on_from_another_host(bench: Bench, wait_until: Wait) -> None:
    failure = Failure(bench, wait_until)
    bench.kill_replay()
    assert failure.shown_s("lost") < SHOWN_S
    bench.replay(1)
    failure.is_over()
    failure.back_s()
    assert [line["host"] for line in failure.log("reconnected")] == ["host-b"]
    assert len(failure.log("gap")) == 1
    assert bench.state()["stream"]["hostname"] == "host-b"
    assert bench.state()["clock_offset_s"] == pytest.approx(0, abs=0.01)
