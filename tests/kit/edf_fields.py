"""EDF(+) and BDF(+) files of which every header field can be set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Signal:
    """One signal: `digital` (n_samples,), stored values; with the default range 10 of them are 1 physical unit."""

    label: str | bytes
    digital: Sequence[int] | np.ndarray
    unit: str | bytes = "uV"
    per_record: int = 100
    physical: tuple[object, object] = (-3276.8, 3276.7)


def write_edf(
    path: Path,
    signals: Sequence[Signal],
    *,
    lists: Sequence[bytes] = (),
    version: str | bytes = "0",
    patient: str | bytes = "X X X X",
    recording: str | bytes = "Startdate 01-FEB-2020 X X X",
    start: tuple[str | bytes, str | bytes] = ("01.02.20", "10.11.12"),
    n_bytes: object = None,
    reserved: str = "EDF+C",
    n_records: object = None,
    record_s: object = 1,
) -> Path:
    """Write a file; `lists`: the bytes of the annotation signal in each record, none without."""
    size = 2 * -(-max(map(len, lists), default=0) // 2)
    held = len(signals[0].digital) // signals[0].per_record
    n = len(signals) + bool(lists)
    fixed = [(version, 8), (patient, 80), (recording, 80), (start[0], 8), (start[1], 8)]
    fixed += [(256 * (n + 1) if n_bytes is None else n_bytes, 8), (reserved, 44)]
    fixed += [(held if n_records is None else n_records, 8), (record_s, 8), (n, 4)]
    rows = [(s.label, "", s.unit, *s.physical, -32768, 32767, "", s.per_record, "") for s in signals]
    rows += [("EDF Annotations", "", "", -1, 1, -32768, 32767, "", size // 2, "")] * bool(lists)
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    content = b"".join(_field(*f) for f in fixed)
    content += b"".join(_field(row[k], width) for k, width in enumerate(widths) for row in rows)
    for r in range(held):
        for s in signals:
            content += np.asarray(s.digital[r * s.per_record : (r + 1) * s.per_record], "<i2").tobytes()
        content += lists[r].ljust(size, b"\0") if lists else b""
    path.write_bytes(content)
    return path


def listed(onset_s: float, *events: tuple[float, float | None, str | bytes]) -> bytes:
    """The annotation signal of a record that begins at `onset_s`, with events (onset, duration or None, text)."""
    out = f"{onset_s:+g}\x14\x14\0".encode()
    for onset, duration, text in events:
        length = b"" if duration is None else f"\x15{duration:g}".encode()
        out += (
            f"{onset:+g}".encode() + length + b"\x14" + (text if isinstance(text, bytes) else text.encode()) + b"\x14\0"
        )
    return out


def _field(value: object, width: int) -> bytes:
    content = value if isinstance(value, bytes) else str(value).encode("latin-1")
    assert len(content) <= width
    return content.ljust(width)
