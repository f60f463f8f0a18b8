"""Stamps by arrival: even, in order, never later than the samples came, whatever held the chunks up."""

import numpy as np
import pytest
from senders import Sender

from rtbci.lsl.arrival_clock import ArrivalClock


def run(sender: Sender, seconds: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stamps, true times, and arrivals of the newest sample of each chunk."""
    clock = ArrivalClock(sender.says)
    stamps, arrivals = [], []
    for chunk, at in sender.chunks(seconds, seed):
        stamps.append(clock.stamps(len(chunk), at))
        arrivals.append(at)
    n = sum(map(len, stamps))
    return np.concatenate(stamps), 1000.0 + (1 + np.arange(n)) / sender.sends, np.array(arrivals)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "sender",
    [Sender(busy=0.3), Sender(chunk=50, late_s=0.02), Sender(chunk=250), Sender(chunk=1), Sender(sends=250 * 1.001)],
    ids=["busy host", "late pushes", "bursts of 1 s", "single samples", "1000 ppm fast"],
)
def test_stamps_are_even_and_follow_the_samples_that_came_in_time(sender: Sender, seed: int) -> None:
    stamps, true, arrivals = run(sender, 60.0, seed)
    steps = np.diff(stamps) * sender.says
    assert (steps > 0).all()
    settled = len(stamps) // 2
    assert steps[settled:].min() > 0.99
    assert steps[settled:].max() < 1.01
    assert np.abs(stamps[settled:] - true[settled:]).max() < 0.02
    newest = stamps[sender.chunk - 1 :: sender.chunk]
    assert (newest[len(newest) // 2 :] < arrivals[len(newest) // 2 :] + 0.005).all()


def test_the_first_chunk_may_have_waited() -> None:
    chunks = list(Sender(busy=0.0).chunks(10.0))
    clock = ArrivalClock(250)
    arrivals = [at for _, at in chunks]
    arrivals[0] += 0.3
    clock.begin([len(stamps) for stamps, _ in chunks[:25]], arrivals[:25])
    stamps = np.concatenate([clock.stamps(len(s), at) for (s, _), at in zip(chunks, arrivals, strict=True)])
    np.testing.assert_allclose(stamps, 1000.0 + (1 + np.arange(len(stamps))) / 250, atol=0.003)


def test_a_break_of_the_stream_is_a_break_of_its_stamps() -> None:
    clock, true, stamps = ArrivalClock(250), [], []
    for shift, part in ((0.0, range(250)), (5.0, range(250, 500))):
        for k in part:
            times = shift + (k * 10 + 1 + np.arange(10)) / 250
            true.append(times)
            stamps.append(clock.stamps(10, float(times[-1])))
    error = np.concatenate(stamps) - np.concatenate(true)
    assert np.abs(error[:2500]).max() < 1e-9
    assert np.abs(error[-2000:]).max() < 0.01
    assert np.diff(np.concatenate(stamps)).max() == pytest.approx(5.0, abs=0.1)


def test_after_another_connection_time_goes_on() -> None:
    clock = ArrivalClock(250)
    before = clock.stamps(10, 100.0)
    clock.restart(250)
    after = clock.stamps(10, 100.01)
    assert (np.diff(np.concatenate([before, after])) > 0).all()
    clock.restart(250)
    assert clock.stamps(10, 160.0)[-1] == pytest.approx(160.0)
    assert len(clock.stamps(0, 161.0)) == 0
