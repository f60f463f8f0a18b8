"""What annotations come to: events, unknown time, and an account of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from rtbci.recordings.labelling import AnnotationCounts, Labelled, labels_of
from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import meaning_of
from rtbci.types import Event, StreamInfo


def of(*events: tuple[float, float, str], points: bool = False, n_omitted: int = 0, **meanings: str) -> Labelled:
    """The labels of a recording of 100 s."""
    recording = Recording(
        Path("a.edf"), "EDF", StreamInfo("a", 10.0, ("Fp1",)), 1000, lambda a, b: np.zeros((b - a, 1), np.float32),
        tuple(Event(*event) for event in events), n_omitted=n_omitted,
    )  # fmt: skip
    known = meanings or {"seizure": "seizure"}
    return labels_of(recording, lambda label: meaning_of(label, known), points=points)


def spans(labelled: Labelled) -> list[tuple[float, float, str]]:
    return [(e.onset, e.onset + e.duration, e.label) for e in labelled.events]


def test_overlapping_and_repeated_marks_are_one_event() -> None:
    labelled = of((50, 32, "sz"), (42, 20, "FIA"), (42, 20, "sz"), (90, 5, "sz"))
    assert spans(labelled) == [(42.0, 82.0, "seizure"), (90.0, 95.0, "seizure")]
    assert labelled.counts == AnnotationCounts(used=4, merged=2)


def test_onset_and_end_as_points_are_one_event() -> None:
    labelled = of((42, 0, "Seizure onset"), (81.5, 0, "Seizure end"))
    assert spans(labelled) == [(42.0, 81.5, "seizure")]
    assert labelled.counts == AnnotationCounts(used=2)
    assert labelled.unknown == labelled.warnings == ()


def test_a_seizure_of_two_points_may_reach_beyond_the_recording() -> None:
    labelled = of((-5, 0, "seizure onset"), (10, 0, "seizure end"), (90, 0, "seizure onset"), (100, 0, "seizure end"))
    assert spans(labelled) == [(0.0, 10.0, "seizure"), (90.0, 100.0, "seizure")]
    assert labelled.counts == AnnotationCounts(used=4, cut=1)
    assert of((120, 0, "seizure end")).counts == AnnotationCounts(outside=1)


def test_a_seizure_without_an_end_is_unknown_until_the_next_one() -> None:
    labelled = of((20, 0, "sz"), (60, 10, "sz"))
    assert spans(labelled) == [(60.0, 70.0, "seizure")]
    assert labelled.unknown == ((20.0, 60.0),)
    assert labelled.counts == AnnotationCounts(used=1, open_ended=1)
    assert labelled.warnings == ("'seizure' at 20 s has no end: 20 … 60 s is unknown, neither background nor scored",)


def test_a_seizure_without_an_end_is_unknown_to_the_end_of_the_recording() -> None:
    assert of((20, 0, "seizure onset")).unknown == ((20.0, 100.0),)


def test_an_end_without_an_onset_is_unknown_from_the_last_seizure_on() -> None:
    assert of((10, 5, "sz"), (40, 0, "seizure end")).unknown == ((15.0, 40.0),)


def test_a_point_within_a_known_seizure_marks_it_again() -> None:
    labelled = of((42, 20, "sz"), (42, 0, "seizure"), (62, 0, "seizure end"))
    assert spans(labelled) == [(42.0, 62.0, "seizure")]
    assert labelled.counts == AnnotationCounts(used=3, merged=2)
    assert labelled.unknown == ()


def test_what_lies_outside_is_counted_and_what_reaches_out_is_cut() -> None:
    labelled = of((-5, 10, "sz"), (95, 30, "sz"), (100, 5, "sz"), (-9, 3, "sz"), n_omitted=2)
    assert spans(labelled) == [(0.0, 5.0, "seizure"), (95.0, 100.0, "seizure")]
    assert labelled.counts == AnnotationCounts(used=2, outside=4, cut=2)


def test_a_seizure_that_no_label_covers_and_a_doubtful_one_are_unknown() -> None:
    labelled = of((10, 5, "gnsz"), (20, 5, "seizure?"), (30, 5, "eyes open"), (40, 5, "seizure free"), sz_foc="seizure")
    assert labelled.events == ()
    assert labelled.unknown == ((10.0, 15.0), (20.0, 25.0))
    assert labelled.counts == AnnotationCounts(other_label=3, background=1)
    assert labelled.others == {"gnsz": 1, "seizure?": 1, "eyes open": 1}


def test_a_cue_needs_no_end_and_is_never_merged() -> None:
    labelled = of((10, 0, "left"), (10, 4, "left"), (12, 4, "right"), points=True, left="left", right="right")
    assert spans(labelled) == [(10.0, 10.0, "left"), (10.0, 14.0, "left"), (12.0, 16.0, "right")]
    assert labelled.counts == AnnotationCounts(used=3)


def test_counts_add_up() -> None:
    one = AnnotationCounts(used=1, cut=2)
    assert AnnotationCounts.total([one, replace(one, merged=3)]) == AnnotationCounts(used=2, cut=4, merged=3)
