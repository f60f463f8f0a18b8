"""Which of the streams on the network are offered, how they read, and the query that selects the one that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rtbci.lsl.discovery import FoundStream
from rtbci.text import one_line

_KEYS = ("name", "type", "hostname", "source_id", "uid")  # the last two may change when its program is restarted
_SHOWN = "name", "type"


def offered(found: Sequence[FoundStream]) -> list[FoundStream]:
    """Streams of numbers; those that say no rate too, for it is measured, but no markers."""
    return [s for s in found if s.format != "string" and (s.sfreq or s.type != "Markers")]


def choice_text(stream: FoundStream) -> str:
    """Two lines, whatever a stream calls itself."""
    rate = f"{stream.sfreq:g} Hz" if stream.sfreq else "says no rate"
    named = f"{one_line(stream.name) or 'no name'}  ·  {one_line(stream.type) or 'no type'}"
    return f"{named}\n{stream.n_channels} channels, {rate}, on {one_line(stream.hostname)}"


def query_for(chosen: FoundStream, found: Sequence[FoundStream]) -> dict[str, str]:
    """Name and type, and no more of its properties than tell it from the others: it is to be found again after a restart."""
    query: dict[str, str] = {}
    for key in _KEYS:
        alike = [s for s in found if all(getattr(s, k) == value for k, value in query.items())]
        if (key in _SHOWN or len(alike) > 1) and (value := getattr(chosen, key)):
            query[key] = value
    return query or {"uid": chosen.uid}
