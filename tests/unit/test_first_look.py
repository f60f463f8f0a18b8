"""The first second of a stream: its rate refused or believed, its clock put right, and no sample of it lost."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from senders import Sender

from rtbci.errors import StreamMismatch
from rtbci.lsl.border import RawSamples, StreamBorder, StreamDoubt
from rtbci.recordings.description import Description
from rtbci.recordings.overrides import StreamOverrides
from rtbci.types import Times

POLL_S = 0.01
Clock = Callable[[Times], Times]


class Border:
    """A border that is polled as a source does it, on the clock of the simulation."""

    def __init__(self, sender: Sender, overrides: StreamOverrides | None = None, says: float | None = None) -> None:
        self.sender = sender
        self.border = StreamBorder(overrides or StreamOverrides())
        info = Description("amp", sender.says if says is None else says, 2)
        self.info = self.border.open(info, "host", 1.0, is_replay=False)
        self.chunks: list[RawSamples] = []
        self.told: list[str] = []
        self.held_s = 0.0
        self.true: list[Times] = []

    def run(self, seconds: float, clock: Clock = lambda stamps: stamps, seed: int = 0) -> "Border":
        first = now = 0.0
        for stamps, at in self.sender.chunks(seconds, seed):
            first = first or at
            while self.border.is_looking and now and now + POLL_S < at:
                now += POLL_S
                self._take(self.border.due(now), now - first)
            now = at
            self.true.append(stamps)
            self._take(self.border.take(np.ones((len(stamps), 2), np.float32), clock(stamps), at), at - first)
        return self

    def _take(self, items: list[RawSamples | StreamDoubt], after_s: float) -> None:
        for item in items:
            if isinstance(item, StreamDoubt):
                self.told.append(item.text)
            else:
                if item.held:
                    self.held_s = after_s
                self.chunks.append(item)

    @property
    def stamps(self) -> Times:
        return np.concatenate([chunk.stamps for chunk in self.chunks])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "sender",
    [
        Sender(),
        Sender(stamps="true"),
        Sender(chunk=50, late_s=0.02),
        Sender(sends=249.8),
        Sender(busy=0.3, jitter_s=3e-3),
    ],
    ids=["plain", "true stamps", "late pushes", "drift", "busy host"],
)
def test_a_stream_that_is_what_it_says_is_held_a_second_or_two_and_nothing_is_changed(
    sender: Sender, seed: int
) -> None:
    border = Border(sender).run(5.0, seed=seed)
    assert border.told == []
    np.testing.assert_array_equal(border.stamps, np.concatenate(border.true))
    assert border.held_s < 2.1
    assert [chunk.held for chunk in border.chunks] == sorted([chunk.held for chunk in border.chunks], reverse=True)
    arrivals = [chunk.at for chunk in border.chunks]
    assert arrivals == [at for _, at in sender.chunks(5.0, seed)]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("stamps", ["true", "pushed"])
@pytest.mark.parametrize(
    ("says", "sends", "chunk"), [(250, 125, 5), (128, 256, 10), (256, 200, 8), (500, 512, 20), (160, 128, 4)]
)
def test_a_rate_that_is_grossly_wrong_is_refused_with_what_was_measured_and_the_way_on(
    says: float, sends: float, chunk: int, stamps: str, seed: int
) -> None:
    says_so = rf"stream 'amp' says {says:g} Hz, but sends .* Hz by its stamps.*--sfreq {sends:g}$"
    border = Border(Sender(says, sends, chunk, stamps, busy=0.0))
    with pytest.raises(StreamMismatch, match=says_so):
        border.run(5.0, seed=seed)
    assert border.chunks == []


def test_stamps_that_count_samples_at_the_rate_that_is_said_do_not_hide_a_wrong_rate() -> None:
    sender = Sender(250, 125, 5, "true")
    with pytest.raises(StreamMismatch, match=r"sends 12\d(\.\d)? Hz by this machine's clock.*--sfreq 125"):
        Border(sender).run(5.0, lambda stamps: 1000.0 + (stamps - 1000.0) / 2)


@pytest.mark.parametrize("burst", [0.1, 0.2, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("stamps", ["burst", "equal", "pushed"])
def test_bursts_are_no_other_rate(burst: float, stamps: str) -> None:
    border = Border(Sender(chunk=round(250 * burst), stamps=stamps)).run(12.0)
    assert border.told == []
    np.testing.assert_array_equal(border.stamps, np.concatenate(border.true))


@pytest.mark.parametrize("chunk", [1, 13])
@pytest.mark.parametrize("seed", range(10))
def test_lost_packets_are_no_other_rate(chunk: int, seed: int) -> None:
    assert Border(Sender(256, 256, chunk, "true", loss=0.2)).run(6.0, seed=seed).told == []


def test_the_rate_that_a_person_gives_wins_and_is_measured_too() -> None:
    right = Border(Sender(128, 256, 10, busy=0.0), StreamOverrides(sfreq=256.0)).run(4.0)
    assert right.told == []
    assert right.info.sfreq == 256
    assert (np.diff(right.stamps) > 0).all()
    wrong = Border(Sender(256, 256), StreamOverrides(sfreq=128.0)).run(4.0)
    (told,) = wrong.told
    assert told.startswith("--sfreq 128: stream 'amp' sends 25")
    assert wrong.border.measured == {}


@pytest.mark.parametrize("stamps", ["true", "equal", "burst"])
def test_a_stream_without_a_rate_is_measured(stamps: str) -> None:
    border = Border(Sender(stamps=stamps), says=0.0).run(8.0)
    (told,) = border.told
    assert told.startswith("stream 'amp' says no rate and sends 2")
    assert "250 Hz is taken, --sfreq says another" in told
    assert border.border.measured == {"sfreq": 250.0}
    assert border.border.believed(border.info).sfreq == 250
    np.testing.assert_array_equal(border.stamps, np.concatenate(border.true))


def test_a_stream_without_a_rate_and_without_regular_samples_is_refused() -> None:
    rng = np.random.default_rng(0)
    border = StreamBorder(StreamOverrides())
    border.open(Description("amp", 0.0, 1), "host", 1.0, is_replay=False)

    def run() -> None:
        at = 1000.0
        for _ in range(3000):
            at += rng.exponential(1 / 250)
            border.take(np.ones((1, 1), np.float32), np.array([at]), at)

    with pytest.raises(StreamMismatch, match="says no rate, and sends .*, unevenly; give its rate with --sfreq"):
        run()


NOW = time.time()
FOREIGN: dict[str, tuple[Clock, str]] = {
    "Unix": (lambda s: s - 1000.0 + NOW, "count Unix time"),
    "uptime": (lambda s: s - 1000.0, "behind this machine's clock"),
    "future": (lambda s: s + 0.4, "ahead of this machine's clock"),
    "ms": (lambda s: s * 1e3, "are in milliseconds"),
    "ms since 1970": (lambda s: (s + 1.7e9) * 1e3, "are in milliseconds"),
    "µs": (lambda s: s * 1e6, "are in microseconds"),
    "ns since 1970": (lambda s: (s + 1.7e9) * 1e9, "are in nanoseconds"),
    "samples": (lambda s: np.round((s - 1000.0) * 250), "are in samples"),
}


@pytest.mark.parametrize(
    "sender", [Sender(stamps="true"), Sender(chunk=1, stamps="true"), Sender(chunk=125, stamps="true")]
)
@pytest.mark.parametrize("kind", FOREIGN)
def test_stamps_of_another_clock_or_unit_are_put_on_this_machines_clock(kind: str, sender: Sender) -> None:
    clock, words = FOREIGN[kind]
    border = Border(sender).run(8.0, clock)
    (told,) = border.told
    assert told.startswith("time stamps of stream 'amp'")
    assert words in told
    assert told.endswith("they are put on this machine's clock; --clock arrival, where they are no use")
    np.testing.assert_allclose(border.stamps, np.concatenate(border.true), rtol=0, atol=0.004)
    np.testing.assert_allclose(np.diff(border.stamps), 1 / 250, rtol=0, atol=2e-6)


USELESS: dict[str, tuple[Clock, str]] = {
    "NaN": (lambda s: np.full(len(s), np.nan), "are no numbers"),
    "infinite": (lambda s: np.full(len(s), -np.inf), "are no numbers"),
    "zero": (np.zeros_like, "stand still"),
    "the start of the session": (lambda s: np.full(len(s), 1000.0), "stand still"),
    "backwards": (lambda s: 2000.0 - s, "run backwards"),
    "twice as fast": (lambda s: 2 * s - 1000.0, "advance by 2 s in a second"),
}


@pytest.mark.parametrize("sender", [Sender(), Sender(chunk=1, jitter_s=1e-4), Sender(chunk=62)])
@pytest.mark.parametrize("kind", USELESS)
def test_stamps_that_are_no_use_are_made_from_arrivals(kind: str, sender: Sender) -> None:
    clock, words = USELESS[kind]
    border = Border(sender).run(8.0, clock)
    (told,) = border.told
    assert told == f"time stamps of stream 'amp' {words}: samples are stamped as they arrive"
    assert not border.border.has_stamps
    assert len(border.stamps) == sum(map(len, border.true))
    np.testing.assert_allclose(border.stamps, np.concatenate(border.true), rtol=0, atol=0.07)
    assert (np.diff(border.stamps) > 0).all()


def test_a_person_may_ask_for_stamps_by_arrival_and_is_told_nothing() -> None:
    border = Border(Sender(busy=0.2), StreamOverrides(clock="arrival")).run(8.0)
    assert border.told == []
    steps = np.diff(border.stamps) * 250
    assert 0.96 < steps.min() <= steps.max() < 1.04


def test_single_stamps_that_are_no_numbers_are_counted_on_and_told_once() -> None:
    def with_holes(stamps: Times) -> Times:
        broken = stamps.copy()
        if int(stamps[0] * 10) % 7 == 0:
            broken[2:5] = np.nan
        return broken

    border = Border(Sender(stamps="true")).run(8.0, with_holes)
    assert border.told == ["some of its time stamps are no numbers; these samples are counted on"]
    np.testing.assert_allclose(border.stamps, np.concatenate(border.true), rtol=0, atol=1e-6)


def test_a_stream_that_returns_is_known_and_its_clock_may_be_another() -> None:
    border = Border(Sender(stamps="true")).run(4.0, lambda s: s - 1000.0)
    border.told.clear()
    info = Description("amp", 250.0, 2)
    assert border.border.open(info, "host", 1.0, is_replay=False).sfreq == 250
    assert not border.border.is_looking
    taken = 2000.0 + np.arange(10) / 250
    items = border.border.take(np.ones((10, 2), np.float32), taken - 1990.0, float(taken[-1]) + 0.001)
    assert isinstance(items[0], StreamDoubt)
    assert "1.0 s" not in items[0].text
    assert items[0].text.endswith("they are moved back onto it")
    assert isinstance(items[1], RawSamples)
    np.testing.assert_allclose(items[1].stamps, taken, atol=0.002)
    border.border.open(Description("amp", 500.0, 2), "host", 1.0, is_replay=False)
    assert border.border.is_looking  # another rate: another stream


def test_what_is_held_when_the_stream_ends_is_not_lost() -> None:
    border = Border(Sender())
    for stamps, at in border.sender.chunks(0.5):
        assert border.border.take(np.ones((len(stamps), 2), np.float32), stamps, at) == []
    assert sum(len(item) for item in border.border.give_up() if isinstance(item, RawSamples)) == 120
    assert border.border.give_up() == []


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.0])
def test_a_replay_is_paced_by_its_own_word_and_never_held(speed: float) -> None:
    border = StreamBorder(StreamOverrides())
    border.open(Description("amp", 250.0, 1), "host", speed, is_replay=True)
    stamps = 7000.0 + np.arange(10) / 250
    (item,) = border.take(np.ones((10, 1), np.float32), stamps, 1000.0)
    assert isinstance(item, RawSamples)
    np.testing.assert_array_equal(item.stamps, stamps)


def test_a_replay_as_fast_as_possible_keeps_its_stamps_when_it_returns_for_they_do_not_advance_with_time() -> None:
    border = StreamBorder(StreamOverrides())
    info, ahead = Description("amp", 250.0, 1), 7000.0 + np.arange(10) / 250

    def returned_at(speed: float) -> Times:
        border.restart(speed)
        border.open(info, "host", 0.0, is_replay=True)
        item = border.take(np.ones((10, 1), np.float32), ahead, 1000.0)[-1]
        assert isinstance(item, RawSamples)
        return item.stamps

    border.open(info, "host", 0.0, is_replay=True)
    border.take(np.ones((10, 1), np.float32), ahead, 1000.0)
    np.testing.assert_array_equal(returned_at(0.0), ahead)
    assert returned_at(1.0)[-1] == 1000.0


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_rows_that_a_radio_sends_twice_are_no_other_rate(share: float) -> None:
    sfreq, n_each, rng = 256.0, 8, np.random.default_rng(0)
    border = StreamBorder(StreamOverrides())
    border.open(Description("amp", sfreq, 2), "host", 1.0, is_replay=False)
    taken: list[RawSamples] = []
    for k in range(200):
        stamps = 100 + np.arange(k * n_each, (k + 1) * n_each) / sfreq
        rows, at = rng.integers(-99, 99, (n_each, 2)).astype(np.int16), float(stamps[-1]) + 0.01
        for _ in range(1 + (rng.random() < share)):
            taken += [item for item in border.take(rows, stamps, at) if isinstance(item, RawSamples)]
    assert sum(map(len, taken)) > 200 * n_each  # nothing is left out here
