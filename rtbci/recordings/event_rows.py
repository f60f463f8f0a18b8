"""Events as rows of an event table and back: the columns of SzCORE are written, those of others too are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from rtbci.errors import RecordingError
from rtbci.recordings.spreadsheet import text_cell, text_of
from rtbci.recordings.table_cells import NO_LABEL
from rtbci.recordings.vocabulary import term_of
from rtbci.text import plain
from rtbci.types import Event

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
NOT_AVAILABLE = "n/a"

_ABSENT = {NOT_AVAILABLE, "", "na", "nan", "none", "null", "-", "?", "unknown"}
_SEIZURE, BACKGROUND = "sz", "bckg"
_CLOCK = "%Y-%m-%d %H:%M:%S"


def header() -> str:
    """The header line."""
    return _line(COLUMNS)


def rows_text(events: Iterable[Event], start: datetime | None, duration_s: float | None) -> str:
    """One line for each event; where there is none and the recording is over, one of background."""
    rows = [_row(event, start, duration_s) for event in events]
    if not rows and duration_s is not None:
        rows = [_row(Event(0.0, float(duration_s), BACKGROUND), start, duration_s)]
    return "".join(map(_line, rows))


def _row(event: Event, start: datetime | None, duration_s: float | None) -> tuple[str, ...]:
    return (
        repr(float(event.onset)),
        repr(float(event.duration)),
        _SEIZURE if event.label == "seizure" else text_cell(cell_text(event.label)),
        repr(float(event.confidence)),
        text_cell(",".join(cell_text(c).replace(",", ";") for c in event.channels)) or "all",
        start_cell(start),
        NOT_AVAILABLE if duration_s is None else repr(float(duration_s)),
    )


def note_type(text: str) -> str:
    """The eventType of a person's note: its text, which is told to be a note where it would read as a seizure or as none."""
    return f"note: {text}" if term_of(text) else text


def start_cell(start: datetime | None) -> str:
    """The cell of `dateTime`."""
    return f"{start:{_CLOCK}}" if start else NOT_AVAILABLE


def cell_text(text: str) -> str:
    """The text of one cell of a TSV: no tabs, no line ends or other control characters of any kind, never empty."""
    return plain(" ".join(text.split())) or NOT_AVAILABLE


def _line(cells: Iterable[str]) -> str:
    return "\t".join(cells) + "\n"


def event_of(path: Path, number: int, cells: Mapping[str, str], *, ours: bool = False) -> Event:
    """The event of a row, which may be one of background; without an end its duration is 0. Raises RecordingError.

    ours: the table was written by `rows_text`, whose apostrophes before formulas are no part of a text.
    """
    if ours:
        cells = dict(cells) | {name: text_of(cells[name]) for name in ("eventType", "channels") if name in cells}
    label = cells.get("eventType", NO_LABEL)
    onset = _seconds(path, number, cells, "onset")
    if "duration" in cells:
        duration = _seconds(path, number, cells, "duration", absent=0.0, least=0.0)
    else:
        end = _seconds(path, number, cells, "end", absent=onset)
        if end < onset:
            raise RecordingError(f"{path}: line {number}: it ends at {end:g} s, before its onset at {onset:g} s")
        duration = end - onset
    return Event(
        onset=onset,
        duration=duration,
        label="seizure" if label == _SEIZURE else label,
        confidence=_seconds(path, number, cells, "confidence", absent=1.0, what="a number"),
        channels=_channels(cells.get("channels", "all")),
    )


def _channels(text: str) -> tuple[str, ...]:
    return () if text in ("all", "TERM", NOT_AVAILABLE, "") else tuple(text.split(","))


def start_of(text: str) -> datetime | None:
    """The time in a cell of `dateTime`; None where it is not in the format of SzCORE."""
    try:
        return datetime.strptime(text.strip(), _CLOCK)
    except ValueError:
        return None


def _seconds(
    path: Path,
    number: int,
    cells: Mapping[str, str],
    column: str,
    absent: float | None = None,
    least: float = -math.inf,
    what: str = "a number of seconds",
) -> float:
    text = cells.get(column, NOT_AVAILABLE).strip().strip('"')
    if absent is not None and text.lower() in _ABSENT:
        return absent
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least):
        hint = ", with a point in place of the comma" if "," in text else ""
        raise RecordingError(f"{path}: line {number}: {column} is {text[:40]!r}; wanted {what}{hint}")
    return value
