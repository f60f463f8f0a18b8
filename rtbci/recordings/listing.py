"""Which files of a folder, or of a list, are recordings: one for each header, none of those that were derived."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rtbci.errors import RecordingError
from rtbci.recordings.content import copies
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import FORMATS, Recording

DERIVED = ("derivatives", "sourcedata")  # of BIDS: what was made from the recordings, and what they were made from
_HEADERS = {".eeg": (".vhdr", ".ahdr"), ".vmrk": (".vhdr",), ".amrk": (".ahdr",), ".fdt": (".set",)}
_TABLES = (".tsv", ".json", ".csv", ".csv_bi", ".tse", ".tse_bi", ".seizures")  # read with their recordings
# Of BIDS: what was recorded beside the EEG, in files of its own.
_OTHER_MODALITY = re.compile(r"sub-[A-Za-z0-9]+_.*_(ecg|emg|eog|mov|motion|nirs|physio|stim|beh|meg)", re.IGNORECASE)
_SPLIT = re.compile(r"_split-(\d+)(?=_)")
_PART = re.compile(r"(.+)-\d+")


@dataclass(frozen=True)
class Listed:
    """A recording that was named, or that is in a folder that was named.

    Parameters
    ----------
    path
        Its header file.
    folder
        The folder that was named; None where the recording itself was.
    """

    path: Path
    folder: Path | None = None

    @property
    def place(self) -> Path:
        """Its folder, relative to the one that was named."""
        return Path() if self.folder is None else self.path.parent.relative_to(self.folder)


def listed(paths: Iterable[Path]) -> tuple[Listed, ...]:
    """The recordings that paths name: files as they are, and folders with all below; each once.

    Raises
    ------
    RecordingError
        If a folder holds no recording.
    """
    found: dict[Path, Listed] = {}
    for path in paths:
        if not path.is_dir():
            header = header_of(path)
            found.setdefault(header.absolute(), Listed(header))
            continue
        inside = list(in_folder(path))
        if not inside:
            raise RecordingError(f"{path}: holds no recording; wanted files of {', '.join(FORMATS)}")
        for one in inside:
            found.setdefault(one.absolute(), Listed(one, path))
    return tuple(found.values())


def in_folder(folder: Path) -> Iterator[Path]:
    """The recordings in a folder and below, sorted; none that is hidden, in `DERIVED`, or of another modality of BIDS."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in FORMATS)
    # A link that leads nowhere, as to what was not fetched from an archive, is a recording that cannot be read.
    kept = [
        path
        for path in files
        if not is_apart(path.relative_to(folder))
        and (path.is_file() or not path.exists())
        and not _OTHER_MODALITY.fullmatch(path.stem)
    ]
    yield from one_for_each(sorted(kept))


def of_pattern(root: Path, pattern: str) -> list[Path]:
    """The recordings below `root` that match a glob pattern; none in `DERIVED` unless the pattern names it.

    Tables beside them are left out, and any other file is taken for a recording.
    """
    found = sorted(path for path in root.glob(pattern) if path.suffix.lower() not in _TABLES and path.is_file())
    if not is_apart(Path(pattern)):
        found = [path for path in found if not is_apart(path.relative_to(root))]
    return list(one_for_each(found))


def opened(
    paths: Iterable[Path], stream: str | int | None = None, told: StreamOverrides | None = None
) -> list[Recording]:
    """Open what `listed` lists; a recording with the same samples as one before it has a warning.

    Raises
    ------
    RecordingError
        If one cannot be opened, or a folder holds none.
    """
    recordings = [open_recording(one.path, stream=stream, told=told) for one in listed(paths)]
    for copy, first in copies(recordings).items():
        warning = f"has the same samples as {recordings[first].path}"
        recordings[copy] = replace(recordings[copy], warnings=(*recordings[copy].warnings, warning))
    return recordings


def one_for_each(paths: Iterable[Path]) -> Iterator[Path]:
    """Header files alone: no samples of BrainVision, no later part of a FIF file."""
    seen: set[Path] = set()
    for path in map(header_of, paths):
        if path not in seen and not _is_later_part(path):
            seen.add(path)
            yield path


def header_of(path: Path) -> Path:
    """The header of the recording that a file belongs to; the file itself where there is no other."""
    endings = [end for suffix in _HEADERS.get(path.suffix.lower(), ()) for end in (suffix, suffix.upper())]
    return next((header for end in endings if (header := path.with_suffix(end)).exists()), path)


def is_apart(relative: Path) -> bool:
    """Whether a path in a folder is hidden, or in one of `DERIVED`."""
    return any(part.startswith(".") or part.lower() in DERIVED for part in relative.parts)


def _is_later_part(path: Path) -> bool:
    """Whether another file continues in this one: `x_raw-1.fif` after `x_raw.fif`, `x_split-02_eeg.fif` after 01."""
    if path.suffix.lower() != ".fif":
        return False
    if (split := _SPLIT.search(path.name)) is not None and int(split[1]) > 1:
        first = f"_split-{1:0{len(split[1])}d}"
        return path.with_name(path.name.replace(split[0], first)).exists()
    part = _PART.fullmatch(path.stem)
    return part is not None and path.with_name(part[1] + path.suffix).exists()
