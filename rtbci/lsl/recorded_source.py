"""A stream that is recorded without an engine: the one that a query selects, numbers or texts, and its reconnections."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pylsl

from rtbci.errors import StreamMismatch, StreamNotFound
from rtbci.lsl.border import RawSamples
from rtbci.lsl.replay_link import ReplayMoved
from rtbci.lsl.source import (
    HostClockJumped,
    LslSource,
    SourceItem,
    StreamConnected,
    StreamLost,
    StreamRefused,
)
from rtbci.lsl.stream_recorder import MarkerRecorder, StreamRecorder
from rtbci.recordings.description import Description
from rtbci.recordings.xdf_recorder import XdfRecorder


class RecordedSource:
    """Reads a stream and hands it to a recorder.

    Parameters
    ----------
    recorder
        Where to.
    query
        LSL properties, as `parse_query` returns them.
    patient
        Wait through streams that cannot be read and through several that match, before the first connection, too.
    """

    def __init__(self, recorder: XdfRecorder, query: dict[str, str], *, patient: bool = False) -> None:
        self.query = query
        self.name = ""
        self._recorder = recorder
        self._source = LslSource(query, self._accept, patient=patient)
        self._patient = patient
        self._stream = StreamRecorder(recorder, with_arrivals=False)
        self._texts: MarkerRecorder | None = None  # of a stream of texts
        self._speed = 1.0
        self._was_connected = self._is_told = False  # whether it was connected, and when that was last told

    @property
    def connected(self) -> bool:
        """Whether the stream is read at present."""
        return self._texts.source.connected if self._texts is not None else self._source.connected

    @property
    def connected_once(self) -> bool:
        """Whether it was ever read."""
        return self._was_connected or self.connected

    def read(self, timeout_s: float) -> list[str]:
        """Record what has come; returns what is to be told, a line each.

        Raises
        ------
        StreamNotFound, StreamMismatch
            If several streams match or one cannot be read, before the first connection only, and where not patient.
        """
        if self._texts is None and not self.name and self._is_of_texts():
            self._texts = MarkerRecorder(self._recorder, self.query)
        if self._texts is not None:
            self._texts.tend()
            return [*filter(None, [self._texts.news()]), *self._presence()]
        self._stream.tend()
        return [line for item in self._source.read(timeout_s) for line in self._take(item)] + self._presence()

    def close(self) -> None:
        """Disconnect."""
        self._source.close()
        self._stream.close()
        if self._texts is not None:
            self._texts.close()

    def _is_of_texts(self) -> bool:
        with suppress(StreamNotFound):  # told by the source
            stream = self._source.search.choose()
            if stream is not None:
                return self._begins_with(stream)
        return False

    def _begins_with(self, stream: Any) -> bool:
        self.name = stream.name()
        if stream.channel_format() != pylsl.cf_string:
            return False
        self._recorder.name_files(self.name)
        return True

    def _accept(self, described: Description) -> None:
        self._source.waits_for = partial(self._stream.waits, described)

    def _take(self, item: SourceItem) -> list[str]:
        match item:
            case RawSamples(rows=rows, stamps=stamps):
                told = self._stream.samples(rows, stamps, self._source.pulled_at if self._speed else None)
                return [told] if told else []
            case StreamConnected():
                self._speed = item.speed
                self._stream.connected(item)
                if not item.clock.known:
                    return [f"the clock of {item.hostname} does not answer; time stamps are set by arrival"]
            case ReplayMoved(position=position):
                self._speed = position.speed
            case StreamRefused(reason=reason):
                if not self.connected_once and not self._patient:
                    raise StreamMismatch(reason)
                return [reason]
            case HostClockJumped(by_s=by_s):
                return [f"the clock of its host was set by {by_s:.3f} s"]
            case StreamLost():
                pass  # told by its absence
        return []

    def _presence(self) -> list[str]:
        was, self._was_connected = self._was_connected, self.connected_once
        if not was or self.connected == self._is_told:
            self._is_told = self.connected
            return []
        self._is_told = self.connected
        if self.connected:
            return [f"{self.name} answers again"]
        return [f"{self.name} does not answer any more; the recording continues when it reconnects"]
