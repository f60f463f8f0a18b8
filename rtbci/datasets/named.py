"""`--dataset NAME=FOLDER`: datasets that are named on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rtbci.datasets import open_dataset
from rtbci.datasets.dataset import Dataset, Member
from rtbci.errors import ConfigError, DatasetError
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording

MOST_SHOWN = 6  # of what a folder lacks


def parse_dataset(text: str) -> tuple[str, Path]:
    """Name and absolute folder. Raises ConfigError where the text is not that, or the folder is not there."""
    name, equals, folder = text.partition("=")
    if not equals or not name.strip() or not folder.strip():
        raise ConfigError(f"--dataset {text!r}: wanted NAME=FOLDER, as chbmit=/data/chbmit")
    path = Path(folder.strip()).expanduser().absolute()
    if not path.is_dir():
        raise ConfigError(f"--dataset {text}: there is no folder {path}")
    return name.strip(), path


@dataclass(frozen=True)
class MemberOf:
    """A recording of a dataset: by what it is opened again in another process."""

    dataset: str
    folder: Path
    member: str


@dataclass(frozen=True)
class NamedDataset:
    """A dataset, with the name and the folder by which it was opened."""

    dataset: Dataset
    name: str
    folder: Path

    @property
    def members(self) -> list[tuple[Member, MemberOf]]:
        """Its members, each with what opens it again."""
        return [(one, MemberOf(self.name, self.folder, one.name)) for one in self.dataset.members]


def open_named(texts: Iterable[str]) -> list[NamedDataset]:
    """The datasets. Raises ConfigError, and DatasetError where a folder is not what its name says."""
    places = [parse_dataset(text) for text in texts]
    return [NamedDataset(open_dataset(name, folder), name, folder) for name, folder in places]


def opened_from(
    source: Recording | Path | MemberOf, *, stream: str | int | None = None, told: StreamOverrides | None = None
) -> Recording:
    """A recording from wherever it is; a dataset is opened once in a process. Raises RtbciError and OSError.

    `stream` and `told` are for files, as in `open_recording`.
    """
    if isinstance(source, Recording):
        return source
    if isinstance(source, Path):
        return open_recording(source, stream=stream, told=told)
    found = _recordings_of(source.dataset, source.folder).get(source.member)
    if found is None:
        raise DatasetError(f"{source.dataset}: {source.member} is no longer in {source.folder}")
    return found


@cache
def _recordings_of(name: str, folder: Path) -> dict[str, Recording]:
    return {one.name: one.recording for one in open_dataset(name, folder).members}


def missing_line(dataset: Dataset) -> str:
    """What its folder lacks, in one line; empty: nothing."""
    if not dataset.missing:
        return ""
    more = len(dataset.missing) - MOST_SHOWN
    shown = ", ".join(dataset.missing[:MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"{dataset.name}: not in its folder, or not usable: {shown}"
