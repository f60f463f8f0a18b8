"""Operator annotations and verdicts on events, as messages for the sinks."""

from __future__ import annotations

from rtbci.monitor.messages import Annotate, Review
from rtbci.text import one_line
from rtbci.types import OperatorAnnotation, OperatorVerdict

MAX_TEXT = 500


def annotation_of(what: Annotate) -> OperatorAnnotation:
    """The command as a message; its text fits into one cell of a table."""
    return OperatorAnnotation(_cell(what.label) or "note", what.onset, what.duration, what.stamp)


def verdict_of(what: Review) -> OperatorVerdict:
    """The command as a message; its texts fit into cells of a table."""
    return OperatorVerdict(_cell(what.label), what.onset, what.verdict, _cell(what.note))


def _cell(text: str) -> str:
    """No tabs, no line ends, at most MAX_TEXT characters."""
    return one_line(text[: 2 * MAX_TEXT])[:MAX_TEXT]
