"""Strips: the signals around an annotated event or a false alarm, with probability, truth and alarm below them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.decisions import smoothed
from rtbci.evaluation.plan import Case
from rtbci.evaluation.responses import Scored, united
from rtbci.evaluation.scoring import judged, seen
from rtbci.evaluation.tagging import Tagged
from rtbci.pipeline.live import Chain
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.recording import Recording
from rtbci.types import Chunk, Event

BEFORE_S, AFTER_S, LONGEST_S = 20.0, 20.0, 100.0
SETTLE_S = 10.0  # of the filters, before what is drawn
FOUND, MISSED, FALSE_ALARM = "found", "missed", "false alarm"
MOST_OF_A_KIND = 24
_LEFT_OUT = ("scale", "mask", "electrodes")  # a person reads microvolts

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Strip:
    """A stretch of a recording.

    Attributes
    ----------
    kind
        `FOUND`, `MISSED` or `FALSE_ALARM`.
    subject, recording, label
        Whose, which, and of what class.
    onset, stop
        Of the annotated event, or of the alarm, in seconds of the recording.
    times, signals
        (n,) and (n, n_channels), filtered, in µV.
    channels
        Of the signals.
    score_times, probability
        (n_hops,), smoothed as the decision smooths.
    threshold
        Of the decision.
    truth, alarms
        Annotated and detected events within the strip.
    """

    kind: str
    subject: str
    recording: str
    label: str
    onset: float
    stop: float
    times: npt.NDArray[np.float64]
    signals: npt.NDArray[np.float32]
    channels: tuple[str, ...]
    score_times: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]
    threshold: float
    truth: Spans
    alarms: Spans


class StripCollector:
    """Cuts strips while the recordings of an evaluation are open; of each kind at most `MOST_OF_A_KIND`.

    Parameters
    ----------
    pipeline
        Whose answers they are.

    Attributes
    ----------
    strips
        What was cut.
    left_out
        How many more there would have been, by kind.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.strips: list[Strip] = []
        self.left_out = {FOUND: 0, MISSED: 0, FALSE_ALARM: 0}
        self._pipeline = pipeline

    def __call__(self, case: Case, by_class: dict[str, Scored], result: Tagged) -> None:
        """An answer to a recording: see `evaluate`."""
        for label, one in by_class.items():
            alarms = judged(one)
            truth = united(one.truth, one.duration_s)
            for start, stop in truth:
                kind = FOUND if seen(start, stop, alarms) else MISSED
                self._add(kind, case, label, one, result, (start, stop))
            for alarm in alarms:
                if not any(seen(start, stop, [alarm]) for start, stop in truth):
                    self._add(FALSE_ALARM, case, label, one, result, (alarm.onset, alarm.onset + alarm.duration))

    def _add(self, kind: str, case: Case, label: str, one: Scored, result: Tagged, span: tuple[float, float]) -> None:
        if sum(strip.kind == kind for strip in self.strips) >= MOST_OF_A_KIND:
            self.left_out[kind] += 1
            return
        start = max(0.0, span[0] - BEFORE_S)
        stop = min(one.duration_s, max(span[0] + 1.0, min(span[1], span[0] + LONGEST_S)) + AFTER_S)
        times, signals = _signals(self._pipeline, case.recording, start, stop)
        score_times, probability = _probability(self._pipeline, result, label, start, stop)
        self.strips.append(
            Strip(
                kind=kind,
                subject=case.subject,
                recording=case.recording.path.name,
                label=label,
                onset=span[0],
                stop=span[1],
                times=times,
                signals=signals,
                channels=self._pipeline.inputs,
                score_times=score_times,
                probability=probability,
                threshold=self._pipeline.config.decision.threshold,
                truth=_within(one.truth, start, stop),
                alarms=_within(one.found, start, stop),
            )
        )


def _signals(
    pipeline: Pipeline, recording: Recording, start: float, stop: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Montage and filters of the pipeline, begun somewhat earlier."""
    first, last = recording.index_at(max(0.0, start - SETTLE_S)), recording.index_at(stop)
    first, last = max(0, first), min(recording.n_samples, max(last, first + 1))
    times = recording.times(first, last) - recording.times(0, 1)[0]
    stages = [(name, stage) for name, stage in pipeline.preprocessor(recording.info).stages if name not in _LEFT_OUT]
    chain = Chain(stages)
    chain.reset()
    seen_chunk = chain.process(Chunk(recording.read(first, last), times))
    here = seen_chunk.times >= start
    return seen_chunk.times[here], seen_chunk.data[here]


def _probability(
    pipeline: Pipeline, result: Tagged, label: str, start: float, stop: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    times, smooth = result.scores.times, smoothed(result.scores, pipeline.config, pipeline.hop_s, label)
    here = (times >= start) & (times <= stop)
    return times[here], smooth[here]


def _within(events: Iterable[Event], start: float, stop: float) -> Spans:
    spans = ((max(start, e.onset), min(stop, e.onset + e.duration)) for e in events)
    return tuple((a, b) for a, b in spans if b > a)
