"""Reads the engine's monitor once a frame into histories; knows nothing of windows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.trend_history import TrendHistory
from rtbci.monitor.layout import Layout, read_layout
from rtbci.monitor.messages import ConnectedLine, EngineState, LogLine, MoveLine, SeekLine
from rtbci.monitor.shared_memory import MonitorReader, Rings, SharedRing
from rtbci.recordings.replay_clock import ReplayMove
from rtbci.recordings.units import microvolts

STATUS_EVERY_S = 0.1
DEAD_S = 2.0  # an engine that lives writes its state ten times a second


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
    """The engine as its monitor shows it: `state`, the layout and histories of the present generation, and the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = EngineState()
        self.generation = 0
        self.layout: Layout | None = None
        self.clock: DisplayClock | None = None
        self.trends = TrendHistory(folder)
        self._monitor = MonitorReader(folder)
        self._rings: dict[str, _RingReader] = {}
        self._status_due = 0.0
        self._changed_at = time.monotonic()
        self.log: list[LogLine] = []
        self._newest = 0.0
        self._begins_s: float | None = None
        self._moves: list[ReplayMove] = []  # of the present generation

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
        """(a new generation of rings began, rows came). New lines of the log are in `log` until the next call."""
        now = time.monotonic()
        self.log = []
        began = False
        looks = self.state.replay is not None  # samples on another clock come soon after its line
        if now >= self._status_due:
            self._status_due = now + STATUS_EVERY_S
            self._read_status(now)
            began = self._begin() if self.state.generation != self.generation else False
            looks = True
        if found := self.clock is None and self._find_origin():
            began = looks = True
        if looks and (self.clock is not None or self.generation != 1):
            self.log = self._monitor.new_log()
            self._follow_moves()
        if found and self.clock is not None:
            self._place(self.clock)
        if looks:
            self._read_trends()
        came = [reader.read(self.clock) for reader in self._rings.values()] if self.clock else []
        return began, any(came)

    def _follow_moves(self) -> None:
        """Of a replay; their lines come before the samples behind them."""
        for line in self.log:
            if isinstance(line, ConnectedLine | SeekLine):
                self._moves.clear()
            elif isinstance(line, MoveLine):
                self._moves.append((line.until, line.since, line.speed or 1.0))
                if self.clock is not None:
                    self.clock.move(*self._moves[-1])

    def _read_trends(self) -> None:
        about = self.layout.trends if self.layout is not None else None
        if self.clock is not None and about is not None:
            self.trends.read(self.clock.x_of_recording(0.0), about.row_s)

    def _history(self, name: str) -> History | None:
        return self._rings[name].history if name in self._rings else None

    def _read_status(self, now: float) -> None:
        state = self._monitor.status()
        if state is not None and state != self.state:
            self.state, self._changed_at = state, now

    def _begin(self) -> bool:
        rings = self._monitor.rings(self.state.generation)
        if rings is None:
            return False
        self.generation = self.state.generation
        layout = read_layout(self.folder, self.generation)
        self.layout = layout if layout is not None and _names(layout, rings) else _nameless(self.state, rings)
        self.clock = None
        gains = np.array([microvolts(unit) or 1.0 for unit in self.layout.units], np.float32)
        speed = self.layout.speed or 1.0
        rates = {"signals": self.layout.sfreq, "model": self.layout.model_sfreq, "scores": 1 / self.layout.hop_s}
        self._rings = {
            name: _RingReader(ring, History(ring.n_channels, rates[name], 600.0 if name == "model" else None))
            for name, ring in (("signals", rings.signals), ("model", rings.model), ("scores", rings.scores))
        }
        if (gains != 1).any():
            self._rings["signals"].gains = gains
        self._speed = speed
        return True

    def _find_origin(self) -> bool:
        """The stream's first stamp that can be read is where the display's seconds begin."""
        if not self._rings or not self._rings["signals"].ring.n_written:
            return False
        chunk, _, missed = self._rings["signals"].ring.since(0)
        clock = DisplayClock(float(chunk.times[0]), self._speed)
        if self.layout is not None and not self.layout.speed:
            # Stamps of a replay that is not paced are the recording's own; its newest sample is of now.
            clock.wall_minus_local = time.time() - float(chunk.times[-1])
        for move in self._moves:
            clock.move(*move)
        self.clock, self._newest = clock, float(chunk.times[-1])
        begins_s = self.layout.begins_s if self.layout is not None else None
        if begins_s is None and self.generation == 1:
            begins_s = 0.0
        # Where the first sample is not there any more, the newest tells how far the recording has come.
        self._begins_s = begins_s if not missed else None
        return True

    def _place(self, clock: DisplayClock) -> None:
        """The recording's seconds; after the moves that are known."""
        if self._begins_s is None:
            newest = self.state.newest_stamp or self._newest
            self._begins_s = self.state.recording_s - clock.x(newest)
        clock.recording_at_origin = self._begins_s


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
        hop_s=1 / 32, speed=state.stream.speed if state.stream is not None else 1.0,
    )  # fmt: skip
