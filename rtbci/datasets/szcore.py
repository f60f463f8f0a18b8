"""A folder of recordings with event tables beside them: NAME_eeg.edf, NAME_events.tsv.

References
----------
C. R. Pernet et al., EEG-BIDS, Scientific Data 6, 2019; J. Dan et al., SzCORE, Epilepsia 2024.
"""

from __future__ import annotations

from pathlib import Path

from rtbci.datasets.dataset import Dataset, Member, unfit
from rtbci.datasets.subjects import subject_of
from rtbci.recordings.beside import event_table
from rtbci.recordings.listing import in_folder
from rtbci.recordings.open import open_recording

PUBLISHED = "the layout is described at https://bids.neuroimaging.io and https://eslweb.epfl.ch/epilepsybenchmarks"


def open_folder(folder: Path) -> Dataset:
    """Open every recording in the folder and below that has an event table.

    Recordings in `derivatives/` and `sourcedata/` are not the dataset's, and tables that `rtbci tag` wrote are not event
    tables.

    Parameters
    ----------
    folder
        In BIDS layout, or any other.

    Returns
    -------
    Dataset
        `missing`: event tables of the other recordings, and annotated ones whose file is not there.

    Raises
    ------
    DatasetError
        If no recording has an event table.
    """
    paths = list(in_folder(folder))
    tables = {path: event_table(path) for path in paths}
    annotated = [path for path, (table, _) in tables.items() if table is not None]
    if not annotated:
        what = f"has {len(paths)} recordings, none with NAME_events.tsv beside it" if paths else "has no recording"
        raise unfit("szcore", folder, what, PUBLISHED)
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    recordings = {path: open_recording(path) for path in annotated if path.exists()}
    lacking = [f"the event table of {name}" for path, name in names.items() if path not in annotated]
    lacking += [f"{names[path]}: is a link to a file that is not there" for path in annotated if not path.exists()]
    members = tuple(Member(names[path], one, subject_of(path.relative_to(folder))) for path, one in recordings.items())
    labels = sorted({event.label for member in members for event in member.recording.annotations})
    return Dataset("szcore", tuple(labels), members, tuple(lacking))
