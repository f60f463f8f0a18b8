"""How good events are against an expert's: SzCORE's scoring by its own library, and the detection delay beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from rtbci.results import Result
from rtbci.types import Event

SEIZURE_LABELS = {"seizure", "sz", "seiz", "fnsz", "gnsz", "spsz", "cpsz", "absz", "tnsz", "cnsz", "tcsz", "mysz"}


def is_seizure(label: str) -> bool:
    """Whether an annotation's label is that of a seizure: its name, SzCORE's `sz…`, or a type of TUH."""
    word = label.strip().lower()
    return word in SEIZURE_LABELS or word.startswith(("sz_", "seizure"))


@dataclass(frozen=True, slots=True)
class Scored:
    """One recording to score.

    Parameters
    ----------
    truth
        The expert's annotations.
    found
        Detected events.
    confirmed
        When each of them was decided, seconds of the recording.
    duration_s
        Length of the recording.
    """

    truth: tuple[Event, ...]
    found: tuple[Event, ...]
    confirmed: tuple[float, ...]
    duration_s: float


class Counts(Result):
    """Pooled over recordings."""

    true: int
    """Events, or samples, that the expert marked."""
    hit: int
    """Of these, detected."""
    false: int
    """Detected, and not marked."""
    seconds: float
    """Of recordings."""


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


class SzcoreScores(Result):
    """SzCORE's figures, and the detection delay."""

    event: Figures
    """By event."""
    sample: Figures
    """By sample."""
    detection_delay_s: DelayPercentiles
    """From an annotated onset to the decision of the first event that overlaps it; below 0: it came before."""
    scorer: Scorer


def score(recordings: Iterable[Scored]) -> SzcoreScores:
    """Sensitivity, precision, F1 and false alarms per 24 h, by event and by sample, and the detection delay.

    Parameters
    ----------
    recordings
        Expert annotations and detections of each; counts are pooled over them.

    Returns
    -------
    SzcoreScores
        A ratio without a denominator is None. The delay is from an annotated onset to the decision of the first event
        that overlaps it.

    References
    ----------
    J. Dan et al., SzCORE, Epilepsia 2024.
    """
    from timescoring import scoring

    event, sample = _Pool(), _Pool()
    delays: list[float] = []
    for recording in recordings:
        truth = _annotation(recording.truth, recording.duration_s)
        found = _annotation(recording.found, recording.duration_s)
        event.add(scoring.EventScoring(truth, found), recording.duration_s)
        sample.add(scoring.SampleScoring(truth, found), recording.duration_s)
        delays += detection_delays(recording)
    return SzcoreScores(
        event=event.figures(),
        sample=sample.figures(),
        detection_delay_s=DelayPercentiles(
            p50=float(np.median(delays)) if delays else None, p90=float(np.percentile(delays, 90)) if delays else None
        ),
        scorer=Scorer(
            name="timescoring",
            version=version("timescoring"),
            parameters=vars(scoring.EventScoring.Parameters()) | {"sample_hz": 1},
        ),
    )


def detection_delays(recording: Scored) -> list[float]:
    """Seconds from the onset of each detected seizure to the decision; negative where it came before."""
    delays = []
    for seizure in recording.truth:
        hits = [
            when for event, when in zip(recording.found, recording.confirmed, strict=True) if overlaps(event, seizure)
        ]
        if hits:
            delays.append(min(hits) - seizure.onset)
    return delays


def overlaps(first: Event, second: Event) -> bool:
    """Whether two events overlap in time."""
    return first.onset < second.onset + second.duration and second.onset < first.onset + first.duration


def _annotation(events: tuple[Event, ...], duration_s: float) -> Any:
    from timescoring.annotations import Annotation

    hz = 10
    spans = sorted((max(0.0, e.onset), min(duration_s, e.onset + e.duration)) for e in events)
    return Annotation([span for span in spans if span[1] > span[0]], hz, max(1, math.ceil(duration_s * hz)))


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
        missed = self.true - self.hit
        return Figures(
            sensitivity=_ratio(self.hit, self.true),
            precision=_ratio(self.hit, self.hit + self.false),
            f1=_ratio(2 * self.hit, 2 * self.hit + self.false + missed) if self.true or self.false else None,
            false_alarms_per_24h=_ratio(self.false * 86400, self.seconds),
            counts=Counts(**asdict(self)),
        )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
