"""The header of an EDF or BDF file: what the samples need is checked, and what is odd beside it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtbci.errors import RecordingError
from rtbci.text import field_text

_VERSIONS = {"EDF": "0", "BDF": "\u00ffBIOSEMI"}
_ANNOTATIONS = ("edf annotations", "bdf annotations")
_MOST_SIGNALS = 9999  # four digits
_FIELDS = {"label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8}
_FIELDS |= {"digital_max": 8, "prefilter": 80, "n_samples": 8, "reserved": 32}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LONG_DATE = re.compile(rf"Startdate[ _](\d{{1,2}})-({'|'.join(_MONTHS)})-(\d{{4}})", re.IGNORECASE)
_THREE_NUMBERS = re.compile(r"(\d{1,2})\s*[.:/-]\s*(\d{1,2})\s*[.:/-]\s*(\d{1,4})")


@dataclass(frozen=True)
class EdfHeader:
    """The fixed header fields of an EDF or BDF file, one entry for each signal.

    Attributes
    ----------
    n_bytes
        Length of the header.
    n_records
        Declared number of data records: negative where it is left open, None where it cannot be read.
    record_s
        Length of a data record.
    width
        Bytes of a sample.
    interrupted
        Whether the file is EDF+D or BDF+D.
    labels, units
        As declared, without padding.
    gain, offset
        From stored to physical values; NaN where the header's numbers cannot be read.
    declared_range
        Whether a signal's physical and digital range are declared; an empty one counts as 1.
    samples
        Of each signal in one data record.
    start
        Date and time of the first data record, where the header tells them.
    odd
        What is unusual in fields that the samples do not need, one line each.

    References
    ----------
    B. Kemp, J. Olivan, European data format 'plus' (EDF+), Clin. Neurophysiol. 114, 2003.
    """

    n_bytes: int
    n_records: int | None
    record_s: float
    width: int
    interrupted: bool
    labels: tuple[str, ...]
    units: tuple[str, ...]
    gain: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    declared_range: npt.NDArray[np.bool_]
    samples: npt.NDArray[np.int64]
    start: datetime | None
    odd: tuple[str, ...]

    @property
    def record_samples(self) -> int:
        return int(self.samples.sum())

    @property
    def annotation_signals(self) -> list[int]:
        """Indices of the signals that hold annotations."""
        return [i for i, label in enumerate(self.labels) if label.lower() in _ANNOTATIONS]

    def record_bytes(self, signal: int) -> slice:
        """Where in a data record the samples of a signal are."""
        end = int(self.samples[: signal + 1].sum())
        return slice(self.width * (end - int(self.samples[signal])), self.width * end)


def looks_like_edf(path: Path) -> bool:
    """Whether the fixed part of a header is that of EDF or BDF, whatever its version field says."""
    with path.open("rb") as file:
        fixed = file.read(256)
    n_signals, n_bytes = field_text(fixed[252:256]), field_text(fixed[184:192])
    return n_signals.isdecimal() and n_bytes.isdecimal() and int(n_bytes) == 256 * (int(n_signals) + 1) > 256


def read_header(path: Path, kind: str) -> EdfHeader:
    """Read the header of a file.

    Parameters
    ----------
    path
        The file.
    kind
        "EDF" or "BDF".

    Returns
    -------
    EdfHeader
        What is unusual is in its `odd`.

    Raises
    ------
    RecordingError
        If it is cut short, or the layout of the data records cannot be read.
    """
    with path.open("rb") as file:
        fixed = file.read(256)
        n_signals = _whole(path, fixed[252:256], "number of signals")
        if n_signals > _MOST_SIGNALS:
            raise RecordingError(f"{path}: its header says {n_signals:g} signals; EDF has no more than {_MOST_SIGNALS}")
        n_bytes = 256 * (n_signals + 1)
        signal_part = file.read(n_bytes - 256) if n_signals > 0 else b""
    if len(fixed) + len(signal_part) < n_bytes or n_signals < 1:
        raise RecordingError(
            f"{path}: its header is cut short ({len(fixed) + len(signal_part)} bytes of {n_bytes}); copy the file again"
        )
    columns = _columns(signal_part, n_signals)
    record_s = _number(path, fixed[244:252], "data record duration")
    samples = np.array([_number(path, raw, "number of samples") for raw in columns["n_samples"]])
    whole = bool(np.all((samples >= 0) & (samples < 1e9) & (samples == np.floor(samples))))  # NaN is none of these
    if record_s <= 0 or not np.isfinite(record_s) or not whole or not samples.any():
        raise RecordingError(f"{path}: its data records are {record_s:g} s long and hold no signal; nothing to read")
    gain, offset, declared = _calibration(columns)
    n_records, odd_count = _declared_records(fixed[236:244])
    start, odd_start = _start(fixed)
    return EdfHeader(
        n_bytes=n_bytes,
        n_records=n_records,
        record_s=record_s,
        width=3 if kind == "BDF" else 2,
        interrupted=fixed[192:197] in (b"EDF+D", b"BDF+D"),
        labels=tuple(map(field_text, columns["label"])),
        units=tuple(map(field_text, columns["unit"])),
        gain=gain,
        offset=offset,
        declared_range=declared,
        samples=samples.astype(np.int64),
        start=start,
        odd=(*_odd_fields(fixed, kind, n_bytes), *odd_count, *odd_start),
    )


def _columns(signal_part: bytes, n_signals: int) -> dict[str, list[bytes]]:
    columns, at = {}, 0
    for name, width in _FIELDS.items():
        columns[name] = [signal_part[at + i * width :][:width] for i in range(n_signals)]
        at += width * n_signals
    return columns


def _odd_fields(fixed: bytes, kind: str, n_bytes: int) -> list[str]:
    odd = []
    if (version := field_text(fixed[:8])) != _VERSIONS[kind]:
        odd.append(f"its version field is {version!r}, not {_VERSIONS[kind]!r}; read as {kind}")
    if (declared := field_text(fixed[184:192])) != str(n_bytes):
        odd.append(f"its header says that it is {declared!r} bytes long; with its signals it is {n_bytes}")
    for name, raw in (("patient", fixed[8:88]), ("recording", fixed[88:168])):
        if not field_text(raw).isprintable():
            odd.append(f"its {name} field holds characters that cannot be printed")
    return odd


def _start(fixed: bytes) -> tuple[datetime | None, list[str]]:
    """Start of the recording, in UTC as in mne, and what is odd; the EDF+ date, which has the full year, comes first."""
    date, time = field_text(fixed[168:176]), field_text(fixed[176:184])
    short, long = _day(_THREE_NUMBERS.fullmatch(date)), _day(long_date := _LONG_DATE.search(field_text(fixed[88:168])))
    clock = _THREE_NUMBERS.fullmatch(time)
    day = long or short
    try:
        if day is None or clock is None:
            raise ValueError
        start = day.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3]))
    except ValueError:
        return None, [f"its start, {date!r} {time!r}, is no date and time; the recording's time of day is unknown"]
    if long_date and long != short:
        return start, [
            f"its header has two dates, {date} and {long_date[0]}; the {'second' if long else 'first'} is used"
        ]
    return start, []


def _day(found: re.Match[str] | None) -> datetime | None:
    """Midnight of a date: day, month and year, of two digits from 1985 to 2084; None where there is no such day."""
    if found is None:
        return None
    month = int(found[2]) if found[2].isdecimal() else 1 + _MONTHS.index(found[2].upper())
    year = int(found[3])
    try:
        return datetime(year + (2000 if year < 85 else 1900) if year < 100 else year, month, int(found[1]), tzinfo=UTC)
    except ValueError:
        return None


def _calibration(
    columns: dict[str, list[bytes]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Gain and offset from stored to physical values; a range that is empty counts as 1, as in mne."""
    low, high, stored_low, stored_high = (
        np.array([_float(field_text(raw)) for raw in columns[name]])
        for name in ("physical_min", "physical_max", "digital_min", "digital_max")
    )
    physical, digital = high - low, stored_high - stored_low
    gain = np.where(physical == 0, 1.0, physical) / np.where(digital == 0, 1.0, digital)
    return gain, low - stored_low * gain, (physical != 0) & (digital != 0)


def _declared_records(raw: bytes) -> tuple[int | None, list[str]]:
    text = field_text(raw)
    number = _float(text)
    if not abs(number) < 1e9:  # NaN is none either
        return None, [f"its number of data records is {text!r}, no number; what the file holds is read"]
    if text.removeprefix("+").removeprefix("-").isdecimal():
        return int(number), []
    return int(number), [f"its number of data records is written {text!r}; taken as {int(number)}"]


def _float(text: str) -> float:
    """The number that a header's field holds, NaN where it holds none; some writers use a decimal comma."""
    try:
        value = float(text.replace(",", ".").replace("_", "x"))
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _number(path: Path, raw: bytes, what: str) -> float:
    value = _float(field_text(raw))
    if not np.isfinite(value):
        found = field_text(raw)
        raise RecordingError(f"{path}: {what} in its header is {found!r}, not a number; copy the file again")
    return value


def _whole(path: Path, raw: bytes, what: str) -> int:
    number = _number(path, raw, what)
    if not number.is_integer():
        raise RecordingError(f"{path}: {what} in its header is {number:g}; copy the file again")
    return int(number)
