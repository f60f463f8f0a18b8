"""Helsinki neonatal EEG: 79 newborns, eeg1.edf …; three experts said for each second whether there is a seizure.

References
----------
N. Stevenson et al., A dataset of neonatal EEG recordings with seizure annotations, Scientific Data 6, 2019.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.datasets.dataset import Dataset, Member, opened, unfit
from rtbci.errors import DatasetError
from rtbci.recordings.listing import in_folder
from rtbci.recordings.open import open_recording
from rtbci.types import Event

PUBLISHED = "the dataset is published at https://zenodo.org/record/4940267"
CITATION = "Neonatal EEG with seizure annotations; N. Stevenson et al., Scientific Data 6, 2019"
SEIZURE, DISPUTED = "seizure", "seizure?"
EXPERTS = "ABC"
MAT = "annotations_2017.mat"
_RECORD = re.compile(r"eeg(\d{1,2})", re.IGNORECASE)
Votes = npt.NDArray[np.int64]


def open_folder(folder: Path) -> Dataset:
    """Open all records in the folder and below.

    Where all experts whose tables are there agree, there is a `seizure`, or none; where they do not, it is `seizure?`,
    which is neither scored nor background.

    Parameters
    ----------
    folder
        With `eegN.edf`, and `annotations_2017_A_fixed.csv` (`_A.csv`), `…_B…`, `…_C…`; where there are none, with
        `annotations_2017.mat`, as the first version of the dataset has them.

    Returns
    -------
    Dataset
        `missing`: records that the tables have and the folder lacks, and files that cannot be read.

    Raises
    ------
    DatasetError
        If there is no record or no table, or a table cannot be read.
    """
    paths = {int(found[1]): path for path in in_folder(folder) if (found := _RECORD.fullmatch(path.stem))}
    if not paths:
        raise unfit("helsinki_neonatal", folder, "has no record named as eeg1.edf", PUBLISHED)
    votes = _all_votes(folder)
    if not votes:
        what = f"has no table named as annotations_2017_A_fixed.csv, and no {MAT}"
        raise unfit("helsinki_neonatal", folder, what, PUBLISHED)
    known = {number: path for number, path in sorted(paths.items()) if all(number in one for one in votes)}
    members, unread = opened(known.values(), lambda path: _member(path, votes))
    unmarked = [f"{path.name}: a table lacks it" for number, path in paths.items() if number not in known]
    absent = [f"eeg{number}.edf" for number in sorted(set.intersection(*map(set, votes)) - paths.keys())]
    return Dataset("helsinki_neonatal", (SEIZURE, DISPUTED), members, (*absent, *unmarked, *unread), citation=CITATION)


def _all_votes(folder: Path) -> list[dict[int, Votes]]:
    """Of each expert, by newborn: from the tables, else from the .mat file; empty where there is neither."""
    tables = [table for expert in EXPERTS if (table := _table(folder, expert)) is not None]
    if tables:
        return [read_votes(table) for table in tables]
    mats = sorted(folder.rglob(MAT))
    return read_mat_votes(mats[0]) if mats else []


def _table(folder: Path, expert: str) -> Path | None:
    for ending in ("_fixed", ""):
        if found := sorted(folder.rglob(f"annotations_2017_{expert}{ending}.csv")):
            return found[0]
    return None


def _member(path: Path, votes: Sequence[dict[int, Votes]]) -> Member:
    number = int(path.stem[3:])
    recording = open_recording(path)
    events = tuple(_events([one[number] for one in votes]))
    seconds = min(len(one[number]) for one in votes)
    odd: tuple[str, ...] = ()
    if abs(seconds - recording.duration_s) > 1:
        odd = (f"its experts marked {seconds} s, and it lasts {recording.duration_s:g} s",)
    labelled = replace(
        recording, annotations=events, background=((0.0, float(seconds)),), warnings=(*recording.warnings, *odd)
    )
    return Member(path.stem, labelled, f"neonate{number:02d}")


def _events(votes: Sequence[Votes]) -> Iterator[Event]:
    """Seconds on which all agree, and those on which they do not."""
    n = min(map(len, votes))
    total = np.sum([one[:n] for one in votes], axis=0)
    for label, here in ((SEIZURE, total == len(votes)), (DISPUTED, (total > 0) & (total < len(votes)))):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], here.astype(np.int8), [0]])))
        for start, stop in edges.reshape(-1, 2).tolist():
            yield Event(float(start), float(stop - start), label)


def read_votes(path: Path) -> dict[int, Votes]:
    """An expert's table: a column a newborn, headed by its number, and a row a second of 0 or 1, empty after the end.

    Raises
    ------
    DatasetError
        If it is not that.
    """
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.reader(file))
    header = rows[0] if rows else []
    if not header or not all(name.strip().isdigit() for name in header):
        raise DatasetError(f"{path}: its first row is not the numbers of the newborns; {PUBLISHED}")
    votes: dict[int, Votes] = {}
    for column, name in enumerate(header):
        cells = [row[column].strip() for row in rows[1:] if column < len(row)]
        filled = [cell for cell in cells if cell and cell.lower() != "nan"]
        if not set(filled) <= {"0", "1", "0.0", "1.0"}:
            raise DatasetError(f"{path}: the column of newborn {name} holds more than 0 and 1; {PUBLISHED}")
        votes[int(name)] = np.array([cell[0] == "1" for cell in filled], np.int64)
    return votes


def read_mat_votes(path: Path) -> list[dict[int, Votes]]:
    """The tables of all experts from `annotations_2017.mat`: `annotat_new`, a cell a newborn, of a row an expert and a column
    a second.

    Raises
    ------
    DatasetError
        If it is not that.
    """
    from scipy.io import loadmat

    try:
        cells = np.asarray(loadmat(path)["annotat_new"], object).ravel()
    except Exception as error:  # whatever a damaged file may raise
        raise DatasetError(
            f"{path}: holds no annotat_new that can be read ({type(error).__name__}); {PUBLISHED}"
        ) from None
    votes: list[dict[int, Votes]] = [{} for _ in EXPERTS]
    for number, cell in enumerate(cells, 1):
        marks = np.asarray(cell)
        if marks.ndim != 2 or len(marks) != len(EXPERTS) or not np.isin(marks, (0, 1)).all():
            raise DatasetError(
                f"{path}: newborn {number} has {' × '.join(map(str, marks.shape)) or 'one'} value(s); wanted a row of 0 and 1 "
                f"of each of {len(EXPERTS)} experts; {PUBLISHED}"
            )
        for expert, row in zip(votes, marks, strict=True):
            expert[number] = row.astype(np.int64)
    return votes
