"""Streams as a stranger would describe them: a sane description with hostile values in the fields that rtbci reads."""

from __future__ import annotations

import ctypes
import random
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pylsl
import pylsl.lib
from cutting import CHANNELS, SFREQ
from pylsl.util import LostError

_from_xml = pylsl.lib.lib.lsl_streaminfo_from_xml
_from_xml.restype = ctypes.c_void_p

NUMBERS = (
    "0", "-0", "-1", "1", "2", "5", "200", "200.0001", "256", "1e-300", "1e300", "1e309", "nan", "inf", "-inf", "4294967297",
    "2147483648", "9" * 400, "0x10", "1,5", "١", "", " 200 ", "2e2", "1e4", "99999.9",
)  # fmt: skip
TEXTS = (
    "", " ", "'", '"', "'\"", "x' or '1'='1", "]]>", "a/b\\c", "../../etc/passwd", "CON", "-rf", "%s%n{}", "=1+1", "\x1b[2J\x07",
    "\u202e\u2066", "\x85\u2028", "é" * 300, "🧠", "\ufffe", "x" * 70_000, "a\nb", "a\tb", "[/bold]", "Fp1-F7", "T3",
    "EEG Fp1-Ref",
    "uV", "V", "µV", "1e-6 V", "-6", "\u0000", "None", "null", "true", "<b>x</b>", "&amp;lt;", "\ud7ff", "name=a,type=b", "$(x)",
)  # fmt: skip
RAW = ("&a;", "<!--", "<![CDATA[x]]>", "<label>", "</desc>", "&#x1b;", "&#0;", "<a>" * 5000, "\x01", "]]>", "<?x ?>")


class Description:
    """A stream that the pipeline of the tests takes, and what becomes of its description by chance.

    Parameters
    ----------
    rng
        Seeded.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.head = {
            "name": "amp", "type": "EEG", "channel_count": "5", "channel_format": "float32", "source_id": "amp-1",
            "nominal_srate": str(SFREQ), "version": "1.10", "created_at": "1.0", "uid": "0" * 32, "session_id": "default",
            "hostname": "host",
        }  # fmt: skip
        self.channels = [{"label": label, "unit": "microvolts", "type": "EEG"} for label in CHANNELS]
        self.more: dict[str, str] = {"manufacturer": "x"}
        self.replay: dict[str, str] = {}
        for _ in range(rng.choice((1, 1, 2, 3))):
            rng.choice(
                (self._spoil_head, self._spoil_channel, self._spoil_channels, self._spoil_more, self._spoil_replay)
            )()

    def xml(self) -> bytes:
        """As LSL tells it."""
        head = "".join(f"<{key}>{value}</{key}>" for key, value in self.head.items())
        channels = "".join(f"<channel>{_nodes(channel)}</channel>" for channel in self.channels)
        replay = f"<replay>{_nodes(self.replay)}</replay>" if self.replay else ""
        for key in ("v4address", "v4data_port", "v4service_port", "v6address", "v6data_port", "v6service_port"):
            head += f"<{key}>0</{key}>"  # without them it is none
        desc = f"<desc><channels>{channels}</channels>{_nodes(self.more)}{replay}</desc>"
        return f'<?xml version="1.0"?><info>{head}{desc}</info>'.encode("utf-8", "surrogatepass").replace(b"\0", b"")

    def info(self) -> Any:
        """Through liblsl; None where it takes it for no stream."""
        return of_xml(self.xml())

    def _value(self) -> str:
        kind = self._rng.random()
        if kind < 0.4:
            return self._rng.choice(NUMBERS)
        if kind < 0.9:
            return escape(self._rng.choice(TEXTS))
        return self._rng.choice(RAW)

    def _spoil_head(self) -> None:
        self.head[self._rng.choice(sorted(self.head))] = self._value()

    def _spoil_channel(self) -> None:
        key = self._rng.choice(("label", "unit", "type", "name", "scaling_factor", "location", "reference"))
        if self.channels:
            self._rng.choice(self.channels)[key] = self._value()

    def _spoil_channels(self) -> None:
        match self._rng.randrange(6):
            case 0:
                self.channels = self.channels[:-1]
            case 1:
                self.channels = [*self.channels, {"label": CHANNELS[0]}]
            case 2:
                self.channels = []
            case 3:
                self.channels = [*self.channels, *({"label": "x"} for _ in range(10_000 - len(self.channels)))]
            case 4:
                value = self._value()
                for channel in self.channels[:5]:
                    channel[self._rng.choice(("unit", "scaling_factor", "type"))] = value
            case 5:
                self._rng.shuffle(self.channels)

    def _spoil_more(self) -> None:
        key = self._rng.choice(
            ("manufacturer", "reference", "cap", "desc", "channels", "pipeline", "input", "synchronization")
        )
        self.more[key] = self._value()

    def _spoil_replay(self) -> None:
        source_id = f"rtbci-replay-{'0' * 16}"
        self.head["source_id"] = self._rng.choice((source_id, self._value()))
        self.replay = {"speed": "1.0", "position": f"{source_id}-position", "session": "0" * 16, "key": "0" * 32}
        for _ in range(self._rng.randrange(3)):
            self.replay[self._rng.choice(("speed", "position", "session", "key", "sfreq", "file"))] = self._value()


def _nodes(fields: dict[str, str]) -> str:
    return "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())


class FakeInlet:
    """Takes the place of pylsl.StreamInlet: one description, and some samples with hostile values and stamps."""

    obj = None

    def __init__(self, info: Any, rng: random.Random) -> None:
        self._info, self._rng = info, rng
        self._left = 4
        self._at = pylsl.local_clock()

    def info(self, timeout: float = 0.0) -> Any:
        return self._info

    def open_stream(self, timeout: float = 0.0) -> None: ...

    def close_stream(self) -> None: ...

    def samples_available(self) -> int:
        return 0

    def pull_chunk(self, timeout: float = 0.0, *, dest_obj: Any = None, min_samples: int = 1, **_: Any) -> Any:
        if not self._left:
            raise LostError("the stream is over")
        self._left -= 1
        n = min(len(dest_obj), self._rng.choice((0, 1, 16, 40)))
        values = np.random.default_rng(self._rng.randrange(1000)).normal(0, 30, dest_obj[:n].shape)
        if self._rng.random() < 0.3:
            values[:] = self._rng.choice((np.nan, np.inf, -1e38, 0.0))
        with np.errstate(all="ignore"):
            dest_obj[:n] = values.astype(dest_obj.dtype)
        self._at += n / 200
        stamps = self._at + np.arange(-n, 0) / 200
        if self._rng.random() < 0.2:
            stamps = np.full(n, self._rng.choice((np.nan, 0.0, 1e300, -1e300, 1.7e9, 1.7e12)))
        return None, stamps


def of_xml(xml: str | bytes) -> Any:
    """A pylsl.StreamInfo; None where liblsl takes it for no stream."""
    handle = _from_xml(ctypes.c_char_p(xml.encode() if isinstance(xml, str) else xml))
    return pylsl.StreamInfo(handle=handle) if handle else None
