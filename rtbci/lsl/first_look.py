"""The first second of a stream, held until its clock and its rate are known; between an inlet and the session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rtbci.errors import StreamMismatch
from rtbci.lsl.arrival_clock import ArrivalClock
from rtbci.lsl.arrivals import Arrivals
from rtbci.lsl.stamp_correction import StampCorrection, find_correction
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.rates import GROSS, NORMAL, RATE_ADVICE, RateFit, fit_rate, measured_words
from rtbci.stages.duplicates import DuplicateFilter
from rtbci.types import Chunk, Times

_SETTLING = 0.1  # a rate by arrivals alone has to be off by more in the first seconds: delays are not steady yet
_EXACT = 2e-3  # relative error of a rate that is measured
_ROUGH_S = 0.3


@dataclass(frozen=True)
class Held:
    """Samples as they came: values in the stream's own format (n_samples, n_channels), stamps as the inlet gives them."""

    values: Any
    stamps: Times
    at: float


@dataclass(frozen=True)
class Settled:
    """What is known of a stream that was looked at. sfreq: its rate; is_measured: because it says none itself."""

    sfreq: float
    is_measured: bool
    correction: StampCorrection
    warnings: tuple[str, ...]


class FirstLook:
    """Holds the first samples of a new stream until it is known what their stamps and their rate are worth.

    Answers of the first two seconds are not valid anyhow, while the filters settle, so that holding a second costs no
    answer; without it, a stream at half its rate would have outlets, a table of events and marks in a recording before it
    is refused.

    Parameters
    ----------
    name
        Of the stream.
    sfreq
        Rate that it says, Hz; 0: irregular.
    overrides
        What a person says of it.
    """

    LEAST_S = 1.0
    MOST_S = 2.0
    DOUBTFUL_S = 4.0  # where the rate seems wrong, but not certainly
    MEASURE_S = 8.0  # where the stream says no rate
    MOST_VALUES = 20_000_000
    JUDGE_EVERY_S = 0.05

    def __init__(self, name: str, sfreq: float, overrides: StreamOverrides) -> None:
        self.held: list[Held] = []
        self._name, self._says = name, sfreq
        self._told = overrides.sfreq
        self._by_arrival = overrides.clock == "arrival"
        self._sfreq = self._told or sfreq  # what is believed unless it is wrong; 0: there is none
        self._arrivals = Arrivals()
        self._duplicates = DuplicateFilter(self._sfreq, 1 / self._sfreq) if self._sfreq else None
        self._n_values = 0
        self._judge_due = 0.0
        self._evidence = _Evidence(None, None, None, "")

    def add(self, values: Any, stamps: Times, at: float) -> None:
        """Hold samples; at: when the newest of them came, on the local clock."""
        self.held.append(Held(np.array(values), stamps, at))
        self._n_values += np.size(values)
        usable = stamps[np.isfinite(stamps)]
        n_new = len(stamps) - self._n_again(values, stamps)
        if n_new:
            self._arrivals.add(n_new, float(usable[-1]) if len(usable) else 0.0, at)

    def _n_again(self, values: Any, stamps: Times) -> int:
        """Samples that came before: a radio that sends some of them twice has no other rate for that."""
        if self._duplicates is None or not np.isfinite(stamps).all():
            return 0
        with np.errstate(over="ignore", invalid="ignore"):  # values of any size, which are no EEG
            again = self._duplicates.find(Chunk(values, stamps))
        return int(np.count_nonzero(again)) if again is not None else 0

    def is_over(self, now: float) -> bool:
        """Whether enough is known, or nothing more can be known in reasonable time."""
        if not self.held:
            return False
        waited = now - self.held[0].at
        if waited >= (self.DOUBTFUL_S if self._sfreq else self.MEASURE_S) or self._n_values > self.MOST_VALUES:
            return True
        if waited < self.LEAST_S or now < self._judge_due:
            return False
        self._judge_due = now + self.JUDGE_EVERY_S
        self._judge()
        if not self._sfreq:
            return self._evidence.measured(_EXACT) is not None
        if self._evidence.is_wrong(self._sfreq) or self._evidence.is_right(self._sfreq):
            return True
        return waited >= self.MOST_S and not self._evidence.is_doubtful(self._sfreq)

    def settle(self) -> Settled:
        """What is believed. Raises StreamMismatch for a rate that is wrong, or that nobody says and nothing tells."""
        self._judge()
        evidence, stream = self._evidence, f"stream {self._name!r}"
        warnings = []
        if self._sfreq and evidence.is_wrong(self._sfreq):
            if not self._told:
                says = f"{stream} says {self._says:g} Hz, but sends {evidence.words}"
                raise StreamMismatch(f"{says}; {RATE_ADVICE.format(evidence.better(self._sfreq).plausible_hz)}")
            warnings.append(f"--sfreq {self._told:g}: {stream} sends {evidence.words}")
        sfreq = self._sfreq
        if not sfreq:
            measured = evidence.measured(NORMAL)
            if measured is None:
                found = f"{evidence.words}, unevenly" if evidence.words else "too few samples to measure it"
                raise StreamMismatch(f"{stream} says no rate, and sends {found}; give its rate with --sfreq")
            sfreq = measured.plausible_hz
            warnings.append(
                f"{stream} says no rate and sends {evidence.words}; {sfreq:g} Hz is taken, --sfreq says another"
            )
        correction, text = self._correction(sfreq)
        if text:
            warnings.append(f"time stamps of {stream} {text}")
        return Settled(sfreq, not self._sfreq, correction, tuple(warnings))

    def _judge(self) -> None:
        numbers, stamps, at = self._arrivals.points()
        correction, words = self._found(self._sfreq)
        by_stamps = fit_rate(numbers, stamps / correction.scale) if correction is not None else None
        self._evidence = _Evidence(by_stamps, fit_rate(numbers, at), _rough_hz(numbers, at), words)

    def _found(self, sfreq: float) -> tuple[StampCorrection | None, str]:
        if self._by_arrival:
            return None, ""
        return find_correction(self._arrivals, np.concatenate([h.stamps for h in self.held]), sfreq, self.held[-1].at)

    def _correction(self, sfreq: float) -> tuple[StampCorrection, str]:
        """What is done to the stamps, and what is told of it."""
        correction, words = self._found(sfreq)
        by_stamps = self._evidence.by_stamps
        if correction is not None and by_stamps is not None and self._evidence.is_at_odds(sfreq):
            correction, words = None, f"advance by {sfreq / by_stamps.hz:.3g} s in a second"
        if correction is None:
            clock = ArrivalClock(sfreq)
            clock.begin([len(h.stamps) for h in self.held], [h.at for h in self.held])
            text = f"{words}: samples are stamped as they arrive" if words else ""
            return StampCorrection(sfreq, clock=clock), text
        correction.says_hz = self._says
        if not words:
            return correction, ""
        return correction, f"{words}: they are put on this machine's clock; --clock arrival, where they are no use"


class _Evidence(NamedTuple):
    """What the first samples say of their rate. rough_hz: by arrivals, where these are few; stamps: why they are no use."""

    by_stamps: RateFit | None
    by_arrival: RateFit | None
    rough_hz: float | None
    stamps: str

    def is_wrong(self, sfreq: float) -> bool:
        """Whether the rate is certainly another."""
        by_stamps, by_arrival = self.by_stamps, self.by_arrival
        if by_arrival is not None and by_arrival.is_wrong(sfreq, by_more_than=_SETTLING):
            return True
        return by_stamps is not None and by_stamps.is_wrong(sfreq) and not self.is_at_odds(sfreq)

    def is_at_odds(self, sfreq: float) -> bool:
        """Whether only the stamps disagree with the rate, and samples come at it."""
        by_stamps, by_arrival = self.by_stamps, self.by_arrival
        if by_stamps is None or by_arrival is None:
            return False
        return by_stamps.is_wrong(sfreq) and by_arrival.verdict(sfreq) == "right"

    def is_right(self, sfreq: float) -> bool:
        """Whether the rate is certainly not far from this one."""
        agrees = ("right", "off")
        if self.by_arrival is None or self.by_arrival.verdict(sfreq) not in agrees:
            return False
        return bool(self.stamps) or (self.by_stamps is not None and self.by_stamps.verdict(sfreq) in agrees)

    def is_doubtful(self, sfreq: float) -> bool:
        """Whether the rate seems to be another."""
        if self.by_arrival is None:
            return self.rough_hz is not None and abs(self.rough_hz / sfreq - 1) > _SETTLING
        if abs(self.by_arrival.deviation(sfreq)) > _SETTLING:
            return True
        return self.by_stamps is not None and abs(self.by_stamps.deviation(sfreq)) > GROSS

    def measured(self, error: float) -> RateFit | None:
        """A rate that is even, and known to this relative error."""
        for fit in (self.by_stamps, self.by_arrival):
            if fit is not None and fit.is_regular and fit.error < error:
                return fit
        return None

    def better(self, sfreq: float) -> RateFit:
        """The fit that shows that a rate is wrong."""
        by_stamps, by_arrival = self.by_stamps, self.by_arrival
        if by_stamps is not None and (by_arrival is None or by_stamps.is_wrong(sfreq)):
            return by_stamps
        assert by_arrival is not None
        return by_arrival

    @property
    def words(self) -> str:
        """The rates that were measured: "124 Hz by its stamps and 124.1 Hz by this machine's clock"."""
        return measured_words(self.by_stamps, self.by_arrival)


def _rough_hz(numbers: Times, at: Times) -> float | None:
    if len(at) < 2 or at[-1] - at[0] < _ROUGH_S:
        return None
    return float((numbers[-1] - numbers[0]) / (at[-1] - at[0]))
