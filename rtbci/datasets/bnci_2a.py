"""BCI Competition IV, set 2a: nine people imagine left hand, right hand, feet and tongue; A01T.gdf, and A01E.gdf to test.

References
----------
M. Tangermann et al., Frontiers in Neuroscience 6, 2012; C. Brunner et al., BCI Competition 2008, Graz data set A.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtbci.datasets.dataset import Dataset, Member, opened, unfit
from rtbci.errors import DatasetError
from rtbci.recordings.listing import in_folder
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.types import Event

PUBLISHED = "the recordings are published at https://www.bbci.de/competition/iv/"
CITATION = "BCI Competition IV, set 2a; M. Tangermann et al., Frontiers in Neuroscience 6, 2012"
LABELS = ("left", "right", "feet", "tongue")
CHANNELS = (
    "Fz", "FC3", "FC1", "FCz", "FC2", "FC4", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP3", "CP1", "CPz", "CP2", "CP4",
    "P1", "Pz", "P2", "POz", "EOG1", "EOG2", "EOG3",
)  # fmt: skip
TRIAL, REJECTED, UNKNOWN_CUE = "768", "1023", "783"
CUES = dict(zip(("769", "770", "771", "772"), LABELS, strict=True))
NEAR_S = 0.1  # of a rejection to the start of its trial
_RECORD = re.compile(r"(A\d{2})([TE])", re.IGNORECASE)


def open_folder(folder: Path) -> Dataset:
    """Open all sessions in the folder and below; each cue is an annotation at its onset, those of rejected trials are left out.

    Parameters
    ----------
    folder
        With `A01T.gdf` …, and for the test `A01E.gdf` with `A01E.mat`, which holds the true classes.

    Returns
    -------
    Dataset
        `missing`: sessions without their other one, or without true classes, and files that cannot be read.

    Raises
    ------
    DatasetError
        If there is no session, or a file's cues and classes do not agree.
    """
    found = {path.stem.upper(): path for path in in_folder(folder) if _RECORD.fullmatch(path.stem)}
    if not found:
        raise unfit("bnci_2a", folder, "has no session named as A01T.gdf", PUBLISHED)
    known = [path for name, path in sorted(found.items()) if name.endswith("T") or _classes_file(path) is not None]
    members, unread = opened(known, _member)
    unlabelled = [f"{path.stem}.mat, the classes of {path.name}" for path in found.values() if path not in known]
    people = sorted({name[:3] for name in found})
    absent = [f"{who}{which}.gdf" for who in people for which in "TE" if f"{who}{which}" not in found]
    return Dataset("bnci_2a", LABELS, members, (*absent, *unlabelled, *unread), citation=CITATION)


def _classes_file(path: Path) -> Path | None:
    return next((one for one in (path.with_suffix(".mat"), path.with_suffix(".MAT")) if one.is_file()), None)


def _member(path: Path) -> Member:
    recording = open_recording(path, told=StreamOverrides(channels=CHANNELS))
    cues = [event for event in recording.annotations if event.label in (*CUES, UNKNOWN_CUE)]
    labels = [CUES.get(event.label, "") for event in cues]
    if "" in labels:
        labels = _true_classes(path, len(cues))
    rejected = [event.onset for event in recording.annotations if event.label == REJECTED]
    starts = [event.onset for event in recording.annotations if event.label == TRIAL]
    events = tuple(
        Event(cue.onset, cue.duration, label)
        for cue, label in zip(cues, labels, strict=True)
        if not _is_rejected(cue.onset, starts, rejected)
    )
    is_test = path.stem.upper().endswith("E")
    labelled = replace(recording, annotations=events)
    return Member(path.stem.upper(), labelled, path.stem[:3].upper(), "test" if is_test else "train")


def _is_rejected(cue: float, starts: Sequence[float], rejected: Sequence[float]) -> bool:
    """Whether the trial of a cue, which began some two seconds before it, was rejected."""
    begun = max((start for start in starts if start <= cue), default=cue)
    return any(abs(at - begun) <= NEAR_S or begun <= at <= cue for at in rejected)


def _true_classes(path: Path, n_cues: int) -> list[str]:
    from scipy.io import loadmat

    file = _classes_file(path)
    if file is None:
        raise DatasetError(f"{path}: its cues do not say their classes, and {path.stem}.mat is not there; {PUBLISHED}")
    classes = np.asarray(loadmat(file).get("classlabel", [])).ravel()
    if len(classes) != n_cues or not set(classes.tolist()) <= {1, 2, 3, 4}:
        raise DatasetError(
            f"{file}: has {len(classes)} classes in `classlabel` for {n_cues} cues of {path.name}; wanted one of 1 to 4 each; "
            f"{PUBLISHED}"
        )
    return [LABELS[int(number) - 1] for number in classes]
