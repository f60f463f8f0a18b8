"""Writes GDF 1.25 files: A. Schlögl, GDF, a general dataformat for biosignals (2004)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

INT16 = 3


@dataclass(frozen=True)
class GdfSignal:
    """values: int16, in tenths of a µV; rate in Hz, for records of a second."""

    label: str
    values: npt.NDArray[np.int16]
    rate: int


def write_gdf(path: Path, signals: Sequence[GdfSignal], events: Sequence[tuple[float, int, float]] = ()) -> Path:
    """events: onset in seconds, type, and duration in seconds; their table has the rate of the first signal."""
    n, n_records = len(signals), len(signals[0].values) // signals[0].rate
    fixed = [
        *(b"GDF 1.25", b"patient".ljust(80), b"recording".ljust(80), b"2020010101010100"),
        *(struct.pack("<q", 256 * (n + 1)), bytes(44), struct.pack("<qIII", n_records, 1, 1, n)),
    ]
    columns = [
        *(b"".join(one.label.encode().ljust(16) for one in signals), bytes(80 * n), b"uV".ljust(8) * n),
        *(struct.pack("<d", -3276.8) * n, struct.pack("<d", 3276.7) * n),
        *(struct.pack("<q", -32768) * n, struct.pack("<q", 32767) * n, bytes(80 * n)),
        *(struct.pack(f"<{n}i", *(one.rate for one in signals)), struct.pack("<i", INT16) * n, bytes(32 * n)),
    ]
    records = [
        one.values[second * one.rate : (second + 1) * one.rate].astype("<i2").tobytes()
        for second in range(n_records)
        for one in signals
    ]
    path.write_bytes(b"".join([*fixed, *columns, *records, _event_table(events, signals[0].rate)]))
    return path


def _event_table(events: Sequence[tuple[float, int, float]], rate: int) -> bytes:
    """Mode 3: positions from 1, types, channels (0: all), durations."""
    n = len(events)
    head = struct.pack("<B", 3) + struct.pack("<I", rate)[:3] + struct.pack("<I", n)
    places = struct.pack(f"<{n}I", *(round(onset * rate) + 1 for onset, _, _ in events))
    kinds = struct.pack(f"<{n}H", *(kind for _, kind, _ in events))
    lengths = struct.pack(f"<{n}I", *(round(duration * rate) for _, _, duration in events))
    return head + places + kinds + bytes(2 * n) + lengths
