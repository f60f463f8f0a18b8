"""A recording to train on: its labels, whose it is, and on which side of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rtbci.evaluation.trained_on import DIGITS
from rtbci.recordings.labelling import Labelled
from rtbci.recordings.recording import Recording
from rtbci.training.labels import Stretch as Stretch


@dataclass(frozen=True)
class Source:
    """A recording with its labels.

    Attributes
    ----------
    name
        Unique in the training run.
    recording
        The samples.
    stretches
        Labelled intervals.
    elsewhere
        What holds outside of them: "background" or "unknown".
    repeats
        Visits in an epoch.
    held_out
        Whether it is left out of the fit.
    origin, licence
        For the notes of the pipeline.
    group
        Unit that is never split between fit and test: the recording itself, its subject, or a single trial.
    subject
        Who was recorded; empty where that is not known.
    category
        What it is, for tables: `group` of the config; of a dataset its name.
    labels
        What its annotations came to; None where they are not used.
    warnings
        What a person should know of it, one line each.
    person
        Who was recorded, where `subject` is the unit of a cross-validation (rtbci/training/crossval/plan.py).
    part_of
        The complete recording, where this is a part of one; with the labels of this part alone.
    """

    name: str
    recording: Recording
    stretches: tuple[Stretch, ...]
    elsewhere: str
    repeats: int
    held_out: bool
    origin: str = ""
    licence: str = ""
    group: str = ""
    subject: str = ""
    labels: Labelled | None = None
    warnings: tuple[str, ...] = ()
    category: str = ""
    person: str = ""
    part_of: Source | None = None

    def noted(self, *, held_out: bool) -> dict[str, Any]:
        """Its row in the notes of a pipeline, plain JSON; the digest tells it from others whatever its file is called."""
        return {
            "recording": self.name,
            "source": self.origin,
            "licence": self.licence,
            "held_out": held_out,
            "content": (self.part_of or self).recording.content[:DIGITS],
        }
