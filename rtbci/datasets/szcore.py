"""A folder of recordings with event tables beside them: NAME_eeg.edf, NAME_events.tsv.

References
----------
C. R. Pernet et al., EEG-BIDS, Scientific Data 6, 2019; J. Dan et al., SzCORE, Epilepsia 2024.
"""

from __future__ import annotations

import re
from pathlib import Path

from rtbci.datasets.dataset import Dataset, Member, unfit
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import FORMATS

PUBLISHED = "the layout is described at https://bids.neuroimaging.io and https://eslweb.epfl.ch/epilepsybenchmarks"
_SUBJECT = re.compile(r"sub-([A-Za-z0-9]+)")


def open_folder(folder: Path) -> Dataset:
    """Open every recording in the folder and below that has an event table.

    Parameters
    ----------
    folder
        In BIDS layout, or any other.

    Returns
    -------
    Dataset
        `missing`: event tables of the other recordings.

    Raises
    ------
    DatasetError
        If no recording has an event table.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS and path.is_file())
    tables = {path: table for path in paths if (table := event_table(path)) is not None}
    if not tables:
        what = f"has {len(paths)} recordings, none with NAME_events.tsv beside it" if paths else "has no recording"
        raise unfit("szcore", folder, what, PUBLISHED)
    members = tuple(
        Member(path.relative_to(folder).as_posix(), open_recording(path), _subject(path, folder)) for path in tables
    )
    lacking = tuple(f"the event table of {path.relative_to(folder).as_posix()}" for path in paths if path not in tables)
    labels = sorted({event.label for member in members for event in member.recording.annotations})
    return Dataset("szcore", tuple(labels), members, lacking)


def event_table(path: Path) -> Path | None:
    """The event table of a recording, or None."""
    bases = (path.stem, path.stem.removesuffix("_eeg").removesuffix("_ieeg"))
    return next((table for base in bases if (table := path.with_name(f"{base}_events.tsv")).exists()), None)


def _subject(path: Path, folder: Path) -> str:
    """The BIDS entity sub-…; else the first folder, else the file."""
    relative = path.relative_to(folder)
    named = _SUBJECT.search(relative.as_posix())
    return named[1] if named else (relative.parts[0] if len(relative.parts) > 1 else path.stem)
