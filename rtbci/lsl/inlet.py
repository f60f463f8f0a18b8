"""One life of one LSL stream: an inlet that never waits for the network."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pylsl
from pylsl.util import TimeoutError as NotYet

from rtbci.errors import StreamMismatch
from rtbci.lsl.clock import HostClock
from rtbci.lsl.discovery import check_sizes, read_description
from rtbci.types import StreamInfo, Times

_DTYPES = {
    pylsl.cf_float32: np.float32,
    pylsl.cf_double64: np.float64,
    pylsl.cf_int8: np.int8,
    pylsl.cf_int16: np.int16,
    pylsl.cf_int32: np.int32,
    pylsl.cf_int64: np.int64,
}


class Inlet:
    """Opened step by step: `description`, then `is_open`, each asked again and again; then samples in stream units.

    liblsl works in threads of its own; asked with no timeout, it says at once how far they are. What it would wait for
    (a host that is gone, a clock that does not answer) would stop the engine. A pull before `is_open` never returns.
    Each method raises pylsl's LostError once the connection is closed.
    """

    BUFFER_S = 360
    BUFFER_SAMPLES = 10_000_000  # at the most: liblsl sets 16 bytes aside for each
    REST_S = 0.0003  # how long the rest of a chunk may take
    CLOCK_S = 1.5  # how long the sender's clock may take to answer, before its samples are taken without

    def __init__(self, stream: Any, max_samples: int, clock: HostClock | None = None) -> None:
        """clock: what another inlet knows of the same host's. Raises StreamMismatch for what is no signal."""
        if stream.channel_format() not in _DTYPES:
            raise StreamMismatch(f"stream {stream.name()!r} carries text, not numbers")
        check_sizes(stream)
        self.stream = stream
        self.began = time.monotonic()
        buffer_s = min(self.BUFFER_S, max(1, self.BUFFER_SAMPLES // max(1, round(stream.nominal_srate()))))
        self._lsl = pylsl.StreamInlet(stream, max_buflen=buffer_s, recover=False)
        self.clock = HostClock(clock)
        self._space = np.empty((max_samples, stream.channel_count()), _DTYPES[stream.channel_format()])
        self._usual_n = 1  # samples that came at once, last time
        self._connected_at: float | None = None
        self._first_sample_at: float | None = None

    @property
    def uid(self) -> str:
        return str(self.stream.uid())

    def description(self) -> tuple[StreamInfo, float, bool] | None:
        """(info, speed, is a replay), once the sender has told it."""
        self.clock.update(self._lsl)
        try:
            described = read_description(self._lsl, 0.0)
        except NotYet:
            return None
        n_described, n_announced = len(described[0].channels), self.stream.channel_count()
        if n_described != n_announced:
            raise StreamMismatch(
                f"stream {self.stream.name()!r} answers with {n_announced} channels, but describes {n_described}"
            )
        return described

    def replay_position(self) -> str:
        """Of a replay that can be moved: the source id of the outlet that tells where it is; else "". After `description`."""
        info = self._lsl.info(timeout=0.0)  # its nodes live no longer than it does
        return str(info.desc().child("replay").child_value("position"))

    def is_open(self) -> bool:
        """Whether samples flow and their clock is known, or known not to answer."""
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
        """Samples that had come when the connection was closed; a mark of the end waits behind them."""
        return max(0, int(self._lsl.samples_available()) - 1)

    def waiting_s(self) -> float:
        """How long samples are known to have waited for the first pull."""
        if self._first_sample_at is None and self._lsl.samples_available():
            self._first_sample_at = time.monotonic()
        return time.monotonic() - self._first_sample_at if self._first_sample_at is not None else 0.0

    def pull(self, timeout_s: float) -> tuple[Any, Times]:
        """(data, stamps on the local clock): what is there, and the rest of a sender's chunk whose start woke us."""
        stamps = self._pull_into(self._space, timeout_s, 1)
        lacking = min(self._usual_n, len(self._space)) - len(stamps)
        if len(stamps) and lacking > 0:
            stamps = np.concatenate([stamps, self._pull_into(self._space[len(stamps) :], self.REST_S, lacking)])
        self._usual_n = len(stamps) or self._usual_n
        self.clock.update(self._lsl)
        if len(stamps) and not self.clock.known:
            self.clock.assume(pylsl.local_clock() - float(stamps[-1]))
        return self._space[: len(stamps)], stamps + self.clock.offset_s

    def _pull_into(self, place: Any, timeout_s: float, least: int) -> Times:
        _, stamps = self._lsl.pull_chunk(
            timeout=timeout_s, max_samples=len(place), min_samples=least, dest_obj=place, as_numpy=True
        )
        taken: Times = stamps
        return taken

    def close(self) -> None:
        self._lsl.close_stream()


def pull_texts(inlet: Any, max_samples: int = 1024) -> list[tuple[str, float]]:
    """(text of the first channel, stamp) of what is there; waits for nothing. Raises pylsl's LostError.

    Bytes that are no UTF-8 are replaced; numbers are told as texts.
    """
    rows, stamps = inlet.pull_chunk(timeout=0.0, max_samples=max_samples, as_numpy=True)
    first = [row[0].decode("utf-8", "replace") if isinstance(row[0], bytes) else str(row[0]) for row in rows]
    return list(zip(first, stamps.tolist(), strict=True))
