"""Cues over LSL: a marker stream beside the signal's, its stamps on the same local clock."""

from __future__ import annotations

from typing import Any

import pylsl

from rtbci.cues import Cue
from rtbci.sources.lsl import one_of, predicate


class MarkerSource:
    """The markers of one stream that a query finds, whenever it comes; when it is lost, it is looked for again."""

    def __init__(self, query: dict[str, str]) -> None:
        self.query = query
        self._resolver: Any = pylsl.ContinuousResolver(pred=predicate(query), forget_after=1.5)
        self._inlet: Any = None

    @property
    def connected(self) -> bool:
        return self._inlet is not None

    def read(self) -> list[Cue]:
        """What came since; never waits for markers. Raises StreamNotFound where several sources answer."""
        if self._inlet is None and not self._open():
            return []
        try:
            samples, stamps = self._inlet.pull_chunk(timeout=0.0)
        except pylsl.util.LostError:
            self._inlet = None
            return []
        return [Cue(float(stamp), str(sample[0])) for sample, stamp in zip(samples, stamps, strict=True)]

    def _open(self) -> bool:
        found = self._resolver.results() if self._resolver is not None else []
        if not found:
            return False
        stream = found[0] if len(found) == 1 else one_of(found, self.query)
        inlet = pylsl.StreamInlet(stream, recover=False, processing_flags=pylsl.proc_clocksync)
        try:
            inlet.open_stream(timeout=2)
        except (pylsl.util.TimeoutError, pylsl.util.LostError):
            return False
        self._inlet = inlet
        return True

    def close(self) -> None:
        """Let go of the stream and stop looking for others."""
        if self._inlet is not None:
            self._inlet.close_stream()
        self._inlet, self._resolver = None, None
