"""Text of unknown origin, made safe to show: no control sequence in a name reaches a terminal."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

LONGEST = 1500  # characters of a line


def plain(text: str) -> str:
    """Replace control characters, bidirectional marks and lone surrogates by visible escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """The same on one line: whitespace is collapsed, and a line over LONGEST characters is cut."""
    line = plain(" ".join(text[: 4 * LONGEST].split()))
    return line if len(line) <= LONGEST else line[: LONGEST - 2] + " …"


def field_text(raw: str | bytes) -> str:
    """A field of a header or a description: UTF-8, else Latin-1; up to a NUL that pads it, without blanks around."""
    text = raw if isinstance(raw, str) else utf8_or_latin1(raw)
    return text.strip("\0 \t\r\n").partition("\0")[0].strip()


def utf8_or_latin1(raw: bytes) -> str:
    """The text of bytes: UTF-8 where they are that, else Latin-1, which any bytes are."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def file_name(text: str, otherwise: str) -> str:
    """A file name of letters, digits and a few signs, never a path nor hidden; `otherwise` where nothing is left."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("._")[:80] or otherwise


def json_text(value: object, indent: int | None = None) -> str:
    """Standard JSON: a number that is not finite becomes null, and an unknown type its text."""
    try:
        return json.dumps(value, default=str, allow_nan=False, indent=indent)
    except ValueError:
        return json.dumps(_finite(value), default=str, indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def listing(names: Sequence[str], most: int = 12) -> str:
    """Names with commas; of many the first `most`, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def clock_text(seconds: float) -> str:
    """Seconds of a recording as h:mm:ss."""
    sign = "-" if seconds < 0 else ""
    minutes, rest = divmod(abs(seconds) + 1e-6, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{sign}{hours:d}:{minutes:02d}:{int(rest):02d}"


def tenths_text(seconds: float) -> str:
    """h:mm:ss.s of a recording."""
    tenths = round(10 * seconds)
    if tenths < 0:
        return f"-{tenths_text(-seconds)}"
    return f"{tenths // 36000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def grouped(warnings: Iterable[str], most: int = 3) -> list[str]:
    """Warnings `FILE: text` with the files of one text together; the first `most` are named."""
    files: dict[str, list[str]] = {}
    for warning in dict.fromkeys(warnings):
        name, colon, text = warning.partition(": ")
        files.setdefault(text if colon else "", []).append(name)
    lines = []
    for text, names in files.items():
        if not text:
            lines += names
            continue
        more = f" and {len(names) - most} more" if len(names) > most else ""
        lines.append(f"{', '.join(names[:most])}{more}: {text}")
    return lines


def size_text(n_bytes: float) -> str:
    """1.5 GB, 20 MB, 3 kB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"


def wall_text(wall: float) -> str:
    """A POSIX time as hh:mm:ss, local time."""
    return datetime.fromtimestamp(wall + 1e-6).strftime("%H:%M:%S")
