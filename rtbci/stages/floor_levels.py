"""The floor of a stream's stamps: its slope, which is the true rate, and its level at each time scale."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

FALLING = 0.4  # of the range of floors; what is late because it waited catches up like this
LOSS = 0.6  # periods; a step of less is none
MAX_DRIFT = 0.025  # s/s; a rate that is further off than that loses samples

Unit = tuple[int, float, int]  # last sample of a stretch, its floor as a stamp, and runs in it
Put = Callable[[int, float], tuple[int, float]]


class RateLine:
    """When each sample is due: base + (n - n0) · step, with a slope fitted to the floors of up to 4 minutes.

    The floors are taken in nine groups, the least of each; the slope is that from the median of the first three to that of
    the last three (Tukey's resistant line), so that no single push, late or early, turns it.

    Parameters
    ----------
    nominal
        Seconds between two samples by the nominal rate.
    """

    MOST_POINTS = 72
    MOST_UNITS = 32  # for a point
    FIRST_FIT, FIT_UNITS = 9, 16

    def __init__(self, nominal: float) -> None:
        self.nominal = self.step = nominal
        self.base, self.n0 = 0.0, 0
        self.fit_at = self.FIRST_FIT  # units
        self.n_steep = 0  # fits in a row whose slope was beyond any quartz
        self._points: list[tuple[int, float]] = []
        self._each = 1  # units for a point
        self._part: list[tuple[int, float]] = []  # units of the next point

    def at(self, n: int) -> float:
        """When sample n is due."""
        return self.base + (n - self.n0) * self.step

    def late(self, n: int, stamp: float) -> float:
        """Seconds."""
        return stamp - (self.base + (n - self.n0) * self.step)

    def note(self, n: int, stamp: float) -> None:
        """Take the floor of a unit."""
        if self._each == 1:
            self._points.append((n, stamp))
        else:
            self._part.append((n, stamp))
            if len(self._part) < self._each:
                return
            self._points.append(self._least(self._part))
            self._part = []
        if len(self._points) <= self.MOST_POINTS:
            return
        if self._each < self.MOST_UNITS:
            pairs = zip(self._points[::2], self._points[1::2], strict=False)
            self._points = [self._least(list(pair)) for pair in pairs]
            self._each *= 2
        else:
            del self._points[0]

    def _least(self, points: list[tuple[int, float]]) -> tuple[int, float]:
        step = self.step
        return min(points, key=lambda point: point[1] - point[0] * step)

    def fit(self, n: int, n_units: int) -> None:
        """From sample n on, the slope is that of the floors so far."""
        self.fit_at = n_units + max(1, min(self.FIT_UNITS, n_units // 4))
        step = self._slope()
        self.n_steep = self.n_steep + 1 if step > self.nominal * (1 + MAX_DRIFT) else 0
        step = min(max(step, self.nominal * (1 - MAX_DRIFT)), self.nominal * (1 + MAX_DRIFT))
        self.base, self.n0, self.step = self.at(n), n, step

    def clear(self) -> None:
        """Forget the points, but not the slope."""
        self._points.clear()
        self._part.clear()
        self.fit_at, self.n_steep = self.FIRST_FIT, 0

    def _slope(self) -> float:
        each = len(self._points) // 9
        if not each:
            return self.step
        used = self._points[-9 * each :]
        groups = [self._least(used[k : k + each]) for k in range(0, 9 * each, each)]
        (n1, late1), (n3, late3) = self._middle(groups[:3]), self._middle(groups[6:])
        return self.step + (late3 - late1) / (n3 - n1)

    def _middle(self, groups: list[tuple[int, float]]) -> tuple[float, float]:
        return sorted(n for n, _ in groups)[1], sorted(self.late(*group) for group in groups)[1]

    def former_level(self, above: float, until: int) -> float:
        """The highest lateness that three points in a row have had up to a sample, if it is above; else -inf."""
        late = [self.late(n, stamp) for n, stamp in self._points if n <= until]
        highest = max(map(min, late, late[1:], late[2:]), default=above)
        return highest if highest > above else float("-inf")

    def map(self, put: Put) -> None:
        """Move all points."""
        self._points = [put(*point) for point in self._points]
        self._part = [put(*point) for point in self._part]


class Level:
    """The usual lateness of the floor at one time scale, how far the floor was above it, and whether it has risen.

    A floor is usual up to 1.5 times the largest excess so far (which fades) and 0.6 periods. What stays above that, four
    times in a row and with as little spread as before, or sixteen times without falling, has risen for certain; but six
    and sixteen runs are wanted, too, as each shares one delay, unless they are very long.

    Parameters
    ----------
    fade
        What remains of the largest excess after one time more.
    """

    LEAST = 8  # before it is judged
    YOUNG = 9
    LASTING, LONG_LASTING = 4, 16
    RUNS = 6

    def __init__(self, fade: float) -> None:
        self._fade = fade
        self.spread = 0.0  # s; the largest excess of late
        self.center = 0.0  # s
        self.above: list[Unit] = []
        self._usual: deque[Unit] = deque(maxlen=9)
        self._n = 0
        self._part: list[Unit] = []

    def gather(self, unit: Unit, factor: int, line: RateLine) -> Unit | None:
        """The floor of as many of the next finer scale as make one of this; None until they do."""
        if factor == 1:
            return unit
        self._part.append(unit)
        if len(self._part) < 4:
            return None
        part, self._part = self._part, []
        late, n = min((line.late(n, stamp), n) for n, stamp, _ in part)
        return n, line.at(n) + late, sum(runs for _, _, runs in part)

    def add(self, unit: Unit, line: RateLine, edge_s: float) -> bool:
        """Whether it is usual; edge_s: what is less is no loss; infinite as long as all is."""
        late = line.late(unit[0], unit[1])
        if not self._n:
            self.center = late
        self.spread *= self._fade
        if self._n >= self.LEAST and late > self.center + 1.5 * self.spread + edge_s:
            self.above.append(unit)
            return False
        if self.above:
            self.spread = max(self.spread, max(line.late(n, stamp) for n, stamp, _ in self.above) - self.center)
            self.above.clear()
        self.spread = max(self.spread, late - self.center)
        self._usual.append(unit)
        self._n += 1
        self.recenter(line)
        return True

    def certain(self, line: RateLine, period: float, is_long: bool) -> float | None:
        """How late it stays, if that is certain; s."""
        late = [line.late(n, stamp) for n, stamp, _ in self.above]
        runs = sum(runs for _, _, runs in self.above)
        if is_long and len(late) >= self.LASTING:
            late = _without_drift(late, [n for n, _, _ in self.above], period)
        return risen(late, runs if not is_long else self.LONG_LASTING, self.spread, period)

    def accept(self, line: RateLine) -> None:
        """What is above is usual from now on."""
        late = max(line.late(n, stamp) for n, stamp, _ in self.above)
        self.spread = max(self.spread, late - self.center)
        self._usual.extend(self.above)
        self.above.clear()
        self.recenter(line)

    def recenter(self, line: RateLine) -> None:
        """The line, or what is usual, has changed."""
        if self._usual:
            base, n0, step = line.base, line.n0, line.step
            late = [stamp - (base + (n - n0) * step) for n, stamp, _ in self._usual]
            late.sort()
            self.center = late[len(late) // 2]
            if self._n <= self.YOUNG:
                # Before the slope was known, it made all late.
                self.spread = late[-1] - self.center

    @property
    def last_usual(self) -> int:
        """Sample of the last usual floor."""
        return self._usual[-1][0]

    def least(self, line: RateLine) -> tuple[float, int]:
        """The least lateness of the usual floors, s, and the first of them."""
        return min(line.late(n, stamp) for n, stamp, _ in self._usual), self._usual[0][0]

    def under(self, line: RateLine) -> float:
        """How far the usual floors are below their middle, s."""
        return max((self.center - line.late(n, stamp) for n, stamp, _ in self._usual), default=0.0)

    def clear(self) -> None:
        """Forget all but the spread."""
        self._usual.clear()
        self.above.clear()
        self._part.clear()
        self.center, self._n = 0.0, 0

    def start_anew(self, line: RateLine, edge_s: float) -> None:
        """Some of what was above is explained; the rest, from the first that still is above, is not."""
        self.recenter(line)
        high = self.center + 1.5 * self.spread + edge_s
        n_usual = next((k for k, (n, stamp, _) in enumerate(self.above) if line.late(n, stamp) > high), len(self.above))
        self._usual.extend(self.above[:n_usual])
        del self.above[:n_usual]
        self.recenter(line)

    def explain(self, line: RateLine) -> None:
        """What was above, up to now, was lost: it is no jitter."""
        self.above.clear()
        self._part = [(n, min(stamp, line.at(n) + self.center), runs) for n, stamp, runs in self._part]

    def map(self, put: Put) -> None:
        """Move all that is remembered."""
        self._usual = deque(((*put(n, stamp), runs) for n, stamp, runs in self._usual), maxlen=self._usual.maxlen)
        self.above = [(*put(n, stamp), runs) for n, stamp, runs in self.above]
        self._part = [(*put(n, stamp), runs) for n, stamp, runs in self._part]


def _without_drift(late: list[float], numbers: list[int], period: float) -> list[float]:
    """Lateness at some samples as at the first of them, where it falls no faster than by a rate that is a little off: what
    catches up is faster. What grows may be one loss after another, and stays as it is.
    """
    half = len(late) // 2
    passed = (sum(numbers[-half:]) - sum(numbers[:half])) / half * period
    slope = (sum(late[-half:]) - sum(late[:half])) / half / passed
    if not -MAX_DRIFT < slope < 0:
        return late
    return [one - slope * (n - numbers[0]) * period for one, n in zip(late, numbers, strict=True)]


def risen(late: list[float], n_runs: int, spread: float, period: float) -> float | None:
    """By how much floors that are all above the usual one have certainly risen, s; None: they may fall again."""
    if len(late) < Level.LASTING or n_runs < Level.RUNS:
        return None
    low, high, half = min(late), max(late), len(late) // 2
    first, second = late[:half], late[half:]
    if sum(second) / len(second) - sum(first) / half < -max(FALLING * (high - low), 0.1 * period):
        return None
    if high - low <= 2 * spread + 0.3 * period:
        return sorted(late)[half]
    is_lower = min(second) < min(first) - spread - 0.3 * period
    return low if min(len(late), n_runs) >= Level.LONG_LASTING and not is_lower else None
