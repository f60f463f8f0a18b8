"""Times of a recording's samples where index / rate would be wrong: gaps, and a rate that is not the nominal one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from rtbci.recordings.rates import RATE_ADVICE, measured_words, wrong_rate
from rtbci.types import Times

_LOOK_S = 0.5  # as the gap guard: what was lost stays lost, jitter comes and goes
_PERIODS = 0.6  # of lateness that stays
_DRIFT_S = 0.1  # over a recording; less is told by its event times anyhow
_LOSSY = 5e-3  # no crystal is off by so much
_MOST_NAMED = 3
_DEDUCED_S = 1e-6  # rounding of stamps


@dataclass(frozen=True)
class Segments:
    """Times of samples that are evenly spaced within each segment; as an array of seconds (n_samples,), not in memory.

    Parameters
    ----------
    firsts
        Number of each segment's first sample; the first is 0.
    onsets
        Its time in seconds; the first is 0. They increase.
    n_samples
        Of all segments.
    sfreq
        Rate within a segment, Hz.
    """

    firsts: tuple[int, ...]
    onsets: tuple[float, ...]
    n_samples: int
    sfreq: float

    def __len__(self) -> int:
        return self.n_samples

    @overload
    def __getitem__(self, part: int) -> float: ...

    @overload
    def __getitem__(self, part: slice) -> Times: ...

    def __getitem__(self, part: int | slice) -> float | Times:
        if isinstance(part, slice):
            return self._at(np.arange(*part.indices(self.n_samples)))
        return float(self._at(np.array([range(self.n_samples)[part]]))[0])

    def _at(self, samples: np.typing.NDArray[np.int64]) -> Times:
        firsts, onsets = np.array(self.firsts), np.array(self.onsets)
        segment = np.searchsorted(firsts, samples, "right") - 1
        times: Times = onsets[segment] + (samples - firsts[segment]) / self.sfreq
        return times

    def searchsorted(self, time_s: float) -> int:
        """The first sample at a time or after it."""
        segment = max(int(np.searchsorted(self.onsets, time_s, "right")) - 1, 0)
        last = (*self.firsts, self.n_samples)[segment + 1]
        first = self.firsts[segment] + int(np.ceil((time_s - self.onsets[segment]) * self.sfreq - 1e-6))
        return min(max(first, 0), last)

    def gaps(self) -> list[tuple[float, float]]:
        """(from, missing seconds) of each, from the end of a segment on."""
        ends = [
            onset + n / self.sfreq for onset, n in zip(self.onsets, np.diff([*self.firsts, len(self)]), strict=True)
        ]
        found = zip(ends, self.onsets[1:], strict=False)
        return [(end, onset - end) for end, onset in found if onset - end > _PERIODS / self.sfreq]


def from_blocks(onsets: Sequence[float], n_each: int, sfreq: float) -> Segments | None:
    """Segments of consecutive blocks of `n_each` samples; None where no block is elsewhere than index / rate.

    A block is where the file says, but for a rounding of less than half a sample.

    Raises
    ------
    ValueError
        If a block begins before the last one has ended.
    """
    firsts, starts = [0], [0.0]
    for number, onset in enumerate(onsets):
        at = onset - onsets[0]
        due = starts[-1] + (number * n_each - firsts[-1]) / sfreq
        if abs(at - due) >= 0.5 / sfreq:
            if at < due - 1 / sfreq:
                raise ValueError(f"block {number + 1} begins at {at:g} s, before the last one ends at {due:g} s")
            firsts.append(number * n_each)
            starts.append(at)
    if len(firsts) == 1:
        return None
    return Segments(tuple(firsts), tuple(starts), n_each * len(onsets), sfreq)


def respaced(stamps: Times, says_hz: float, sfreq: float) -> Times:
    """Stamps of samples that LSL deduced from the rate that a stream says, as the true rate has them.

    A sender that stamps a chunk stamps its newest sample; those before it are put a period apart, of a rate that may be
    wrong. What is not exactly that period apart was stamped otherwise, and stays.
    """
    if len(stamps) < 2 or says_hz == sfreq:
        return stamps
    number = np.arange(len(stamps))
    ends_run = np.append(np.abs(np.diff(stamps) - 1 / says_hz) > _DEDUCED_S, True)
    last = np.minimum.accumulate(np.where(ends_run, number, len(stamps))[::-1])[::-1]
    return np.where(last > number, stamps[last] - (last - number) / sfreq, stamps)


def gap_words(gaps: Sequence[tuple[float, float]]) -> list[str]:
    """A warning of gaps (from, missing seconds), if there are any."""
    if not gaps:
        return []
    named = [f"{missing:.4g} s from {start:.4g} s on" for start, missing in sorted(gaps, key=lambda g: -g[1])]
    more = f" and {len(gaps) - _MOST_NAMED} shorter" if len(gaps) > _MOST_NAMED else ""
    total = sum(missing for _, missing in gaps)
    number = f"{len(gaps)} gaps" if len(gaps) > 1 else "a gap"
    return [f"it has {number}, {total:.4g} s without samples in all: {', '.join(named[:_MOST_NAMED])}{more}"]


def stamp_words(stamps: Times, sfreq: float) -> list[str]:
    """Warnings of gaps in measured stamps, and of a rate between them that is not the nominal one."""
    if len(stamps) < 2:
        return []
    period, gaps = _gaps(stamps, sfreq)
    recorded_s = len(stamps) / sfreq
    drift_s = (period * sfreq - 1) * recorded_s
    told = []
    if abs(period * sfreq - 1) > 1e-5 and abs(drift_s) > _DRIFT_S:
        why = "; samples were lost, or the header is wrong" if abs(period * sfreq - 1) > _LOSSY else ""
        told.append(
            f"runs at {sfreq:g} Hz by its header but {1 / period:.6g} Hz by its stamps, {abs(drift_s):.3g} s "
            f"{'longer' if drift_s > 0 else 'shorter'} over the recording; times are those of the stamps{why}"
        )
    return [*told, *gap_words(gaps)]


def rate_refusal(stamps: Times, sfreq: float) -> str:
    """Why samples must not be classified as they are: their stamps have certainly another rate, which no gap explains; or ""."""
    fit = wrong_rate(stamps, sfreq)
    if fit is None:
        return ""
    return f"runs at {sfreq:g} Hz by its header, but at {measured_words(fit)}; {RATE_ADVICE.format(fit.plausible_hz)}"


def _gaps(stamps: Times, sfreq: float) -> tuple[float, list[tuple[float, float]]]:
    """The mean period between gaps, and the gaps as (from, missing seconds)."""
    from scipy.ndimage import minimum_filter1d

    steps = np.diff(stamps)
    look = max(8, round(_LOOK_S * sfreq))
    period = _median_period(stamps, sfreq, 2 * look)
    late = stamps - np.arange(len(stamps)) * period
    # The least late of what comes before a sample, and of it and what follows.
    least = minimum_filter1d(late, look, mode="nearest")
    half = look // 2
    before = np.concatenate([np.full(half, late[0]), least])[: len(late) - 1]
    after = np.concatenate([least[half:], np.full(half, least[-1])])[1 : len(late)]
    noise = 3 * float(np.percentile(np.abs(steps - period), 95))
    limit = max(_PERIODS * period, noise)
    at = np.flatnonzero((steps - period > limit) & (after - before > limit))
    # Jumps that are closer than a look are measured together.
    parts = np.split(at, np.flatnonzero(np.diff(at) >= look) + 1) if len(at) else []
    found = [(float(stamps[p[0]]) + period, float(after[p[-1]] - before[p[0]])) for p in parts]
    n_between = len(steps) - sum(int(p[-1] - p[0]) + 1 for p in parts)
    between_s = float(stamps[-1] - stamps[0]) - sum(float(stamps[p[-1] + 1] - stamps[p[0]]) for p in parts)
    return between_s / n_between if n_between and between_s > 0 else period, found


def _median_period(stamps: Times, sfreq: float, n: int) -> float:
    """Seconds between samples in the median stretch of `n` samples, so that gaps count for nothing."""
    n = min(len(stamps) - 1, n)
    return float(np.median(stamps[n:] - stamps[:-n])) / n or 1 / sfreq
