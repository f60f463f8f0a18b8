"""The files that `tag` writes, and which it may replace: its own earlier ones, never anybody else's table."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from rtbci.errors import ConfigError
from rtbci.files import atomic_write

_WRITER = "rtbci tag"


@dataclass(frozen=True)
class Outputs:
    """Files of one recording in a folder.

    The comment of the zip `NAME_scores.npz` holds the SHA-256 of the tables beside it. So a table that an expert wrote
    or corrected is distinguished from one that `tag` left.

    Parameters
    ----------
    folder
        Where they are.
    name
        Stem of the recording's file name.
    """

    folder: Path
    name: str

    @property
    def events(self) -> Path:
        return self.folder / f"{self.name}_events.tsv"

    @property
    def cues(self) -> Path:
        return self.folder / f"{self.name}_cues.tsv"

    @property
    def scores(self) -> Path:
        return self.folder / f"{self.name}_scores.npz"

    def check(self) -> None:
        """Raise ConfigError where one of them exists and is not as `tag` wrote it."""
        vouched = self._vouched()
        if vouched is None and self.scores.exists():
            raise foreign(self.scores)
        for table in (self.events, self.cues):
            if table.exists() and _digest(table.read_bytes()) not in (vouched or ()):
                raise foreign(table)

    def write(self, arrays: Mapping[str, npt.NDArray[np.generic]], tables: Mapping[Path, str]) -> None:
        """Write the scores and the tables, each completely or not at all.

        Parameters
        ----------
        arrays
            Content of the npz file.
        tables
            Text by path.

        Raises
        ------
        ConfigError
            As `check` does.
        OSError
            If they cannot be written.
        """
        self.check()
        # With the digests of the old tables, in case of an interruption before the last one is replaced.
        known = [path.read_bytes() for path in (self.events, self.cues) if path.exists()]
        digests = sorted({_digest(content) for content in (*known, *(text.encode() for text in tables.values()))})
        comment = json.dumps({"written_by": _WRITER, "tables": digests}).encode()

        def put(file: IO[bytes]) -> None:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = comment

        atomic_write(self.scores, put)
        for path, text in tables.items():
            atomic_write(path, text)

    def _vouched(self) -> list[str] | None:
        """Digests of the tables that `tag` wrote; None where its scores are missing."""
        try:
            with zipfile.ZipFile(self.scores) as archive:
                claimed = json.loads(archive.comment)
        except (OSError, ValueError, RecursionError, zipfile.BadZipFile):
            return None
        if (
            not isinstance(claimed, dict)
            or claimed.get("written_by") != _WRITER
            or not isinstance(claimed.get("tables"), list)
        ):
            return None
        return [str(digest) for digest in claimed["tables"]]


def foreign(path: Path) -> ConfigError:
    """The error for a file that `tag` did not write."""
    return ConfigError(
        f"{path}: is not as `rtbci tag` would have left it, and is not replaced; name another folder with --out, or move it away"
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
