"""The gap guard: tells true loss from jitter on clock-synced, un-dejittered stamps; between a source and the montage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rtbci.config import GapConfig
from rtbci.types import Chunk, Gap, Samples


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

    Everything is counted in samples, so the cutting into chunks changes nothing.
    """

    FOLLOW_S = 2.0
    CONFIRM_S = 0.1
    LOOK_S = 0.5
    MAX_DRIFT = 5e-3  # seconds a second

    def __init__(self, config: GapConfig, sfreq: float, speed: float = 1.0) -> None:
        """sfreq: of the recording; speed: its seconds a second of the stamps' clock, 1 but for a replay."""
        self._period = 1 / (sfreq * speed)
        self._n_confirm = max(2, round(self.CONFIRM_S * sfreq))
        self._n_look = max(8, round(self.LOOK_S * sfreq))
        self._slew = self.MAX_DRIFT * self._period
        self._max_fill = round(config.max_fill_s * sfreq)
        self._gain = 1 - np.exp(-1 / (self.FOLLOW_S * sfreq))
        self.reset()

    def reset(self) -> None:
        self._last_row: Samples | None = None  # of the last sample handed on (1, n_channels)
        self._last_time = -np.inf
        self._held: Chunk | None = None  # suspect samples that wait for a verdict
        self._offset = 0.0  # s
        self._n = 0  # samples on the grid since `_offset` was set
        self.jitter_s = self._period  # careful until it has been measured
        self._look_in = self._n_look  # samples until the next look
        self._least = self._least_before = np.inf  # lateness since the last look, and between it and the one before
        self._stays_late = 0.0  # what the last look found

    def process(self, chunk: Chunk) -> Iterator[Chunk | Gap]:
        if self._held is not None:
            chunk, self._held = Chunk.join([self._held, chunk]), None
        if self._last_row is None and len(chunk):
            self._offset = float(chunk.times[0])
        while len(chunk):
            n_good = self._follow(chunk.times.tolist())
            if n_good == len(chunk):
                yield self._hand_on(chunk)
                return
            if n_good:
                yield self._hand_on(chunk[:n_good])
                chunk = chunk[n_good:]
            if self._stays_late:
                late, self._stays_late = self._stays_late, 0.0
                yield from self._account(chunk, round(late / self._period), late)
            elif n_good:
                continue
            elif len(chunk) < self._n_confirm:
                self._held = Chunk(chunk.data.copy(), chunk.times.copy(), chunk.valid.copy())
                return
            else:
                yield from self._judge(chunk)

    def flush(self) -> Iterator[Chunk | Gap]:
        """The stream is over: what waited for a verdict is handed on as it is."""
        if self._held is not None:
            chunk, self._held = self._held, None
            self._n += len(chunk)
            yield self._hand_on(chunk)

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

    def _judge(self, chunk: Chunk) -> Iterator[Chunk | Gap]:
        """Account for the first sample, which is suspect, so that it is good now."""
        stamps = chunk.times[: self._n_confirm]
        late = stamps - (self._n + np.arange(len(stamps))) * self._period - self._offset
        limit = max(0.6 * self._period, 6 * self.jitter_s)
        if late.min() > limit:
            yield from self._account(chunk, round(float(late.min()) / self._period), float(late.min()))
        elif late.max() < -limit:
            yield Gap(self._last_time, float(stamps[0]), 0, "the stream's clock went back", filled=True)
            self._move(float(late.max()))
        else:
            # Late once and back again: jitter, larger than was thought.
            self.jitter_s = abs(float(late[0])) / 6 * (1 + 1e-9)

    def _account(self, chunk: Chunk, n_missing: int, late_s: float) -> Iterator[Chunk | Gap]:
        assert self._last_row is not None
        start, end = self._last_time, float(chunk.times[0])
        filled = n_missing <= self._max_fill
        yield Gap(start, end, n_missing, "samples lost", filled)
        if filled:
            ramp = np.linspace(0, 1, n_missing + 2)[1:-1]
            data = self._last_row + ramp[:, None].astype(np.float32) * (chunk.data[:1] - self._last_row)
            yield self._hand_on(Chunk(data, start + ramp * (end - start), np.zeros(n_missing, np.bool_)))
        self._n += n_missing
        self._move(late_s, n_missing)

    def _move(self, late_s: float, n_missing: int = 0) -> None:
        """What was late by `late_s` is on time from now on."""
        self._offset += late_s - n_missing * self._period
        self._least -= late_s
        self._least_before -= late_s

    def _hand_on(self, chunk: Chunk) -> Chunk:
        """Stamps strictly in order, so that a time names one sample: one that is not is a nanosecond after its elder."""
        last, ordered = self._last_time, []
        in_order = True
        for stamp in chunk.times.tolist():
            if stamp <= last:
                in_order, stamp = False, last + 1e-9
            ordered.append(stamp)
            last = stamp
        if not in_order:
            chunk = Chunk(chunk.data, np.array(ordered), chunk.valid)
        self._last_time, self._last_row = last, chunk.data[-1:].copy()
        return chunk
