"""What a person adds while the engine runs: annotations for event table and Markers outlet, verdicts beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rtbci.lsl.outlets import Outlets
from rtbci.recordings.event_table import EventLog
from rtbci.text import one_line
from rtbci.types import Event

VERDICTS = ("", "confirmed", "rejected")
REVIEW_COLUMNS = ("onset", "eventType", "verdict", "note")
MAX_TEXT = 500
MAX_S = 1e10  # of any clock


def take_note(
    what: dict[str, Any],
    events: EventLog | None,
    outlets: Outlets | None,
    log: Callable[..., None],
) -> bool:
    """Carry out an `annotate` or a `review` command; False for any other.

    annotate: label, onset (seconds of the recording), stamp (local clock), duration.
    review: the event's onset and label, verdict ("confirmed", "rejected" or "") and note.
    """
    if what.get("do") == "annotate":
        _annotate(what, events, outlets, log)
    elif what.get("do") == "review":
        _review(what, events, log)
    else:
        return False
    return True


def review_path(events: Path) -> Path:
    """Where the verdicts on an event table are kept: `night_events.tsv` -> `night_events_review.tsv`."""
    return events.with_name(f"{events.stem}_review.tsv")


def _annotate(what: dict[str, Any], events: EventLog | None, outlets: Outlets | None, log: Callable[..., None]) -> None:
    label = _text(what.get("label")) or "note"
    onset, stamp = _number(what.get("onset")), _number(what.get("stamp"))
    duration = max(0.0, _number(what.get("duration", 0.0)))
    if events is not None:
        events.add(Event(onset, duration, label))
    if outlets is not None:
        about = {"label": label, "state": "annotation", "onset_s": onset, "duration_s": duration}
        outlets.marker(about, stamp)
    log("annotation", label=label, onset=onset, duration=duration, stamp=stamp)


def _review(what: dict[str, Any], events: EventLog | None, log: Callable[..., None]) -> None:
    label, note = _text(what.get("label")), _text(what.get("note"))
    onset, verdict = _number(what.get("onset")), what.get("verdict", "")
    verdict = verdict if verdict in VERDICTS else ""
    if events is not None:
        path = review_path(events.path)
        try:
            new = not path.exists()
            with path.open("a", encoding="utf-8", newline="") as file:
                if new:
                    file.write("\t".join(REVIEW_COLUMNS) + "\n")
                file.write(f"{onset!r}\t{label}\t{verdict or 'n/a'}\t{note or 'n/a'}\n")
        except OSError as error:
            log("alarm", text=f"{path}: the verdict on {label} at {onset:.1f} s is not written: {error.strerror}")
            return
    log("review", label=label, onset=onset, verdict=verdict, note=note)


def _text(value: object) -> str:
    """One cell: no tabs, no line ends, of a sane length."""
    return one_line(str(value or "")[: 2 * MAX_TEXT])[:MAX_TEXT]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) <= MAX_S else 0.0
