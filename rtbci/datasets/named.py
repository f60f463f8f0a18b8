"""`--dataset NAME=FOLDER`: datasets that are named on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rtbci.datasets import open_dataset
from rtbci.datasets.dataset import Dataset
from rtbci.errors import ConfigError

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


def open_named(texts: Iterable[str]) -> list[Dataset]:
    """The datasets. Raises ConfigError, and DatasetError where a folder is not what its name says."""
    return [open_dataset(*parse_dataset(text)) for text in texts]


def one_by_one_line(datasets: Iterable[str], n_processes: int) -> str:
    """A line where several processes were asked for and a dataset is read by this one alone; else empty."""
    names = ", ".join(text.partition("=")[0] for text in datasets)
    if not names or n_processes == 1:
        return ""
    return f"--jobs: recordings of {names} are tagged one after another, for only --dataset says how they are opened"


def missing_line(dataset: Dataset) -> str:
    """What its folder lacks, in one line; empty: nothing."""
    if not dataset.missing:
        return ""
    more = len(dataset.missing) - MOST_SHOWN
    shown = ", ".join(dataset.missing[:MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"{dataset.name}: not in its folder, or not usable: {shown}"
