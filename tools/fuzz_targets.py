"""What is fuzzed: each parser of ours, from the bytes of a file, a stream or another process, to where its value is used."""

from __future__ import annotations

import ctypes
import io
import json
import struct
import threading
import zipfile
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress
from dataclasses import asdict
from functools import cache
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pylsl
import pylsl.lib
import safetensors.torch
import typer
from fuzz_contract import SCRATCH, Target, scratch

from rtbci import cli, wire
from rtbci.config import PipelineConfig, override, parse, read_toml
from rtbci.cues import Cue, CueTagger, table
from rtbci.datasets.chbmit import read_seizures, read_summary
from rtbci.demo import PIPELINE, RECORDING
from rtbci.engine import Engine
from rtbci.errors import ConfigError, DatasetError, StreamNotFound
from rtbci.fault_options import faults_from_options
from rtbci.gui.book import Book
from rtbci.gui.feed import Feed
from rtbci.gui.marks import Marks
from rtbci.gui.settings import Settings
from rtbci.hold import Hold
from rtbci.inspection import inspect_file, pipeline_facts, recording_facts
from rtbci.models import from_config
from rtbci.montage import canonical, match, microvolts
from rtbci.pipeline import Pipeline, check_rate
from rtbci.pipeline_file import MEMORY_BYTES, read_config
from rtbci.quality import Quality
from rtbci.sinks.events import EventLog, read_events, write_events
from rtbci.sinks.journal import Journal
from rtbci.sinks.layout import read_layout
from rtbci.sinks.monitor import MonitorReader, MonitorWriter
from rtbci.sources.discovery import FoundStream, describe, parse_query, predicate
from rtbci.sources.edf import _read_header, _Records, _records_held
from rtbci.sources.recording import open_recording
from rtbci.timing import GapGuard
from rtbci.training.config import TrainConfig, read_train_config
from rtbci.transport import Place, Transport
from rtbci.types import Chunk, Event, Gap, StreamInfo
from rtbci.view import TerminalView
from rtbci.view import describe as in_words

ROOT = Path(__file__).resolve().parents[1]
TARGETS: dict[str, Target] = {}
MIB = 1 << 20


def target(
    seeds: Callable[[], Iterable[bytes]], **more: Any
) -> Callable[[Callable[[bytes], object]], Callable[[bytes], object]]:
    """Under the function's name."""

    def add(run: Callable[[bytes], object]) -> Callable[[bytes], object]:
        TARGETS[run.__name__] = Target(run, seeds, **more)
        return run

    return add


# -- the pipeline file --------------------------------------------------------------------------------------------


@cache
def _demo() -> dict[str, bytes]:
    with zipfile.ZipFile(PIPELINE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**_demo(), **{k.replace("__", "."): v for k, v in members.items()}}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _load(data: bytes) -> None:
    """As `inspect`, then `run` would use a file."""
    path = scratch("fuzz.rtbci", data)
    with suppress(RecursionError):
        read_config(path)
    use(Pipeline.load(path))
    json.dumps(pipeline_facts(path, None), allow_nan=False)
    with redirect_stdout(io.StringIO()):
        inspect_file(path, None, json=False)


def use(pipeline: Pipeline) -> None:
    """Ten hops, or two windows, of a stream that fits."""
    info = StreamInfo("fuzz", pipeline.sfreq, pipeline.channels, ("uV",) * len(pipeline.channels))
    live = pipeline.start(info, offline=True)
    n = min(10 * pipeline.hop + 2 * (pipeline.network.window or 0), 5_000_000 // len(info.channels))
    noise = np.random.default_rng(0).normal(0, 20, (max(n, 1), len(info.channels))).astype(np.float32)
    scores = live.process(Chunk(noise, np.arange(len(noise)) / info.sfreq))
    live.decide(scores)
    live.flush()
    pipeline.filter_delay_s(pipeline.sfreq)
    Quality(info)


@target(lambda: [_zipped(weights__safetensors=b"x" * 100), _zipped()])
def pipeline_zip(data: bytes) -> None:
    """A whole pipeline file."""
    _load(data)


def _jsons() -> list[bytes]:
    return [_demo()["pipeline.json"]]


@target(_jsons, tree=True)
def pipeline_json(data: bytes) -> None:
    """pipeline.json beside good weights."""
    _load(_zipped(pipeline__json=data))


@target(lambda: [_demo()["weights.safetensors"][: 8 + 2000], _small_weights(), b"\2\0\0\0\0\0\0\0{}"])
def pipeline_weights(data: bytes) -> None:
    """weights.safetensors under a good pipeline.json."""
    _load(_zipped(weights__safetensors=data))


def _small_weights() -> bytes:
    tensors = safetensors.torch.load(_demo()["weights.safetensors"])
    return safetensors.torch.save({name: value[:1] for name, value in tensors.items()})


def _configs() -> list[bytes]:
    about = json.loads(_demo()["pipeline.json"])["config"]
    models = [read_toml(path)["pipeline"]["model"] for path in sorted((ROOT / "configs").glob("*.toml"))]
    window = {"model": {"kind": "stacked_lstm", "units": [4], "window": 64, "n_classes": 1}, "window_hop": 8}
    kinds = [about | {"model": model | {"n_channels": None}} for model in models] + [about | window]
    return [json.dumps(config).encode() for config in kinds]


@target(_configs, tree=True, limit_s=10.0, limit_bytes=MEMORY_BYTES)
def pipeline_run(data: bytes) -> None:
    """A config whose weights are as it says: what a stranger could send; loaded, started and run."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(values, dict):
        return
    config = parse(PipelineConfig, values, "fuzz")
    n = len(config.montage.channels if config.selection is None else config.selection.channels)
    changed = {"n_channels": n} | ({"n_classes": len(config.classes)} if config.model.kind != "conv_pool_lstm" else {})
    model = config.model.model_copy(update=changed)
    import torch

    with torch.device("meta"):
        size = sum(p.numel() for p in from_config(model).state_dict().values())
    if size > 2_000_000:
        return  # the file would be larger than what is sent here
    weights = {k: v.contiguous() for k, v in from_config(model).state_dict().items()}
    about = json.loads(_demo()["pipeline.json"]) | {"config": config.model_dump(mode="json")}
    _load(_zipped(pipeline__json=json.dumps(about).encode(), weights__safetensors=safetensors.torch.save(weights)))


# -- settings -----------------------------------------------------------------------------------------------------


@target(lambda: [path.read_bytes() for path in (ROOT / "configs").glob("*.toml")])
def config(data: bytes) -> None:
    """A training configuration."""
    read_train_config(scratch("fuzz.toml", data))


@cache
def _config() -> dict[str, Any]:
    return read_toml(ROOT / "configs" / "seizure_demo.toml")


@target(lambda: [b"training.seed=7\npipeline.sfreq=1e3", b"data.root=.\ndata.recordings.0.files=['a']", b"a.b=c"])
def settings(data: bytes) -> None:
    """`--set`, a line each."""
    parse(TrainConfig, override(_config(), data.decode("utf-8", "surrogateescape").split("\n")), "fuzz")


@target(lambda: [b"name=EEG", b"type=EEG,hostname=a", b"source_id=x,name=it's", b"EEG", b"10:2.5"])
def query(data: bytes) -> None:
    """--stream, --gap."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(StreamNotFound):
        predicate(parse_query(text))
    faults_from_options(gap=[text], clock_reset=[], bad=[], chunk_range=None)


_ARGUMENTS = (
    b"replay a.edf --speed 4 --gap 3:1 --drop 0.5 --reconnect 3 --seed 1 --bad C3:flat:1:2 --clock-reset 6:-1",
    b"run demo --stream name=a --seconds 3 --wait 1 --unit uV --json",
    b"inspect demo --sfreq 256",
    b"select a.toml --out b --k 1,2",
)


@target(lambda: [line.replace(b" ", b"\n") for line in _ARGUMENTS])
def arguments(data: bytes) -> None:
    """A command line: parsed, and what can be judged before any work."""
    words = [w.decode("utf-8", "surrogateescape") for w in data.split(b"\n")]
    root = typer.main.get_command(cli.app)
    with suppress(typer.TyperException, typer.Exit, typer.Abort), redirect_stdout(io.StringIO()):
        above = root.make_context("rtbci", list(words))
        name, command, rest = root.resolve_command(above, words)  # type: ignore[attr-defined]
        given = command.make_context(name, rest, parent=above).params
        if name == "inspect":
            inspect_file(PIPELINE, given["sfreq"], json=False)
        if name == "replay":
            lists = {key: given[key] or () for key in ("gap", "clock_reset", "bad")}
            plain = {key: given[key] for key in ("jitter_ms", "drop", "duplicate", "late", "drift_ppm")}
            faults_from_options(**lists, **plain, chunk_range=given["chunk_range"])


# -- recordings and tables ----------------------------------------------------------------------------------------


@target(
    lambda: [_events(), b"onset\tduration\ttrial_type\n1\tn/a\tsz\n", b"\xef\xbb\xbfonset\tduration\teventType\r\n"]
)
def events(data: bytes) -> None:
    """An event table; what was read can be written, and is then read as the same."""
    found = read_events(scratch("fuzz_events.tsv", data))
    write_events(SCRATCH / "again.tsv", found)
    again = read_events(SCRATCH / "again.tsv")
    assert [(e.onset, e.duration, e.confidence) for e in again] == [(e.onset, e.duration, e.confidence) for e in found]


def _events() -> bytes:
    with EventLog(SCRATCH / "seed.tsv") as log:
        log.add(Event(1.5, 2.0, "seizure", 0.9, ("Fp1-F7", "C3")))
    return (SCRATCH / "seed.tsv").read_bytes()


@cache
def _edf() -> bytes:
    """Two records of three channels."""
    header = RECORDING.read_bytes()[: 256 * 24]
    n, keep = 23, 3
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    at, columns = 256, b""
    for width in widths:
        columns += header[at : at + keep * width]
        at += n * width
    fixed = (
        header[:184] + b"%-8d" % (256 * (keep + 1)) + header[192:236] + b"%-8d" % 2 + header[244:252] + b"%-4d" % keep
    )
    return fixed + columns + np.arange(2 * 3 * 256, dtype="<i2").tobytes()


@target(lambda: [_edf()], limit_bytes=128 * MIB)
def edf(data: bytes) -> None:
    """EDF and BDF: the header that we read ourselves, and samples by it."""
    path = scratch("fuzz.edf", data)
    for width in (2, 3):
        header = _read_header(path)
        n_records, _ = _records_held(path, header, width)
        signals = np.flatnonzero(header.samples == header.samples.max())
        records = _Records(path, header, width, n_records, signals)
        records(0, min(records.per_record * n_records, 1000))


@target(lambda: [_edf()], limit_s=5.0, limit_bytes=256 * MIB)
def recording(data: bytes) -> None:
    """An EDF file as `inspect` and `tag` open it."""
    path = scratch("fuzz_recording.edf", data)
    recording_facts(path)
    opened = open_recording(path)
    for chunk in opened.chunks(256, 0, 1000):
        assert len(chunk)


def _xdf(streams: list[tuple[bytes, list[tuple[float, bytes]]]]) -> bytes:
    """A file of streams: (header XML, samples: (stamp, values as bytes)); text samples are length-prefixed here."""

    def chunk(tag: int, content: bytes) -> bytes:
        return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content

    out = b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    for number, (header, samples) in enumerate(streams, 1):
        stream = struct.pack("<I", number)
        out += chunk(2, stream + header)
        rows = b"".join(b"\x08" + struct.pack("<d", stamp) + values for stamp, values in samples)
        out += chunk(3, stream + b"\x04" + struct.pack("<I", len(samples)) + rows)
        footer = b"<info><first_timestamp>1</first_timestamp><sample_count>%d</sample_count></info>" % len(samples)
        out += chunk(6, stream + footer)
    return out


_SIGNAL = b"""<info><name>Amp</name><type>EEG</type><channel_count>2</channel_count><nominal_srate>100</nominal_srate>
<channel_format>float32</channel_format><source_id>a</source_id><desc><channels><channel><label>Fp1</label>
<unit>microvolts</unit></channel><channel><label>C3</label><unit>mV</unit></channel></channels>
<replay><speed>2.0</speed></replay></desc></info>"""
_MARKS = b"""<info><name>Amp-events</name><type>Markers</type><channel_count>1</channel_count><nominal_srate>0</nominal_srate>
<channel_format>string</channel_format><source_id>b</source_id><desc><manufacturer>rtbci</manufacturer><input>Amp</input>
<input_source_id>a</input_source_id></desc></info>"""
_LINES = (
    b'{"state":"begin","stamp":1.0}', b'{"state":"gap","start":1.1,"end":1.2}', b'{"state":"end","stamp":2.0}',
    b'{"state":"annotation","label":"x","duration_s":1}', b"left",
)  # fmt: skip


_SAID = (
    b'"state"',
    b'"begin"',
    b'"gap"',
    b'"stamp":',
    b'"start":',
    b'"end":',
    b"1e999",
    b"[[",
    b"{}",
    b"\0",
    b"<stream_id>",
)


@target(
    lambda: [b"\0".join([_SIGNAL, _MARKS, *_LINES]), b"\0".join([_SIGNAL, _SIGNAL])],
    words=(*_SAID, b"<label>", b"<unit>", b"<channel_count>", b"<nominal_srate>0</nominal_srate>", b"<speed>"),
    limit_bytes=128 * MIB,
)
def xdf(data: bytes) -> None:
    """XDF: two streams' descriptions and what the second says, with parts between zeros."""
    signal, marks, *texts = [*data.split(b"\0"), b"", b""]
    rows = [(1 + k / 100, np.float32([k, -k]).tobytes()) for k in range(120)]
    said = [(1 + k / 10, b"\x04" + struct.pack("<I", len(text)) + text) for k, text in enumerate(texts)]
    path = scratch("fuzz.xdf", _xdf([(signal, rows), (marks, said)]))
    recording_facts(path)
    opened = open_recording(path)
    opened.times()
    for chunk in opened.chunks(50):
        assert len(chunk)


_SUMMARY = b"File Name: chb01_03.edf\nNumber of Seizures in File: 1\nSeizure Start Time: 3 seconds\nSeizure End Time: 4 seconds"


@target(lambda: [b"Channel 1: FP1-F7\n\n" + _SUMMARY, struct.pack("<HH", (32 << 10) + 5, (33 << 10) + 9) + b"\0\0"])
def chbmit(data: bytes) -> None:
    """CHB-MIT's summaries and seizure annotations."""
    path = scratch("chb01-summary.txt", data)
    with suppress(DatasetError):
        read_summary(path)
    list(read_seizures(path))


# -- streams ------------------------------------------------------------------------------------------------------


class _Inlet:
    """An inlet whose description is what it was given."""

    def __init__(self, info: Any) -> None:
        self._info = info

    def info(self, timeout: float) -> Any:
        return self._info


class _Node:
    """An element of a description, made of lines: its children are all the lines that are left."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def empty(self) -> bool:
        return not self._lines

    def child(self, name: str) -> _Node:
        return self

    def child_value(self, name: str) -> str:
        return self._lines[0] if self._lines else ""

    def next_sibling(self, name: str) -> _Node:
        return _Node(self._lines[1:])


@target(lambda: [b"4\n256\nFp1\nC3\nuV\n", b"2\nnan\nA1\n\x1b[2J"])
def description(data: bytes) -> None:
    """Whatever liblsl hands us of a stream: a count, a rate, texts."""
    count, rate, *lines = [*data.decode("utf-8", "replace").split("\n"), "", ""]
    with suppress(ValueError):
        name = lines[0] if lines else ""
        info = SimpleNamespace(
            channel_count=lambda n=int(count[:6]): n, nominal_srate=lambda r=float(rate): r, desc=lambda: _Node(lines),
            name=lambda: name, type=lambda: name, source_id=lambda: name,
        )  # fmt: skip
        _take_up(describe(_Inlet(info))[0])


_from_xml = pylsl.lib.lib.lsl_streaminfo_from_xml
_from_xml.restype = ctypes.c_void_p


def _streams() -> list[bytes]:
    """A replay of what the bundled pipeline wants, and a stream of another kind."""
    fits = pylsl.StreamInfo("Amp", "EEG", len(_pipeline().channels), 256.0, "float32", "amp-1")
    channels = fits.desc().append_child("channels")
    for name in _pipeline().channels:
        channels.append_child("channel").append_child_value("label", name).append_child_value("unit", "microvolts")
    fits.desc().append_child("replay").append_child_value("speed", "2.0")
    other = pylsl.StreamInfo("Marks", "Markers", 1, 0, "string", "marks-1")
    for info in (fits, other):
        info.reset_uid()  # without one it is none
    return [info.as_xml().encode() for info in (fits, other)]


_TAGS = (
    b"<channel>", b"</channel>", b"<channels>", b"</channels>", b"<label>", b"</label>", b"<unit>", b"<desc>", b"</desc>",
    b"<replay>", b"<speed>", b"<channel_count>", b"<nominal_srate>", b"<name>", b"<!DOCTYPE a [<!ENTITY b \"c\">]>", b"&b;",
    b"&#0;", b"&#x1b;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?x ?>", b"nan", b"inf", b"-1", b"1e300", b"4294967297",
)  # fmt: skip


@target(_streams, words=_TAGS)
def lsl_xml(data: bytes) -> None:
    """A stream's XML, through liblsl itself."""
    handle = _from_xml(ctypes.c_char_p(data.replace(b"\0", b"")))
    if not handle:
        return
    found = pylsl.StreamInfo(handle=handle)
    str(FoundStream.of(found))
    _take_up(describe(_Inlet(found))[0])


def _take_up(info: StreamInfo) -> None:
    """As an engine would."""
    pipeline = _pipeline()
    check_rate(pipeline.config, info)
    pipeline.preprocessor(info)


@cache
def _pipeline() -> Pipeline:
    return Pipeline.load(PIPELINE)


@target(lambda: [b"EEG Fp1-Ref\tuV\nT3\tmV\nFP1-F7\tV\nFc5.\t\n", "Fp1–F7\tµV\nC3/A1\tμV".encode()])
def labels(data: bytes) -> None:
    """Channel names and units."""
    lines = data.decode("utf-8", "replace").split("\n")
    names, units = zip(*((line.partition("\t")[0], line.partition("\t")[2]) for line in lines), strict=True)
    for name, unit in zip(names, units, strict=True):
        canonical(name)
        microvolts(unit)
    info = StreamInfo("fuzz", 256.0, names, units)
    Quality(info)
    match(names, info)
    match(("Fp1-F7", "T7", "C3"), info)


@target(lambda: [np.arange(64).tobytes(), (np.arange(100) / 256).tobytes(), np.r_[0:1:0.01, 5:6:0.01].tobytes()])
def stamps(data: bytes) -> None:
    """Stamps of a stream at 256 Hz, in pieces: what comes out is in order, and counts every sample."""
    times = np.frombuffer(data[: len(data) // 8 * 8])
    guard = GapGuard(_pipeline().config.gaps, 256.0)
    with np.errstate(all="ignore"):
        pieces = [p for k in range(0, len(times), 7) for p in guard.process(_samples(times[k : k + 7]))]
    pieces += list(guard.flush())
    out = np.concatenate([np.empty(0), *(p.times for p in pieces if isinstance(p, Chunk))])
    gaps = [p for p in pieces if isinstance(p, Gap)]
    assert np.isfinite(out).all() and (np.diff(out) > 0).all()
    left_out = len(times) + sum(g.n_missing for g in gaps if g.filled) - len(out)
    assert left_out == sum(g.n_extra for g in gaps) + guard._n_extra + _before_the_first(times)
    json.dumps([asdict(g) for g in gaps], allow_nan=False)


def _before_the_first(times: np.ndarray) -> int:
    """Samples that come before any stamp that is a time."""
    sane = np.flatnonzero(np.abs(times) <= GapGuard.LAST_S)
    return int(sane[0]) if len(sane) else len(times)


def _samples(times: np.ndarray) -> Chunk:
    return Chunk(np.zeros((len(times), 2), np.float32), times)


@target(lambda: [b"pause", b"seek +10", b"seek 3e2", b"speed 4", b"quit"])
def control(data: bytes) -> None:
    """A line of a control outlet, obeyed by a replay."""
    transport = Transport(1.0, 0.0, 60.0, loop=True, stop=threading.Event())
    transport.begin()
    with suppress(ConfigError):
        transport.obey(data.decode("utf-8", "replace"), may_quit=False)
    transport.move(transport.halt())
    assert not transport.stop.is_set()
    Place.from_json(transport.place().to_json(), 1.0)


def _places() -> list[bytes]:
    return [Transport(1.0, 0.0, 60.0, loop=True, stop=threading.Event()).place().to_json().encode()]


@target(_places, tree=True)
def place(data: bytes) -> None:
    """What a stream that says it is a replay tells of its place."""
    with suppress(ValueError):
        found = Place.from_json(data.decode("utf-8", "replace"), 1.0)
        assert np.isfinite([found.at(2.0), found.at(1e9)]).all()


@target(lambda: [b"left\nright", "rest\tx\x1b[31m\u202e".encode()])
def cue(data: bytes) -> None:
    """Texts of a marker stream, answered, tabled and published."""
    config = SimpleNamespace(labels=(), offset_s=0.0, keep_s=1.0)
    tagger = CueTagger(config, lambda windows: np.full((len(windows), 2), 0.5), 8, 100.0)  # type: ignore[arg-type]
    texts = data.decode("utf-8", "replace").split("\n")
    for k, text in enumerate(texts):
        tagger.tell(Cue(k / 100, text))
    answers = tagger.process(_samples(np.arange(100) / 100)) + tagger.flush()
    rows = table(answers, ("a", "b")).split("\n")
    assert len(rows) == len(texts) + 2
    assert all(row.count("\t") == 5 and row.replace("\t", " ").isprintable() for row in rows[:-1])


# -- other processes ----------------------------------------------------------------------------------------------


def _monitor_seeds() -> list[bytes]:
    folder = SCRATCH / "seed"
    folder.mkdir(exist_ok=True)
    writer = MonitorWriter(folder)
    writer.open_rings(8.0, 2, 8.0, 2, 1.0, 1)
    assert writer.rings is not None
    writer.rings.signals.append(_samples(np.arange(5.0)))
    writer.status({"state": "running", "life": 1, "classes": ["a"], "stream": {"sfreq": 8.0, "speed": 1.0}})
    writer.log("gap", start=1.0, end=2.0, n_missing=3, cause="x", filled=True)
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
        writer.status({"state": "running", "life": 1})
        writer.close()
    name = _MONITOR[data[0] % 4 if data else 0]
    kept = (folder / name).read_bytes() if (folder / name).exists() else None
    (folder / name).write_bytes(data[1:])
    try:
        reader = MonitorReader(folder)
        assert isinstance(reader.status(), dict)
        assert all(isinstance(line, dict) for line in reader.new_log())
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


_COMMANDS = (
    {"do": "threshold", "value": 0.7},
    {"do": "annotate", "label": "x", "onset": 1.0, "stamp": 2.0, "duration": 0.5},
    {"do": "review", "label": "x", "onset": 1.0, "verdict": "confirmed", "note": "y"},
    {"do": "recording", "state": {"on": True, "alarm": ""}},
    {"do": "go"},
    {"do": "replay", "say": "seek 3"},
)


@target(lambda: [json.dumps(c).encode() for c in _COMMANDS], tree=True)
def command(data: bytes) -> None:
    """What a dashboard asks of the engine: whatever it is, the engine goes on, and its state is plain JSON."""
    theirs, ours = Pipe()
    theirs.send_bytes(data)
    what = wire.receive(ours)
    engine: Any = object.__new__(Engine)
    engine.hold, engine.recording, engine.outlets, engine.monitor, engine.stopping = Hold(), None, None, None, False
    engine._event_log = EventLog(SCRATCH / "command.tsv")
    engine.session = SimpleNamespace(live=_live())
    engine.source = SimpleNamespace(replay=SimpleNamespace(say=lambda line: line.encode()))
    engine.command(what)
    json.dumps(engine.recording, allow_nan=False)
    assert 0 <= _live().decision.threshold <= 1
    engine._event_log.close(1.0)
    read_events(SCRATCH / "command.tsv")


@cache
def _live() -> Any:
    pipeline = _pipeline()
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
    """An engine's log in the hands of the terminal, the journal and the dashboard's book."""
    folder = SCRATCH / "log"
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_bytes(data + b"\n")
    lines = MonitorReader(folder).new_log()
    view, book = TerminalView("fuzz"), Book(Marks())
    for line in lines:
        in_words(line)
        view.note(line)
        book.take(line, None)
    (folder / "journal").unlink(missing_ok=True)
    journal = Journal(folder / "journal")
    journal.lines(lines)
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
    assert all(isinstance(item, str) for item in kept.recent("streams"))
    kept.geometry()
    kept.remember("streams", "a")
    kept.save()
