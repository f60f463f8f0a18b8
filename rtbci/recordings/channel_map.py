"""The option --channels: names in order, or a map from the names that come to those that are meant; inline or a file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from rtbci.config import MAX_CHANNELS
from rtbci.errors import ConfigError
from rtbci.text import field_text, utf8_or_latin1

MAX_BYTES = 1_000_000
WANTED = "names in order (Fp1,F3,C3), a map (A1=Fp1,B2=F3), or a file with a name or a pair on each line"
_PAIR = re.compile(r"\s*(?:=>|->|→|=|\t|;|,)\s*")
_SPLIT = re.compile(r"\s*[,;\t]\s*")


def parse_channels(text: str) -> dict[str, Any]:
    """The fields of StreamOverrides that an option --channels means.

    Parameters
    ----------
    text
        `Fp1,F3,-`: the name of each channel in order, - for none. `A1=Fp1,B*=*`: new names by those that come (a star
        stands for any text), or by number from 1. Otherwise the path of a file, UTF-8: lines `A1<TAB>Fp1` (or with a
        comma, =, =>), or a name a line; # begins a comment.

    Returns
    -------
    dict
        `channels` or `renamed`.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a name is given twice.
    """
    path = Path(text)
    if _is_file(path):
        return _of_lines(_lines(path), f"--channels {path}")
    if "=" in text or "→" in text:
        return _of_lines([part for part in re.split(r"\s*[,;]\s*", text) if part], "--channels")
    if re.search(r"[/\\]|\.(txt|tsv|csv|map)$", text):
        raise ConfigError(f"--channels {text}: there is no such file; wanted {WANTED}")
    return _of_names(_SPLIT.split(text.strip()), "--channels")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # names in order may be longer than a path
        return False


def _lines(path: Path) -> list[str]:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"--channels {path}: is larger than {MAX_BYTES // 1000} kB; wanted {WANTED}")
    lines = (line.partition("#")[0] for line in utf8_or_latin1(raw.removeprefix(b"\xef\xbb\xbf")).splitlines())
    return [line.strip(" \0") for line in lines if line.strip()]


def _of_lines(lines: list[str], where: str) -> dict[str, Any]:
    parts = [[field_text(part.strip("\"'")) for part in _PAIR.split(line)] for line in lines]
    if len(parts) == 1 and len(parts[0]) > 2:
        return _of_names(parts[0], where)
    widths = {len(part) for part in parts}
    if widths <= {1}:
        return _of_names([part[0] for part in parts], where)
    if widths != {2}:
        odd = next(line for line, part in zip(lines, parts, strict=True) if len(part) != 2)
        raise ConfigError(f"{where}: {odd[:60]!r} is no pair of names; wanted {WANTED}")
    came = [part[0] for part in parts]
    if twice := [name for name, n in Counter(came).items() if n > 1]:
        raise ConfigError(f"{where}: {twice[0][:60]!r} is renamed twice")
    _check([part[1] for part in parts if "*" not in part[1]], where)
    return {"renamed": dict(zip(came, (part[1] for part in parts), strict=True))}


def _of_names(names: list[str], where: str) -> dict[str, Any]:
    names = ["" if name == "-" else field_text(name) for name in names]
    _check([name for name in names if name], where)
    if not any(names):
        raise ConfigError(f"{where}: names no channel; wanted {WANTED}")
    return {"channels": tuple(names)}


def _check(names: list[str], where: str) -> None:
    if len(names) > MAX_CHANNELS or any(len(name) > 200 for name in names):
        raise ConfigError(f"{where}: more than {MAX_CHANNELS} names, or one of more than 200 characters")
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise ConfigError(
            f"{where}: {twice[0][:60]!r} is given to {Counter(names)[twice[0]]} channels; wanted each once"
        )
