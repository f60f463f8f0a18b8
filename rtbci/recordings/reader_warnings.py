"""What MNE warns of, in our words: nothing of its own options, and nothing that is not used here."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Of MNE's warnings: what is kept in a file beside its samples, channels and annotations; positions; filter settings.
_IRRELEVANT = (
    "naming conventions",
    "highpass filter",
    "lowpass filter",
    "Highpass cutoff",
    "oftware filter",
    "birth",
    "subject information",
    "positions",
    "coordinate information",
    "head radius",
    "duplicate",
    "mixed sampling frequencies",
    "patient information",
    "stim_channel",
    "No PNT file",
    "Could not inspect",
)
_OURS = (
    (r"Omitted (\d+) annotation", r"\1 annotations lie outside the recording and were left out"),
    (r"Limited (\d+) annotation", r"\1 annotations reach beyond the recording and were cut at its limits"),
    (r"'boundary' events", "the recording was interrupted or cut ('boundary' events); its times do not show how long"),
    (r"measurement date|meas_date|start ?date", "the date in its header cannot be read, and is not known"),
    (r"encoding", "a text of its header or annotations is not in the expected encoding"),
)
# To its developers, or of an option that is not ours.
_ADVICE = re.compile(r"\s*(Please|To avoid|It is recommended|In that case, please|Be cautious)\b.*")
_OMITTED = re.compile(r"(\d+) annotations lie outside the recording")


def n_omitted(warnings: Iterable[str]) -> int:
    """Annotations that the reader left out, by its warnings."""
    return sum(int(found[1]) for text in warnings if (found := _OMITTED.match(text)))


def in_our_words(text: str) -> str:
    """A warning of MNE without its options; empty where it concerns nothing that is used here."""
    if any(part in text for part in _IRRELEVANT):
        return ""
    for pattern, ours in _OURS:
        if found := re.search(pattern, text, re.IGNORECASE):
            return found.expand(ours)
    return _ADVICE.sub("", text)
