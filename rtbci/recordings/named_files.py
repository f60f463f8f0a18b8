"""Which files a BrainVision or Persyst header names, as it is meant: `$b` is its own name, a folder is of long ago."""

from __future__ import annotations

import re
from pathlib import Path

_KEYS = {".vhdr": ("DataFile", "MarkerFile"), ".ahdr": ("DataFile", "MarkerFile"), ".lay": ("File",)}
_MOST_BYTES = 2**20


def named_files(header: Path) -> dict[str, str]:
    """Names of the files beside a header, by key; empty for other formats, and where it cannot be read."""
    written = {key: re.split(r"[/\\]", value)[-1] for key, value in _written(header).items()}
    return {key: name.replace("$b", header.stem) for key, name in written.items() if name}


def _written(header: Path) -> dict[str, str]:
    keys = _KEYS.get(header.suffix.lower(), ())
    try:
        with header.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return {}
    found = {key: re.search(rf"^{key}\s*=[ \t]*(.*?)\s*$", text, re.MULTILINE | re.IGNORECASE) for key in keys}
    return {key: match[1] for key, match in found.items() if match is not None}
