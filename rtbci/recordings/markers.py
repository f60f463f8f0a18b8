"""Markers: one rule for what a sample of a marker stream says, over LSL and in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

LONGEST = 1000  # characters of a marker; a longer one is cut
MAX_FIELDS, MAX_RATE = 64, 1000.0  # of a marker stream
TYPES = (
    "marker",
    "markers",
    "event",
    "events",
    "stim",
    "trigger",
    "triggers",
)  # of streams of numbers that are markers


class MarkerReader:
    """From the samples of one marker stream to its markers.

    Every sample of a stream without a rate is a marker. A stream with a rate, as a trigger channel has, holds its value:
    there a marker is where the value changes, and of numbers 0 is none.

    Parameters
    ----------
    sfreq
        Nominal rate of the stream in Hz; 0 where it has none.
    """

    def __init__(self, sfreq: float) -> None:
        self._holds = sfreq > 0
        self._held: str | None = None  # None before the first sample, whose onset nobody knows

    def read(self, rows: Iterable[Iterable[object]], stamps: Iterable[float]) -> Iterator[tuple[float, str]]:
        """(stamp, text) of each marker; an empty one is none."""
        for row, stamp in zip(rows, stamps, strict=True):
            text = marker_text(row, zero="" if self._holds else "0")
            if self._holds and (self._held is None or text == self._held):
                text, self._held = "", text
            elif self._holds:
                self._held = text
            if text:
                yield float(stamp), text


def marker_text(values: Iterable[object], zero: str = "0") -> str:
    """One sample as a text: its fields without blanks around, joined by '/'; "" where all are empty or NaN.

    zero: the text of the number 0.
    """
    return "/".join(text for value in values if (text := _field(value, zero)))[:LONGEST]


def _field(value: object, zero: str) -> str:
    """1.0 is `1`, whatever the format of the stream."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, int | np.integer):
        return str(int(value)) if value else zero
    if isinstance(value, float | np.floating):
        number = float(value)
        if number.is_integer() and abs(number) < 1e15:
            return str(int(number)) if number else zero
        return "" if np.isnan(number) else str(value)
    return str(value)[: 2 * LONGEST].strip("\0 \t\r\n\v\f\xa0")
