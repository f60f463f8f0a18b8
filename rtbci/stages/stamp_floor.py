"""What the gap guard learns of a stream's stamps: its true rate, its jitter, and the floor that they stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtbci.stages.early_stamps import EarlyLoss, EarlyStamps
from rtbci.stages.floor_levels import LOSS, Level, RateLine, Unit
from rtbci.stages.stamp_runs import Counts, StampRuns
from rtbci.types import Times


@dataclass(frozen=True, slots=True)
class FloorRose:
    """A loss that the floor shows: what comes after sample `since` of the grid is late by `late_s`.

    early: where the first stamps tell it, which a device made, and nothing else is known of the stream yet.
    """

    late_s: float
    since: int
    early: EarlyLoss | None = None


class _OpenUnit(Counts):
    """The unit that is under way: samples, the least late of them, and how they follow each other."""

    __slots__ = ("least", "most", "n", "place")

    def __init__(self) -> None:
        self.n = self.place = self.runs = self.odd = self.shared = 0
        self.least, self.most = np.inf, -np.inf

    def move(self, n: int, late_s: float, ratio: float = 1.0) -> None:
        """Its samples are `n` further on the grid, and less late."""
        self.place += n
        self.least, self.most = (self.least - late_s) * ratio, (self.most - late_s) * ratio


class StampFloor:
    """Follows the lateness of samples: stamp less what is due, on the line that the floor of the stamps makes.

    A push comes late, never early: stamps are the times of samples plus delays, so their floor, the least lateness in
    0.1 s and in stretches 4, 16 and 64 times as long, shows the true rate (`RateLine`), and a step of the floor shows
    a loss (`Level`). Samples that share one delay, as those of a pushed chunk, are one run, and one witness.

    Everything is counted in samples.

    Parameters
    ----------
    sfreq
        Nominal rate, Hz.
    period
        Seconds between two samples by the stamps' clock, where the rate is the nominal one.
    """

    UNIT_S = 0.1
    FACTORS = (1, 4, 16, 64)
    LEAST_UNITS, LEAST_RUNS = 40, 20  # before anything is told
    LOSSY_UNITS, LOSSY_RUNS, LOSSY_FITS = 50, 30, 3  # before a rate is given up that no quartz has
    REGULAR_S = 2.5  # of stamps on a grid, and a step of whole periods is a loss
    DEVICE_S = 4.0  # of them, and the device stamps its samples: nobody pushes chunks of this length
    CLOCK_S = 2e-3  # of a step that is no whole number of periods may be a new estimate of the sender's clock
    HUGE_S = 2.0  # what is this late in a stream of which nothing is known yet may be a loss
    HALF_LIFE_S = 180.0  # of what was learned of jitter
    FEW = 40  # samples, that are faster taken one by one

    def __init__(self, sfreq: float, period: float) -> None:
        self.unit = max(2, round(self.UNIT_S * sfreq))
        self._n_regular, self._n_device = round(self.REGULAR_S * sfreq), round(self.DEVICE_S * sfreq)
        self._fade = float(0.5 ** (self.unit / (self.HALF_LIFE_S * sfreq)))
        self.period = period
        self.runs = StampRuns(period)
        self.reset()

    def reset(self) -> None:
        self.n = 0  # samples on the grid so far
        self._forget_floor()
        self.jitter_s = self.period  # a cautious value until it has been measured
        self.runs_per_unit = float(self.unit)
        self.shared = 0.0  # share of the samples that bear no time of their own
        self.is_begun = self.is_learned = False  # is_learned: enough is known to tell a loss
        self.is_lossy = False  # late by more than any quartz is: then the nominal rate counts
        self._n_units = self._n_runs = self._n_quiet = 0  # quiet: units since stamps left their grid
        self._first = (0, 0.0)  # sample and stamp with which all began
        self._open = _OpenUnit()
        self._pending: list[Unit] = []  # units above the floor, until it is clear what they mean
        self.runs.reset()
        self._early = EarlyStamps(self.period, self._n_regular, self._n_device)
        self._set_limits()

    def _forget_floor(self) -> None:
        self.line = RateLine(self.period)
        self.levels = [Level(self._fade**factor) for factor in self.FACTORS]
        self.swing = 0.0  # s; decaying maximum of what lateness varies by within a unit
        self.under = 0.0  # s; decaying maximum of how far stamps were below the usual floor

    def begin(self, stamp: float) -> None:
        """The first stamp."""
        self.is_begun, self.line.base, self._first = True, stamp, (self.n, stamp)
        self.runs.begin(stamp)

    @property
    def edge_s(self) -> float:
        """A step of the floor that is less is no loss: a sample may just have missed the push before."""
        is_pushed = self.shared > 0.5 and self._n_quiet * self.unit < self._n_device
        return (LOSS + is_pushed) * self.period

    def _set_limits(self) -> None:
        """Lateness from which on a sample is suspect, below and above."""
        center, edge = self.levels[0].center, self.edge_s
        if self._early.has_steps:
            self.low, self.high = -np.inf, np.inf
        elif self.is_learned or self._n_quiet * self.unit >= self._n_regular:
            self.low = center - edge - 1.5 * self.under
            self.high = center + edge + 1.5 * (self.levels[0].spread + self.swing)
        else:
            self.low, self.high = -np.inf, center + max(self.HUGE_S, 1.5 * self.swing)

    def lateness(self, stamps: Times) -> Times:
        """Seconds behind the line, the first of them being the next sample on the grid."""
        line = self.line
        due = np.arange(self.n - line.n0, self.n - line.n0 + len(stamps), dtype=np.float64)
        due *= line.step
        due += line.base
        np.subtract(stamps, due, out=due)
        return due

    def admit(self, lateness: Times) -> None:
        """This was jitter: what is so late, or so early, is not suspect again."""
        center = self.levels[0].center
        self.swing = max(self.swing, float(lateness.max()) - center)
        self.under = max(self.under, center - float(lateness.min()))
        self._set_limits()

    def is_regular(self, stamps: Times, late_s: float) -> bool:
        """Whether stamps from a suspect one on are a device's own, as those before: then no push was late."""
        if self.runs.regular < self._n_regular:
            return False
        kinds = self.runs.sort(stamps, self.line.step)
        if kinds is None:
            return True
        is_whole = not kinds[1, 0] or (self.runs.regular >= self._n_device and late_s > self.CLOCK_S)
        return bool(is_whole and not kinds[1, 1:].any())

    def n_runs(self, stamps: Times) -> int:
        """Runs among the next samples."""
        kinds = self.runs.sort(stamps, self.line.step)
        return int(np.count_nonzero(kinds[0])) if kinds is not None else 0

    def follow(self, stamps: Times) -> tuple[int, FloorRose | None]:
        """Take samples up to the first suspect one, or to the one at which a loss shows: (how many, the loss)."""
        done, is_over, rose = 0, False, None
        while done < len(stamps) and not is_over and rose is None:
            left = stamps[done:]
            is_few = len(left) < self.FEW or not self.is_learned
            taken, is_over, rose = self._follow_few(left) if is_few else self._follow_many(left)
            done += taken
        return done, rose

    def _follow_few(self, stamps: Times) -> tuple[int, bool, FloorRose | None]:
        """Samples taken, up to the end of a unit; whether the next is suspect; a loss."""
        line, unit = self.line, self._open
        base, step, place = line.base, line.step, self.n - line.n0
        few = stamps[: self.unit - unit.n].tolist()
        late = [stamp - (k * step + base) for k, stamp in enumerate(few, place)]
        low, high = self.low, self.high
        if min(late) < low or max(late) > high:
            n_good = next(k for k, one in enumerate(late) if not low <= one <= high)
            few, late, is_over = few[:n_good], late[:n_good], True
        else:
            is_over = False
        if few:
            least, most = min(late), max(late)
            if least < unit.least:
                unit.least, unit.place = least, self.n + late.index(least)
            if most > unit.most:
                unit.most = most
            self.runs.take(few, step, unit)
            unit.n += len(few)
            self.n += len(few)
            if not self.is_learned:
                self._early.add(stamps[: len(few)])
        return len(few), is_over, self._close_unit() if unit.n == self.unit else None

    def _follow_many(self, stamps: Times) -> tuple[int, bool, FloorRose | None]:
        """As `_follow_few`, but at most until the line changes."""
        late, line = self.lateness(stamps), self.line
        kinds = self.runs.sort(stamps, line.step)
        starts = [0, *range(self.unit - self._open.n, len(late), self.unit)]
        most = np.maximum.reduceat(late, starts).tolist()
        counts = np.add.reduceat(kinds, starts, axis=1, dtype=np.intp).tolist() if kinds is not None else None
        was, end, is_over, rose = (line.base, line.n0), len(late), False, None
        for k, (start, stop) in enumerate(zip(starts, [*starts[1:], len(late)], strict=True)):
            part = late[start:stop]
            at = int(part.argmin())
            if part[at] < self.low or most[k] > self.high:
                end, is_over = start + int(np.argmax((part < self.low) | (part > self.high))), True
                if end > start:
                    part = late[start:end]
                    found = np.count_nonzero(kinds[:, start:end], axis=1).tolist() if kinds is not None else None
                    self._extend(int(part.argmin()), part, float(part.max()), found)
                break
            self._extend(at, part, most[k], [c[k] for c in counts] if counts is not None else None)
            if self._open.n == self.unit:
                rose = self._close_unit()
                if rose is not None or was != (line.base, line.n0):
                    end = stop
                    break
        self.runs.take_all(stamps[:end], kinds[1, :end] if kinds is not None else None)
        return end, is_over, rose

    def _extend(self, at: int, late: Times, most: float, found: list[int] | None) -> None:
        """at: the least late of the next samples; most: how late they are at most; found: runs, odd, shared."""
        unit = self._open
        if late[at] < unit.least:
            unit.least, unit.place = float(late[at]), self.n + at
        unit.most = max(unit.most, most)
        runs, odd, shared = found or (0, 0, len(late))
        unit.runs, unit.odd, unit.shared = unit.runs + runs, unit.odd + odd, unit.shared + shared
        unit.n += len(late)
        self.n += len(late)

    def _close_unit(self) -> FloorRose | None:
        unit, self._open = self._open, _OpenUnit()
        center = self.levels[0].center
        self._n_units += 1
        self._n_runs += unit.runs
        self._n_quiet = 0 if unit.odd else self._n_quiet + 1
        self.swing = max(self.swing * self._fade, unit.most - unit.least)
        self.under = max(self.under * self._fade, center - unit.least)
        share = max(0.05, 1 / self._n_units)
        self.jitter_s += share * ((unit.most - unit.least) / 2 - self.jitter_s)
        self.runs_per_unit += share * (unit.runs - self.runs_per_unit)
        self.shared += share * (unit.shared / unit.n - self.shared)
        if not self.is_learned:
            enough = self._n_units >= self.LEAST_UNITS and self._n_runs >= self.LEAST_RUNS
            self.is_learned = enough or self._n_quiet * self.unit >= self._n_device
            if self._early.has_steps:
                self.is_learned = False
            elif self.is_learned:
                self._early.clear()
            if unit.least < center - self.HUGE_S:
                self.set_clock(unit.least - center)  # what had waited for the first connection has come
                unit.least = center
        rose = self._add_unit((unit.place, self.line.at(unit.place) + unit.least, unit.runs))
        if (early := self._early.loss()) is not None:
            rose = FloorRose(early.n_missing * self.period, self.n - early.n_since - 1, early)
        self._set_limits()
        return rose

    def _add_unit(self, unit: Unit) -> FloorRose | None:
        """The floor of a unit that ends at the present sample."""
        rose, edge_s = None, self.edge_s if self.is_learned else np.inf
        for level, factor in zip(self.levels, self.FACTORS, strict=True):
            whole = level.gather(unit, factor, self.line)
            if whole is None:
                break
            is_usual = level.add(whole, self.line, edge_s)
            if factor == 1:
                self._note(whole, is_usual)
            if not is_usual and rose is None:
                rose = self._look(level, factor)
            unit = whole
        return self._fit() if rose is None else rose

    def _note(self, unit: Unit, is_usual: bool) -> None:
        """For the line; a unit above the floor only once it is clear that nothing was lost."""
        if is_usual and not self._pending:
            self.line.note(unit[0], unit[1])
            return
        self._pending.append(unit)
        if is_usual:
            for n, stamp, _ in self._pending:
                self.line.note(n, stamp)
            self._pending.clear()

    def _look(self, level: Level, factor: int) -> FloorRose | None:
        """Whether what stays above the floor is certain."""
        span = len(level.above) * factor * self.unit
        late = level.certain(self.line, self.period, is_long=span >= self._n_device)
        if late is None:
            return None
        excess, edge = late - level.center, self.edge_s
        whole = round(excess / self.line.step) * self.line.step
        is_clock = excess < self.CLOCK_S and level.spread < 0.1 * self.period < abs(excess - whole)
        is_new = late - self.line.former_level(level.center + edge, level.last_usual) >= edge
        if excess >= edge and is_new and not is_clock:
            return FloorRose(excess, level.last_usual)
        level.accept(self.line)
        if level is self.levels[0]:
            for n, stamp, _ in self._pending:
                self.line.note(n, stamp)
            self._pending.clear()
        return None

    def _fit(self) -> FloorRose | None:
        if self._n_units >= self.line.fit_at and not self.is_lossy:
            self.line.fit(self.n, self._n_units)
            is_long = self._n_units >= self.LOSSY_UNITS and self._n_runs >= self.LOSSY_RUNS
            self.is_lossy = is_long and self.line.n_steep >= self.LOSSY_FITS
            if self.is_lossy:
                self.line.n0, self.line.base = self._first
                self.line.step = self.period
            for level in self.levels:
                level.recenter(self.line)
            if self._n_units <= self.LEAST_UNITS:
                self.under = self.levels[0].under(self.line)
        if not self.is_lossy:
            return None
        late, n = self.levels[0].least(self.line)
        return FloorRose(round(late / self.period) * self.period, n - 1) if late > LOSS * self.period else None

    def skip(self, n_missing: int, late_s: float, since: int | None = None) -> None:
        """`n_missing` samples were lost after sample `since` (None: now), which made the next ones late by `late_s`."""
        rest, is_now = late_s - n_missing * self.line.step, since is None
        since = self.n if since is None else since

        def put(n: int, stamp: float) -> tuple[int, float]:
            return (n + n_missing, stamp) if n > since else (n, stamp + rest)

        self._map(put)
        self.n += n_missing
        if is_now:
            for level in self.levels:
                level.explain(self.line)
        else:
            self._open.move(n_missing, late_s)
        self.line.base += rest
        self._early.clear()
        self._recenter()

    def skip_early(self, loss: EarlyLoss) -> None:
        """Samples were lost before anything was known of the stream; now it is known that its device stamps them."""
        self.n += loss.n_missing
        self.set_clock(0.0)
        self._forget_floor()
        self.line.base, self.line.n0, self.line.step = loss.newest + loss.period, self.n, loss.period
        self._first = (self.n, self.line.base)
        self.is_learned, self._n_quiet = True, -(-self._n_device // self.unit)
        self.runs.regular = max(self.runs.regular, self._n_device)
        self._set_limits()

    def set_clock(self, late_s: float) -> None:
        """The clock of the stamps was set, so that all are late by about `late_s`: learn all but rate and jitter anew."""
        self.line.base += late_s
        self.is_learned = False
        self._n_units = self._n_runs = self._n_quiet = 0
        self._first = (self.n, self.line.at(self.n))
        self._open = _OpenUnit()
        self._pending.clear()
        self._early.clear()
        self.line.clear()
        for level in self.levels:
            level.clear()
        self._set_limits()

    def go_on(self, period: float, put: Callable[[Any], Any]) -> None:
        """Continue with another period; put: from known stamps to the new clock."""
        ratio, line = period / self.period, self.line
        self._map(lambda n, stamp: (n, put(stamp)))
        self._first = (self._first[0], put(self._first[1]))
        line.base, line.step, line.nominal = put(line.base), line.step * ratio, period
        self.period = period
        self._early = EarlyStamps(period, self._n_regular, self._n_device)
        self.runs.set_period(period)
        self.runs.last, self.runs.last_step = put(self.runs.last), self.runs.last_step * ratio
        self._open.move(0, 0.0, ratio)
        self.swing, self.under, self.jitter_s = self.swing * ratio, self.under * ratio, self.jitter_s * ratio
        for level in self.levels:
            level.spread *= ratio
        self._recenter()

    def _map(self, put: Callable[[int, float], tuple[int, float]]) -> None:
        self.line.map(put)
        for level in self.levels:
            level.map(put)

    def _recenter(self) -> None:
        self._pending.clear()
        for level in self.levels:
            level.start_anew(self.line, self.edge_s)
        self._set_limits()
