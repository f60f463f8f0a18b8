"""Filters for the eye: beside the model's own and never of them; causal, so that what is painted stays as it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.dashboard.model.history import GAP_S, History
from rtbci.types import Flags, Samples, Times

LOW_HZ = (0.0, 0.1, 0.3, 0.5, 1.0, 1.6, 3.0, 5.0, 10.0)  # 0: off
HIGH_HZ = (0.0, 15.0, 30.0, 35.0, 40.0, 70.0, 100.0)
NOTCH_HZ = (0.0, 50.0, 60.0)
ORDER = 2  # 12 dB an octave
MOST_LEAD_S = 10.0
_BLOCK_ROWS = 32_768


@dataclass(frozen=True, slots=True)
class DisplayFilter:
    """Edges in Hz, 0 where a part is off."""

    low_hz: float = 0.0
    high_hz: float = 0.0
    notch_hz: float = 0.0

    @property
    def is_on(self) -> bool:
        return bool(self.low_hz or self.high_hz or self.notch_hz)

    @property
    def lead_s(self) -> float:
        """Seconds before the page that are filtered with it, so that the start of the page has settled."""
        return min(MOST_LEAD_S, 1.0 + 5 / (2 * math.pi * self.low_hz)) if self.low_hz else 1.0

    def sections(self, sfreq: float) -> npt.NDArray[np.float64]:
        """Second-order sections; a part at or beyond the Nyquist frequency is left out."""
        from rtbci.stages.filters import FilterConfig, design

        low, high, notch = (hz if 0 < hz < 0.49 * sfreq else None for hz in (self.low_hz, self.high_hz, self.notch_hz))
        notches = () if notch is None else (notch,)
        return design(FilterConfig(low_hz=low, high_hz=high, order=ORDER, notch_hz=notches), sfreq)

    def __str__(self) -> str:
        """ "0.5–70 Hz, notch 50 Hz"; "" where it is off."""
        band = f"{self.low_hz:g}–{self.high_hz:g} Hz"
        if not self.high_hz:
            band = f"above {self.low_hz:g} Hz" if self.low_hz else ""
        elif not self.low_hz:
            band = f"below {self.high_hz:g} Hz"
        return ", ".join(part for part in (band, f"notch {self.notch_hz:g} Hz" if self.notch_hz else "") if part)


class FilteredRows:
    """Reads rows of a history, derived and filtered. Read on from where it was, each sample is filtered once.

    Started anywhere, it begins `lead_s` earlier, in the steady state of the first sample, and anew after each gap.

    Parameters
    ----------
    history
        The samples.
    derive
        (n_samples, n_channels) -> (n_samples, n_rows).
    wanted
        What to filter with.
    keep_s
        How far back of the newest row that was read it can be read again without a new start.
    """

    def __init__(
        self, history: History, derive: Callable[[Samples], Samples], wanted: DisplayFilter, keep_s: float = 1.0
    ) -> None:
        from scipy import signal

        self._history, self._derive = history, derive
        self._sosfilt = signal.sosfilt
        self._sections = wanted.sections(history.sfreq)
        self._rest = signal.sosfilt_zi(self._sections)[:, :, None] if len(self._sections) else None
        self._lead = int(wanted.lead_s * history.sfreq)
        self._keep = max(64, int(keep_s * history.sfreq))
        self._gap_s = max(GAP_S, 3 / history.sfreq)
        self._next = -1  # the row that is filtered next
        self._kept: list[Samples] = []  # filtered rows up to it
        self._n_kept = 0
        self._state: npt.NDArray[np.float64] | None = None
        self._last_x = -math.inf
        self._held: Samples | None = None

    def rows(self, start: int, stop: int) -> tuple[Times, Samples, Flags]:
        """As `History.rows`, with what is shown in place of what was recorded."""
        start, stop = max(start, self._history.first), min(stop, self._history.n)
        x, data, valid = self._history.rows(start, stop)
        if self._rest is None or not len(x):
            return x, self._derive(data), valid
        if not self._next - self._n_kept <= start <= self._next:
            self._start(max(self._history.first, start - self._lead))
        while self._next < stop:
            self._read(min(stop, self._next + _BLOCK_ROWS))
        kept = np.concatenate(self._kept) if len(self._kept) > 1 else self._kept[0]
        end = len(kept) - (self._next - stop)
        found = kept[end - (stop - start) : end]
        self._kept = [kept[-self._keep :]]
        self._n_kept = len(self._kept[0])
        return x, found, valid

    def _start(self, at: int) -> None:
        self._next, self._kept, self._n_kept = at, [], 0
        self._state, self._last_x, self._held = None, -math.inf, None

    def _read(self, stop: int) -> None:
        x, data, _ = self._history.rows(self._next, stop)
        derived = self._derive(data)
        breaks = np.flatnonzero(np.abs(np.diff(x, prepend=self._last_x)) > self._gap_s)
        out = np.empty_like(derived)
        edges = [0, *breaks.tolist(), len(x)]
        for a, b in itertools.pairwise(edges):
            if a in breaks:
                self._state = self._held = None
            if a < b:
                out[a:b] = self._filter(derived[a:b])
        self._last_x = float(x[-1])
        self._next = stop
        self._kept.append(out)
        self._n_kept += len(out)

    def _filter(self, data: Samples) -> Samples:
        """One unbroken piece. What is no number is filtered as the number before it, and stays none."""
        bad = ~np.isfinite(data)
        if bad.any():
            data = self._mend(data, bad)
        self._held = data[-1]
        if self._state is None:
            assert self._rest is not None
            self._state = self._rest * data[0].astype(np.float64)
        out, self._state = self._sosfilt(self._sections, data, axis=0, zi=self._state)
        found: Samples = out.astype(np.float32)
        found[bad] = np.nan
        return found

    def _mend(self, data: Samples, bad: npt.NDArray[np.bool_]) -> Samples:
        before = np.zeros(data.shape[1], np.float32) if self._held is None else self._held
        rows = np.where(bad, 0, np.arange(1, len(data) + 1)[:, None])
        return np.take_along_axis(np.vstack([before, data]), np.maximum.accumulate(rows, axis=0), axis=0)
