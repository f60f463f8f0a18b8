"""The files that `tag` writes, where, and which it may replace: its own earlier ones, never anybody else's table."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from rtbci.errors import ConfigError
from rtbci.files import atomic_write, make_private_folder
from rtbci.recordings.predictions import WRITER, claim, digest, without_kind
from rtbci.recordings.recording import FORMATS

_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


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
        Stem of the recording's file name; of a BIDS one without `_eeg` or `_ieeg`, as its event table has it.
    beside
        Whether a recording of that name is in the folder: what is named `NAME_events.tsv` there is read as its
        annotations, so that the answers are named `NAME_detections.tsv`.
    """

    folder: Path
    name: str
    beside: bool = False

    @classmethod
    def of(cls, recording: Path, out: Path) -> Outputs:
        """Where the answers to a recording belong.

        Parameters
        ----------
        recording
            Its file.
        out
            The requested folder. The answers to a recording of a BIDS tree go to its place in a tree of their own, under
            the names of its event table, where SzCORE's evaluator looks for them.

        Raises
        ------
        ConfigError
            If that is the recording's own tree: everything in it is read as the work of experts.
        """
        root = bids_root(recording)
        folder = out if root is None else _placed(out, recording.absolute().parent.relative_to(root))
        if root is not None and _is_within(folder, root / recording.absolute().relative_to(root).parts[0]):
            raise ConfigError(
                f"{recording}: its answers in its own BIDS tree would be read as the experts' events; name a folder of "
                f"their own, as --out {root / 'derivatives' / 'rtbci'}"
            )
        is_bids = _SUBJECT.match(recording.stem) is not None
        name = without_kind(recording.stem) if is_bids else recording.stem
        return cls(folder, name, _has_recording(folder, name))

    @property
    def events(self) -> Path:
        return self._detections if self.beside else self.folder / f"{self.name}_events.tsv"

    @property
    def cues(self) -> Path:
        return self.folder / f"{self.name}_cues.tsv"

    @property
    def scores(self) -> Path:
        return self.folder / f"{self.name}_scores.npz"

    @property
    def _detections(self) -> Path:
        return self.folder / f"{self.name}_detections.tsv"

    def check(self) -> None:
        """Raise ConfigError where one of them exists and is not as `tag` wrote it."""
        claimed = claim(self.scores)
        if claimed is None and self.scores.exists():
            raise foreign(self.scores)
        for table in (self.events, self.cues):
            if table.exists() and digest(table.read_bytes()) not in (claimed or {"tables": ()})["tables"]:
                raise foreign(table)

    def made_from(self) -> Mapping[str, str] | None:
        """What was given to `write` with the files that are here; None where they are not all as it left them."""
        claimed = claim(self.scores)
        if claimed is None or not isinstance(claimed.get("made_from"), dict):
            return None
        self.check()
        if claimed.get("files") != {path.name: _digest_of(path) for path in _existing((self.events, self.cues))}:
            return None
        return {str(key): str(value) for key, value in claimed["made_from"].items()}

    def write(
        self,
        arrays: Mapping[str, npt.NDArray[np.generic]],
        tables: Mapping[Path, str],
        made_from: Mapping[str, str] | None = None,
    ) -> None:
        """Write the scores and the tables, each completely or not at all.

        Parameters
        ----------
        arrays
            Content of the npz file.
        tables
            Text by path.
        made_from
            What identifies the pipeline and the recording, to be kept with the scores.

        Raises
        ------
        ConfigError
            As `check` does.
        OSError
            If they cannot be written.
        """
        self.check()
        # With the digests of the old tables, in case of an interruption before the last one is replaced, and for those
        # of another name, which would be taken for an expert's from then on.
        known = set((claim(self.scores) or {"tables": ()})["tables"]) & set(map(_digest_of, _existing(self._all)))
        digests = sorted(known.union(digest(text.encode()) for text in tables.values()))
        comment: dict[str, object] = {"written_by": WRITER, "tables": digests}
        if made_from is not None:
            files = {path.name: digest(text.encode()) for path, text in tables.items()}
            comment |= {"made_from": dict(made_from), "files": files}

        def put(file: IO[bytes]) -> None:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = json.dumps(comment).encode()

        make_private_folder(self.folder)
        atomic_write(self.scores, put)
        for path, text in tables.items():
            atomic_write(path, text)
        if self.cues not in tables:
            self.cues.unlink(missing_ok=True)  # of an earlier pipeline

    @property
    def _all(self) -> tuple[Path, ...]:
        """Every table, under its names in either kind of folder."""
        return (self.folder / f"{self.name}_events.tsv", self._detections, self.cues)


def bids_root(recording: Path) -> Path | None:
    """The folder of the `sub-…` folder that a BIDS recording is in; None where it is in no such tree."""
    subject = _SUBJECT.match(recording.name)
    above = recording.absolute().parents
    return next((folder.parent for folder in above if subject is not None and folder.name == subject[0]), None)


def _placed(out: Path, place: Path) -> Path:
    """`place` in `out`, unless `out` ends in it already."""
    return out if out.absolute().parts[-len(place.parts) :] == place.parts else out / place


def _is_within(folder: Path, tree: Path) -> bool:
    return folder.resolve().is_relative_to(tree.resolve())


def _has_recording(folder: Path, name: str) -> bool:
    """Whether a folder holds a recording whose event table would be NAME_events.tsv."""
    stems = [f"{name}{kind}" for kind in ("", "_eeg", "_ieeg")]
    endings = [ending for suffix in FORMATS for ending in (suffix, suffix.upper())]
    return any((folder / f"{stem}{ending}").exists() for stem in stems for ending in endings)


def _existing(paths: tuple[Path, ...]) -> list[Path]:
    return [path for path in paths if path.is_file()]


def _digest_of(path: Path) -> str:
    return digest(path.read_bytes())


def foreign(path: Path) -> ConfigError:
    """The error for a file that `tag` did not write."""
    return ConfigError(
        f"{path}: is not as `rtbci tag` would have left it, and is not replaced; name another folder with --out, or move it away"
    )
