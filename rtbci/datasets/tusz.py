"""TUH EEG Seizure Corpus: train, dev and eval, each PATIENT/SESSION/MONTAGE/NAME.edf with NAME.csv_bi, or .csv, beside it.

References
----------
V. Shah et al., Frontiers in Neuroinformatics 12 83, 2018.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rtbci.datasets.dataset import Dataset, Part, unfit
from rtbci.datasets.szcore import annotated
from rtbci.recordings.listing import in_folder

PUBLISHED = "the corpus is published at https://isip.piconepress.com/projects/nedc/html/tuh_eeg/"
CITATION = "TUH EEG Seizure Corpus; V. Shah et al., Frontiers in Neuroinformatics 12, 2018"
_RECORD = re.compile(r"(?:[a-z]{8}|\d{8})_s\d{3}(?:_\d{4})?_t\d{3}")


def open_folder(folder: Path) -> Dataset:
    """Open all records in the folder and below; those below `eval` were published for the test.

    References of all kinds (`01_tcp_ar`, `02_tcp_le`, …) are opened: a bipolar montage does not depend on it.

    Parameters
    ----------
    folder
        Of the corpus, or a part of it.

    Returns
    -------
    Dataset
        `missing`: records of which only the table is there, tables of records without one, and files that cannot be read.

    Raises
    ------
    DatasetError
        If there is no record, or none has a table.
    """
    paths = [path for path in in_folder(folder) if _RECORD.fullmatch(path.stem)]
    if not paths:
        raise unfit("tusz", folder, "has no record named as aaaaaaac_s001_t000.edf", PUBLISHED)

    def part(path: Path) -> Part:
        return "test" if "eval" in path.relative_to(folder.parent).parts else "train"

    found = annotated("tusz", folder, paths, PUBLISHED, ".csv_bi or .csv", part=part, citation=CITATION)
    records = {path.with_suffix("") for path in paths}
    tables = sorted(path for path in folder.rglob("*.csv_bi") if path.with_suffix("") not in records)
    absent = tuple(table.with_suffix(".edf").relative_to(folder).as_posix() for table in tables)
    return replace(found, missing=(*absent, *found.missing))
