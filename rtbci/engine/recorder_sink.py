"""The recording of what the engine reads and answers, written by a process of its own."""

from __future__ import annotations

import math
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from rtbci.lsl.marker_source import MarkerSource
from rtbci.lsl.source import StreamConnected
from rtbci.lsl.stream_recorder import RecordedMarkers, StreamRecorder
from rtbci.monitor.messages import RecordingState
from rtbci.provenance import kernels
from rtbci.recordings.xdf_recorder import XdfRecorder
from rtbci.stages.cues import Cue
from rtbci.text import json_text
from rtbci.types import Chunk, ClockMoved, OperatorAnnotation, SessionInfo, ThresholdChanged, Times


class RecorderSink:
    """Sink that records to XDF: the samples that the engine read, and the answers as its outlets publish them.

    Nothing here waits; see XdfRecorder for what becomes of a disk that is full, gone or slow.

    Parameters
    ----------
    folder
        Where to record to.

    Raises
    ------
    RecordingError
        If the folder does not exist, or has no room.
    """

    def __init__(self, folder: Path) -> None:
        self.recorder = XdfRecorder(folder)
        self.stream = StreamRecorder(self.recorder, with_arrivals=True)
        self._cues = RecordedMarkers(self.recorder, are_cues=True)
        self._published = "", ""
        self._probability = self._events = 0  # numbers of the streams; 0: not declared yet
        self._told: dict[str, Any] = {}
        self._is_closed = False

    @property
    def trouble(self) -> str:
        return self.recorder.trouble

    @property
    def recovered(self) -> str:
        return self.recorder.recovered

    def state(self) -> RecordingState:
        """For the views and `--json`."""
        return RecordingState(**asdict(self.recorder.state()), alarm=self.recorder.trouble)

    # -- what the engine hands over ------------------------------------------------------------------------------------

    def connected(self, found: StreamConnected) -> None:
        """A stream was opened."""
        self.stream.connected(found)

    def samples(self, rows: Any, stamps: Times, arrived: float | None, n_cues: int) -> str:
        """A chunk, before it is processed; returns what is to be told (StreamRecorder.samples)."""
        return self.stream.samples(rows, stamps, arrived, n_cues)

    def cues(self, source: MarkerSource, cues: list[Cue]) -> None:
        """Markers that were read, before the chunk with which they are processed."""
        self._cues.add(source, cues)

    # -- what the outlets publish --------------------------------------------------------------------------------------

    def published(self, probability: str, events: str) -> None:
        """The outlets were made: their descriptions as XML. They stand behind the signal in the file."""
        self._published = probability, events

    def scores(self, chunk: Chunk) -> None:
        """Hops, each with its stamp."""
        self._probability = self._probability or self.recorder.stream(self._published[0])
        self.recorder.numbers(self._probability, chunk.times, np.ascontiguousarray(chunk.data))

    def marker(self, text: str, stamp: float) -> None:
        """One JSON object."""
        if not self._events:
            self._events = self.recorder.stream(self._published[1])
            self._set_preface()
        self.recorder.texts(self._events, [stamp if math.isfinite(stamp) else 0.0], [[text]])

    # -- as a sink -----------------------------------------------------------------------------------------------------

    def begin(self, session: SessionInfo) -> None:
        self._told = {
            "speed": session.speed,
            "told": dict(session.told),
            "kernels": kernels(),
            "threshold": session.threshold,
        }
        self._set_preface()

    def begin_midway(self, found: StreamConnected, session: SessionInfo, n_received: int) -> None:
        """Begin while the engine runs, after the outlets were made: the file says that it goes on in mid-run.

        n_received: samples that the engine has read of the stream `found` and of those before.
        """
        self.connected(found)
        self.stream.n_received = n_received
        self.begin(session)
        self.marker(json_text(self._continued), pylsl.local_clock())
        self._set_preface()

    def close_apart(self) -> threading.Thread:
        """End the file in a thread, which is returned; the live one waits for nothing."""
        self.ask_to_close()
        closing = threading.Thread(target=self.close, name="ends the recording", daemon=True)
        closing.start()
        return closing

    def on(self, message: object) -> None:
        """A replay has another speed, or a person an annotation: its text is kept, whether it is published or not."""
        match message:
            case ClockMoved(speed=speed):
                self._told["speed"] = speed
                self._set_preface()
            case ThresholdChanged(threshold=threshold):
                self._told["threshold"] = threshold
                self._set_preface()
            case OperatorAnnotation(label=label, onset=onset, duration=duration, stamp=stamp) if self._events:
                mark = {"label": label, "state": "annotation", "onset_s": onset, "duration_s": duration}
                self.marker(json_text(mark), stamp)

    def tend(self) -> None:
        """Read the annotations, and see what has become of the recording."""
        self.stream.tend()
        self.recorder.tend()

    def ask_to_close(self) -> None:
        """Begin to end the file, without waiting."""
        self.recorder.ask_to_close()

    def close(self) -> None:
        """End the file, for at most CLOSE_TIMEOUT_S. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.stream.tend()
        self.stream.close()
        self.recorder.close()

    def _set_preface(self) -> None:
        """The mark with which a file begins that continues another one (rtbci/recordings/engine_marks.py)."""
        if self._events:
            self.recorder.preface = self._events, self._continued

    @property
    def _continued(self) -> dict[str, Any]:
        return {"label": "rtbci", "state": "continued", **self._told}
