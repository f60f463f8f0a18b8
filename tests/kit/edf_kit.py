"""Writes small EDF+ and BDF+ files with data records where a test wants them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

_TAL_BYTES = 120


def tal(at: str, *events: tuple[str, str, bytes]) -> bytes:
    """A record's time, and its annotations (onset, duration or "", text)."""
    out = f"{at}\x14\x14\0".encode()
    for onset, duration, text in events:
        out += onset.encode() + (f"\x15{duration}".encode() if duration else b"") + b"\x14" + text + b"\x14\0"
    return out


def write_edf(path: Path, samples: np.ndarray, tals: Sequence[bytes], record_s: float = 1, kind: str = "EDF+D") -> Path:
    """samples: int (n_records * per_record, n_channels), as digital values, which are µV."""
    width = 3 if kind.startswith("BDF") else 2
    per, n_channels = len(samples) // len(tals), samples.shape[1]
    n_text = -(-_TAL_BYTES // width)
    top = 2 ** (8 * width - 1)
    named = "BDF" if width == 3 else "EDF"
    columns = [
        (16, [*[f"C{k + 1}" for k in range(n_channels)], f"{named} Annotations"]), (80, [""] * (n_channels + 1)),
        (8, [*["uV"] * n_channels, ""]), (8, [*[-top] * n_channels, -1]), (8, [*[top - 1] * n_channels, 1]),
        (8, [-top] * (n_channels + 1)), (8, [top - 1] * (n_channels + 1)), (80, [""] * (n_channels + 1)),
        (8, [*[per] * n_channels, n_text]), (32, [""] * (n_channels + 1)),
    ]  # fmt: skip
    first = b"\xffBIOSEMI" if width == 3 else b"0       "
    fixed = [
        (80, "X X X X"), (80, "Startdate 01-FEB-2020 X X X"), (8, "01.02.20"), (8, "10.11.12"),
        (8, 256 * (n_channels + 2)), (44, kind), (8, len(tals)), (8, f"{record_s:.6g}"), (4, n_channels + 1),
    ]  # fmt: skip
    head = first + b"".join(str(text).encode().ljust(n) for n, text in fixed)
    head += b"".join(str(text).encode().ljust(n) for n, texts in columns for text in texts)
    body = b""
    for number, text in enumerate(tals):
        values = samples[number * per : (number + 1) * per].T.astype("<i4", order="C")  # (n_channels, per)
        body += values.view(np.uint8).reshape(-1, 4)[:, :width].tobytes() + text.ljust(n_text * width, b"\0")
    path.write_bytes(head + body)
    return path
