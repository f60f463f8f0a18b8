"""SeizeIT2: 125 patients with electrodes behind the ears, in BIDS; beside the EEG, other modalities of the same recording.

References
----------
M. Bhagubai et al., Scientific Data 12, 2025 (SeizeIT2); OpenNeuro ds005873.
"""

from __future__ import annotations

from pathlib import Path

from rtbci.datasets.dataset import Dataset, unfit
from rtbci.datasets.szcore import annotated
from rtbci.recordings.listing import in_folder

PUBLISHED = "the dataset is published at https://openneuro.org/datasets/ds005873"
CITATION = "SeizeIT2; M. Bhagubai et al., Scientific Data 12, 2025; OpenNeuro ds005873"


def open_folder(folder: Path) -> Dataset:
    """Open the EEG of every run; ECG, EMG and movement of the same run are left out.

    Parameters
    ----------
    folder
        Of the dataset, or a part of it.

    Returns
    -------
    Dataset
        `missing`: event tables of runs without one, and files that cannot be read.

    Raises
    ------
    DatasetError
        If there is no run, or none has an event table.
    """
    paths = [path for path in in_folder(folder) if path.stem.startswith("sub-") and path.stem.endswith("_eeg")]
    if not paths:
        raise unfit("seizeit2", folder, "has no run named as sub-001_ses-01_…_eeg.edf", PUBLISHED)
    return annotated("seizeit2", folder, paths, PUBLISHED, "NAME_events.tsv", citation=CITATION)
