"""What a node of a cluster must have to do the work of this machine: the same rtbci, the same files at the same paths."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from rtbci.files import PRIVATE, make_private_folder
from rtbci.provenance import __version__, commit, kernels

MARKER_S = 5.0  # within which a network file system shows a new file to all
MOST_SHOWN = 3


@dataclass(frozen=True)
class Needs:
    """What a cluster must have, and where a person is told of it.

    Parameters
    ----------
    out
        Folder that results are written to, if any.
    folders
        Folders of recordings.
    files
        Files that must be the same everywhere, as a pipeline.
    gpu
        Whether each job needs a GPU.
    name
        What a job is called in a line for a person, by its number.
    on_warning
        Told such lines.
    """

    out: Path | None = None
    folders: Sequence[Path] = ()
    files: Sequence[Path] = ()
    gpu: bool = False
    name: Callable[[int], str] = "job {}".format
    on_warning: Callable[[str], None] = lambda _line: None


class Wanted(TypedDict):
    """What is looked for on a node, in plain values: it may have another rtbci, or none."""

    version: str
    cwd: str
    marker: str
    token: str
    folders: list[str]
    files: dict[str, str]


@contextmanager
def looked_for(needs: Needs) -> Iterator[Wanted]:
    """What to look for on nodes; while it lasts, a file that tells the output folder is in it. Raises OSError."""
    token, marker = secrets.token_hex(16), None
    if needs.out is not None:
        make_private_folder(needs.out)
        marker = needs.out.absolute() / f".rtbci-cluster-{token}"
        marker.touch(PRIVATE)
        marker.write_text(token)
    try:
        yield {
            "version": _version(),
            "cwd": os.getcwd(),
            "marker": str(marker or ""),
            "token": token,
            "folders": sorted({str(folder.absolute()) for folder in needs.folders}),
            "files": {str(path.absolute()): _digest(path) for path in needs.files},
        }
    finally:
        if marker is not None:
            marker.unlink(missing_ok=True)


def lacking(wanted: Wanted) -> str:
    """What this machine lacks of it, in one line; empty: nothing. Called on a node."""
    if (version := _version()) != wanted["version"]:
        return f"it has rtbci {version}, not {wanted['version']}"
    absent = [folder for folder in (wanted["cwd"], *wanted["folders"]) if not os.path.isdir(folder)]
    if wanted["marker"] and not _is_marked(Path(wanted["marker"]), wanted["token"]):
        absent.insert(0, os.path.dirname(wanted["marker"]))
    if absent:
        more = f" and {len(absent) - MOST_SHOWN} more" if len(absent) > MOST_SHOWN else ""
        return (
            f"it lacks {', '.join(absent[:MOST_SHOWN])}{more}, or has another folder of that name; recordings and results "
            "must be on a file system that every node has at the same path"
        )
    if wanted["marker"] and not os.access(os.path.dirname(wanted["marker"]), os.W_OK):
        return f"it may not write to {os.path.dirname(wanted['marker'])}"
    for name, digest in wanted["files"].items():
        if not os.path.isfile(name) or _digest(Path(name)) != digest:
            return f"{name} is not there, or another file than here"
    return ""


def computed_with() -> str:
    """What computes the answers of this machine. Called on a node."""
    return kernels()


def _version() -> str:
    return f"{__version__} ({commit() or 'of no known commit'})"


def _is_marked(marker: Path, token: str) -> bool:
    until = time.monotonic() + MARKER_S
    while True:
        try:
            return marker.read_text() == token
        except OSError:
            if time.monotonic() > until or not marker.parent.is_dir():
                return False
            time.sleep(0.2)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
