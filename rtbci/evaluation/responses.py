"""What a pipeline did about each annotated event: found or not, and after which delay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

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


class DelayPercentiles(Result):
    """Of the seizures that were detected; null where none was."""

    p50: float | None
    """Median."""
    p90: float | None
    """90th percentile."""


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


def percentiles(delays: Iterable[float]) -> DelayPercentiles:
    """Of the delays that there are."""
    found = list(delays)
    return DelayPercentiles(
        p50=float(np.median(found)) if found else None, p90=float(np.percentile(found, 90)) if found else None
    )
