"""The rate of a stream or a file as it can be measured, and what follows where it is not the rate that is said."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rtbci.types import Times

NORMAL = 5e-3
"""Relative deviation of a rate that a quartz explains; beyond it the deviation is told."""
GROSS = 2e-2
"""Relative deviation beyond which a stream or a recording is refused: its frequencies are others than they seem."""

_CERTAIN = 3.0  # standard errors
_FEWEST = 5  # points of a fit
_MOST_POINTS = 20_000
_OUTLIERS = 2.5  # standard deviations, of a chunk that came late
_MOST_OUTLIERS = 0.3  # of all points
# How much closer to an even rate times must be than random losses would leave them, for a small and for a gross deviation.
_STRAIGHT, _VERY_STRAIGHT = 0.4, 0.25
_PIECE_S = 60.0  # of a file
_LEAST_S = 2.0
_COMMON = (125, 128, 160, 200, 250, 256, 300, 400, 500, 512, 600, 1000, 1024, 1200, 2000, 2048, 2400, 4096, 4800, 5000)

Verdict: TypeAlias = Literal["unknown", "right", "off", "wrong"]


class RateFit(NamedTuple):
    """A rate from the times of some samples.

    Attributes
    ----------
    hz
        Samples a second.
    error
        Largest likely error of `hz`, relative.
    wander_s
        Standard deviation of the times from those of an even rate.
    span_s
        From the first time to the last.
    """

    hz: float
    error: float
    wander_s: float
    span_s: float

    def deviation(self, sfreq: float) -> float:
        """From a rate that is said, relative; above 0: faster."""
        return self.hz / sfreq - 1

    def verdict(self, sfreq: float) -> Verdict:
        """Whether the rate that is said is right, a little off, or wrong; "unknown" where that is not certain.

        Lost samples look like a rate that is too low. They leave steps, so that times wander about an even rate the more,
        the more is lost; where times keep closer to an even rate than losses could, the rate itself is low.
        """
        if self._differs(sfreq, NORMAL):
            return "wrong" if self._differs(sfreq, GROSS) else "off"
        return "right" if abs(self.deviation(sfreq)) + self.error <= GROSS else "unknown"

    def is_wrong(self, sfreq: float, by_more_than: float = GROSS) -> bool:
        """Whether the rate is certainly off by more than a relative bound."""
        return self._differs(sfreq, by_more_than)

    def _differs(self, sfreq: float, bound: float) -> bool:
        deviation = self.deviation(sfreq)
        if abs(deviation) - self.error <= bound:
            return False
        return deviation > 0 or self._is_straight(sfreq, _STRAIGHT if bound < GROSS else _VERY_STRAIGHT)

    def _is_straight(self, sfreq: float, share: float) -> bool:
        lost_s = self.span_s * (1 - self.hz / sfreq)
        # Single samples that are lost at random add up to a random walk, which wanders by this about its line.
        walk_s = math.sqrt(max(lost_s, 0.0) / self.hz / 15)
        return self.wander_s < share * walk_s

    @property
    def is_regular(self) -> bool:
        """Whether samples come at an even rate at all, not at random."""
        return self.error < NORMAL and self.wander_s < 0.25 * math.sqrt(self.span_s / self.hz / 15)

    @property
    def plausible_hz(self) -> float:
        """A rate that amplifiers have and that agrees with this one; else an integer; else what was measured."""
        least = max(self.error, 1e-4)
        for rates in (_COMMON, (round(self.hz),)):
            nearest = min(rates, key=lambda rate: abs(self.hz - rate))
            if abs(self.hz - nearest) <= least * self.hz:
                return float(nearest)
        digits = max(0, -math.floor(math.log10(least * self.hz)))
        return round(self.hz, digits)


def fit_rate(numbers: npt.NDArray[Any], times: Times) -> RateFit | None:
    """The rate of samples that are evenly spaced, by least squares; None where they do not tell.

    Parameters
    ----------
    numbers
        Which samples (n_points,): how many came before each.
    times
        Their stamps or arrivals, s. Points that are late by themselves, as of a chunk that was held up, are left out.
    """
    n = len(numbers)
    if n < _FEWEST:
        return None
    if n > _MOST_POINTS:
        some = np.linspace(0, n - 1, _MOST_POINTS).astype(np.intp)
        numbers, times = numbers[some], times[some]
    x, y = numbers - numbers[0], times - times[0]
    line = _line(x, y)
    rest = y - line[0] * x - line[1]
    size = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    kept = np.abs(rest - np.median(rest)) <= _OUTLIERS * size
    if (1 - _MOST_OUTLIERS) * len(x) <= np.count_nonzero(kept) >= _FEWEST:
        x, y = x[kept], y[kept]
        line = _line(x, y)
        rest = y - line[0] * x - line[1]
    period, span = line[0], float(x[-1] - x[0])
    if not (math.isfinite(period) and period > 0 and span > 0):
        return None
    wander = float(np.sqrt(np.mean(rest**2)))
    # Neighbours deviate together, in bursts and where a host is busy: only changes of the sign are news.
    n_free = max(2.0, float(np.count_nonzero(np.diff(np.signbit(rest)))))
    error = _CERTAIN * wander * math.sqrt(12 / n_free) / (span * period)
    half = len(x) // 2
    if half >= 2:
        # A step, or a stream that has not settled, gives its halves other rates than the whole.
        halves = (_line(x[:half], y[:half])[0], _line(x[half:], y[half:])[0])
        error = max(error, *(abs(part / period - 1) for part in halves))
    return RateFit(1 / period, error, wander, span * period)


def wrong_rate(stamps: Times, sfreq: float) -> RateFit | None:
    """The rate of a file by its stamps (n_samples,), where it is certainly not the one that its header says; else None.

    It is measured minute by minute, so that a gap spoils one of them only.
    """
    n_pieces = max(1, round(len(stamps) / (_PIECE_S * sfreq)))
    pieces = [fit_rate(numbers, stamps[numbers]) for numbers in np.array_split(np.arange(len(stamps)), n_pieces)]
    fits = [fit for fit in pieces if fit is not None and fit.span_s > _LEAST_S]
    wrong = sorted(fit for fit in fits if fit.is_wrong(sfreq))
    if not wrong or 2 * len(wrong) < len(pieces) or any(fit.verdict(sfreq) in ("right", "off") for fit in fits):
        return None
    return wrong[len(wrong) // 2]


def _line(x: Times, y: Times) -> tuple[float, float]:
    """Slope and intercept."""
    middle_x, middle_y = float(x.mean()), float(y.mean())
    across = x - middle_x
    spread = float(across @ across)
    slope = float(across @ (y - middle_y)) / spread if spread else math.nan
    return slope, middle_y - slope * middle_x


# What becomes of a rate that is wrong, with the rate that seems right.
RATE_ADVICE = "its frequencies would be wrong; give its true rate with --sfreq {:g}"


def measured_words(by_stamps: RateFit | None, by_arrival: RateFit | None = None) -> str:
    """Measured rates in words, as "124 Hz by its stamps and 124.1 Hz by this machine's clock"; "" without any."""
    found = (by_stamps, "by its stamps"), (by_arrival, "by this machine's clock")
    return " and ".join(f"{fit.hz:.4g} Hz {how}" for fit, how in found if fit is not None)
