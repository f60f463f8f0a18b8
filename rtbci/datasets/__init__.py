"""Datasets by name, each read from a local folder; nothing is ever downloaded."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from rtbci.config import nearest
from rtbci.datasets.dataset import Dataset, Member, Trials
from rtbci.errors import DatasetError

NAMES = ("bci2_iv", "chbmit", "eegmmidb", "high_gamma", "szcore")

__all__ = ["NAMES", "Dataset", "Member", "Trials", "open_dataset"]


def open_dataset(name: str, folder: str | Path) -> Dataset:
    """The dataset in a folder, checked. Raises DatasetError: what is missing, and where it is published."""
    if name not in NAMES:
        raise DatasetError(f"unknown dataset {name[:60]!r}; known are {', '.join(NAMES)}{nearest(name, NAMES)}")
    folder = Path(folder)
    module = import_module(f"rtbci.datasets.{name}")
    if not folder.is_dir():
        raise DatasetError(f"{name}: there is no folder {folder}; {module.PUBLISHED}")
    dataset: Dataset = module.open_folder(folder)
    return dataset
