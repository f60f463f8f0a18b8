"""A folder of recordings with event tables beside them: NAME_eeg.edf, NAME_events.tsv.

References
----------
C. R. Pernet et al., EEG-BIDS, Scientific Data 6, 2019; J. Dan et al., SzCORE, Epilepsia 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rtbci.datasets.dataset import Dataset, Member, Part, opened, unfit
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
    return annotated("szcore", folder, list(in_folder(folder)), PUBLISHED, "NAME_events.tsv")


def annotated(
    name: str,
    folder: Path,
    paths: Sequence[Path],
    published: str,
    table: str,
    *,
    part: Callable[[Path], Part] = lambda _: "train",
    citation: str = "",
) -> Dataset:
    """The dataset of those recordings that have an event table beside them.

    Parameters
    ----------
    name
        Of the dataset.
    folder
        Where it is.
    paths
        Its recordings.
    published, table
        For the error: where it is published, and what a table is called.
    part
        What a recording was published for.
    citation
        The publication.

    Raises
    ------
    DatasetError
        If no recording has an event table.
    """
    tables = {path: event_table(path)[0] for path in paths}
    known = [path for path, beside in tables.items() if beside is not None and path.exists()]
    if not any(beside is not None for beside in tables.values()):
        what = f"has {len(paths)} recordings, none with {table} beside it" if paths else "has no recording"
        raise unfit(name, folder, what, published)
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    members, unread = opened(
        known,
        lambda path: Member(names[path], open_recording(path), subject_of(path.relative_to(folder)), part(path)),
    )
    lacking = [f"the event table of {names[path]}" for path, beside in tables.items() if beside is None]
    lacking += [
        f"{names[path]}: is a link to a file that is not there"
        for path, beside in tables.items()
        if beside is not None and not path.exists()
    ]
    labels = sorted({event.label for member in members for event in member.recording.annotations})
    return Dataset(name, tuple(labels), members, (*lacking, *unread), citation=citation)
