"""Events as rows of an event table and back: the columns of SzCORE, and BIDS's `trial_type`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from rtbci.errors import RecordingError
from rtbci.text import plain
from rtbci.types import Event

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
NOT_AVAILABLE = "n/a"

_SEIZURE, _BACKGROUND = "sz", "bckg"
_CLOCK = "%Y-%m-%d %H:%M:%S"


def header() -> str:
    """The header line."""
    return _line(COLUMNS)


def rows_text(events: Iterable[Event], start: datetime | None, duration_s: float | None) -> str:
    """One line for each event; where there is none and the recording is over, one of background."""
    rows = [_row(event, start, duration_s) for event in events]
    if not rows and duration_s is not None:
        rows = [_row(Event(0.0, float(duration_s), _BACKGROUND), start, duration_s)]
    return "".join(map(_line, rows))


def _row(event: Event, start: datetime | None, duration_s: float | None) -> tuple[str, ...]:
    return (
        repr(float(event.onset)),
        repr(float(event.duration)),
        _SEIZURE if event.label == "seizure" else _cell(event.label),
        repr(float(event.confidence)),
        ",".join(_cell(c).replace(",", ";") for c in event.channels) or "all",
        start_cell(start),
        NOT_AVAILABLE if duration_s is None else repr(float(duration_s)),
    )


def start_cell(start: datetime | None) -> str:
    """The cell of `dateTime`."""
    return f"{start:{_CLOCK}}" if start else NOT_AVAILABLE


def _cell(text: str) -> str:
    """One cell of a TSV: no tabs, no line ends or other control characters of any kind, never empty."""
    return plain(" ".join(text.split())) or NOT_AVAILABLE


def _line(cells: Iterable[str]) -> str:
    return "\t".join(cells) + "\n"


def cells_of(path: Path, number: int, header: list[str], row: list[str]) -> Mapping[str, str]:
    """A row by its header. Raises RecordingError."""
    if len(row) != len(header):
        raise RecordingError(f"{path}: line {number} has {len(row)} cells, the header {len(header)}; correct the line")
    return dict(zip(header, row, strict=True))


def event_of(path: Path, number: int, cells: Mapping[str, str]) -> Event | None:
    """The event of a row, None for background. Raises RecordingError."""
    label = cells.get("eventType", cells.get("trial_type", ""))
    if label == _BACKGROUND:
        return None
    channels = cells.get("channels", "all")
    return Event(
        onset=_seconds(path, number, cells, "onset"),
        duration=_seconds(path, number, cells, "duration", absent=0.0, least=0.0),
        label="seizure" if label == _SEIZURE else label,
        confidence=_seconds(path, number, cells, "confidence", absent=1.0),
        channels=() if channels in ("all", NOT_AVAILABLE, "") else tuple(channels.split(",")),
    )


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
) -> float:
    text = cells.get(column, NOT_AVAILABLE).strip()
    if absent is not None and text in (NOT_AVAILABLE, ""):
        return absent
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least):
        raise RecordingError(f"{path}: line {number}: {column} is {text[:40]!r}; wanted a number of seconds")
    return value
