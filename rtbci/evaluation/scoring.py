"""How good events are against an expert's: SzCORE's scoring by its own library, and the detection delay beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from rtbci.types import Event

SEIZURE_LABELS = {"seizure", "sz", "seiz", "fnsz", "gnsz", "spsz", "cpsz", "absz", "tnsz", "cnsz", "tcsz", "mysz"}


def is_seizure(label: str) -> bool:
    """Whether an annotation's label says seizure: by name, SzCORE's `sz…` and TUH's types."""
    word = label.strip().lower()
    return word in SEIZURE_LABELS or word.startswith(("sz_", "seizure"))


@dataclass(frozen=True, slots=True)
class Scored:
    """One recording: what the expert marked, what was detected (with the time of each decision), and how long it is."""

    truth: tuple[Event, ...]
    found: tuple[Event, ...]
    confirmed: tuple[float, ...]
    duration_s: float


def score(recordings: Iterable[Scored]) -> dict[str, Any]:
    """Sensitivity, precision, F1 and false alarms per 24 h, by event and by sample (SzCORE, J. Dan et al. 2024).

    Counts are pooled over recordings. A ratio without a denominator is None. Also the detection delay: from an
    annotated onset to the decision of the first event that overlaps it.
    """
    from timescoring import scoring

    event, sample = _Pool(), _Pool()
    delays: list[float] = []
    for one in recordings:
        truth, found = _annotation(one.truth, one.duration_s), _annotation(one.found, one.duration_s)
        event.add(scoring.EventScoring(truth, found), one.duration_s)
        sample.add(scoring.SampleScoring(truth, found), one.duration_s)
        delays += detection_delays(one)
    return {
        "event": event.figures(),
        "sample": sample.figures(),
        "detection_delay_s": {
            "p50": float(np.median(delays)) if delays else None,
            "p90": float(np.percentile(delays, 90)) if delays else None,
        },
        "scorer": {
            "name": "timescoring",
            "version": version("timescoring"),
            "parameters": vars(scoring.EventScoring.Parameters()) | {"sample_hz": 1},
        },
    }


def detection_delays(one: Scored) -> list[float]:
    """For each annotated seizure that was detected: seconds from its onset to the decision; below 0: it came before."""
    delays = []
    for seizure in one.truth:
        hits = [when for event, when in zip(one.found, one.confirmed, strict=True) if overlaps(event, seizure)]
        if hits:
            delays.append(min(hits) - seizure.onset)
    return delays


def overlaps(first: Event, second: Event) -> bool:
    """Whether two events share a moment."""
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

    def figures(self) -> dict[str, Any]:
        missed = self.true - self.hit
        return {
            "sensitivity": _ratio(self.hit, self.true),
            "precision": _ratio(self.hit, self.hit + self.false),
            "f1": _ratio(2 * self.hit, 2 * self.hit + self.false + missed) if self.true or self.false else None,
            "false_alarms_per_24h": _ratio(self.false * 86400, self.seconds),
        } | {"counts": asdict(self)}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
