"""One stream through one pipeline: samples in, messages out; driven by engine, offline tagging and soak test."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.trends import SessionTrends
from rtbci.stages.bad_channels import BadChannelReplacer
from rtbci.stages.channel_quality import ChannelQuality
from rtbci.stages.cues import CueAnswer
from rtbci.stages.decision import alarm_labels, watched_labels
from rtbci.stages.gap_guard import CLOCK_FORWARD, GapGuard
from rtbci.types import (
    Chunk,
    ClockMoved,
    Detection,
    Gap,
    Scores,
    Seen,
    SessionInfo,
    Signals,
    SpanBegan,
    SpanEnded,
    StreamInfo,
    Times,
    TrendRows,
)

StreamMessage: TypeAlias = (
    Signals | Seen | Scores | Detection | Gap | CueAnswer | TrendRows | SpanBegan | SpanEnded | ClockMoved
)


@dataclass(slots=True)
class Tally:
    """Count of every sample: the recording = received - extra + filled + lost."""

    received: int = 0
    extra: int = 0  # duplicates or too late, left out
    filled: int = 0
    lost: int = 0
    gaps: int = 0
    reconnects: int = 0
    invalid_hops: int = 0


def session_info(
    pipeline: Pipeline,
    info: StreamInfo,
    speed: float = 1.0,
    begins_s: float | None = None,
    told: Mapping[str, Any] | None = None,
) -> SessionInfo:
    """What a sink is given about a stream and its pipeline."""
    config = pipeline.config
    return SessionInfo(
        info, pipeline.name, pipeline.classes, watched_labels(config.decision, pipeline.classes), pipeline.inputs,
        config.sfreq, pipeline.hop_s, speed, begins_s, dict(told or {}), config.decision.threshold,
        alarm_labels(config.decision, pipeline.classes),
    )  # fmt: skip


class StreamSession:
    """Gap guard, stages, network and decision of one stream, and the count of its samples: the source of every answer.

    The messages do not depend on how the samples are cut into chunks. A method that yields messages must be iterated
    to its end.

    Parameters
    ----------
    pipeline
        The result of training.
    info
        The stream.
    device
        "cpu", "cuda", or "auto" (the faster of both, measured).
    stamped
        Whether the times of the samples are real stamps, which the gap guard turns into an unbroken grid. False: they
        are index / rate already.
    speed
        Recorded seconds per second of the stamps' clock: 1 except for a replay; 0: a replay without pacing.
    offline
        Whether a network that depends on future samples is allowed.
    begins_s
        Second of the recording at which the stream continues.
    away_since
        Last stamp of the preceding stream; the time since is a gap.
    tally
        Count to continue.
    told
        What a person said of the stream (StreamOverrides.told).
    trends
        Whether the rows of the trends are among the messages.

    Raises
    ------
    StreamMismatch
        If the stream does not fit the pipeline.
    NotCausal
        If the network depends on future samples and `offline` is False.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        info: StreamInfo,
        *,
        device: str = "cpu",
        stamped: bool = True,
        speed: float = 1.0,
        offline: bool = False,
        begins_s: float = 0.0,
        away_since: float | None = None,
        tally: Tally | None = None,
        told: Mapping[str, Any] | None = None,
        trends: bool = False,
    ) -> None:
        self.pipeline = pipeline
        self.info = info
        self.speed = speed
        self.told = dict(told or {})
        self.live = pipeline.start(info, device, offline=offline)
        self.tally = tally or Tally()
        self.next_index = round(begins_s * info.sfreq)  # samples of the recording so far: received, filled and lost
        self.away_since = away_since
        self.newest_stamp = 0.0
        self.is_begun = False
        self._guard = self._new_guard() if stamped else None
        replacer = self.live.find(BadChannelReplacer)  # has its own, where the pipeline masks bad channels
        self.quality = replacer.quality if replacer is not None else ChannelQuality(info)
        self._has_own_quality = replacer is None
        self._trends = self._new_trends() if trends else None
        # Times of the samples that a network answers at the end, if it depends on future samples.
        self._kept_times: list[Times] = []

    @property
    def about(self) -> SessionInfo:
        """What a sink is given before the messages."""
        begins_s = self.recording_s if self.away_since is None else None
        return session_info(self.pipeline, self.info, self.speed, begins_s, self.told)

    @property
    def recording_s(self) -> float:
        """Seconds of the recording so far."""
        return self.next_index / self.info.sfreq

    @property
    def received_s(self) -> float:
        """Second of the recording of the next sample that comes: those that wait for a verdict of the gap guard count."""
        n_held = self._guard.n_held if self._guard is not None else 0
        return (self.next_index + n_held) / self.info.sfreq

    @property
    def n_left_out(self) -> int:
        """Samples that came twice or too late so far, told or not."""
        return self.tally.extra + (self._guard.n_untold if self._guard is not None else 0)

    @property
    def jitter_s(self) -> float:
        """Mean jitter of the stamps, as estimated by the gap guard."""
        return self._guard.jitter_s if self._guard is not None else 0.0

    def is_like(self, info: StreamInfo, speed: float) -> bool:
        """Whether a stream may continue here, whatever its name: same rate, channels, units and speed."""
        mine, theirs = self.info, info
        return (mine.sfreq, mine.channels, mine.units, self.speed) == (
            theirs.sfreq, theirs.channels, theirs.units, speed,
        )  # fmt: skip

    def cue(self, time: float, text: str) -> str:
        """Add a marker, on the clock of the samples. Returns the cue that the pipeline takes it for; "" for none."""
        return self.live.cue(time, text)

    def samples(self, chunk: Chunk, arrived: float | None = None) -> Iterator[StreamMessage]:
        """Process new samples.

        Parameters
        ----------
        chunk
            Samples as the stream delivers them.
        arrived
            Arrival time of the newest, on the clock of the stamps, where it is known.

        Yields
        ------
        StreamMessage
            Scores, detections, gaps, answers at cues and samples, in order.
        """
        self.tally.received += len(chunk)
        if len(chunk):
            if not self.is_begun:
                yield from self._begin(float(chunk.times[0]))
            self.newest_stamp = float(chunk.times[-1])
        for part in self._guard.process(chunk, arrived) if self._guard is not None else (chunk,):
            yield from self._take(part)
        yield Signals(chunk)

    def samples_as_read(self, chunk: Chunk, stops: Sequence[int], arrived: Sequence[float]) -> Iterator[StreamMessage]:
        """As `samples` of each part of a chunk in turn, which is faster.

        Parameters
        ----------
        chunk
            Samples of several chunks.
        stops
            Where each of them ends.
        arrived
            When the newest of each came; NaN: not known.
        """
        self.tally.received += len(chunk)
        if len(chunk) and not self.is_begun:
            yield from self._begin(float(chunk.times[0]))
        together: list[Chunk] = []
        for start, stop, at in zip((0, *stops[:-1]), stops, arrived, strict=True):
            piece = chunk[start:stop]
            if len(piece):
                self.newest_stamp = float(piece.times[-1])
            known = None if math.isnan(at) else at
            for part in self._guard.process(piece, known) if self._guard is not None else (piece,):
                if isinstance(part, Chunk):
                    together.append(part)
                    continue
                yield from self._take_together(together)
                yield from self._take(part)
        yield from self._take_together(together)
        yield Signals(chunk)

    def _take_together(self, parts: list[Chunk]) -> Iterator[StreamMessage]:
        if parts:
            joined = Chunk.join(parts)
            parts.clear()
            yield from self._take(joined)

    def connected_anew(self, info: StreamInfo) -> None:
        """The same stream over a new connection: the gap is known from its first stamp."""
        self.info = info
        self.tally.reconnects += 1
        if self._guard is not None:
            self._guard.connected_anew()

    def go_on(self, until: float, stamp: float, speed: float) -> Iterator[StreamMessage]:
        """A replay paused or changed its speed: what was due at `until` is due at `stamp`. No sample is missing."""
        self.speed = speed
        if self._guard is not None:
            self._guard.go_on(until, stamp, speed or 1.0)
        if self.is_begun:
            yield ClockMoved(stamp, until, speed or 1.0, resumed=True)

    def seek(self, recorded_s: float, speed: float) -> Iterator[StreamMessage]:
        """A replay moved to another place: as if this stream had ended and another had begun."""
        yield from self._finish()
        self.speed, self.away_since = speed, None
        if self._guard is not None:
            self._guard = self._new_guard()
        self.live.reset()
        if self._trends is not None:
            self._trends.restart()
        self.next_index = round(recorded_s * self.info.sfreq)

    def close(self) -> Iterator[StreamMessage]:
        """End of the stream: close open events. A second call yields nothing."""
        yield from self._finish()
        self.live.end_cues()
        yield from self.live.answers()

    # -- from samples on the grid to messages --------------------------------------------------------------------

    def _new_guard(self) -> GapGuard:
        return GapGuard(self.pipeline.config.gaps, self.info.sfreq, self.speed or 1.0)

    def _new_trends(self) -> SessionTrends:
        classes = self.pipeline.classes
        watched = watched_labels(self.pipeline.config.decision, classes)
        return SessionTrends(self.info, tuple(map(classes.index, watched)))

    def _begin(self, stamp: float) -> Iterator[StreamMessage]:
        self.is_begun = True
        if self.away_since is not None:
            n_missing = round((stamp - self.away_since) * self.info.sfreq * (self.speed or 1.0)) - 1
            yield from self._take(Gap(self.away_since, stamp, max(0, n_missing), "the stream was away"))
        yield SpanBegan(stamp, self.speed or 1.0)

    def _finish(self) -> Iterator[StreamMessage]:
        for part in self._guard.flush() if self._guard is not None else ():
            yield from self._take(part)
        yield from self._close_open(self.newest_stamp)
        if self.is_begun:
            self.is_begun = False
            yield SpanEnded(self.newest_stamp, self.recording_s)

    def _take(self, part: Chunk | Gap) -> Iterator[StreamMessage]:
        if isinstance(part, Chunk):
            yield from self._answer(part)
            return
        self._count(part)
        yield part
        if part.cause == CLOCK_FORWARD:
            # Without it the jump would look like a loss in a recording of the stream.
            speed = self.speed or 1.0
            yield ClockMoved(part.end, part.start + 1 / (self.info.sfreq * speed), speed)
        if not part.filled:
            yield from self._noted(self._close_open(part.start))
            self.live.reset()
            if self._trends is not None:
                self._trends.reset()
            self.next_index += part.n_missing

    def _count(self, gap: Gap) -> None:
        self.tally.gaps += 1
        self.tally.extra += gap.n_extra
        if gap.filled:
            self.tally.filled += gap.n_missing
        else:
            self.tally.lost += gap.n_missing

    def _answer(self, chunk: Chunk) -> Iterator[StreamMessage]:
        """Scores are yielded first: others wait for them."""
        if not self.live.answers_at_once:
            self._kept_times.append(chunk.times)
        scores = self.live.process(chunk)
        if len(scores):
            yield from self._noted(self._decide(scores, chunk.times, self.next_index))
        yield from self.live.answers()
        rows = self._trends.process(chunk, self.next_index) if self._trends is not None else None
        if rows is not None:
            yield rows
        self.next_index += len(chunk)
        if self._has_own_quality:
            self.quality.process(chunk)
        yield Seen(self.live.seen)

    def _noted(self, answers: Iterator[StreamMessage]) -> Iterator[StreamMessage]:
        """Pass answers on that the trends are to show."""
        for message in answers:
            if self._trends is not None:
                self._trends.on(message)
            yield message

    def _decide(self, scores: Chunk, times: Times, first_index: int) -> Iterator[StreamMessage]:
        """Decide in seconds of the recording, so that a stream's events equal those of its file, to the bit."""
        at_s = (np.searchsorted(times, scores.times).astype(np.float64) + first_index) / self.info.sfreq
        self.tally.invalid_hops += int(len(scores) - np.count_nonzero(scores.valid))
        yield Scores(scores, at_s)
        for detection in self.live.decide(Chunk(scores.data, at_s, scores.valid)):
            yield replace(detection, stamp=float(scores.times[np.searchsorted(at_s, detection.time)]))

    def _close_open(self, stamp: float) -> Iterator[StreamMessage]:
        """Scores that a network held back, and open events, where samples end."""
        times = np.concatenate([np.empty(0), *self._kept_times])
        self._kept_times = []
        if len(rest := self.live.held_back()):
            yield from self._decide(rest, times, self.next_index - len(times))
        for detection in self.live.decision.flush():
            yield replace(detection, stamp=stamp)
