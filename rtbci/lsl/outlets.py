"""Sink: LSL outlets of the answers: one channel per class, one stamp per hop; and a Markers stream of events."""

from __future__ import annotations

import hashlib
import math
import os
import socket
import time
from dataclasses import dataclass
from typing import Any, Protocol

import pylsl

from rtbci.lsl.inlet import xml_of
from rtbci.lsl.private import NumberedLock
from rtbci.provenance import kernels
from rtbci.stages.cues import CueAnswer
from rtbci.text import json_text, one_line
from rtbci.types import (
    AlertChanged,
    Chunk,
    ClockMoved,
    Detection,
    Gap,
    OperatorAnnotation,
    Scores,
    SessionInfo,
    Signals,
    SpanBegan,
    SpanEnded,
    StalenessChanged,
    ThresholdChanged,
)

GRACE_S = 0.2  # a closed outlet drops what it has not sent yet
WITHHELD = "note"  # instead of the text of an operator annotation
_LONGEST = 200  # characters of a stream's name in ours


class PublishedCopy(Protocol):
    """What gets a copy of all that is published."""

    def published(self, probability: str, events: str) -> None:
        """The outlets were made: their descriptions as XML."""

    def scores(self, chunk: Chunk) -> None:
        """Hops, each with its stamp."""

    def marker(self, text: str, stamp: float) -> None:
        """One JSON object."""


class Outlets:
    """The outlets `<stream>-<pipeline>-probability` and `<stream>-<pipeline>-events`; their descriptions name both.

    They are created for the first stream, and kept while it is lost. A consumer's inlet recovers a lost stream by its
    source id, so that the ids are those of before when this engine is started again, and those of no other engine: a second
    one of this pipeline on this stream has `-2` in its names. Markers are JSON: decisions, answers to cues, operator
    annotations, and marks of what the engine read, for readers of a recording of both streams
    (rtbci/recordings/engine_marks.py): "begin" at the first sample (speed: recorded seconds per second of the stamps;
    told: what a person said of the stream, StreamOverrides; kernels: what computes the answers, rtbci/provenance.py;
    begins_s: second of the recording, null where the gap before it says; threshold of the decision),
    "threshold" where a person changed it,
    "gap" (start, end: stamps of the samples around it), "move" (until: stamp at which a replay was paused; speed: from
    `stamp` on; resumed: it was a replay, false where the stream's clock was set), "reconnected" where the same stream
    came back, "end" at the last sample. `received` of each is how many samples the engine had read before. Changes of
    alarms are "alert" (docs/alarms.md).

    Parameters
    ----------
    recording
        Gets all that is published, too, but operator annotations, whose texts may be withheld here.
    share_annotations
        Whether the texts of operator annotations are published: people write names into them, and the whole network reads.
    """

    trouble = recovered = ""

    def __init__(self, recording: PublishedCopy | None = None, *, share_annotations: bool = False) -> None:
        self._recording = recording
        self._share_annotations = share_annotations
        self._n_received = 0
        self._begins_s: float | None = 0.0
        self._probability: pylsl.StreamOutlet | None = None
        self._events: pylsl.StreamOutlet | None = None
        self._classes: tuple[str, ...] = ()
        self._told: dict[str, Any] = {}
        self._number: NumberedLock | None = None
        self._notices: list[str] = []
        self._kernels = ""
        self._threshold: float | None = None

    @property
    def number(self) -> int:
        """Of this engine, among those of this user that run for the same stream and pipeline."""
        return self._number.number if self._number is not None else 1

    @property
    def source_ids(self) -> list[str]:
        """Source ids of both outlets; empty before the first stream."""
        return [outlet.get_info().source_id() for outlet in (self._probability, self._events) if outlet is not None]

    def begin(self, session: SessionInfo) -> None:
        """Create the outlets for the first stream."""
        self._told, self._begins_s, self._kernels = dict(session.told), session.begins_s, kernels()
        self._threshold = session.threshold
        if self._probability is None:
            self._classes = session.classes
            named = self._named(session)
            self._probability = pylsl.StreamOutlet(_probability_info(session, named))
            self._events = pylsl.StreamOutlet(_info(session, named, "events", "Markers", 1, 0, "string"))
            self.copy_to(self._recording)

    def copy_to(self, recording: PublishedCopy | None) -> None:
        """From here on, what is published goes there too; None: nowhere."""
        self._recording = recording
        if recording is not None and self._probability is not None and self._events is not None:
            recording.published(xml_of(self._probability.get_info()), xml_of(self._events.get_info()))

    def take_notices(self) -> list[str]:
        """What a person should know of the outlets, once."""
        notices, self._notices = self._notices, []
        return notices

    def _named(self, session: SessionInfo) -> OutletNames:
        stream, pipeline = session.stream, session.pipeline
        about = f"{stream.source_id or stream.name}\n{pipeline}"
        self._number = NumberedLock(f"outlets-{_digest(about)}")
        number = self._number.number
        if number > 1:
            self._notices.append(
                f"{pipeline} runs on {stream.name} already: the outlets of this engine are named "
                f"{_of(stream.name)}-{pipeline}-{number}-…"
            )
        return OutletNames(
            "-".join((_of(stream.name), pipeline, *([str(number)] if number > 1 else []))),
            f"rtbci-{_of(stream.source_id or stream.name)}-{pipeline}-{_engine_id(number)}",
        )

    def on(self, message: object) -> None:
        """Publish scores and events; other messages are ignored."""
        match message:
            case Scores(chunk=chunk):
                self._scores(chunk)
            case Detection():
                self._detection(message)
            case CueAnswer():
                self._cue(message)
            case Gap() if message.n_missing:
                self._span("gap", message.end, start=message.start, end=message.end)
            case SpanBegan(stamp=stamp, speed=speed):
                about = {
                    "told": self._told,
                    "kernels": self._kernels,
                    "begins_s": self._begins_s,
                    "threshold": self._threshold,
                }
                self._span("begin", stamp, speed=speed, **about)
            case SpanEnded(stamp=stamp):
                self._span("end", stamp)
            case ClockMoved(stamp=stamp, until=until, speed=speed, resumed=resumed):
                self._span("move", stamp, until=until, speed=speed, resumed=resumed)
            case Signals(chunk=chunk):
                self._n_received += len(chunk)
            case StalenessChanged():
                about = {"age_s": round(message.age_s, 3), "seconds": round(message.seconds, 3)}
                self.marker({"label": "rtbci", "state": message.kind, **about}, message.stamp)
            case ThresholdChanged(threshold=threshold, stamp=stamp):
                self._threshold = threshold
                self.marker({"label": "rtbci", "state": "threshold", "threshold": threshold}, stamp)
            case AlertChanged():
                self._alert(message)
            case OperatorAnnotation():
                about = {"onset_s": message.onset, "duration_s": message.duration}
                label = message.label if self._share_annotations else WITHHELD
                self.marker({"label": label, "state": "annotation", **about}, message.stamp)

    def tend(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Close both outlets, after what they hold has been sent."""
        outlets = [outlet for outlet in (self._probability, self._events) if outlet is not None]
        if any(outlet.have_consumers() for outlet in outlets):
            time.sleep(GRACE_S)
        self._probability = self._events = None
        if self._number is not None:
            self._number.free()
            self._number = None

    def reconnected(self) -> None:
        """The same stream comes over a new connection."""
        self._span("reconnected", pylsl.local_clock())

    def marker(self, about: dict[str, Any], stamp: float) -> None:
        """Publish one JSON object on the Markers stream; stamp: s on the local clock."""
        if self._events is not None:
            text = json_text(about)
            self._events.push_sample([text], stamp)
            if self._recording is not None and about.get("state") != "annotation":
                self._recording.marker(text, stamp)

    def _scores(self, scores: Chunk) -> None:
        """Publish every hop with its own stamp."""
        assert self._probability is not None
        if len(scores) == 1:
            self._probability.push_sample(scores.data[0], float(scores.times[0]))
        else:
            self._probability.push_chunk(scores.data, scores.times.tolist())
        if self._recording is not None:
            self._recording.scores(scores)

    def _detection(self, found: Detection) -> None:
        """Times are seconds of the recording; the stamp is that of the decision."""
        event = found.event
        about = {
            "label": event.label,
            "state": "closed" if found.closed else "confirmed",
            "onset_s": event.onset,
            "duration_s": event.duration,
            "confidence": round(event.confidence, 6),
        }
        self.marker(about, found.stamp)

    def _alert(self, changed: AlertChanged) -> None:
        """As annotations, names of people stay here unless they are shared."""
        about = {
            "label": changed.label,
            "state": "alert",
            "condition": changed.condition,
            "change": changed.change,
            "presence": changed.presence,
            "priority": changed.priority,
            "level": changed.level,
            "time_s": changed.time,
            "wall": changed.wall,
        }
        self.marker(about | ({"by": changed.by} if changed.by and self._share_annotations else {}), changed.stamp)

    def _cue(self, answer: CueAnswer) -> None:
        """What the window behind a cue gave."""
        about: dict[str, Any] = {"cue": answer.cue.text, "cue_stamp": answer.cue.time, "valid": answer.valid}
        if answer.probabilities:
            about["probabilities"] = dict(zip(self._classes, answer.probabilities, strict=True))
        self.marker(about, answer.time if math.isfinite(answer.time) else answer.cue.time)

    def _span(self, state: str, stamp: float, **about: Any) -> None:
        mark = {"label": "rtbci", "state": state, "stamp": stamp, "received": self._n_received, **about}
        self.marker(mark, stamp)


@dataclass(frozen=True, slots=True)
class OutletNames:
    """How the names and the source ids of an engine's outlets begin."""

    name: str
    source_id: str


def _of(text: str) -> str:
    """A stream's own text in a name of ours, without quotes, which liblsl does not escape when it recovers a stream."""
    return one_line(text)[:_LONGEST].replace("'", "_").replace('"', "_")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _engine_id(number: int) -> str:
    """Of the engines that this user runs on this machine for one stream and pipeline, the one of a number."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    return _digest(f"{socket.gethostname()}\n{user}\n{number}")[:8]


def _probability_info(session: SessionInfo, named: OutletNames) -> pylsl.StreamInfo:
    about = _info(session, named, "probability", "Probability", len(session.classes), 1 / session.hop_s, "float32")
    channels = about.desc().append_child("channels")
    for name in session.classes:
        channel = channels.append_child("channel")
        for key, value in (("label", name), ("unit", "probability"), ("type", "Probability")):
            channel.append_child_value(key, value)
    return about


def _info(
    session: SessionInfo, named: OutletNames, what: str, kind: str, n_channels: int, rate_hz: float, values: str
) -> pylsl.StreamInfo:
    stream, source_id = session.stream, f"{named.source_id}-{what}"
    about = pylsl.StreamInfo(f"{named.name}-{what}", kind, n_channels, rate_hz, values, source_id)
    desc = about.desc()
    desc.append_child_value("manufacturer", "rtbci")
    desc.append_child_value("pipeline", session.pipeline)
    desc.append_child_value("input", stream.name)
    desc.append_child_value("input_source_id", stream.source_id)
    return about
