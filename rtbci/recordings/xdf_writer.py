"""The chunks of an XDF file as bytes: headers, samples, boundaries and footers; for the recorder.

References
----------
XDF: github.com/sccn/xdf/wiki/Specifications.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from rtbci.types import Times

MAGIC = b"XDF:"
FORMATS = {
    "float32": "<f4", "double64": "<f8", "int8": "i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
}  # fmt: skip
_BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_FILE_HEADER, _HEADER, _SAMPLES, _OFFSET, _BOUNDARY_TAG, _FOOTER = 1, 2, 3, 4, 5, 6
_FIELDS = ("name", "type", "channel_count", "nominal_srate", "channel_format", "source_id", "hostname")
# Characters that XML cannot hold; liblsl hands them on.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def file_begin(now: datetime) -> bytes:
    """The first bytes of a file."""
    begun = now.strftime("%Y-%m-%dT%H:%M:%S%z")
    about = f'<?xml version="1.0"?><info><version>1.0</version><datetime>{begun}</datetime></info>'
    return MAGIC + _chunk(_FILE_HEADER, about.encode())


def stream_header(stream: int, header: str) -> bytes:
    """A stream's header; `header` is its description as XML (header_of)."""
    return _chunk(_HEADER, struct.pack("<I", stream) + header.encode("utf-8", "replace"))


def numbers(stream: int, stamps: Times, rows: npt.NDArray[Any]) -> bytes:
    """Samples (n_samples, n_channels) in the stream's own format, each with its stamp."""
    value = np.dtype(rows.dtype.newbyteorder("<"))
    samples = np.empty(len(stamps), [("stamped", "u1"), ("stamp", "<f8"), ("values", value, (rows.shape[1],))])
    samples["stamped"], samples["stamp"], samples["values"] = 8, stamps, rows
    return _samples(stream, len(stamps), samples.tobytes())


def texts(stream: int, stamps: Sequence[float], rows: Sequence[Sequence[str]]) -> bytes:
    """Samples of texts, each with its stamp."""
    parts = []
    for stamp, row in zip(stamps, rows, strict=True):
        parts.append(struct.pack("<Bd", 8, stamp))
        for text in row:
            content = text.encode("utf-8", "replace")
            parts.append(_length(len(content)) + content)
    return _samples(stream, len(rows), b"".join(parts))


def boundary() -> bytes:
    """A mark at which a reader of a damaged file goes on; wanted every 10 s."""
    return _chunk(_BOUNDARY_TAG, _BOUNDARY)


def clock_offset(stream: int, stamp: float) -> bytes:
    """That the stamps are on the recorder's own clock: nothing is to be added. Without one, pyxdf warns."""
    return _chunk(_OFFSET, struct.pack("<Idd", stream, stamp if math.isfinite(stamp) else 0.0, 0.0))


def stream_footer(stream: int, n_samples: int, first: float, last: float) -> bytes:
    """The end of a stream: count of its samples, and the stamps of the first and the last of them."""
    stamps = f"<first_timestamp>{first!r}</first_timestamp><last_timestamp>{last!r}</last_timestamp>"
    about = f'<?xml version="1.0"?><info>{stamps}<sample_count>{n_samples}</sample_count></info>'
    return _chunk(_FOOTER, struct.pack("<I", stream) + about.encode())


def header_of(xml: str, n_channels: int, values: str) -> str:
    """A stream's own description as the header of samples that are written.

    Parameters
    ----------
    xml
        The description as the stream sent it.
    n_channels, values
        Channels and format of the samples. Where the description says otherwise, or is no XML that a reader can
        parse, a header without its free part is made, so that no reader takes one value for another.
    """
    clean = _NOT_XML.sub("\ufffd", xml)
    try:
        info = ElementTree.fromstring(clean)
        if (info.findtext("channel_count"), info.findtext("channel_format")) == (str(n_channels), values):
            float(info.findtext("nominal_srate", ""))
            return clean
    except (ElementTree.ParseError, ValueError):
        info = ElementTree.Element("info")
    fields = {key: info.findtext(key, "") for key in _FIELDS} | {"channel_count": n_channels, "channel_format": values}
    try:
        float(str(fields["nominal_srate"]))
    except ValueError:
        fields["nominal_srate"] = 0
    described = info.find("desc")
    desc = ElementTree.tostring(described, "unicode") if described is not None else "<desc />"
    return f'<?xml version="1.0"?><info>{_elements(fields)}{desc}</info>'


def text_header(xml: str, are_cues: bool) -> str:
    """The header of markers as texts, one each, that were read of a stream of any format. are_cues: an engine answers them."""
    info = ElementTree.fromstring(header_of(xml, 1, "string"))
    rate = info.find("nominal_srate")
    (rate if rate is not None else ElementTree.SubElement(info, "nominal_srate")).text = "0"
    if are_cues:
        desc = info.find("desc")
        read = ElementTree.SubElement(desc if desc is not None else ElementTree.SubElement(info, "desc"), "rtbci")
        ElementTree.SubElement(read, "cues").text = "true"
    return '<?xml version="1.0"?>' + ElementTree.tostring(info, "unicode")


def made_header(
    name: str, type: str, channels: Sequence[tuple[str, str]], values: str, source_id: str, **described: object
) -> str:
    """The header of a stream of the recorder's own, without a rate; channels: label and unit of each."""
    fields = {
        "name": name, "type": type, "channel_count": len(channels), "nominal_srate": 0, "channel_format": values,
        "source_id": source_id,
    }  # fmt: skip
    each = "".join(f"<channel>{_elements({'label': label, 'unit': unit})}</channel>" for label, unit in channels)
    desc = f"<desc>{_elements({'manufacturer': 'rtbci', **described})}<channels>{each}</channels></desc>"
    return f'<?xml version="1.0"?><info>{_elements(fields)}{desc}</info>'


def _elements(fields: dict[str, Any]) -> str:
    return "".join(f"<{key}>{escape(_NOT_XML.sub(chr(0xFFFD), str(value)))}</{key}>" for key, value in fields.items())


def _samples(stream: int, n_samples: int, content: bytes) -> bytes:
    return _chunk(_SAMPLES, struct.pack("<I", stream) + _length(n_samples) + content)


def _chunk(tag: int, content: bytes) -> bytes:
    return _length(len(content) + 2) + struct.pack("<H", tag) + content


def _length(n: int) -> bytes:
    return struct.pack("<BB", 1, n) if n < 256 else struct.pack("<BI", 4, n)
