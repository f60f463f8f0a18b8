"""`rtbci demo`: replays the bundled recording over LSL to the bundled pipeline, and scores the result."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from rtbci.bundled import PIPELINE, RECORDING
from rtbci.cli.attended import Session, attend
from rtbci.cli.dashboard_process import DashboardProcess
from rtbci.cli.run import require_device
from rtbci.cli.sessions import next_session
from rtbci.cli.signals import StopAsked, stopped_by_signal
from rtbci.cli.watch import Watch
from rtbci.engine.alerts.config import AlarmConfig
from rtbci.engine.process import EngineProcess
from rtbci.engine.session import EngineSpec
from rtbci.evaluation.responses import Response, Scored, detection_delays, detection_responses, overlaps
from rtbci.lsl.replay_key import VARIABLE
from rtbci.monitor.messages import EngineState, EventLine, LatencyMs, LogLine, OnsetLine
from rtbci.monitor.window_messages import SessionEnded, SessionRequest, ShowEngine, StartSession
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import is_seizure
from rtbci.replay.replay import Replay, run_replay
from rtbci.results import Result, Text
from rtbci.text import tenths_text
from rtbci.types import Event

_NONE = "none is annotated in the part that was played"
TITLE = f"rtbci demo · {RECORDING.name}, a real seizure · {PIPELINE.name}"
QUIET_S = 2.0  # without a new sample after the end of the replay, nothing more is in flight


class SeizureFound(Result):
    """An annotated seizure and the answer to it, in seconds of the recording; null where there was none."""

    onset_s: float
    """As annotated by an expert."""
    offset_s: float
    """As annotated."""
    detected_onset_s: float | None
    """When the probability crossed the threshold."""
    detected_offset_s: float | None
    """When it fell below the release; the end of the recording where it had not."""
    decided_s: float | None
    """When it was decided, after the shortest duration of an event: the moment of the alarm."""
    delay_s: float | None
    """From the annotated onset to the decision."""


class DemoSummary(Result):
    """What was annotated in the part that was played, what was detected, and whether every sample arrived."""

    seizures: tuple[SeizureFound, ...]
    seizures_annotated: int
    """By an expert."""
    seizures_detected: int
    """Annotated seizures that an event overlaps."""
    detection_delay_s: tuple[float, ...]
    """From the annotated onset to the decision, of each seizure that was detected."""
    false_alarms: int
    """Events that overlap no annotated seizure."""
    samples_expected: int
    """In the part of the recording that was played."""
    samples_received: int
    """By the engine."""
    samples_filled: int
    """Interpolated, and marked invalid."""
    samples_lost: int
    """Known to be missing."""
    latency_ms: LatencyMs
    real_data: bool
    """A recording of a patient, not synthetic."""
    recording: Text
    """File name."""
    pipeline: Text
    """File name."""


def demo(
    seconds: float | None,
    speed: float,
    device: str,
    *,
    show: str,
    on_summary: Callable[[DemoSummary, Iterable[str]], None],
) -> int:
    """Run the demonstration; under a window, until that is closed. on_summary: called with its summary and the warnings.

    Returns
    -------
    int
        The exit code.
    """
    require_device(device)
    os.environ.setdefault(VARIABLE, secrets.token_hex(32))  # of its replay, for the processes that are started here
    session = DemoSession(seconds, speed, device, show, on_summary)
    with stopped_by_signal() as stop_asked:
        if show == "dashboard":
            return attend(session, TITLE, stop_asked)
        session.run(None, stop_asked)
    return 0


@dataclass(frozen=True, slots=True)
class DemoSession:
    """One replay of the bundled recording, and the engine that tags it; parameters as of `demo`."""

    seconds: float | None
    speed: float
    device: str
    show: str
    on_summary: Callable[[DemoSummary, Iterable[str]], None]

    def run(self, dashboard: DashboardProcess | None, stop_asked: StopAsked) -> SessionEnded | None:
        """Play it to its end; None where the window asks for something else before. Raises RtbciError, EngineFailed."""
        recording, name = open_recording(RECORDING), f"rtbci-demo-{os.getpid()}"
        alarms = AlarmConfig(remember_s=0)  # of no patient: the next demonstration begins without them
        spec = EngineSpec(str(PIPELINE), {"name": name}, device=self.device, wait_s=60.0, alarms=alarms)
        with EngineProcess(spec) as engine:
            watch = Watch(engine, TITLE, show=self.show, dashboard=dashboard)
            replay = _start_replay(name, self.seconds, self.speed)
            if dashboard is not None:
                dashboard.tell(ShowEngine(folder=str(engine.folder), name=RECORDING.stem, pipeline=PIPELINE.stem))
            try:
                watch.follow(_until_all_is_received(replay), stop_asked)
            finally:
                _end(replay)
            if dashboard is not None and dashboard.has_request:
                return None
            result = summary(recording, self.seconds, watch.state, list(watch.log))
        self.on_summary(result, (*recording.warnings, *watch.warnings))
        return ended(result)

    def next(self, request: SessionRequest) -> Session:
        """The same again, or what else the window asks for. Raises RtbciError."""
        if request == StartSession():
            return self
        return next_session(EngineSpec(str(PIPELINE), {}, device=self.device), "rtbci demo", request)


def ended(result: DemoSummary) -> SessionEnded:
    """What the window says at the end: how many seizures were found, how late, truth beside answer."""
    n, found = result.seizures_annotated, result.seizures_detected
    delays = ", ".join(f"{delay:.1f} s" for delay in result.detection_delay_s)
    alarms = f"{result.false_alarms} false alarm{'s' if result.false_alarms != 1 else ''}"
    text = f"{found} of {n} seizures found" if n else f"No seizure to find: {_NONE}"
    details = tuple(f"{name}: {value}" for one in result.seizures for name, value in _truth_and_answer(one))
    samples = f"samples: {result.samples_received} received of {result.samples_expected}"
    return SessionEnded(
        text=", ".join(filter(None, (text, f"delay {delays}" if delays else "", alarms))),
        details=(*details, samples), is_good=bool(n) and found == n and not result.false_alarms, is_failure=False,
        offers=("again", "stream"),
    )  # fmt: skip


def _start_replay(name: str, seconds: float | None, speed: float) -> multiprocessing.process.BaseProcess:
    context = multiprocessing.get_context("spawn")
    replay = Replay([RECORDING], name=name, speed=speed, duration_s=seconds, wait_for_consumer=True)
    process = context.Process(target=run_replay, args=(replay,), name="rtbci-replay", daemon=True)
    process.start()
    return process


def _end(replay: multiprocessing.process.BaseProcess) -> None:
    replay.terminate()
    replay.join(0.5)
    if replay.is_alive():
        replay.kill()  # it has nothing to lose
        replay.join(1.0)


def _until_all_is_received(replay: multiprocessing.process.BaseProcess) -> Callable[[EngineState], bool]:
    """A condition that holds once the replay has ended and no more samples arrive."""
    newest = {"received": -1, "at": time.monotonic()}

    def done(state: EngineState) -> bool:
        received = state.samples.received
        if received != newest["received"]:
            newest.update(received=received, at=time.monotonic())
        return not replay.is_alive() and time.monotonic() - newest["at"] > QUIET_S

    return done


def summary(recording: Recording, seconds: float | None, state: EngineState, log: list[LogLine]) -> DemoSummary:
    """Compare what was detected with the annotations; seconds: how much of the recording was played, None for all."""
    played_s = min(recording.duration_s, seconds or recording.duration_s)
    truth = tuple(e for e in recording.annotations if is_seizure(e.label) and e.onset < played_s)
    decided = {(line.label, line.onset): line.time for line in log if isinstance(line, OnsetLine)}
    # An event whose onset is no longer in the log was decided at its end at the latest.
    pairs = [
        (Event(e.onset, e.duration, e.label), decided.get((e.label, e.onset), e.time))
        for e in log
        if isinstance(e, EventLine)
    ]
    found = tuple(event for event, _ in pairs)
    scored = Scored(truth, found, tuple(when for _, when in pairs), recording.duration_s)
    return DemoSummary(
        seizures=tuple(map(_answer, detection_responses(scored))),
        seizures_annotated=len(truth),
        seizures_detected=sum(any(overlaps(e, seizure) for e in found) for seizure in truth),
        detection_delay_s=tuple(round(d, 3) for d in detection_delays(scored)),
        false_alarms=sum(not any(overlaps(e, seizure) for seizure in truth) for e in found),
        samples_expected=round(played_s * recording.info.sfreq),
        samples_received=state.samples.received,
        samples_filled=state.samples.filled,
        samples_lost=state.samples.lost,
        latency_ms=state.latency_ms,
        real_data=True,
        recording=RECORDING.name,
        pipeline=PIPELINE.name,
    )


def _answer(response: Response) -> SeizureFound:
    found, delay_s = response.found, response.delay_s
    return SeizureFound(
        onset_s=round(response.onset, 3),
        offset_s=round(response.stop, 3),
        detected_onset_s=None if found is None else round(found.onset, 3),
        detected_offset_s=None if found is None else round(found.onset + found.duration, 3),
        decided_s=None if delay_s is None else round(response.onset + delay_s, 3),
        delay_s=None if delay_s is None else round(delay_s, 3),
    )


def _truth_and_answer(one: SeizureFound) -> list[tuple[str, str]]:
    """Rows of the table: what was annotated, and what was answered."""
    rows = [("annotated", f"{tenths_text(one.onset_s)} to {tenths_text(one.offset_s)}, by an expert")]
    if one.detected_onset_s is None or one.detected_offset_s is None:
        return [*rows, ("detected", "no")]
    rows.append(("detected", f"{tenths_text(one.detected_onset_s)} to {tenths_text(one.detected_offset_s)}"))
    if one.decided_s is None or one.delay_s is None:
        return [*rows, ("decided", "long before the annotated onset")]
    side = "before" if one.delay_s < 0 else "after"
    return [*rows, ("decided", f"{tenths_text(one.decided_s)}, {abs(one.delay_s):.1f} s {side} the annotated onset")]


def print_summary(result: DemoSummary, console: Console) -> None:
    """Print the summary as a table: truth beside answer first."""
    p50, p99, most = (
        "–" if ms is None else f"{ms:.2f} ms"
        for ms in (result.latency_ms.p50, result.latency_ms.p99, result.latency_ms.max)
    )
    table = Table.grid(padding=(0, 3))
    for name, value in (
        ("seizures", f"{result.seizures_detected} of {result.seizures_annotated} found" if result.seizures else _NONE),
        *(row for one in result.seizures for row in _truth_and_answer(one)),
        ("false alarms", str(result.false_alarms)),
        (
            "samples",
            f"{result.samples_received} received of {result.samples_expected}, {result.samples_filled} filled",
        ),
        ("latency", f"p50 {p50}, p99 {p99}, max {most}"),
        ("recording", f"{result.recording} (real EEG: CHB-MIT, ODC-By 1.0)"),
        ("pipeline", f"{result.pipeline} (a demonstration, no medical device)"),
    ):
        table.add_row(f"[bold]{name}[/bold]", value)
    console.print(table)
