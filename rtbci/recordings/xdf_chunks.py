"""The streams of an XDF file by pyxdf: of what is whole, where it was cut off or damaged, and what is lost.

References
----------
XDF: github.com/sccn/xdf/wiki/Specifications.
"""

from __future__ import annotations

import io
import logging
import mmap
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rtbci.errors import RecordingError

Stream = Mapping[str, Any]
Bytes = bytes | mmap.mmap

# Of pyxdf's warnings: of dejittering, which is not done, and of identifiers, which it settles.
_IRRELEVANT = ("Segments and clock-segments differ", "Found existing 'stream_id'")
_MAGIC = b"XDF:"
_GZIP, _PACKED = 31, 1 << 16  # zlib's name of that format; bytes at once
_BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_LENGTHS = {1: "<B", 4: "<I", 8: "<Q"}
_FILE_HEADER, _HEADER, _SAMPLES, _OFFSET, _FOOTER = 1, 2, 3, 4, 6
_WITH_XML = (_FILE_HEADER, _HEADER, _FOOTER)
_FORMATS = ("double64", "float32", "string", "int32", "int16", "int8", "int64")
_OF_STREAM = (_HEADER, _SAMPLES, _OFFSET, _FOOTER)
_SMALLEST = {_FILE_HEADER: 2, _HEADER: 6, _SAMPLES: 7, _OFFSET: 22, 5: 18, _FOOTER: 6}  # bytes of tag and content


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Where a chunk begins and ends, its kind, and where its content begins."""

    begin: int
    end: int
    tag: int
    content: int


@dataclass
class WholePart:
    """The chunks that are whole: `source` for pyxdf, and warnings of all else."""

    source: Path | io.BytesIO
    warnings: list[str] = field(default_factory=list)
    counts: dict[int, str] = field(
        default_factory=dict
    )  # of footers that pyxdf could not read, by number of the stream


class _Collected(logging.Handler):
    """What pyxdf logs, one line each."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())[:300]
        if not any(part in text for part in _IRRELEVANT):
            self.lines.append(text)


def load_streams(path: Path) -> tuple[list[Stream], datetime | None, list[str]]:
    """The streams of what is whole of a file, when it was begun, and what is odd about it. Raises RecordingError."""
    import pyxdf

    log, heard = logging.getLogger("pyxdf"), _Collected()
    level, propagates = log.level, log.propagate
    log.setLevel(logging.WARNING)
    log.addHandler(heard)
    log.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of arithmetic on what is empty
            whole = whole_part(path)
            streams, header = pyxdf.load_xdf(whole.source, dejitter_timestamps=False)
        for stream in streams:
            if (count := whole.counts.get(stream["info"]["stream_id"])) is not None:
                stream["footer"] = {"info": {"sample_count": [count]}}
    except Exception as error:
        # Parsing untrusted bytes may raise anything.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecordingError(
            f"{path}: cannot be read as XDF: {reason}; copy it again from where it was recorded"
        ) from error
    finally:
        log.removeHandler(heard)
        log.setLevel(level)
        log.propagate = propagates
    odd = [*whole.warnings, *heard.lines]
    try:
        started = datetime.fromisoformat(header["info"]["datetime"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        started = None
    return streams, started, list(dict.fromkeys(odd))


def whole_part(path: Path) -> WholePart:
    """Check the chunks of a file. Raises OSError."""
    with _content(path) as (data, odd):
        return _of_content(path, data, odd)


def _of_content(path: Path, data: Bytes, odd: list[str]) -> WholePart:
    known: set[int] = set()
    part = WholePart(path, odd)
    whole, n_all = [], 0
    orphans: dict[int, int] = {}
    for chunk in _chunks(data, odd):
        n_all += 1
        stream = struct.unpack_from("<I", data, chunk.content)[0] if chunk.tag in _OF_STREAM else 0
        text = data[chunk.content + 4 * (chunk.tag in _OF_STREAM) : chunk.end] if chunk.tag in _WITH_XML else b""
        if chunk.tag in (_HEADER, _FILE_HEADER) and (wrong := _wrong_with(chunk.tag, text)):
            whose = f"the header of stream {stream}" if chunk.tag == _HEADER else "the header of the file"
            odd.append(f"{whose} cannot be read ({wrong}), and it is left out")
        elif chunk.tag == _FOOTER and (count := _uncommon_count(text)) is not None:
            part.counts[stream] = count
        elif chunk.tag in _OF_STREAM and chunk.tag != _HEADER and stream not in known:
            orphans[stream] = orphans.get(stream, 0) + 1
        else:
            whole.append(chunk)
            known |= {stream} if chunk.tag == _HEADER else set()
    odd += [f"{n} chunks of stream {k} have no header before them and are left out" for k, n in orphans.items()]
    if odd or len(whole) < n_all or path.suffix.lower() == ".xdfz":
        part.source = io.BytesIO(b"".join([_MAGIC, *(data[chunk.begin : chunk.end] for chunk in whole)]))
    return part


def _wrong_with(tag: int, text: bytes) -> str:
    """Why pyxdf would stop at a header; empty where it would not."""
    try:
        info = ElementTree.fromstring(text.decode("utf-8", "replace") if tag == _HEADER else text)
        if tag == _HEADER:
            int(info.findtext("channel_count", ""))
            float(info.findtext("nominal_srate", ""))
            if info.findtext("channel_format") not in _FORMATS:
                return f"its format is {info.findtext('channel_format')!r:.40}"
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        return " ".join(str(error).split())[:100]
    return ""


def _uncommon_count(text: bytes) -> str | None:
    """The count of samples in a footer where it is no whole number as pyxdf needs it; None where it is."""
    found = re.search(rb"<sample_count>([^<]*)</sample_count>", text)
    if found is None or re.fullmatch(rb"\s*[0-9]+\s*", found[1]):
        return None
    return found[1].decode(errors="replace")


@contextmanager
def _content(path: Path) -> Iterator[tuple[Bytes, list[str]]]:
    if path.suffix.lower() != ".xdfz":
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content, []
        return
    yield _unpacked(path.read_bytes())


def _unpacked(packed: bytes) -> tuple[bytes, list[str]]:
    """As much of gzip's content as can be unpacked."""
    parts: list[bytes] = []
    member = zlib.decompressobj(_GZIP)
    for at in range(0, len(packed), _PACKED):
        rest = packed[at : at + _PACKED]
        while rest:
            try:
                parts.append(member.decompress(rest))
            except zlib.error as error:
                return b"".join(parts), [f"its compressed content is damaged ({error}); what is before that is read"]
            rest = member.unused_data
            if member.eof and rest.strip(b"\0"):
                member = zlib.decompressobj(_GZIP)
            elif member.eof:
                break
    return b"".join(parts), [] if member.eof else ["its compressed content is cut off; what is there is read"]


def _chunks(data: Bytes, odd: list[str]) -> list[_Chunk]:
    """The chunks that are whole, as far as can be told."""
    found: list[_Chunk] = []
    at = len(_MAGIC)
    while at < len(data):
        chunk = _chunk(data, at)
        if chunk is not None and chunk.end <= len(data):
            found.append(chunk)
            at = chunk.end
            continue
        boundary = data.find(_BOUNDARY, at)
        if boundary < 0:
            odd.append(f"the file is cut off: its last chunk is incomplete{_lost(data, chunk, at)}")
            return found
        # The damage may have begun in the chunk before.
        if found and found[-1].tag == _SAMPLES:
            at = found.pop().begin
        after = boundary + len(_BOUNDARY)
        odd.append(f"the file is damaged: {after - at} bytes from byte {at} on are left out, and what was in them")
        at = after
    return found


def _chunk(data: Bytes, at: int) -> _Chunk | None:
    """The chunk at a byte, whole or not; None where there cannot be one."""
    size = data[at]
    if size not in _LENGTHS:
        return None
    content = at + 1 + size + 2
    if content > len(data):
        return _Chunk(at, content, 0, content)
    (length,) = struct.unpack_from(_LENGTHS[size], data, at + 1)
    (tag,) = struct.unpack_from("<H", data, content - 2)
    end = content - 2 + length
    if length < _SMALLEST.get(tag, 2):
        return None
    # A kind that is not known is skipped, if another chunk follows it.
    if tag not in _SMALLEST and end != len(data) and (end > len(data) or data[end] not in _LENGTHS):
        return None
    return _Chunk(at, end, tag, content)


def _lost(data: Bytes, chunk: _Chunk | None, at: int) -> str:
    """What was in a chunk that is cut off, as far as its beginning says."""
    if chunk is None:
        return f"; {len(data) - at} bytes at its end are no chunk"
    if chunk.tag == _SAMPLES and chunk.content + 5 <= len(data):
        (stream,) = struct.unpack_from("<I", data, chunk.content)
        size = data[chunk.content + 4]
        if size in _LENGTHS and chunk.content + 5 + size <= len(data):
            (n,) = struct.unpack_from(_LENGTHS[size], data, chunk.content + 5)
            return f", {n} samples of stream {stream} are lost, and what would have followed"
    return " and left out, and what would have followed"
