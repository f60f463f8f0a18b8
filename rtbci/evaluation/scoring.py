"""How good events are against an expert's: SzCORE's scoring by its own library, and the detection delay beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from rtbci.evaluation.responses import (
    EARLY_S,
    DelayPercentiles,
    Scored,
    detection_responses,
    overlaps,
    percentiles,
    united,
)
from rtbci.results import Result
from rtbci.types import Event, Flags

LATE_S = 60.0  # an alarm so long after an annotated end is a detection still
MASK_HZ = 1  # of the masks that SzCORE's own evaluator compares


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
        truth, found = _annotation(recording.truth, recording), _annotation(judged(recording), recording)
        seconds = known_s(recording) / n_classes
        event.add(scoring.EventScoring(truth, found), seconds)
        sample.add(scoring.SampleScoring(truth, found), seconds)
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


def seen(start: float, stop: float, alarms: Iterable[Event]) -> bool:
    """Whether one of the alarms is a detection of an event from `start` to `stop`, with SzCORE's tolerances."""
    span = Event(start - EARLY_S, stop - start + EARLY_S + LATE_S, "")
    return any(overlaps(alarm, span) for alarm in alarms)


def judged(recording: Scored) -> tuple[Event, ...]:
    """The detections, without those that may respond to what is unknown and to nothing that is annotated."""
    spans = [Event(e.onset - EARLY_S, e.duration + EARLY_S, "") for e in recording.unknown]
    return tuple(
        event
        for event in recording.found
        if not any(overlaps(event, span) for span in spans)
        or any(overlaps(event, annotated) for annotated in recording.truth)
    )


def _annotation(events: tuple[Event, ...], recording: Scored) -> Any:
    """A mask of whole seconds, as SzCORE's own evaluator makes it of an event table; what is unknown is in no mask."""
    from timescoring.annotations import Annotation

    mask = np.zeros(len(_known(recording)), np.bool_)
    for start, stop in united(events, recording.duration_s):
        mask[int(start * MASK_HZ) : int(stop * MASK_HZ)] = True
    return Annotation(mask & _known(recording), MASK_HZ)


def known_s(recording: Scored) -> float:
    """Seconds of a recording in which it is known what holds."""
    return int(np.count_nonzero(_known(recording))) / MASK_HZ


def _known(recording: Scored) -> Flags:
    """Which seconds of the recording are known throughout."""
    known = np.ones(max(1, int(recording.duration_s * MASK_HZ)), np.bool_)
    for start, stop in united(recording.unknown, recording.duration_s):
        known[int(start * MASK_HZ) : math.ceil(stop * MASK_HZ)] = False
    return known


def is_too_short(event: Event) -> bool:
    """Whether an event lies between two whole seconds, where the masks do not see it."""
    return int(event.onset * MASK_HZ) >= int((event.onset + event.duration) * MASK_HZ)


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
        return figures_of(Counts(**asdict(self)))


def pooled(parts: Iterable[Figures]) -> Figures:
    """The figures of the sum of some counts: of recordings that were scored one by one."""
    counts = [part.counts for part in parts]
    return figures_of(
        Counts(
            true=sum(one.true for one in counts),
            hit=sum(one.hit for one in counts),
            false=sum(one.false for one in counts),
            seconds=sum(one.seconds for one in counts),
        )
    )


def figures_of(counts: Counts) -> Figures:
    """The ratios of counts."""
    true, hit, false = counts.true, counts.hit, counts.false
    return Figures(
        sensitivity=_ratio(hit, true),
        precision=_ratio(hit, hit + false),
        f1=_ratio(2 * hit, 2 * hit + false + true - hit) if true or false else None,
        false_alarms_per_24h=_ratio(false * 86400, counts.seconds),
        counts=counts,
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
