"""The event table beside a recording: found, read, and joined with the annotations of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rtbci.errors import RecordingError
from rtbci.recordings.event_table import read_table
from rtbci.recordings.predictions import is_prediction, without_kind
from rtbci.recordings.recording import Recording
from rtbci.types import Event

_TUSZ = (".csv_bi", ".csv", ".tse_bi", ".tse")  # of version 2, and of those before


def event_table(path: Path) -> tuple[Path | None, tuple[str, ...]]:
    """The event table beside a recording, of SzCORE or BIDS, else of TUSZ or CHB-MIT.

    Returns
    -------
    table
        None where there is none.
    warnings
        A line for each table that `rtbci tag` wrote, which is never read as annotations.
    """
    bases = dict.fromkeys((path.stem, without_kind(path.stem)))
    names = [f"{base}_events.tsv" for base in bases] + [f"{path.stem}{suffix}" for suffix in _TUSZ]
    names.append(f"{path.name}.seizures")
    there = [table for name in names if (table := path.with_name(name)).is_file()]
    predicted = [table for table in there if is_prediction(table)]
    told = tuple(f"{table.name}: was written by `rtbci tag`, and is not read as annotations" for table in predicted)
    return next((table for table in there if table not in predicted), None), told


def with_table(recording: Recording, path: Path) -> Recording:
    """With the events of the table beside it, and told what of them lies outside. Raises nothing for a bad table.

    A table that cannot be read leaves the signals as they are, and is told.
    """
    recording = _with_events(recording, path)
    return replace(recording, warnings=(*recording.warnings, *_outside(recording)))


def _with_events(recording: Recording, path: Path) -> Recording:
    beside, told = event_table(path)
    recording = replace(recording, warnings=(*recording.warnings, *told))
    if beside is None:
        return recording
    try:
        table = read_table(beside)
    except RecordingError as error:
        warned = f"the event table beside it was not read: {error}"
        return replace(recording, warnings=(*recording.warnings, warned))
    odd = [f"{beside.name}: its last row is incomplete and was left out: {table.torn!r:.80}"] if table.torn else []
    if beside.suffix == ".csv_bi" and beside.with_suffix(".csv").exists():
        odd.append(f"{beside.name} was read, and not the .csv of the same name, which has types and channels")
    return replace(
        recording,
        annotations=_merged(recording.annotations, table.events),
        warnings=(*recording.warnings, *table.odd, *odd),
        table=beside,
        background=table.background,
    )


def _outside(recording: Recording) -> list[str]:
    """A warning where annotations are not, or not wholly, within the recording."""
    end = recording.duration_s
    stops = [(e.onset, e.onset + e.duration) for e in recording.annotations]
    n_outside = sum(start >= end or (start < 0 and stop <= 0) for start, stop in stops)
    n_cut = sum(start < 0 < stop or start < end < stop for start, stop in stops)
    told = [
        (n_outside, "before the start or after the end of the recording, and not used"),
        (n_cut, "reaching beyond the recording, and used as far as it goes"),
    ]
    return [f"{n} annotation{'' if n == 1 else 's'} {what} (0 … {end:g} s)" for n, what in told if n]


def _merged(own: tuple[Event, ...], beside: tuple[Event, ...]) -> tuple[Event, ...]:
    """Both, by onset; an event that is in the file and in the table counts once."""
    known = {(e.onset, e.duration, e.label) for e in own}
    added = [e for e in beside if (e.onset, e.duration, e.label) not in known]
    return tuple(sorted([*own, *added], key=lambda e: (e.onset, e.duration, e.label)))
