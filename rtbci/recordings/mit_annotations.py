"""Seizures in an annotation file of the MIT format, as CHB-MIT has them beside its recordings: NAME.edf.seizures.

References
----------
WFDB: annot(5), ecgcodes.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from rtbci.errors import RecordingError

_MAX_BYTES = 2**20
_ONSET, _END, _SKIP, _AUX = 32, 33, 59, 63


def read_seizures(path: Path) -> tuple[tuple[float, float], ...]:
    """Seizures in seconds, from each `[` to the next `]`. Raises RecordingError."""
    seizures: list[tuple[float, float]] = []
    start: float | None = None
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecordingError(f"{path}: is larger than an annotation file can be ({_MAX_BYTES} bytes)")
        for seconds, code in _annotations(path.read_bytes()):
            if code == _ONSET:
                start = seconds
            elif code == _END and start is not None:
                seizures.append((start, seconds))
                start = None
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}; check its permissions") from error
    except (struct.error, ValueError):
        start = 0.0
    if start is not None:
        raise RecordingError(f"{path}: is not a complete annotation file; copy it again from the publisher")
    return tuple(seizures)


def _annotations(content: bytes) -> Iterator[tuple[float, int]]:
    """(seconds, code) of each annotation: a 6-bit code above a 10-bit time difference, little-endian."""
    at, ticks, resolution = 0, 0, 256.0
    while at + 2 <= len(content):
        (word,) = struct.unpack_from("<H", content, at)
        code, step = word >> 10, word & 0x3FF
        at += 2
        if word == 0:
            return
        if code == _SKIP:  # a long step: high half first, each half little-endian
            high, low = struct.unpack_from("<hH", content, at)
            ticks += (high << 16) + low
            at += 4
        elif code == _AUX:
            note = content[at : at + step].rstrip(b"\0").decode("ascii")
            if note.startswith("## time resolution:"):
                resolution = float(note.split(":")[1])
            at += step + step % 2
        elif code < _SKIP:
            ticks += step
            yield ticks / resolution, code
    raise ValueError("no end")
