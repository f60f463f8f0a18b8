"""The figures of a cross-validation as a pipeline file keeps them: a row a patient, totals, and how its fit was settled."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from rtbci.evaluation.intervals import Interval
from rtbci.results import Result, Text, as_utf8
from rtbci.training.crossval.results import GroupTotals, OperatingPoint

# Bounds, as others read the file, and in half of what its JSON may hold.
MOST_PATIENTS, MOST_GROUPS, MOST_NAMES, LONGEST_NAME = 200, 20, 500, 80

Name = Annotated[Text, Field(max_length=LONGEST_NAME)]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES)]
Alarms = Annotated[dict[Name, int], Field(max_length=MOST_GROUPS)]


class Kept(Result):
    """What is read again, perhaps by an older version: keys that it does not know are passed over."""

    model_config = ConfigDict(extra="ignore")


class PatientRow(Kept):
    """A patient, answered by the network and with the threshold of the fold that left the patient out."""

    subject: Name
    """Name; one of more than 80 characters is shortened."""
    seizures: int
    """Annotated events."""
    found: int
    """Of these."""
    median_delay_s: float | None
    """From the annotated onset to the decision, of those found in time."""
    auroc: float | None
    """Of samples; null where only one kind is there."""
    share_above: float | None
    """Share of the valid time with the smoothed probability at the threshold or above."""
    alarms: Alarms
    """In the patient's own recordings, by group."""


class PatientTotal(Kept):
    """All tested patients."""

    patients: int
    """Number of them, those without a row included."""
    seizures: int
    """Annotated events."""
    found: int
    """Of these."""
    median_delay_s: float | None
    """Of all that were found in time."""
    sensitivity: Interval
    """Share of a patient's seizures that was found."""
    auroc: Interval
    """Of a patient's samples."""
    share_above: float | None
    """Share of all valid time."""
    alarms: Alarms
    """In the patients' recordings, by group."""


class Rule(Kept):
    """`crossval.operating_point` of the config: see `docs/crossval.md`."""

    thresholds: Annotated[tuple[float, ...], Field(max_length=1000)]
    """To choose from."""
    min_duration_s: Annotated[tuple[float, ...], Field(max_length=100)]
    """To choose from; empty: that of the config."""
    no_alarm_in: Names
    """Patterns of groups in which no alarm is wanted."""
    enough: float | None = None
    """Share of the seizures that must be found, where that comes first."""
    miss_weighs: float | None = None
    """Number of alarms that a missed seizure weighs as much as, where the two are balanced."""
    at: Text | None = None
    """The bound that comes first."""


class CrossvalNotes(Kept):
    """Nested cross-validation of the recipe that a pipeline is the final fit of. No row and no total is of the pipeline
    itself: each fold had a network and a threshold of its own."""

    rows: Annotated[tuple[PatientRow, ...], Field(max_length=MOST_PATIENTS)]
    rows_left_out: int
    """Tested patients beyond the first 200."""
    total: PatientTotal
    groups: Annotated[dict[Name, GroupTotals], Field(max_length=MOST_GROUPS)]
    """Of recordings, of all subjects, those that were not tested included; at most 20."""
    epoch: int
    """Of the final fit: the median of what the folds chose, rounded down."""
    epochs_of_folds: Annotated[tuple[int, ...], Field(max_length=MOST_NAMES)]
    """What they chose."""
    operating_point: OperatingPoint
    """Of the final fit; what it comes to is on the very scores that it was chosen on."""
    rule: Rule
    not_in_final_fit: Names
    """Subjects of the folds that the final fit leaves out; epoch and threshold are not blind to them."""
    not_in_folds: Names
    """Subjects of the final fit that no fold had."""
    seeds: Annotated[dict[Name, int], Field(max_length=8)]
    """`crossval` dealt the subjects, `training` is that of each fit."""
    digest: Name
    """Of the folds' config and recordings."""
    by: Literal["subject", "recording"] = "subject"
    """The unit that no fold split; by "recording", other recordings of the same patient were in the fits, and rows are of
    recordings."""
    made_by: Names
    """Versions and commits that made the folds."""


def read_notes(notes: dict[str, Any]) -> CrossvalNotes | None:
    """Those of a pipeline, which are JSON of any shape; None where they hold none of a cross-validation."""
    try:
        return CrossvalNotes.model_validate(notes.get("crossval"))
    except (ValidationError, OverflowError):
        return None


def short(name: str) -> str:
    """The name; a long one is cut, and still differs from others."""
    name = as_utf8(name)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 10]}… {hashlib.sha256(name.encode()).hexdigest()[:8]}"
