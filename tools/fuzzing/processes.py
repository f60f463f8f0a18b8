"""What other processes write: the monitor in shared memory, commands, the log, the dashboard's settings."""

from __future__ import annotations

import io
import json
import struct
from functools import cache
from multiprocessing import Pipe
from socket import socketpair
from types import SimpleNamespace
from typing import Any

import numpy as np

from fuzzing.contract import SCRATCH, scratch, target
from fuzzing.streams import bundled, samples
from rtbci.cli.journal import Journal
from rtbci.cli.terminal import Terminal
from rtbci.cli.terminal_view import TerminalView
from rtbci.dashboard.model.alarm_view import AlarmView
from rtbci.dashboard.model.display_clock import DisplayClock, SessionClocks
from rtbci.dashboard.model.event_log import DisplayEventLog
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.line_clock import LineClock, on_session_clock
from rtbci.dashboard.model.state_text import state_facts, state_sentence
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.settings import Settings
from rtbci.engine.alerts.config import AlarmConfig
from rtbci.engine.alerts.watch import AlertWatch
from rtbci.engine.engine import Engine
from rtbci.engine.sinks import Sinks
from rtbci.engine.start_gate import StartGate
from rtbci.monitor import command_pipe
from rtbci.monitor.command_server import ClientConnection
from rtbci.monitor.describe import describe as in_words
from rtbci.monitor.describe_alerts import running_text
from rtbci.monitor.layout import read_layout
from rtbci.monitor.messages import EngineState, GapLine, Line, Message, read_state
from rtbci.monitor.shared_memory import MonitorReader, MonitorWriter
from rtbci.pipeline.stream import session_info
from rtbci.recordings.event_sink import EventTableSink
from rtbci.recordings.event_table import read_events
from rtbci.types import StreamInfo


def _monitor_seeds() -> list[bytes]:
    folder = SCRATCH / "seed"
    folder.mkdir(exist_ok=True)
    writer = MonitorWriter(folder)
    writer.open_rings(8.0, 2, 8.0, 2, 1.0, 1)
    assert writer.rings is not None
    writer.rings.signals.append(samples(np.arange(5.0)))
    writer.status(read_state(json.dumps(_STATE)) or EngineState())
    writer.log(GapLine(start=1.0, end=2.0, n_missing=3, cause="x", filled=True))
    writer.close()
    layout = {
        "channels": ["a", "b"], "units": ["uV", ""], "sfreq": 8.0, "inputs": ["a"], "model_sfreq": 8.0, "montage": ["a"],
        "classes": ["a"], "labels": ["a"], "hop_s": 1.0, "speed": 1.0, "scaled": False, "weights": [],
    }  # fmt: skip
    files = [(folder / name).read_bytes()[:4000] for name in ("status", "log.jsonl", "signals-1")]
    return [bytes([k]) + content for k, content in enumerate([*files, json.dumps(layout).encode()])]


_MONITOR = ("status", "log.jsonl", "signals-1", "layout-1")


@target(_monitor_seeds)
def monitor(data: bytes) -> None:
    """Shared memory of an engine: one of its files is hostile, the others are sound."""
    folder = SCRATCH / "monitor"
    if not folder.exists():
        folder.mkdir()
        writer = MonitorWriter(folder)
        writer.open_rings(8.0, 2, 8.0, 2, 1.0, 1)
        writer.status(EngineState(state="running", generation=1))
        writer.close()
    name = _MONITOR[data[0] % 4 if data else 0]
    kept = (folder / name).read_bytes() if (folder / name).exists() else None
    (folder / name).write_bytes(data[1:])
    try:
        reader = MonitorReader(folder)
        assert isinstance(reader.status(), EngineState | None)
        assert all(isinstance(line, Line) for line in reader.new_log())
        read_layout(folder, 1)
        if (rings := reader.rings(1)) is not None:
            rings.signals.since(0)
        feed = Feed(folder)
        feed.poll()
        feed.poll()
    finally:
        (folder / name).unlink()
        if kept is not None:
            (folder / name).write_bytes(kept)


_STATE = {
    "state": "running", "pipeline": "p", "classes": ["a"], "query": {"name": "x"}, "life": 1, "waiting_s": 0.0, "wait_s": 60.0,
    "silent_s": 0.1, "probability": {"a": 0.5}, "latency_ms": {"p50": 1.0, "p99": 2.0, "max": 3.0}, "recording_s": 3.0,
    "samples": {"received": 9, "filled": 0, "lost": 0, "gaps": 0, "reconnects": 0, "invalid_hops": 0}, "events": 0,
    "stream": {"name": "s", "source_id": "i", "hostname": "h", "channels": 2, "sfreq": 256.0, "speed": 1.0}, "rate_hz": 255.9,
    "staleness_s": 0.01, "jitter_ms": 0.1, "device": "cpu", "stage_us": {"filter": 3.0}, "threshold": 0.5,
    "smoothed": {"a": 0.4}, "filter_delay_s": 0.1, "clock_offset_s": 0.0, "clock_age_s": 1.0, "quality": {"C3": "flat"},
    "recording": {"on": True, "alarm": "", "size_bytes": 3, "free_bytes": 4}, "newest_stamp": 3.0,
    "trust": {"level": "reduced", "bad": ["C3"], "masked": ["C3"], "inputs": 3, "words": "x", "auroc": 0.5, "auroc_whole": 0.6},
    "running": [{"label": "a", "onset": 1.0, "duration": 2.0, "confidence": 0.9, "is_rejected": False}],
    "alerts": [{"condition": "event", "label": "a", "presence": "on", "priority": "high", "is_escalated": True, "count": 2,
                "since": 1.8e9, "is_earlier": False, "is_running": True, "onset": 1.0, "duration": 2.0, "confidence": 0.9},
               {"condition": "burden", "label": "a", "presence": "ack", "priority": "medium", "level": "frequent", "by": "x",
                "acknowledged": 1.8e9}],
    "sound_paused_s": 92.0, "burden": {"a": {"share": 0.2, "level": "frequent"}},
    "replay": {"recorded_s": 1.0, "start_s": 0.0, "end_s": 9.0, "speed": 1.0, "paused": False, "loop": False, "move": 1},
}  # fmt: skip


@target(lambda: [json.dumps(_STATE).encode()], tree=True)
def state(data: bytes) -> None:
    """An engine's state on the terminal and in the panels of the dashboard."""
    folder = SCRATCH / "state"
    folder.mkdir(exist_ok=True)
    content = struct.pack("<QI", 2, len(data)) + data
    (folder / "status").write_bytes(content.ljust(1 << 16, b"\0"))
    told = MonitorReader(folder).status() or EngineState()
    terminal = Terminal(file=io.StringIO(), width=120)
    terminal.print(TerminalView("fuzz").render(told))
    assert terminal.file.getvalue().replace("\n", "").isprintable()  # type: ignore[attr-defined]
    state_sentence(told, 0.0)
    state_facts(told)
    shown = AlarmView(told)
    assert (shown.text + shown.seen_text).isprintable()
    assert "".join(map(running_text, shown.decisions)).isprintable()


_KEY = b"0123456789abcdef"
_COMMANDS = (
    {"do": "threshold", "value": 0.7},
    {"do": "annotate", "label": "x", "onset": 1.0, "stamp": 2.0, "duration": 0.5},
    {"do": "review", "label": "x", "onset": 1.0, "verdict": "confirmed", "note": "y"},
    {"do": "recording", "state": {"on": True, "alarm": ""}},
    {"do": "go"},
    {"do": "replay", "say": "seek 3"},
    {"do": "acknowledge", "by": "x", "condition": "event", "label": "y"},
    {"do": "pause_sound", "seconds": 60.0, "by": "x"},
)


@target(lambda: [json.dumps(c).encode() for c in _COMMANDS], tree=True)
def command(data: bytes) -> None:
    """What a dashboard asks of the engine: whatever it is, the engine goes on, and its state is plain JSON."""
    theirs, ours = Pipe()
    theirs.send_bytes(data)
    what = command_pipe.receive(ours)
    engine: Any = object.__new__(Engine)
    engine.gate, engine.recording, engine.stopping = StartGate(), None, False
    engine.alerts = AlertWatch(("seizure",), AlarmConfig())
    (SCRATCH / "command.tsv").unlink(missing_ok=True)  # else it would grow with each input
    engine.sinks = Sinks([EventTableSink(SCRATCH / "command.tsv")])
    engine.sinks.begin(session_info(bundled(), StreamInfo("fuzz", 256.0, ("Fz",))))
    engine.connection = SimpleNamespace(stream=SimpleNamespace(live=_live()))
    engine.source = SimpleNamespace(replay=SimpleNamespace(send_command=lambda line: line.encode()))
    if what is not None:
        engine.command(what)
    if engine.recording is not None:
        json.dumps(engine.recording.plain(), allow_nan=False)
    assert 0 <= _live().decision.threshold <= 1
    engine.sinks.close()
    read_events(SCRATCH / "command.tsv")


@target(lambda: [_KEY + b"\n" + json.dumps(c).encode() + b"\n" for c in _COMMANDS])
def window(data: bytes) -> None:
    """What a window sends to the engine's socket, in segments: a poll takes it, refuses it, or ends the connection."""
    theirs, ours = socketpair()
    client = ClientConnection(ours)
    for piece in (data[k : k + 1000] for k in range(0, min(len(data), 100_000), 1000)):
        theirs.sendall(piece)
        assert all(isinstance(what, Message) for what in client.commands(_KEY))
        if client.closed:
            break
    theirs.close()
    client.close()


@cache
def _live() -> Any:
    pipeline = bundled()
    return pipeline.start(StreamInfo("fuzz", pipeline.sfreq, pipeline.channels))


_LOG = (
    {"kind": "onset", "wall": 1.0, "time": 12.0, "stamp": 1.0, "onset": 10.0, "duration": 2.0, "label": "a", "confidence": 1.0,
     "channels": ["x"]},
    {"kind": "gap", "wall": 1.0, "start": 1.0, "end": 2.0, "n_missing": 3, "cause": "x", "filled": True},
    {"kind": "connected", "wall": 1.0, "stream": "s", "host": "h", "sfreq": 1.0, "channels": 3},
    {"kind": "annotation", "wall": 1.0, "label": "x", "onset": 1.0, "duration": 1.0, "stamp": 1.0},
    {"kind": "review", "wall": 1.0, "label": "x", "onset": 1.0, "verdict": "", "note": ""},
    {"kind": "cue", "wall": 1.0, "cue": "x", "cue_stamp": 1.0, "valid": True, "probabilities": {"a": 0.5}},
    {"kind": "threshold", "wall": 1.0, "value": 0.5}, {"kind": "lost", "wall": 1.0, "reason": "x"},
)  # fmt: skip


@target(lambda: [b"\n".join(json.dumps(line).encode() for line in _LOG), *(json.dumps(line).encode() for line in _LOG)])
def log(data: bytes) -> None:
    """An engine's log in the hands of the terminal, the journal and the dashboard's event_log."""
    folder = SCRATCH / "log"
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_bytes(data + b"\n")
    lines = MonitorReader(folder).new_log()
    view, event_log = TerminalView("fuzz"), DisplayEventLog(TimeMarks())
    clocks = SessionClocks()
    clocks.begin(DisplayClock(1.0, 1.0))
    for line, offset_s in zip(lines, LineClock().offsets(lines, 1.0), strict=True):
        in_words(on_session_clock(line, offset_s))
        view.note(line)
        event_log.take(line, clocks, offset_s)
    assert all(entry.start_text + entry.length_text for entry in event_log.entries)
    (folder / "journal").unlink(missing_ok=True)
    journal = Journal(folder / "journal")
    for line in lines:
        journal.on(line)
    journal.close()
    for line in (folder / "journal").read_text().splitlines():
        json.loads(line, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@target(lambda: [b"[General]\npage_s=10\nsweep=true\nper_mm=7\nmontage=a\nzoom=1\n[recent]\nstreams=a, b\n"])
def preferences(data: bytes) -> None:
    """The dashboard's settings file."""
    (SCRATCH / "fuzz.ini").unlink(missing_ok=True)
    kept = Settings(str(scratch("fuzz.ini", data)))
    for key, otherwise in (
        ("page_s", 10.0),
        ("sweep", True),
        ("per_mm", 0.0),
        ("montage", ""),
        ("zoom", 1.0),
        ("n", 3),
    ):
        got = kept.get(key, otherwise)
        assert type(got) is type(otherwise)
        assert not isinstance(got, float) or np.isfinite(got)
    assert kept.get("page_s", 10.0) > 0 < kept.get("zoom", 1.0)
    assert all(isinstance(item, str) for item in kept.recent("streams"))
    kept.geometry()
    kept.remember("streams", "a")
    kept.save()
