"""A file in shared memory, of a fixed size; it has its name once it is complete."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import BinaryIO


class MappedFile:
    """A memory-mapped file of a fixed size."""

    def __init__(self, path: Path, size: int = 0) -> None:
        """size > 0: a new file, under another name until `publish`; 0: an existing one, for reading."""
        if size:
            beside = path.with_suffix(".part")
            with open(beside, "w+b") as file:
                _reserve(file, size)
                self.memory = mmap.mmap(file.fileno(), size)
            self._rename_on_publish: tuple[Path, Path] | None = (beside, path)
        else:
            with open(path, "rb") as file:
                self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._rename_on_publish = None

    def publish(self) -> None:
        """Give the new file its name, now that it is complete."""
        assert self._rename_on_publish is not None
        os.replace(*self._rename_on_publish)


def _reserve(file: BinaryIO, size: int) -> None:
    """Raises OSError if there is no room: writing to a mapped page without memory would kill the process (SIGBUS)."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
    except OSError:
        Path(file.name).unlink()
        raise
