"""The text of a table to its cells: TSV as BIDS has it, or with commas or semicolons; whatever wrote it, never a guess."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtbci.errors import RecordingError

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SIGNS = {"\t": "tabs", ",": "commas", ";": "semicolons"}
# Standard names of columns, and those of other programs, each in lower case.
_COLUMNS = {
    "onset": ("onset", "start_time", "start", "onset_s"),
    "duration": ("duration", "duration_s"),
    "end": ("stop_time", "end", "stop", "end_time", "offset_time"),
    "eventType": (
        "eventtype",
        "trial_type",
        "event_type",
        "label",
        "value",
        "description",
        "type",
        "event",
        "annotation",
    ),
    "confidence": ("confidence",),
    "channels": ("channels", "channel"),
    "dateTime": ("datetime",),
}
_TSE = ["onset", "end", "eventType", "confidence"]
_USUAL = ("eventtype", "trial_type", "label")  # what a row says, in the tables of SzCORE, BIDS and TUSZ
_NUMBERS = ("onset", "duration", "end", "confidence")
NO_LABEL = "annotation"


@dataclass(frozen=True)
class Cells:
    """Rows of a table, each with its line number; columns by their standard names. odd: what a person should know."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    odd: tuple[str, ...] = ()


def cells_of(path: Path, content: bytes) -> Cells:
    """The rows of a table with at least an onset and a duration or an end. Raises RecordingError; it names the line."""
    text, odd = _decoded(path, content)
    lines = [(n, line) for n, line in enumerate(_lines(text), 1) if line.strip() and not line.startswith("#")]
    if not lines:
        raise RecordingError(f"{path}: is empty; wanted a header with onset, duration and eventType")
    if lines[0][1].startswith("version = tse"):  # TUSZ before its version 2
        return Cells(tuple((n, _row(path, n, _TSE, line.split(), False)) for n, line in lines[1:]))
    number, head = lines[0]
    sign = next((sign for sign in _SIGNS if sign in head), "\t")
    columns = _columns(path, number, [name.strip().strip('"') for name in head.split(sign)])
    if sign != "\t":
        odd.append(f"{path.name}: its cells are separated by {_SIGNS[sign]}")
    if "eventType" not in columns:
        odd.append(f"{path.name}: has no column trial_type or eventType; its rows are named {NO_LABEL!r}")
    elif (label := head.split(sign)[columns.index("eventType")].strip().strip('"')).lower() not in _USUAL:
        odd.append(f"{path.name}: has no column trial_type or eventType; its rows are named by {label!r}")
    comma = sign == ";"  # a comma can only be that of a decimal there
    rows = [(n, _row(path, n, columns, cells, comma)) for n, cells in _split(text, lines[1:], len(columns), sign)]
    return Cells(tuple(rows), tuple(odd) if path.suffix == ".tsv" else tuple(o for o in odd if "separated" not in o))


def _decoded(path: Path, content: bytes) -> tuple[str, list[str]]:
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding), []
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or b"\0" in content:
            raise RecordingError(f"{path}: is not UTF-8 text ({error.reason}); an event table is a TSV file") from error
    return content.decode("latin-1"), [f"{path.name}: is not UTF-8; it is read as Latin-1"]


def _lines(text: str) -> list[str]:
    return io.StringIO(text, newline=None).read().split("\n")


def _columns(path: Path, number: int, names: list[str]) -> list[str]:
    """The columns by their standard names; the first that fits has it."""
    lower = [name.lower() for name in names]
    columns = list(names)
    for standard, known in _COLUMNS.items():
        at = next((lower.index(name) for name in known if name in lower), None)
        if at is not None:
            columns[at] = standard
    missing = [
        name for name in ("onset", "duration") if name not in columns and not (name == "duration" and "end" in columns)
    ]
    if missing:
        raise RecordingError(
            f"{path}: line {number} lacks the column {', '.join(missing)}; wanted onset, duration and eventType"
        )
    return columns


def _split(text: str, lines: list[tuple[int, str]], n_columns: int, sign: str) -> Iterator[tuple[int, list[str]]]:
    rows = [(number, line.split(sign)) for number, line in lines]
    if (
        any(len(cells) != n_columns for _, cells in rows) and '"' in text
    ):  # cells in quotes hold separators or line ends
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        quoted = [(reader.line_num, cells) for cells in reader if cells and not cells[0].startswith("#")][1:]
        if all(len(cells) == n_columns for _, cells in quoted):
            rows = quoted
    yield from rows


def _row(path: Path, number: int, columns: list[str], cells: list[str], comma: bool) -> dict[str, str]:
    while len(cells) > len(columns) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != len(columns):
        raise RecordingError(
            f"{path}: line {number} has {len(cells)} cells, the header {len(columns)}; correct the line"
        )
    row = dict(zip(columns, (" ".join(cell.split()) for cell in cells), strict=True))
    return row | {name: row[name].replace(",", ".") for name in _NUMBERS if comma and name in row}
