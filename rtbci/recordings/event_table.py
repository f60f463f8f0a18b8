"""Event tables: TSV with the columns of SzCORE and BIDS, written at once or during a live session.

Onset and duration in seconds, eventType `sz` or `bckg`. A table may hold several runs, one after another: `dateTime`,
in SzCORE the start of the recording, is the start of a row's run, and its onset is relative to that. So older rows
keep their meaning, and any reader of such tables accepts the newer ones.

References
----------
J. Dan et al., SzCORE, Epilepsia 2024.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType

from rtbci.errors import RecordingError
from rtbci.files import atomic_write
from rtbci.recordings.event_rows import (
    BACKGROUND,
    COLUMNS,
    NOT_AVAILABLE,
    event_of,
    header,
    rows_text,
    start_cell,
    start_of,
)
from rtbci.recordings.mit_annotations import read_seizures
from rtbci.recordings.table_cells import cells_of
from rtbci.recordings.table_file import MAX_BYTES, TableFile
from rtbci.types import Event

RETRY_S = 5.0
_LOOK_EVERY_S = 1.0  # whether the table is still there


@dataclass(frozen=True, slots=True)
class Run:
    """The events of one run of an engine, or of one recording; onsets are relative to its own start."""

    start: datetime | None
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Content of an event table.

    torn: incomplete last row of a table of ours, as after a power cut; else empty. odd: what a person should know.
    background: from when to when a row says that there is no event; for a table of several runs, none.
    """

    runs: tuple[Run, ...]
    torn: str = ""
    odd: tuple[str, ...] = ()
    background: tuple[tuple[float, float], ...] = ()

    @property
    def events(self) -> tuple[Event, ...]:
        """Events of all runs on one clock: onsets in seconds from the start of the first run."""
        first = self.runs[0].start if self.runs else None
        return tuple(event for run in self.runs for event in _moved(run, first))


def write_events(
    path: str | Path, events: Iterable[Event], start: datetime | None = None, duration_s: float | None = None
) -> None:
    """Write an event table completely, or leave the file as it was.

    Parameters
    ----------
    path
        The file to write or replace.
    events
        Onsets in seconds from `start`. Where there are none, SzCORE asks for one row of background.
    start
        Start of the recording.
    duration_s
        Its length in seconds.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    atomic_write(path, table_text(events, start, duration_s))


def table_text(events: Iterable[Event], start: datetime | None = None, duration_s: float | None = None) -> str:
    """The content that `write_events` writes."""
    return header() + rows_text(events, start, duration_s)


def read_events(path: str | Path) -> tuple[Event, ...]:
    """The events of a table: `read_table(path).events`."""
    return read_table(path).events


def read_table(path: str | Path) -> Table:
    """Read a table of SzCORE, BIDS, TUSZ or CHB-MIT, or any other with an onset and a duration or an end; background is no event.

    Parameters
    ----------
    path
        The table.

    Returns
    -------
    Table
        Its runs, in the order of their first rows.

    Raises
    ------
    RecordingError
        If it cannot be read; the message names the line.
    """
    path = Path(path)
    if path.suffix == ".seizures":
        seizures = tuple(Event(start, stop - start, "seizure") for start, stop in read_seizures(path))
        return Table((Run(None, seizures),))
    content, torn = _content(path)
    table, ours = cells_of(path, content), content.startswith(header().encode())
    runs: dict[str, list[Event]] = {}
    background: list[tuple[float, float]] = []
    for number, cells in table.rows:
        run = runs.setdefault(cells.get("dateTime", NOT_AVAILABLE), [])
        event = event_of(path, number, cells, ours=ours)
        if event.label == BACKGROUND:
            background.append((event.onset, event.onset + event.duration))
        else:
            run.append(event)
    made = tuple(Run(start_of(text), tuple(events)) for text, events in runs.items())
    return Table(made, torn, table.odd, tuple(background) if len(made) == 1 else ())


class EventLog:
    """The event table of a live session: each event is on disk when `add` returns; `close` finishes the table.

    An existing table with these columns is continued, its rows unchanged: `start` marks the new run. Where the file is
    something else, has an incomplete row, is locked by another process or already has a run with the same start, the
    table is written to a numbered file: `night-2.tsv`. So is the whole run where the file is replaced or changed
    during the session.

    A full disk raises nothing: `trouble` reports it, and the missing rows are written once there is space.

    Parameters
    ----------
    path
        The requested file.
    start
        When the session began: `dateTime` of its rows.

    Attributes
    ----------
    path
        The file that is written.
    notice
        Why that is not the requested file; for `take_notice`.
    """

    def __init__(self, path: str | Path, start: datetime | None = None) -> None:
        self.path = Path(path)
        self.start = start
        self.events: list[Event] = []
        self.trouble = ""
        self.notice = ""
        self._asked = Path(path)
        self._n_written = 0
        self._file: TableFile | None = None  # from the first successful write on
        self._begin = 0  # bytes of the header and of earlier runs
        self._retry_at = self._look_at = 0.0
        self._closed = False
        self._write()

    def add(self, event: Event) -> None:
        """Append one event that has ended; onset in seconds from the start of the session."""
        if self._closed:
            raise ValueError(f"{self.path}: the event log is closed")
        self.events.append(event)
        self._write()

    def tend(self) -> None:
        """Retry, some seconds after a write failed; start the table anew where it was moved, changed or removed."""
        now = time.monotonic()
        if now >= (self._retry_at if self.trouble else self._look_at):
            self._look_at = now + _LOOK_EVERY_S
            self._write()

    def take_notice(self) -> str:
        """The pending notice about another file, once; then an empty string."""
        notice, self.notice = self.notice, ""
        return notice

    def close(self, duration_s: float | None = None) -> None:
        """Rewrite this run's rows with the recording's duration, now that it is known: as `write_events` would."""
        if self._closed:
            return
        self._closed = True
        self._write()
        if self._file is None:
            return
        try:
            earlier = self._file.head(self._begin)
            atomic_write(self._file.real_path, earlier + rows_text(self.events, self.start, duration_s).encode())
            self.trouble = ""
        except OSError as error:
            self.trouble = self._trouble_text(error)
        self._file.close()
        self._file = None

    def _write(self) -> None:
        try:
            self._hold()
            assert self._file is not None
            if rows := rows_text(self.events[self._n_written :], self.start, None):
                self._file.append(rows.encode())
        except OSError as error:
            self.trouble, self._retry_at = self._trouble_text(error), time.monotonic() + RETRY_S
        else:
            self._n_written, self.trouble = len(self.events), ""

    def _hold(self) -> None:
        """Keep the table open as it was left; else start one that gets all events of this run."""
        lost = self._file is not None and not self._file.is_there()
        if self._file is not None and lost:
            self._file.close()
            self._file, self._n_written = None, 0
        if self._file is None:
            self._file = TableFile(self._asked, COLUMNS, self._clash)
            self._begin, before, self.path = self._file.size, self.path, self._file.path
            if lost:
                self.notice = (
                    f"{before} was changed or removed by another program; all events of this run are in {self.path}"
                )
            elif self._file.why_not:
                self.notice = f"{self._asked} {self._file.why_not}; the events of this run go to {self.path}"

    def _clash(self, content: bytes) -> str:
        """A run is identified by its start."""
        start = re.escape(start_cell(self.start)).encode()
        if re.search(rb"\t" + start + rb"\t[^\t\n]*$", content, re.MULTILINE):
            return "holds a run with the same start"
        return ""

    def _trouble_text(self, error: OSError) -> str:
        left = len(self.events) - self._n_written
        kept = "no event is missing in it" if not left else f"{left} of {len(self.events)} events are not in it yet"
        return f"the event table is not written: {error.strerror}; {kept} ({self.path})"

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _content(path: Path) -> tuple[bytes, str]:
    """The content of a table, and apart from it an incomplete last row where the table is ours."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RecordingError(f"{path}: is larger than an event table can be ({MAX_BYTES} bytes); check the file")
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}; check the name and the folder") from error
    if content.startswith(header().encode()):
        whole, _, last = content.rpartition(b"\n")
        if last.count(b"\t") < len(COLUMNS) - 1:
            return whole, last.decode(errors="replace")
    return content, ""


def _moved(run: Run, first: datetime | None) -> tuple[Event, ...]:
    shift_s = (run.start - first).total_seconds() if run.start is not None and first is not None else 0.0
    return tuple(replace(e, onset=e.onset + shift_s) for e in run.events) if shift_s else run.events
