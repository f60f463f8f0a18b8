"""How a table of predictions is told from one of an expert, beside whose recording it may be."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WRITER = "rtbci tag"
_KINDS = ("_eeg", "_ieeg")  # the suffix of a BIDS recording, which its event table does not bear


def without_kind(stem: str) -> str:
    """The name of a recording without BIDS's `_eeg` or `_ieeg`."""
    return next((stem.removesuffix(kind) for kind in _KINDS if stem.endswith(kind)), stem)


def is_prediction(table: Path) -> bool:
    """Whether `rtbci tag` wrote a table ``NAME_events.tsv``, and nobody has changed it: by ``NAME_scores.npz``."""
    claimed = claim(table.with_name(table.name.removesuffix("_events.tsv") + "_scores.npz"))
    try:
        return claimed is not None and digest(table.read_bytes()) in claimed["tables"]
    except OSError:
        return False


def claim(scores: Path) -> Mapping[str, Any] | None:
    """What `rtbci tag` left in the comment of ``NAME_scores.npz``; None where it did not write that file.

    `tables`, a list of texts, holds the SHA-256 of the tables beside it.
    """
    try:
        with zipfile.ZipFile(scores) as archive:
            claimed = json.loads(archive.comment)
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile):
        return None
    if not isinstance(claimed, dict) or claimed.get("written_by") != WRITER:
        return None
    tables = claimed.get("tables")
    return claimed | {"tables": list(map(str, tables))} if isinstance(tables, list) else None


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
