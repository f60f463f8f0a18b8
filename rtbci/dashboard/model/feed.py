"""Reads the engine's monitor once a frame into histories; knows nothing of windows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtbci.dashboard.model.display_clock import DisplayClock, SessionClocks
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.trend_history import TrendHistory
from rtbci.monitor.layout import Layout, read_layout
from rtbci.monitor.messages import ConnectedLine, EngineState, LogLine, MoveLine, SeekLine
from rtbci.monitor.shared_memory import MonitorReader, Rings, SharedRing
from rtbci.recordings.replay_clock import ReplayMove
from rtbci.recordings.units import microvolts
from rtbci.recordings.vocabulary import is_seizure

STATUS_EVERY_S = 0.1
DEAD_S = 2.0  # an engine that lives writes its state ten times a second
MOVED_S = 0.2  # an offset that changes by less is that of before, as far as it can be measured
PLACE_S = 2.0  # by then an engine has told where on the session's clock its samples are


@dataclass(slots=True)
class _RingReader:
    """One ring, how far it was read, and where its rows go."""

    ring: SharedRing
    history: History
    gains: np.ndarray | None = None
    position: int = 0
    missed: int = 0

    def read(self, clock: DisplayClock) -> bool:
        if self.ring.n_written == self.position:
            return False
        chunk, self.position, missed = self.ring.since(self.position)
        self.missed += missed
        data = chunk.data if self.gains is None else chunk.data * self.gains
        self.history.append(clock.xs(chunk.times), data, chunk.valid)
        return len(chunk) > 0


class Feed:
    """The engine as its monitor shows it: `state`, the layout, the log, and the histories of the session.

    Histories go on when a replay is sought, and when the stream comes back with the same channels. `clocks` has the session's
    clock for each part of it; `clock` is that of the present part, None before the first sample.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = EngineState()
        self.generation = 0
        self.layout: Layout | None = None
        self.clocks = SessionClocks()
        self.trends = TrendHistory(folder)
        self._monitor = MonitorReader(folder)
        self._rings: dict[str, _RingReader] = {}
        self._is_placed = True  # the clock of the present generation is known
        self._place_by = math.inf
        self._status_due = 0.0
        self._changed_at = time.monotonic()
        self.log: list[LogLine] = []
        self._held: list[LogLine] = []
        self._moves: list[ReplayMove] = []  # of the present generation

    @property
    def clock(self) -> DisplayClock | None:
        return self.clocks.now

    @property
    def signals(self) -> History | None:
        return self._history("signals")

    @property
    def model(self) -> History | None:
        return self._history("model")

    @property
    def scores(self) -> History | None:
        return self._history("scores")

    @property
    def missed(self) -> int:
        """Samples that the display was too slow to read; the engine has them."""
        return self._rings["signals"].missed if self._rings else 0

    @property
    def dead_s(self) -> float:
        """Seconds since the engine last wrote its state, once that is longer than it may be."""
        silent = time.monotonic() - self._changed_at
        return silent if silent > DEAD_S and self.state.state != "stopped" else 0.0

    def poll(self) -> tuple[bool, bool]:
        """(samples of a new generation begin, rows came). New lines of the log are in `log` until the next call."""
        now = time.monotonic()
        self.log = []
        began = False
        looks = self.state.replay is not None  # samples on another clock come soon after its line
        if now >= self._status_due or self._monitor.has_new_status:
            self._status_due = now + STATUS_EVERY_S
            self._read_status(now)
            if self.state.generation != self.generation and self._open_rings():
                self._is_placed, self._place_by = False, now + PLACE_S
            looks = True
        if looks:
            self._held += self._new_lines()
            self._read_trends()
        if not self._is_placed and self._place(now):
            began = self._is_placed = True
        began |= self._follow_offset()
        if self.clock is not None or not self.generation:  # lines of a stream have their place by its clock
            self.log, self._held = self._held, []
        return began, self._read_rings()

    def _follow_offset(self) -> bool:
        """Whether a replay was started again while its stream was away: it is elsewhere on the session's clock."""
        clock, replay = self.clock, self.state.replay
        is_present = self._is_placed and self.state.generation == self.generation
        if clock is None or replay is None or replay.offset_s is None or not is_present:
            return False
        if abs(replay.offset_s - clock.offset_s) < MOVED_S:
            return False
        at_x = self.clocks.newest_x
        self._begin_part(clock.moved(at_x, replay.offset_s))
        return True

    def _begin_part(self, clock: DisplayClock) -> None:
        self.clocks.begin(clock)
        for reader in self._rings.values():
            reader.history.begin_run()

    def _read_rings(self) -> bool:
        """Whether rows came."""
        if self.clock is None or not self._is_placed:
            return False
        came = [reader.read(self.clock) for reader in self._rings.values()]
        if any(came):
            self.clocks.newest_x = self._rings["signals"].history.newest_x
        return any(came)

    def _new_lines(self) -> list[LogLine]:
        """New lines of the log. The moves of a replay are followed: their lines come before the samples behind them."""
        lines = self._monitor.new_log()
        for line in lines:
            if isinstance(line, ConnectedLine | SeekLine):
                self._moves.clear()
            elif isinstance(line, MoveLine):
                self._moves.append((line.until, line.since, line.speed or 1.0))
                if self.clock is not None and self._is_placed:
                    self.clock.move(*self._moves[-1])
        return lines

    def _read_trends(self) -> None:
        about = self.layout.trends if self.layout is not None else None
        if about is not None:
            self.trends.read(about.row_s)

    def _history(self, name: str) -> History | None:
        return self._rings[name].history if name in self._rings else None

    def _read_status(self, now: float) -> None:
        state = self._monitor.status()
        if state is not None and state != self.state:
            self.state, self._changed_at = state, now

    def _open_rings(self) -> bool:
        """Those of a new generation; their rows go on the histories that are there, where their columns are the same."""
        rings = self._monitor.rings(self.state.generation)
        if rings is None:
            return False
        self._read_rings()  # what is left in those of the generation that is over
        self.generation = self.state.generation
        before, layout = self.layout, read_layout(self.folder, self.generation)
        self.layout = layout if layout is not None and _names(layout, rings) else _nameless(self.state, rings)
        gains = np.array([microvolts(unit) or 1.0 for unit in self.layout.units], np.float32)
        kept = dict(self._rings) if before is not None and _alike(before, self.layout) else {}
        rates = {"signals": self.layout.sfreq, "model": self.layout.model_sfreq, "scores": 1 / self.layout.hop_s}
        self._rings = {}
        for name, ring in (("signals", rings.signals), ("model", rings.model), ("scores", rings.scores)):
            if name in kept:
                history = kept[name].history
            else:
                history = History(ring.n_channels, rates[name], 600.0 if name == "model" else None)
            self._rings[name] = _RingReader(ring, history)
        if (gains != 1).any():
            self._rings["signals"].gains = gains
        return True

    def _place(self, now: float) -> bool:
        """Whether it is known where on the session's clock the samples of the present generation are."""
        ring, layout = self._rings["signals"].ring, self.layout
        if layout is None or not ring.n_written:
            return False
        chunk, _, missed = ring.since(0)
        first, last = float(chunk.times[0]), float(chunk.times[-1])
        begins_s = layout.begins_s if layout.begins_s is not None or self.generation != 1 else 0.0
        # Where the first sample is not there any more, the newest tells how far the recording has come.
        by_newest = begins_s is None or missed > 0
        replay, newest = self.state.replay, self.state.newest_stamp
        waits = (by_newest and newest is not None and newest < first) or (
            replay is not None and replay.offset_s is None
        )
        if waits and now < self._place_by:
            return False
        clock = DisplayClock(first, layout.speed or 1.0, is_replay=replay is not None or layout.speed != 1)
        if not layout.speed:
            # Stamps of a replay that is not paced are the recording's own; its newest sample is of now.
            clock.wall_minus_local = time.time() - last
        for move in self._moves:
            clock.move(*move)
        if begins_s is None or missed:
            begins_s = self.state.recording_s - clock.x(newest or last)
        clock.offset_s = (replay.offset_s or 0.0) if replay is not None else 0.0
        clock.x_at_origin = begins_s + clock.offset_s
        self._begin_part(clock)
        return True


def _alike(a: Layout, b: Layout) -> bool:
    """Whether the columns of the rings are the same."""
    same = ("channels", "units", "sfreq", "inputs", "model_sfreq", "classes", "hop_s", "scaled")
    return all(getattr(a, name) == getattr(b, name) for name in same)


def _names(layout: Layout, rings: Rings) -> bool:
    """Whether each column of the rings has its name."""
    columns = [ring.n_channels for ring in (rings.signals, rings.model, rings.scores)]
    return columns == [len(names) for names in (layout.channels, layout.inputs, layout.classes)]


def _nameless(state: EngineState, rings: Rings) -> Layout:
    """An engine that has not named its channels: they are numbered."""
    sfreq = state.stream.sfreq if state.stream is not None else 256.0
    n, m = rings.signals.n_channels, rings.model.n_channels
    inputs = tuple(f"in{k + 1}" for k in range(m))
    return Layout(
        channels=tuple(f"ch{k + 1}" for k in range(n)), units=("",) * n, sfreq=sfreq,
        inputs=inputs, model_sfreq=sfreq, montage=inputs, classes=state.classes, labels=state.classes,
        alarms=tuple(filter(is_seizure, state.classes)),
        hop_s=1 / 32, speed=state.stream.speed if state.stream is not None else 1.0,
    )  # fmt: skip
