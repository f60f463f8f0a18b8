"""Event tables: the TSV of SzCORE and BIDS, written whole or as a live session goes on, and read back exactly.

Columns after J. Dan et al., SzCORE, Epilepsia 2024: onset and duration in seconds, eventType `sz` or `bckg`.
"""

from __future__ import annotations

import errno
import io
import math
import os
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType

from rtbci.errors import RecordingError
from rtbci.text import plain
from rtbci.types import Event

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
NOT_AVAILABLE = "n/a"

_SEIZURE, _BACKGROUND = "sz", "bckg"
_RETRY_S = 5.0
_MAX_BYTES = 64 * 2**20  # a table of a million events; beyond, the file is something else


def write_events(
    path: str | Path, events: Iterable[Event], start: datetime | None = None, duration_s: float | None = None
) -> None:
    """Write the table in one step: it is there whole, or as it was before.

    `start` is the recording's, `duration_s` its length. Without events SzCORE asks for one row of background.
    """
    replace_text(Path(path), _table(events, start, duration_s))


def read_events(path: str | Path) -> tuple[Event, ...]:
    """Read a table of SzCORE columns, or a BIDS one with `trial_type`; background rows are no events.

    Raises RecordingError with the line of what is wrong.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecordingError(f"{path}: is larger than an event table can be ({_MAX_BYTES} bytes); check the file")
        lines = path.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}; check the name and the folder") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: is no text in UTF-8 ({error.reason}); an event table is a TSV file") from error
    # Quotes are characters like any other in a BIDS table.
    rows = [line.split("\t") for line in lines]
    header = rows[0] if rows else []
    missing = [c for c in ("onset", "duration") if c not in header]
    if "eventType" not in header and "trial_type" not in header:
        missing.append("eventType")
    if missing:
        raise RecordingError(f"{path}: line 1 lacks the column {', '.join(missing)}; wanted {' '.join(COLUMNS)}")
    events = (_event(path, number, header, row) for number, row in enumerate(rows[1:], 2) if row != [""])
    return tuple(event for event in events if event is not None)


class EventLog:
    """The table of a live session: each event is on disk when `add` returns; `close` makes it a finished table.

    A disk that takes no more raises nothing: `trouble` says so, and what is not written follows once it takes it.
    """

    def __init__(self, path: str | Path, start: datetime | None = None) -> None:
        self.path = Path(path)
        self.start = start
        self.events: list[Event] = []
        self.trouble = ""
        self._n_written = 0
        self._file: io.FileIO | None = None  # from the first time that the disk takes it
        self._size = 0  # of the whole lines in it
        self._retry_at = 0.0
        self._closed = False
        self._write()

    def add(self, event: Event) -> None:
        """Append one event that has ended; onset in seconds from the start of the session."""
        if self._closed:
            raise ValueError(f"{self.path}: the event log is closed")
        self.events.append(event)
        self._write()

    def tend(self) -> None:
        """Try again, a while after the disk took no more."""
        if self.trouble and time.monotonic() >= self._retry_at:
            self._write()

    def close(self, duration_s: float | None = None) -> None:
        """Rewrite the table with the recording's duration, now that it is known: as `write_events` would."""
        if self._closed:
            return
        self._closed = True
        try:
            write_events(self.path, self.events, self.start, duration_s)
            self.trouble = ""
        except OSError as error:
            self._write()
            self.trouble = self._words(error)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self) -> None:
        try:
            if self._file is None:
                replace_text(self.path, _line(COLUMNS))
                self._file = open(self.path, "r+b", buffering=0)  # noqa: SIM115
                self._size = self._file.seek(0, os.SEEK_END)
            rows = (_line(_row(event, self.start, None)) for event in self.events[self._n_written :])
            self._append("".join(rows).encode())
        except OSError as error:
            self.trouble, self._retry_at = self._words(error), time.monotonic() + _RETRY_S
        else:
            self._n_written, self.trouble = len(self.events), ""

    def _append(self, lines: bytes) -> None:
        """All of them, or the file is again as it was."""
        assert self._file is not None
        self._file.seek(self._size)
        try:
            if self._file.write(lines) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._size)
            raise
        self._size += len(lines)

    def _words(self, error: OSError) -> str:
        left = len(self.events) - self._n_written
        kept = "no event is missing in it" if not left else f"{left} of {len(self.events)} events are not in it yet"
        return f"the event table is not written: {error.strerror}; {kept} ({self.path})"

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _table(events: Iterable[Event], start: datetime | None, duration_s: float | None) -> str:
    rows = [_row(event, start, duration_s) for event in events]
    if not rows and duration_s is not None:
        rows = [_row(Event(0.0, float(duration_s), _BACKGROUND), start, duration_s)]
    return "".join(map(_line, [COLUMNS, *rows]))


def _row(event: Event, start: datetime | None, duration_s: float | None) -> tuple[str, ...]:
    return (
        repr(float(event.onset)),
        repr(float(event.duration)),
        _SEIZURE if event.label == "seizure" else _cell(event.label),
        repr(float(event.confidence)),
        ",".join(_cell(c).replace(",", ";") for c in event.channels) or "all",
        f"{start:%Y-%m-%d %H:%M:%S}" if start else NOT_AVAILABLE,
        NOT_AVAILABLE if duration_s is None else repr(float(duration_s)),
    )


def _cell(text: str) -> str:
    """One cell of a TSV: no tabs, no line ends or other control characters of any kind, never empty."""
    return plain(" ".join(text.split())) or NOT_AVAILABLE


def _line(cells: Iterable[str]) -> str:
    return "\t".join(cells) + "\n"


def replace_text(path: Path, text: str) -> None:
    """Written beside and renamed: a kill leaves the old file or the new."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _event(path: Path, number: int, header: list[str], row: list[str]) -> Event | None:
    if len(row) != len(header):
        raise RecordingError(f"{path}: line {number} has {len(row)} cells, the header {len(header)}; mend the line")
    cells = dict(zip(header, row, strict=True))
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
