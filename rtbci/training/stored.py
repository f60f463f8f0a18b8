"""A signal on the disk, of which the rows that are asked for are read, and no others."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rtbci.errors import RecordingError
from rtbci.files import atomic_write, make_private_folder, open_private
from rtbci.text import json_text

ABOUT = "about.json"


class Rows(Protocol):
    """Rows of an array, in memory or on the disk: as `array[start:stop]`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice) -> npt.NDArray[Any]: ...


@dataclass(frozen=True)
class StoredRows:
    """Rows of a file of plain numbers.

    They are read, not mapped into memory: what is mapped counts as memory of the process for as long as it is not needed for
    another, and an archive would look, and on a cluster be treated, as if it were held whole.

    Attributes
    ----------
    path
        The file.
    dtype
        Of its numbers, as NumPy names it.
    shape
        (n_rows, …).
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        wanted = int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize
        if self.path.stat().st_size != wanted:
            raise RecordingError(f"{self.path}: has {self.path.stat().st_size} bytes, wanted {wanted}")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> npt.NDArray[Any]:
        start, stop, stride = part.indices(len(self))
        width = int(np.prod(self.shape[1:]))
        n = max(0, stop - start)
        offset = start * width * np.dtype(self.dtype).itemsize
        try:
            values = np.fromfile(self.path, self.dtype, n * width, offset=offset)
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror or error}; the same command makes it anew") from error
        return values.reshape(n, *self.shape[1:])[::stride]


@dataclass(frozen=True)
class Signal:
    """The input of a network from one recording, in whole steps.

    Attributes
    ----------
    x
        float32 (n_steps * hop, n_channels).
    times
        float64 (n_steps,): of the newest sample of each step, seconds.
    valid
        bool (n_steps,): whether no sample of a step was filled in.
    """

    x: Rows
    times: Rows
    valid: Rows

    @classmethod
    def joined(cls, parts: Iterable[Signal], n_channels: int) -> Signal:
        """In memory."""
        empty = cls(np.empty((0, n_channels), np.float32), np.empty(0), np.empty(0, np.bool_))
        whole = [empty, *parts]
        return cls(*(np.concatenate([getattr(part, name)[:] for part in whole]) for name in _TYPES))

    @classmethod
    def stored(cls, folder: Path) -> Signal | None:
        """As `store` left it; None where that was not finished, or is damaged."""
        try:
            shapes = json.loads((folder / ABOUT).read_text())["shapes"]
            return cls(*(StoredRows(folder / name, dtype, tuple(shapes[name])) for name, dtype in _TYPES.items()))
        except (OSError, ValueError, KeyError, TypeError, RecordingError):
            return None

    @classmethod
    def store(cls, folder: Path, parts: Iterable[Signal], n_channels: int) -> None:
        """Write parts, one after another, into a new folder. Raises OSError where the disk does not take them."""
        make_private_folder(folder)
        shapes = {"x": (0, n_channels), "times": (0,), "valid": (0,)}
        with ExitStack() as stack:
            files = {name: stack.enter_context(open_private(folder / name, "wb")) for name in _TYPES}
            for part in parts:
                for name, dtype in _TYPES.items():
                    rows = np.ascontiguousarray(getattr(part, name)[:], dtype)
                    _write(files[name], rows)
                    shapes[name] = (shapes[name][0] + len(rows), *shapes[name][1:])
            for file in files.values():
                os.fsync(file.fileno())
        atomic_write(folder / ABOUT, json_text({"shapes": shapes}))  # last: what has it is whole


_TYPES = {"x": "<f4", "times": "<f8", "valid": "|b1"}


def _write(file: io.FileIO, rows: npt.NDArray[Any]) -> None:
    left = memoryview(rows.tobytes())
    while left:
        left = left[file.write(left) :]
