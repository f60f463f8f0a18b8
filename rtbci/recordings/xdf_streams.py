"""Every stream of an XDF file as it was recorded, for a replay of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.errors import RecordingError
from rtbci.recordings.recording import Recording
from rtbci.recordings.xdf_chunks import Stream, load_streams
from rtbci.recordings.xdf_headers import description, field_of, parts, summary
from rtbci.types import StreamInfo

APART_S = 3600.0  # no stream of a session begins an hour after all the others have ended


@dataclass(frozen=True)
class XdfStream:
    """One stream of a file as it was recorded: values in its own format and unit, stamps not dejittered.

    Attributes
    ----------
    recording
        Samples; its `stamps` are seconds from the file's first sample of any stream, on the common clock, and its
        `info.sfreq` is 0 where the stream declares no rate.
    format
        Channel format, as in LSL.
    id
        Number of the stream in the file.
    described
        The stream's description, as pyxdf returns it.
    """

    recording: Recording
    format: str
    id: str
    described: Mapping[str, Any]


def open_every_stream(path: Path) -> tuple[XdfStream, ...]:
    """Signal and marker streams, by their number. Raises RecordingError."""
    streams, started, odd = load_streams(path)
    spans = [(float(np.min(t)), float(np.max(t))) for s in streams if len(t := s["time_stamps"])]
    if not spans:
        raise RecordingError(f"{path}: holds no samples; record it again or remove it")
    zeros = _zeros(sorted(spans))
    made = (_as_recorded(path, s, zeros, started, odd) for s in streams)
    return tuple(sorted(made, key=lambda s: int(s.id) if s.id.isdecimal() else 0))


def _zeros(spans: list[tuple[float, float]]) -> list[float]:
    """Time zero of the file; one more for each group of streams on an unrelated clock."""
    zeros, end = [spans[0][0]], spans[0][1]
    for first, last in spans:
        if first > end + APART_S:
            zeros.append(first)
        end = max(end, last)
    return zeros


def _as_recorded(path: Path, stream: Stream, zeros: list[float], started: datetime | None, odd: list[str]) -> XdfStream:
    described = description(stream)
    stamps = np.asarray(stream["time_stamps"], np.float64)
    zero = max((z for z in zeros if len(stamps) and z <= stamps.min()), default=zeros[0])
    stamps = stamps - zero
    apart = f"its clock was never compared with the others', {zero - zeros[0]:.0f} s away; it begins with them"
    warned = (*odd, f"{summary(stream)}: {apart}") if zero != zeros[0] else tuple(odd)
    kind, n_channels = described.format, described.n_channels
    if kind == "string":
        values: Any = np.empty((len(stamps), n_channels), object)
        if len(stamps):
            values[:] = [[str(v) for v in sample] for sample in stream["time_series"]]
    else:
        values = np.asarray(stream["time_series"]).reshape(len(stamps), n_channels)
    info = StreamInfo(
        described.name or path.stem, described.sfreq, described.labels, (), described.type, described.source_id
    )
    recording = Recording(
        path, "XDF", info, len(stamps), lambda start, stop: values[start:stop], (), started, warned, stamps
    )
    desc = next(iter(parts(stream["info"].get("desc"))), {})
    return XdfStream(recording, kind or "float32", field_of(stream, "stream_id"), desc)
