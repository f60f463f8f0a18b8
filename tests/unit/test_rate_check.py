"""The rate of a running stream: told once when it is off, an alarm when it is wrong, silence for drift, bursts and losses."""

import pytest
from senders import Sender

from rtbci.lsl.rate_check import RateCheck, RateVerdict


def run(sender: Sender, seconds: float, speed: float = 1.0, seed: int = 0) -> tuple[RateCheck, list[RateVerdict]]:
    check, told = RateCheck(sender.says, speed), []
    for stamps, at in sender.chunks(seconds, seed):
        stamp, at = 1000 + (float(stamps[-1]) - 1000) / speed, 1000 + (at - 1000) / speed
        check.add(len(stamps), stamp, at)
        if (verdict := check.check(at)) is not None:
            told.append(verdict)
    return check, told


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stamps", ["true", "pushed"])
@pytest.mark.parametrize(("says", "sends"), [(125, 124), (250, 253)])
def test_a_small_deviation_is_told_once(says: float, sends: float, stamps: str, seed: int) -> None:
    check, told = run(Sender(says, sends, 5, stamps), 40.0, seed=seed)
    ((kind, words),) = told
    assert kind == "off"
    assert words.startswith(f"taken as {says} Hz, but sends {sends} Hz by its stamps")
    assert words.endswith(f"--sfreq {sends}")
    assert check.verdict is not None
    assert check.by_stamps_hz == pytest.approx(sends, rel=1e-3)


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_gross_error_that_becomes_certain_late_is_told(speed: float) -> None:
    check, told = run(Sender(128, 256, 256, "equal"), 60.0, speed)
    ((kind, words),) = told
    assert kind == "wrong"
    assert words.endswith("frequencies and durations are off by 100.0%; --sfreq 256")
    assert check.by_stamps_hz == pytest.approx(256 * speed, rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "sender",
    [
        Sender(),
        Sender(busy=0.3, jitter_s=3e-3),
        Sender(chunk=50, late_s=0.02),
        Sender(chunk=250, late_s=0.02),
        Sender(chunk=125, stamps="burst"),
        Sender(sends=250 * (1 - 1e-3)),
        Sender(256, 256, 13, "true", loss=0.01),
        Sender(256, 256, 13, "true", loss=0.2),
    ],
    ids=["plain", "busy host", "late pushes", "late seconds", "bursts", "1000 ppm", "1 % lost", "20 % lost"],
)
def test_drift_bursts_lateness_and_losses_are_no_other_rate(sender: Sender, seed: int) -> None:
    check, told = run(sender, 120.0, seed=seed)
    assert told == []
    assert check.verdict is None


def test_stamps_that_count_at_the_rate_that_is_said_do_not_hide_the_rate() -> None:
    sender = Sender(250, 245, 10)
    check, told = RateCheck(250), []
    n = 0
    for stamps, at in sender.chunks(40.0):
        n += len(stamps)
        check.add(len(stamps), 1000 + n / 250, at)
        told += [verdict] if (verdict := check.check(at)) is not None else []
    assert [verdict.kind for verdict in told] == ["off"]
    assert "250 Hz by its stamps and 245 Hz by this machine's clock" in told[0].words
    assert told[0].words.endswith("--sfreq 245")


def test_a_break_a_reconnection_or_another_pace_begins_anew_and_a_right_rate_ends_the_doubt() -> None:
    check, told = run(Sender(125, 124, 5, "true"), 20.0)
    assert len(told) == 1
    check.restart(1.0)
    assert check.verdict is not None  # nothing was measured that says otherwise
    assert check.by_stamps_hz is None
    for stamps, at in Sender(125, 125, 5, "true").chunks(20.0, begins=2000.0):
        check.add(len(stamps), float(stamps[-1]), at)
        assert check.check(at) is None
    assert check.verdict is None


def test_an_unpaced_replay_and_a_paused_one_have_no_rate() -> None:
    check = RateCheck(250, 0.0)
    for stamps, at in Sender().chunks(20.0):
        check.add(len(stamps), float(stamps[-1]), at)
        assert check.check(at) is None
    assert check.by_stamps_hz is None


def test_stamps_that_were_made_from_arrivals_are_not_measured() -> None:
    check = RateCheck(250, has_stamps=False)
    for stamps, at in Sender(250, 125, 5).chunks(40.0):
        check.add(len(stamps), float(stamps[-1]), at)
        check.check(at)
    assert check.by_stamps_hz is None
    assert check.verdict is not None
    assert "by its stamps" not in check.verdict.words
