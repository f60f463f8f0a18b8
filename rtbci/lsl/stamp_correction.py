"""Stamps of other clocks and units, put on the local clock; between an inlet and all that reads stamps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from rtbci.lsl.arrival_clock import ArrivalClock
from rtbci.lsl.arrivals import Arrivals
from rtbci.recordings.rates import fit_rate
from rtbci.recordings.stamps import respaced
from rtbci.types import Times

BEHIND_S = 10.0  # no chunk is delivered later than this in time with the samples
AHEAD_S = 0.05  # more than two clocks that are measured against each other are apart
_AGREES = 0.1  # by how much more or less than a second stamps may advance in a second
_ROUGH = 0.5  # error of this from two chunks
_SECONDS = 3.0  # so many times more, or less, may still be seconds then
_LEAST_S = 0.3
_UNITS = {1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds", 1e7: "ticks of 100 ns"}
_DAY_S = 86400.0


@dataclass
class StampCorrection:
    """What is done to the stamps of a stream.

    Parameters
    ----------
    rate_hz
        Samples per second of this machine's clock.
    scale
        Units of the stamps in a second.
    shift_s
        What is added to stamps in seconds.
    clock
        Makes the stamps from arrivals, where those of the stream are no use.
    says_hz
        Rate that the stream says, from which LSL deduces the stamps within a chunk; 0: none.
    is_paced
        Whether stamps advance with time; those of a replay as fast as possible do not.
    """

    rate_hz: float
    scale: float = 1.0
    shift_s: float = 0.0
    clock: ArrivalClock | None = None
    says_hz: float = 0.0
    is_paced: bool = True
    n_unusable: int = 0  # stamps that were no numbers so far
    _newest: float = math.nan

    def apply(self, raw: Times, at: float) -> Times:
        """Stamps on the local clock (n_samples,); at: when the newest of these samples came."""
        if self.clock is not None:
            return self.clock.stamps(len(raw), at)
        stamps = self._on_local_clock(raw)
        if not np.isfinite(stamps).all():
            stamps = self._counted_on(stamps, at)
        if self.says_hz:
            stamps = respaced(stamps, self.says_hz, self.rate_hz)
        if len(stamps):
            self._newest = float(stamps[-1])
        return stamps

    def connected_anew(self, raw: Times, at: float) -> str:
        """The same stream over another connection, and its first stamps. Returns what was done about them, if anything."""
        if self.clock is not None:
            self.clock.restart(self.rate_hz)
            return ""
        if not self.is_paced:
            return ""
        stamps = self._on_local_clock(raw)
        finite = stamps[np.isfinite(stamps)]
        lag_s = at - float(finite[-1]) if len(finite) else 0.0
        if -AHEAD_S <= lag_s <= BEHIND_S:
            return ""
        self.shift_s += lag_s
        return f"its time stamps are {lag_text(lag_s)} the clock that they were on before; they are moved back onto it"

    def restart(self, rate_hz: float, *, is_paced: bool) -> None:
        """Samples come at another pace from now on."""
        self.rate_hz, self.is_paced = rate_hz, is_paced
        if self.clock is not None:
            self.clock.restart(rate_hz)

    def _on_local_clock(self, raw: Times) -> Times:
        stamps = raw if self.scale == 1 else raw / self.scale
        return stamps + self.shift_s if self.shift_s else stamps

    def _counted_on(self, stamps: Times, at: float) -> Times:
        """Where a stamp is no number, the sample comes a period after the one before it."""
        usable = np.isfinite(stamps)
        self.n_unusable += int(np.count_nonzero(~usable))
        number = np.arange(len(stamps))
        last = np.maximum.accumulate(np.where(usable, number, -1))
        before = self._newest if math.isfinite(self._newest) else at - len(stamps) / self.rate_hz
        base = np.where(last < 0, before, stamps[np.maximum(last, 0)])
        counted: Times = base + (number - last) / self.rate_hz
        return counted


def lag_text(lag_s: float) -> str:
    """How far stamps are from a clock: "3.0 s behind", "0.1 s ahead of"."""
    return f"{lag_s:.1f} s behind" if lag_s > 0 else f"{-lag_s:.1f} s ahead of"


def find_correction(
    arrivals: Arrivals, stamps: Times, rate_hz: float, now: float
) -> tuple[StampCorrection | None, str]:
    """What has to be done to the stamps of a stream that has just begun.

    Parameters
    ----------
    arrivals
        The newest stamp of each chunk so far, and when it came.
    stamps
        Of all samples so far, as they came.
    rate_hz
        Samples per second that the stream says, or that came; 0: not known.
    now
        The local clock.

    Returns
    -------
    correction, words
        None where the stamps are no use, and nothing but the arrivals says when a sample was taken; and what was
        found, "" where nothing was wrong.
    """
    usable = np.isfinite(stamps)
    if np.count_nonzero(usable) < len(stamps) / 2:
        return None, "are no numbers"
    scale, words = _scale(arrivals, stamps[usable], rate_hz)
    if scale is None:
        return None, words
    lag_s = arrivals.least_lag_s(scale)
    if scale == 1 and -AHEAD_S <= lag_s <= BEHIND_S:
        return StampCorrection(rate_hz), ""
    unix = abs(now - lag_s - time.time()) < _DAY_S
    whose = "count Unix time" if unix else f"are {lag_text(lag_s)} this machine's clock"
    words = f"are in {words}" if scale != 1 else whose
    return StampCorrection(rate_hz, scale, lag_s), words


def _scale(arrivals: Arrivals, stamps: Times, rate_hz: float) -> tuple[float | None, str]:
    """Units of the stamps in a second, and their name; None, and why, where the stamps count no time."""
    pace, error = pace_of(arrivals) or (_pace_within(stamps, rate_hz), _ROUGH)
    units = {1.0: "seconds"} | _UNITS | ({rate_hz: "samples"} if rate_hz > _SECONDS else {})
    for scale, name in units.items():
        if abs(pace / scale - 1) <= error:
            return scale, name
    if pace == 0:
        return None, "stand still"
    if pace < 0:
        return None, "run backwards"
    if error == _ROUGH and 1 / _SECONDS <= pace <= _SECONDS:
        return 1.0, "seconds"
    return None, f"advance by {pace:.3g} s in a second"


def pace_of(arrivals: Arrivals) -> tuple[float, float] | None:
    """By how much stamps advance in a second, and the largest relative error of that; None before it can be told."""
    _, stamps, at = arrivals.points()
    if len(at) < 2 or at[-1] - at[0] < _LEAST_S:
        return None
    rough = float(stamps[-1] - stamps[0]) / (at[-1] - at[0])
    fit = fit_rate(at, stamps) if rough > 0 else None
    if fit is None or fit.error > _ROUGH:
        return rough, _ROUGH
    return 1 / fit.hz, _AGREES + fit.error


def _pace_within(stamps: Times, rate_hz: float) -> float:
    """The same from the samples of one chunk; 1 s where they are stamped as a burst, or nothing is odd."""
    pace = float(np.median(np.diff(stamps))) * rate_hz if len(stamps) > 2 else 1.0
    return pace if pace > 1 / _ROUGH * 10 else 1.0
