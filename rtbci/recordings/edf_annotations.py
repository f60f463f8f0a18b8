"""Annotations of an EDF+ or BDF+ file: lists with a time stamp, in signals of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtbci.recordings.edf_header import EdfHeader
from rtbci.text import utf8_or_latin1
from rtbci.types import Event

_LONGEST_S = 1e9  # thirty years; a time beyond is none

Tal = tuple[float, float, str]  # onset, duration (0 where there is none), text


@dataclass
class TalReader:
    """Reads the annotation lists of a file, and counts what is odd in them.

    Parameters
    ----------
    path
        The file.
    header
        Of the file.

    Attributes
    ----------
    n_latin1
        Texts that are not UTF-8, as the standard wants them, and were read as Latin-1.
    n_unreadable
        Lists without a time that can be read, left out.
    n_negative
        Durations below zero, taken as none.

    References
    ----------
    B. Kemp, J. Olivan, European data format 'plus' (EDF+), Clin. Neurophysiol. 114, 2003: 2.2.2.
    """

    path: Path
    header: EdfHeader
    n_latin1: int = field(default=0, init=False)
    n_unreadable: int = field(default=0, init=False)
    n_negative: int = field(default=0, init=False)

    def records(self, n_records: int) -> Iterator[list[Tal]]:
        """The lists of each data record, in order; the first one with an empty text is when the record begins."""
        header = self.header
        spans = [header.record_bytes(signal) for signal in header.annotation_signals]
        record_bytes = header.record_samples * header.width
        with self.path.open("rb", buffering=0) as file:
            for record in range(n_records if spans else 0):
                found: list[Tal] = []
                for span in spans:
                    file.seek(header.n_bytes + record * record_bytes + span.start)
                    found += self._of_signal(file.read(span.stop - span.start))
                yield found

    @property
    def odd(self) -> list[str]:
        """Warnings of what was read so far."""
        odd = []
        if self.n_latin1:
            odd.append(f"{self.n_latin1} annotation texts are not UTF-8; read as Latin-1")
        if self.n_unreadable:
            odd.append(f"{self.n_unreadable} annotations have no time that can be read and were left out")
        if self.n_negative:
            odd.append(f"{self.n_negative} annotations have a negative duration; they are taken to have none")
        return odd

    def _of_signal(self, content: bytes) -> Iterator[Tal]:
        for part in content.split(b"\0"):
            if b"\x14" not in part:
                self.n_unreadable += bool(part.strip())
                continue
            when, *texts = part.split(b"\x14")
            onset, _, duration = when.partition(b"\x15")
            onset_s, duration_s = _seconds(onset), _seconds(duration) if duration.strip() else 0.0
            if math.isnan(onset_s) or math.isnan(duration_s):
                self.n_unreadable += 1
                continue
            if duration_s < 0:
                self.n_negative += 1
                duration_s = 0.0
            for text in texts[:-1] if len(texts) > 1 and not texts[-1] else texts:
                yield onset_s, duration_s, self._one_line(text)

    def _one_line(self, raw: bytes) -> str:
        text = utf8_or_latin1(raw)
        self.n_latin1 += not raw.isascii() and text.encode() != raw
        return " ".join(text.split())


def _seconds(raw: bytes) -> float:
    try:
        value = float(raw.replace(b",", b"."))
    except ValueError:
        return math.nan
    return value if abs(value) < _LONGEST_S else math.nan


def first_onset(records: Sequence[Sequence[Tal]]) -> float:
    """When the first record begins, in seconds from the header's start: a fraction of a second in EDF+C."""
    return records[0][0][0] if records and records[0] and not records[0][0][2] else 0.0


def record_onsets(records: Sequence[Sequence[Tal]], record_s: float) -> tuple[list[float], int]:
    """When each record begins, and for how many the file does not say: these follow the one before."""
    onsets: list[float] = []
    n_unknown = 0
    for number, found in enumerate(records):
        if found and not found[0][2]:
            onsets.append(found[0][0])
        else:
            n_unknown += 1
            onsets.append(onsets[-1] + record_s if number else 0.0)
    return onsets, n_unknown


def events_of_records(records: Sequence[Sequence[Tal]], first_s: float, channels: Sequence[str]) -> tuple[Event, ...]:
    """The annotations, in seconds from the first sample.

    Parameters
    ----------
    records
        Lists of each data record.
    first_s
        When the first record begins.
    channels
        Names of the signals: "spike@@Fp1" is a spike of the channel Fp1.
    """
    known = set(channels)
    found: dict[tuple[float, float, str, int], list[str]] = {}
    for number, (onset, duration, text) in enumerate(tal for record in records for tal in record if tal[2]):
        label, _, channel = text.rpartition("@@")
        if label and channel in known:
            found.setdefault((onset, duration, label, -1), []).append(channel)
        else:
            found[onset, duration, text, number] = []
    made = (Event(on - first_s, length, text, channels=tuple(names)) for (on, length, text, _), names in found.items())
    return tuple(sorted(made, key=lambda event: (event.onset, event.duration, event.label)))
