"""EEG Motor Movement/Imagery Database: 109 volunteers, 64 electrodes, 14 runs each, as EDF+.

T0, T1 and T2 have another meaning in each kind of run.

References
----------
G. Schalk et al., IEEE TBME 51(6), 2004.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rtbci.datasets.dataset import Dataset, Member, opened, unfit
from rtbci.errors import DatasetError
from rtbci.recordings.listing import in_folder
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording

PUBLISHED = "the database is published at https://physionet.org/content/eegmmidb/"
CITATION = "EEG Motor Movement/Imagery Dataset; G. Schalk et al., IEEE TBME 51(6), 2004; PhysioNet"

# runs -> what T0, T1 and T2 mean there
MEANINGS: dict[tuple[int, ...], tuple[str, ...]] = {
    (1,): ("eyes_open",),
    (2,): ("eyes_closed",),
    (3, 7, 11): ("rest", "left", "right"),
    (4, 8, 12): ("rest", "imagined_left", "imagined_right"),
    (5, 9, 13): ("rest", "fists", "feet"),
    (6, 10, 14): ("rest", "imagined_fists", "imagined_feet"),
}
LABELS = tuple(dict.fromkeys(label for labels in MEANINGS.values() for label in labels))
_NAME = re.compile(r"(S\d{3})R(\d{2})\.edf", re.IGNORECASE)


def open_folder(folder: Path) -> Dataset:
    """Open all runs in the folder and below.

    Parameters
    ----------
    folder
        Of the database, or a part of it.

    Returns
    -------
    Dataset
        `missing`: runs of the subjects found that are not there.

    Raises
    ------
    DatasetError
        If there is no run, or an annotation is not one of this database.
    """
    found = [(path, name) for path in in_folder(folder) if (name := _NAME.fullmatch(path.name))]
    if not found:
        raise unfit("eegmmidb", folder, "has no run named as S001R04.edf", PUBLISHED)
    runs = {path: (name[1].upper(), int(name[2])) for path, name in found}
    members, unread = opened(runs, lambda path: _member(path, *runs[path]))
    have = {member.name for member in members}
    subjects = sorted({member.subject for member in members})
    wanted = (f"{subject}R{run:02d}" for subject in subjects for run in range(1, 15))
    absent = [name for name in wanted if name not in have]
    return Dataset("eegmmidb", LABELS, members, (*absent, *unread), citation=CITATION)


def _member(path: Path, subject: str, run: int) -> Member:
    name = f"{subject}R{run:02d}"
    return Member(name, _labelled(open_recording(path), meanings(run, path)), subject)


def meanings(run: int, path: Path) -> dict[str, str]:
    """The meaning of T0, T1 and T2 in a run. Raises DatasetError for an unknown run."""
    for runs, labels in MEANINGS.items():
        if run in runs:
            return dict(zip(("T0", "T1", "T2"), labels, strict=False))
    raise DatasetError(f"{path}: run {run} is not among the 14 of this database; {PUBLISHED}")


def _labelled(recording: Recording, meaning: dict[str, str]) -> Recording:
    found = {event.label for event in recording.annotations}
    if odd := sorted(found - meaning.keys()):
        raise DatasetError(
            f"{recording.path}: annotation {odd[0][:40]!r} is not among {', '.join(meaning)}; {PUBLISHED}"
        )
    events = tuple(replace(event, label=meaning[event.label]) for event in recording.annotations)
    return replace(recording, annotations=events)
