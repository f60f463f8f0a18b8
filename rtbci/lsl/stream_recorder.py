"""One LSL stream in a recording: its samples as it sent them, when they were read, and the annotations beside it."""

from __future__ import annotations

import time
from typing import Any
from xml.etree import ElementTree

import numpy as np

from rtbci.lsl.marker_source import MAX_PER_S, MarkerSource
from rtbci.lsl.replay_protocol import annotations_query
from rtbci.lsl.source import StreamConnected
from rtbci.recordings.description import Description
from rtbci.recordings.live_run import ARRIVAL_CHANNELS, ARRIVALS_TYPE
from rtbci.recordings.xdf_recorder import XdfRecorder
from rtbci.recordings.xdf_writer import header_of, made_header, text_header
from rtbci.stages.cues import Cue
from rtbci.types import Times

ANNOTATIONS_WAIT_S = 2.0  # for the annotations of a replay, before its first sample is read
_FORMATS = {
    np.dtype(np.float32): "float32", np.dtype(np.float64): "double64", np.dtype(np.int8): "int8",
    np.dtype(np.int16): "int16", np.dtype(np.int32): "int32", np.dtype(np.int64): "int64",
}  # fmt: skip


class StreamRecorder:
    """Hands what is read of a stream to the recorder.

    Each description has a stream of its own in the file: one that returns with other channels, units, rate or format is
    not continued under the header of before.

    Parameters
    ----------
    recorder
        Where to.
    with_arrivals
        Whether the stream `NAME-arrivals` stands beside it, one row for each chunk that was read (ARRIVAL_CHANNELS).
    """

    def __init__(self, recorder: XdfRecorder, with_arrivals: bool) -> None:
        self.recorder, self._with_arrivals = recorder, with_arrivals
        self.n_received = 0
        self._found: StreamConnected | None = None
        self._described: object = None  # what the header of the present stream says
        self._signal = self._arrivals = 0  # numbers of the streams; 0: none yet
        self._annotations: MarkerRecorder | None = None
        self._waiting_since: float | None = None

    def connected(self, found: StreamConnected) -> None:
        """A stream was opened, for the first time or again."""
        self._found = found
        self.recorder.name_files(found.described.name)
        self._look_for_annotations(found.described)
        self._waiting_since = None

    def samples(self, rows: Any, stamps: Times, arrived: float | None, n_cues: int = 0) -> str:
        """Record a chunk that was read.

        Parameters
        ----------
        rows
            (n_samples, n_channels) as the stream sent them; copied.
        stamps
            On the local clock, as they are used.
        arrived
            When the newest came, on the local clock; None: not to be used.
        n_cues
            Markers that were read since the chunk before.

        Returns
        -------
        str
            What is to be told: that it begins a stream of its own in mid-run, or that annotations are not in the file;
            else "".
        """
        notice = self._follow(rows.shape[1], _FORMATS[rows.dtype])
        if not notice and self._annotations is not None:
            notice = self._annotations.news()
        self.n_received += len(rows)
        self.recorder.numbers(self._signal, stamps, rows)
        if not self._with_arrivals:
            return notice
        row = [self.n_received, len(rows), np.nan if arrived is None else arrived, n_cues]
        at = float(stamps[-1]) if arrived is None and len(stamps) else arrived or 0.0
        self.recorder.numbers(self._arrivals, np.array([at]), np.array([row], np.float64))
        return notice

    def waits(self, described: Description, is_replay: bool) -> bool:
        """Whether the annotations of a replay are not read yet, so that its first sample must wait: at most 2 s."""
        if not is_replay:
            return False
        self._look_for_annotations(described)
        self.tend()
        now = time.monotonic()
        self._waiting_since = self._waiting_since or now
        is_ready = self._annotations is None or self._annotations.source.connected
        return not is_ready and now - self._waiting_since < ANNOTATIONS_WAIT_S

    def tend(self) -> None:
        """Read the annotations; to be called about ten times a second."""
        if self._annotations is not None:
            self._annotations.tend()

    def close(self) -> None:
        """Disconnect from the annotations."""
        if self._annotations is not None:
            self._annotations.close()

    def _look_for_annotations(self, described: Description) -> None:
        query = annotations_query(described.name, described.source_id)
        if query is None or self._annotations is None or self._annotations.query != query:
            self.close()
            self._annotations = MarkerRecorder(self.recorder, query, expected=False) if query is not None else None

    def _follow(self, n_channels: int, values: str) -> str:
        """The stream in the file that these samples belong to; a new one where their description is another."""
        assert self._found is not None
        described = _essence(self._found.xml, n_channels, values)
        if self._signal and described == self._described:
            return ""
        is_first = not self._signal
        if not is_first:
            self.recorder.end_stream(self._signal)
            self.recorder.end_stream(self._arrivals)
        self._described, said = described, self._found.described
        self._signal = self.recorder.stream(header_of(self._found.xml, n_channels, values), signal=True)
        if self._with_arrivals:
            self._arrivals = self.recorder.stream(self._arrivals_header(said))
        if is_first:
            return ""
        return (
            f"{said.name} describes itself in another way than before; it is stream {self._signal} of the recording now"
        )

    def _arrivals_header(self, said: Description) -> str:
        return made_header(
            f"{said.name}-arrivals", ARRIVALS_TYPE, ARRIVAL_CHANNELS, "double64",
            f"rtbci-{said.source_id or said.name}-arrivals",
            input=said.name, input_source_id=said.source_id, input_stream=self._signal,
        )  # fmt: skip


class MarkerRecorder:
    """Records a stream of markers that nobody else reads, as long as it is there; query and expected: as of MarkerSource."""

    def __init__(self, recorder: XdfRecorder, query: dict[str, str], *, expected: bool = True) -> None:
        self.query = query
        self.source = MarkerSource(query, expected=expected)
        self._markers = RecordedMarkers(recorder)
        self._reported = ""

    def news(self) -> str:
        """Why markers are not in the file, once; else ""."""
        before, self._reported = self._reported, self._trouble()
        return self._reported if self._reported != before else ""

    def _trouble(self) -> str:
        if self.source.trouble:
            return f"markers are not recorded: {self.source.trouble}"
        if self.source.n_left_out:
            return f"markers of {self.query.get('name', '')} are not recorded: more than {MAX_PER_S:g} a second, or no time"
        return ""

    def tend(self) -> None:
        """Read what has come. Of several streams that match none is read (`source.trouble`)."""
        self._markers.add(self.source, self.source.read())

    def close(self) -> None:
        """Disconnect."""
        self.source.close()


class RecordedMarkers:
    """The markers that a source has read, as a stream of texts. are_cues: whether an engine answers them."""

    def __init__(self, recorder: XdfRecorder, are_cues: bool = False) -> None:
        self._recorder, self._are_cues = recorder, are_cues
        self._stream = 0

    def add(self, source: MarkerSource, markers: list[Cue]) -> None:
        """Record markers; the stream is declared as soon as it is connected."""
        if not self._stream:
            described = source.description()
            if described is None and not markers:
                return
            self._stream = self._recorder.stream(text_header(described or "", self._are_cues))
        if markers:
            self._recorder.texts(self._stream, [one.time for one in markers], [[one.text] for one in markers])


def _essence(xml: str, n_channels: int, values: str) -> object:
    """What two descriptions must have in common for samples to be told apart by no one: all but names and addresses."""
    try:
        info = ElementTree.fromstring(header_of(xml, n_channels, values))
        desc = info.find("desc")
        said = ElementTree.tostring(desc) if desc is not None else b""
        return n_channels, values, float(info.findtext("nominal_srate", "")), said
    except (ElementTree.ParseError, ValueError):
        return n_channels, values, xml
