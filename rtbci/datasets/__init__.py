"""Datasets by name, each read from a local folder; nothing is downloaded."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from rtbci import plugins
from rtbci.datasets.dataset import Dataset, Member, Trials
from rtbci.errors import DatasetError, PluginError, RtbciError

NAMES = (
    "bci2_iv", "bnci_2a", "chbmit", "eegmmidb", "helsinki_neonatal", "high_gamma", "seizeit1", "seizeit2", "siena",
    "szcore", "tusz",
)  # fmt: skip

__all__ = ["NAMES", "Dataset", "Member", "Trials", "open_dataset"]


def open_dataset(name: str, folder: str | Path) -> Dataset:
    """Open the dataset in a folder, and check that it is complete.

    Parameters
    ----------
    name
        One of `NAMES`, or a registered reader of the user's own (rtbci/plugins.py): a function
        ``open_folder(folder: Path) -> Dataset``.
    folder
        Where it is.

    Returns
    -------
    Dataset
        Recordings, opened but not loaded.

    Raises
    ------
    DatasetError
        If something is missing; the message names it, and where it is published.
    """
    folder = Path(folder)
    if name not in NAMES:
        return _open_plugin(name, folder)
    module = import_module(f"rtbci.datasets.{name}")
    if not folder.is_dir():
        raise DatasetError(f"{name}: there is no folder {folder}; {module.PUBLISHED}")
    dataset: Dataset = module.open_folder(folder)
    return dataset


def _open_plugin(name: str, folder: Path) -> Dataset:
    try:
        open_folder = plugins.load(plugins.DATASETS, name, NAMES)
    except PluginError as error:
        raise DatasetError(str(error)) from error.__cause__
    if not folder.is_dir():
        raise DatasetError(f"{name}: there is no folder {folder}")
    try:
        dataset = open_folder(folder)
    except RtbciError:
        raise
    except Exception as error:
        raise DatasetError(f"{name}: reading {folder} fails: {plugins.error_text(error)}") from error
    if not isinstance(dataset, Dataset):
        raise DatasetError(f"{name}: gives {type(dataset).__name__}, wanted an rtbci.datasets.Dataset")
    return dataset
