"""Stream discovery: which streams there are, and which of them a query selects; before an inlet is opened."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pylsl

from rtbci.config import MAX_SFREQ, MAX_VALUES_S
from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.recordings.description import DescribedChannel, Description, subtracted

MAX_CHANNELS = 8192
MAX_CHILDREN = 20_000  # elements of a description below one other that are looked at
QUERY_KEYS = ("name", "type", "source_id", "hostname", "uid")
FORMATS = {
    getattr(pylsl, f"cf_{name}"): name for name in ("float32", "double64", "string", "int8", "int16", "int32", "int64")
}
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class FoundStream:
    """What is known of a stream before it is opened; sfreq in Hz, 0 if irregular."""

    name: str
    type: str
    n_channels: int
    sfreq: float
    format: str
    hostname: str
    source_id: str
    uid: str

    @classmethod
    def of(cls, info: Any) -> FoundStream:
        """From a pylsl.StreamInfo."""
        return cls(
            info.name(), info.type(), info.channel_count(), info.nominal_srate(),
            FORMATS.get(info.channel_format(), "undefined"), info.hostname(), info.source_id(), info.uid(),
        )  # fmt: skip

    def __str__(self) -> str:
        rate = f"{self.sfreq:g} Hz" if self.sfreq else "irregular"
        return (
            f"name={self.name} type={self.type} source_id={self.source_id or '-'} host={self.hostname} "
            f"({self.n_channels} channels, {rate})"
        )


def list_streams(timeout_s: float = 1.0) -> list[FoundStream]:
    """Every stream that answers within `timeout_s`, sorted by name."""
    resolver = pylsl.ContinuousResolver(forget_after=timeout_s + 5.0)
    time.sleep(timeout_s)  # not in liblsl, where Ctrl-C would have to wait
    answers = (s for s in resolver.results() if s.uid())  # a description that liblsl cannot read has no uid
    return sorted(map(FoundStream.of, answers), key=lambda s: (s.name, s.uid))


def parse_query(text: str) -> dict[str, str]:
    """Parse `name=EEG`, `type=EEG,hostname=amp1`, or a bare name.

    Returns
    -------
    dict
        LSL properties by key: name, type, source_id, hostname or uid.

    Raises
    ------
    StreamNotFound
        For any other key.
    """
    query: dict[str, str] = {}
    for part in re.split(r",(?=\s*\w+=)", text) if "=" in text else [f"name={text}"]:
        key, _, value = part.strip().partition("=")
        key = {"host": "hostname"}.get(key.strip(), key.strip())
        if key not in QUERY_KEYS or not value:
            raise StreamNotFound(f"--stream wants name=…, type=…, source_id=… or hostname=…, got {part.strip()!r}")
        query[key] = value.strip()
    return query


def predicate(query: dict[str, str]) -> str:
    """The query as liblsl's XPath predicate; it may select more streams than `matches` does.

    Raises
    ------
    StreamNotFound
        For a value that no stream can have.
    """
    return " and ".join(_condition(key, value) for key, value in query.items())


def matches(stream: Any, query: dict[str, str]) -> bool:
    """Whether a stream has the properties of the query; liblsl does not check answers."""
    return all(getattr(stream, key)() == value for key, value in query.items())


def _condition(key: str, value: str) -> str:
    if "\0" in value or not _is_unicode(value):
        raise StreamNotFound(f"no stream can have {key}={value!r}: it is not Unicode text")
    # A query is one line of LSL's protocol, and XPath has no escapes.
    line = re.split(r"[\r\n]", value, maxsplit=1)[0]
    return f"{key}={_quoted(value)}" if line == value else f"starts-with({key},{_quoted(line)})"


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quoted(value: str) -> str:
    """An XPath string; XPath has no escapes in strings."""
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    parts = (f"'{part}'" if "'" not in part else f'"{part}"' for part in re.split(r"('+)", value) if part)
    return f"concat({','.join(parts)})"


def check_sizes(stream: Any) -> None:
    """Raises StreamMismatch for a stream too large for an inlet: liblsl allocates at once what a stream declares."""
    n_channels, sfreq = stream.channel_count(), stream.nominal_srate()
    if not 0 < n_channels <= MAX_CHANNELS:
        raise StreamMismatch(f"stream {stream.name()!r} has {n_channels} channels; at most {MAX_CHANNELS}")
    if not 0 <= sfreq <= MAX_SFREQ or sfreq * n_channels > MAX_VALUES_S:
        raise StreamMismatch(
            f"stream {stream.name()!r} says {n_channels} channels at {sfreq:g} Hz; at most {MAX_SFREQ:g} Hz and "
            f"{MAX_VALUES_S} values a second"
        )


def read_description(inlet: Any, timeout_s: float = 5.0) -> tuple[Description, float, bool]:
    """The full description of a stream.

    Parameters
    ----------
    inlet
        A pylsl.StreamInlet.
    timeout_s
        How long the description may take.

    Returns
    -------
    described : Description
        What the stream says of itself.
    speed : float
        Recorded seconds per second; 1 for all streams but a replay.
    is_replay : bool
        Whether the description is that of a replay.

    Raises
    ------
    StreamMismatch
        If it has more channels or samples than an inlet can hold.
    pylsl.util.TimeoutError, pylsl.util.LostError
        If it does not answer.
    """
    info = inlet.info(timeout=timeout_s)
    check_sizes(info)
    desc = info.desc()
    speed = desc.child("replay").child_value("speed")
    described = Description(
        info.name(), info.nominal_srate(), info.channel_count(), _channels(desc, info.channel_count()), info.type(),
        info.source_id(), FORMATS.get(info.channel_format(), "undefined"), _reference(desc),
    )  # fmt: skip
    return described, _number(speed, 1.0), bool(speed)


def _channels(desc: Any, n_channels: int) -> tuple[DescribedChannel, ...]:
    """The channels that are described: of many more than there are, one more than there are."""
    found: list[DescribedChannel] = []
    for node in _children(_child(desc, "channels"), "channel"):
        found.append(DescribedChannel.of((n.name(), n.child_value()) for n in _children(node)))
        if len(found) > 2 * n_channels + 64:
            break
    return tuple(found)


def _reference(desc: Any) -> str:
    node = _child(desc, "reference")
    told = [(child.name().lower(), child.child_value()) for child in _children(node)]
    labels = [text for name, text in told if name in ("label", "name")] or [node.child_value()]
    flags = dict(told)
    return subtracted(labels, flags.get("subtracted", ""), flags.get("common_average", ""))


def _child(node: Any, name: str) -> Any:
    """The first element of a name, in any case, below a node; an empty one where there is none."""
    exact = node.child(name)
    return next(_children(node, name), exact) if exact.empty() else exact


def _children(node: Any, name: str = "") -> Iterator[Any]:
    """The first MAX_CHILDREN elements below a node; with a name, those of it in any case."""
    child = node.first_child()
    for _ in range(MAX_CHILDREN):
        if child.empty():
            return
        if not child.is_text() and (not name or child.name().lower() == name):
            yield child
        child = child.next_sibling()


def _number(text: str, otherwise: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return value if np.isfinite(value) and value >= 0 else otherwise


def source_of(stream: Any) -> tuple[str, str, str]:
    """(source id, host, type), which a restarted program keeps; the uid stands in for a missing source id.

    One device may send several streams under one name and one id, which differ in their type.
    """
    return stream.source_id() or stream.uid(), stream.hostname(), stream.type()


def _ambiguity(found: list[Any], query: dict[str, str]) -> StreamNotFound:
    listed = "; ".join(sorted(str(FoundStream.of(s)) for s in found)[:8])
    return StreamNotFound(f"{len(found)} streams match {predicate(query)}: {listed}. {_way_out(found, query)}")


def _way_out(found: list[Any], query: dict[str, str]) -> str:
    """What tells the streams apart, with an example."""
    values = {key: [getattr(s, key)() for s in found] for key in ("type", "source_id", "hostname", "name")}
    different = {key: each for key, each in values.items() if key not in query and len(set(each)) > 1}
    alone = [key for key, each in different.items() if len(set(each)) == len(found) and all(each)]
    if not different:
        return "End all but one, or give each a source id of its own: nothing tells them apart"
    keys = alone[:1] or list(different)
    # An example is of use for EEG; among several amplifiers it would be a choice that nobody made.
    one = "EEG" if keys == ["type"] and "EEG" in values["type"] else "…"
    example = ",".join(f"{key}={value}" for key, value in {**query, **dict.fromkeys(keys, one)}.items())
    return f"Choose one by {' and '.join(f'{key}=…' for key in keys)}, as --stream {example}"


class StreamSearch:
    """Searches continuously for the streams that match a query, and chooses the one to open; never one of several.

    A source that was lost (its source id, on its host) is chosen as soon as it answers again. Any other stream must be the
    only match, and must not have been seen together with the lost one: then it is another stream, which nobody chose.

    Parameters
    ----------
    query
        LSL properties, as `parse_query` returns them.
    forget_s
        A stream that has not answered for so long is gone.
    """

    FORGET_S = 1.2  # a stream that is there answers at least twice in this time
    GRACE_S = 1.3  # grace period after a loss: until it is over, an answer may be a late one of the lost stream
    SETTLE_S = 0.7  # liblsl queries in waves: first by multicast, then each known peer
    MOST_OTHERS = 10_000  # sources that were seen beside the connected one; beyond, every other one counts as seen

    def __init__(self, query: dict[str, str], forget_s: float = FORGET_S) -> None:
        self.query = query
        self._resolver: Any = pylsl.ContinuousResolver(pred=predicate(query), forget_after=forget_s)
        self._refused: set[str] = set()
        self._other_sources: set[int] = set()  # their hashes, for a stranger may make up any number of any length
        self._own_source = ("", "", "")
        self._lost: Any = None
        self._lost_at = 0.0
        self._found_since = 0.0

    def answering(self) -> list[Any]:
        """The streams that match and have answered within `forget_s`."""
        return [s for s in self._resolver.results() if s.uid() not in self._refused and matches(s, self.query)]

    def choose(self) -> Any:
        """The stream to open now, or None. Raises StreamNotFound if several sources match."""
        now = time.monotonic()
        grace_is_over = now - self._lost_at > self.GRACE_S
        found = [s for s in self.answering() if grace_is_over or self._lost is None or s.uid() != self._lost.uid()]
        self._found_since = (self._found_since or now) if found else 0.0
        back = [s for s in found if self._lost is not None and source_of(s) == source_of(self._lost)]
        if len(back) == 1 and back[0].source_id():
            return back[0]
        waited = now - self._found_since
        if not found or waited < self.SETTLE_S:
            return None
        if len({source_of(s) for s in found}) == 1 and len(found) > 1 and waited < self.GRACE_S:
            return None  # a restarted stream; its predecessor will be forgotten
        if len(found) > 1:
            raise _ambiguity(found, self.query)
        if self.is_other_stream(found[0]):
            raise StreamNotFound(
                f"not the stream that was lost, but another one that matches too: {FoundStream.of(found[0])}"
            )
        return found[0]

    def refuse(self, stream: Any) -> None:
        """Never choose this stream again, unless its program is restarted."""
        self._refused.add(stream.uid())

    def lose(self, stream: Any) -> None:
        """`stream` was lost: its source is preferred from now on."""
        self._lost, self._lost_at, self._found_since = stream, time.monotonic(), 0.0

    def note_other_streams(self, stream: Any) -> None:
        """Remember which other sources match while `stream` is connected."""
        self._own_source = source_of(stream)
        others = {hash(source_of(s)) for s in self.answering()} - {hash(self._own_source)}
        self._other_sources |= set(islice(others, self.MOST_OTHERS - len(self._other_sources)))

    def is_other_stream(self, stream: Any) -> bool:
        """Whether it was seen together with a connected stream."""
        if len(self._other_sources) >= self.MOST_OTHERS:
            return source_of(stream) != self._own_source
        return hash(source_of(stream)) in self._other_sources

    def close(self) -> None:
        """Stop searching."""
        self._resolver = None


def find_stream(
    query: dict[str, str],
    wait_s: float | None,
    cancelled: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda text: print(f"warning: {text}", file=sys.stderr, flush=True),
) -> Any:
    """Wait for the stream that a query selects.

    Parameters
    ----------
    query
        LSL properties, as `parse_query` returns them.
    wait_s
        How long to wait; None: without limit, also through streams that cannot be taken and through several that match.
    cancelled
        Called now and then; True ends the search.
    told
        Called with why a search without limit goes on though streams were found: each reason once.

    Returns
    -------
    pylsl.StreamInfo or None
        None if it was cancelled.

    Raises
    ------
    StreamNotFound
        If no stream answers in time, or several match.
    StreamMismatch
        If it is too large for an inlet.
    """
    search, reasons = StreamSearch(query), set[str]()
    deadline = time.monotonic() + (wait_s if wait_s is not None else float("inf"))
    try:
        while not cancelled():
            try:
                if (stream := search.choose()) is not None:
                    check_sizes(stream)
                    return stream
            except (StreamNotFound, StreamMismatch) as error:
                if wait_s is not None:
                    raise
                if str(error) not in reasons:
                    reasons.add(str(error))
                    told(f"{error}; still waiting")
            if time.monotonic() > deadline:
                raise no_stream(query, wait_s)
            time.sleep(_POLL_S)
    finally:
        search.close()
    return None


def no_stream(query: dict[str, str], wait_s: float | None) -> StreamNotFound:
    """That no stream came in time."""
    return StreamNotFound(
        f"no stream with {predicate(query)} within {wait_s or 0:g} s; `rtbci streams` lists what is on the network"
    )


def identity_of(stream: Any) -> dict[str, str]:
    """LSL properties that a reconnecting stream keeps; its uid, if it has no source id."""
    if not stream.source_id():
        return {"uid": stream.uid()}
    return {key: getattr(stream, key)() for key in ("source_id", "name", "type", "hostname") if getattr(stream, key)()}
