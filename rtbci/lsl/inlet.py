"""One connection to an LSL stream; never waits for the network."""

from __future__ import annotations

import time
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pylsl
import pylsl.lib
from pylsl.util import TimeoutError as NotYet

from rtbci.errors import StreamMismatch
from rtbci.lsl.clock import HostClock
from rtbci.lsl.discovery import FORMATS, check_sizes, read_description
from rtbci.lsl.replay_protocol import ReplayAddress
from rtbci.recordings.description import Description
from rtbci.recordings.markers import MarkerReader
from rtbci.types import Times

MAX_NODES, MAX_DEPTH = 200_000, 32  # of a description that is recorded as it came
_DTYPES = {
    pylsl.cf_float32: np.float32,
    pylsl.cf_double64: np.float64,
    pylsl.cf_int8: np.int8,
    pylsl.cf_int16: np.int16,
    pylsl.cf_int32: np.int32,
    pylsl.cf_int64: np.int64,
}


class Inlet:
    """An inlet that is opened step by step: poll `description`, then `is_open`; then `pull` samples in stream units.

    liblsl works in threads of its own and, called with a timeout of 0, returns at once; with any other timeout a host that
    is gone, or a clock that does not answer, would block the engine. A pull before `is_open` never returns. Each method
    raises pylsl's LostError once the connection is closed.

    Parameters
    ----------
    stream
        A pylsl.StreamInfo.
    max_samples
        Most samples of one pull.
    clock
        What another inlet knows of the same host's clock.

    Raises
    ------
    StreamMismatch
        If the stream carries text, or is too large.
    """

    BUFFER_S = 360
    BUFFER_SAMPLES = 10_000_000  # at most: liblsl allocates 16 bytes for each
    REST_S = 0.0003  # timeout for the rest of a chunk
    CLOCK_S = 1.5  # timeout of the first clock measurement; then samples are read without one

    def __init__(self, stream: Any, max_samples: int, clock: HostClock | None = None) -> None:
        if stream.channel_format() not in _DTYPES:
            raise StreamMismatch(f"stream {stream.name()!r} carries text, not numbers")
        check_sizes(stream)
        self.stream = stream
        self.began = time.monotonic()
        buffer_s = min(self.BUFFER_S, max(1, self.BUFFER_SAMPLES // max(1, round(stream.nominal_srate()))))
        self._lsl = pylsl.StreamInlet(stream, max_buflen=buffer_s, recover=False)
        self.clock = HostClock(clock)
        self._space = np.empty((max_samples, stream.channel_count()), _DTYPES[stream.channel_format()])
        self._usual_n = 1  # samples of the last chunk
        self._connected_at: float | None = None
        self._first_sample_at: float | None = None

    @property
    def uid(self) -> str:
        """Unique id of the stream; a restarted program has another one."""
        return str(self.stream.uid())

    def description(self) -> tuple[Description, float, bool] | None:
        """What `read_description` returns, once the sender has answered; before that None."""
        self.clock.update(self._lsl)
        try:
            described = read_description(self._lsl, 0.0)
        except NotYet:
            return None
        n_described, n_announced = described[0].n_channels, self.stream.channel_count()
        if n_described != n_announced:
            raise StreamMismatch(
                f"stream {self.stream.name()!r} answers with {n_announced} channels, but describes {n_described}"
            )
        return described

    def replay_address(self) -> ReplayAddress | None:
        """By which a replay is reported on and commanded; None for other streams. After `description`."""
        info = self._lsl.info(timeout=0.0)  # its nodes are valid as long as it exists
        about = info.desc().child("replay")
        return ReplayAddress.read(*(str(about.child_value(key)) for key in ("position", "session", "key")))

    def xml(self) -> str:
        """The whole description as the sender wrote it. After `description`."""
        return xml_of(self._lsl.info(timeout=0.0))

    def is_open(self) -> bool:
        """Whether samples can be pulled: connected, and the host's clock was measured or has timed out."""
        if self._connected_at is None:
            try:
                self._lsl.open_stream(timeout=0.0)
            except NotYet:
                return False
            self._connected_at = time.monotonic()
        self.clock.update(self._lsl)
        return self.clock.known or time.monotonic() - self._connected_at > self.CLOCK_S

    @property
    def n_unread(self) -> int:
        """Samples that had arrived when the connection was closed; liblsl queues one more as an end marker."""
        return max(0, int(self._lsl.samples_available()) - 1)

    def waiting_s(self) -> float:
        """For how long samples have been seen waiting for the first pull."""
        if self._first_sample_at is None and self._lsl.samples_available():
            self._first_sample_at = time.monotonic()
        return time.monotonic() - self._first_sample_at if self._first_sample_at is not None else 0.0

    def pull(self, timeout_s: float) -> tuple[Any, Times]:
        """Read what has arrived, and the rest of a chunk whose first samples have.

        Parameters
        ----------
        timeout_s
            How long to wait for the first sample.

        Returns
        -------
        data : ndarray, (n_samples, n_channels)
            In stream units; overwritten by the next pull.
        stamps : ndarray, (n_samples,)
            On the local clock, s.
        """
        stamps = self._pull_into(self._space, timeout_s, 1)
        lacking = min(self._usual_n, len(self._space)) - len(stamps)
        if len(stamps) and lacking > 0:
            stamps = np.concatenate([stamps, self._pull_into(self._space[len(stamps) :], self.REST_S, lacking)])
        self._usual_n = len(stamps) or self._usual_n
        self.clock.update(self._lsl)
        if len(stamps) and not self.clock.known:
            self.clock.assume(pylsl.local_clock() - float(stamps[-1]))
        return self._space[: len(stamps)], self.clock.on_local_clock(stamps)

    def _pull_into(self, place: Any, timeout_s: float, least: int) -> Times:
        _, stamps = self._lsl.pull_chunk(
            timeout=timeout_s, max_samples=len(place), min_samples=least, dest_obj=place, as_numpy=True
        )
        taken: Times = stamps
        return taken

    def close(self) -> None:
        """Disconnect."""
        self._lsl.close_stream()


def xml_of(info: Any) -> str:
    """A pylsl.StreamInfo as XML, without its free part where that is too deep or too long to be a description.

    liblsl indents: a stranger's elements in elements would take gigabytes. Invalid UTF-8 is replaced, which pylsl does not.
    """
    if _is_moderate(info.desc()):
        xml: bytes = pylsl.lib.lib.lsl_get_xml(info.obj)
        return xml.decode("utf-8", "replace")
    about = ElementTree.Element("info")
    fields = {
        "name": info.name(), "type": info.type(), "channel_count": info.channel_count(),
        "channel_format": FORMATS.get(info.channel_format(), "undefined"), "source_id": info.source_id(),
        "nominal_srate": info.nominal_srate(), "uid": info.uid(), "hostname": info.hostname(),
    }  # fmt: skip
    for name, value in fields.items():
        ElementTree.SubElement(about, name).text = str(value)
    ElementTree.SubElement(about, "desc")
    return ElementTree.tostring(about, "unicode")


def _is_moderate(element: Any) -> bool:
    """Whether an element has at most MAX_NODES nodes below it, none of them deeper than MAX_DEPTH."""
    below, n_nodes = [element.first_child()], 0
    while below:
        node = below.pop()
        if node.empty():
            continue
        n_nodes += 1
        if n_nodes > MAX_NODES or len(below) > MAX_DEPTH:
            return False
        below += [node.next_sibling(), node.first_child()]
    return True


def pull_texts(inlet: Any, max_samples: int = 1024) -> list[tuple[str, float]]:
    """Read what has arrived on an inlet of texts; never waits.

    Returns
    -------
    list of (str, float)
        Text of the first channel and time stamp. Invalid UTF-8 is replaced, numbers are converted to text.

    Raises
    ------
    pylsl.util.LostError
        Once the connection is closed.
    """
    rows, stamps = inlet.pull_chunk(timeout=0.0, max_samples=max_samples, as_numpy=True)
    first = [row[0].decode("utf-8", "replace") if isinstance(row[0], bytes) else str(row[0]) for row in rows]
    return list(zip(first, stamps.tolist(), strict=True))


def pull_markers(inlet: Any, reader: MarkerReader, max_samples: int = 256) -> list[tuple[float, str]]:
    """Read the markers that have arrived, of a stream of any format; never waits.

    Returns
    -------
    list of (float, str)
        Stamp and text. Invalid UTF-8 is replaced.

    Raises
    ------
    pylsl.util.LostError
        Once the connection is closed.
    """
    rows, stamps = inlet.pull_chunk(timeout=0.0, max_samples=max_samples, as_numpy=True)
    return list(reader.read(rows, stamps.tolist()))
