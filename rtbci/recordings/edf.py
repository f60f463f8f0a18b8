"""EDF(+) and BDF(+), read by data records: several times faster than a general reader, never the whole file at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.errors import RecordingError
from rtbci.recordings.channel_names import names_eeg, unique_names
from rtbci.recordings.edf_annotations import Tal, TalReader, events_of_records, first_onset, record_onsets
from rtbci.recordings.edf_header import EdfHeader, read_header
from rtbci.recordings.recording import Recording
from rtbci.recordings.stamps import Segments, from_blocks, gap_words
from rtbci.recordings.units import microvolts, to_microvolts, without_unit
from rtbci.types import Samples, StreamInfo

_TRIGGERS = ("status", "trigger")


def open_edf(path: Path, kind: str) -> Recording:
    """Open an EDF or BDF file: the channels at the sampling rate of the EEG, without annotation and trigger signals.

    Parameters
    ----------
    path
        The file.
    kind
        "EDF" or "BDF".

    Returns
    -------
    Recording
        Channels left out for another rate are named in its `warnings`, and whatever is odd in the header.

    Raises
    ------
    RecordingError
        If the header is damaged, no data record is complete, or no signal is left.

    References
    ----------
    B. Kemp, J. Olivan, European data format 'plus' (EDF+), Clin. Neurophysiol. 114, 2003.
    """
    header = read_header(path, kind)
    n_records, warnings = _records_held(path, header)
    signals = _signals(path, header)
    kept, left_out = _chosen(header, signals)
    picks = np.array([signal for signal, _ in kept])
    names = tuple(name for _, name in kept)
    reader = _Records(path, header, n_records, picks)
    sfreq = reader.per_record / header.record_s
    tals = TalReader(path, header)
    records = list(tals.records(n_records))
    first_s = first_onset(records)
    annotations = events_of_records(records, first_s, [name for _, name in signals])
    warnings += [*header.odd, *left_out, *without_unit(names, reader.units), *tals.odd]
    if guessed := [name for signal, name in kept if not header.declared_range[signal]]:
        warnings.append(f"an empty range is declared for {_listed(guessed)}: it is taken as 1, so the scale is a guess")
    stamps = None
    if header.interrupted:
        stamps, odd = _record_stamps(records, header.record_s, reader.per_record)
        warnings += odd
    start = header.start + timedelta(seconds=first_s) if header.start is not None else None
    info = StreamInfo(path.stem, sfreq, names, reader.units)
    n_samples = n_records * reader.per_record
    return Recording(path, kind, info, n_samples, reader, annotations, start, tuple(warnings), stamps)


def _record_stamps(
    records: Sequence[Sequence[Tal]], record_s: float, per_record: int
) -> tuple[Segments | None, list[str]]:
    """Times of an interrupted recording, and what is odd about them."""
    onsets, n_unknown = record_onsets(records, record_s)
    odd = [f"{n_unknown} data records do not say when they begin; each follows the one before"] if n_unknown else []
    try:
        stamps = from_blocks(onsets, per_record, per_record / record_s)
    except ValueError as error:
        return None, [*odd, f"its data records overlap: {error}; its times are counted without gaps"]
    return stamps, [*odd, *gap_words(stamps.gaps() if stamps else ())]


class _Records:
    """Reads samples of the picked signals, all of which have the same number of samples in a data record."""

    def __init__(self, path: Path, header: EdfHeader, n_records: int, picks: npt.NDArray[np.int64]) -> None:
        self.path, self.header, self.width, self.n_records = path, header, header.width, n_records
        self.per_record = int(header.samples[picks[0]])
        ends = np.cumsum(header.samples)
        self.columns = [slice(int(ends[p]) - self.per_record, int(ends[p])) for p in picks]
        scale, self.units = to_microvolts([header.units[p] for p in picks])
        self.gain = header.gain[picks] * scale
        self.offset = header.offset[picks] * scale

    def __call__(self, start: int, stop: int) -> Samples:
        first, last = start // self.per_record, min(-(-stop // self.per_record), self.n_records)
        digital = self._digital(first, last)  # (n_records, record_samples)
        out = np.empty(((last - first) * self.per_record, len(self.columns)), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # the montage holds what is no voltage
            for channel, columns in enumerate(self.columns):
                # In float64, so that the exact value is rounded to float32 only once.
                values = digital[:, columns] * self.gain[channel] + self.offset[channel]
                out[:, channel] = values.ravel()
        skip = start - first * self.per_record
        return out[skip : skip + stop - start]

    def _digital(self, first: int, last: int) -> npt.NDArray[np.signedinteger]:
        size = self.header.record_samples
        offset = self.header.n_bytes + first * size * self.width
        count = (last - first) * size
        if self.width == 2:
            return np.fromfile(self.path, "<i2", count, offset=offset).reshape(-1, size)
        wide = np.zeros((count, 4), np.uint8)
        wide[:, 1:] = np.fromfile(self.path, np.uint8, count * 3, offset=offset).reshape(-1, 3)
        return (wide.view("<i4") >> 8).reshape(-1, size)  # the sign comes down with the shift


def _signals(path: Path, header: EdfHeader) -> list[tuple[int, str]]:
    """Index and name of each signal but annotations and triggers."""
    notes = set(header.annotation_signals)
    signals = [i for i in range(len(header.labels)) if i not in notes]
    names = unique_names([header.labels[i] for i in signals])
    kept = [(i, n) for i, n in zip(signals, names, strict=True) if header.labels[i].lower() not in _TRIGGERS]
    if not any(header.samples[i] for i, _ in kept):
        raise RecordingError(f"{path}: has no signal but annotations and triggers; name a recording with EEG in it")
    if not any(np.isfinite(header.offset[i]) for i, _ in kept):
        first = kept[0][1]
        raise RecordingError(
            f"{path}: the range of {first!r} in its header cannot be read, nor any other; copy the file again"
        )
    return kept


def _chosen(header: EdfHeader, signals: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], list[str]]:
    """The signals at the rate that most EEG channels have, and warnings of the others.

    What no label tells is EEG counts where its unit is a voltage, or none is declared; of equal rates, the first in the
    file is chosen. Others are not resampled: that would need future samples, or depend on how the file is cut.
    """
    readable = [(s, name) for s, name in signals if np.isfinite(header.offset[s])]
    votes: dict[int, list[tuple[int, int, int]]] = {}
    for s, _ in readable:
        eeg, voltage = names_eeg(header.labels[s]), microvolts(header.units[s]) is not None
        votes.setdefault(int(header.samples[s]), []).append((eeg is True, eeg is None and voltage, voltage))
    counts = {samples: tuple(map(sum, zip(*rows, strict=True))) for samples, rows in votes.items() if samples}
    main = max(counts, key=lambda samples: counts[samples])
    told = []
    rest = [f"{name} ({header.samples[s] / header.record_s:g} Hz)" for s, name in readable if header.samples[s] != main]
    if rest:
        told.append(f"left out, for their other sampling rate: {_listed(rest)}; read at {main / header.record_s:g} Hz")
    if damaged := [name for s, name in signals if not np.isfinite(header.offset[s])]:
        told.append(f"left out, for a range in the header that cannot be read: {_listed(damaged)}")
    return [(s, name) for s, name in readable if header.samples[s] == main], told


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _records_held(path: Path, header: EdfHeader) -> tuple[int, list[str]]:
    """Complete data records in the file, and a warning where the header declares another number."""
    held = (path.stat().st_size - header.n_bytes) // (header.record_samples * header.width)
    promised = header.n_records
    if held < 1:
        raise RecordingError(f"{path}: is cut off after its header, no data record is whole; copy the file again")
    if promised is None or held == promised:
        return held, []
    seconds = held * header.record_s
    if promised < 0:
        return held, [f"the header leaves the length open, as while recording; {seconds:g} s are there and are read"]
    return held, [
        f"the header declares {promised} records ({promised * header.record_s:g} s), "
        f"the file holds {held} ({seconds:g} s): these are read"
    ]
