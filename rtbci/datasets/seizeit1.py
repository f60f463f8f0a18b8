"""SeizeIT1: 42 patients of one hospital, P_IDxx/P_IDxx_rN.edf; a table P_IDxx_rN_a1.tsv says when there is a seizure.

References
----------
K. Vandecasteele et al., Epilepsia 61(4), 2020; the dataset: doi:10.48804/P5Q0OJ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rtbci.datasets.dataset import Dataset, Member, opened, unfit
from rtbci.errors import DatasetError
from rtbci.recordings.listing import in_folder
from rtbci.recordings.open import open_recording
from rtbci.recordings.vocabulary import is_seizure
from rtbci.types import Event

PUBLISHED = "the dataset is published at https://doi.org/10.48804/P5Q0OJ"
CITATION = "SeizeIT1; K. Vandecasteele et al., Epilepsia 61(4), 2020; doi:10.48804/P5Q0OJ"
_RECORD = re.compile(r"(P_ID\d+)_r\d+", re.IGNORECASE)


def open_folder(folder: Path) -> Dataset:
    """Open all records in the folder and below.

    A seizure without an end stays one: the time from its onset on is neither background nor scored.

    Parameters
    ----------
    folder
        Of the dataset, or a part of it.

    Returns
    -------
    Dataset
        `missing`: tables of records without one, and files that cannot be read.

    Raises
    ------
    DatasetError
        If there is no record, none has a table, or one cannot be understood.
    """
    paths = [path for path in in_folder(folder) if _RECORD.fullmatch(path.stem)]
    if not paths:
        raise unfit("seizeit1", folder, "has no record named as P_ID64_r1.edf", PUBLISHED)
    known = [path for path in paths if _table(path).is_file()]
    if not known:
        raise unfit("seizeit1", folder, f"has no table named as {_table(paths[0]).name}", PUBLISHED)
    members, unread = opened(known, _member)
    labels = tuple(sorted({event.label for member in members for event in member.recording.annotations}))
    missing = [f"{_table(path).name}" for path in paths if path not in known]
    return Dataset("seizeit1", labels or ("seizure",), members, (*missing, *unread), citation=CITATION)


def _table(path: Path) -> Path:
    return path.with_name(f"{path.stem}_a1.tsv")


def _member(path: Path) -> Member:
    recording = open_recording(path)
    events = tuple(read_seizures(_table(path)))
    labelled = replace(recording, annotations=events, table=_table(path))
    subject = path.stem.rpartition("_")[0].upper()
    return Member(path.stem, labelled, subject)


def read_seizures(path: Path) -> Iterator[Event]:
    """The seizures of a table: start, end (`None` where it was not seen), type (FIA, FA, F-BTC), remarks; in seconds.

    Raises
    ------
    DatasetError
        If a row is not that.
    """
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            start, stop = (
                float(cells[0]),
                math.nan if cells[1].lower() in ("none", "nan", "n/a", "") else float(cells[1]),
            )
        except (IndexError, ValueError):
            raise DatasetError(
                f"{path}, line {number}: {line.strip()[:60]!r} has no start and end; {PUBLISHED}"
            ) from None
        label = cells[2] if len(cells) > 2 and is_seizure(cells[2]) else "seizure"
        yield Event(start, 0.0 if math.isnan(stop) else stop - start, label)
