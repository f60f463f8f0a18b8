"""Plug-ins by name: a user's own networks, dataset readers and sinks, which are not part of rtbci.

A file may name only what an installed package registers as an entry point, or what its user names (`--plugin`,
`rtbci.plugin`). Whether a name is registered is known before anything is imported, so a pipeline file from a stranger
cannot run code of its choosing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from rtbci.config import nearest
from rtbci.errors import PluginError

NETWORKS = "rtbci.networks"
DATASETS = "rtbci.datasets"
SINKS = "rtbci.sinks"

_named: dict[str, str] = {}  # import path -> what the user named, to repeat it in another process


def plugin(what: str) -> str:
    """Allow code of your own to be named by configs and pipeline files. It is imported when it is first used.

    Parameters
    ----------
    what
        ``module:Name``, of a module that is installed or in the current folder, or ``path/to/file.py:Name``.

    Returns
    -------
    str
        Its import path ``module:Name``, by which a config or a pipeline file names it.

    Raises
    ------
    PluginError
        Where there is no such module or file, or the file's name already means another module.
    """
    place, _, name = what.rpartition(":")
    if place.endswith(".py"):
        module = _module_of_file(Path(place))
        what = f"{Path(place).resolve()}:{name}"
    else:
        module = place
        _make_importable(Path.cwd())
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise PluginError(f"code of your own is named module:Name or path/to/file.py:Name, got {what!r}")
    if _origin(module) is None:
        raise PluginError(f"{what}: there is no module {module!r}, neither installed nor in {Path.cwd()}")
    _named[f"{module}:{name}"] = what
    return f"{module}:{name}"


def named() -> tuple[str, ...]:
    """What the user has named so far, to repeat in another process with `plugin`."""
    return tuple(_named.values())


def known(group: str) -> tuple[str, ...]:
    """Registered names of a group: its entry points, and what the user has named."""
    return (*sorted({entry.name for entry in entry_points(group=group)}), *_named)


def require(group: str, name: str, built_in: Iterable[str] = ()) -> str:
    """The import path of a registered name; nothing is imported.

    Parameters
    ----------
    group
        Group of entry points: `NETWORKS`, `DATASETS` or `SINKS`.
    name
        Name of an entry point, or an import path ``module:Name``.
    built_in
        Names that need no plug-in, for the error.

    Returns
    -------
    str
        ``module:Name``.

    Raises
    ------
    PluginError
        If it is not registered; the message lists what is, and what to do.
    """
    if name in _named:
        return name
    paths = {f"{e.module}:{e.attr}" for e in entry_points(group=group) if name in (e.name, f"{e.module}:{e.attr}")}
    if len(paths) > 1:
        raise PluginError(f"{name!r}: two installed packages register it as {group}, {' and '.join(sorted(paths))}")
    if not paths:
        raise PluginError(_unknown(group, name, (*built_in, *known(group))))
    return paths.pop()


def load(group: str, name: str, built_in: Iterable[str] = ()) -> Any:
    """Import what a registered name refers to.

    Parameters
    ----------
    group, name, built_in
        As in `require`.

    Returns
    -------
    object
        The class or function.

    Raises
    ------
    PluginError
        If it is not registered, or its module cannot be imported or lacks the name.
    """
    path = require(group, name, built_in)
    module, _, attribute = path.partition(":")
    try:
        found = importlib.import_module(module)
    except Exception as error:
        raise PluginError(f"plug-in {path}: its module cannot be imported: {error_text(error)}") from error
    if not hasattr(found, attribute):
        own = [key for key, value in vars(found).items() if getattr(value, "__module__", None) == module]
        has = f"; it has {', '.join(own) or 'nothing'}"
        raise PluginError(f"plug-in {path}: the module has no {attribute!r}{nearest(attribute, own) or has}")
    return getattr(found, attribute)


def error_text(error: Exception, file: str | None = None) -> str:
    """An exception of a plug-in in one line, with its location: the last frame in `file`, else the last frame."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((f for f in reversed(frames) if f.filename == file), frames[-1] if frames else None)
    place = f" ({Path(frame.filename).name}, line {frame.lineno})" if frame else ""
    return f"{type(error).__name__}: {str(error)[:300]}{place}"


def _unknown(group: str, name: str, all_known: tuple[str, ...]) -> str:
    what = group.removeprefix("rtbci.").removesuffix("s")
    if ":" in name:
        return (
            f"{what} {name[:200]!r} is not registered; install the package that registers it in {group!r}, or, if it is "
            f"code of your own, name it: --plugin {name[:200]}{nearest(name, all_known)}"
        )
    known_are = f"known are {', '.join(all_known)}{nearest(name, all_known)}" if all_known else "none is installed"
    option = "--sink" if group == SINKS else "--plugin"
    return (
        f"unknown {what} {name[:60]!r}; {known_are}; one of your own is named module:Name or file.py:Name, with {option}, "
        f"or by the package that registers it in {group!r}"
    )


def _module_of_file(path: Path) -> str:
    path = path.resolve()
    if not path.is_file():
        near = nearest(path.name, [p.name for p in path.parent.glob("*.py")]) if path.parent.is_dir() else ""
        raise PluginError(f"{path}: no such file{near}")
    _make_importable(path.parent)
    origin = _origin(path.stem)
    if path.stem.isidentifier() and (origin is None or Path(origin).resolve() != path):
        raise PluginError(f"{path}: the name {path.stem!r} already means {origin}; rename the file")
    return path.stem


def _make_importable(folder: Path) -> None:
    """Appended to sys.path, so that no file in the folder shadows an installed module."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()  # the file may be newer than the cached listing of its folder


def _origin(module: str) -> str | None:
    """The file that a module's top-level package is imported from, None where there is none. Imports nothing."""
    top = module.partition(".")[0]
    if top in sys.modules:
        return getattr(sys.modules[top], "__file__", None) or top
    spec = importlib.util.find_spec(top) if top else None
    return None if spec is None else spec.origin or top
