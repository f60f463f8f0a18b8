"""Who was recorded, by the names of files and folders: so that one person is never on both sides of a split."""

from __future__ import annotations

import re
from pathlib import Path

# CHB-MIT: chb21 is the girl of chb01, one and a half years later (its own description).
SAME_PERSON = {"chb21": "chb01"}
_NAMED = (
    re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)(?=[/_.]|$)"),  # BIDS
    re.compile(r"(?:^|/)(chb\d{2})[a-z]?_[^/]*$", re.IGNORECASE),  # CHB-MIT: chb17a_03
    re.compile(r"(?:^|/)([a-z]{8}|\d{8})_s\d{3}(?:_\d{4})?_t\d{3}(?:\.[^/]*)?$"),  # TUSZ: aaaaaaac_s001_t000
    re.compile(r"(?:^|/)(PN\d{2})-\d[^/]*$"),  # Siena: PN00-1
    re.compile(r"(?:^|/)(S\d{3})R\d{2}(?:\.[^/]*)?$"),  # EEG Motor Movement/Imagery: S001R04
)


def named_subjects(name: str) -> set[str]:
    """The persons that a recording's path names: as BIDS does (`sub-01`), else as CHB-MIT, TUSZ, Siena or EEGMMIDB do."""
    for pattern in _NAMED:
        if found := {same_person(match) for match in pattern.findall(name)}:
            return found
    return set()


def subject_of(relative: Path) -> str:
    """The person of a recording.

    Parameters
    ----------
    relative
        Its path in the folder of the data.

    Returns
    -------
    str
        The label of the BIDS entity `sub-LABEL`; else what the file's name says in CHB-MIT, TUSZ, Siena or EEGMMIDB; else
        the first folder, else the file.
    """
    named = sorted(named_subjects(relative.as_posix()))
    if named:
        return same_person(named[0].removeprefix("sub-"))
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def same_person(subject: str) -> str:
    """One name for a person whom a dataset has under two."""
    return SAME_PERSON.get(subject.lower(), subject.lower() if subject.lower().startswith("chb") else subject)
