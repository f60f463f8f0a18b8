"""EDF(+) and BDF(+), read by data records: several times faster than a general reader, never the whole file at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.errors import RecordingError
from rtbci.recordings.mne_reader import events_of, quietly
from rtbci.recordings.recording import Recording
from rtbci.types import Samples, StreamInfo

# The spellings of micro in use: Greek mu, the micro sign, Shift-JIS mu, u.
_MICROVOLTS = {"uV": 1.0, "\u00b5V": 1.0, "\u03bcV": 1.0, "\x83\xcaV": 1.0, "nV": 1e-3, "mV": 1e3, "V": 1e6}

_MOST_SIGNALS = 9999  # four digits
_FIELDS = {"label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8}
_FIELDS |= {"digital_max": 8, "prefilter": 80, "n_samples": 8, "reserved": 32}


@dataclass(frozen=True)
class EdfHeader:
    """The fixed header fields of an EDF or BDF file, one entry for each signal.

    References
    ----------
    B. Kemp, J. Olivan, European data format 'plus' (EDF+), Clin. Neurophysiol. 114, 2003.
    """

    n_bytes: int
    n_records: int
    record_s: float
    interrupted: bool
    labels: tuple[str, ...]
    units: tuple[str, ...]
    gain: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    samples: npt.NDArray[np.int64]  # of each signal in one data record

    @property
    def record_samples(self) -> int:
        return int(self.samples.sum())


def open_edf(path: Path, kind: str) -> Recording:
    """Open an EDF or BDF file: the channels at the main sampling rate, without annotation and trigger signals.

    Parameters
    ----------
    path
        The file.
    kind
        "EDF" or "BDF".

    Returns
    -------
    Recording
        Channels left out for another rate are named in its `warnings`.

    Raises
    ------
    RecordingError
        If the header is damaged, no data record is complete, or no signal is left.

    References
    ----------
    B. Kemp, J. Olivan, European data format 'plus' (EDF+), Clin. Neurophysiol. 114, 2003.
    """
    import mne

    header = _read_header(path)
    width = 3 if kind == "BDF" else 2
    n_records, warnings = _records_held(path, header, width)
    with quietly(path, kind) as reported:
        raw = (mne.io.read_raw_bdf if kind == "BDF" else mne.io.read_raw_edf)(path, preload=False)
        types = raw.get_channel_types()
    # MNE omits the annotation signals; the others keep their order.
    signals = [i for i, label in enumerate(header.labels) if label not in ("EDF Annotations", "BDF Annotations")]
    kept = [(s, n) for s, n, t in zip(signals, raw.ch_names, types, strict=True) if t != "stim"]
    kept, left_out = _at_main_rate(header, kept)
    if not kept:
        raise RecordingError(f"{path}: has no signal but annotations and triggers; name a recording with EEG in it")
    if left_out:
        warnings.append(f"left out, for their other sampling rate: {', '.join(left_out)}")
    if header.interrupted:
        warnings.append(f"{kind}+D: the recording was interrupted; its times are counted as if it were not")
    warnings += [w for w in reported if "Number of records" not in w]

    picks = np.array([signal for signal, _ in kept])
    reader = _Records(path, header, width, n_records, picks)
    info = StreamInfo(
        name=path.stem,
        sfreq=reader.per_record / header.record_s,
        channels=tuple(name for _, name in kept),
        units=tuple("uV" if header.units[s] in _MICROVOLTS else header.units[s] for s in picks),
    )
    n_samples = n_records * reader.per_record
    return Recording(path, kind, info, n_samples, reader, events_of(raw), raw.info["meas_date"], tuple(warnings))


class _Records:
    """Reads samples of the picked signals, all of which have the same number of samples in a data record."""

    def __init__(self, path: Path, header: EdfHeader, width: int, n_records: int, picks: npt.NDArray[np.int64]) -> None:
        self.path, self.header, self.width, self.n_records = path, header, width, n_records
        self.per_record = int(header.samples[picks[0]])
        ends = np.cumsum(header.samples)
        self.columns = [slice(int(ends[p]) - self.per_record, int(ends[p])) for p in picks]
        scale = np.array([_MICROVOLTS.get(header.units[p], 1.0) for p in picks])
        self.gain = header.gain[picks] * scale
        self.offset = header.offset[picks] * scale

    def __call__(self, start: int, stop: int) -> Samples:
        first, last = start // self.per_record, min(-(-stop // self.per_record), self.n_records)
        digital = self._digital(first, last)  # (n_records, record_samples)
        out = np.empty(((last - first) * self.per_record, len(self.columns)), np.float32)
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


def _at_main_rate(header: EdfHeader, kept: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], list[str]]:
    """The channels at the most frequent rate of voltage signals, and the names of the others.

    Others are not resampled: that would need future samples, or depend on how the file is cut.
    """
    rates = Counter(int(header.samples[s]) for s, _ in kept if header.units[s] in _MICROVOLTS)
    rates = rates or Counter(int(header.samples[s]) for s, _ in kept)
    main = max(rates, key=lambda rate: (rates[rate], rate), default=0)
    return [k for k in kept if header.samples[k[0]] == main], [n for s, n in kept if header.samples[s] != main]


def _read_header(path: Path) -> EdfHeader:
    with path.open("rb") as file:
        fixed = file.read(256).decode("latin-1")
        n_signals = _count(path, fixed[252:256], "number of signals")
        if n_signals > _MOST_SIGNALS:
            raise RecordingError(f"{path}: its header says {n_signals:g} signals; EDF has no more than {_MOST_SIGNALS}")
        n_bytes = 256 * (n_signals + 1)
        signal_part = file.read(n_bytes - 256).decode("latin-1") if n_signals > 0 else ""
    if len(fixed) + len(signal_part) < n_bytes or n_signals < 1:
        raise RecordingError(
            f"{path}: its header is cut short ({len(fixed) + len(signal_part)} bytes of {n_bytes}); copy the file again"
        )
    columns, at = {}, 0
    for name, width in _FIELDS.items():
        columns[name] = tuple(signal_part[at + i * width :][:width].strip() for i in range(n_signals))
        at += width * n_signals
    numbers = {
        name: np.array([_number(path, text, name.replace("_", " ")) for text in columns[name]])
        for name in ("physical_min", "physical_max", "digital_min", "digital_max", "n_samples")
    }
    record_s = _number(path, fixed[244:252], "data record duration")
    samples = numbers["n_samples"]
    whole = bool(np.all((samples >= 0) & (samples < 1e9) & (samples == np.floor(samples))))  # NaN is none of these
    if record_s <= 0 or not np.isfinite(record_s) or not whole or not samples.any():
        raise RecordingError(f"{path}: its data records are {record_s:g} s long and hold no signal; nothing to read")
    gain, offset = _calibration(**{k: v for k, v in numbers.items() if k != "n_samples"})
    return EdfHeader(
        n_bytes=n_bytes,
        n_records=_count(path, fixed[236:244], "number of data records"),
        record_s=record_s,
        interrupted=fixed[192:197] in ("EDF+D", "BDF+D"),
        labels=columns["label"],
        units=columns["unit"],
        gain=gain,
        offset=offset,
        samples=samples.astype(np.int64),
    )


def _calibration(
    physical_min: npt.NDArray[np.float64],
    physical_max: npt.NDArray[np.float64],
    digital_min: npt.NDArray[np.float64],
    digital_max: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Gain and offset from digital to physical values; a range that is empty counts as 1, as in mne."""
    physical, digital = physical_max - physical_min, digital_max - digital_min
    gain = np.where(physical == 0, 1.0, physical) / np.where(digital == 0, 1.0, digital)
    return gain, physical_min - digital_min * gain


def _number(path: Path, text: str, what: str) -> float:
    try:
        return float(text.strip(" \x00").replace(",", "."))
    except ValueError:
        found = text.strip()
        raise RecordingError(f"{path}: {what} in its header is {found!r}, not a number; copy the file again") from None


def _count(path: Path, text: str, what: str) -> int:
    number = _number(path, text, what)
    if not number.is_integer():
        raise RecordingError(f"{path}: {what} in its header is {number:g}; copy the file again")
    return int(number)


def _records_held(path: Path, header: EdfHeader, width: int) -> tuple[int, list[str]]:
    """Complete data records in the file, and a warning where the header declares another number."""
    held = (path.stat().st_size - header.n_bytes) // (header.record_samples * width)
    promised = header.n_records
    if held < 1:
        raise RecordingError(f"{path}: is cut off after its header, no data record is whole; copy the file again")
    if held == promised:
        return held, []
    seconds = held * header.record_s
    if promised < 0:
        return held, [f"the header leaves the length open, as while recording; {seconds:g} s are there and are read"]
    return held, [
        f"the header declares {promised} records ({promised * header.record_s:g} s), "
        f"the file holds {held} ({seconds:g} s): these are read"
    ]
