"""Chance level: what as many alarms, of the same lengths, would find if they were placed at random."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.responses import EARLY_S, Scored, united
from rtbci.evaluation.scoring import LATE_S, judged, seen
from rtbci.results import Result

DRAWS = 1000


class Chance(Result):
    """The alarms of each subject, each placed anew at random in one of the subject's recordings; null without an event."""

    sensitivity: float | None
    """Share of the annotated events that is found, mean over the draws."""
    low: float | None
    """2.5th percentile."""
    high: float | None
    """97.5th percentile."""
    observed: float | None
    """The same share of the alarms as they are; each annotated event counts by itself, unlike in SzCORE, which joins those
    that are less than 90 s apart."""
    p: float | None
    """Share of the draws that find as many or more, this one counted among them."""
    draws: int
    """Number of them."""


@dataclass(frozen=True)
class _Subject:
    """Recordings end to end: (start, stop) of annotated events, lengths of alarms and of recordings."""

    events: list[tuple[int, float, float]]
    alarms_s: list[float]
    durations_s: list[float]


def chance(recordings: Sequence[tuple[str, Scored]], seed: int) -> Chance:
    """Of (subject, recording) pairs.

    An alarm lies wholly in a recording, drawn with a probability in proportion to the time that it has there; known and
    unknown time count alike.
    """
    by_subject: dict[str, list[Scored]] = defaultdict(list)
    for subject, one in recordings:
        by_subject[subject].append(one)
    n_events = n_found = 0
    found = np.zeros(DRAWS, np.int64)
    rng = np.random.default_rng([seed, 29])
    for own in by_subject.values():
        whole = _subject(own)
        n_events += len(whole.events)
        for one in own:
            alarms = judged(one)
            n_found += sum(seen(*span, alarms) for span in united(one.truth, one.duration_s))
        found += _found_by_chance(whole, rng)
    if not n_events:
        return Chance(sensitivity=None, low=None, high=None, observed=None, p=None, draws=DRAWS)
    low, high = np.percentile(found / n_events, [2.5, 97.5])
    return Chance(
        sensitivity=float(found.mean() / n_events),
        low=float(low),
        high=float(high),
        observed=n_found / n_events,
        p=float((np.count_nonzero(found >= n_found) + 1) / (DRAWS + 1)),
        draws=DRAWS,
    )


def _subject(own: Sequence[Scored]) -> _Subject:
    return _Subject(
        events=[(i, *span) for i, one in enumerate(own) for span in united(one.truth, one.duration_s)],
        alarms_s=[event.duration for one in own for event in judged(one)],
        durations_s=[one.duration_s for one in own],
    )


def _found_by_chance(subject: _Subject, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """(DRAWS,), how many of the events are found."""
    hit = np.zeros((DRAWS, len(subject.events)), np.bool_)
    durations = np.array(subject.durations_s)
    for alarm_s in subject.alarms_s:
        room = np.maximum(durations - alarm_s, 0.0)
        room = room if room.any() else np.where(durations == durations.max(), 1e-9, 0.0)
        place = rng.choice(len(room), size=DRAWS, p=room / room.sum())
        start = rng.random(DRAWS) * room[place]
        for column, (recording, onset, stop) in enumerate(subject.events):
            near = (start < stop + LATE_S) & (start + alarm_s > onset - EARLY_S)
            hit[:, column] |= (place == recording) & near
    counts: npt.NDArray[np.int64] = hit.sum(axis=1, dtype=np.int64)
    return counts
