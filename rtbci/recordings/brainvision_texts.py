"""BrainVision headers and marker files: declared units, and files that are odd beside their samples."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rtbci.recordings.units import unit_text
from rtbci.text import utf8_or_latin1

_CHANNEL = re.compile(rb"^\s*Ch(\d+)\s*=[^,\r\n]*,[^,\r\n]*,[^,\r\n]*,([^,\r\n]*)", re.MULTILINE)
_MARKER = re.compile(r"\s*Mk\d+\s*=", re.IGNORECASE)
_CODEPAGE = re.compile(r"^\s*Codepage\s*=.*$", re.MULTILINE | re.IGNORECASE)


def declared_units(path: Path) -> dict[int, str]:
    """The units that a header declares, by index of the channel; channels without one are left out."""
    declared = ((int(number) - 1, unit_text(unit)) for number, unit in _CHANNEL.findall(path.read_bytes()))
    return {index: unit for index, unit in declared if unit}


@contextmanager
def mended(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A copy of a header and its marker file without what is odd in them; the samples stay where they are.

    Parameters
    ----------
    path
        The header.

    Yields
    ------
    header : Path
        The copy, as long as the context is open.
    odd : list of str
        What was mended, one line each.

    Raises
    ------
    OSError
        If the file of the samples is not there.
    """
    odd: list[str] = []
    header = _text(path, odd)
    samples = _named(path, header, "DataFile")
    if samples is None or not samples.is_file():
        raise FileNotFoundError(2, "No such file or directory", str(samples or path.with_suffix(".eeg")))
    markers = _markers(path, _named(path, header, "MarkerFile"), odd)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.with_suffix(".vmrk").write_text(markers, "utf-8")
        copy.write_text(_with(_with(header, "DataFile", str(samples)), "MarkerFile", f"{copy.stem}.vmrk"), "utf-8")
        yield copy, odd


def _text(path: Path, odd: list[str]) -> str:
    raw = path.read_bytes()
    text = utf8_or_latin1(raw)
    if text.encode() != raw and re.search(r"Codepage\s*=\s*UTF-8", text):
        odd.append(f"{path.name} says that it is UTF-8 and is not; read as Latin-1")
    return _CODEPAGE.sub("Codepage=UTF-8", text.replace("\r\n", "\n"))


def _named(path: Path, header: str, key: str) -> Path | None:
    found = re.search(rf"^\s*{key}\s*=\s*(.+?)\s*$", header, re.MULTILINE)
    if found is None:
        return None
    named = (path.parent / found[1].replace("$b", path.stem)).absolute()
    beside = path.with_name(re.split(r"[/\\]", named.name)[-1]).absolute()  # the folder may be of another computer
    return beside if beside.is_file() and not named.is_file() else named


def _with(header: str, key: str, value: str) -> str:
    return re.sub(rf"^\s*{key}\s*=.*$", lambda _: f"{key}={value}", header, count=1, flags=re.MULTILINE)


def _markers(path: Path, named: Path | None, odd: list[str]) -> str:
    """The text of the marker file: dates that are none are cleared, markers without a place are left out."""
    empty = "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n\n[Marker Infos]\n"
    if named is not None and not named.is_file() and path.with_suffix(".vmrk").is_file():
        odd.append(f"its header names the marker file {named.name}, which is not there; {path.stem}.vmrk is read")
        named = path.with_suffix(".vmrk")
    if named is None or not named.is_file():
        odd.append(f"its marker file {named.name if named else ''} is not there: it has no annotations")
        return empty
    lines, n_left_out = [], 0
    for line in _text(named, odd).split("\n"):
        fields = line.split(",")
        if not _MARKER.match(line):
            lines.append(line)
        elif len(fields) < 4 or not all(field.strip().isdecimal() for field in fields[2:4]):
            n_left_out += 1
        else:
            if len(fields) > 5 and not _is_date(fields[5].strip()):
                odd.append(f"the date in its marker file, {fields[5].strip()!r}, is none; the time of day is unknown")
                fields[5] = ""
            lines.append(",".join(fields))
    if n_left_out:
        odd.append(f"{n_left_out} markers have no position and length that can be read and were left out")
    return "\n".join(lines)


def _is_date(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d%H%M%S%f")
    except ValueError:
        return not text.strip("0")
    return True
