"""Hostile streams on the loopback: refused in one line or borne; neither the engine nor the terminal obeys them."""

import ctypes
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pylsl
import pylsl.lib
import pytest
from cutting import CHANNELS, make_pipeline
from fuzzed_stream import of_xml
from heard import Heard
from hostile_stream import HostileStream, described, with_field

from rtbci.cli.live_commands import streams
from rtbci.engine.engine import Engine
from rtbci.engine.session import EngineSpec
from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.lsl.discovery import find_stream, list_streams
from rtbci.lsl.inlet import xml_of
from rtbci.lsl.marker_source import MarkerSource
from rtbci.lsl.source import LslSource, StreamRefused
from rtbci.recordings.description import Description
from rtbci.recordings.stream_reader import believed

Wait = Callable[..., None]


def unique(name: str) -> str:
    return f"{name}-{os.getpid()}"


def with_description(xml: str, inside: str) -> str:
    return re.sub(r"<desc ?/>|<desc>.*</desc>", lambda _: f"<desc>{inside}</desc>", xml, flags=re.S)


def channel(label: str, unit: str = "uV") -> str:
    return f"<channels><channel><label>{label}</label><unit>{unit}</unit></channel></channels>"


def what_becomes_of(*names: str) -> list[str | Description]:
    """The refusal of each stream, or its description."""
    told: dict[str, str | Description] = {}

    def accepting(name: str) -> Callable[[Description], None]:
        return lambda described: told.update({name: described})

    sources = {name: LslSource({"name": name}, accepting(name)) for name in names}
    deadline = time.monotonic() + 20
    while told.keys() != sources.keys() and time.monotonic() < deadline:
        for name, source in sources.items():
            for item in source.read(0.001):
                assert isinstance(item, StreamRefused)
                told.setdefault(name, item.reason)
    for source in sources.values():
        source.close()
    return [told.get(name, "neither refused nor described") for name in names]


TOO_LARGE = (
    ({"channel_count": "2000000000"}, {}, "has 2000000000 channels; at most 8192"),
    ({}, {"channel_count": "2000000000"}, "has 2000000000 channels; at most 8192"),
    ({}, {"channel_count": "3"}, "answers with 2 channels, but describes 3"),
    ({"nominal_srate": "1e300"}, {}, "2 channels at 1e+300 Hz; at most 100000 Hz"),
    ({}, {"nominal_srate": "99999999"}, "2 channels at 1e+08 Hz; at most 100000 Hz"),
    ({"channel_count": "8000", "nominal_srate": "90000"}, {}, "and 50000000 values a second"),
)


def test_a_stream_that_says_it_is_larger_than_any_is_refused() -> None:
    names = [unique(f"large{k}") for k in range(len(TOO_LARGE))]
    with ExitStack() as stack:
        for name, (short, full, _) in zip(names, TOO_LARGE, strict=True):
            xmls = [described(name)] * 2
            for k, changes in enumerate((short, short | full)):
                for field, value in changes.items():
                    xmls[k] = with_field(xmls[k], field, value)
            stack.enter_context(HostileStream(name, *xmls))
        refusals = what_becomes_of(*names)
    for refusal, (*_, says) in zip(refusals, TOO_LARGE, strict=True):
        assert isinstance(refusal, str)
        assert says in refusal


ODD = (
    (channel("x" * 1_000_000, "u" * 1_000_000), "x" * 1000),
    ("<a>b</a>" * 2_000_000 + channel("x"), "x"),  # 16 MB
    ("<a>" * 100_000 + "</a>" * 100_000 + channel("x"), "x"),
    (channel("&a;&b;"), "&a;&b;"),
    (channel("<![CDATA[\x1b[2J]]>"), "\x1b[2J"),
    ("<channels><channel/></channels>", ""),
    ("<channels><channel><label>x</label><channels>", "x"),  # not closed
)
ENTITIES = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY b SYSTEM "file:///etc/passwd">]>'


def test_a_description_of_any_size_and_shape_is_taken_as_far_as_it_goes() -> None:
    names = [unique(f"odd{k}") for k in range(len(ODD))]
    with ExitStack() as stack:
        for name, (inside, _) in zip(names, ODD, strict=True):
            short = described(name)
            full = ENTITIES + with_description(short, inside).split("?>", 1)[1]
            stack.enter_context(HostileStream(name, short, full))
        found = what_becomes_of(*names)
    for info, (_, label) in zip(found, ODD, strict=True):
        assert isinstance(info, Description)
        assert [channel.label for channel in info.channels] == ([label] if label else [""])
        assert len(info.channels[0].unit) <= 1000
        with pytest.raises(StreamMismatch, match="(?s)names 1 channel .*, but a sample has 2 values"):
            believed(info)


@pytest.mark.parametrize("inside", ["<a>" * 40 + "</a>" * 40, "<a/>" * 200_001])
def test_a_description_that_is_too_deep_or_too_long_is_recorded_without_it(inside: str) -> None:
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("deep", "EEG", 2, 100.0, "int16", "deep-1"))
    info = outlet.get_info()  # it has a uid
    about = ElementTree.fromstring(xml_of(of_xml(xml_of(info).replace("<desc />", f"<desc>{inside}</desc>"))))
    texts = [about.findtext(name) for name in ("name", "channel_count", "channel_format", "source_id")]
    assert texts == ["deep", "2", "int16", "deep-1"]
    assert len(about.find("desc") or []) == 0
    assert "<desc" in xml_of(info)


def test_a_stream_of_ten_thousand_channels_is_refused() -> None:
    name = unique("wide")
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 10_000, 1.0, "float32", name), max_buffered=1)
    assert what_becomes_of(name) == [f"stream {name!r} has 10000 channels; at most 8192"]
    del outlet


@contextmanager
def running(engine: Engine) -> Iterator[list[BaseException]]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            engine.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield failures
    finally:
        engine.stop()
        thread.join(10)
        assert not thread.is_alive()


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def state_text(slot: Path) -> str:
    """The newest state as it lies in shared memory: the number of writes, the length, the JSON."""
    while True:
        content = slot.read_bytes()
        before, length = struct.unpack_from("<QI", content)
        if before % 2 == 0 and struct.unpack_from("<Q", slot.read_bytes())[0] == before:
            return content[12 : 12 + length].decode()


def test_samples_and_stamps_that_are_no_numbers_stop_nothing(tmp_path: Path, wait_until: Wait) -> None:
    name = unique("nan\x1b[31m")
    info = pylsl.StreamInfo(name, "EEG", len(CHANNELS), 200.0, "float32", unique("nan"))
    channels = info.desc().append_child("channels")
    for label in CHANNELS:
        channels.append_child("channel").append_child_value("label", label).append_child_value("unit", "uV")
    outlet = pylsl.StreamOutlet(info)
    heard = Heard()
    spec = EngineSpec("", {"name": name}, monitor=str(tmp_path), events=str(tmp_path / "events.tsv"))
    engine = Engine(make_pipeline(), spec, sinks=[heard])
    rows = np.full((40, len(CHANNELS)), np.nan, np.float32)
    absurd = [np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 1e15]
    with running(engine) as failures:
        wait_until(lambda: engine.source.connected or failures)
        for k in range(30):
            now = pylsl.local_clock()
            stamps = now + np.arange(40) / 200 if k % 3 else np.resize(absurd, 40)
            outlet.push_chunk(rows if k < 20 else np.zeros_like(rows), stamps.tolist())
        wait_until(lambda: engine.tally.received == 1200 or failures)
        wait_until(lambda: strict(state_text(tmp_path / "status")) or True)
    assert failures == []
    scores = heard.scores
    assert len(scores) > 0
    assert all(np.isfinite(chunk.data).all() and np.isfinite(chunk.times).all() for chunk in scores)
    valid = np.concatenate([chunk.valid for chunk in scores])
    assert not valid[: len(valid) // 2].any()
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        assert "\x1b" not in line
        strict(line)


def test_a_marker_of_any_bytes_is_a_text(wait_until: Wait) -> None:
    name = unique("bytes")
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", name))
    source = MarkerSource({"name": name})
    wait_until(lambda: source.read() == [] and source.connected)
    text = b"\xff\xfe left \x1b[2J"
    values, lengths = (ctypes.c_char_p * 1)(text), (ctypes.c_uint32 * 1)(len(text))
    pylsl.lib.lib.lsl_push_sample_buf(outlet.obj, values, lengths)
    heard: list[Any] = []
    wait_until(lambda: heard.extend(source.read()) or heard)
    assert [cue.text for cue in heard] == ["\ufffd\ufffd left \x1b[2J"]
    source.close()


HOSTILE = "bad\x1b]0;owned\x07\x1b[2J\u202e[/bold][link=x]:skull:"


def test_the_list_of_streams_obeys_no_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    xml = with_field(with_field(described("x"), "name", HOSTILE), "hostname", "h\r\x1b[1A")
    with HostileStream("x", xml, xml):
        streams(wait=0.8)
        table = capsys.readouterr().out
        streams(wait=0.8, json=True)
        found = strict(capsys.readouterr().out)["streams"]
    assert table.replace("\n", "").isprintable()
    assert r"bad\x1b]0;owned\x07\x1b[2J\u202e[/bold][link=x]:skull:" in table
    assert HOSTILE in [stream["name"] for stream in found]


def test_ctrl_c_ends_the_list_of_streams_at_once() -> None:
    here = threading.get_ident()
    threading.Timer(0.3, lambda: signal.pthread_kill(here, signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list_streams(30.0)
    assert time.monotonic() - began < 10


def test_run_refuses_a_hostile_stream_in_one_line_and_with_exit_code_2(tmp_path: Path) -> None:
    make_pipeline().save(tmp_path / "small.rtbci")
    name = unique("cli")
    xml = with_description(described(name, 2, 256.0), channel("\x1b[2J\x1b]0;owned\x07"))
    command = ["run", str(tmp_path / "small.rtbci"), "--stream", f"name={name}", "--headless", "--wait", "20"]
    with HostileStream(name, xml, xml):
        done = subprocess.run(
            [sys.executable, "-m", "rtbci.cli.app", *command], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: stream {name!r}: its description names 1 channel")
    assert r"1 channel (\x1b[2J\x1b]0;owned\x07), but a sample has 2 values" in done.stderr
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()
    assert len(done.stderr.splitlines()) == 1


REPLAY = "rtbci-replay-0123456789abcdef"
REPLAYS: tuple[tuple[dict[str, str], str], ...] = (
    ({"speed": "1.0", "position": "x' or '1'='1"}, ""),
    ({"speed": "1.0", "position": "\"'", "session": "0" * 16, "key": "0" * 32}, ""),
    ({"speed": "1.0", "position": f"{REPLAY}'-position", "session": "0" * 16, "key": "0" * 32}, ""),
    ({"speed": "1.0", "position": f"{REPLAY}-position", "session": "0" * 16, "key": "0" * 32}, ""),  # no such outlet
    ({"speed": "nan"}, ""),
    ({"speed": "1e300"}, "says that it is a replay at 1e+300 times real time; wanted 0.01 to 1000, or 0"),
    ({"speed": "1e-300"}, "says that it is a replay at 1e-300 times real time"),
)


def test_what_a_stream_says_of_a_replay_is_refused_or_ends_in_a_stream_without_one() -> None:
    outlets, sources = [], []
    for k, (fields, _) in enumerate(REPLAYS):
        info = pylsl.StreamInfo(unique(f"replay{k}"), "EEG", 2, 200.0, "float32", f"{REPLAY}-{k}'\"")
        about = info.desc().append_child("replay")
        for key, value in fields.items():
            about.append_child_value(key, value)
        outlets.append(pylsl.StreamOutlet(info))
        sources.append(LslSource({"name": info.name(), "source_id": info.source_id()}, lambda info: None))
    told = [""] * len(sources)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not all(told):
        for k, source in enumerate(sources):
            for item in source.read(0.001) if not told[k] else ():
                told[k] = item.reason if isinstance(item, StreamRefused) else type(item).__name__
    for words, source, (_, refusal) in zip(told, sources, REPLAYS, strict=True):
        assert refusal in words if refusal else words == "StreamConnected"
        assert source.replay is None or source.replay.trouble
        source.close()
    assert outlets


QUOTED = ("a'b\"c", "'\"'\"", "x' or '1'='1", "two\nlines 'and' \"quotes\"", "é\u202e\x1b[2J'\"")


def test_a_stream_is_found_by_a_name_of_any_signs_and_no_other_is() -> None:
    for name in map(unique, QUOTED):
        outlets = [
            pylsl.StreamOutlet(pylsl.StreamInfo(text, "EEG", 1, 100.0, "float32", text)) for text in (name, f"{name}x")
        ]
        assert find_stream({"name": name, "source_id": name}, 20.0).name() == name
        assert outlets


def test_a_name_that_no_stream_can_have_is_refused() -> None:
    for name in ("a\0b", "\udcff"):
        with pytest.raises(StreamNotFound, match="it is not Unicode text"):
            find_stream({"name": name}, 1.0)


def test_an_engine_takes_up_a_stream_whose_every_text_is_hostile(tmp_path: Path, wait_until: Wait) -> None:
    name = unique("'\"\x1b[31m<&>")
    info = pylsl.StreamInfo(name, "EEG'\"", len(CHANNELS), 200.0, "float32", f"{name}\n'")
    channels = info.desc().append_child("channels")
    for label in CHANNELS:
        channel = channels.append_child("channel").append_child_value("label", label)
        channel.append_child_value("unit", "uV").append_child_value("type", "'\"]]>")
    info.desc().append_child_value("manufacturer", "\u202ertbci").append_child_value("reference", "'\"" * 1000)
    about = info.desc().append_child("replay")
    for key, value in {"speed": "1.0", "position": "' or '1'='1-position", "session": "'", "key": '"'}.items():
        about.append_child_value(key, value)
    outlet = pylsl.StreamOutlet(info)
    spec = EngineSpec("", {"name": name}, monitor=str(tmp_path), events=str(tmp_path / "events.tsv"))
    engine = Engine(make_pipeline(), spec)
    with running(engine) as failures:
        wait_until(lambda: engine.source.connected or failures)

        def answers() -> bool:
            outlet.push_chunk(np.random.default_rng(0).normal(0, 30, (20, len(CHANNELS))).astype(np.float32))
            return bool(engine.probability) or bool(failures)

        wait_until(answers)
        (found,) = pylsl.resolve_byprop("source_id", engine.outlets.source_ids[0], 1, 10)
        assert found.name().isprintable()
        assert not set("'\"") & set(found.name() + found.source_id())
    assert failures == []
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        strict(line)
