"""Writes XDF files of made-up or caught streams, as LabRecorder would: https://github.com/sccn/xdf/wiki/Specifications."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

_PACK = {"float32": "f", "double64": "d", "int8": "b", "int16": "h", "int32": "i", "int64": "q"}


@dataclass
class XdfStream:
    """values: (n, channels), or lists of texts. offsets: (when on the recorder's clock, to add to its stamps)."""

    name: str
    type: str
    values: object
    stamps: np.ndarray
    format: str = "float32"
    sfreq: float = 0.0
    source_id: str = ""
    description: str = ""
    offsets: tuple[tuple[float, float], ...] = ()


def write_xdf(path: Path, *streams: XdfStream) -> Path:
    with open(path, "wb") as file:
        file.write(b"XDF:")
        file.write(_chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>'))
        for number, stream in enumerate(streams, 1):
            file.write(_chunk(2, struct.pack("<I", number) + _header(stream).encode()))
        for number, stream in enumerate(streams, 1):
            for when, offset in stream.offsets:
                file.write(_chunk(4, struct.pack("<Idd", number, when - offset, offset)))
            if len(stream.stamps):
                file.write(_chunk(3, struct.pack("<I", number) + _samples(stream)))
        for number, stream in enumerate(streams, 1):
            footer = f"<info><sample_count>{len(stream.stamps)}</sample_count></info>"
            file.write(_chunk(6, struct.pack("<I", number) + footer.encode()))
    return path


def _chunk(tag: int, content: bytes) -> bytes:
    return b"\x08" + struct.pack("<QH", len(content) + 2, tag) + content


def _header(stream: XdfStream) -> str:
    n_channels = len(stream.values[0]) if len(stream.stamps) else 1  # type: ignore[index]
    fields = {
        "name": stream.name, "type": stream.type, "channel_count": n_channels, "nominal_srate": stream.sfreq,
        "channel_format": stream.format, "source_id": stream.source_id,
    }  # fmt: skip
    told = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in fields.items())
    return f'<?xml version="1.0"?><info>{told}<desc>{stream.description}</desc></info>'


def _samples(stream: XdfStream) -> bytes:
    out = [b"\x08" + struct.pack("<Q", len(stream.stamps))]
    for stamp, values in zip(stream.stamps, stream.values, strict=True):  # type: ignore[call-overload]
        out.append(b"\x08" + struct.pack("<d", stamp))
        if stream.format == "string":
            texts = [text.encode() for text in values]
            out += [b"\x04" + struct.pack("<I", len(text)) + text for text in texts]
        else:
            out.append(struct.pack(f"<{len(values)}{_PACK[stream.format]}", *values))
    return b"".join(out)
