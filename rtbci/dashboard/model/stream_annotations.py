"""What a recording says itself while it is replayed: the annotations of its file, and their markers, as marks of the plots."""

from __future__ import annotations

import math
import time
from typing import Protocol
from xml.etree import ElementTree

from rtbci.dashboard.model import time_marks as kinds
from rtbci.dashboard.model.display_clock import SessionClocks
from rtbci.dashboard.model.time_marks import TimeMark, TimeMarks
from rtbci.lsl.marker_source import MarkerSource
from rtbci.lsl.replay_protocol import annotations_query
from rtbci.monitor.messages import StreamState
from rtbci.stages.cues import Cue
from rtbci.text import one_line

LOOK_EVERY_S = 0.2
SOUGHT_S = 20.0  # a replay opens its markers with its samples; one that shares none has none
MOST = 1000  # annotations of a file


class Markers(Protocol):
    """A marker stream (rtbci.lsl.marker_source.MarkerSource)."""

    connected: bool

    def read(self) -> list[Cue]: ...

    def description(self) -> str | None: ...

    def close(self) -> None: ...


class StreamAnnotations:
    """Reads the marker stream of a replay, which never waits: its description has all annotations of the file, with durations.

    Where it has none, as of several files in a row, each marker is a point in time as it comes.
    """

    def __init__(self, marks: TimeMarks) -> None:
        self._marks = marks
        self._source: Markers | None = None
        self._of = ""  # source id of the stream whose annotations are read
        self._is_described = False  # the description was read
        self._seek_until = 0.0
        self._due = 0.0

    def watch(self, stream: StreamState | None) -> None:
        """Read those of this stream, if it is a replay."""
        if stream is None or stream.source_id == self._of:
            return
        self.close()
        self._of = stream.source_id
        query = annotations_query(stream.name, stream.source_id)
        if query is not None:
            self.read_from(MarkerSource(query, expected=False))

    def read_from(self, source: Markers) -> None:
        self._source, self._is_described = source, False
        self._seek_until = time.monotonic() + SOUGHT_S

    def advance(self, clocks: SessionClocks) -> None:
        """Take what came; a few times a second."""
        source, now = self._source, time.monotonic()
        if source is None or now < self._due:
            return
        self._due = now + LOOK_EVERY_S
        cues, found = source.read(), []
        if source.connected and not self._is_described and (xml := source.description()) is not None:
            self._is_described, found = True, annotations_of(xml)
        for mark in found:
            self._marks.add(mark)
        if found or (not source.connected and now > self._seek_until):
            self._end()
            return
        for cue in cues:
            if (x := clocks.x(cue.time)) is not None:
                self._marks.add(TimeMark(x, x, kinds.RECORDED, one_line(cue.text)))

    def close(self) -> None:
        """Read nothing more."""
        self._end()
        self._of = ""

    def _end(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None


def annotations_of(xml: str) -> list[TimeMark]:
    """The annotations in the description of a replay's marker stream, in seconds of its recording; [] for what is none."""
    try:
        found = ElementTree.fromstring(xml).findall("desc/annotations/annotation")[:MOST]
    except ElementTree.ParseError:
        return []
    marks = []
    for one in found:
        onset, duration = _number(one.findtext("onset")), _number(one.findtext("duration"))
        if math.isfinite(onset) and duration >= 0:
            marks.append(TimeMark(onset, onset + duration, kinds.RECORDED, one_line(one.findtext("label") or "")))
    return marks


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if abs(value) < 1e9 else math.nan
