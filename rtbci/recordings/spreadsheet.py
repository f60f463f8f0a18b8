"""Cells of tables that people open in a spreadsheet, which would take a text that begins with a sign for a formula."""

from __future__ import annotations

import re

# With their full-width forms, which some spreadsheets take for the same.
_FORMULA = re.compile(r"[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def text_cell(text: str) -> str:
    """A text as a cell: one that would be a formula, and is no number, gets an apostrophe before it.

    `text_of` gives the same text again, also one that begins with apostrophes.
    """
    return f"'{text}" if _is_formula(text) else text


def text_of(cell: str) -> str:
    """The text that `text_cell` made a cell of."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def _is_formula(text: str) -> bool:
    bare = text.lstrip("'")
    return _FORMULA.match(bare) is not None and _NUMBER.fullmatch(bare) is None
