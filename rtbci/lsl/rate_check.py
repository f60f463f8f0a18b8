"""The rate of a stream that is read, measured all the time; between the inlet and the state, trust and log."""

from __future__ import annotations

from typing import NamedTuple

from rtbci.lsl.arrivals import Arrivals
from rtbci.recordings.rates import RateFit, Verdict, fit_rate, measured_words


class RateVerdict(NamedTuple):
    """What is wrong with the rate: "off" by less than GROSS, or "wrong" by more; and that in words."""

    kind: Verdict
    words: str


class RateCheck:
    """Compares the rate that is believed with stamps and arrivals, over the last KEEP_S.

    Parameters
    ----------
    sfreq
        Rate that is believed, Hz.
    speed
        Recorded seconds per second, of a replay; 0: no times can be expected.
    has_stamps
        Whether the stamps are the stream's own; those that were made from arrivals tell nothing.
    """

    KEEP_S = 30.0
    LEAST_S = 5.0
    ARRIVALS_S = 10.0  # least span of arrivals, which networks delay
    ARRIVALS_OFF_S = 20.0  # the same for a small deviation
    EVERY_S = 1.0
    CONFIRMED = 2  # verdicts in a row

    def __init__(self, sfreq: float, speed: float = 1.0, *, has_stamps: bool = True) -> None:
        self._sfreq, self._has_stamps = sfreq, has_stamps
        self._arrivals = Arrivals(self.KEEP_S)
        self.verdict: RateVerdict | None = None  # the present one; None: nothing is known to be wrong
        self._told: set[str] = set()
        self.restart(speed)

    def restart(self, speed: float) -> None:
        """Samples came over another connection, at another pace, or after a break: what was measured says nothing more."""
        self._speed = speed
        self._arrivals.restart()
        self._by_stamps: RateFit | None = None
        self._by_arrival: RateFit | None = None
        self._due = 0.0
        self._seen: list[Verdict] = []

    def add(self, n: int, stamp: float, at: float) -> None:
        """n samples came, the newest with this stamp, at this time of the local clock."""
        if self._speed:
            self._arrivals.add(n, stamp, at)

    def check(self, now: float) -> RateVerdict | None:
        """A verdict that has not been told yet; measures once a second."""
        if now < self._due or not self._speed:
            return None
        self._due = now + self.EVERY_S
        self._measure()
        kind = self._kind()
        self._seen = [*self._seen, kind][-self.CONFIRMED :]
        if len(self._seen) < self.CONFIRMED or len(set(self._seen)) > 1 or kind == "unknown":
            return None
        if kind == "right":
            self.verdict = None
            return None
        self.verdict = RateVerdict(kind, self._words())
        if kind in self._told:
            return None
        self._told.add(kind)
        return self.verdict

    @property
    def by_stamps_hz(self) -> float | None:
        """Samples in a second of their stamps; None before it is known."""
        return round(self._by_stamps.hz, 3) if self._by_stamps is not None and self._by_stamps.error < 0.02 else None

    def _measure(self) -> None:
        numbers, stamps, at = self._arrivals.points()
        span_s = float(at[-1] - at[0]) if len(at) else 0.0
        self._by_stamps = fit_rate(numbers, stamps) if self._has_stamps and span_s >= self.LEAST_S else None
        self._by_arrival = fit_rate(numbers, at) if span_s >= self.ARRIVALS_S else None

    def _kind(self) -> Verdict:
        """The worst that is certain."""
        found = {self._of_stamps, self._of_arrivals}
        worst: Verdict
        for worst in ("wrong", "off", "right"):
            if worst in found:
                return worst
        return "unknown"

    @property
    def _nominal(self) -> float:
        """Samples in a second of this machine's clock."""
        return self._sfreq * self._speed

    @property
    def _of_stamps(self) -> Verdict:
        return self._by_stamps.verdict(self._nominal) if self._by_stamps is not None else "unknown"

    @property
    def _of_arrivals(self) -> Verdict:
        fit = self._by_arrival
        found: Verdict = fit.verdict(self._nominal) if fit is not None else "unknown"
        return "right" if found == "off" and fit is not None and fit.span_s < self.ARRIVALS_OFF_S else found

    def _words(self) -> str:
        fits = self._by_stamps, self._by_arrival
        shown = [fit._replace(hz=fit.hz / self._speed) if fit is not None else None for fit in fits]
        shows_it = shown[0] if self._of_stamps == self._kind() else shown[1]
        assert shows_it is not None
        return (
            f"taken as {self._sfreq:g} Hz, but sends {measured_words(*shown)}: frequencies and durations are off by "
            f"{abs(shows_it.deviation(self._sfreq)):.1%}; --sfreq {shows_it.plausible_hz:g}"
        )
