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
from rtbci.stages.duplicates import DuplicateFilter
from rtbci.types import Chunk, Gap, Samples, Times

CLOCK_FORWARD = "the stream's clock went forward"


class GapGuard:
    """Samples with raw stamps in; samples on an unbroken grid, and the gaps between them, out.

    The rule. Sample n is due at s + n/sfreq, where s follows the stamps with a time constant of 2 s, but never faster
    than 0.5 %, so that drift is no loss and no loss is taken for drift.

    At once: a stamp that is off by more than `limit` = max(0.6 periods, 6 · mean jitter) is suspect, and the next 0.1 s
    of samples decide: if all of them are late, samples were lost, as many as the least late of them says; if all are
    early, the clock went back; otherwise the stamp was late and nothing is missing.

    In the long run: twice a second the last 0.5 to 1 s of samples are looked at. Jitter comes and goes, what was lost
    stays lost: if even the least late of them is late by more than 0.6 periods, that many samples were lost in this time.
    So loss below `limit` is told too, up to a second after it happened, and what is declared never strays from what the
    stamps say by more than the jitter. A stream that runs slower than it says by more than 0.5 % loses samples by this.

    A loss is filled where it is short (GapConfig.max_fill_s), else it is a break.

    Out of order: where suspect samples, put in the order of their stamps, are all where they are due, they are handed on
    in that order; samples whose stamps go back wait for this verdict for up to 0.5 s. What comes with a stamp inside a
    loss that was declared within the last second of samples comes too late, and what was there before (see DuplicateFilter)
    comes twice: both are left out, and told.

    A clock that goes forward looks like a loss. Where it is known when the samples came, stamps that are newer than any
    that could have come by then (by 0.25 s) tell it apart; without that it is a loss.

    Everything is counted in samples, so the cutting into chunks changes nothing; when they came counts for nothing else.
    """

    FOLLOW_S = 2.0
    CONFIRM_S = 0.1
    LOOK_S = 0.5
    ORDER_S = 0.5
    TOO_LATE_S = 1.0
    AHEAD_S = 0.25
    LAST_S = 1e10  # largest stamp on any clock
    MOST_ORDERS = 64  # permutations that are tried
    MAX_DRIFT = 5e-3  # seconds per second

    def __init__(self, config: GapConfig, sfreq: float, speed: float = 1.0) -> None:
        """sfreq: of the recording; speed: its seconds a second of the stamps' clock, 1 but for a replay."""
        self._period = 1 / (sfreq * speed)
        self._n_confirm = max(2, round(self.CONFIRM_S * sfreq))
        self._n_look = max(8, round(self.LOOK_S * sfreq))
        self._n_order = max(self._n_confirm, round(self.ORDER_S * sfreq))
        self._n_too_late = round(self.TOO_LATE_S * sfreq)
        self._duplicates = DuplicateFilter(sfreq, self._period)
        self._slew = self.MAX_DRIFT * self._period
        self._max_fill = round(config.max_fill_s * sfreq)
        self._sfreq = sfreq
        self._gain = 1 - np.exp(-1 / (self.FOLLOW_S * sfreq))
        self.reset()

    def reset(self) -> None:
        self._last_row: Samples | None = None  # of the last sample handed on (1, n_channels)
        self._last_time = -np.inf
        self._held: Chunk | None = None  # suspect samples, until it is decided what they mean
        self._offset = 0.0  # s
        self._n = 0  # samples on the grid since `_offset` was set
        self.jitter_s = self._period  # a cautious value until it has been measured
        self._look_in = self._n_look  # samples until the next long-run check
        self._least = self._least_before = np.inf  # least lateness since the last check, and between the two before
        self._stays_late = 0.0  # lateness that the last check found, in seconds
        self._lost: deque[tuple[float, float, int]] = deque(maxlen=16)  # stamps from, to; samples on the grid then
        self._n_extra = 0  # left out since the last sample on the grid
        self._least_delay = np.inf  # s from a stamp to its arrival
        self._arrived: float | None = None
        self._stamp: float | None = None  # the newest finite one
        self._duplicates.reset()

    def process(self, chunk: Chunk, arrived: float | None = None) -> Iterator[Chunk | Gap]:
        """arrived: when the newest of these samples came, on the clock of the stamps, where that is known."""
        chunk = self._with_sane_stamps(chunk)
        before, self._arrived = self._arrived, arrived
        again = self._duplicates.find(chunk)
        if again is None:
            yield from self._sort_out(chunk)
        else:
            for run in np.split(np.arange(len(chunk)), np.flatnonzero(np.diff(again)) + 1):
                if again[run[0]]:
                    self._n_extra += len(run)
                else:
                    yield from self._sort_out(chunk[run[0] : run[-1] + 1])
        if arrived is not None and self._held is None and len(chunk):
            # It may grow by drift, or the shortest delay of weeks ago would hide every clock reset.
            grown = self.MAX_DRIFT * (arrived - before) if before is not None else 0.0
            self._least_delay = min(self._least_delay + grown, arrived - self._last_time)

    def _with_sane_stamps(self, chunk: Chunk) -> Chunk:
        """A stamp that is no time stands still; before the first that is one, samples are left out."""
        sane = np.abs(chunk.times) <= self.LAST_S  # NaN is not
        if not sane.all():
            at = np.maximum.accumulate(np.where(sane, np.arange(len(chunk)), -1))
            if self._stamp is None:
                chunk, at = chunk[int(np.count_nonzero(at < 0)) :], at[at >= 0] - np.count_nonzero(at < 0)
            held = self._stamp if self._stamp is not None else 0.0
            chunk = Chunk(chunk.data, np.where(at < 0, held, chunk.times[at]), chunk.valid)
        self._stamp = float(chunk.times[-1]) if len(chunk) else self._stamp
        return chunk

    def _sort_out(self, chunk: Chunk) -> Iterator[Chunk | Gap]:
        """Samples that are news, to samples on the grid and the gaps between them."""
        if self._held is not None:
            chunk, self._held = Chunk.join([self._held, chunk]), None
        if self._last_row is None and len(chunk):
            self._offset = float(chunk.times[0])
        while len(chunk):
            n_good = self._follow(chunk.times.tolist())
            if n_good:
                yield from self._hand_on(chunk[:n_good])
                chunk = chunk[n_good:]
            if self._stays_late:
                late, self._stays_late = self._stays_late, 0.0
                yield from self._account(chunk, round(late / self._period), late)
            elif n_good:
                continue
            elif self._comes_too_late(float(chunk.times[0])):
                self._n_extra += 1
                chunk = chunk[1:]
            elif len(chunk) < self._needed(chunk):
                self._held = Chunk(chunk.data.copy(), chunk.times.copy(), chunk.valid.copy())
                return
            else:
                chunk = yield from self._judge(chunk)

    def flush(self) -> Iterator[Chunk | Gap]:
        """The stream is over: what waited for a verdict is handed on as it is."""
        if self._held is not None:
            chunk, self._held = self._held, None
            self._n += len(chunk)
            yield from self._hand_on(chunk)

    def _follow(self, stamps: list[float]) -> int:
        """How many samples from the first on are where they are due; stops early where a look finds a loss."""
        offset, jitter, gain, period, slew = self._offset, self.jitter_s, self._gain, self._period, self._slew
        least, look_in = self._least, self._look_in
        start = n = self._n
        for stamp in stamps:
            late = stamp - n * period - offset
            size = late if late >= 0 else -late
            if size > 0.6 * period and size > 6 * jitter:
                break
            if not look_in:
                stays = min(least, self._least_before)
                self._least_before, least, look_in = least, np.inf, self._n_look
                if stays > 0.6 * period:
                    self._stays_late = stays
                    break
            look_in -= 1
            step = gain * late
            offset += step if -slew < step < slew else slew if step > 0 else -slew
            jitter += gain * (size - jitter)
            if late < least:
                least = late
            n += 1
        self._offset, self.jitter_s, self._n = offset, jitter, n
        self._least, self._look_in = least, look_in
        return n - start

    @property
    def _limit(self) -> float:
        return max(0.6 * self._period, 6 * self.jitter_s)

    def _lateness(self, stamps: Times) -> Times:
        """Seconds behind the time at which each was due, the first of them being the next on the grid."""
        return stamps - (self._n + np.arange(len(stamps))) * self._period - self._offset

    def _needed(self, chunk: Chunk) -> int:
        """Samples that a verdict takes."""
        goes_back = np.diff(chunk.times[: self._n_confirm]).min(initial=0.0) < -self._limit
        return self._n_order if goes_back else self._n_confirm

    def _judge(self, chunk: Chunk) -> Generator[Chunk | Gap, None, Chunk]:
        """Account for the first sample, which is suspect, so that it is good now; returns what is left to follow."""
        window = chunk.times[: self._needed(chunk)]
        late, limit = self._lateness(window), self._limit
        if len(window) > self._n_confirm and (order := self._put_in_order(window)) is not None:
            rest = np.arange(len(order), len(chunk))
            take = np.concatenate([order, rest])
            return Chunk(chunk.data[take], chunk.times[take], chunk.valid[take])
        late = late[: self._n_confirm]
        if late.min() > limit:
            if self._from_the_future(float(window[0])):
                yield Gap(self._last_time, float(window[0]), 0, CLOCK_FORWARD, filled=True)
                self._set_clock(float(late.min()))
            else:
                yield from self._account(chunk, round(float(late.min()) / self._period), float(late.min()))
        elif late.max() < -limit:
            yield Gap(self._last_time, float(window[0]), 0, "the stream's clock went back", filled=True)
            self._least_delay = np.inf
            self._set_clock(float(late.max()))
        else:
            # Late once, then on time again: jitter larger than estimated.
            self.jitter_s = abs(float(late[0])) / 6 * (1 + 1e-9)
        return chunk

    def _put_in_order(self, stamps: Times) -> npt.NDArray[np.intp] | None:
        """The order of the fewest first samples that are all where they are due when they are sorted; None: there is none."""
        # Candidates are prefixes whose newest and whose mean stamp are where they are due.
        n_first = np.arange(1, len(stamps) + 1)
        due = self._n * self._period + self._offset
        newest = np.maximum.accumulate(stamps) - (n_first - 1) * self._period - due
        average = np.cumsum(stamps - due) / n_first - (n_first - 1) / 2 * self._period
        likely = n_first[(np.abs(newest) <= self._limit) & (np.abs(average) <= self._limit)]
        for n in likely[likely > 1][: self.MOST_ORDERS].tolist():
            order = np.argsort(stamps[:n], kind="stable")
            if np.abs(self._lateness(stamps[order])).max() <= self._limit:
                return order
        return None

    def _comes_too_late(self, stamp: float) -> bool:
        return any(start < stamp < end and self._n - n <= self._n_too_late for start, end, n in self._lost)

    def _from_the_future(self, stamp: float) -> bool:
        if self._arrived is None or not math.isfinite(self._least_delay):
            return False
        return stamp > self._arrived - self._least_delay + self.AHEAD_S

    def _account(self, chunk: Chunk, n_missing: int, late_s: float) -> Iterator[Chunk | Gap]:
        assert self._last_row is not None
        start, end = self._last_time, float(chunk.times[0])
        filled = n_missing <= self._max_fill
        yield Gap(start, end, n_missing, "samples lost", filled)
        if filled:
            ramp = np.linspace(0, 1, n_missing + 2)[1:-1]
            data = self._last_row + ramp[:, None].astype(np.float32) * (chunk.data[:1] - self._last_row)
            yield from self._hand_on(Chunk(data, start + ramp * (end - start), np.zeros(n_missing, np.bool_)))
        self._n += n_missing
        self._move(late_s, n_missing)
        self._lost.append((start + self._period / 2, end - self._period / 2, self._n))

    def _set_clock(self, late_s: float) -> None:
        """Stamps are off by `late_s` from now on; those of before say nothing of loss any more."""
        self._offset += late_s
        self._least = self._least_before = np.inf
        self._look_in = self._n_look

    def _move(self, late_s: float, n_missing: int) -> None:
        """What was late by `late_s` is on time from now on."""
        self._offset += late_s - n_missing * self._period
        self._least -= late_s
        self._least_before -= late_s

    def _hand_on(self, chunk: Chunk) -> Iterator[Chunk | Gap]:
        """Stamps strictly in order, so that a time names one sample: one that is not is a nanosecond after its elder."""
        if self._n_extra and len(chunk):
            extra, self._n_extra = self._n_extra, 0
            yield Gap(self._last_time, float(chunk.times[0]), 0, "samples came twice or too late", True, extra)
        last, ordered = self._last_time, []
        in_order = True
        for stamp in chunk.times.tolist():
            if stamp <= last:
                in_order, stamp = False, max(last + 1e-9, math.nextafter(last, math.inf))
            ordered.append(stamp)
            last = stamp
        if not in_order:
            chunk = Chunk(chunk.data, np.array(ordered), chunk.valid)
        self._last_time, self._last_row = last, chunk.data[-1:].copy()
        yield chunk

    def connected_anew(self) -> None:
        """The stream comes over another connection, whose delay may be another."""
        self._least_delay = np.inf

    def go_on(self, until: float, since: float, speed: float) -> None:
        """A replay stood still, or has another speed: what was due at `until` is due at `since`, and all else after it.

        No sample is missing for that: stamps that are known are put on the new clock. speed: as at first.
        """
        period = 1 / (self._sfreq * speed)
        ratio = period / self._period

        def put(stamps: Any) -> Any:
            return since + (stamps - until) * ratio

        self._offset = put(self._offset + self._n * self._period) - self._n * period
        self._last_time = put(self._last_time)
        self._stamp = None if self._stamp is None else put(self._stamp)
        if self._held is not None:
            self._held = Chunk(self._held.data, put(self._held.times), self._held.valid)
        self.jitter_s *= ratio
        self._least, self._least_before = self._least * ratio, self._least_before * ratio
        self._stays_late *= ratio
        self._lost = deque(((put(start), put(end), n) for start, end, n in self._lost), maxlen=self._lost.maxlen)
        self._least_delay, self._arrived = np.inf, None
        self._period, self._slew = period, self.MAX_DRIFT * period
        self._duplicates.set_clock(period, put)


class GapConfig(Strict):
    """What to do where samples are missing: fill a short stretch, start afresh after a long one."""

    max_fill_s: Annotated[float, Field(ge=0, le=10)] = 0.2
    warmup_s: Seconds = 2.0
