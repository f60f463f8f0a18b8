"""A monitor without an engine: seeded signals, answers, states and log lines, for the dashboard's benchmark and tests."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pylsl import local_clock

from rtbci.engine.alerts.alert import Moment
from rtbci.engine.alerts.board import AlertBoard
from rtbci.engine.alerts.conditions import EVENT, ConditionChanged
from rtbci.monitor.alerts import BurdenState, RunningEvent
from rtbci.monitor.layout import Layout, trend_layout, write_layout
from rtbci.monitor.messages import (
    EngineState,
    EventLine,
    GapLine,
    LatencyMs,
    OnsetLine,
    SampleCounts,
    SeekLine,
    StreamState,
)
from rtbci.monitor.shared_memory import MonitorWriter
from rtbci.monitor.trend_ring import append_trends, create_trend_ring
from rtbci.pipeline.trends import BURDEN, N_COLUMNS, PROBABILITY
from rtbci.recordings.electrode_positions import POSITIONS
from rtbci.simulation.scalp import ELECTRODES
from rtbci.stages.montage import DOUBLE_BANANA
from rtbci.stages.trends import AEEG, ASYMMETRY, FREQUENCIES, LEFT, RIGHT, SYMMETRY_INDEX
from rtbci.types import Chunk, Event, Samples, StreamInfo, Times, TrendRows

HOP_S = 1 / 32


def names(n_channels: int) -> tuple[str, ...]:
    """Of 8, 18 (bipolar), 19, 32 or more channels: electrodes where there are enough, then numbers."""
    if n_channels == 18:
        return DOUBLE_BANANA
    if n_channels == 8:
        return ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2")
    known = (*ELECTRODES, *(name for name in POSITIONS if name not in ELECTRODES))[:n_channels]
    return (*known, *(f"E{k + 1}" for k in range(len(known), n_channels)))


class SyntheticMonitor:
    """Writes what an engine would, as fast as it is asked to."""

    def __init__(
        self,
        folder: Path,
        n_channels: int = 18,
        sfreq: float = 256.0,
        *,
        seed: int = 0,
        chosen: tuple[str, ...] = (),
        start: float | None = None,
    ) -> None:
        """chosen: inputs of the model, all channels if empty. start: stamp of the first sample."""
        self.channels = names(n_channels)
        self.sfreq = sfreq
        self.writer = MonitorWriter(folder)
        self.start = local_clock() if start is None else start
        self.begins_s = 0.0  # second of the recording at `start`
        self.stamp_of = {0.0: self.start}  # of the seconds that the replay was sought to
        self.n = 0  # samples written
        self.lost, self.gaps = 0, 0
        self.p = 0.05  # probability written
        self.board = AlertBoard(escalate_s=0.0)  # its alarms
        self._running: list[Event] = []
        inputs = chosen or self.channels
        self._pick = [self.channels.index(c) for c in inputs]
        self.layout = Layout(
            channels=self.channels, units=("uV",) * n_channels, sfreq=sfreq, inputs=inputs, model_sfreq=sfreq,
            montage=self.channels, classes=("seizure",), labels=("seizure",), alarms=("seizure",), hop_s=HOP_S, scaled=True,
            weights=tuple(float(w) for w in np.linspace(1, 0.4, len(inputs))) if chosen else (),
            trends=trend_layout(StreamInfo("EEG", sfreq, self.channels)),
        )  # fmt: skip
        self._trends = create_trend_ring(folder)
        self._table = _background(np.random.default_rng(seed), n_channels, sfreq)
        life = self._open_rings()
        self.state = EngineState(
            state="running",
            pipeline="seizure-demo",
            classes=("seizure",),
            query={"name": "EEG"},
            generation=life,
            waiting_s=0.0,
            wait_s=None,
            silent_s=0.0,
            events=0,
            latency_ms=LatencyMs(p50=0.31, p99=1.12, max=3.4),
            stream=StreamState(
                name="EEG", source_id="synthetic", hostname="amp-1", channels=n_channels, sfreq=sfreq, speed=1.0
            ),
            rate_hz=sfreq,
            staleness_s=0.012,
            jitter_ms=0.4,
            device="cpu",
            stage_us={},
            threshold=0.5,
            filter_delay_s=0.062,
        )
        self.publish()

    def close(self) -> None:
        self.writer.close()

    @property
    def seconds(self) -> float:
        """Of recording, so far."""
        return self.begins_s + self.n / self.sfreq

    @property
    def stamp(self) -> float:
        """Of the next sample."""
        return self.start + self.n / self.sfreq

    def advance(self, seconds: float, *, seizure: bool = False, valid: bool = True) -> None:
        """Write this many more seconds of samples and answers."""
        n = round(seconds * self.sfreq)
        at = self.n + np.arange(n)
        data: Samples = self._table[at % len(self._table)]
        if seizure:
            t = at / self.sfreq
            wave = 90 * np.sin(2 * np.pi * 3 * t) ** 3 + 60 * (np.mod(t * 3, 1) < 0.12)
            data = (data + wave[:, None] * np.linspace(1, 0.15, len(self.channels))).astype(np.float32)
        times, flags = self.start + at / self.sfreq, np.full(n, valid)
        assert self.writer.rings is not None
        self.writer.rings.signals.append(Chunk(data, times, np.ones(n, np.bool_)))
        self.writer.rings.model.append(Chunk(data[:, self._pick] / np.float32(20), times, flags))
        self._scores(seconds, seizure, valid)
        self.n += n

    def skip(self, seconds: float) -> None:
        """Lose this much of the stream, as the engine would tell it."""
        n = round(seconds * self.sfreq)
        start, end = self.stamp - 1 / self.sfreq, self.stamp + seconds
        self.writer.log(GapLine(start=start, end=end, n_missing=n, cause="samples lost", filled=False))
        self.n += n
        self.lost += n
        self.gaps += 1

    def seek(self, to_s: float) -> None:
        """A replay moves to another second of its recording, as the engine would tell it."""
        self.start += self.n / self.sfreq + 0.1
        self.stamp_of[to_s] = self.start
        from_s, self.begins_s, self.n = self.seconds, to_s, 0
        self.layout = self.layout.model_copy(update={"begins_s": to_s})
        self.state |= EngineState(generation=self._open_rings())
        self.writer.log(SeekLine(from_s=from_s, to_s=to_s))
        self.publish()

    def _open_rings(self) -> int:
        n_inputs = len(self.layout.inputs)
        life = self.writer.open_rings(self.sfreq, len(self.channels), self.sfreq, n_inputs, HOP_S, 1)
        write_layout(self.writer.folder, life, self.layout)
        return life

    def trend(self, at_s: Times) -> None:
        """Rows of the trends that end at these seconds of the recording: sleep in cycles, and a seizure now and then."""
        append_trends(self._trends, TrendRows(Chunk(_trend_rows(at_s), at_s + self.start), at_s))

    def publish(self, **changes: Any) -> None:
        """The state, with some of it changed."""
        samples = SampleCounts(
            received=self.n - self.lost, filled=0, lost=self.lost, gaps=self.gaps, reconnects=0, invalid_hops=0
        )
        probability = {"seizure": round(self.p, 4)}
        self.state |= EngineState(
            recording_s=round(self.seconds, 3), samples=samples, probability=probability, smoothed=probability
        )
        events = [replace(one, duration=self.seconds - one.onset) for one in self._running]
        running = tuple(
            RunningEvent(label=one.label, onset=one.onset, duration=one.duration, confidence=one.confidence)
            for one in events
        )
        burden = {"seizure": BurdenState(share=0.0, level="")}
        self.state |= EngineState(running=running, alerts=self.board.states(events), burden=burden)
        self.state |= EngineState(**changes)
        self.writer.status(self.state)

    def onset(self, onset: float, confidence: float = 0.8) -> None:
        self.writer.log(OnsetLine(**self._found(onset, self.seconds - onset, confidence)))
        self._alert(Event(onset, self.seconds - onset, "seizure", confidence), present=True)

    def event(self, onset: float, duration: float, confidence: float = 0.93) -> None:
        self.writer.log(EventLine(**self._found(onset, duration, confidence)))
        self._alert(Event(onset, duration, "seizure", confidence), present=False)

    @property
    def now(self) -> Moment:
        """For its alarms."""
        return Moment(self.seconds, local_clock(), time.time())

    def _alert(self, event: Event, *, present: bool) -> None:
        self._running = [event] if present else []
        self.board.take(ConditionChanged(EVENT, event.label, present, self.seconds, event.onset, event=event), self.now)

    def _found(self, onset: float, duration: float, confidence: float) -> dict[str, Any]:
        about = {"label": "seizure", "confidence": confidence, "channels": ()}
        return {"time": self.seconds, "stamp": self.stamp, "onset": onset, "duration": duration, **about}

    def _scores(self, seconds: float, seizure: bool, valid: bool) -> None:
        done_s = self.n / self.sfreq
        first, last = int(np.ceil(done_s / HOP_S)), int(np.ceil((done_s + seconds) / HOP_S))
        values = []
        for k in range(first, last):
            target = 0.95 if seizure else 0.05
            self.p += 0.03 * (target - self.p)
            values.append(np.clip(self.p + 0.04 * np.sin(0.7 * k) * np.sin(0.11 * k), 0, 1))
        scores = np.array(values, np.float32).reshape(-1, 1)
        times: Times = np.arange(first, last) * HOP_S + self.start
        assert self.writer.rings is not None
        self.writer.rings.scores.append(Chunk(scores, times, np.full(len(times), valid)))


def _background(rng: np.random.Generator, n_channels: int, sfreq: float) -> Samples:
    """16 s of 1/f noise and alpha that join without a seam: (n_samples, n_channels), µV."""
    n = int(16 * sfreq)
    hz = np.fft.rfftfreq(n, 1 / sfreq)
    shape = 1 / np.maximum(hz, 1.5) ** 1.1 * (hz < 70) + 0.25 * np.exp(-((hz - 10) ** 2) / 0.8)
    spectrum = shape[:, None] * (rng.normal(size=(len(hz), n_channels)) + 1j * rng.normal(size=(len(hz), n_channels)))
    made = np.fft.irfft(spectrum, n, axis=0)
    return np.asarray(18 * made / made.std(axis=0), np.float32)


def _trend_rows(at_s: Times) -> Samples:
    """Spectra that deepen and flatten in cycles of 90 minutes, and a seizure of the right side every 100 minutes."""
    rows = np.full((len(at_s), N_COLUMNS), np.nan, np.float32)
    hz, depth = np.array(FREQUENCIES), 0.5 - 0.5 * np.cos(2 * np.pi * at_s / 5400)
    noise = np.random.default_rng(len(at_s)).lognormal(0, 0.25, (len(at_s), len(hz)))
    alpha = np.exp(-((hz - 10) ** 2) / 2) * (1 - depth)[:, None] * 60
    seizes = (at_s % 6000 > 5800).astype(np.float64)
    left = ((20 + 180 * depth)[:, None] / (1 + hz**1.9) + alpha) * noise
    right = left * (1 + 12 * seizes[:, None] * np.exp(-((hz - 4) ** 2) / 6))
    rows[:, LEFT], rows[:, RIGHT] = left, right
    lower, upper = 6 + 3 * np.sin(at_s / 900), 18 + 8 * depth
    rows[:, AEEG] = np.stack([lower, upper, lower * (1 + 2 * seizes), upper * (1 + 2 * seizes)], axis=1)
    both = left[:, 1:50] + right[:, 1:50]
    rows[:, SYMMETRY_INDEX] = (np.abs(right - left)[:, 1:50] / both).mean(axis=1) + 0.1
    rows[:, ASYMMETRY] = (right - left)[:, 1:50].sum(axis=1) / both.sum(axis=1) + 0.05 * np.sin(at_s / 300)
    rows[:, PROBABILITY], rows[:, BURDEN] = 0.05 + 0.9 * seizes, 200 * (at_s > 5800) / 3600
    return rows
