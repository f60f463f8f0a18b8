"""What a reader's error means for the person who has the file: its own advice is for those who program with it."""

from __future__ import annotations

import re
from pathlib import Path

from rtbci.errors import RecordingError
from rtbci.recordings.named_files import named_files

# Sentences to programmers: calls, arguments, other programs' options.
_FOR_PROGRAMMERS = re.compile(
    r"`|\bmne\.|\bread_\w+|\b\w+=\S|\bPass\b|[Pp]lease|[Cc]onsider|\b(parameter|argument|preload|overrides)\b|pip install"
)
_PACKAGE = re.compile(r"pip install ['\"]?([\w.-]+)|module ['\"`]?([\w.-]+)['\"`]? is needed")
_KNOWN = (
    (r"number of trials is", "holds epochs; wanted a continuous recording: export it before it is cut into epochs"),
    (
        r"No raw data in",
        "holds no continuous recording, but epochs, averages or the like; name the file with the raw data",
    ),
    (r"No section: '?ASCII", "keeps its samples as text; export them as binary (DataFormat=BINARY)"),
)
_CONVERT = "if another program opens it, export it as EDF or BrainVision from there; else copy it again"


def reader_error(path: Path, kind: str, error: Exception) -> RecordingError:
    """The error to raise where a reader failed.

    Parameters
    ----------
    path
        The recording.
    kind
        Name of its format.
    error
        What the reader raised.

    Returns
    -------
    RecordingError
        One line: what is wrong, and what to do about it.
    """
    text = one_line(error)
    if (package := _missing_package(error, text)) is not None:
        return RecordingError(f"{path}: reading {kind} needs the package {package}; install it: pip install {package}")
    if isinstance(error, FileNotFoundError):
        return _missing_file(path, error, text)
    if isinstance(error, OSError) and error.strerror:
        return RecordingError(f"{path}: cannot be read: {error.strerror}; check its disk and its permissions")
    for pattern, ours in _KNOWN:
        if re.search(pattern, text):
            return RecordingError(f"{path}: {ours}")
    return RecordingError(f"{path}: cannot be read as {kind}: {_facts(error, text)}; {_CONVERT}")


def one_line(error: object) -> str:
    """The text of an error or a warning on one line, or its type where it has none."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _missing_package(error: Exception, text: str) -> str | None:
    if "matlab v7.3" in text:
        return "pymatreader"
    found = _PACKAGE.search(text)
    if isinstance(error, ModuleNotFoundError) and error.name and found is None:
        return error.name
    return next(filter(None, found.groups())) if found else None


def _missing_file(path: Path, error: FileNotFoundError, text: str) -> RecordingError:
    """Which file the header names, and where."""
    for key, name in named_files(path).items():
        if not path.with_name(name).exists():
            beside = path.with_name(path.stem + Path(name).suffix)
            there = f"; {beside.name} is there: if that is it" if beside.exists() else "; if it has another name now"
            return RecordingError(
                f"{path}: its header names {name} ({key}), and no such file is beside it: put it there{there}, correct "
                f"{key}= in {path.name}"
            )
    missing = (
        str(error.filename) if error.filename else ", ".join(re.findall(r"[^\s/\\,]+\.(?:fdt|dat|21[eE])\b", text))
    )
    if not missing or Path(missing).name == path.name:
        return RecordingError(f"{path}: a file that belongs to it is not there ({text}); copy it beside {path.name}")
    names = " or ".join(dict.fromkeys(Path(one).name for one in missing.split(", ")))
    return RecordingError(f"{path}: {names}, which it names, is not beside it; copy that file there, under that name")


def _facts(error: Exception, text: str) -> str:
    """The sentences that are no advice to programmers."""
    text = re.sub(r"(file )?(Posix|Windows)Path\('[^']*'\)", "the file", text)
    kept = [s for s in re.split(r"(?<=[.;!])\s+", text) if not _FOR_PROGRAMMERS.search(s)]
    return " ".join(kept).rstrip(".;") or type(error).__name__
