"""LSL outlets of the answer: one channel a class, stamped hop by hop; and a Markers stream of events."""

from __future__ import annotations

import time
from typing import Any

import pylsl

from rtbci.stages.decision import Detection
from rtbci.text import json_text
from rtbci.types import Chunk, StreamInfo

GRACE_S = 0.2  # an outlet that goes away takes along what it has not yet sent


class Outlets:
    """`<stream>-probability` and `<stream>-events`, which carry the pipeline's name and classes in their description."""

    def __init__(self, stream: StreamInfo, pipeline: str, classes: tuple[str, ...], rate_hz: float) -> None:
        about = pylsl.StreamInfo(
            f"{stream.name}-probability", "Probability", len(classes), rate_hz, "float32",
            f"rtbci-{stream.source_id or stream.name}-{pipeline}-probability",
        )  # fmt: skip
        channels = about.desc().append_child("channels")
        for name in classes:
            channel = channels.append_child("channel")
            for key, value in (("label", name), ("unit", "probability"), ("type", "Probability")):
                channel.append_child_value(key, value)
        _sign(about, stream, pipeline)
        self._probability = pylsl.StreamOutlet(about)
        about = pylsl.StreamInfo(
            f"{stream.name}-events", "Markers", 1, 0, "string",
            f"rtbci-{stream.source_id or stream.name}-{pipeline}-events",
        )  # fmt: skip
        _sign(about, stream, pipeline)
        self._events = pylsl.StreamOutlet(about)

    @property
    def source_ids(self) -> list[str]:
        """By which a recorder finds both."""
        return [outlet.get_info().source_id() for outlet in (self._probability, self._events)]

    def span(self, state: str, stamp: float, **about: float) -> None:
        """What of the stream the engine saw, for those who read a recording of both (rtbci/recordings/engine_marks.py):

        "begin" with its first sample (speed: seconds of the recording a second of its stamps), "gap" (start, end: stamps of
        the samples around it), "move" (until: where the stamps' clock was when a replay came to stand; speed: from `stamp`
        on), "end" with its last.
        """
        self.marker({"label": "rtbci", "state": state, "stamp": stamp, **about}, stamp)

    def scores(self, scores: Chunk) -> None:
        """Publish every hop with its own stamp."""
        if len(scores) == 1:
            self._probability.push_sample(scores.data[0], float(scores.times[0]))
        elif len(scores):
            self._probability.push_chunk(scores.data, scores.times.tolist())

    def detection(self, found: Detection, stamp: float) -> None:
        """One JSON line: what, when (seconds of the recording), how sure; stamped when it was decided."""
        event = found.event
        about = {
            "label": event.label,
            "state": "closed" if found.closed else "confirmed",
            "onset_s": event.onset,
            "duration_s": event.duration,
            "confidence": round(event.confidence, 6),
        }
        self.marker(about, stamp)

    def close(self) -> None:
        """Take both off the network, once their last words are on the way."""
        if self._probability.have_consumers() or self._events.have_consumers():
            time.sleep(GRACE_S)
        del self._probability, self._events

    def marker(self, about: dict[str, Any], stamp: float) -> None:
        self._events.push_sample([json_text(about)], stamp)


def _sign(about: Any, stream: StreamInfo, pipeline: str) -> None:
    desc = about.desc()
    desc.append_child_value("manufacturer", "rtbci")
    desc.append_child_value("pipeline", pipeline)
    desc.append_child_value("input", stream.name)
    desc.append_child_value("input_source_id", stream.source_id)
