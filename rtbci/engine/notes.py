"""What a person adds while the engine runs: annotations for event table and Markers outlet, verdicts beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtbci.lsl.outlets import Outlets
from rtbci.monitor.messages import Annotate, Review
from rtbci.recordings.event_table import EventLog
from rtbci.text import one_line
from rtbci.types import Event

REVIEW_COLUMNS = ("onset", "eventType", "verdict", "note")
MAX_TEXT = 500


def take_note(
    what: Annotate | Review, events: EventLog | None, outlets: Outlets | None, log: Callable[..., None]
) -> None:
    """Carry it out. log: takes the kind of a line and its fields."""
    if isinstance(what, Annotate):
        _annotate(what, events, outlets, log)
    else:
        _review(what, events, log)


def review_path(events: Path) -> Path:
    """Where the verdicts on an event table are kept: `night_events.tsv` -> `night_events_review.tsv`."""
    return events.with_name(f"{events.stem}_review.tsv")


def _annotate(what: Annotate, events: EventLog | None, outlets: Outlets | None, log: Callable[..., None]) -> None:
    label = _cell(what.label) or "note"
    if events is not None:
        events.add(Event(what.onset, what.duration, label))
    if outlets is not None:
        about = {"label": label, "state": "annotation", "onset_s": what.onset, "duration_s": what.duration}
        outlets.marker(about, what.stamp)
    log("annotation", label=label, onset=what.onset, duration=what.duration, stamp=what.stamp)


def _review(what: Review, events: EventLog | None, log: Callable[..., None]) -> None:
    label, note = _cell(what.label), _cell(what.note)
    if events is not None:
        path = review_path(events.path)
        try:
            new = not path.exists()
            with path.open("a", encoding="utf-8", newline="") as file:
                if new:
                    file.write("\t".join(REVIEW_COLUMNS) + "\n")
                file.write(f"{what.onset!r}\t{label}\t{what.verdict or 'n/a'}\t{note or 'n/a'}\n")
        except OSError as error:
            log("alarm", text=f"{path}: the verdict on {label} at {what.onset:.1f} s is not written: {error.strerror}")
            return
    log("review", label=label, onset=what.onset, verdict=what.verdict, note=note)


def _cell(text: str) -> str:
    """One cell: no tabs, no line ends, of a sane length."""
    return one_line(text[: 2 * MAX_TEXT])[:MAX_TEXT]
