"""Plug-ins as their users write them: files in a folder of their own, which are no part of the package."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtbci import plugins
from rtbci.models.plugin_network import sketch

EXAMPLES = Path(__file__).parents[2] / "examples"

HEAD = """
import torch
from torch import nn
from rtbci.models.network import Network
"""


@contextmanager
def fresh_registry(*folders: Path) -> Iterator[None]:
    """Nothing is named inside, and what is imported from these folders is forgotten behind it."""
    named, path, modules = dict(plugins._named), list(sys.path), set(sys.modules)
    plugins._named.clear()
    sketch.cache_clear()
    try:
        yield
    finally:
        plugins._named.clear()
        plugins._named.update(named)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if any(str(folder) in file for folder in folders):
                del sys.modules[name]


def install(folder: Path, entry_points: str, package: str = "their-package") -> None:
    """What pip leaves of a package that registers entry points; `folder` must be on the path."""
    about = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(entry_points)
