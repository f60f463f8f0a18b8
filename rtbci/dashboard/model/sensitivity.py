"""How many µV a millimetre of the screen stands for: by kind of channel, chosen by hand or found from the data."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rtbci.dashboard.model.channel_kinds import KINDS
from rtbci.dashboard.model.history import History
from rtbci.types import Flags, Samples, Times

LADDER = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000, 2000, 5000)  # µV/mm
MODEL_LADDER = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)  # of the model's own unit a mm
AUTO_AT_S = (1.0, 4.0, 15.0, 60.0, 240.0)  # of data, at which "auto" looks anew; then every AUTO_EVERY_S
AUTO_EVERY_S = 300.0
SURE_S = 5.0  # of data; from then on auto leaves a step that is off by no more than one
WINDOW_S = 1.0
N_WINDOWS = 12
SPAN_S = 600.0  # of the past that auto looks at
_SAMPLES = 128  # of a window that are looked at


class Sensitivity:
    """One ladder's steps, by kind of channel; a kind that no hand has set is "auto".

    unit: "µV", or that of the model's scaling.
    """

    def __init__(self, unit: str = "µV") -> None:
        self.unit = unit
        self.ladder: tuple[float, ...] = LADDER if unit == "µV" else MODEL_LADDER
        self.per_mm: dict[str, float] = dict.fromkeys(KINDS, 10.0 if unit == "µV" else 0.3)
        self.by_hand: set[str] = set()

    def choose(self, kind: str, per_mm: float) -> None:
        """By hand: from now on auto leaves this kind alone."""
        self.per_mm[kind] = per_mm
        self.by_hand.add(kind)

    def step(self, kind: str, by: int) -> None:
        """By hand; by > 0: larger traces."""
        at = min(max(self._nearest(self.per_mm[kind]) - by, 0), len(self.ladder) - 1)
        self.choose(kind, float(self.ladder[at]))

    def find(self, kind: str, spread: float, lane_mm: float, *, tolerance: int = 0) -> bool:
        """For auto: the step at which a spread (of the unit) fills a lane; True if it is another one.

        tolerance: a step that is off by no more stays, so that the traces do not change size for little.
        """
        if kind in self.by_hand or not math.isfinite(spread):
            return False
        wanted = self._nearest(max(spread, 1e-6) / max(lane_mm, 0.1))
        if abs(wanted - self._nearest(self.per_mm[kind])) <= tolerance:
            return False
        self.per_mm[kind] = float(self.ladder[wanted])
        return True

    def _nearest(self, per_mm: float) -> int:
        return int(np.argmin(np.abs(np.log(np.array(self.ladder) / per_mm))))


class AutoClock:
    """When auto looks anew: soon, then ever more seldom, so that what it saw first does not stay."""

    def __init__(self) -> None:
        self._next = 0

    def due(self, data_s: float) -> bool:
        """data_s: seconds of data since the stream began."""
        if data_s <= self._at(self._next):
            return False
        while data_s > self._at(self._next):
            self._next += 1
        return True

    @staticmethod
    def _at(k: int) -> float:
        return AUTO_AT_S[k] if k < len(AUTO_AT_S) else AUTO_AT_S[-1] + AUTO_EVERY_S * (k - len(AUTO_AT_S) + 1)


def typical_spreads(
    history: History,
    read: Callable[[float, float], tuple[Times, Samples, Flags]],
    n_rows: int,
    is_event: Callable[[float, float], bool],
) -> npt.NDArray[np.float64]:
    """What each row usually swings: 5 to 95 % within a second, the median over the seconds of the last ten minutes.

    Seconds within an event are left out where there are others: a seizure is not what is usual.

    Parameters
    ----------
    history
        The samples.
    read
        What is shown between two moments: places, (n_samples, n_rows), and which are valid.
    n_rows
        Of what `read` gives.
    is_event
        Whether an event touches start to stop.

    Returns
    -------
    ndarray
        (n_rows,), in the unit of the data; NaN where there is none.
    """
    newest = history.newest_x
    oldest = max(history.oldest_x, newest - SPAN_S)
    n = min(N_WINDOWS, max(1, int((newest - oldest) / WINDOW_S)))
    starts = np.linspace(oldest, max(oldest, newest - WINDOW_S), n)
    quiet = [x for x in starts.tolist() if not is_event(x, x + WINDOW_S)]
    found = []
    for x in quiet or starts.tolist():
        _, data, valid = read(x, x + WINDOW_S)
        data = data[valid][:: max(1, len(data) // _SAMPLES)]
        if len(data) >= 8:
            low, high = np.percentile(np.nan_to_num(data), [5, 95], axis=0)
            found.append(high - low)
    return np.median(found, axis=0) if found else np.full(n_rows, np.nan)
