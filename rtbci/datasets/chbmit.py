"""CHB-MIT: 24 cases of children with intractable seizures; the seizure times are in the summaries.

References
----------
A. Shoeb, PhD thesis, MIT 2009; A. Goldberger et al., PhysioNet, Circulation 101(23), 2000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rtbci.datasets.dataset import Dataset, Member, opened, unfit
from rtbci.datasets.subjects import same_person
from rtbci.errors import DatasetError, RecordingError
from rtbci.recordings import mit_annotations
from rtbci.recordings.listing import in_folder
from rtbci.recordings.open import open_recording
from rtbci.types import Event

PUBLISHED = "the database is published at https://physionet.org/content/chbmit/"
CITATION = "CHB-MIT Scalp EEG Database; A. Shoeb, MIT 2009; PhysioNet"
LABELS = ("seizure",)

_RECORD = re.compile(r"(chb\d{2})[a-z]?_\d+\+?\.edf", re.IGNORECASE)
_CHANNEL = re.compile(r"Channel \d+:\s*(.*)")
_LIMIT = re.compile(r"Seizure\s*\d*\s*(Start|End) Time:\s*(\d+)\s*seconds")


@dataclass(frozen=True)
class Listed:
    """One record in a summary: its channels ("-" for an empty place), and its seizures in seconds."""

    name: str
    channels: tuple[str, ...]
    seizures: tuple[tuple[float, float], ...]


def open_folder(folder: Path) -> Dataset:
    """Open all records in the folder and below, with seizures from `chbNN-summary.txt` or `NAME.edf.seizures`.

    Channels often change within a case: see `Dataset.fitting`. The subject of case chb21 is that of chb01.

    Parameters
    ----------
    folder
        Of the database, or a part of it.

    Returns
    -------
    Dataset
        `missing`: records that a summary lists and the folder lacks, and second files of the same record.

    Raises
    ------
    DatasetError
        If there is no record, or the seizures of one are not known.
    """
    found = [path for path in in_folder(folder) if _RECORD.fullmatch(path.name)]
    first = {path.name.lower(): path for path in reversed(found)}
    paths = [path for path in found if first[path.name.lower()] == path]
    again = tuple(f"{p}: left out, for {first[p.name.lower()]} is the same record" for p in found if p not in paths)
    listed = {record.name: record for path in sorted(folder.rglob("chb*-summary.txt")) for record in read_summary(path)}
    if not paths:
        raise unfit("chbmit", folder, "has no record named as chb01_03.edf", PUBLISHED)
    members, unread = opened(paths, lambda path: _member(path, listed))
    missing = tuple(name for name in listed if name not in first)
    return Dataset("chbmit", LABELS, members, (*missing, *again, *unread), citation=CITATION)


def _member(path: Path, listed: dict[str, Listed]) -> Member:
    beside = path.with_name(f"{path.name}.seizures")
    if (record := listed.get(path.name.lower())) is not None:
        seizures = record.seizures
    elif beside.exists():
        seizures = tuple(read_seizures(beside))
    else:
        case = path.name[:5]
        raise DatasetError(
            f"{path}: neither {case}-summary.txt nor {beside.name} says whether it has seizures; {PUBLISHED}"
        )
    events = tuple(Event(start, stop - start, LABELS[0]) for start, stop in seizures)
    name = path.name.removesuffix(path.suffix)
    recording = open_recording(path)
    # What is no seizure is background: both kinds of file list all of them.
    labelled = replace(recording, annotations=events, background=((0.0, recording.duration_s),))
    return Member(name, labelled, same_person(path.name[:5].lower()))


def read_summary(path: Path) -> list[Listed]:
    """The records in a `chbNN-summary.txt`; a list of channels holds until the next one. Raises DatasetError."""
    records: list[Listed] = []
    channels: list[str] = []
    text = path.read_text("utf-8", errors="replace")
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        if named := _CHANNEL.findall(block):
            channels = [name.strip() for name in named]
        if (name := re.search(r"File Name:\s*(\S+)", block)) is None:
            continue
        records.append(Listed(name[1].lower(), tuple(channels), _seizures(path, name[1], block)))
    if not records:
        raise DatasetError(f"{path}: lists no record; copy it again from the publisher: {PUBLISHED}")
    return records


def _seizures(path: Path, name: str, block: str) -> tuple[tuple[float, float], ...]:
    limits = _LIMIT.findall(block)
    starts = [float(seconds) for which, seconds in limits if which == "Start"]
    stops = [float(seconds) for which, seconds in limits if which == "End"]
    counted = re.search(r"Number of Seizures in File:\s*(\d+)", block)
    if (
        counted is None
        or not int(counted[1]) == len(starts) == len(stops)
        or any(a >= b for a, b in zip(starts, stops, strict=True))
    ):
        raise DatasetError(
            f"{path}: {name} says {counted and counted[1]} seizures, but gives {len(starts)} starts and {len(stops)} ends"
        )
    return tuple(zip(starts, stops, strict=True))


def read_seizures(path: Path) -> Iterator[tuple[float, float]]:
    """Seizures in `NAME.edf.seizures`: from each `[` to the next `]`. Raises DatasetError."""
    try:
        yield from mit_annotations.read_seizures(path)
    except RecordingError as error:
        raise DatasetError(f"{error}; {PUBLISHED}") from error
