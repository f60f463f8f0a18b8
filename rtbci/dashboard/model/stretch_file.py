"""A stretch of the stream as an EDF+ file: the channels as recorded, without the display's montage and filters."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.history import GAP_S, History
from rtbci.dashboard.model.time_marks import ANNOTATION, DECISION, EVENT, RECORDED, TimeMark
from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import unique_names
from rtbci.text import field_text

LABEL_LETTERS = 16  # of an EDF header's field
MOST_VALUES = 200_000_000  # samples × channels that are written at once


@dataclass(frozen=True, slots=True)
class StretchFile:
    """content: of the file. seconds: its length, in whole records. missing_s: of it, held where there were no data."""

    content: bytes
    seconds: float
    missing_s: float


def stretch_file(
    history: History,
    channels: Sequence[str],
    clock: DisplayClock,
    marks: Sequence[TimeMark],
    span: tuple[float, float],
) -> StretchFile:
    """Make the file.

    Parameters
    ----------
    history
        Samples in µV.
    channels
        Their labels.
    clock
        Of the stream: the file starts at its wall clock's time.
    marks
        Events and annotations; those that touch the stretch become annotations, "detected: …" for events.
    span
        From and to, on the display's axis (s); the end is moved on to whole records of about a second.

    Raises
    ------
    StreamMismatch
        Where the stretch holds no data, or more than can be written at once.

    References
    ----------
    Kemp and Olivan (2003), European data format 'plus'.
    """
    import edfio

    per_record = max(1, round(history.sfreq))
    record_s = round(per_record / history.sfreq, 6)
    n_records = max(1, int(np.ceil((span[1] - span[0]) / record_s - 1e-6)))
    if n_records * per_record * len(channels) > MOST_VALUES:
        raise StreamMismatch(f"{span[1] - span[0]:.0f} s of {len(channels)} channels are too much for one file")
    data, missing = _grid(history, span[0], n_records * per_record)
    if missing.all():
        raise StreamMismatch("the stretch holds no data")
    start = datetime.fromtimestamp(clock.wall(span[0]))
    signals = [
        edfio.EdfSignal(
            data[:, k].astype(np.float64), per_record / record_s, label=label, physical_dimension="uV",
            physical_range=_range(data[:, k]),
        )
        for k, label in enumerate(_labels(channels))
    ]  # fmt: skip
    seconds = n_records * record_s
    notes = [*_notes(marks, span[0], seconds), *_gaps(missing, history.sfreq)]
    made = edfio.Edf(
        signals, starttime=start.time(), data_record_duration=record_s,
        recording=edfio.Recording(startdate=start.date(), equipment_code="rtbci"),
        annotations=[edfio.EdfAnnotation(onset, duration, text) for onset, duration, text in sorted(notes)],
    )  # fmt: skip
    file = io.BytesIO()
    made.write(file)
    return StretchFile(file.getvalue(), seconds, float(missing.sum() / history.sfreq))


def _grid(history: History, start: float, n: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """(n, n_channels) samples at even distances, and which of them were not there: those hold the value before."""
    x, data, _ = history.between(start, start + n / history.sfreq)
    x, data = x[(begun := int(np.searchsorted(x, start))) :], data[begun:]
    out = np.full((n, history.n_channels), np.nan, np.float32)
    if len(x):
        gaps = np.flatnonzero(np.diff(x) > max(GAP_S, 3 / history.sfreq)) + 1
        for piece_x, piece in zip(np.split(x, gaps), np.split(data, gaps), strict=True):
            at = max(0, round((float(piece_x[0]) - start) * history.sfreq))
            out[at : at + len(piece)] = piece[: max(0, n - at)]
    missing = np.asarray(np.isnan(out).all(axis=1), np.bool_)
    bad = ~np.isfinite(out)
    if bad.any():
        rows = np.maximum.accumulate(np.where(bad, 0, np.arange(1, n + 1)[:, None]), axis=0)
        out = np.take_along_axis(np.vstack([np.zeros((1, history.n_channels), np.float32), out]), rows, axis=0)
    return out, missing


def _labels(channels: Sequence[str]) -> list[str]:
    """In ASCII, of at most 16 letters, each once."""
    plain = [field_text(name).encode("ascii", "replace").decode().strip() or "channel" for name in channels]
    short = [name[:LABEL_LETTERS] for name in plain]
    return [
        name if len(name) <= LABEL_LETTERS else f"{name[: LABEL_LETTERS - 6]}#{k}"
        for k, name in enumerate(unique_names(short))
    ]


def _range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """In whole µV, which an EDF header's eight letters hold."""
    low, high = float(np.floor(values.min())), float(np.ceil(values.max()))
    low, high = max(low, -9_999_999.0), min(high, 99_999_999.0)
    return (low, high) if high > low else (low, low + 1)


def _notes(marks: Sequence[TimeMark], start: float, seconds: float) -> list[tuple[float, float, str]]:
    """(onset, duration, text) within the file; what began before it, from its start on."""
    notes = []
    for mark in marks:
        if mark.kind not in (EVENT, DECISION, ANNOTATION, RECORDED):
            continue
        first, last = max(mark.start - start, 0.0), min(mark.stop - start, seconds)
        if last >= first and first <= seconds:
            text = field_text(mark.text) or mark.kind
            notes.append(
                (round(first, 4), round(last - first, 4), text if mark.kind == ANNOTATION else f"detected: {text}")
            )
    return notes


def _gaps(missing: npt.NDArray[np.bool_], sfreq: float) -> list[tuple[float, float, str]]:
    turns = np.flatnonzero(np.diff(missing, prepend=False, append=False))
    return [
        (round(float(a / sfreq), 4), round(float((b - a) / sfreq), 4), "no data, last value held")
        for a, b in zip(turns[::2], turns[1::2], strict=True)
    ]
