"""How good events are against an expert's: SzCORE's scoring by its own library, and the detection delay beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from rtbci.recordings.vocabulary import is_seizure as is_seizure
from rtbci.results import Result
from rtbci.types import Event

EARLY_S = 30.0  # a decision so long before an annotated onset is a response to it still: SzCORE's tolerance


@dataclass(frozen=True, slots=True)
class Scored:
    """One recording to score, for one class.

    Parameters
    ----------
    truth
        The expert's annotations of the class; those that overlap count as one.
    found
        Detected events of the class.
    decided
        When each of them was decided, seconds of the recording.
    duration_s
        Length of the recording.
    unknown
        Where nothing is known: left out of all figures.
    """

    truth: tuple[Event, ...]
    found: tuple[Event, ...]
    decided: tuple[float, ...]
    duration_s: float
    unknown: tuple[Event, ...] = ()


class Counts(Result):
    """Pooled over recordings."""

    true: int
    """Events, or samples, that the expert marked."""
    hit: int
    """Of these, detected."""
    false: int
    """Detected, and not marked."""
    seconds: float
    """Of recordings, without what is unknown."""


class Figures(Result):
    """A ratio without a denominator is null."""

    sensitivity: float | None
    """Hits to marked."""
    precision: float | None
    """Hits to detected."""
    f1: float | None
    """Harmonic mean of both."""
    false_alarms_per_24h: float | None
    """Detected, and not marked."""
    counts: Counts


class DelayPercentiles(Result):
    """Of the seizures that were detected; null where none was."""

    p50: float | None
    """Median."""
    p90: float | None
    """90th percentile."""


class Scorer(Result):
    """What scored."""

    name: str
    """Library."""
    version: str
    """Of the library."""
    parameters: dict[str, int | float]
    """As the library names them."""


class EventScores(Result):
    """SzCORE's figures, and the detection delay."""

    event: Figures
    """By event."""
    sample: Figures
    """By sample."""
    detection_delay_s: DelayPercentiles
    """From an annotated onset to the first decision on an event that overlaps it, from 30 s before the onset on; below 0:
    it came before."""
    already_alarmed: int
    """Annotated events that only an alarm overlaps that was decided more than 30 s before the onset; no delay is theirs."""


class SzcoreScores(EventScores):
    """SzCORE's figures, the detection delay, and what scored."""

    scorer: Scorer


def score(recordings: Iterable[Scored], n_classes: int = 1) -> SzcoreScores:
    """Sensitivity, precision, F1 and false alarms per 24 h, by event and by sample, and the detection delay.

    Parameters
    ----------
    recordings
        Expert annotations and detections of each; counts are pooled over them.
    n_classes
        How often each recording is among them: once for each class that is pooled.

    Returns
    -------
    SzcoreScores
        A ratio without a denominator is None. For the delay see `detection_delays`.

    References
    ----------
    J. Dan et al., SzCORE, Epilepsia 2024.
    """
    from timescoring import scoring

    event, sample = _Pool(), _Pool()
    delays: list[float] = []
    n_already = 0
    for recording in recordings:
        truth, found = _annotation(recording.truth, recording), _annotation(_judged(recording), recording)
        known_s = recording.duration_s - _length_s(united(recording.unknown, recording.duration_s))
        event.add(scoring.EventScoring(truth, found), known_s / n_classes)
        sample.add(scoring.SampleScoring(truth, found), known_s / n_classes)
        responses = detection_responses(recording)
        delays += [r.delay_s for r in responses if r.delay_s is not None]
        n_already += sum(r.already_alarmed for r in responses)
    return SzcoreScores(
        event=event.figures(),
        sample=sample.figures(),
        detection_delay_s=percentiles(delays),
        already_alarmed=n_already,
        scorer=scorer(),
    )


@dataclass(frozen=True, slots=True)
class Response:
    """To one annotated event: the delay of its detection in seconds, None where it has none; else whether an alarm was on
    already; and the detected event, None where nothing was detected."""

    onset: float
    stop: float
    delay_s: float | None
    already_alarmed: bool = False
    found: Event | None = None


def detection_responses(recording: Scored) -> list[Response]:
    """The response to each annotated event, by onset: the one rule for delays of every report.

    The delay counts from the annotated onset to the decision, which is the moment when an event is confirmed. Of the
    events that overlap the annotated one, the first decision counts that came at most `EARLY_S` before the onset; the
    delay is negative where it came before. An alarm that was decided even earlier responds to something else: where no
    other event overlaps, the annotated one has no delay and is marked as already alarmed.
    """
    pairs = list(zip(recording.found, recording.decided, strict=True))
    responses = []
    for start, stop in united(recording.truth, recording.duration_s):
        seizure = Event(start, stop - start, "")
        over = sorted(((when, event) for event, when in pairs if overlaps(event, seizure)), key=lambda one: one[0])
        in_time = [(when, event) for when, event in over if when >= start - EARLY_S]
        delay_s = in_time[0][0] - start if in_time else None
        found = next((event for _, event in (*in_time, *over)), None)
        responses.append(Response(start, stop, delay_s, bool(over) and not in_time, found))
    return responses


def detection_delays(recording: Scored) -> list[float]:
    """The delays of the annotated events that have one, see `detection_responses`."""
    return [r.delay_s for r in detection_responses(recording) if r.delay_s is not None]


def united(events: Iterable[Event], duration_s: float) -> list[tuple[float, float]]:
    """(start, stop) of events in order, clipped to a recording; those that overlap become one."""
    spans: list[tuple[float, float]] = []
    for event in sorted(events, key=lambda e: e.onset):
        start, stop = max(0.0, event.onset), min(duration_s, event.onset + event.duration)
        if not stop > start:
            continue
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], stop))
        else:
            spans.append((start, stop))
    return spans


def overlaps(first: Event, second: Event) -> bool:
    """Whether two events overlap in time."""
    return first.onset < second.onset + second.duration and second.onset < first.onset + first.duration


def _judged(recording: Scored) -> tuple[Event, ...]:
    """The detections, without those that may respond to what is unknown and to nothing that is annotated."""
    spans = [Event(e.onset - EARLY_S, e.duration + EARLY_S, "") for e in recording.unknown]
    return tuple(
        event
        for event in recording.found
        if not any(overlaps(event, span) for span in spans)
        or any(overlaps(event, annotated) for annotated in recording.truth)
    )


def _annotation(events: tuple[Event, ...], recording: Scored) -> Any:
    from timescoring.annotations import Annotation

    hz = 10
    spans = united(events, recording.duration_s)
    for hole in united(recording.unknown, recording.duration_s):
        spans = [part for span in spans for part in _without(span, hole)]
    return Annotation(spans, hz, max(1, math.ceil(recording.duration_s * hz)))


def _without(span: tuple[float, float], hole: tuple[float, float]) -> list[tuple[float, float]]:
    parts = (span[0], min(span[1], hole[0])), (max(span[0], hole[1]), span[1])
    return [part for part in parts if part[1] > part[0]]


def _length_s(spans: list[tuple[float, float]]) -> float:
    return sum(stop - start for start, stop in spans)


@dataclass(slots=True)
class _Pool:
    """Counts of many recordings."""

    true: int = 0
    hit: int = 0
    false: int = 0
    seconds: float = 0.0

    def add(self, scored: Any, duration_s: float) -> None:
        self.true += int(scored.refTrue)
        self.hit += int(scored.tp)
        self.false += int(scored.fp)
        self.seconds += duration_s

    def figures(self) -> Figures:
        return _figures(Counts(**asdict(self)))


def pooled(parts: Iterable[Figures]) -> Figures:
    """The figures of the sum of some counts: of recordings that were scored one by one."""
    counts = [part.counts for part in parts]
    return _figures(
        Counts(
            true=sum(one.true for one in counts),
            hit=sum(one.hit for one in counts),
            false=sum(one.false for one in counts),
            seconds=sum(one.seconds for one in counts),
        )
    )


def _figures(counts: Counts) -> Figures:
    true, hit, false = counts.true, counts.hit, counts.false
    return Figures(
        sensitivity=_ratio(hit, true),
        precision=_ratio(hit, hit + false),
        f1=_ratio(2 * hit, 2 * hit + false + true - hit) if true or false else None,
        false_alarms_per_24h=_ratio(false * 86400, counts.seconds),
        counts=counts,
    )


def percentiles(delays: Iterable[float]) -> DelayPercentiles:
    """Of the delays that there are."""
    found = list(delays)
    return DelayPercentiles(
        p50=float(np.median(found)) if found else None, p90=float(np.percentile(found, 90)) if found else None
    )


def scorer() -> Scorer:
    """The library that scores, and its parameters."""
    from timescoring import scoring

    return Scorer(
        name="timescoring",
        version=version("timescoring"),
        parameters=vars(scoring.EventScoring.Parameters()) | {"sample_hz": 1},
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
