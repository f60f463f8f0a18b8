"""An LSL inlet that keeps the truth: samples with clock-synced raw stamps, and every loss and return of the stream."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pylsl

from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.types import Chunk, StreamInfo, Times

QUERY_KEYS = ("name", "type", "source_id", "hostname", "uid")
_DTYPES = {
    pylsl.cf_float32: np.float32,
    pylsl.cf_double64: np.float64,
    pylsl.cf_int8: np.int8,
    pylsl.cf_int16: np.int16,
    pylsl.cf_int32: np.int32,
    pylsl.cf_int64: np.int64,
}
MAX_CHANNELS = 8192


@dataclass(frozen=True, slots=True)
class FoundStream:
    """A stream on the network, without opening it."""

    name: str
    type: str
    n_channels: int
    sfreq: float
    format: str
    hostname: str
    source_id: str
    uid: str

    def __str__(self) -> str:
        rate = f"{self.sfreq:g} Hz" if self.sfreq else "irregular"
        return (
            f"name={self.name} type={self.type} source_id={self.source_id or '-'} host={self.hostname} "
            f"({self.n_channels} channels, {rate})"
        )


def list_streams(timeout_s: float = 1.0) -> list[FoundStream]:
    """Every stream that answers within `timeout_s`."""
    return sorted((_found(s) for s in pylsl.resolve_streams(timeout_s)), key=lambda s: (s.name, s.uid))


def _found(s: Any) -> FoundStream:
    formats = {
        getattr(pylsl, f"cf_{k}"): k for k in ("float32", "double64", "string", "int8", "int16", "int32", "int64")
    }
    return FoundStream(
        s.name(), s.type(), s.channel_count(), s.nominal_srate(), formats.get(s.channel_format(), "undefined"),
        s.hostname(), s.source_id(), s.uid(),
    )  # fmt: skip


def parse_query(text: str) -> dict[str, str]:
    """`name=EEG`, `type=EEG,hostname=amp1`, or a bare name. Raises StreamNotFound for a key that LSL has not."""
    query: dict[str, str] = {}
    for part in re.split(r",(?=\s*\w+=)", text) if "=" in text else [f"name={text}"]:
        key, _, value = part.strip().partition("=")
        key = {"host": "hostname"}.get(key.strip(), key.strip())
        if key not in QUERY_KEYS or not value:
            raise StreamNotFound(f"--stream wants name=…, type=…, source_id=… or hostname=…, got {part.strip()!r}")
        query[key] = value.strip()
    return query


def predicate(query: dict[str, str]) -> str:
    """The query as liblsl's XPath predicate."""
    return " and ".join(f"{key}={_quoted(value)}" for key, value in query.items())


def one_of(found: list[Any], query: dict[str, str]) -> Any:
    """Of streams of one source (an old and a new life) the youngest; several sources are never chosen by luck."""
    sources = {(s.source_id(), s.hostname()) for s in found}
    if len(sources) == 1 and found[0].source_id():
        return max(found, key=lambda s: s.created_at())
    listed = "; ".join(sorted(str(_found(s)) for s in found)[:8])
    raise StreamNotFound(f"{len(found)} streams match {predicate(query)}: {listed}. Choose one by source_id=…")


def _quoted(value: str) -> str:
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    raise StreamNotFound(f"a stream's property cannot be searched for with both kinds of quotes: {value!r}")


def describe(inlet: Any, timeout_s: float = 5.0) -> tuple[StreamInfo, float, bool]:
    """(info, speed, is a replay): labels and units of the description; speed is 1 but for a replay that says so."""
    info = inlet.info(timeout=timeout_s)
    n_channels = info.channel_count()
    labels: list[str] = []
    units: list[str] = []
    node = info.desc().child("channels").child("channel")
    while not node.empty() and len(labels) < n_channels:
        labels.append(node.child_value("label") or f"ch{len(labels) + 1}")
        units.append(node.child_value("unit"))
        node = node.next_sibling("channel")
    labels += [f"ch{i + 1}" for i in range(len(labels), n_channels)]
    units += [""] * (n_channels - len(units))
    speed = info.desc().child("replay").child_value("speed")
    return (
        StreamInfo(info.name(), info.nominal_srate(), tuple(labels), tuple(units), info.type(), info.source_id()),
        _number(speed, 1.0),
        bool(speed),
    )


def _number(text: str, otherwise: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return value if np.isfinite(value) and value >= 0 else otherwise


@dataclass(frozen=True, slots=True)
class Connected:
    """A stream was found, fits, and is open. speed: stream seconds a second; 0 where the replay is not paced."""

    info: StreamInfo
    speed: float
    hostname: str
    clock_offset_s: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A stream answered but does not fit."""

    reason: str


Item = Chunk | Connected | Lost | Refused


class LslSource:
    """One LSL stream that a query finds; when it is lost, whatever the query finds next, if `accept` takes it."""

    BUFFER_S = 360
    SETTLE_S = 1.2  # liblsl asks in waves: first by multicast, then each known peer
    REST_S = 0.0003  # how long the rest of a chunk may take
    GRAVE_S = 2.0  # how long the resolver may still name a stream that has gone

    def __init__(self, query: dict[str, str], accept: Callable[[StreamInfo], None], max_samples: int = 4096) -> None:
        """accept: raises StreamMismatch for a stream that does not fit."""
        self.query = query
        self._accept = accept
        self._max_samples = max_samples
        self._resolver: Any = pylsl.ContinuousResolver(pred=predicate(query), forget_after=1.5)
        self._inlet: Any = None
        self._uid = ""
        self._usual_n = 1  # samples that came at once, last time
        self._ack: _Ack | None = None
        self._silent_since = time.monotonic()
        self._refused: set[str] = set()
        self._found_since = 0.0
        self._lost_at = -self.GRAVE_S
        self.pulled_at = 0.0  # local clock when the newest samples arrived
        self.connected_once = False

    @property
    def connected(self) -> bool:
        return self._inlet is not None

    @property
    def silent_s(self) -> float:
        """Seconds since data last came."""
        return time.monotonic() - self._silent_since

    def read(self, timeout_s: float) -> list[Item]:
        """What came: chunks of samples in stream units, or what became of the stream; [] after `timeout_s` of nothing."""
        if self._inlet is None:
            return self._connect(timeout_s)
        try:
            data, stamps = self._pull(timeout_s)
        except pylsl.util.LostError:
            return self._disconnect("the connection was closed")
        self.pulled_at = pylsl.local_clock()
        if len(stamps):
            self._silent_since = time.monotonic()
            if self._ack:
                self._ack.took(len(stamps))
            return [Chunk(data, stamps)]
        return self._look_for_another() if self.silent_s > 1 else []

    def _pull(self, timeout_s: float) -> tuple[Any, Times]:
        """What is there, and the rest of a sender's chunk whose first samples woke us."""
        stamps = self._pull_into(self._buffer, timeout_s, 1)
        lacking = min(self._usual_n, self._max_samples) - len(stamps)
        if len(stamps) and lacking > 0:
            stamps = np.concatenate([stamps, self._pull_into(self._buffer[len(stamps) :], self.REST_S, lacking)])
        self._usual_n = len(stamps) or self._usual_n
        return self._buffer[: len(stamps)], stamps

    def _pull_into(self, place: Any, timeout_s: float, least: int) -> Times:
        _, stamps = self._inlet.pull_chunk(
            timeout=timeout_s, max_samples=len(place), min_samples=least, dest_obj=place, as_numpy=True
        )
        taken: Times = stamps
        return taken

    def clock_offset_s(self) -> float:
        """Remote clock against ours, as liblsl last estimated it; 0 while it is not known."""
        try:
            return float(self._inlet.time_correction(timeout=0.2)) if self._inlet is not None else 0.0
        except (pylsl.util.TimeoutError, pylsl.util.LostError):
            return 0.0

    def close(self) -> None:
        """Let go of the stream and stop looking for others."""
        self._release()
        self._resolver = None

    def _connect(self, timeout_s: float) -> list[Item]:
        now = time.monotonic()
        buried = now - self._lost_at > self.GRAVE_S
        found = [
            s for s in self._resolver.results() if s.uid() not in self._refused and (buried or s.uid() != self._uid)
        ]
        self._found_since = (self._found_since or now) if found else 0.0
        # The first to answer need not be the only one.
        if not found or now - self._found_since < self.SETTLE_S:
            time.sleep(min(timeout_s, 0.02))
            return []
        try:
            stream = found[0] if len(found) == 1 else one_of(found, self.query)
        except StreamNotFound as error:
            if not self.connected_once:
                raise
            time.sleep(min(timeout_s, 0.05))
            return [] if str(error) in self._refused else self._refuse(str(error), str(error))
        try:
            return [self._open(stream)]
        except StreamMismatch as error:
            self._release()
            return self._refuse(stream.uid(), str(error))
        except (pylsl.util.TimeoutError, pylsl.util.LostError):
            self._release()
            return []

    def _refuse(self, key: str, reason: str) -> list[Item]:
        self._refused.add(key)
        return [Refused(reason)]

    def _open(self, stream: Any) -> Connected:
        if stream.channel_format() not in _DTYPES:
            raise StreamMismatch(f"stream {stream.name()!r} carries text, not numbers")
        if stream.channel_count() > MAX_CHANNELS:
            raise StreamMismatch(
                f"stream {stream.name()!r} has {stream.channel_count()} channels; at most {MAX_CHANNELS}"
            )
        inlet = pylsl.StreamInlet(
            stream, max_buflen=self.BUFFER_S, recover=False, processing_flags=pylsl.proc_clocksync
        )
        info, speed, is_replay = describe(inlet)
        self._accept(info)
        self._buffer = np.empty((self._max_samples, len(info.channels)), _DTYPES[stream.channel_format()])
        inlet.open_stream(timeout=5)
        self._inlet, self._uid = inlet, stream.uid()
        if is_replay:
            self._ack = _Ack(info)
        self._silent_since = time.monotonic()
        self.connected_once = True
        return Connected(info, speed, stream.hostname(), self.clock_offset_s())

    def _look_for_another(self) -> list[Item]:
        """Silence may mean that the source lives on under another identity."""
        others = [s for s in self._resolver.results() if s.uid() != self._uid]
        if others and not any(s.uid() == self._uid for s in self._resolver.results()):
            return self._disconnect(f"no data for {self.silent_s:.1f} s and another stream answers")
        return []

    def _disconnect(self, reason: str) -> list[Item]:
        self._release()
        self._lost_at = time.monotonic()
        return [Lost(reason)]

    def _release(self) -> None:
        if self._inlet is not None:
            self._inlet.close_stream()
        self._inlet, self._ack = None, None


class _Ack:
    """Tells a replay how many samples were taken, so that it never outruns us, nor ends before we have it all."""

    def __init__(self, info: StreamInfo) -> None:
        about = pylsl.StreamInfo(f"{info.name}-ack", "rtbci-ack", 1, 0, "int64", f"{info.source_id}-ack")
        self._outlet = pylsl.StreamOutlet(about)
        self._n = 0

    def took(self, n: int) -> None:
        self._n += n
        self._outlet.push_sample([self._n])
