"""Disks that are full."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """To the last page, until the end of the block."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
    try:
        yield
    finally:
        ballast.unlink()
