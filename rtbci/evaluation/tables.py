"""Rows of results as tab-separated tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence

from rtbci.recordings.spreadsheet import text_cell
from rtbci.results import Result

NOTHING = "n/a"  # in a cell, as in BIDS


def columns_of(row: type[Result], first: Sequence[str], but: Collection[str] = ()) -> list[str]:
    """The columns of a table of such rows: whose they are, then the figures."""
    return [*first, *(key for key in row.model_fields if key not in first and key not in but)]


def of_group(group: str) -> str:
    """The column of alarms in a group of recordings."""
    return f"alarms, {group}"


def cells(row: Result) -> dict[str, str]:
    """The cells of a row, by key."""
    return {key: cell(value) for key, value in row.plain().items()}


def cell(value: object) -> str:
    """A value as text; lists with commas."""
    if isinstance(value, list):
        return ",".join(map(cell, value)) or NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NOTHING if value is None else text_cell(str(value))


def table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """With a header; values of other columns are left out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
