"""`rtbci bench soak`: hours of stream over LSL at full speed, with faults, and every sample accounted for."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console

from rtbci.bench.tagging import SFREQ, write_noise
from rtbci.bundled import PIPELINE
from rtbci.engine.process import EngineProcess
from rtbci.engine.session import EngineSpec
from rtbci.engine.threads import one_thread_each
from rtbci.lsl.config import on_this_machine
from rtbci.monitor.messages import EngineState, EventLine, SampleCounts
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamMessage, StreamSession
from rtbci.recordings.open import open_recording
from rtbci.replay.faults import BadChannel, Faults
from rtbci.replay.replay import RECONNECT_S, Replay, cut
from rtbci.results import Result, print_json
from rtbci.types import Chunk, Detection, Event, Scores, Times

QUIET_S = 5.0
WARM_MINUTES = 5
STEADY = 0.01  # of a probability, on input that repeats each minute
FLAT_MB, FLAT_FILES = 96.0, 4  # a reconnection brings a new inlet with its buffers; a leak goes on growing
ACCOUNTED_S = 0.1  # of samples per hour: a loss that jitter may hide


class SoakReport(Result):
    """Hours of stream with faults, and which promises were kept."""

    hours: float
    """Of stream."""
    seed: int
    """Of the faults."""
    took_s: float
    """Wall clock."""
    times_real_time: float
    """How fast it went."""
    kept: dict[str, bool]
    """By promise; the exit code is 1 where one was not."""
    figures: dict[str, str]
    """By promise, in words."""
    samples: SampleCounts
    samples_sent: int
    """By the replay."""
    samples_expected: int
    """In a stream without faults."""
    rss_mb: float
    """Resident memory of the engine at most."""
    reconnects: int
    """Returns of the stream."""


class ProgressPrinter:
    """Prints the progress, every 10 s."""

    def __init__(self, console: Console, what: str, hours: float) -> None:
        self._console, self._what, self._hours = console, what, hours
        self._printed_at = time.monotonic()

    def __call__(self, seconds: float) -> None:
        if time.monotonic() - self._printed_at > 10:
            self._printed_at = time.monotonic()
            self._console.print(f"{self._what}: {seconds / 3600:.2f} h of {self._hours:g} h")


@dataclass
class EngineHistory:
    """Measurements of an engine during a run."""

    rss_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    state: EngineState = field(default_factory=EngineState)


def soak_report(hours: float, seed: int, *, json: bool, pipeline: str = str(PIPELINE)) -> int:
    """Run it; print what came of each promise; 0 where all were kept, else 1."""
    console = Console(highlight=False, stderr=json)
    with on_this_machine(), tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "soak.edf"
        write_noise(recording, hours)
        result = soak(recording, pipeline, hours, seed, console)
    if json:
        print_json(result)
    else:
        for name, kept in result.kept.items():
            console.print(f"{'kept  ' if kept else 'BROKEN'} {name}: {result.figures[name]}")
        console.print(f"{hours:g} h in {result.took_s:.0f} s, {result.times_real_time:.0f} times real time")
    return int(not all(result.kept.values()))


def seeded_faults(hours: float, seed: int) -> Faults:
    """Per hour about 6 gaps of 0.05 to 5 s, 1 return, 1 clock that goes back and 1 bad channel; in 10,000 chunks 2 that
    are lost, 1 sent twice and 1 that is late; jitter, drift and ragged chunks throughout.
    """
    rng = np.random.default_rng(seed)
    length = hours * 3600
    # Minutes apart, so that they do not merge.
    places = np.sort(rng.permutation(np.arange(30.0, max(31.0, length - 30), 60.0))[: max(2, round(7 * hours))])
    away = rng.choice(len(places), max(1, round(hours)), replace=False)
    gaps = [(float(at), float(rng.uniform(0.05, 5))) for i, at in enumerate(places) if i not in away]
    # Between the others, so that each can be identified. No clock goes forward: at full speed arrival times are unknown,
    # and without these it looks like a loss.
    between = rng.choice(places + 20.0, (2, max(1, round(hours))), replace=len(places) < 2 * round(hours))
    kinds = ("flat", "saturated", "nan", "swapped")
    return Faults(
        jitter_ms=0.1, drift_ppm=50.0, drop=2e-4, duplicate=1e-4, late=1e-4, gaps=tuple(gaps), chunk_range=(8, 64),
        reconnect_at_s=tuple(float(places[i]) for i in sorted(away)),
        clock_resets=tuple((float(at), -float(rng.uniform(0.5, 10))) for at in sorted(between[0])),
        bad_channels=tuple(
            BadChannel(channel=int(rng.integers(18)), kind=kinds[k % 4], at=(float(at), 15.0))  # type: ignore[arg-type]
            for k, at in enumerate(sorted(between[1]))
        ),
    )  # fmt: skip


def soak(recording: Path, pipeline: str, hours: float, seed: int, console: Console) -> SoakReport:
    """Live and offline through the same faults; the figures, and which promises were kept."""
    name = f"rtbci-soak-{os.getpid()}"
    replay = Replay([recording], name=name, speed=0, seed=seed, faults=seeded_faults(hours, seed))
    began = time.monotonic()
    sent, history = _live(replay, pipeline, hours, console)
    took = time.monotonic() - began
    wanted = offline(replay, Pipeline.load(pipeline), ProgressPrinter(console, "offline, the same", hours))
    samples = history.state.samples
    n_all = round(hours * 3600 * SFREQ)
    astray = abs(samples.received - samples.extra + samples.filled + samples.lost - n_all)
    quarter = max(1, len(history.rss_mb) // 4)
    grown = max(history.rss_mb[-quarter:]) - max(history.rss_mb[quarter : 2 * quarter] or history.rss_mb)
    # While a stream reconnects, its old and its new connection are open together: so the median, not the maximum.
    opened = round(
        np.median(history.files[-quarter:]) - np.median(history.files[quarter : 2 * quarter] or history.files)
    )
    first, last = history.p99_ms[quarter - 1], history.p99_ms[-1]
    # Separately, without faults: a break shifts hops against samples, and with them the mean of the scores.
    steady = ProgressPrinter(console, "offline, without faults", hours)
    drift = offline(replace(replay, faults=Faults()), Pipeline.load(pipeline), steady).drift()
    ours, theirs = ([_span(e) for e in events] for events in (history.events, wanted.events))
    unlike = next((f"; live {a}, offline {b}" for a, b in zip(ours, theirs, strict=False) if a != b), "")
    figures = {
        "every sample sent was received": f"{samples.received} of {sent}",
        "processed and declared lost make the whole": f"{astray} of {n_all} samples astray, {wanted.gaps} gaps, "
        f"{samples.extra} samples twice or too late",
        "events are those of the offline answer": f"{len(history.events)} live, {len(wanted.events)} offline{unlike}",
        "memory is flat": f"{grown:+.1f} MB from the second quarter to the last, {max(history.rss_mb):.0f} MB at most",
        "file handles are flat": f"{opened:+d}, {max(history.files)} at most",
        "latency is at the end as at the start": f"p99 {first:.2f} ms, then {last:.2f} ms",
        "scores do not drift": f"mean of the last hour or quarter {drift:+.5f} from the first, on steady input",
    }
    kept = [
        samples.received == sent,
        astray <= ACCOUNTED_S * SFREQ * max(1.0, hours),
        ours == theirs,
        grown < FLAT_MB,
        opened <= FLAT_FILES,
        last < 2 * first + 1,
        abs(drift) < STEADY,
    ]
    return SoakReport(
        hours=hours, seed=seed, took_s=round(took, 1), times_real_time=round(hours * 3600 / took, 1),
        kept=dict(zip(figures, kept, strict=True)), figures=figures, samples=samples, samples_sent=sent,
        samples_expected=n_all, rss_mb=round(max(history.rss_mb), 1), reconnects=samples.reconnects,
    )  # fmt: skip


def _live(replay: Replay, pipeline: str, hours: float, console: Console) -> tuple[int, EngineHistory]:
    """(samples sent, what was seen of the engine)."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with EngineProcess(EngineSpec(pipeline, {"name": replay.name or ""}, wait_s=60.0)) as engine:
        sender = context.Process(target=_send, args=(replay, theirs), daemon=True)
        with one_thread_each():
            sender.start()
        theirs.close()
        try:
            history = _watch(engine, sender, hours, console)
            sent = int(ours.recv())
        finally:
            sender.kill()
            sender.join()
    return sent, history


def _send(replay: Replay, answer: Connection) -> None:
    answer.send(replay.run())


def _watch(
    engine: EngineProcess, sender: multiprocessing.process.BaseProcess, hours: float, console: Console
) -> EngineHistory:
    history, process = EngineHistory(), psutil.Process(engine.process.pid)
    due, progress = 0.0, ProgressPrinter(console, "live", hours)
    while engine.alive and (sender.is_alive() or history.state.silent_s < QUIET_S):
        history.state = state = engine.reader.status() or history.state
        history.events += [_event(line) for line in engine.reader.new_log() if isinstance(line, EventLine)]
        if time.monotonic() >= due and (p99 := state.latency_ms.p99) is not None:
            due = time.monotonic() + 0.5
            history.rss_mb.append(process.memory_info().rss / 2**20)
            history.files.append(process.num_fds() if hasattr(process, "num_fds") else process.num_handles())
            history.p99_ms.append(p99)
        progress(state.recording_s)
        time.sleep(0.05)
    engine.stop()
    history.state = engine.reader.status() or history.state
    history.events += [_event(line) for line in engine.reader.new_log() if isinstance(line, EventLine)]
    return history


@dataclass
class OfflineAnswer:
    """A pipeline's answer to exactly the samples and stamps that a replay sends, without LSL."""

    events: list[Event] = field(default_factory=list)
    gaps: int = 0
    minutes: dict[int, list[float]] = field(default_factory=dict)  # sum of valid scores, and how many, for each minute

    def on(self, message: StreamMessage) -> None:
        if isinstance(message, Scores):
            self.add(message.chunk, message.at_s)
        elif isinstance(message, Detection) and message.closed:
            self.events.append(message.event)

    def add(self, scores: Chunk, at: Times) -> None:
        for minute in np.unique(at // 60):
            valid = scores.data[(at // 60 == minute) & scores.valid, 0]
            total = self.minutes.setdefault(int(minute), [0.0, 0.0])
            total[0] += float(valid.sum())
            total[1] += len(valid)

    def drift(self) -> float:
        """Mean score of the last hour (of a short run: quarter) less that of the first, its first 5 minutes left out."""
        means = [total / n for minute, (total, n) in sorted(self.minutes.items()) if n and minute >= WARM_MINUTES]
        span = min(60, max(1, len(means) // 4))
        return float(np.mean(means[-span:]) - np.mean(means[:span])) if means else 0.0


def offline(replay: Replay, pipeline: Pipeline, progress: Callable[[float], None] = lambda _: None) -> OfflineAnswer:
    """The answer that the live one is compared with. progress: called with the seconds done."""
    session, answer = StreamSession(pipeline, open_recording(replay.files[0]).info), OfflineAnswer()
    for chunk in _chunks(replay):
        if chunk is None:
            session.connected_anew(session.info)
            continue
        for message in session.samples(chunk):
            answer.on(message)
        progress(session.recording_s)
    for message in session.close():
        answer.on(message)
    answer.gaps = session.tally.gaps
    return answer


def _chunks(replay: Replay) -> Iterator[Chunk | None]:
    """What the replay sends; None where it goes on over a new connection, for the engine knows that, too."""
    recording, faults, seed = open_recording(replay.files[0]), replay.faults, replay.seed
    blocks = ((chunk.data, chunk.times) for chunk in recording.chunks(round(10 * recording.info.sfreq)))
    packets = cut(blocks, faults.sizes(replay.chunk, seed))
    vanish_at = sorted(faults.reconnect_at_s)
    held: list[Chunk] = []
    for packet in faults.lose(faults.distort(packets, seed), seed, RECONNECT_S):
        held.append(Chunk(packet.data, packet.stamps))
        vanishes = bool(vanish_at) and packet.due >= vanish_at[0]
        if len(held) == 200 or vanishes:  # larger chunks are faster, and must change nothing
            yield Chunk.join(held)
            held = []
        if vanishes:
            del vanish_at[0]
            yield None
    if held:
        yield Chunk.join(held)


def _event(line: EventLine) -> Event:
    return Event(line.onset, line.duration, line.label, line.confidence)


def _span(event: Event) -> tuple[float, float, str]:
    return event.onset, event.duration, event.label
