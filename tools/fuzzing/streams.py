"""What a stream says of itself, its stamps, its markers, and a replay's remote control."""

from __future__ import annotations

import ctypes
import itertools
import json
import threading
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pylsl
import pylsl.lib

from fuzzing.contract import target
from rtbci.bundled import PIPELINE
from rtbci.errors import ConfigError
from rtbci.lsl.discovery import FoundStream, read_description
from rtbci.lsl.replay_protocol import ReplayPosition
from rtbci.pipeline.pipeline import Pipeline, check_rate
from rtbci.recordings.channel_names import canonical
from rtbci.recordings.description import Description
from rtbci.recordings.stream_reader import believed
from rtbci.recordings.units import microvolts
from rtbci.replay.transport import Transport
from rtbci.stages.channel_quality import ChannelQuality
from rtbci.stages.cue_labels import CueAccount, CueLabels
from rtbci.stages.cues import Cue, CueTagger, table
from rtbci.stages.gap_guard import GapGuard
from rtbci.stages.wiring import match
from rtbci.types import Chunk, Gap, StreamInfo


class _Inlet:
    """An inlet whose description is what it was given."""

    def __init__(self, info: Any) -> None:
        self._info = info

    def info(self, timeout: float) -> Any:
        return self._info


class _Node:
    """An element of a description: its name, its text, the elements below it, and those behind it."""

    def __init__(self, name: str = "", text: str = "", below: list[_Node] | None = None) -> None:
        self._name, self._text, self._below = name, text, below or []
        self._next: _Node | None = None
        for one, after in itertools.pairwise(self._below):
            one._next = after

    @classmethod
    def described(cls, lines: list[str]) -> _Node:
        """Each line is a channel: a label, a unit, a type and a factor, with tabs; the first label is the reference's, too."""
        keys = ("label", "unit", "type", "scaling_factor")
        channels = [
            cls("channel", "", [cls(key, part) for key, part in zip(keys, line.split("\t"), strict=False)])
            for line in lines
        ]
        return cls(
            "desc", "", [cls("channels", "", channels), cls("reference", "", [cls("label", (lines or [""])[0])])]
        )

    def empty(self) -> bool:
        return not self._name

    def is_text(self) -> bool:
        return False

    def name(self) -> str:
        return self._name

    def first_child(self) -> _Node:
        return self._below[0] if self._below else _Node()

    def next_sibling(self) -> _Node:
        return self._next or _Node()

    def child(self, name: str) -> _Node:
        return next((one for one in self._below if one._name == name), _Node())

    def child_value(self, name: str = "") -> str:
        return self.child(name)._text if name else self._text


def _told() -> list[bytes]:
    names = bundled().channels
    lines = [f"{len(names)}", "256", *(f"{name}\tuV" for name in names)]
    return ["\n".join(lines).encode(), b"2\nnan\nA1\n\x1b[2J"]


@target(_told)
def description(data: bytes) -> None:
    """Whatever liblsl hands us of a stream: a count, a rate, texts."""
    count, rate, *lines = [*data.decode("utf-8", "replace").split("\n"), "", ""]
    with suppress(ValueError):
        name, told = lines[0], [line for line in lines if line]
        info = SimpleNamespace(
            channel_count=lambda n=int(count[:6]): n, nominal_srate=lambda r=float(rate): r, desc=lambda: _Node.described(told),
            name=lambda: name, type=lambda: name, source_id=lambda: name, channel_format=lambda: pylsl.cf_int16,
        )  # fmt: skip
        _take_up(read_description(_Inlet(info))[0])


_from_xml = pylsl.lib.lib.lsl_streaminfo_from_xml
_from_xml.restype = ctypes.c_void_p


def _streams() -> list[bytes]:
    """A replay of what the bundled pipeline wants, and a stream of another kind."""
    fits = pylsl.StreamInfo("Amp", "EEG", len(bundled().channels), 256.0, "float32", "amp-1")
    channels = fits.desc().append_child("channels")
    for name in bundled().channels:
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
    _take_up(read_description(_Inlet(found))[0])


def _take_up(described: Description) -> None:
    """As an engine would."""
    pipeline, info = bundled(), believed(described).info
    check_rate(pipeline.config, info)
    pipeline.preprocessor(info)


@cache
def bundled() -> Pipeline:
    """The pipeline of the demonstration."""
    return Pipeline.load(PIPELINE)


@target(lambda: [b"EEG Fp1-Ref\tuV\nT3\tmV\nFP1-F7\tV\nFc5.\t\n", "Fp1–F7\tµV\nT3\nC3/A1\tμV".encode()])
def labels(data: bytes) -> None:
    """Channel names and units."""
    lines = data.decode("utf-8", "replace").split("\n")
    names, units = zip(*((line.partition("\t")[0], line.partition("\t")[2]) for line in lines), strict=True)
    for name, unit in zip(names, units, strict=True):
        canonical(name)
        microvolts(unit)
    info = StreamInfo("fuzz", 256.0, names, units)
    ChannelQuality(info)
    match(names, info)
    match(("Fp1-F7", "T7", "C3"), info)


@target(lambda: [np.arange(64).tobytes(), (np.arange(100) / 256).tobytes(), np.r_[0:1:0.01, 5:6:0.01].tobytes()])
def stamps(data: bytes) -> None:
    """Stamps of a stream at 256 Hz, in segments: what comes out is in order, and counts every sample."""
    times = np.frombuffer(data[: len(data) // 8 * 8])
    guard = GapGuard(bundled().config.gaps, 256.0)
    with np.errstate(all="ignore"):
        segments = [p for k in range(0, len(times), 7) for p in guard.process(samples(times[k : k + 7]))]
    segments += list(guard.flush())
    out = np.concatenate([np.empty(0), *(p.times for p in segments if isinstance(p, Chunk))])
    gaps = [p for p in segments if isinstance(p, Gap)]
    assert np.isfinite(out).all() and (np.diff(out) > 0).all()
    left_out = len(times) + sum(g.n_missing for g in gaps if g.filled) - len(out)
    assert left_out == sum(g.n_extra for g in gaps) + guard._n_extra
    json.dumps([asdict(g) for g in gaps], allow_nan=False)


def samples(times: np.ndarray) -> Chunk:
    """Silence on two channels, with these stamps."""
    return Chunk(np.zeros((len(times), 2), np.float32), times)


@target(lambda: [b"pause", b"seek +10", b"seek 3e2", b"speed 4", b"quit"])
def control(data: bytes) -> None:
    """A command of a controller to a replay."""
    transport = Transport(1.0, 0.0, 60.0, loop=True, stop=threading.Event())
    transport.begin()
    with suppress(ConfigError):
        transport.obey(data.decode("utf-8", "replace"), may_quit=False)
    transport.move(transport.halt())
    assert not transport.stop.is_set()
    ReplayPosition.from_json(transport.announcement().to_json())


def _replay_positions() -> list[bytes]:
    return [Transport(1.0, 0.0, 60.0, loop=True, stop=threading.Event()).announcement().to_json().encode()]


@target(_replay_positions, tree=True)
def replay_position(data: bytes) -> None:
    """A report of the position, from a stream that claims to be a replay."""
    with suppress(ValueError):
        found = ReplayPosition.from_json(data.decode("utf-8", "replace"))
        assert np.isfinite([found.at(2.0), found.at(1e9)]).all()


@target(lambda: [b"left\nright", "rest\tx\x1b[31m\u202e".encode()])
def cue(data: bytes) -> None:
    """Texts of a marker stream, answered, tabled and published."""
    config = SimpleNamespace(labels=(), offset_s=0.0, keep_s=1.0)
    tagger = CueTagger(config, lambda windows: np.full((len(windows), 2), 0.5), 8, 100.0)  # type: ignore[arg-type]
    texts = data.decode("utf-8", "replace").split("\n")
    account = CueAccount(("left", "right", "1"))
    labels, n_cues = CueLabels(("left", "right", "1")), 0
    for k, text in enumerate(texts):
        n_cues += bool(tagger.tell(Cue(k / 100, text)))
        account.add(text, labels.match(text))
    assert all(len(line) < 2000 for line in account.news())
    answers = tagger.process(samples(np.arange(100) / 100)) + tagger.flush()
    rows = table(answers, ("a", "b")).split("\n")
    assert len(rows) == n_cues + 2
    assert all(row.count("\t") == 5 and row.replace("\t", " ").isprintable() for row in rows[:-1])
