"""What can be known of a rate from stamps and arrivals: never wrong by haste, and never too polite for a gross error."""

import numpy as np
import pytest
from senders import Sender

from rtbci.recordings.rates import RateFit, fit_rate, measured_words, wrong_rate
from rtbci.recordings.stamps import rate_refusal, respaced
from rtbci.types import Times

SEEDS = range(20)


def newest(sender: Sender, seconds: float, seed: int) -> tuple[Times, Times, Times]:
    """Numbers, stamps and arrivals of the newest sample of each chunk but the first."""
    found = [(len(stamps), stamps[-1], at) for stamps, at in sender.chunks(seconds, seed)]
    sizes, stamps, at = np.array(found).T
    return np.cumsum(sizes)[1:], stamps[1:], at[1:]


def verdicts(sender: Sender, seconds: float) -> set[str]:
    said = set()
    for seed in SEEDS:
        numbers, stamps, at = newest(sender, seconds, seed)
        for times in (stamps, at):
            fit = fit_rate(numbers, times)
            said.add(fit.verdict(sender.says) if fit is not None else "unknown")
    return said


@pytest.mark.parametrize("stamps", ["true", "pushed"])
@pytest.mark.parametrize(
    ("says", "sends", "chunk"), [(250, 125, 5), (128, 256, 10), (256, 200, 8), (500, 512, 20), (1000, 250, 4)]
)
def test_a_gross_error_is_certain_within_seconds(says: float, sends: float, chunk: int, stamps: str) -> None:
    assert verdicts(Sender(says, sends, chunk, stamps), 5.0) == {"wrong"}


@pytest.mark.parametrize(("says", "sends"), [(125, 124), (250, 253)])
def test_a_small_deviation_is_certain_within_ten_seconds(says: float, sends: float) -> None:
    assert verdicts(Sender(says, sends, chunk=5), 10.0) == {"off"}


@pytest.mark.parametrize(
    "sender",
    [
        Sender(),
        Sender(busy=0.3, jitter_s=3e-3),
        Sender(chunk=50, late_s=0.02),
        Sender(chunk=125, stamps="burst"),
        Sender(chunk=250, stamps="equal"),
        Sender(sends=250 * (1 - 1e-3)),
        Sender(says=2048, sends=2048 * (1 - 195e-6), chunk=32),
    ],
    ids=["plain", "busy host", "late pushes", "bursts", "one stamp a second", "1000 ppm", "195 ppm at 2 kHz"],
)
def test_a_rate_that_is_right_is_never_called_anything_else(sender: Sender) -> None:
    for seconds in (1.0, 2.0, 5.0, 30.0):
        assert verdicts(sender, seconds) <= {"right", "unknown"}
    assert verdicts(sender, 30.0) == {"right"}


@pytest.mark.parametrize("chunk", [1, 13])
@pytest.mark.parametrize("loss", [0.01, 0.2, 0.5])
def test_lost_samples_are_no_other_rate(loss: float, chunk: int) -> None:
    sender = Sender(256, 256, chunk, "true", loss=loss)
    for seconds in (2.0, 5.0, 30.0):
        assert verdicts(sender, seconds) <= {"right", "unknown"}


def test_a_stream_that_has_not_settled_or_breaks_off_says_nothing() -> None:
    flushed = np.sort(np.concatenate([np.arange(100) / 2500, 0.04 + np.arange(200) / 250]))  # a buffer that is emptied
    paused = np.concatenate([np.arange(125) / 250, 0.8 + np.arange(125) / 250])
    for times in (flushed, paused):
        fit = fit_rate(np.arange(len(times)), times)
        assert fit is not None
        assert fit.verdict(250) == "unknown"


def test_stamps_that_stand_still_go_back_or_are_few_have_no_rate() -> None:
    for times in (np.full(50, 3.0), -np.arange(50) / 250, np.arange(4) / 250):
        assert fit_rate(np.arange(len(times)), times) is None


@pytest.mark.parametrize(
    ("hz", "error", "wanted"),
    [(255.7, 2e-3, 256.0), (124.0, 1e-6, 124.0), (249.2, 5e-3, 250.0), (333.4, 2e-3, 333.0), (237.214, 1e-4, 237.21)],
)
def test_a_measured_rate_becomes_one_that_amplifiers_have(hz: float, error: float, wanted: float) -> None:
    assert RateFit(hz, error, 0.0, 10.0).plausible_hz == wanted


def test_samples_at_random_are_not_regular() -> None:
    rng = np.random.default_rng(0)
    at_random = fit_rate(np.arange(5000), np.cumsum(rng.exponential(1 / 250, 5000)))
    jittered = fit_rate(np.arange(500), np.arange(500) / 250 + rng.normal(0, 0.003, 500))
    assert at_random is not None
    assert jittered is not None
    assert (at_random.is_regular, jittered.is_regular) == (False, True)


def test_a_file_with_another_rate_than_its_header_is_refused_with_the_rate_that_is_right() -> None:
    def file(sender: Sender, seconds: float = 150.0) -> Times:
        return np.concatenate([stamps for stamps, _ in sender.chunks(seconds)])

    assert rate_refusal(file(Sender(256, 200, 8)), 256) == (
        "runs at 256 Hz by its header, but at 200 Hz by its stamps; its frequencies would be wrong; "
        "give its true rate with --sfreq 200"
    )
    with_gap = np.concatenate([np.arange(2000) / 200, 300 + np.arange(20000) / 200])
    assert "--sfreq 200" in rate_refusal(with_gap, 256)
    right = [Sender(), Sender(says=125, sends=124), Sender(chunk=250, stamps="equal"), Sender(loss=0.2, stamps="true")]
    assert [wrong_rate(file(sender), sender.says) for sender in right] == [None] * 4
    long_gap = np.concatenate([np.arange(2500) / 250, 13 + np.arange(2500) / 250])
    assert wrong_rate(long_gap, 250) is None


def test_stamps_that_lsl_deduced_from_a_wrong_rate_are_put_a_true_period_apart() -> None:
    sender = Sender(128, 256, 10, busy=0.0)
    for stamps, _ in sender.chunks(1.0):
        fixed = respaced(stamps, 128, 256)
        np.testing.assert_allclose(np.diff(fixed), 1 / 256, rtol=0, atol=1e-9)
        assert fixed[-1] == stamps[-1]
    joined = np.concatenate([stamps for stamps, _ in sender.chunks(1.0)])
    assert (np.diff(joined) < 0).any()
    assert (np.diff(respaced(joined, 128, 256)) > 0).all()
    true = np.arange(100) / 256
    np.testing.assert_array_equal(respaced(true, 128, 256), true)


def test_what_was_measured_is_said_with_its_clock() -> None:
    fit = RateFit(124.03, 1e-4, 0.0, 10.0)
    assert measured_words(fit, fit) == "124 Hz by its stamps and 124 Hz by this machine's clock"
    assert measured_words(None, fit) == "124 Hz by this machine's clock"
    assert measured_words(None) == ""
