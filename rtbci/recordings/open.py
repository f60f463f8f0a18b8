"""Opening a recording of any format, with the event table beside it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtbci.errors import RecordingError
from rtbci.recordings.beside import with_table
from rtbci.recordings.edf_header import looks_like_edf
from rtbci.recordings.overridden import overridden
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.reader_warnings import n_omitted
from rtbci.recordings.recording import FORMATS, Recording

# The first bytes that a format's definition requires; other formats are checked by their reader.
_SIGNATURES = {"EDF": b"0       ", "BDF": b"\xffBIOSEMI", "GDF": b"GDF ", "XDF": b"XDF:"}


def open_recording(
    path: str | Path, *, stream: str | int | None = None, told: StreamOverrides | None = None
) -> Recording:
    """Open a recording; only its header is read, except for XDF.

    Parameters
    ----------
    path
        A file of one of the formats in `FORMATS`.
    stream
        For XDF: name, source id or number of the stream to read; None: the only EEG stream.
    told
        What a person says of it, who is right.

    Returns
    -------
    Recording
        Its annotations come from the file and from an event table beside it: ``NAME_events.tsv``; ``NAME.csv_bi`` or
        ``NAME.csv`` as in TUSZ; ``NAME.edf.seizures`` as in CHB-MIT.

    Raises
    ------
    RecordingError
        If the file is missing, empty, damaged or not of the format that its name claims.
    """
    path = _existing(Path(path))
    kind = _format(path)
    _check_signature(path, kind)
    if stream is not None and kind != "XDF":
        raise RecordingError(f"{path}: a {kind} file has one stream only; leave --stream {stream} out")
    if kind == "XDF":
        from rtbci.recordings.xdf import open_xdf

        recording = open_xdf(path, stream, told)
    else:
        recording = _reader(kind)(path, kind)
        if told is not None and told.told():
            recording = overridden(recording, told)
    recording = replace(recording, n_omitted=n_omitted(recording.warnings))
    if recording.n_samples == 0:
        raise RecordingError(f"{path}: holds no samples; record it again or remove it")
    return with_table(recording, path)


def _reader(kind: str) -> Callable[[Path, str], Recording]:
    # Imported here so that what one format needs is not loaded for another.
    if kind in ("EDF", "BDF"):
        from rtbci.recordings.edf import open_edf

        return open_edf
    from rtbci.recordings.mne_reader import open_with_mne

    return open_with_mne


def _existing(path: Path) -> Path:
    if path.is_dir():
        raise RecordingError(f"{path}: is a folder; name a recording in it")
    if path.is_symlink() and not path.exists():
        target = path.readlink()
        raise RecordingError(f"{path}: is a link to {target}, which is not there; fetch that file, or mount its disk")
    if not path.exists():
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
        hint = f"did you mean {', '.join(near)}?" if near else "check the name and the folder"
        raise RecordingError(f"{path}: there is no such file; {hint}")
    if path.suffix.lower() == ".eeg":
        # The samples of a BrainVision recording have the same suffix; its header says what they are.
        headers = (path.with_suffix(suffix) for suffix in (".vhdr", ".ahdr"))
        return next((header for header in headers if header.exists()), path)
    return path


def _format(path: Path) -> str:
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise RecordingError(
            f"{path}: {path.suffix or 'no suffix'} is not a known format; use one of {', '.join(FORMATS)}"
        )
    return kind


def _check_signature(path: Path, kind: str) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}; check its permissions") from error
    if not head:
        raise RecordingError(f"{path}: is empty (0 bytes); copy or record it again")
    wanted = _SIGNATURES.get(kind)
    if wanted is None or head.startswith(wanted) or path.suffix.lower() == ".xdfz":
        return
    if kind in ("EDF", "BDF") and not any(map(head.startswith, _SIGNATURES.values())) and looks_like_edf(path):
        return  # only its version field is odd
    actual = next((k for k, signature in _SIGNATURES.items() if head.startswith(signature)), None)
    hint = f"it starts like {actual}: rename it" if actual else f"it starts with {head!r}; check what wrote it"
    raise RecordingError(f"{path}: is not {kind} although its name says so; {hint}")
