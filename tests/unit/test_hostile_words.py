"""Foreign words and numbers on their way out: to the terminal, to tables, to JSON, to another process, to a window."""

import io
import json
import math
import multiprocessing
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cutting import make_pipeline
from rich.table import Table
from rich.text import Text

import rtbci
from rtbci.cli.terminal import Terminal
from rtbci.cli.terminal_view import TerminalView
from rtbci.errors import ConfigError, RtbciError
from rtbci.monitor import command_pipe
from rtbci.monitor.messages import (
    EngineState,
    GapLine,
    LatencyMs,
    LostLine,
    OtherLine,
    Review,
    SetThreshold,
    StreamState,
    read_command,
    read_line,
    read_state,
)
from rtbci.monitor.shared_memory import MonitorReader, MonitorWriter, StateSlot
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.engine_marks import live_span
from rtbci.recordings.event_table import read_events, write_events
from rtbci.stages.gap_guard import GapConfig, GapGuard
from rtbci.stages.wiring import match
from rtbci.text import LONGEST, file_name, json_text, one_line, plain
from rtbci.types import Chunk, Event, StreamInfo

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\r\n\u202e\ud800\x9b\u2028[/b]:skull:"
SHOWN = r"a\x1b]0;owned\x07\x1b[2J \u202e\ud800\x9b [/b]:skull:"


def shown(thing: object) -> str:
    terminal = Terminal(file=io.StringIO(), width=200, force_terminal=False)
    terminal.print(thing)
    said = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert said.replace("\n", "").isprintable()
    return str(said)


def test_an_error_is_one_printable_line_of_a_sane_length() -> None:
    assert str(RtbciError(HOSTILE)) == one_line(HOSTILE) == SHOWN
    assert len(str(ConfigError("x" * 10**6))) == LONGEST
    assert str(pickle.loads(pickle.dumps(ConfigError(HOSTILE)))) == SHOWN
    assert plain("Müller · 脳波 µV") == "Müller · 脳波 µV"


@pytest.mark.parametrize("wrap", [str, Text, lambda text: _table(text), lambda text: [text]])
def test_the_terminal_shows_what_it_would_have_obeyed(wrap: Any) -> None:
    assert r"\x1b[2J" in shown(wrap(HOSTILE.replace("\ud800", "")))
    assert "[/b]:skull:" in shown(wrap("[/b]:skull:"))


def _table(text: str) -> Table:
    table = Table(text, title=text)
    table.add_row(text)
    return table


def test_the_view_of_a_hostile_stream_is_text() -> None:
    name = HOSTILE.replace("\ud800", "")
    state = EngineState(
        state="running",
        pipeline=name,
        query={"name": name},
        stream=StreamState(name=name, hostname=name, channels=2, sfreq=256.0, speed=1.0),
        probability={name: 0.5},
    )
    view = TerminalView(f"rtbci run · {name}")
    view.note(LostLine(reason=name))
    assert shown(view.render(state)).count(r"\x1b[2J") >= 4


def test_no_command_draws_on_a_console_that_obeys() -> None:
    package = Path(rtbci.__file__).parent
    # These show figures of their own, and no word of anybody else.
    own = {"terminal.py", "demo.py", *(path.name for path in (package / "bench").iterdir())}
    users = {path.name for path in package.rglob("*.py") if " Console(" in path.read_text("utf-8")}
    assert users - own == {"live_commands.py"}  # for the summary of the demonstration


def test_a_table_of_events_stays_a_table(tmp_path: Path) -> None:
    events = (Event(1.0, 2.0, HOSTILE, 0.5, (HOSTILE, "C3")),)
    write_events(tmp_path / "e.tsv", events)
    text = (tmp_path / "e.tsv").read_text("utf-8")
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert [e.label for e in read_events(tmp_path / "e.tsv")] == [SHOWN]


def test_json_has_no_word_for_what_is_no_number() -> None:
    value = {"a": [math.nan, 1.0, (math.inf,)], "b": {"c": -math.inf}, "d": HOSTILE, "e": Path("x")}
    text = json_text(value)
    assert text.isprintable()
    parsed = json.loads(text, parse_constant=pytest.fail)
    assert parsed == {"a": [None, 1.0, [None]], "b": {"c": None}, "d": HOSTILE, "e": "x"}


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", ".hidden", "a\0b", "", "..", "\x1b[2J", "x" * 5000]
)
def test_a_name_makes_a_file_name_and_no_path(name: str) -> None:
    made = file_name(name, "stream")
    assert made.isprintable()
    assert 0 < len(made) <= 80
    assert not set(made) & set("/\\\0") and not made.startswith(".")


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code of another process ran",))


@pytest.mark.parametrize("sent", [pickle.dumps(Runs()), b"", b"[" * 10**5, b"[]", b"3", b"\xff"])
def test_what_another_process_sends_is_a_command_or_none_and_never_runs(sent: bytes) -> None:
    theirs, ours = multiprocessing.Pipe()
    theirs.send_bytes(sent)
    assert command_pipe.receive(ours) is None
    command_pipe.send(theirs, SetThreshold(value=0.5))
    assert command_pipe.receive(ours) == SetThreshold(value=0.5)
    theirs.close()
    with pytest.raises(EOFError):
        command_pipe.receive(ours)


def test_a_state_that_is_too_large_loses_its_largest_part_alone(tmp_path: Path) -> None:
    slot = StateSlot(tmp_path / "status", create=True)
    slot.write(EngineState(state="running", generation=2, quality={f"channel {k}": "flat" for k in range(10_000)}))
    assert slot.read() == EngineState(state="running", generation=2)


def test_what_does_not_fit_a_state_is_dropped_and_the_rest_is_kept() -> None:
    content = (
        '{"state": 3, "life": "1", "threshold": 0.5, "stream": {"name": "x"}, "latency_ms": {"p50": 1, "p99": null}}'
    )
    state = read_state(content)
    assert state == EngineState(threshold=0.5)
    assert state is not None and state.model_fields_set == {"threshold"}
    stream = StreamState(name="x", hostname="h", channels=2, sfreq=256.0, speed=1.0)
    assert read_state(EngineState(stream=stream, generation=2).to_json()) == EngineState(generation=2)
    assert read_state('{"new": 1}') is read_state("[]") is read_state("{") is None


@pytest.mark.parametrize(
    "line",
    [
        "", "3", "[]", "{", '{"wall": 1.0}', '{"kind": 3, "wall": 1.0}', '{"kind": "lost", "wall": 1.0}',
        '{"kind": "lost", "reason": "x"}',
        '{"kind": "threshold", "wall": 1.0, "value": NaN}', '{"kind": "threshold", "wall": 1.0, "value": 1%s}' % ("0" * 400),
        '{"kind": "threshold", "wall": 1.0, "value": "0.5"}', '{"kind": "threshold", "wall": 1e12, "value": 0.5}',
        '{"kind": "new", "wall": "x"}', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_line_of_a_log_is_dropped(line: str) -> None:
    assert read_line(line) is None


def test_a_line_of_a_newer_engine_is_kept_with_its_keys() -> None:
    line = read_line('{"kind": "eclipse", "wall": 1.0, "text": "dark", "seconds": [1, null]}')
    assert isinstance(line, OtherLine)
    assert (line.kind, line.text) == ("eclipse", "dark")
    assert json.loads(line.to_json()) == {"kind": "eclipse", "wall": 1.0, "text": "dark", "seconds": [1, None]}
    known = read_line('{"kind": "lost", "wall": 1.0, "reason": "x", "since": 3}')
    assert known == LostLine(wall=1.0, reason="x")


def test_a_message_writes_what_it_was_made_with_and_nothing_else() -> None:
    state = EngineState(state="waiting", wait_s=None, latency_ms=LatencyMs(p50=None, p99=None, max=None))
    assert state.plain() == {
        "state": "waiting",
        "wait_s": None,
        "latency_ms": {"p50": None, "p99": None, "max": None},
    }
    assert list(LostLine(reason="x").plain()) == ["kind", "wall", "reason"]


def test_absurd_numbers_and_words_of_a_stream_are_written_without_an_error() -> None:
    line = GapLine(wall=1.0, start=math.nan, end=1e300, n_missing=3, cause="\ud800", filled=True)
    written = json.loads(line.to_json(), parse_constant=pytest.fail)
    assert (written["start"], written["end"], written["cause"]) == (None, 1e300, r"\ud800")
    assert read_line(line.to_json()) is None


def test_a_command_out_of_bounds_is_none() -> None:
    for content in (
        '{"do": "threshold", "value": 1.5}',
        '{"do": "threshold", "value": true}',
        '{"do": "annotate", "label": "x", "onset": 1e11, "stamp": 1.0}',
        '{"do": "annotate", "label": "x", "onset": 1.0, "stamp": 1.0, "duration": -1.0}',
        '{"do": "review", "label": "x", "onset": 1.0, "verdict": "maybe"}',
        '{"do": "dance"}',
    ):
        assert read_command(content) is None
    assert read_command('{"do": "review", "label": "x", "onset": 1, "new": 1}') == Review(label="x", onset=1.0)


def test_rings_of_any_stream_are_bounded(tmp_path: Path) -> None:
    writer = MonitorWriter(tmp_path)
    writer.open_rings(1e5, 500, 1e5, 4096, 1e-5, 1000)
    assert all(path.stat().st_size <= 257 << 20 for path in tmp_path.iterdir())  # and sparse
    rings = MonitorReader(tmp_path).rings(1)
    assert rings is not None
    writer.close()


def guarded(times: np.ndarray, sfreq: float) -> np.ndarray:
    guard = GapGuard(GapConfig(), sfreq)
    pieces = [*guard.process(Chunk(np.zeros((len(times), 1), np.float32), times)), *guard.flush()]
    return np.concatenate([piece.times for piece in pieces if isinstance(piece, Chunk)])


def test_stamps_since_1970_that_stand_still_are_in_order_too() -> None:
    out = guarded(np.full(100, 1.7e9), 256.0)
    assert len(out) == 100
    assert (np.diff(out) > 0).all()


def test_a_fast_stream_whose_stamps_go_back_and_forth_is_judged_soon() -> None:
    times = np.arange(40_000) / 20_000
    times[10_000:30_000] = np.random.default_rng(0).permutation(times[10_000:30_000])
    began = time.process_time()
    assert len(guarded(times, 20_000.0)) > 0
    assert time.process_time() - began < 10


def test_thousands_of_channels_are_matched_soon() -> None:
    wanted = tuple(f"T7-x{k}" for k in range(2000)) + ("F7-T7",) * 2000
    channels = (*(f"x{k}" for k in range(8000)), "T3-A1", "F7-A1")
    began = time.process_time()
    with pytest.raises(RtbciError, match="lacks 2000 of the 4000"):
        match(wanted, StreamInfo("wide", 256.0, channels))
    assert time.process_time() - began < 2


MARKS = [
    '{"state": "begin", "stamp": "1"}',
    "[]",
    "3",
    "[" * 100_000,
    '{"state": "gap", "start": 1e999, "end": 2}',
    "x",
]


def test_marks_that_no_engine_makes_are_passed_over() -> None:
    signal = {"info": {"name": ["amp"], "source_id": ["a"]}}
    desc = [{"manufacturer": ["rtbci"], "input": ["amp"], "input_source_id": ["a"]}]
    info = {"name": ["amp-events"], "channel_format": ["string"], "desc": desc}
    rows = [[mark] for mark in MARKS] + [[]]
    marks = {"info": info, "time_stamps": np.arange(float(len(rows))), "time_series": rows}
    span = live_span([marks, signal], signal)
    assert (span.begin, span.end, span.gaps) == (-np.inf, np.inf, ())


def test_names_of_a_pipeline_are_bounded_and_printable_wherever_they_go() -> None:
    pipeline = make_pipeline()
    values = pipeline.config.model_dump()
    hostile = HOSTILE.replace("\ud800", "")
    for key, value in (("name", hostile), ("classes", (hostile,))):
        with pytest.raises(ValueError, match="control character"):
            Pipeline(type(pipeline.config)(**values | {key: value}), pipeline.network)
