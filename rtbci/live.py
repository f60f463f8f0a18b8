"""`rtbci run` and `rtbci replay`: what the command line does with an engine and with a fake stream."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rtbci.config import parse
from rtbci.engine import EngineSpec
from rtbci.errors import ConfigError
from rtbci.front import Watch, stopped_by_signal
from rtbci.lsl_config import quiet_lsl
from rtbci.montage import microvolts
from rtbci.pipeline_file import read_config
from rtbci.record import LiveRecording
from rtbci.session import EngineProcess
from rtbci.sinks.journal import Journal
from rtbci.sinks.recorder import Recorder
from rtbci.sources.lsl import parse_query


def run_live(
    pipeline: str,
    stream: str,
    *,
    show: str,
    events: Path | None,
    wait_s: float | None,
    seconds: float | None,
    unit: str,
    device: str,
    cues: str | None = None,
    record: Path | None = None,
    log: Path | None = None,
) -> None:
    """Run an engine until Ctrl-C, SIGTERM, or `seconds` of the stream; then leave everything closed."""
    quiet_lsl()
    query = parse_query(stream)
    config, _ = read_config(Path(pipeline))  # a mistake shows before anything starts
    if microvolts(unit) is None:
        raise ConfigError(f"--unit {unit!r} is not known; wanted V, mV, uV or nV")
    if events is not None and not events.absolute().parent.is_dir():
        raise ConfigError(f"--events: there is no folder {events.absolute().parent}")
    if record is not None:
        Recorder(record)  # refuses a folder that is not there, or full, before anything starts
    journal = Journal(log) if log is not None else None
    if cues is not None and config.cues is None:
        raise ConfigError(f"pipeline {config.name!r} answers no cues: its config has no [pipeline.cues]")
    spec = EngineSpec(
        pipeline, query, events=str(events or ""), device=device, wait_s=wait_s, unit=unit,
        cues=parse_query(cues) if cues is not None else {}, hold=record is not None,
    )  # fmt: skip
    with EngineProcess(spec) as engine:
        recording = LiveRecording(record, engine) if record is not None else None
        watch = Watch(engine, f"rtbci run · {config.name}", show=show, recording=recording, journal=journal)
        try:
            watch.follow(lambda state: seconds is not None and state.get("recording_s", 0.0) >= seconds)
        finally:
            watch.close()


def replay_files(files: list[Path], *, faults: dict[str, Any], **options: Any) -> None:
    """Stream recordings until their end, Ctrl-C or SIGTERM."""
    quiet_lsl()
    from rtbci.faults import Faults
    from rtbci.replay import Replay

    spans = [_gap(text) for text in faults.pop("gaps")]
    replay = Replay(files, faults=parse(Faults, {**faults, "gaps": spans}, "faults"), **options)
    opened = replay.open()
    for recording in opened:
        for warning in recording.warnings:
            sys.stderr.write(f"warning: {recording.path.name}: {warning}\n")
    info = opened[0].info
    speed = f"{replay.speed:g} times real time" if replay.speed else "as fast as it is taken"
    sys.stderr.write(
        f"streaming {replay.name or info.name}: {len(info.channels)} channels, {info.sfreq:g} Hz, {speed}; Ctrl-C ends it\n"
    )
    stop = threading.Event()
    with stopped_by_signal(stop.set):
        sent = replay.run(stop, _progress())
    sys.stderr.write(f"{sent} samples sent\n")


def _gap(text: str) -> tuple[float, float]:
    at, colon, length = text.partition(":")
    try:
        return float(at), float(length if colon else "")
    except ValueError:
        raise ConfigError(f"--gap wants AT:LEN in seconds, as 10:2.5, got {text!r}") from None


def _progress() -> Callable[[float, float | None], None] | None:
    """The stream time on one line that is written over, on a terminal."""
    if not sys.stderr.isatty():
        return None
    due = 0.0

    def show(seconds: float, total: float | None) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + 0.5
            sys.stderr.write(f"\r{seconds:8.1f} s" + (f" of {total:.1f} s " if total else " ") + "\r")
            sys.stderr.flush()

    return show
