"""Siena Scalp EEG: 14 adults with epilepsy; the seizure times are clock times in `Seizures-list-PNxx.txt`.

References
----------
P. Detti et al., Processes 8(7) 846, 2020; P. Detti, PhysioNet 2020, doi:10.13026/5d4a-j060.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rtbci.datasets.dataset import Dataset, Member, opened, unfit
from rtbci.errors import DatasetError
from rtbci.recordings.listing import in_folder
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.types import Event

PUBLISHED = "the database is published at https://physionet.org/content/siena-scalp-eeg/"
CITATION = "Siena Scalp EEG Database; P. Detti, PhysioNet 2020; P. Detti et al., Processes 8(7), 2020"
LABELS = ("seizure",)
DAY_S = 86_400
NEAR_S = 2.0  # between the clock of the list and that of the file

_RECORD = re.compile(r"PN\d{2}-[\d.]+", re.IGNORECASE)
_FILE = re.compile(r"File name:\s*(\S+)", re.IGNORECASE)
_TIME = re.compile(r"(registration start|registration end|start|end) time\s*:\s*([\d .:]+)", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2})[.:](\d{2})[.:](\d{2})")
# Typing errors of the published lists: record, what stands there, what is meant.
ERRATA = {("pn00-3", "end", "19.29.29"): "18.29.29"}


@dataclass(frozen=True)
class Listed:
    """A record in a list: when it began and ended, and its seizures; seconds of the day."""

    start: int
    end: int
    seizures: tuple[tuple[int, int], ...]
    corrected: tuple[str, ...] = ()


def open_folder(folder: Path) -> Dataset:
    """Open all records in the folder and below.

    Parameters
    ----------
    folder
        Of the database, or a part of it.

    Returns
    -------
    Dataset
        `missing`: records that a list names and the folder lacks, and those that no list names.

    Raises
    ------
    DatasetError
        If there is no record, or a list cannot be understood.
    """
    paths = [path for path in in_folder(folder) if _RECORD.fullmatch(path.stem)]
    if not paths:
        raise unfit("siena", folder, "has no record named as PN00-1.edf", PUBLISHED)
    listed = {
        name: one for path in sorted(folder.rglob("Seizures-list-*.txt")) for name, one in read_list(path).items()
    }
    known = [path for path in paths if path.stem.lower() in listed]
    if not known:
        raise unfit("siena", folder, "has no Seizures-list-PN00.txt that names one of its records", PUBLISHED)
    members, unread = opened(known, lambda path: _member(path, listed[path.stem.lower()]))
    unnamed = [f"{path.name}: no Seizures-list names it" for path in paths if path not in known]
    there = {path.stem.lower() for path in paths}
    absent = [f"{name.upper()}.edf" for name in listed if name not in there]
    return Dataset("siena", LABELS, members, (*absent, *unnamed, *unread), citation=CITATION)


def _member(path: Path, listed: Listed) -> Member:
    recording = open_recording(path)
    events = tuple(Event(float(a), float(b - a), LABELS[0]) for a, b in listed.seizures)
    labelled = replace(
        recording,
        annotations=events,
        background=((0.0, recording.duration_s),),
        warnings=(*recording.warnings, *listed.corrected, *_odd(recording, listed)),
    )
    return Member(path.stem, labelled, path.stem[:4].upper())


def _odd(recording: Recording, listed: Listed) -> Iterator[str]:
    """Where the list and the file differ about the time."""
    if recording.start is not None:
        clock = recording.start.hour * 3600 + recording.start.minute * 60 + recording.start.second
        apart = abs(clock - listed.start)
        if min(apart, DAY_S - apart) > NEAR_S:
            yield (
                f"its list says that it began at {_text(listed.start)}, and the file {_text(clock)}: seizures are counted from "
                "the list's time"
            )
    if any(stop > recording.duration_s for _, stop in listed.seizures):
        yield "its list names a seizure beyond its end"


def read_list(path: Path) -> dict[str, Listed]:
    """The records of a `Seizures-list-PNxx.txt`, by their names in small letters, seizures in seconds of the record.

    Raises
    ------
    DatasetError
        If a record has no registration times, or a seizure has no start or end.
    """
    times: dict[str, list[tuple[str, str]]] = defaultdict(list)
    name = ""
    for line in path.read_text("utf-8", errors="replace").splitlines():
        if (file := _FILE.search(line)) is not None:
            name = _record(file[1])
        elif name and (time := _TIME.search(line)) is not None:
            times[name].append((time[1].lower(), time[2].replace(" ", "")))
    if not times:
        raise DatasetError(f"{path}: names no record; copy it again from the publisher: {PUBLISHED}")
    return {name: _listed(path, name, marks) for name, marks in times.items()}


def _record(text: str) -> str:
    """The name of a record; the lists have PN01.edf, PNO6-1.edf and PN11-.edf."""
    name = text.lower().removesuffix(".edf").replace("o", "0")
    number = name.partition("-")[2]
    return name if number else f"{name.removesuffix('-')}-1"


def _listed(path: Path, name: str, marks: list[tuple[str, str]]) -> Listed:
    corrected = [
        f"its list has {text} as the {kind} of a seizure; {ERRATA[name, kind, text]} is meant"
        for kind, text in marks
        if (name, kind, text) in ERRATA
    ]
    read = [(kind, _seconds(path, name, ERRATA.get((name, kind, text), text))) for kind, text in marks]
    registered = [(kind, at) for kind, at in read if kind.startswith("registration")]
    start, end = (next((at for kind, at in registered if kind.endswith(which)), None) for which in ("start", "end"))
    if start is None or end is None:
        raise DatasetError(f"{path}: {name} has no registration start and end time; {PUBLISHED}")
    limits = [(kind, (at - start) % DAY_S) for kind, at in read if not kind.startswith("registration")]
    pairs = list(zip(limits[::2], limits[1::2], strict=False))
    if len(limits) % 2 or any((a[0], b[0]) != ("start", "end") or b[1] <= a[1] for a, b in pairs):
        raise DatasetError(f"{path}: {name} has a seizure without a start before its end; {PUBLISHED}")
    return Listed(start, end, tuple((a, b) for (_, a), (_, b) in pairs), tuple(corrected))


def _seconds(path: Path, name: str, text: str) -> int:
    found = _CLOCK.fullmatch(text.strip(".:"))
    if found is None:
        raise DatasetError(f"{path}: {name} has the time {text!r}; wanted hours.minutes.seconds; {PUBLISHED}")
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])


def _text(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
