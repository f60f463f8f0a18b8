"""What an expert's labels say: of each class what is scored, and what is true of each score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.label_map import UNKNOWN
from rtbci.evaluation.responses import Scored, united
from rtbci.evaluation.tagging import Tagged
from rtbci.recordings.labelling import Labelled
from rtbci.types import Event, Flags


@dataclass(frozen=True)
class HopTruth:
    """What is true of each score, by the time of its newest sample.

    Attributes
    ----------
    truth
        (n_hops, n_labels), whether each class holds.
    known
        (n_hops,), whether that is known.
    """

    truth: npt.NDArray[np.bool_]
    known: Flags

    @property
    def background(self) -> Flags:
        """(n_hops,), where it is known that none holds."""
        quiet: Flags = self.known & ~self.truth.any(axis=1)
        return quiet


def hop_truth(times: npt.NDArray[np.float64], by_class: dict[str, Scored]) -> HopTruth:
    """What is true of the scores at `times`, of each class that is scored."""
    truth = np.zeros((len(times), len(by_class)), np.bool_)
    known = np.ones(len(times), np.bool_)
    for column, one in enumerate(by_class.values()):
        truth[:, column] = _inside(times, united(one.truth, one.duration_s))
        known &= ~_inside(times, united(one.unknown, one.duration_s))
    return HopTruth(truth, known)


def _inside(times: npt.NDArray[np.float64], spans: Sequence[tuple[float, float]]) -> Flags:
    inside = np.zeros(len(times), np.bool_)
    for start, stop in spans:
        inside |= (times >= start) & (times < stop)
    return inside


def scored_by_class(labels: Labelled, result: Tagged, classes: Sequence[str], duration_s: float) -> dict[str, Scored]:
    """What is scored of a recording, for each of some classes.

    Parameters
    ----------
    labels
        The expert's.
    result
        A pipeline's answer.
    classes
        To score.
    duration_s
        Of the recording.
    """
    unknown = (
        *(event for event in labels.events if event.label == UNKNOWN),
        *(Event(start, stop - start, UNKNOWN) for start, stop in labels.unknown),
    )
    by_class = {}
    for label in classes:
        found, decided = result.of_class(label)
        truth = tuple(event for event in labels.events if event.label == label)
        by_class[label] = Scored(truth, found, decided, duration_s, unknown)
    return by_class
