"""The gap guard: tells true loss from jitter on clock-synced, un-dejittered stamps; between a source and the montage."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from rtbci.config import Seconds, Strict
from rtbci.stages.arrivals import Arrivals
from rtbci.stages.duplicates import DuplicateFilter
from rtbci.stages.early_stamps import EarlyLoss
from rtbci.stages.floor_levels import LOSS, Level, risen
from rtbci.stages.stamp_floor import FloorRose, StampFloor
from rtbci.types import Chunk, Gap, Samples, Times

CLOCK_FORWARD = "the stream's clock went forward"
CLOCK_BACK = "the stream's clock went back"


class GapGuard:
    """Samples with raw stamps in; samples on an unbroken grid, and the gaps between them, out.

    The rule. Lateness is no loss. A push comes late, never early, so the floor of the lateness is what counts, and only a
    step of the floor that stays is a loss. What is usual for the stream, its true rate (up to 2.5 % off the nominal one),
    its jitter, the time between two pushes, is learned from its stamps (`StampFloor`), in the first second where they are
    regular or come in many pushes, else within ten pushes; until then nothing is told but a step of 2 s.

    At once: a sample that is later than the stream ever was (1.5 times, and 0.6 periods) is suspect, and waits for those
    after it. If stamps have been regular to the microsecond for a second and go on so after a step of whole periods (of any
    size, after 4 s), the device stamps them itself: after 0.1 s that is a loss. Steps before that are told as soon as the
    stamps have stayed on the same grid for 2.5 s after them, or for 4 s in all (`EarlyStamps`). Otherwise samples were lost
    if all of the next 0.4 s are as late, with no more jitter than is usual, in six pushes at least. If a sample is on time
    before that, it was jitter, and what was so late is not suspect again. Nothing waits for longer than 0.6 s, and nothing
    where pushes are too rare to tell by then.

    In the long run: floors of 0.1, 0.4, 1.6 and 6.4 s are compared. If four in a row, and six pushes at least, are above
    all that was usual, that many samples were lost. So a loss is told if it exceeds the jitter; a smaller one as soon as
    the floor of a longer stretch shows it; and what is declared never strays from what the stamps say by more than jitter.
    A floor that returns to where it was within the last minutes has lost nothing. A rate that is off by more than 2.5 %
    loses samples by this.

    A loss is filled where it is short (GapConfig.max_fill_s), else it is a break.

    Out of order: where suspect samples, put in the order of their stamps, are all where they are due, they are handed on
    in that order; samples whose stamps go back wait for this verdict for up to 0.5 s. What comes with a stamp inside a
    loss that was declared within the last second of samples, and is followed by a sample on time, comes too late, and what
    was there before (see DuplicateFilter) comes twice: both are left out, and told. So are samples before the first stamp
    that is a time; a later one that is none is taken to be on time.

    A clock that goes back by more than 0.25 s, and than jitter explains, is told; less lowers the floor. A clock that goes
    forward looks like a loss. Where it is known when the samples came, stamps tell it apart that are newer than any that
    could have come by then; and so does a clock that returns to where it was before it went back. Else it is a loss.

    Everything is counted in samples, so the cutting into chunks changes nothing; when they came counts for nothing else.
    """

    CONFIRM_S = 0.1
    HOLD_S = 0.6
    ORDER_S = 0.5
    TOO_LATE_S = 1.0
    BACK_S = 0.25
    LAST_S = 1e10  # largest stamp on any clock
    MOST_ORDERS = 64  # permutations that are tried

    def __init__(self, config: GapConfig, sfreq: float, speed: float = 1.0) -> None:
        """sfreq: of the recording; speed: its seconds a second of the stamps' clock, 1 but for a replay."""
        self._period = 1 / (sfreq * speed)
        self._n_confirm = max(2, round(self.CONFIRM_S * sfreq))
        self._n_hold = max(self._n_confirm, round(self.HOLD_S * sfreq))
        self._n_order = max(self._n_confirm, round(self.ORDER_S * sfreq))
        self._n_too_late = max(self._n_confirm, round(self.TOO_LATE_S * sfreq))
        self._duplicates = DuplicateFilter(sfreq, self._period)
        self._floor = StampFloor(sfreq, self._period)
        self._arrivals = Arrivals(self._floor.unit)
        self._max_fill = round(config.max_fill_s * sfreq)
        self._sfreq = sfreq
        self.reset()

    def reset(self) -> None:
        self._last_row: Samples | None = None  # of the last sample handed on (1, n_channels)
        self._last_time = -np.inf
        self._held: Chunk | None = None  # suspect samples, until it is decided what they mean
        self._rose: FloorRose | None = None  # a loss, told before the next sample
        self._lost: deque[tuple[float, float, int, int]] = deque(maxlen=16)  # stamps from, to; grid then; how many
        self._went_back: deque[float] = deque(maxlen=8)  # s by which the clock did
        self._is_anew = False  # the next sample comes over a new connection
        self._n_extra = 0  # left out since the last sample on the grid
        self._sane: tuple[float, int] | None = None  # the newest finite stamp, and samples since
        self._duplicates.reset()
        self._floor.reset()
        self._arrivals.reset()

    @property
    def n_held(self) -> int:
        """Samples that wait for a verdict."""
        return len(self._held) if self._held is not None else 0

    @property
    def n_untold(self) -> int:
        """Samples that were left out and are in no gap yet."""
        return self._n_extra

    @property
    def jitter_s(self) -> float:
        """How far stamps are usually from where they are due, s."""
        return self._floor.jitter_s

    def process(self, chunk: Chunk, arrived: float | None = None) -> Iterator[Chunk | Gap]:
        """arrived: when the newest of these samples came, on the clock of the stamps, where that is known."""
        chunk = self._with_sane_stamps(chunk)
        if not len(chunk):
            return
        if arrived is not None:
            self._arrivals.add(self._floor.n + self.n_held + len(chunk), arrived, float(chunk.times[-1]))
        again = self._duplicates.find(chunk)
        if again is None:
            yield from self._sort_out(chunk)
            return
        for run in np.split(np.arange(len(chunk)), np.flatnonzero(np.diff(again)) + 1):
            if again[run[0]] and not self._is_due(float(chunk.times[run[0]])):
                self._n_extra += len(run)
            else:
                yield from self._sort_out(chunk[run[0] : run[-1] + 1])

    def _is_due(self, stamp: float) -> bool:
        """Whether a stamp is, or is later than, that of the next sample on the grid, so that it is one, whatever it holds."""
        floor = self._floor
        early = floor.levels[0].center - floor.line.late(floor.n + self.n_held, stamp)
        return floor.is_learned and early < LOSS * self._period

    def _with_sane_stamps(self, chunk: Chunk) -> Chunk:
        """A stamp that is no time is a period after its elder; before the first that is one, samples are left out."""
        sane = np.abs(chunk.times) <= self.LAST_S  # NaN is not
        if sane.all():
            if len(chunk):
                self._sane = float(chunk.times[-1]), 0
            return chunk
        at = np.maximum.accumulate(np.where(sane, np.arange(len(chunk)), -1))
        if self._sane is None:
            n_before = int(np.count_nonzero(at < 0))
            self._n_extra += n_before
            chunk, at = chunk[n_before:], at[n_before:] - n_before
            if not len(chunk):
                return chunk
        stamp, since = self._sane or (0.0, 0)
        n_after = np.where(at < 0, since + 1, -at) + np.arange(len(chunk))
        times = np.where(at < 0, stamp, chunk.times[at]) + n_after * self._period
        times = np.where(n_after == 0, chunk.times, times)
        self._sane = (float(chunk.times[at[-1]]) if at[-1] >= 0 else stamp), int(n_after[-1])
        return Chunk(chunk.data, times, chunk.valid)

    def _sort_out(self, chunk: Chunk) -> Iterator[Chunk | Gap]:
        """Samples that are news, to samples on the grid and the gaps between them."""
        floor = self._floor
        if self._held is not None:
            chunk, self._held = Chunk.join([self._held, chunk]), None
        if not floor.is_begun:
            floor.begin(float(chunk.times[0]))
        if self._is_anew:
            if len(chunk) < self._n_confirm:
                self._held = Chunk(chunk.data.copy(), chunk.times.copy(), chunk.valid.copy())
                return
            self._is_anew = False
            yield from self._account_for_absence(chunk)
        while len(chunk):
            if self._rose is not None:
                rose, self._rose = self._rose, None
                yield from self._account(chunk, rose.late_s, rose.since, early=rose.early)
            n_good, self._rose = floor.follow(chunk.times)
            if n_good:
                if n_good == len(chunk):
                    yield from self._hand_on(chunk)
                    return
                yield from self._hand_on(chunk[:n_good])
                chunk = chunk[n_good:]
                continue
            left = yield from self._judge(chunk)
            if left is None:
                self._held = Chunk(chunk.data.copy(), chunk.times.copy(), chunk.valid.copy())
                return
            chunk = left

    def flush(self) -> Iterator[Chunk | Gap]:
        """The stream is over: what waited for a verdict is handed on as it is."""
        if self._held is not None:
            chunk, self._held = self._held, None
            yield from self._hand_on(chunk)

    def _judge(self, chunk: Chunk) -> Generator[Chunk | Gap, None, Chunk | None]:
        """Account for the first sample, which is suspect: what is left to follow; None: more samples are needed."""
        floor, stamps = self._floor, chunk.times[: self._n_too_late]
        late, low, high = floor.lateness(stamps), floor.low, floor.high
        if late[0] < low:
            n_too_late = self._n_that_come_too_late(stamps, late, low, high)
            if n_too_late is None:
                return None
            if n_too_late:
                self._n_extra += n_too_late
                return chunk[n_too_late:]
        usual = np.flatnonzero((late >= low) & (late <= high))
        n_off = int(usual[0]) if len(usual) else len(late)  # samples before the first that is where it is due
        is_over = len(usual) > 0
        first = stamps[: min(n_off, self._n_confirm)]
        if np.diff(first).min(initial=0.0) < -(high - floor.levels[0].center):
            if not is_over and n_off < self._n_order:
                return None
            if (order := self._put_in_order(stamps[: min(n_off, self._n_order)], low, high)) is not None:
                take = np.concatenate([order, np.arange(len(order), len(chunk))])
                return Chunk(chunk.data[take], chunk.times[take], chunk.valid[take])
        n_wanted = self._n_confirm
        while n_wanted:
            if is_over and n_off < n_wanted:
                floor.admit(late[:n_off])
                return chunk
            if len(late) < n_wanted:
                return None
            judge = self._judge_late if late[0] > high else self._judge_early
            n_wanted = yield from judge(chunk, late[:n_wanted])
        return chunk

    def _judge_early(self, chunk: Chunk, late: Times) -> Generator[Chunk | Gap, None, int]:
        """All of these are early: the clock went back, or the floor is lower than was known. 0: that is all."""
        floor = self._floor
        by_s = float(late.max()) - floor.levels[0].center
        if by_s > -self.BACK_S:
            floor.admit(late)
            return 0
        yield Gap(self._last_time, float(chunk.times[0]), 0, CLOCK_BACK, filled=True)
        self._went_back.append(-by_s)
        floor.set_clock(by_s)
        self._arrivals.reset()
        return 0

    def _judge_late(self, chunk: Chunk, late: Times) -> Generator[Chunk | Gap, None, int]:
        """All of these are late: 0, or how many must be seen."""
        floor, stamps = self._floor, chunk.times[: len(late)]
        least, center = float(late.min()), floor.levels[0].center
        if self._is_clock(least - center, floor.n):
            yield from self._set_clock_forward(chunk, least - center)
            return 0
        if len(late) == self._n_confirm and floor.is_regular(stamps, least):
            yield from self._account(chunk, least - center)
            return 0
        n_units = len(late) // floor.unit
        units = late[: n_units * floor.unit].reshape(n_units, floor.unit).min(axis=1).tolist()
        is_huge = not floor.is_learned and least - center > floor.HUGE_S
        n_runs = Level.RUNS if is_huge else floor.n_runs(stamps) if floor.is_learned else 0
        late_s = risen(units, n_runs, floor.levels[0].spread, self._period)
        if late_s is not None:
            yield from self._account(chunk, late_s - center)
            return 0
        is_slow = floor.is_learned and floor.runs_per_unit * self._n_hold < Level.RUNS * floor.unit
        if is_slow or len(late) >= self._n_hold:
            floor.admit(late)
            return 0
        return max(Level.LASTING, n_units + 1) * floor.unit

    def _is_clock(self, late_s: float, since: int) -> bool:
        """Whether what is late by so much from sample `since` on has a clock that went forward."""
        return self._return(late_s) is not None or self._arrivals.is_ahead(late_s, since)

    def _return(self, late_s: float) -> float | None:
        """By how much the clock went back before, if this returns it."""
        floor = self._floor
        near = floor.edge_s + 1.5 * (floor.swing + floor.levels[0].spread)
        return next((back_s for back_s in self._went_back if abs(late_s - back_s) < near < back_s / 8), None)

    def _set_clock_forward(self, chunk: Chunk, late_s: float) -> Iterator[Gap]:
        yield Gap(self._last_time, float(chunk.times[0]), 0, CLOCK_FORWARD, filled=True)
        if (back_s := self._return(late_s)) is not None:
            self._went_back.remove(back_s)
        self._floor.set_clock(late_s)
        self._arrivals.reset()

    def _put_in_order(self, stamps: Times, low: float, high: float) -> npt.NDArray[np.intp] | None:
        """The order of the fewest first samples that are all where they are due when they are sorted; None: there is none."""
        # Candidates are prefixes whose newest and whose mean stamp are where they are due.
        late = self._floor.lateness(stamps)
        due = stamps - late
        newest = np.maximum.accumulate(stamps) - due
        n_first = np.arange(1, len(stamps) + 1)
        average = np.cumsum(late) / n_first
        likely = n_first[(newest >= low) & (newest <= high) & (average >= low) & (average <= high)]
        for n in likely[likely > 1][: self.MOST_ORDERS].tolist():
            order = np.argsort(stamps[:n], kind="stable")
            placed = stamps[order] - due[:n]
            if placed.min() >= low and placed.max() <= high:
                return order
        return None

    def _n_that_come_too_late(self, stamps: Times, late: Times, low: float, high: float) -> int | None:
        """How many of the first samples lie in a loss, before one that is on time; None: more samples are needed."""
        for start, end, n, n_missing in self._lost:
            if not start < stamps[0] < end or self._floor.n - n > self._n_too_late:
                continue
            inside = (stamps > start) & (stamps < end)
            n_inside = len(stamps) if inside.all() else int(np.argmin(inside))
            if n_inside > min(n_missing, self._n_too_late - 1):
                continue
            if n_inside == len(stamps):
                return None
            if low <= late[n_inside] + n_inside * self._floor.line.step <= high:
                return n_inside
        return 0

    def _account(
        self,
        chunk: Chunk,
        late_s: float,
        since: int | None = None,
        n_missing: int | None = None,
        early: EarlyLoss | None = None,
    ) -> Iterator[Chunk | Gap]:
        """Samples were lost: before sample `since` of the grid, or just now. late_s: what those after it are late by."""
        if since is not None and self._is_clock(late_s, since):
            yield from self._set_clock_forward(chunk, late_s)
            return
        assert self._last_row is not None
        n_missing = early.n_missing if early else n_missing or max(1, round(late_s / self._floor.line.step))
        start, end = self._last_time, float(chunk.times[0])
        filled = n_missing <= self._max_fill
        yield Gap(start, end, n_missing, "samples lost", filled)
        if filled:
            ramp = np.linspace(0, 1, n_missing + 2)[1:-1]
            with np.errstate(invalid="ignore"):  # beside an infinite sample there is nothing to fill in
                data = self._last_row + ramp[:, None].astype(np.float32) * (chunk.data[:1] - self._last_row)
            yield from self._hand_on(Chunk(data, start + ramp * (end - start), np.zeros(n_missing, np.bool_)))
        if early is not None:
            self._floor.skip_early(early)
            return
        self._floor.skip(n_missing, late_s, since)
        if since is None:
            self._lost.append((start + self._period / 2, end - self._period / 2, self._floor.n, n_missing))

    def _account_for_absence(self, chunk: Chunk) -> Iterator[Chunk | Gap]:
        """The first samples of a new connection: all that is not among them was lost, whatever is known of the stream."""
        floor, stamps = self._floor, chunk.times[: self._n_confirm]
        center = floor.levels[0].center
        due = floor.line.at(floor.n - 1) + center + np.arange(1, len(stamps) + 1) * self._period
        late_s = float((stamps - due).min())
        if late_s > floor.edge_s and not self._is_clock(late_s, floor.n):
            n_missing = round(late_s / self._period)
            yield from self._account(chunk, float(floor.lateness(stamps).min()) - center, n_missing=n_missing)

    def _hand_on(self, chunk: Chunk) -> Iterator[Chunk | Gap]:
        """Stamps strictly in order, so that a time names one sample: one that is not is a nanosecond after its elder."""
        if self._n_extra:
            extra, self._n_extra = self._n_extra, 0
            end = float(chunk.times[0])
            start = self._last_time if math.isfinite(self._last_time) else end
            yield Gap(start, end, 0, "samples came twice or too late", True, extra)
        last, times = self._last_time, chunk.times
        if times[0] <= last or not (times[1:] > times[:-1]).all():
            chunk = Chunk(chunk.data, self._ordered(times), chunk.valid)
        self._last_time, self._last_row = float(chunk.times[-1]), chunk.data[-1:].copy()
        yield chunk

    def _ordered(self, times: Times) -> Times:
        last, ordered = self._last_time, []
        for stamp in times.tolist():
            if stamp <= last:
                stamp = max(last + 1e-9, math.nextafter(last, math.inf))
            ordered.append(stamp)
            last = stamp
        return np.array(ordered)

    def connected_anew(self) -> None:
        """The stream comes over another connection: what it was away for is lost, and its delay may be another."""
        self._arrivals.reset()
        self._is_anew = self._floor.is_begun

    def go_on(self, until: float, since: float, speed: float) -> None:
        """A replay stood still, or has another speed: what was due at `until` is due at `since`, and all else after it.

        No sample is missing for that: stamps that are known are put on the new clock. speed: as at first.
        """
        period = 1 / (self._sfreq * speed)
        ratio = period / self._period

        def put(stamps: Any) -> Any:
            return since + (stamps - until) * ratio

        self._floor.go_on(period, put)
        self._last_time = put(self._last_time)
        self._sane = None if self._sane is None else (put(self._sane[0]), self._sane[1])
        if self._held is not None:
            self._held = Chunk(self._held.data, put(self._held.times), self._held.valid)
        if self._rose is not None:
            early = self._rose.early
            if early is not None:
                early = early._replace(period=early.period * ratio, newest=put(early.newest))
            self._rose = FloorRose(self._rose.late_s * ratio, self._rose.since, early)
        self._lost = deque(((put(a), put(b), n, k) for a, b, n, k in self._lost), maxlen=self._lost.maxlen)
        self._arrivals.reset()
        self._period = period
        self._duplicates.set_clock(period, put)


class GapConfig(Strict):
    """What to do where samples are missing: fill a short stretch, start afresh after a long one.

    Attributes
    ----------
    max_fill_s
        Longest gap that is filled in by interpolation, and marked invalid.
    warmup_s
        Time after a start or a longer gap during which answers are marked invalid.
    """

    max_fill_s: Annotated[float, Field(ge=0, le=10)] = 0.2
    warmup_s: Seconds = 2.0
