"""What a stream of an XDF file says of itself, in its header and footer; pyxdf gives lists of lists of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rtbci.recordings.description import DescribedChannel, Description, subtracted
from rtbci.recordings.markers import MAX_FIELDS, MAX_RATE, TYPES
from rtbci.recordings.xdf_chunks import Stream


def description(stream: Stream) -> Description:
    """What a stream says of itself, from its header."""
    desc = parts(stream["info"].get("desc"))
    blocks = [block for part in desc for block in _elements(part, "channels")]
    described = [channel for block in blocks[:1] for channel in _elements(block, "channel")]
    channels = tuple(DescribedChannel.of((key, _first(one, key)) for key in one) for one in described)
    references = [one for part in desc for one in _elements(part, "reference")]
    reference = ""
    for one in references[:1]:
        labels = [text for key in one if key.lower() in ("label", "name") for text in _texts(one[key])]
        reference = subtracted(labels, _first(one, "subtracted"), _first(one, "common_average"))
    return Description(
        field_of(stream, "name"), nominal_rate(stream), int(field_of(stream, "channel_count")), channels,
        field_of(stream, "type"), field_of(stream, "source_id"), field_of(stream, "channel_format"), reference,
    )  # fmt: skip


def nominal_rate(stream: Stream) -> float:
    """The declared rate; 0 where there is none."""
    try:
        rate = float(field_of(stream, "nominal_srate") or 0)
    except ValueError:
        return 0.0
    return rate if 0 < rate < np.inf else 0.0


def _elements(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The elements of a name, in any case, that are below another one."""
    found = [one for key, value in parent.items() if key.lower() == name for one in _values(value)]
    return [one if isinstance(one, Mapping) else {"label": [one]} for one in found]


def parts(value: Any) -> list[Mapping[str, Any]]:
    """The elements that have elements."""
    return [one for one in _values(value) if isinstance(one, Mapping)]


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> list[str]:
    return [one for one in _values(value) if isinstance(one, str)]


def has_markers(stream: Stream) -> bool:
    """Whether its samples are texts, or numbers that its type calls markers."""
    if field_of(stream, "channel_format") == "string":
        return True
    is_small = int(field_of(stream, "channel_count")) <= MAX_FIELDS and nominal_rate(stream) <= MAX_RATE
    return is_small and field_of(stream, "type").casefold() in TYPES


def footer_words(stream: Stream) -> list[str]:
    """A warning where the recorder counted other samples than are there, or did not come to count them."""
    n_read = len(stream["time_stamps"])
    try:
        footer = stream["footer"]["info"]
    except (KeyError, TypeError):
        return [f"stream {field_of(stream, 'stream_id')} was not closed by its recorder; its end may be missing"]
    try:
        counted = float(footer["sample_count"][0])
    except (KeyError, IndexError, TypeError):
        return []
    except ValueError:
        return [f"its footer counts {footer['sample_count'][0]!r:.40} samples, which is no number; {n_read} are read"]
    if counted == n_read:
        return []
    return [f"its footer counts {counted:.0f} samples, {n_read} are in the file: {counted - n_read:.0f} are missing"]


def summary(stream: Stream) -> str:
    """Number, name, type and size, for a person who has to choose."""
    return (
        f"{field_of(stream, 'stream_id')} {field_of(stream, 'name')!r} (type {field_of(stream, 'type')!r}, "
        f"{field_of(stream, 'channel_count')} channels, {len(stream['time_stamps'])} samples)"
    )


def field_of(stream: Stream, key: str) -> str:
    """The text of an element of the header; "" where there is none."""
    value = stream["info"].get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else str(value)


def _first(channel: Mapping[str, Any], key: str) -> str:
    return next(iter(_texts(channel.get(key))), "")
